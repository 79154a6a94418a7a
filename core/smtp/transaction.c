/* SPDX-License-Identifier: MIT
 *
 * Transactions are made at MAIL, used again by the next one of their place, and always end
 * here: whatever the session had of a message is let go in one function.
 */
#include "smtp/transaction.h"

#include "mail/reply.h"
#include "smtp/place.h"
#include "sys/clock.h"

#include <stdlib.h>

enum { KEPT_MAX = 64, REFUSAL_KEPT = 1024 };

static struct transaction *transaction_get(struct place *place)
{
	struct transaction *t = place->kept;
	struct buf refusal;

	if (!t)
		return must_alloc(sizeof *t);
	place->kept = t->next;
	place->kept_count--;
	refusal = t->refusal; /* its memory */
	*t = (struct transaction){ .refusal = refusal };
	return t;
}

static void transaction_put(struct place *place, struct transaction *t)
{
	buf_clear(&t->refusal);
	if (place->kept_count == KEPT_MAX || t->refusal.cap > REFUSAL_KEPT) {
		buf_free(&t->refusal);
		free(t);
		return;
	}
	t->next = place->kept;
	place->kept = t;
	place->kept_count++;
}

void transactions_free(struct transaction **kept)
{
	struct transaction *t;

	while ((t = *kept)) {
		*kept = t->next;
		buf_free(&t->refusal);
		free(t);
	}
}

void transaction_bare(struct session *s)
{
	must(!s->transaction);
	s->transaction = transaction_get(s->place);
}

struct arena *transaction_arena(struct transaction *t)
{
	if (t->message)
		return t->message->arena;
	if (!t->arena)
		t->arena = arena_new(512);
	return t->arena;
}

/* What the store and bounces will say of where it came from. */
static void message_facts(struct message *m, const struct session *s)
{
	const struct tmail_client *c = &s->subject.client;

	m->client_kind = TMAIL_CLIENT_SMTP;
	m->client_address = tm_str(arena_str(m->arena, str_tm(c->address)));
	m->client_helo = tm_str(arena_str(m->arena, str_tm(c->helo)));
	m->session = c->id;
	if (c->login.len)
		m->envelope.login = tm_str(arena_str(m->arena, str_tm(c->login)));
}

void transaction_start(struct session *s)
{
	int64_t now = clock_wall();
	struct message *m =
		message_new(id_make(now, (uint16_t)s->settings->node, random_u64()), now);

	transaction_bare(s);
	s->transaction->began = loop_now(s->subject.loop);
	s->transaction->message = m;
	s->subject.message = m;
	message_facts(m, s);
}

static void message_drop(struct session *s, struct transaction *t)
{
	const struct smtp_upcalls *upcalls = server_upcalls();
	struct message *m = t->message;

	if (!m)
		return;
	if (!t->committed) {
		if (m->spool_size > 0 || m->spool_stale)
			upcalls->drop(m);
		if (m->reserved > 0)
			upcalls->unreserve(&s->subject, m->reserved);
		m->reserved = 0;
	}
	message_free(&t->message);
}

void transaction_end(struct session *s)
{
	const union tmail_event event = { .unknown = { { NULL, 0 }, { NULL, 0 } } };
	struct transaction *t = s->transaction;

	if (!t)
		return;
	if (t->begun && !t->queued)
		chain_tell(&s->subject, TMAIL_POINT_RESET, &event);
	dns_cancel(&t->sender_mx);
	dns_lookup_cancel(&t->sender_addresses);
	subject_message_end(&s->subject);
	s->subject.message = NULL;
	message_drop(s, t);
	arena_free(&t->arena);
	s->transaction = NULL;
	transaction_put(s->place, t);
}

/* Names and values for modules; the line they came on is gone when they are asked. */
void transaction_parameters(struct transaction *t, const struct parameters *given)
{
	struct arena *arena = t->message->arena;

	for (size_t i = 0; i < given->count; i++)
		t->parameters[i] =
			(struct tmail_parameter){ tm_str(arena_str(arena, given->item[i].name)),
				tm_str(arena_str(arena, given->item[i].value)) };
	t->parameter_list =
		(struct tmail_list){ t->parameters, (uint32_t)given->count, sizeof *t->parameters };
}

void transaction_mark(struct session *s, const struct chain_answer *answer)
{
	struct message *m = s->transaction->message;

	if (answer->verdict == TMAIL_DISCARD)
		m->discard = true;
	if (answer->hold && !m->hold.data)
		m->hold = tm_str(arena_str(m->arena,
			answer->hold_reason.len ? answer->hold_reason : STR("held by a module")));
}

/* ---- content that will not be taken ------------------------------------------------------ */

/* The octets that are still to come are only looked at for their end. */
static void content_forget(struct session *s)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;

	t->reader.discard = true;
	if (!m || t->committed)
		return; /* it is the store's */
	message_uncharge(m);
	buf_free(&m->data);
}

void transaction_refuse(struct session *s, enum say say)
{
	struct transaction *t = s->transaction;

	if (t->refusal.len > 0)
		return; /* the first reason is the one that is told */
	if (say_row(say)->flags & SAY_ERROR)
		s->errors++;
	buf_add(&t->refusal, say_row(say)->line);
	t->refusal_code = say_row(say)->code;
	content_forget(s);
}

void transaction_refuse_answer(struct session *s, const struct chain_answer *answer)
{
	struct transaction *t = s->transaction;

	if (t->refusal.len > 0)
		return;
	if (answer->code >= 500)
		s->errors++;
	reply_write(&t->refusal, answer->code, answer->enhanced, answer->text, t->mail.smtputf8);
	t->refusal_code = answer->code;
	content_forget(s);
}
