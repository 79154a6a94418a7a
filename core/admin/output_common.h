/* SPDX-License-Identifier: MIT
 *
 * What the outputs of a command share: writing a descriptor, text that is safe on a terminal,
 * the progress bar, asking for a secret.
 */
#ifndef ADMIN_OUTPUT_COMMON_H
#define ADMIN_OUTPUT_COMMON_H

#include "admin/verb.h"

/* What an output is, behind its functions: these first, `end` last. */
struct output_base {
	struct output output; /* must be first */
	int out, err;
	bool failed, drawing; /* drawing: a progress bar is on the terminal */
	void (*end)(struct output_base *base, enum verb_result result);
};
void output_base_setup(struct output_base *base, int out, int err,
	void (*end)(struct output_base *base, enum verb_result result));

/* Of "attempts:int": what the column is called. *type is TMAIL_TYPE_INT or _BOOL behind ":int" or
 * ":bool", else _STRING. */
struct str column_name(const char *column, enum tmail_type *type);
/* All of it, or false: the reader is gone. */
bool write_all(int fd, struct str octets);
/* Printable characters as they are, everything else as \xHH; with lines: LF and tab too. */
void printable(struct buf *out, struct str text, bool lines);
size_t printable_width(struct str printable); /* columns, one a character */

#endif
