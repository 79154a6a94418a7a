/* SPDX-License-Identifier: MIT
 *
 * AUTH (RFC 4954): the dialogue of an exchange, line by line, and what follows its outcome. The
 * state is AUTH from the command on until the outcome is said; what is asked of whom is auth.c's.
 *
 * Whatever the reason of a failure, the client hears the same, and the later the more failures
 * there were. What is kept of a password is wiped when the exchange ends.
 */
#include "base/encode.h"
#include "base/log.h"
#include "host/metrics.h"
#include "smtp/auth.h"
#include "smtp/relay.h"
#include "smtp/verbs.h"

#include <stdlib.h>

enum { DOUBLINGS = 5 };

static void auth_go_on(struct session *s);

/* ---- the end of an exchange -------------------------------------------------------------- */

static void auth_over(struct session *s, enum say say)
{
	auth_forget_exchange(s);
	auth_end(s);
	session_enter(s, STATE_READY);
	session_say(s, say);
}

static void log_failed(struct session *s, const char *event, enum log_level level, struct str why)
{
	log_event(level, &s->log, event, LOG_C("client", s->address),
		LOG_STR("login", buf_str(&s->auth->login)), LOG_C("mechanism", s->auth->mechanism),
		LOG_STR("reason", why));
}

/* Doubles with each failure of the session or the address, whichever has more. */
static int64_t delay_of(const struct session *s)
{
	unsigned failures =
		brake_failures(&s->peer, &s->settings->brake, loop_now(s->subject.loop));

	if (failures < s->auth_errors)
		failures = s->auth_errors;
	if (failures > DOUBLINGS + 1)
		failures = DOUBLINGS + 1;
	return failures ? s->settings->auth_delay << (failures - 1) : 0;
}

static void auth_failed_say(struct session *s)
{
	int64_t max = s->settings->max_auth_errors;

	auth_over(s, s->auth->say);
	if (max && s->auth_errors >= max) {
		metric_add(METRIC_limit_errors, 1);
		session_close(s, SAY_TOO_MANY_LOGINS, "logins");
	}
}

/* The reply is held back; nothing is read meanwhile. */
static void auth_failed(struct session *s, enum say say, struct str why)
{
	int64_t delay;

	metric_add(METRIC_logins_failed, 1);
	log_failed(s, "auth_failed", LEVEL_INFO, why);
	s->auth_errors++;
	s->auth->say = say;
	delay = delay_of(s);
	if (delay == 0) {
		auth_failed_say(s);
		return;
	}
	session_wait(s, WAITING_AUTH);
	deadline_set(&s->deadline, delay);
}

void auth_late(struct session *s)
{
	if (s->auth->ticket) {
		auth_turn_late(s);
		return;
	}
	session_wake(s);
	auth_failed_say(s);
}

/* Is there an end to the failures of this address or login? */
static bool auth_braked(struct session *s)
{
	switch (brake_ask(&s->peer, buf_str(&s->auth->login), &s->settings->brake,
		loop_now(s->subject.loop))) {
	case BRAKE_OFF:
		return false;
	case BRAKE_ADDRESS:
		auth_failed(s, SAY_AUTH_TOO_OFTEN, STR("too many failures of the address"));
		break;
	case BRAKE_LOGIN:
		auth_failed(s, SAY_AUTH_TOO_OFTEN, STR("too many failures of the login"));
		break;
	}
	metric_add(METRIC_limit_logins, 1);
	return true;
}

/* ---- challenges -------------------------------------------------------------------------- */

static void challenge_say(struct session *s, struct str challenge)
{
	struct buf *out = stream_output(s->stream);

	s->auth->said = false;
	buf_add(out, STR("334 "));
	base64_encode(out, challenge);
	buf_add(out, STR("\r\n"));
}

static void auth_yes(struct session *s)
{
	const struct auth *auth = s->auth;

	s->event.auth.mechanism = tm_str(str_c(auth->mechanism));
	s->event.auth.login = tm_str(buf_str(&auth->login));
	verb_proceed(s);
}

static void auth_answer(
	struct session *s, enum auth_outcome outcome, struct str challenge, struct str why)
{
	int64_t now = loop_now(s->subject.loop);
	struct auth *auth = s->auth;

	switch (outcome) {
	case AUTH_YES:
		if (auth->kind == AUTH_EXCHANGE && auth_braked(s))
			return; /* its login was not known before */
		brake_passed(&s->peer, buf_str(&auth->login), now);
		auth->begun = false; /* the service keeps nothing of it */
		auth->last = challenge.len > 0;
		if (auth->last)
			challenge_say(s, challenge);
		else
			auth_yes(s);
		return;
	case AUTH_MORE:
		challenge_say(s, challenge);
		return;
	case AUTH_NO:
		auth->begun = false;
		if (auth->kind == AUTH_EXCHANGE && auth_braked(s))
			return;
		brake_failed(&s->peer, buf_str(&auth->login), &s->settings->brake, now);
		auth_failed(s, SAY_AUTH_FAILED, why.len > 0 ? why : STR("refused"));
		return;
	case AUTH_LATER:
	case AUTH_LOST:
		log_failed(s, "auth_unavailable", LEVEL_WARNING, why);
		if (outcome == AUTH_LATER)
			auth_over(s, SAY_AUTH_LATER);
		else
			session_close(s, SAY_AUTH_LOST, "auth");
		return;
	}
}

/* ---- what was said ----------------------------------------------------------------------- */

/* The octets that base64 stands for, into memory that is wiped. */
static bool response_read(struct auth *auth, struct str text)
{
	buf_free_secret(&auth->in);
	auth->said = true;
	buf_reserve(&auth->in, text.len / 4 * 3 + 4); /* at once: what grows leaves traces */
	return base64_decode(&auth->in, text);
}

static void password_check(struct session *s)
{
	if (!auth_braked(s))
		auth_verify(s, auth_answer);
}

static void plain_go_on(struct session *s)
{
	struct auth *auth = s->auth;
	struct sasl_plain plain;

	if (!auth->said) {
		challenge_say(s, STR(""));
		return;
	}
	if (!sasl_plain_parse(buf_str(&auth->in), &plain)) {
		auth_over(s, SAY_AUTH_GARBLED);
		return;
	}
	auth->authorize = plain.authorize;
	buf_add(&auth->login, plain.login);
	buf_add(&auth->password, plain.password);
	password_check(s);
}

/* draft-murchison-sasl-login: the first answer is the login, the second the password. */
static void login_go_on(struct session *s)
{
	struct auth *auth = s->auth;

	if (!auth->said) {
		challenge_say(s, STR("Username:"));
		return;
	}
	if (!sasl_text_fits(buf_str(&auth->in))) {
		auth_over(s, SAY_AUTH_GARBLED);
		return;
	}
	if (auth->login.len == 0) {
		buf_add(&auth->login, buf_str(&auth->in));
		challenge_say(s, STR("Password:"));
		return;
	}
	buf_add(&auth->password, buf_str(&auth->in));
	password_check(s);
}

static void exchange_go_on(struct session *s)
{
	struct auth *auth = s->auth;

	if (!auth->last)
		auth_step(s, auth_answer);
	else if (auth->in.len == 0)
		auth_yes(s);
	else
		auth_over(s, SAY_AUTH_GARBLED);
}

static void auth_go_on(struct session *s)
{
	switch (s->auth->kind) {
	case AUTH_PLAIN:
		plain_go_on(s);
		break;
	case AUTH_LOGIN:
		login_go_on(s);
		break;
	case AUTH_EXCHANGE:
		exchange_go_on(s);
		break;
	}
}

bool auth_line(struct session *s)
{
	bool cancelled, read;
	struct str line;

	switch (command_line(s, SASL_LINE_MAX, &line)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		auth_over(s, SAY_AUTH_TOO_LONG);
		return true;
	case LINE_WHOLE:
		break;
	}
	cancelled = str_equal(line, STR("*"));
	read = response_read(s->auth, line);
	stream_wipe(s->stream, line.len);
	stream_take(s->stream, line.len + 2);
	if (cancelled)
		auth_over(s, SAY_AUTH_CANCELLED);
	else if (!read)
		auth_over(s, SAY_AUTH_GARBLED);
	else
		auth_go_on(s);
	return true;
}

/* ---- the verb ---------------------------------------------------------------------------- */

static enum say auth_refusal(struct session *s, const struct sasl_argument *argument)
{
	switch (auth_find(s, argument->mechanism, s->auth)) {
	case AUTH_UNKNOWN:
		return SAY_AUTH_UNKNOWN;
	case AUTH_NEEDS_TLS:
		return SAY_AUTH_NEEDS_TLS;
	case AUTH_FOUND:
		break;
	}
	if (argument->has_initial && sasl_server_first(argument->mechanism))
		return SAY_AUTH_NO_INITIAL; /* RFC 4954 4 */
	if (argument->has_initial && !response_read(s->auth, argument->initial))
		return SAY_AUTH_GARBLED;
	return SAY_NOTHING;
}

bool check_auth(struct session *s, const struct command *command)
{
	struct sasl_argument argument;
	enum say say;

	if (!auth_exists(s))
		return verb_refuse(s, SAY_NOT_OFFERED);
	if (s->transaction)
		return verb_refuse(s, SAY_AUTH_IN_MAIL);
	if (!s->esmtp)
		return verb_refuse(s, SAY_EHLO_FIRST);
	if (s->subject.client.flags & TMAIL_CLIENT_AUTHENTICATED)
		return verb_refuse(s, SAY_AUTH_TWICE);
	if (!sasl_argument_parse(command->argument, &argument))
		return verb_refuse(s, SAY_AUTH_SYNTAX);
	s->auth = must_alloc(sizeof *s->auth);
	say = auth_refusal(s, &argument);
	if (say == SAY_NOTHING)
		return true;
	auth_end(s);
	return verb_refuse(s, say);
}

/* The exchange, over as many lines as it takes; it proceeds by itself. */
bool prepare_auth(struct session *s)
{
	session_enter(s, STATE_AUTH);
	if (!auth_braked(s)) /* the address alone: the login is not known yet */
		auth_go_on(s);
	return false;
}

/* What modules, the log and Received are told, as long as the login lasts. */
static void auth_facts(struct session *s)
{
	struct tmail_client *client = &s->subject.client;
	const struct auth *auth = s->auth;
	size_t login = auth->login.len, mechanism = strlen(auth->mechanism);

	s->login = must_alloc(login + mechanism + 1);
	if (login > 0)
		memcpy(s->login, auth->login.data, login);
	memcpy(s->login + login, auth->mechanism, mechanism);
	client->login = tm_str(str_make(s->login, login));
	client->mechanism = tm_str(str_make(s->login + login, mechanism));
	client->flags |= TMAIL_CLIENT_AUTHENTICATED;
	s->login_relays = auth->relay;
	relay_client_forget(s);
}

void act_auth(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	auth_facts(s);
	metric_add(METRIC_logins, 1);
	log_event(LEVEL_INFO, &s->log, "authenticated", LOG_C("client", s->address),
		LOG_STR("login", str_tm(s->subject.client.login)),
		LOG_C("mechanism", s->auth->mechanism));
	auth_over(s, SAY_AUTH_OK);
}

/* Whatever a module had against it, the session has one failure more. */
void refused_auth(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	s->auth_errors++;
	auth_end(s);
	session_enter(s, STATE_READY);
}
