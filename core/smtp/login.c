/* SPDX-License-Identifier: MIT
 *
 * Steps by GNU SASL. Each login has a library handle of its own, so that nothing is shared between
 * threads. How long SCRAM takes is the server's to say: less than a stolen exchange would make safe
 * is refused, and so is more than a worker should be lent for.
 */
#include "smtp/login.h"

#include "base/encode.h"
#include "base/list.h"
#include "base/num.h"

#include <gsasl.h>
#include <stdlib.h>

enum { ROUNDS_LEAST = 4096 /* RFC 7677 4 */, ROUNDS_MOST = 1000 * 1000 };

/* The strongest first. */
static const struct login_mechanism mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", .first = true, .scram = true, .binding = true },
	{ "SCRAM-SHA-256", .first = true, .scram = true },
	{ "CRAM-MD5", .first = false },
	{ "PLAIN", .first = true },
	{ "LOGIN", .first = false },
};
static const struct login_mechanism *const mechanisms_end =
	mechanisms + sizeof mechanisms / sizeof *mechanisms;

struct login {
	struct job job;
	struct lane *workers;
	const struct login_mechanism *mechanism;
	char *login, *password; /* malloc'd */
	struct buf binding;     /* base64 */
	Gsasl *library;
	Gsasl_session *session;
	struct buf challenge, response;
	enum login_result result;
	struct why why;
	bool busy, ended;
	login_stepped *stepped;
	void *ctx;
};

/* ---- which one ------------------------------------------------------------------------- */

static bool is_offered(struct str offered, const char *name)
{
	struct str word;

	while (str_word(&offered, &word))
		if (str_equal_case(word, str_c(name)))
			return true;
	return false;
}

const struct login_mechanism *login_choose(
	struct str offered, bool binding, const struct login_mechanism *below)
{
	for (const struct login_mechanism *m = below ? below + 1 : mechanisms; m < mechanisms_end;
		m++)
		if ((binding || !m->binding) && is_offered(offered, m->name))
			return m;
	return NULL;
}

const struct login_mechanism *login_mechanism(const struct login *l)
{
	return l->mechanism;
}

/* ---- on a worker ----------------------------------------------------------------------- */

static bool step_failed(struct login *l, int code)
{
	return why_set(&l->why, "%s: %s", l->mechanism->name, gsasl_strerror(code));
}

static bool session_start(struct login *l)
{
	int code = gsasl_init(&l->library);

	if (code == GSASL_OK)
		code = gsasl_client_start(l->library, l->mechanism->name, &l->session);
	if (code == GSASL_OK)
		code = gsasl_property_set(l->session, GSASL_AUTHID, l->login);
	if (code == GSASL_OK)
		code = gsasl_property_set(l->session, GSASL_PASSWORD, l->password);
	if (code == GSASL_OK && l->binding.len > 0)
		code = gsasl_property_set(l->session, GSASL_CB_TLS_EXPORTER, buf_c(&l->binding));
	return code == GSASL_OK || step_failed(l, code);
}

/* Of the server's first message, "r=...,s=...,i=ROUNDS" (RFC 5802 7); others have none. */
static bool rounds_fit(struct login *l)
{
	struct str rest = buf_str(&l->challenge), piece;
	uint64_t rounds;

	while (l->mechanism->scram && str_split(&rest, ',', &piece)) {
		if (!str_starts(piece, STR("i=")))
			continue;
		if (!num_u64(str_slice(piece, 2, piece.len), &rounds) || rounds < ROUNDS_LEAST ||
			rounds > ROUNDS_MOST)
			return why_set(&l->why, "%s: the server wants %.*s rounds, not %d to %d",
				l->mechanism->name, STR_ARG(str_slice(piece, 2, 20)), ROUNDS_LEAST,
				ROUNDS_MOST);
	}
	return true;
}

static bool step(struct login *l)
{
	char *octets = NULL;
	size_t len = 0;
	int code;

	if (!l->session && !session_start(l))
		return false;
	if (!rounds_fit(l))
		return false;
	code = gsasl_step(l->session, l->challenge.len ? l->challenge.data : NULL, l->challenge.len,
		&octets, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return step_failed(l, code);
	if (len > 0) {
		buf_add(&l->response, str_make(octets, len));
		explicit_bzero(octets, len);
	}
	gsasl_free(octets);
	l->result = code == GSASL_OK ? LOGIN_PROVEN : LOGIN_MORE;
	return true;
}

static void login_work(struct job *job)
{
	struct login *l = container_of(job, struct login, job);

	if (!step(l))
		l->result = LOGIN_FAILED;
}

/* ---- on the loop ----------------------------------------------------------------------- */

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void login_free(struct login *l)
{
	const char *copy = l->session ? gsasl_property_fast(l->session, GSASL_PASSWORD) : NULL;

	if (copy)
		explicit_bzero((char *)(uintptr_t)copy, strlen(copy));
	if (l->session)
		gsasl_finish(l->session);
	if (l->library)
		gsasl_done(l->library);
	wipe(&l->login);
	wipe(&l->password);
	buf_free_secret(&l->binding);
	buf_free_secret(&l->challenge);
	buf_free_secret(&l->response);
	free(l);
}

static void login_done(struct job *job)
{
	struct login *l = container_of(job, struct login, job);

	l->busy = false;
	if (l->ended)
		login_free(l);
	else
		l->stepped(l->ctx, l->result, buf_str(&l->response), &l->why);
}

static void login_not_done(struct task *task)
{
	struct login *l = container_of(task, struct login, job.task);

	l->result = LOGIN_FAILED;
	why_set(&l->why, "too much is to be computed at a time");
	login_done(&l->job);
}

void login_step(struct login *l, struct str challenge, login_stepped *stepped, void *ctx)
{
	must(!l->busy && !l->ended);
	buf_clear(&l->challenge);
	buf_add(&l->challenge, challenge);
	buf_clear(&l->response);
	l->stepped = stepped;
	l->ctx = ctx;
	l->busy = true;
	if (lane_submit(l->workers, &l->job))
		return;
	l->job.task.run = login_not_done;
	loop_post(l->job.home, &l->job.task);
}

bool login_busy(const struct login *l)
{
	return l->busy;
}

struct login *login_new(struct loop *loop, const struct login_mechanism *mechanism,
	const struct login_settings *settings)
{
	struct login *l = must_alloc(sizeof *l);

	l->job = (struct job){ .home = loop, .work = login_work, .done = login_done };
	l->workers = settings->workers;
	l->mechanism = mechanism;
	l->login = str_dup_c(settings->login);
	l->password = str_dup_c(settings->password);
	if (settings->binding)
		base64_encode(
			&l->binding, str_make((const char *)settings->binding, LOGIN_BINDING));
	return l;
}

void login_end(struct login **lp)
{
	struct login *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	l->ended = true;
	if (!l->busy)
		login_free(l);
}
