/* SPDX-License-Identifier: MIT
 *
 * Of strangers: MX first, then addresses (RFC 5321 5.1). A domain whose only MX is "." takes no
 * mail at all (RFC 7505). Of who is logged in: the login, then the table of senders.
 */
#include "smtp/sender.h"

#include "host/service.h"
#include "mail/domain.h"
#include "smtp/transaction.h"

enum { SENDER_OFF, SENDER_REJECT, SENDER_DEFER }; /* smtp_settings.sender_dns */
enum { LOGIN_ANY, LOGIN_MATCH, LOGIN_TABLE };     /* smtp_settings.sender_login */

static void answer(struct session *s, enum say say)
{
	explain_note(s, "sender_dns: %.*s",
		STR_ARG(say == SAY_NOTHING ? STR("the sender's domain can take an answer")
					   : str_trim_line(say_row(say)->line)));
	session_wake(s);
	s->transaction->sender_known(s, say);
	session_run(s);
}

static enum say unknown(const struct session *s)
{
	return s->settings->sender_dns == SENDER_DEFER ? SAY_SENDER_UNKNOWN_LATER
						       : SAY_SENDER_UNKNOWN;
}

static void addresses_found(void *ctx, const struct dns_addresses *found)
{
	struct session *s = ctx;

	s->transaction->sender_addresses = NULL;
	switch (found->status) {
	case DNS_OK:
		answer(s, SAY_NOTHING);
		break;
	case DNS_NOT_FOUND:
		answer(s, unknown(s));
		break;
	case DNS_TRY_LATER:
		answer(s, SAY_SENDER_DNS_LATER);
		break;
	}
}

static struct str sender_domain(const struct session *s)
{
	return address_domain(str_tm(s->transaction->message->envelope.sender));
}

static bool is_null_mx(const struct dns_answer *found)
{
	uint16_t preference;
	char host[256];

	return found->count == 1 && dns_mx(found->records[0], &preference, host) && host[0] == '\0';
}

static void mx_found(void *ctx, const struct dns_answer *found)
{
	struct session *s = ctx;
	struct transaction *t = s->transaction;
	struct str ascii;

	t->sender_mx = NULL;
	switch (found->status) {
	case DNS_OK:
		answer(s, is_null_mx(found) ? SAY_SENDER_NO_MX : SAY_NOTHING);
		break;
	case DNS_NOT_FOUND:
		must(domain_ascii(sender_domain(s), t->message->arena, &ascii));
		t->sender_addresses = dns_addresses(s->subject.loop, ascii, addresses_found, s);
		break;
	case DNS_TRY_LATER:
		answer(s, SAY_SENDER_DNS_LATER);
		break;
	}
}

/* ---- of who is logged in ------------------------------------------------------------------ */

static enum say table_said(int status)
{
	return status == TMAIL_OK           ? SAY_NOTHING
		: status == TMAIL_NOT_FOUND ? SAY_SENDER_NOT_YOURS
					    : SAY_LOOKUP_LATER;
}

static void table_found(void *ctx, int status, struct str value)
{
	struct session *s = ctx;

	(void)value;
	session_wake(s);
	s->transaction->sender_known(s, table_said(status));
	session_run(s);
}

static bool login_ask(
	struct session *s, void (*known)(struct session *s, enum say say), enum say *say)
{
	struct transaction *t = s->transaction;
	struct str login = str_tm(s->subject.client.login);
	struct str sender = str_tm(t->message->envelope.sender), key, value;
	bool exists;
	int status;

	if (s->settings->sender_login == LOGIN_ANY || sender.len == 0 ||
		str_equal_case(sender, login))
		return true;
	*say = SAY_SENDER_NOT_YOURS;
	if (s->settings->sender_login == LOGIN_MATCH)
		return true;
	key = arena_printf(t->message->arena, "%.*s %.*s", STR_ARG(login), STR_ARG(sender));
	t->sender_known = known;
	status = table_lookup(&s->subject, "sender", key, &value, &exists, table_found, s);
	if (status == TMAIL_PENDING) {
		session_wait(s, WAITING_ANSWER);
		return false;
	}
	*say = table_said(status);
	return true;
}

/* ---- asked ------------------------------------------------------------------------------- */

bool sender_ask(struct session *s, void (*known)(struct session *s, enum say say), enum say *say)
{
	struct transaction *t = s->transaction;
	struct str domain = sender_domain(s), ascii;

	*say = SAY_NOTHING;
	if (s->subject.client.flags & TMAIL_CLIENT_AUTHENTICATED)
		return login_ask(s, known, say);
	if (s->settings->sender_dns == SENDER_OFF || (s->subject.client.flags & TMAIL_CLIENT_RELAY))
		return true;
	if (domain.len == 0 || domain.data[0] == '[')
		return true;
	if (!domain_ascii(domain, t->message->arena, &ascii)) {
		*say = unknown(s);
		return true;
	}
	t->sender_known = known;
	t->sender_mx = dns_ask(s->subject.loop, ascii, DNS_MX, mx_found, s);
	session_wait(s, WAITING_ANSWER);
	return false;
}
