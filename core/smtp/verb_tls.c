/* SPDX-License-Identifier: MIT
 *
 * STARTTLS (RFC 3207), and TLS from the first octet (RFC 8314): which certificates there are, and
 * what a session is before and after the handshake.
 *
 * What must hold: what was said in clear counts for nothing behind it, neither what was taken nor
 * what was sent along; and once a handshake has begun nothing is answered in clear.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "smtp/auth.h"
#include "smtp/place.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- certificates ------------------------------------------------------------------------ */

static struct {
	pthread_mutex_t lock;
	struct tls *tls;
} certificates = { .lock = PTHREAD_MUTEX_INITIALIZER };

void smtp_server_tls(struct tls *tls)
{
	struct tls *old;

	pthread_mutex_lock(&certificates.lock);
	old = certificates.tls;
	certificates.tls = tls;
	pthread_mutex_unlock(&certificates.lock);
	tls_drop(&old);
}

/* A reference, or NULL. */
static struct tls *certificates_now(void)
{
	struct tls *tls;

	pthread_mutex_lock(&certificates.lock);
	tls = certificates.tls ? tls_keep(certificates.tls) : NULL;
	pthread_mutex_unlock(&certificates.lock);
	return tls;
}

static bool is_secure(const struct session *s)
{
	return s->subject.client.flags & TMAIL_CLIENT_TLS;
}

bool tls_offered(const struct session *s)
{
	bool any;

	if (is_secure(s) || s->place->server->tls == LISTEN_TLS_OFF)
		return false;
	pthread_mutex_lock(&certificates.lock);
	any = certificates.tls != NULL;
	pthread_mutex_unlock(&certificates.lock);
	return any;
}

bool tls_missing(const struct session *s)
{
	return s->place->server->tls == LISTEN_TLS_REQUIRED && !is_secure(s) && !s->dry;
}

/* ---- the handshake ----------------------------------------------------------------------- */

/* False: there is no certificate any more. */
static bool handshake_begin(struct session *s)
{
	struct tls *tls = certificates_now();

	if (!tls)
		return false;
	session_enter(s, STATE_TLS);
	stream_accept_tls(s->stream, tls);
	tls_drop(&tls);
	return true;
}

bool tls_from_start(struct session *s)
{
	if (s->place->server->tls != LISTEN_TLS_IMPLICIT || s->dry)
		return false;
	if (!handshake_begin(s))
		session_drop(s, "no_certificate");
	return true;
}

bool check_starttls(struct session *s, const struct command *command)
{
	if (command->argument.len > 0)
		return verb_refuse(s, SAY_NO_ARGUMENT);
	if (is_secure(s))
		return verb_refuse(s, SAY_TLS_TWICE);
	return tls_offered(s) || verb_refuse(s, SAY_NO_TLS);
}

/* Commands that came along could be anybody's, put in front of what the client will say in its
 * own name (CVE-2011-0411). */
void act_starttls(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	if (stream_input(s->stream).len > 0) {
		verb_refuse(s, SAY_TLS_NOT_ALONE);
		return;
	}
	session_say(s, SAY_TLS_GO_AHEAD);
	if (!handshake_begin(s))
		session_drop(s, "no_certificate");
}

/* RFC 3207 4.2: what the client said in clear is forgotten. */
static void forget(struct session *s)
{
	struct tmail_client *client = &s->subject.client;

	auth_logout(s);
	free(s->helo);
	s->helo = NULL;
	s->esmtp = false;
	client->helo = (struct tmail_str){ NULL, 0 };
	client->flags &= ~(uint32_t)TMAIL_CLIENT_ESMTP;
}

void tls_secured(struct session *s)
{
	const union tmail_event event = { .unknown = { { NULL, 0 }, { NULL, 0 } } };
	const struct tls_facts *facts = stream_tls_facts(s->stream);
	struct tmail_client *client = &s->subject.client;

	forget(s);
	client->flags |= TMAIL_CLIENT_TLS;
	client->tls_version = tm_str(str_c(facts->version));
	client->tls_cipher = tm_str(str_c(facts->cipher));
	if (facts->verified)
		client->certificate = tm_str(str_c(facts->peer));
	metric_add(METRIC_tls_sessions, 1);
	log_event(LEVEL_DEBUG, &s->log, "tls", LOG_C("version", facts->version),
		LOG_C("cipher", facts->cipher),
		LOG_IF(*facts->server_name, LOG_C("name", facts->server_name)),
		LOG_IF(facts->resumed, LOG_C("resumed", "yes")),
		LOG_IF(*facts->peer, LOG_C("certificate", facts->peer)),
		LOG_IF(facts->trouble, LOG_C("trouble", facts->trouble)));
	chain_tell(&s->subject, TMAIL_POINT_TLS, &event);
	if (s->place->server->tls == LISTEN_TLS_IMPLICIT)
		greet_secured(s);
	else
		session_enter(s, STATE_START);
}

void tls_failed(struct session *s)
{
	metric_add(METRIC_tls_failed, 1);
	log_event(LEVEL_INFO, &s->log, "tls_failed", LOG_C("client", s->address),
		LOG_C("why", stream_error(s->stream)));
}
