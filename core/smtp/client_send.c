/* SPDX-License-Identifier: MIT
 *
 * One transaction, MAIL to the final reply (RFC 5321 3.3, RFC 2920, RFC 2033). With PIPELINING
 * the envelope and DATA are one write, and the states only walk through the replies; without,
 * each state sends its command when it is entered. What must always hold: an outcome is OK only
 * by a reply of class 2 that came after all of the content had gone out, and once it has gone
 * out a missing reply is CLASS_UNKNOWN.
 *
 * DATA or BDAT? Content of any size streams behind DATA with no more waits than behind BDAT, and
 * nothing of it goes out before somebody accepted it. BDAT saves a wait where all of the content
 * goes out with the envelope; so it is said for content that is at hand and small enough to be
 * sent in vain, as one chunk. Not over a connection that was used before: such a one may have
 * died meanwhile, and then nobody could say whether the content was taken. Not in LMTP, which is
 * spoken over short ways, and whose replies to a chunk nobody accepted are not defined.
 */
#include "smtp/client_state.h"

enum {
	CHUNK_MOST = 64 * 1024,
	CONTENT_BLOCK = 64 * 1024,
	CONTENT_AHEAD = 256 * 1024, /* octets that may wait for the kernel */
	CONTENT_END = 0
};

/* ---- who has an outcome ---------------------------------------------------------------- */

void client_settle_one(struct client *c, size_t i, struct client_outcome outcome)
{
	if (c->states[i] == RECIPIENT_ACCEPTED)
		c->accepted--;
	c->states[i] = RECIPIENT_SETTLED;
	c->t->recipients[i].outcome = outcome;
}

static void settle_all(struct client *c, struct client_outcome outcome)
{
	for (size_t i = 0; i < c->t->count; i++)
		if (c->states[i] < RECIPIENT_SETTLED)
			client_settle_one(c, i, outcome);
}

/* The first at or behind i that is not in a state of `not` (a mask); count: none. */
static size_t next_but(const struct client *c, size_t i, unsigned not )
{
	while (i < c->t->count && not >> c->states[i] & 1)
		i++;
	return i;
}

static size_t next_said(const struct client *c, size_t i)
{
	return next_but(c, i, 1u << RECIPIENT_SKIPPED);
}

static size_t next_accepted(const struct client *c, size_t i)
{
	return next_but(c, i, ~(1u << RECIPIENT_ACCEPTED));
}

static void transaction_over(struct client *c)
{
	client_enter(c, AT_IDLE);
	c->ahead = false;
	c->finished = true;
}

void client_transaction_fail(struct client *c, struct client_outcome outcome)
{
	bool gone = (c->state == AT_DOT || c->chunk) && stream_unsent(c->stream) == 0;

	if (gone && outcome.code == 0)
		outcome.class = CLASS_UNKNOWN;
	settle_all(c, outcome);
	c->finished = true;
}

void client_finish(struct client *c)
{
	struct client_transaction *t = c->t;
	bool usable = c->state == AT_IDLE && !c->closing && stream_input(c->stream).len == 0;

	c->t = NULL;
	c->finished = false;
	t->done(t->ctx, c, usable);
}

static void say_data(struct client *c)
{
	buf_add_c(client_output(c), "DATA\r\n");
}

/* ---- the content ----------------------------------------------------------------------- */

static int next_octets(struct client *c, struct str *octets)
{
	struct client_transaction *t = c->t;
	int answer;

	while (c->piece < t->piece_count) {
		*octets = str_slice(t->pieces[c->piece], c->piece_at, CONTENT_BLOCK);
		c->piece_at += octets->len;
		if (octets->len > 0)
			return 1;
		c->piece++;
		c->piece_at = 0;
	}
	if (!t->more)
		return CONTENT_END;
	answer = t->more(t->ctx, octets);
	c->more_waits = answer < 0;
	return answer;
}

void client_content(struct client *c)
{
	struct str octets;

	if (c->more_waits)
		return;
	deadline_set(&c->deadline, c->settings.timeouts.data_block);
	while (stream_unsent(c->stream) < CONTENT_AHEAD) {
		int more = next_octets(c, &octets);

		if (more < 0)
			return;
		if (more == CONTENT_END) {
			dot_finish(&c->dot, client_output(c));
			c->rcpt = next_accepted(c, 0);
			client_enter(c, AT_DOT);
			return;
		}
		dot_write(&c->dot, octets, client_output(c));
	}
}

/* ---- replies --------------------------------------------------------------------------- */

static void mail_reply(struct client *c)
{
	struct client_outcome o = client_replied(c, STAGE_MAIL);
	bool ok = o.class == CLASS_OK;

	if (!ok)
		settle_all(c, o);
	if (!ok && !c->ahead) {
		transaction_over(c);
		return;
	}
	c->needs_reset = ok;
	c->rcpt = next_said(c, 0);
	client_enter(c, AT_RCPT);
	if (!c->ahead)
		client_say_rcpt(c, c->rcpt);
}

/* The replies to the envelope are all there, and what follows went out with it. */
static void envelope_over(struct client *c)
{
	if (!c->chunk) {
		client_enter(c, AT_DATA);
		return;
	}
	c->ahead = false;
	c->rcpt = next_accepted(c, 0);
	client_enter(c, c->accepted > 0 ? AT_DOT : AT_EMPTY);
}

static void rcpt_reply(struct client *c)
{
	size_t i = c->rcpt;

	if (c->states[i] == RECIPIENT_WAITING) {
		struct client_outcome o = client_replied(c, STAGE_RCPT);

		if (o.class == CLASS_OK) {
			c->states[i] = RECIPIENT_ACCEPTED;
			c->accepted++;
		} else {
			client_settle_one(c, i, o);
		}
	}
	c->rcpt = next_said(c, i + 1);
	if (c->rcpt < c->t->count) {
		client_enter(c, AT_RCPT);
		if (!c->ahead)
			client_say_rcpt(c, c->rcpt);
	} else if (c->ahead) {
		envelope_over(c);
	} else if (c->accepted > 0) {
		client_enter(c, AT_DATA);
		say_data(c);
	} else {
		transaction_over(c);
	}
}

static void data_reply(struct client *c)
{
	struct client_outcome o = client_replied(c, STAGE_DATA);

	c->ahead = false;
	if (o.class != CLASS_OK) {
		settle_all(c, o);
		transaction_over(c);
	} else if (c->accepted > 0) {
		client_enter(c, AT_CONTENT);
		client_content(c);
	} else {
		/* Nobody is left to send to, yet the server wants data (RFC 2920 3.1). */
		buf_add_c(client_output(c), ".\r\n");
		client_enter(c, AT_EMPTY);
	}
}

/* A reply too many is there, and it is no yes. Where only their number says which reply is whose,
 * it may be the true one. */
static bool is_doubtful(const struct client *c)
{
	bool lmtp = c->settings.protocol == TMAIL_PROTOCOL_LMTP;
	bool last = !lmtp || next_accepted(c, c->rcpt + 1) == c->t->count;
	struct str rest = stream_input(c->stream);

	return (c->chunk || lmtp) && last && rest.len > 0 && rest.data[0] != '2';
}

static void dot_reply(struct client *c)
{
	struct client_outcome o = client_replied(c, STAGE_DOT);

	/* A chunk that was refused leaves the rest undefined (RFC 3030 2). */
	c->needs_reset = c->chunk && o.class != CLASS_OK;
	if (o.class == CLASS_OK)
		o.stage = STAGE_DONE;
	if (o.class == CLASS_OK && is_doubtful(c))
		o = client_said(
			c, CLASS_UNKNOWN, STAGE_DOT, "there were more replies than commands");
	if (c->state == AT_EMPTY || c->settings.protocol != TMAIL_PROTOCOL_LMTP) {
		settle_all(c, o);
		transaction_over(c);
		return;
	}
	client_settle_one(c, c->rcpt, o);
	c->rcpt = next_accepted(c, c->rcpt + 1);
	if (c->rcpt < c->t->count)
		client_enter(c, AT_DOT);
	else
		transaction_over(c);
}

static void reset_reply(struct client *c)
{
	if (c->reply.code / 100 != 2) {
		/* Its envelope may still be there, and what follows would be added to it. */
		client_fail(c,
			client_said(c, CLASS_TEMPORARY, STAGE_MAIL, "RSET was refused with code %u",
				c->reply.code));
		return;
	}
	c->needs_reset = false;
	client_enter(c, AT_MAIL);
	if (!c->ahead)
		client_say_mail(c);
}

void client_transaction_reply(struct client *c)
{
	/* Before all of the content has gone out a refusal is believed, anything else is a lie. */
	bool early = c->state == AT_CONTENT || (c->state == AT_DOT && stream_unsent(c->stream) > 0);
	enum client_stage stage = early ? STAGE_CONTENT : client_stage(c);
	unsigned code = c->reply.code;

	/* It answers one recipient; of the others behind him nothing was said. */
	if (stage == STAGE_DOT && code == 421 && c->settings.protocol == TMAIL_PROTOCOL_LMTP) {
		client_settle_one(c, c->rcpt, client_replied(c, stage));
		client_fail(c,
			client_said(c, CLASS_TEMPORARY, stage,
				"the server left with a 421 for another recipient"));
		return;
	}
	if (client_meaning(stage, code, c->reply.enhanced).ends || early) {
		client_fail(c,
			code / 100 >= 4 ? client_replied(c, stage)
					: client_said(c, CLASS_TEMPORARY, stage,
						  "unexpected code %u while waiting for %s", code,
						  client_waits_for(c)));
		return;
	}
	switch (c->state) {
	case AT_RSET:
		reset_reply(c);
		break;
	case AT_MAIL:
		mail_reply(c);
		break;
	case AT_RCPT:
		rcpt_reply(c);
		break;
	case AT_DATA:
		data_reply(c);
		break;
	default: /* AT_DOT, AT_EMPTY */
		dot_reply(c);
	}
}

/* ---- the start ------------------------------------------------------------------------- */

static void finish_later(struct task *task)
{
	struct client *c = container_of(task, struct client, task);

	c->posted = false;
	if (c->closing)
		client_free(c);
	else
		client_finish(c);
}

static bool chunk_is_better(const struct client *c)
{
	const unsigned both = CLIENT_PIPELINING | CLIENT_CHUNKING;
	size_t size = 0;

	if (!c->settings.chunking || c->settings.protocol == TMAIL_PROTOCOL_LMTP ||
		(c->offers & both) != both || c->used || c->t->more)
		return false;
	for (size_t i = 0; i < c->t->piece_count; i++)
		size += c->t->pieces[i].len;
	return size <= CHUNK_MOST;
}

static void envelope(struct client *c)
{
	c->ahead = c->offers & CLIENT_PIPELINING;
	c->chunk = chunk_is_better(c);
	c->used = true;
	if (c->needs_reset) {
		buf_add_c(client_output(c), "RSET\r\n");
		client_enter(c, AT_RSET);
	} else {
		client_enter(c, AT_MAIL);
	}
	if (!c->needs_reset || c->ahead)
		client_say_mail(c);
	if (c->ahead) {
		for (size_t i = next_said(c, 0); i < c->t->count; i = next_said(c, i + 1))
			client_say_rcpt(c, i);
		if (c->chunk)
			client_say_chunk(c);
		else
			say_data(c);
	}
	stream_flush(c->stream);
}

/* All that is to be known about the transaction is. */
static void begin(struct client *c)
{
	client_check(c);
	if (next_said(c, 0) < c->t->count) {
		envelope(c);
		return;
	}
	c->finished = true;
	c->posted = true;
	c->task.run = finish_later;
	loop_post(c->loop, &c->task);
}

void client_send(struct client *c, struct client_transaction *t)
{
	must(!c->t && !c->posted);
	arena_reset(c->words);
	c->t = t;
	c->states = ARENA_ARRAY(c->words, uint8_t, t->count);
	c->said = ARENA_ARRAY(c->words, struct str, t->count + 1);
	c->accepted = 0;
	c->finished = c->utf8 = c->chunk = false;
	c->dot = (struct dot_writer){ 0 };
	c->piece = c->piece_at = 0;
	c->lost = NULL;
	c->more_waits = c->state == AT_IDLE && t->prepare && !t->prepare(t->ctx);
	if (!c->more_waits)
		begin(c);
}

void client_more(struct client *c)
{
	bool waited = c->more_waits;

	c->more_waits = false;
	if (waited && c->state == AT_IDLE && c->t)
		begin(c);
	if (c->state != AT_CONTENT)
		return;
	client_content(c);
	stream_flush(c->stream);
}
