/* SPDX-License-Identifier: MIT
 *
 * What a transaction says: MAIL and RCPT with the parameters that the server offers (RFC 1870,
 * 3461, 6152, 6531), BDAT (RFC 3030); and what cannot be said to this server at all. What must
 * hold: nothing in an address ends the command that it is put into, and nothing is said that was
 * not offered.
 */
#include "smtp/client_state.h"

#include "base/encode.h"
#include "mail/command.h"

/* ---- what cannot be said ----------------------------------------------------------------- */

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

/* An address that this server cannot be told: `o` says why. Else *said is what it is told. */
static bool address_refused(struct client *c, struct str address, const char *bad,
	struct client_outcome *o, struct str *said)
{
	*said = address;
	if (!address_sendable(address)) {
		*o = refusal(c, 553, bad, STR("the address cannot be sent"));
		return true;
	}
	if (ascii_only(address))
		return false;
	/* Without SMTPUTF8 the A-labels of a domain mean the same (RFC 6531 3.2); nothing does
	 * for a local part. */
	if (c->offers & CLIENT_SMTPUTF8)
		c->utf8 = true;
	else if (!address_ascii(address, c->words, said)) {
		*o = refusal(c, 553, "5.6.7", STR("SMTPUTF8 is needed and not offered"));
		return true;
	}
	return false;
}

static bool all_refused(struct client *c, struct client_outcome *o)
{
	struct client_transaction *t = c->t;

	if (c->state != AT_IDLE)
		*o = client_said(
			c, CLASS_TEMPORARY, STAGE_MAIL, "connection lost while it was idle");
	else if (t->refused)
		*o = *t->refused;
	else if (c->size_limit > 0 && t->size > c->size_limit)
		*o = refusal(c, 552, "5.3.4",
			arena_printf(c->words, "message size %llu exceeds the limit of %llu octets",
				(unsigned long long)t->size, (unsigned long long)c->size_limit));
	else if (t->smtputf8 && !(c->offers & CLIENT_SMTPUTF8))
		*o = refusal(
			c, 550, "5.6.7", STR("SMTPUTF8 is needed for the header and not offered"));
	else
		return address_refused(c, t->sender, "5.1.7", o, &c->said[t->count]);
	return true;
}

void client_check(struct client *c)
{
	struct client_transaction *t = c->t;
	struct client_outcome o;
	bool all = all_refused(c, &o);

	c->utf8 |= t->smtputf8;
	for (size_t i = 0; i < t->count; i++)
		if (all || address_refused(c, t->recipients[i].address, "5.1.3", &o, &c->said[i])) {
			client_settle_one(c, i, o);
			c->states[i] = RECIPIENT_SKIPPED;
		}
}

/* ---- MAIL and RCPT ----------------------------------------------------------------------- */

void client_say_mail(struct client *c)
{
	const struct client_transaction *t = c->t;
	struct buf *out = client_output(c);

	buf_printf(out, "MAIL FROM:<%.*s>", STR_ARG(c->said[t->count]));
	if (c->offers & CLIENT_SIZE && t->size > 0)
		buf_printf(out, " SIZE=%llu", (unsigned long long)t->size);
	if (c->offers & CLIENT_8BITMIME && t->body == TMAIL_BODY_8BITMIME)
		buf_add_c(out, " BODY=8BITMIME");
	if (c->utf8)
		buf_add_c(out, " SMTPUTF8");
	if (c->offers & CLIENT_DSN && t->ret != TMAIL_RET_NONE)
		buf_add_c(out, t->ret == TMAIL_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (c->offers & CLIENT_DSN && t->envid.len > 0)
		buf_printf(out, " ENVID=%.*s", STR_ARG(xtext_encode(t->envid, c->words)));
	if (client_mechanism(c)) /* RFC 4954 5: whom we do not know is said to be nobody */
		buf_printf(out, " AUTH=%.*s",
			STR_ARG(t->submitter.len > 0 ? xtext_encode(t->submitter, c->words)
						     : STR("<>")));
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

/* ORCPT=type;address, as the type encodes it (RFC 3461 4.2, RFC 6533 3). */
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
	original = str_equal_case(type, STR("utf-8")) ? utf8_address_encode(original, c->words)
						      : xtext_encode(original, c->words);
	buf_printf(out, " ORCPT=%.*s;%.*s", STR_ARG(type), STR_ARG(original));
}

void client_say_rcpt(struct client *c, size_t i)
{
	const struct client_recipient *r = &c->t->recipients[i];
	struct buf *out = client_output(c);

	buf_printf(out, "RCPT TO:<%.*s>", STR_ARG(c->said[i]));
	if (c->offers & CLIENT_DSN) {
		say_notify(out, r->notify);
		say_original(c, out, r->original);
	}
	buf_add_c(out, "\r\n");
}

/* ---- BDAT -------------------------------------------------------------------------------- */

void client_say_chunk(struct client *c)
{
	/* The server believes our count: what is counted is what line endings have become. */
	struct dot_reader lines = { .normalize = true };
	struct buf octets = { 0 }, *out = client_output(c);

	for (size_t i = 0; i < c->t->piece_count; i++)
		line_read(&lines, c->t->pieces[i], &octets);
	line_finish(&lines, &octets);
	buf_printf(out, "BDAT %zu LAST\r\n", octets.len);
	buf_add(out, buf_str(&octets));
	buf_free(&octets);
}
