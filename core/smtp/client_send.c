/* SPDX-License-Identifier: MIT
 *
 * One transaction, MAIL to the final reply (RFC 5321 3.3, RFC 2920, RFC 2033). With PIPELINING
 * the envelope and DATA are one write, and the states only walk through the replies; without,
 * each state sends its command when it is entered. What must always hold: an outcome is OK only
 * by a reply of class 2 that came after all of the content had gone out, and once the final dot
 * has gone out a missing reply is CLASS_UNKNOWN.
 */
#include "smtp/client_state.h"

#include "base/encode.h"
#include "mail/command.h"

enum {
	CONTENT_BLOCK = 64 * 1024,
	CONTENT_AHEAD = 256 * 1024, /* octets that may wait for the kernel */
	CONTENT_END = 0
};

/* ---- who has an outcome ---------------------------------------------------------------- */

static void settle(struct client *c, size_t i, struct client_outcome outcome)
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
			settle(c, i, outcome);
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
	c->finished = true;
}

void client_transaction_fail(struct client *c, struct client_outcome outcome)
{
	if (c->state == AT_DOT && outcome.code == 0)
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

/* ---- what is said ---------------------------------------------------------------------- */

static void say_mail(struct client *c)
{
	const struct client_transaction *t = c->t;
	struct buf *out = client_output(c);

	buf_printf(out, "MAIL FROM:<%.*s>", STR_ARG(t->sender));
	if (c->offers & CLIENT_SIZE && t->size > 0)
		buf_printf(out, " SIZE=%llu", (unsigned long long)t->size);
	if (c->offers & CLIENT_8BITMIME && t->body == TMAIL_BODY_8BITMIME)
		buf_add_c(out, " BODY=8BITMIME");
	if (c->offers & CLIENT_SMTPUTF8 && t->smtputf8)
		buf_add_c(out, " SMTPUTF8");
	if (c->offers & CLIENT_DSN && t->ret != TMAIL_RET_NONE)
		buf_add_c(out, t->ret == TMAIL_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (c->offers & CLIENT_DSN && t->envid.len > 0)
		buf_printf(out, " ENVID=%.*s", STR_ARG(xtext_encode(t->envid, c->words)));
	buf_add_c(out, "\r\n");
}

static void say_notify(struct buf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ TMAIL_NOTIFY_SUCCESS, "SUCCESS" },
		{ TMAIL_NOTIFY_FAILURE, "FAILURE" },
		{ TMAIL_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	if (notify & TMAIL_NOTIFY_NEVER) {
		buf_add_c(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!(notify & words[i].bit))
			continue;
		buf_add_c(out, before);
		buf_add_c(out, words[i].word);
		before = ",";
	}
}

/* ORCPT=type;xtext (RFC 3461 4.2). */
static void say_original(struct client *c, struct buf *out, struct str original)
{
	ptrdiff_t semicolon = str_find(original, ';');
	struct str type = STR("rfc822");

	if (original.len == 0)
		return;
	if (semicolon > 0) {
		type = str_slice(original, 0, (size_t)semicolon);
		original = str_slice(original, (size_t)semicolon + 1, original.len);
	}
	buf_printf(
		out, " ORCPT=%.*s;%.*s", STR_ARG(type), STR_ARG(xtext_encode(original, c->words)));
}

static void say_rcpt(struct client *c, const struct client_recipient *r)
{
	struct buf *out = client_output(c);

	buf_printf(out, "RCPT TO:<%.*s>", STR_ARG(r->address));
	if (c->offers & CLIENT_DSN) {
		say_notify(out, r->notify);
		say_original(c, out, r->original);
	}
	buf_add_c(out, "\r\n");
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

void client_more(struct client *c)
{
	c->more_waits = false;
	if (c->state != AT_CONTENT)
		return;
	client_content(c);
	stream_flush(c->stream);
}

/* ---- replies --------------------------------------------------------------------------- */

/* Class 2, 4 or 5: a reply that means something to a command. */
static bool meaningful(const struct client *c)
{
	unsigned class = c->reply.code / 100;

	return class == 2 || class == 4 || class == 5;
}

static void nonsense(struct client *c)
{
	client_fail(c,
		client_said(c, CLASS_TEMPORARY, client_stage(c),
			"unexpected code %u while waiting for %s", c->reply.code,
			client_waits_for(c)));
}

static void mail_reply(struct client *c)
{
	bool ok = c->reply.code / 100 == 2;

	if (!ok)
		settle_all(c, client_replied(c, STAGE_MAIL));
	if (!ok && !c->ahead) {
		transaction_over(c);
		return;
	}
	c->needs_reset = ok;
	c->rcpt = next_said(c, 0);
	client_enter(c, AT_RCPT);
	if (!c->ahead)
		say_rcpt(c, &c->t->recipients[c->rcpt]);
}

static void rcpt_reply(struct client *c)
{
	size_t i = c->rcpt;

	if (c->states[i] == RECIPIENT_WAITING) {
		struct client_outcome o = client_replied(c, STAGE_RCPT);

		if (o.code == 552) /* too many recipients (RFC 5321 4.5.3.1.10) */
			o.class = CLASS_TEMPORARY;
		if (o.class == CLASS_OK) {
			c->states[i] = RECIPIENT_ACCEPTED;
			c->accepted++;
		} else {
			settle(c, i, o);
		}
	}
	c->rcpt = next_said(c, i + 1);
	if (c->rcpt < c->t->count) {
		client_enter(c, AT_RCPT);
		if (!c->ahead)
			say_rcpt(c, &c->t->recipients[c->rcpt]);
	} else if (c->ahead || c->accepted > 0) {
		client_enter(c, AT_DATA);
		if (!c->ahead)
			say_data(c);
	} else {
		transaction_over(c);
	}
}

static void data_reply(struct client *c)
{
	if (c->reply.code == 354 && c->accepted > 0) {
		client_enter(c, AT_CONTENT);
		client_content(c);
	} else if (c->reply.code == 354) {
		/* Nobody is left to send to, yet the server wants data (RFC 2920 3.1). */
		buf_add_c(client_output(c), ".\r\n");
		client_enter(c, AT_EMPTY);
	} else if (c->reply.code / 100 == 4 || c->reply.code / 100 == 5) {
		settle_all(c, client_replied(c, STAGE_DATA));
		transaction_over(c);
	} else {
		nonsense(c);
	}
}

/* Before all of the content has gone out: a refusal is believed, anything else is a lie. */
static void early_reply(struct client *c)
{
	if (c->reply.code / 100 == 4 || c->reply.code / 100 == 5) {
		client_fail(c, client_replied(c, STAGE_CONTENT));
		return;
	}
	if (c->state == AT_DOT) /* the server cannot have seen it */
		c->state = AT_CONTENT;
	client_fail(c,
		client_said(c, CLASS_TEMPORARY, STAGE_CONTENT, "code %u before the end of data",
			c->reply.code));
}

static void dot_reply(struct client *c)
{
	struct client_outcome o = client_replied(c, STAGE_DOT);

	if (o.class == CLASS_OK)
		o.stage = STAGE_DONE;
	c->needs_reset = false;
	if (c->settings.protocol != TMAIL_PROTOCOL_LMTP) {
		settle_all(c, o);
		transaction_over(c);
		return;
	}
	settle(c, c->rcpt, o);
	c->rcpt = next_accepted(c, c->rcpt + 1);
	if (c->rcpt < c->t->count)
		client_enter(c, AT_DOT);
	else
		transaction_over(c);
}

void client_transaction_reply(struct client *c)
{
	bool early = c->state == AT_CONTENT || (c->state == AT_DOT && stream_unsent(c->stream) > 0);

	if (early) {
		early_reply(c);
		return;
	}
	if (c->state != AT_DATA && !meaningful(c)) {
		nonsense(c);
		return;
	}
	if (c->reply.code == 421) { /* the server closes (RFC 5321 3.8) */
		client_fail(c, client_replied(c, client_stage(c)));
		return;
	}
	switch (c->state) {
	case AT_RSET:
		c->needs_reset = false;
		client_enter(c, AT_MAIL);
		if (!c->ahead)
			say_mail(c);
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
	case AT_DOT:
		dot_reply(c);
		break;
	default: /* AT_EMPTY */
		c->needs_reset = false;
		transaction_over(c);
	}
}

/* ---- the start ------------------------------------------------------------------------- */

/* Nothing in an address may end the command it is put into. */
static bool address_sendable(struct str a)
{
	bool quoted = false;

	for (size_t i = 0; i < a.len; i++) {
		unsigned char ch = (unsigned char)a.data[i];

		if (ch < ' ' || ch == 0x7f)
			return false;
		if (ch == '"')
			quoted = !quoted;
		else if (ch == '\\' && quoted)
			i++;
		else if (!quoted && (ch == ' ' || ch == '<' || ch == '>'))
			return false;
	}
	return !quoted;
}

static struct client_outcome refusal(
	struct client *c, unsigned code, const char *enhanced, struct str text)
{
	struct client_outcome o = { .class = CLASS_PERMANENT, .stage = STAGE_MAIL, .code = code };

	memcpy(o.enhanced, enhanced, strlen(enhanced) + 1);
	o.text = arena_str(c->words, text);
	return o;
}

static void skip(struct client *c, size_t i, struct client_outcome outcome)
{
	settle(c, i, outcome);
	c->states[i] = RECIPIENT_SKIPPED;
}

/* What can be known before a word is said. */
static void check(struct client *c)
{
	struct client_transaction *t = c->t;
	bool utf8 = c->offers & CLIENT_SMTPUTF8;
	struct client_outcome whole = { .class = CLASS_OK };

	if (c->state != AT_IDLE)
		whole = client_said(
			c, CLASS_TEMPORARY, STAGE_MAIL, "connection lost while it was idle");
	else if (c->size_limit > 0 && t->size > c->size_limit)
		whole = refusal(c, 552, "5.3.4",
			arena_printf(c->words, "message size %llu exceeds the limit of %llu octets",
				(unsigned long long)t->size, (unsigned long long)c->size_limit));
	else if (!address_sendable(t->sender))
		whole = refusal(c, 553, "5.1.7", STR("the sender's address cannot be sent"));
	else if (!utf8 && (t->smtputf8 || !ascii_only(t->sender)))
		whole = refusal(c, 550, "5.6.7", STR("SMTPUTF8 is needed and not offered"));
	for (size_t i = 0; i < t->count; i++) {
		struct str address = t->recipients[i].address;

		if (whole.class != CLASS_OK)
			skip(c, i, whole);
		else if (!address_sendable(address))
			skip(c, i, refusal(c, 553, "5.1.3", STR("the address cannot be sent")));
		else if (!utf8 && !ascii_only(address))
			skip(c, i,
				refusal(c, 550, "5.6.7",
					STR("SMTPUTF8 is needed and not offered")));
	}
}

static void finish_later(struct task *task)
{
	struct client *c = container_of(task, struct client, task);

	c->posted = false;
	if (c->closing)
		client_free(c);
	else
		client_finish(c);
}

static void envelope(struct client *c)
{
	c->ahead = c->offers & CLIENT_PIPELINING;
	if (c->needs_reset) {
		buf_add_c(client_output(c), "RSET\r\n");
		client_enter(c, AT_RSET);
	} else {
		client_enter(c, AT_MAIL);
	}
	if (!c->needs_reset || c->ahead)
		say_mail(c);
	if (c->ahead) {
		for (size_t i = next_said(c, 0); i < c->t->count; i = next_said(c, i + 1))
			say_rcpt(c, &c->t->recipients[i]);
		say_data(c);
	}
	stream_flush(c->stream);
}

void client_send(struct client *c, struct client_transaction *t)
{
	must(!c->t && !c->posted);
	arena_reset(c->words);
	c->t = t;
	c->states = ARENA_ARRAY(c->words, uint8_t, t->count);
	c->accepted = 0;
	c->finished = false;
	c->dot = (struct dot_writer){ 0 };
	c->piece = c->piece_at = 0;
	c->more_waits = false;
	c->lost = NULL;
	check(c);
	if (next_said(c, 0) < t->count) {
		envelope(c);
		return;
	}
	c->finished = true;
	c->posted = true;
	c->task.run = finish_later;
	loop_post(c->loop, &c->task);
}
