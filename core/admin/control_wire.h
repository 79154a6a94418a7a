/* SPDX-License-Identifier: MIT
 *
 * The lines of the control socket: one JSON object each, both ways.
 *
 *   client:  {"words": ["queue", "list"]}       a command
 *            {"answer": "..."}                  to "secret"
 *   server:  {"columns": ["n:int"]} {"row": ["1", null]} {"say": "..."} {"fail": "..."}
 *            {"progress": [done, of]} {"secret": "PASSWORD"}
 *            {"result": 0}                      ends the command: 0, 1 or 2
 *
 * Writers append a line with its LF. Readers take one without it.
 */
#ifndef ADMIN_CONTROL_WIRE_H
#define ADMIN_CONTROL_WIRE_H

#include "admin/verb.h"

struct control_request {
	struct str *words;
	size_t count;
};

void wire_request(struct buf *out, const struct str *words, size_t count);
void wire_answer(struct buf *out, struct str answer);
void wire_columns(struct buf *out, const char *const *names, uint32_t n);
void wire_row(struct buf *out, const struct tmail_str *values, uint32_t n);
void wire_text(struct buf *out, const char *key, struct str text);
void wire_progress(struct buf *out, uint64_t done, uint64_t of);
void wire_result(struct buf *out, enum verb_result result);

bool wire_request_read(
	struct str line, struct arena *arena, struct control_request *request, struct why *why);
bool wire_answer_read(struct str line, struct buf *answer);

/* What a server's line says, handed to the output. */
enum wire_reply { WIRE_MORE, WIRE_SECRET, WIRE_RESULT, WIRE_BAD };
/* WIRE_RESULT sets *result; WIRE_SECRET appends its name to *name. */
enum wire_reply wire_reply_read(
	struct str line, struct output *o, enum verb_result *result, struct buf *name);

#endif
