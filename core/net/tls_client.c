/* SPDX-License-Identifier: MIT
 *
 * TLS as a client: whom it believes, and the sessions it may go on with. One context for all
 * connections; what a connection demands of its server is put into it alone.
 */
#include "net/tls_end.h"

#include "base/list.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- sessions to go on with -------------------------------------------------------------- */

enum { SESSIONS_MOST = 256 /* of which each has its server's chain */ };

struct kept_session {
	struct link link;
	struct str key; /* malloc'd */
	SSL_SESSION *session;
};

struct tls_sessions {
	pthread_mutex_t lock;
	struct map map;   /* by key */
	struct link list; /* the oldest first */
};

static void session_forget(struct tls_sessions *all, struct kept_session *one)
{
	map_remove(&all->map, one->key);
	list_remove(&one->link);
	SSL_SESSION_free(one->session);
	free((char *)one->key.data);
	free(one);
}

/* The library gives us a reference. The last of a key is the best. */
static int session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct tls_end *e = SSL_get_app_data(ssl);
	struct tls_sessions *all = e->tls->sessions;
	struct kept_session *one;

	if (e->session_key.len == 0)
		return 0;
	pthread_mutex_lock(&all->lock);
	one = map_get(&all->map, e->session_key);
	if (!one && all->map.count >= SESSIONS_MOST)
		session_forget(all, container_of(all->list.next, struct kept_session, link));
	if (one)
		session_forget(all, one);
	one = must_alloc(sizeof *one);
	one->key = str_make(str_dup_c(e->session_key), e->session_key.len);
	one->session = session;
	map_put(&all->map, one->key, one);
	list_append(&all->list, &one->link);
	pthread_mutex_unlock(&all->lock);
	return 1;
}

/* Used once, so that who looks on cannot tell that two connections are of one client
 * (RFC 8446 C.4). */
static void session_use(struct tls_end *e)
{
	struct tls_sessions *all = e->tls->sessions;
	struct kept_session *one;

	pthread_mutex_lock(&all->lock);
	one = map_get(&all->map, e->session_key);
	if (one) {
		SSL_set_session(e->ssl, one->session);
		session_forget(all, one);
	}
	pthread_mutex_unlock(&all->lock);
	ERR_clear_error();
}

void tls_sessions_free(struct tls_sessions **sp)
{
	struct tls_sessions *all = *sp;

	if (!all)
		return;
	*sp = NULL;
	LIST_EACH(struct kept_session, one, &all->list, link)
		session_forget(all, one);
	map_free(&all->map);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* ---- what is demanded -------------------------------------------------------------------- */

/* The library wants C strings; a name with a NUL is the name of nobody. */
static bool text_of(struct str s, char text[256])
{
	if (s.len == 0 || s.len > 255 || str_find(s, '\0') >= 0)
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	return true;
}

/* A star of a pattern stands for one label: to the library that is the name from its dot on. */
static void names_demand(struct tls_end *e, const struct tls_wanted *wanted)
{
	char text[256];

	SSL_set_hostflags(e->ssl,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS);
	for (size_t i = 0; i < wanted->name_count && !e->error; i++) {
		const char *name = text;

		if (!text_of(wanted->names[i], text)) {
			e->error = "a name that no certificate can have";
			return;
		}
		if (str_starts(wanted->names[i], STR("*.")))
			name = text + 1;
		if (!SSL_add1_host(e->ssl, name))
			e->error = tls_reason();
	}
}

/* RFC 7672 3.1: those of usage 2 and 3. One that cannot be used is passed over. */
static size_t records_demand(struct tls_end *e, const struct tls_wanted *wanted)
{
	size_t usable = 0;

	for (size_t i = 0; i < wanted->tlsa_count; i++) {
		const uint8_t *r = (const uint8_t *)wanted->tlsa[i].data;
		size_t len = wanted->tlsa[i].len;

		if (len > 3 && (r[0] == 2 || r[0] == 3) &&
			SSL_dane_tlsa_add(e->ssl, r[0], r[1], r[2], r + 3, len - 3) == 1)
			usable++;
	}
	ERR_clear_error();
	return usable;
}

/* Without a record that can be used there is encryption and nothing more (RFC 7672 2.2), if that
 * will do. */
static void dane_demand(struct tls_end *e, const struct tls_wanted *wanted)
{
	char text[256];

	if (wanted->name_count == 0 || !text_of(wanted->names[0], text)) {
		e->error = "DANE without a name";
		return;
	}
	if (SSL_dane_enable(e->ssl, text) <= 0) {
		e->error = tls_reason();
		return;
	}
	names_demand(e, wanted);
	e->unusable_tlsa = records_demand(e, wanted) == 0;
	if (e->unusable_tlsa && wanted->authenticate)
		e->error = TLS_UNUSABLE;
	SSL_set_verify(e->ssl, e->unusable_tlsa ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
}

void tls_end_demand(struct tls_end *e, const struct tls_wanted *wanted)
{
	char text[256];

	SSL_set_connect_state(e->ssl);
	switch (wanted->check) {
	case TLS_CHECK_NOTHING:
		/* A weak key is better than none. */
		SSL_set_security_level(e->ssl, 1);
		names_demand(e, wanted);
		break;
	case TLS_CHECK_NAME:
		SSL_set_verify(e->ssl, SSL_VERIFY_PEER, NULL);
		names_demand(e, wanted);
		if (wanted->name_count == 0)
			e->error = "a certificate is to be checked, and no name is known";
		break;
	case TLS_CHECK_DANE:
		dane_demand(e, wanted);
		break;
	}
	if (wanted->sni.len > 0 && text_of(wanted->sni, text) && !e->error &&
		!SSL_set_tlsext_host_name(e->ssl, text))
		e->error = tls_reason();
	if (wanted->session_key.len > 0 && !e->error) {
		e->session_key = str_make(str_dup_c(wanted->session_key), wanted->session_key.len);
		session_use(e);
	}
}

/* ---- the system's authorities ------------------------------------------------------------ */

struct tls_system {
	pthread_mutex_t lock;
	X509_LOOKUP *file; /* the store's */
	bool asked;
};

/* Does the system keep its authorities under names that are hashes (openssl rehash)? */
static bool system_has_folder(void)
{
	const char *other = getenv(X509_get_default_cert_dir_env());
	DIR *folder = opendir(other ? other : X509_get_default_cert_dir());
	bool found = false;

	if (!folder)
		return false;
	for (const struct dirent *entry; !found && (entry = readdir(folder)) != NULL;)
		found = strspn(entry->d_name, "0123456789abcdef") == 8 &&
			strcmp(entry->d_name + 8, ".0") == 0;
	closedir(folder);
	return found;
}

/* Where the folder has them, and nobody named a file, each is read from there when it is needed.
 * What cannot be read trusts nobody, as ever with the library. */
static void system_ask(struct tls_system *system)
{
	pthread_mutex_lock(&system->lock);
	if (!system->asked) {
		ERR_set_mark();
		if (getenv(X509_get_default_cert_file_env()) || !system_has_folder())
			X509_LOOKUP_load_file(system->file, NULL, X509_FILETYPE_DEFAULT);
		ERR_pop_to_mark();
		system->asked = true;
	}
	pthread_mutex_unlock(&system->lock);
}

/* The library looks for who signed `of` among those who are trusted. */
static int system_issuer(X509 **issuer, X509_STORE_CTX *ctx, X509 *of)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_end *e = ssl ? SSL_get_app_data(ssl) : NULL;

	if (e)
		system_ask(e->tls->system);
	return X509_STORE_CTX_get1_issuer(issuer, ctx, of);
}

/* All authorities of a system in one file take longer to read (25 ms) than all else at the start,
 * and some megabytes; so that waits for the first chain that asks for one. */
static bool system_trust(struct tls *tls)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);

	tls->system = must_alloc(sizeof *tls->system);
	pthread_mutex_init(&tls->system->lock, NULL);
	tls->system->file = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	X509_STORE_set_get_issuer(store, system_issuer);
	return tls->system->file && SSL_CTX_set_default_verify_dir(tls->ctx);
}

void tls_system_free(struct tls_system **sp)
{
	struct tls_system *system = *sp;

	if (!system)
		return;
	*sp = NULL;
	pthread_mutex_destroy(&system->lock);
	free(system);
}

/* ---- a client ---------------------------------------------------------------------------- */

/* Any that is better than none, for servers that have not learned since TLS 1.2 was new. */
static const char ciphers_theirs[] = "ECDHE+AESGCM:ECDHE+CHACHA20:HIGH:!aNULL:!PSK:!SRP:!DSS";

struct tls *tls_client_new(const struct tls_client_settings *settings, struct why *why)
{
	struct tls *tls;
	bool ok;

	tls_library();
	tls = tls_new(TLS_client_method(), settings->least,
		settings->ciphers ? settings->ciphers : ciphers_theirs, settings->ciphersuites,
		why);
	if (!tls)
		return NULL;
	tls->sessions = must_alloc(sizeof *tls->sessions);
	pthread_mutex_init(&tls->sessions->lock, NULL);
	list_init(&tls->sessions->list);
	SSL_CTX_set_session_cache_mode(
		tls->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->ctx, session_keep);
	must(SSL_CTX_dane_enable(tls->ctx) > 0);
	SSL_CTX_dane_set_flags(tls->ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	ok = settings->ca_file ? SSL_CTX_load_verify_file(tls->ctx, settings->ca_file)
			       : system_trust(tls);
	if (!ok) {
		tls_why(why, settings->ca_file ? settings->ca_file : "the system's certificates");
		tls_drop(&tls);
	}
	return tls;
}
