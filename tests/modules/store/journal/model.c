/* SPDX-License-Identifier: MIT
 *
 * The model.
 */
#include "model.h"

#include "base/encode.h"
#include "modules/store/journal/living.h"

#include <inttypes.h>

static void model_add(struct model *m, const struct m_op *op)
{
	struct m_message *message = &m->messages[op->message];

	if (message->lives || message->ended)
		return;
	*message = op->add;
	message->lives = true;
	if (op->message >= m->count)
		m->count = op->message + 1;
}

void model_apply(struct model *m, const struct m_op *op)
{
	struct m_message *message = &m->messages[op->message];
	struct m_state *s = &message->states[op->recipient];

	if (op->change == TMAIL_QUEUE_ADD) {
		model_add(m, op);
	} else if (!message->lives) {
		return;
	} else if (op->change == TMAIL_QUEUE_OUTCOME) {
		if (!fate_lives(s->fate))
			return;
		*s = (struct m_state){ op->fate, op->note, op->attempts, op->due, false, "" };
		memcpy(s->reply, op->words, sizeof s->reply);
	} else if (op->change == TMAIL_QUEUE_END) {
		message->lives = false;
		message->ended = true;
	} else if (op->change == TMAIL_QUEUE_HOLD) {
		memcpy(message->hold, op->words, sizeof message->hold);
	} else { /* FREE, DUE */
		if (op->change == TMAIL_QUEUE_FREE)
			message->hold[0] = '\0';
		for (uint32_t i = 0; i < message->count; i++)
			if (fate_lives(message->states[i].fate))
				message->states[i].due = op->due;
	}
}

/* A start: nothing is claimed; who has no living recipient has ended. */
void model_restart(struct model *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct m_message *message = &m->messages[i];
		uint32_t living = 0;

		for (uint32_t r = 0; r < message->count; r++) {
			message->states[r].claimed = false;
			living += fate_lives(message->states[r].fate);
		}
		if (message->lives && living == 0) {
			message->lives = false;
			message->ended = true;
		}
	}
}

char octet_of(uint64_t message, size_t at)
{
	return (char)('a' + (message * 31 + at * 7 + at / 1000) % 26);
}

uint32_t content_sum(uint64_t message, size_t octets)
{
	char piece[1000];
	uint32_t sum = 0;

	for (size_t at = 0; at < octets;) {
		size_t len = octets - at < sizeof piece ? octets - at : sizeof piece;

		for (size_t i = 0; i < len; i++)
			piece[i] = octet_of(message, at + i);
		sum = crc32c(sum, piece, len);
		at += len;
	}
	return sum;
}

void print_line(struct buf *out, struct tmail_id id, uint32_t recipient, const struct m_state *s,
	const char *hold, size_t octets)
{
	buf_printf(out,
		"%" PRIu64 "/%" PRIu32 " fate=%" PRIu32 " note=%" PRIu32 " attempts=%" PRIu32
		" due=%" PRId64 " reply=%s hold=%s octets=%zu\n",
		id.lo, recipient, s->fate, s->note, s->attempts, s->due, s->reply, hold, octets);
}

void model_print(const struct model *m, struct buf *out)
{
	buf_clear(out);
	for (uint32_t i = 0; i < m->count; i++) {
		const struct m_message *message = &m->messages[i];

		if (!message->lives)
			continue;
		for (uint32_t r = 0; r < message->count; r++)
			print_line(out, message->id, r, &message->states[r], message->hold,
				message->octets);
	}
}
