/* SPDX-License-Identifier: MIT
 *
 * The relay decision as a walk over look-ups. Each is answered from the cache at once or parks
 * the session; either way the same function takes the answer.
 */
#include "smtp/relay.h"

#include "host/service.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "smtp/transaction.h"

static void relay_note(struct session *s, const char *table, struct str key, bool exists,
	int status, struct str value)
{
	const char *what = !exists          ? "is asked of no module"
		: status == TMAIL_OK        ? "is there"
		: status == TMAIL_NOT_FOUND ? "is not there"
					    : "cannot be asked for now";

	explain_note(s, "%s: %.*s %s%s%.*s", table, STR_ARG(key), what, value.len ? ": " : "",
		STR_ARG(value));
}

/* ---- the client -------------------------------------------------------------------------- */

static bool client_took(struct session *s, bool exists, int status)
{
	relay_note(s, "relayip", str_c(s->address), exists, status, STR(""));
	if (status == TMAIL_TRY_LATER)
		return false;
	s->relay_known = true;
	if (status == TMAIL_OK)
		s->subject.client.flags |= TMAIL_CLIENT_RELAY;
	return true;
}

static void client_found(void *ctx, int status, struct str value)
{
	struct session *s = ctx;
	bool ok = client_took(s, true, status);

	(void)value;
	session_wake(s);
	s->then(s, ok);
	session_run(s);
}

void relay_client_forget(struct session *s)
{
	s->relay_known = false;
	s->subject.client.flags &= ~(uint32_t)TMAIL_CLIENT_RELAY;
	if (s->login_relays)
		s->subject.client.flags |= TMAIL_CLIENT_RELAY;
}

bool relay_client(struct session *s, void (*known)(struct session *s, bool ok), bool *ok)
{
	struct str value;
	bool exists = true;
	int status;

	*ok = true;
	if (s->relay_known || s->login_relays)
		return true;
	if (s->address[0] == '\0') {
		s->relay_known = true;
		return true;
	}
	s->then = known;
	status = table_lookup(
		&s->subject, "relayip", str_c(s->address), &value, &exists, client_found, s);
	if (status == TMAIL_PENDING) {
		session_wait(s, WAITING_ANSWER);
		return false;
	}
	*ok = client_took(s, exists, status);
	return true;
}

/* ---- the recipient ----------------------------------------------------------------------- */

enum { STEP_DOMAIN, STEP_MAILBOX, STEP_ALIAS, STEP_DOMAIN_ALIAS, STEP_CLIENT };

static const char *const step_table[] = {
	[STEP_DOMAIN] = "rcpthost",
	[STEP_MAILBOX] = "mailbox",
	[STEP_ALIAS] = "alias",
	[STEP_DOMAIN_ALIAS] = "alias",
};

static struct str step_key(const struct relay *relay)
{
	switch (relay->step) {
	case STEP_DOMAIN:
		return relay->domain;
	case STEP_DOMAIN_ALIAS:
		return relay->whole_domain;
	default:
		return relay->address;
	}
}

/* What an answer means: true when it decides. */
static bool step_took(struct relay *relay, int status, struct str value, enum relay_result *result)
{
	if (status == TMAIL_TRY_LATER) {
		*result = RELAY_LATER;
		return true;
	}
	switch (relay->step) {
	case STEP_DOMAIN:
		relay->step = status == TMAIL_OK ? STEP_MAILBOX : STEP_CLIENT;
		*result = RELAY_YES;
		return status == TMAIL_OK && str_equal(value, STR("remote"));
	case STEP_MAILBOX:
	case STEP_ALIAS:
		relay->step++;
		*result = RELAY_LOCAL;
		return status == TMAIL_OK;
	default: /* the last that could know the recipient */
		*result = status == TMAIL_OK ? RELAY_LOCAL
			: relay->tables      ? RELAY_NO_USER
					     : RELAY_YES;
		return true;
	}
}

static enum relay_result client_result(struct session *s, bool ok)
{
	if (s->subject.client.flags & TMAIL_CLIENT_AUTHENTICATED)
		explain_note(s, "%.*s is logged in and may %srelay",
			STR_ARG(str_tm(s->subject.client.login)), s->login_relays ? "" : "not ");
	if (s->subject.client.flags & TMAIL_CLIENT_RELAY)
		return RELAY_YES;
	return ok ? RELAY_DENIED : RELAY_LATER;
}

static void client_known(struct session *s, bool ok)
{
	s->transaction->relay.decided(s, client_result(s, ok));
}

static bool walk(struct session *s, enum relay_result *result);

static void step_found(void *ctx, int status, struct str value)
{
	struct session *s = ctx;
	struct relay *relay = &s->transaction->relay;
	enum relay_result result;

	session_wake(s);
	relay->tables |= relay->step != STEP_DOMAIN;
	relay_note(s, step_table[relay->step], step_key(relay), true, status,
		status == TMAIL_OK ? value : STR(""));
	if (step_took(relay, status, value, &result) || walk(s, &result))
		relay->decided(s, result);
	session_run(s);
}

/* Goes on until it is decided (true) or an answer must be waited for. */
static bool walk(struct session *s, enum relay_result *result)
{
	struct relay *relay = &s->transaction->relay;

	while (relay->step != STEP_CLIENT) {
		struct str value = { NULL, 0 };
		bool exists = true;
		int status = table_lookup(&s->subject, step_table[relay->step], step_key(relay),
			&value, &exists, step_found, s);

		if (status == TMAIL_PENDING) {
			session_wait(s, WAITING_ANSWER);
			return false;
		}
		relay->tables |= relay->step != STEP_DOMAIN && (exists || status == TMAIL_OK);
		relay_note(s, step_table[relay->step], step_key(relay), exists, status,
			status == TMAIL_OK ? value : STR(""));
		if (step_took(relay, status, value, result))
			return true;
	}
	bool ok;
	if (!relay_client(s, client_known, &ok))
		return false;
	*result = client_result(s, ok);
	return true;
}

bool relay_ask(struct session *s, struct str address,
	void (*decided)(struct session *s, enum relay_result result), enum relay_result *result)
{
	struct relay *relay = &s->transaction->relay;
	struct str domain = address_domain(address);

	/* Behind the last '@' the address goes on to its end: "@domain" is part of it. */
	*relay = (struct relay){ .step = STEP_DOMAIN,
		.address = address,
		.domain = domain_key(domain, transaction_arena(s->transaction)),
		.whole_domain = { domain.data - 1, domain.len + 1 },
		.decided = decided };
	return walk(s, result);
}
