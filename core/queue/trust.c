/* SPDX-License-Identifier: MIT
 *
 * One client side of TLS a process. Settings that say the same of it keep it, and so the sessions
 * that can be resumed.
 */
#include "queue/trust.h"

#include "base/buf.h"
#include "base/log.h"

#include <pthread.h>

static struct {
	pthread_mutex_t lock;
	struct tls *tls;
	struct buf key; /* what it was made of */
} trust = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *text_or_null(struct tmail_str s)
{
	return s.len ? s.data : NULL; /* strings of settings end with a NUL */
}

static struct tls *trust_make(const struct queue_settings *settings, struct why *why)
{
	const struct tls_client_settings client = { .ca_file = text_or_null(settings->tls_ca),
		.least = settings->tls_min_version ? TLS_VERSION_1_3 : TLS_VERSION_1_2,
		.ciphers = text_or_null(settings->tls_ciphers),
		.ciphersuites = text_or_null(settings->tls_ciphersuites) };

	return tls_client_new(&client, why);
}

bool trust_check(const struct queue_settings *settings, struct why *why)
{
	struct tls *tls;

	if (settings->tls_ca.len + settings->tls_ciphers.len + settings->tls_ciphersuites.len == 0)
		return true;
	tls = trust_make(settings, why);
	if (!tls)
		return false;
	tls_drop(&tls);
	return true;
}

static void trust_key(const struct queue_settings *settings, struct buf *key)
{
	buf_printf(key, "%d\n%.*s\n%.*s\n%.*s", settings->tls_min_version,
		STR_ARG(str_tm(settings->tls_ca)), STR_ARG(str_tm(settings->tls_ciphers)),
		STR_ARG(str_tm(settings->tls_ciphersuites)));
}

void trust_follow(const struct queue_settings *settings)
{
	struct buf key = { 0 };
	struct tls *tls, *old;
	struct why why;

	trust_key(settings, &key);
	/* A file may have changed behind its name; the system's are read when they are needed. */
	if (trust.tls && settings->tls_ca.len == 0 &&
		str_equal(buf_str(&key), buf_str(&trust.key))) {
		buf_free(&key);
		return;
	}
	tls = trust_make(settings, &why);
	if (!tls) {
		log_event(LEVEL_ERROR, NULL, "tls_failed", LOG_C("why", why.text));
		buf_free(&key);
		return;
	}
	pthread_mutex_lock(&trust.lock);
	old = trust.tls;
	trust.tls = tls;
	pthread_mutex_unlock(&trust.lock);
	tls_drop(&old);
	buf_free(&trust.key);
	trust.key = key;
}

struct tls *trust_now(void)
{
	struct tls *tls;

	pthread_mutex_lock(&trust.lock);
	tls = trust.tls ? tls_keep(trust.tls) : NULL;
	pthread_mutex_unlock(&trust.lock);
	return tls;
}

void trust_end(void)
{
	tls_drop(&trust.tls);
	buf_free(&trust.key);
}
