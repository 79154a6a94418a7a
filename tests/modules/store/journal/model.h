/* SPDX-License-Identifier: MIT
 *
 * What a store must say, in a few lines: messages in an array, and what each operation does.
 */
#ifndef TESTS_JOURNAL_MODEL_H
#define TESTS_JOURNAL_MODEL_H

#include "base/buf.h"

#include <tmail/service/queue.h>

enum { MESSAGES = 2000, RECIPIENTS = 3, WORDS = 40 };

struct m_state {
	uint32_t fate, note, attempts;
	int64_t due;
	bool claimed;
	char reply[WORDS];
};
struct m_message {
	struct tmail_id id;
	bool lives, ended, spooled;
	uint32_t count;
	size_t octets;
	char hold[WORDS]; /* empty: not held */
	struct m_state states[RECIPIENTS];
};
struct model {
	struct m_message messages[MESSAGES]; /* id.lo is the place */
	uint32_t count;
};
struct m_op {
	enum tmail_queue_change change;
	uint32_t message, recipient, fate, note, attempts;
	int64_t due;
	char words[WORDS];
	struct m_message add;
};

void model_apply(struct model *m, const struct m_op *op);
void model_restart(struct model *m);
char octet_of(uint64_t message, size_t at);
uint32_t content_sum(uint64_t message, size_t octets);
void print_line(struct buf *out, struct tmail_id id, uint32_t recipient, const struct m_state *s,
	const char *hold, size_t octets);
void model_print(const struct model *m, struct buf *out);

#endif
