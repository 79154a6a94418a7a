/* SPDX-License-Identifier: MIT
 *
 * DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): content may come. Both ask the DATA chain and for
 * room in the store, once a message. The octets of a chunk follow its command whatever the
 * answer: they are always read before it, by content.c. Where that cannot be (no size, or one
 * beyond the limit), the connection ends.
 */
#include "host/metrics.h"
#include "smtp/place.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

#define RESERVE_UNKNOWN (64 * 1024) /* octets kept free when no size was said */
#define CHUNK_MAX (1ULL << 40)

static enum say no_recipients(const struct session *s)
{
	return s->transaction->tried > 0 ? SAY_NO_RECIPIENTS : SAY_RCPT_FIRST;
}

static enum say data_reserve(struct session *s)
{
	struct message *m = s->transaction->message;

	if (m->reserved > 0)
		return SAY_NOTHING;
	switch (server_upcalls()->reserve(&s->subject, RESERVE_UNKNOWN)) {
	case COMMIT_DURABLE:
		m->reserved = RESERVE_UNKNOWN;
		return SAY_NOTHING;
	case COMMIT_FULL:
		metric_add(METRIC_limit_memory, 1);
		return SAY_NO_ROOM;
	case COMMIT_TRY_LATER:
		break;
	}
	return SAY_LATER;
}

/* ---- DATA -------------------------------------------------------------------------------- */

bool check_data(struct session *s, const struct command *command)
{
	if (command->argument.len > 0)
		return verb_refuse(s, SAY_NO_ARGUMENT);
	if (s->state == STATE_MAIL)
		return verb_refuse(s, no_recipients(s));
	return true;
}

/* The transaction failed as a whole: what would be left of it invites surprises. */
static void data_end(struct session *s)
{
	transaction_end(s);
	session_enter(s, session_rest(s));
}

void act_data(struct session *s, const struct chain_answer *answer)
{
	enum say say = data_reserve(s);

	(void)answer;
	if (say != SAY_NOTHING) {
		data_end(s);
		session_say(s, say);
		return;
	}
	session_say(s, SAY_GO_AHEAD);
	content_data(s);
}

void refused_data(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	data_end(s);
}

/* ---- BDAT -------------------------------------------------------------------------------- */

bool check_bdat(struct session *s, const struct command *command)
{
	uint64_t max =
		s->settings->max_message_size ? (uint64_t)s->settings->max_message_size : CHUNK_MAX;
	struct transaction *t;
	uint64_t size, before;
	bool last;

	if (!bdat_parse(command->argument, &size, &last))
		return verb_refuse(s, SAY_BDAT_SYNTAX);
	t = s->transaction;
	before = t && t->message ? message_size(t->message) : 0;
	if (size > max || before + size > max)
		return verb_refuse(s, SAY_CHUNK_TOO_LARGE);
	if (!t) {
		transaction_bare(s);
		t = s->transaction;
	}
	t->chunk_left = size;
	t->chunk_last = last;
	return true;
}

/* A chunk that does not belong here is read, thrown away, and then answered. */
static void chunk_misplaced(struct session *s, enum say say)
{
	transaction_refuse(s, say);
	content_chunk(s);
}

static void chunk_agreed(struct session *s)
{
	enum say say = data_reserve(s);

	if (say != SAY_NOTHING)
		transaction_refuse(s, say);
	content_chunk(s);
}

static void chunk_decided(struct session *s, const struct chain_answer *answer)
{
	if (answer->verdict == TMAIL_REJECT || answer->verdict == TMAIL_TEMPFAIL) {
		transaction_refuse_answer(s, answer);
		content_chunk(s);
		return;
	}
	transaction_mark(s, answer);
	chunk_agreed(s);
}

static void chunk_answered(void *ctx, const struct chain_answer *answer)
{
	struct session *s = ctx;

	session_wake(s);
	chunk_decided(s, answer);
	session_run(s);
}

void act_bdat(struct session *s, const struct chain_answer *nobody)
{
	static const union tmail_event event = { .unknown = { { NULL, 0 }, { NULL, 0 } } };
	struct chain_answer answer;

	(void)nobody;
	switch (s->state) {
	case STATE_CHUNKS:
		content_chunk(s);
		break;
	case STATE_RCPT:
		if (!chain_ask(&s->subject, TMAIL_POINT_DATA, &event, &answer, chunk_answered, s))
			session_wait(s, WAITING_ANSWER);
		else
			chunk_decided(s, &answer);
		break;
	case STATE_MAIL:
		chunk_misplaced(s, no_recipients(s));
		break;
	default:
		chunk_misplaced(s, SAY_MAIL_FIRST);
		break;
	}
}
