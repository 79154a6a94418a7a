/* SPDX-License-Identifier: MIT
 *
 * Auth services as the server side asks them. What must hold: a password lies in memory that is
 * wiped, the session's and the question's alike; a place at the turnstile is given back when the
 * check is over, however long before that the client left.
 */
#include "smtp/auth.h"

#include "host/service.h"
#include "smtp/place.h"
#include "smtp/turnstile.h"

#include <stdlib.h>
#include <unistd.h>

#include <tmail/service/auth.h>

enum { TURN_PATIENCE = 30000, BINDING_SIZE = 32 };

/* ---- services and mechanisms ------------------------------------------------------------- */

static struct service *auth_service(const struct session *s, unsigned *nth)
{
	struct service *service;

	while ((service = service_find(s->subject.generation, TMAIL_AUTH, NULL, *nth))) {
		const struct tmail_module *m = instance_module(service_instance(service));

		if ((m->capabilities & TMAIL_CAN_SECRET) &&
			service_minds(service, &s->subject.client))
			return service;
		++*nth;
	}
	return NULL;
}

bool auth_exists(const struct session *s)
{
	unsigned n = 0;

	return auth_service(s, &n) != NULL;
}

/* RFC 9266; none in clear, and none of TLS 1.2 without extended master secret. */
static struct str binding_of(const struct session *s, uint8_t room[BINDING_SIZE])
{
	const struct tls_end *end = stream_tls(s->stream);

	if (!end || !tls_exporter(end, room))
		return (struct str){ NULL, 0 };
	return str_make((const char *)room, BINDING_SIZE);
}

static bool is_binding(struct str mechanism)
{
	return str_ends_case(mechanism, STR("-PLUS"));
}

static bool may_clear(const struct session *s)
{
	return (s->subject.client.flags & TMAIL_CLIENT_TLS) || s->place->server->auth_clear;
}

static enum auth_kind kind_of(struct str mechanism)
{
	return str_equal_case(mechanism, STR("PLAIN"))    ? AUTH_PLAIN
		: str_equal_case(mechanism, STR("LOGIN")) ? AUTH_LOGIN
							  : AUTH_EXCHANGE;
}

static enum auth_found judge(const struct session *s, struct str mechanism)
{
	uint8_t room[BINDING_SIZE];

	if (is_binding(mechanism))
		return binding_of(s, room).len > 0 ? AUTH_FOUND : AUTH_UNKNOWN;
	return kind_of(mechanism) == AUTH_EXCHANGE || may_clear(s) ? AUTH_FOUND : AUTH_NEEDS_TLS;
}

/* For what is answered at once. */
static void nobody_waits(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

static struct tmail_list mechanisms_of(struct session *s, struct service *service)
{
	struct tmail_auth_mechanisms *answer =
		ARENA_NEW(service_memory(&s->subject), struct tmail_auth_mechanisms);

	answer->size = sizeof *answer;
	if (service_ask(service, &s->subject, TMAIL_AUTH_MECHANISMS, NULL, answer, nobody_waits,
		    NULL) != TMAIL_OK)
		return (struct tmail_list){ NULL, 0, sizeof(struct tmail_str) };
	return answer->names;
}

static bool has_word(struct str text, struct str word)
{
	struct str one;

	while (str_word(&text, &one))
		if (str_equal_case(one, word))
			return true;
	return false;
}

void auth_offer(struct session *s, struct buf *out)
{
	struct buf names = { 0 };
	struct service *service;

	for (unsigned n = 0; (service = auth_service(s, &n)); n++) {
		const struct tmail_list list = mechanisms_of(s, service);

		TMAIL_EACH(struct tmail_str, name, list) {
			struct str mechanism = str_tm(*name);

			if (judge(s, mechanism) == AUTH_FOUND &&
				!has_word(buf_str(&names), mechanism))
				buf_printf(&names, " %.*s", STR_ARG(mechanism));
		}
	}
	if (names.len > 0)
		buf_printf(out, "250-AUTH%.*s\r\n", STR_ARG(buf_str(&names)));
	buf_free(&names);
}

enum auth_found auth_find(struct session *s, struct str mechanism, struct auth *auth)
{
	struct service *service;

	for (unsigned n = 0; (service = auth_service(s, &n)); n++) {
		const struct tmail_list list = mechanisms_of(s, service);

		TMAIL_EACH(struct tmail_str, name, list) {
			if (!str_equal_case(str_tm(*name), mechanism))
				continue;
			auth->kind = kind_of(mechanism);
			auth->service = service;
			auth->nth = n;
			for (size_t i = 0; i < mechanism.len && i < SASL_NAME_MAX; i++)
				auth->mechanism[i] = name->data[i];
			return judge(s, mechanism);
		}
	}
	return AUTH_UNKNOWN;
}

/* ---- questions --------------------------------------------------------------------------- */

struct auth_question { /* in the memory of the call that asks it */
	struct tmail_auth_verify verify;
	struct tmail_auth_step step;
	struct tmail_auth_reply reply;
	bool inside; /* the turnstile */
	bool known;  /* by which gate */
};

static void question_over(void *ctx)
{
	struct auth_question *q = ctx;

	if (q->inside)
		turnstile_leave(q->known);
	q->inside = false;
}

static struct auth_question *question_new(struct session *s, struct arena **arena)
{
	struct auth_question *q;

	*arena = service_memory(&s->subject);
	arena_secret(*arena);
	q = ARENA_NEW(*arena, struct auth_question);
	q->verify.size = sizeof q->verify;
	q->step.size = sizeof q->step;
	q->reply.size = sizeof q->reply;
	q->reply.who.size = sizeof q->reply.who;
	s->auth->asked = q;
	return q;
}

static void know(struct session *s, const struct tmail_auth_who *who)
{
	struct auth *auth = s->auth;

	auth->relay = who->relay != 0;
	if (who->login.len == 0)
		return;
	buf_clear(&auth->login);
	buf_add(&auth->login, str_tm(who->login));
}

static void answer(
	struct session *s, enum auth_outcome outcome, struct str challenge, struct str why)
{
	s->auth->answered(s, outcome, challenge, why);
}

/* ---- PLAIN and LOGIN --------------------------------------------------------------------- */

static void verify_took(struct session *s, int status)
{
	struct auth *auth = s->auth;
	struct auth_question *q = auth->asked;
	const struct str none = { NULL, 0 };

	if (status != TMAIL_LATE)
		question_over(q); /* else it is still being checked, and lets go by itself */
	switch (status) {
	case TMAIL_OK:
		know(s, &q->reply.who);
		answer(s, AUTH_YES, none, none);
		break;
	case TMAIL_REFUSED:
		answer(s, AUTH_NO, none, str_tm(q->reply.who.why));
		break;
	case TMAIL_NOT_FOUND: /* not theirs: perhaps the next one's */
	case TMAIL_UNSUPPORTED:
		auth->nth++;
		if ((auth->service = auth_service(s, &auth->nth)))
			auth_verify(s, auth->answered);
		else
			answer(s, AUTH_NO, none, STR("unknown login"));
		break;
	default: /* what was late may not be read */
		answer(s, AUTH_LATER, none,
			status == TMAIL_TRY_LATER ? str_tm(q->reply.who.why) : STR("too slow"));
		break;
	}
}

static void verify_done(void *ctx, int status)
{
	struct session *s = ctx;

	session_wake(s);
	verify_took(s, status);
	session_run(s);
}

/* Behind the turnstile. */
static void verify_ask(struct session *s)
{
	struct auth *auth = s->auth;
	struct arena *arena;
	struct auth_question *q = question_new(s, &arena);
	int status;

	q->inside = true;
	q->known = auth->known;
	arena_cleanup(arena, question_over, q);
	q->verify.authorize = tm_str(arena_str(arena, auth->authorize));
	q->verify.login = tm_str(arena_str(arena, buf_str(&auth->login)));
	q->verify.password = tm_str(arena_str(arena, buf_str(&auth->password)));
	status = service_ask(auth->service, &s->subject, TMAIL_AUTH_VERIFY, &q->verify,
		&q->reply.who, verify_done, s);
	if (status == TMAIL_PENDING)
		session_wait(s, WAITING_ANSWER);
	else
		verify_took(s, status);
}

static void turn_told(void *ctx, bool passed)
{
	struct session *s = ctx;

	s->auth->ticket = NULL;
	session_wake(s);
	if (passed)
		verify_ask(s);
	else
		answer(s, AUTH_LATER, (struct str){ NULL, 0 }, STR("too many wait"));
	session_run(s);
}

void auth_turn_late(struct session *s)
{
	turnstile_cancel(&s->auth->ticket);
	session_wake(s);
	answer(s, AUTH_LATER, (struct str){ NULL, 0 }, STR("too many wait"));
}

static unsigned width_of(const struct session *s)
{
	long width = s->settings->auth_parallel;

	/* The other half goes on with mail. */
	if (width == 0)
		width = sysconf(_SC_NPROCESSORS_ONLN) / 2;
	return width > 0 ? (unsigned)width : 1;
}

void auth_verify(struct session *s, auth_answered *answered)
{
	int64_t now = loop_now(s->subject.loop);
	struct auth *auth = s->auth;
	const struct turnstile_asked asked = { .loop = s->subject.loop,
		.ip = &s->peer,
		.known = brake_knows(&s->peer, buf_str(&auth->login), now),
		.failures = brake_failures(&s->peer, &s->settings->brake, now),
		.width = width_of(s),
		.told = turn_told,
		.ctx = s };

	auth->answered = answered;
	auth->known = asked.known;
	switch (turnstile_enter(&asked, &auth->ticket)) {
	case TURNSTILE_PASS:
		verify_ask(s);
		break;
	case TURNSTILE_WAITS:
		session_wait(s, WAITING_AUTH);
		deadline_set(&s->deadline, TURN_PATIENCE);
		break;
	case TURNSTILE_FULL:
		answer(s, AUTH_LATER, (struct str){ NULL, 0 }, STR("too many wait"));
		break;
	}
}

/* ---- exchanges --------------------------------------------------------------------------- */

static void step_took(struct session *s, int status)
{
	const struct auth_question *q = s->auth->asked;
	const struct str none = { NULL, 0 };

	if (status != TMAIL_LATE)
		know(s, &q->reply.who);
	switch (status) {
	case TMAIL_OK:
		answer(s, q->reply.more ? AUTH_MORE : AUTH_YES, str_tm(q->reply.out), none);
		break;
	case TMAIL_REFUSED:
	case TMAIL_NOT_FOUND:
		answer(s, AUTH_NO, none, str_tm(q->reply.who.why));
		break;
	case TMAIL_LATE:
		answer(s, AUTH_LOST, none, STR("too slow"));
		break;
	default:
		answer(s, AUTH_LATER, none, str_tm(q->reply.who.why));
		break;
	}
}

static void step_done(void *ctx, int status)
{
	struct session *s = ctx;

	session_wake(s);
	step_took(s, status);
	session_run(s);
}

void auth_step(struct session *s, auth_answered *answered)
{
	struct auth *auth = s->auth;
	struct arena *arena;
	struct auth_question *q = question_new(s, &arena);
	uint8_t room[BINDING_SIZE];
	struct str binding = binding_of(s, room);
	int status;

	auth->answered = answered;
	q->step.first = !auth->begun;
	auth->begun = true;
	q->step.mechanism = tm_str(arena_str(arena, str_c(auth->mechanism)));
	if (auth->said)
		q->step.in = tm_str(arena_str(arena, buf_str(&auth->in)));
	if (binding.len > 0) {
		q->step.binding_type = (struct tmail_str)TMAIL_STR("tls-exporter");
		q->step.binding = tm_str(arena_str(arena, binding));
	}
	status = service_ask(
		auth->service, &s->subject, TMAIL_AUTH_EXCHANGE, &q->step, &q->reply, step_done, s);
	if (status == TMAIL_PENDING)
		session_wait(s, WAITING_ANSWER);
	else
		step_took(s, status);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Answered at once; what it says changes nothing. */
void auth_forget_exchange(struct session *s)
{
	struct auth *auth = s->auth;

	if (auth->kind != AUTH_EXCHANGE || !auth->begun)
		return;
	auth->begun = false;
	service_ask(auth->service, &s->subject, TMAIL_AUTH_FORGET, NULL, NULL, nobody_waits, NULL);
}

void auth_end(struct session *s)
{
	struct auth *auth = s->auth;

	if (!auth)
		return;
	s->auth = NULL;
	turnstile_cancel(&auth->ticket);
	buf_free_secret(&auth->in);
	buf_free_secret(&auth->password);
	buf_free(&auth->login);
	free(auth);
}

void auth_logout(struct session *s)
{
	struct tmail_client *client = &s->subject.client;

	auth_end(s);
	free(s->login);
	s->login = NULL;
	s->login_relays = false;
	client->login = client->mechanism = (struct tmail_str){ NULL, 0 };
	client->flags &= ~(uint32_t)(TMAIL_CLIENT_AUTHENTICATED | TMAIL_CLIENT_RELAY);
}
