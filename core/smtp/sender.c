/* SPDX-License-Identifier: MIT
 *
 * MX first, then addresses (RFC 5321 5.1). A domain whose only MX is "." takes no mail at all
 * (RFC 7505).
 */
#include "smtp/sender.h"

#include "mail/domain.h"
#include "smtp/transaction.h"

enum { SENDER_OFF, SENDER_REJECT, SENDER_DEFER }; /* smtp_settings.sender_dns */

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

bool sender_ask(struct session *s, void (*known)(struct session *s, enum say say), enum say *say)
{
	const uint32_t ours = TMAIL_CLIENT_AUTHENTICATED | TMAIL_CLIENT_RELAY;
	struct transaction *t = s->transaction;
	struct str domain = sender_domain(s), ascii;

	*say = SAY_NOTHING;
	if (s->settings->sender_dns == SENDER_OFF || (s->subject.client.flags & ours))
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
