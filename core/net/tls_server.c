/* SPDX-License-Identifier: MIT
 *
 * TLS as a server: certificates, each with the names it is for, and which of them a client is
 * shown. One name may have a certificate for each kind of key (ECDSA beside RSA); which of them
 * it is to be the library finds by what the client understands.
 *
 * The pairs of whom clients mean that name nobody are in the context; those of other names are
 * put into a connection when it names one.
 */
#include "net/tls_end.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

enum { KINDS = 3 /* of keys: RSA, elliptic curves, others */ };

struct pair {
	X509 *certificate;
	STACK_OF(X509) * chain; /* what is between it and the root */
	EVP_PKEY *key;
};

/* A name in certificates, and the first pair of each kind that has it. */
struct tls_name {
	char *text;
	const struct pair *pairs[KINDS];
};

struct tls_names {
	struct pair *pairs;
	size_t pair_count;
	struct map map; /* of struct tls_name; "*.example.com" too */
	const struct tls_name *fallback;
};

/* ---- a pair from PEM --------------------------------------------------------------------- */

/* A person is never asked. */
static int no_password(char *to, int room, int writing, void *encrypted)
{
	(void)to;
	(void)room;
	(void)writing;
	*(bool *)encrypted = true;
	return -1;
}

/* What can be read ends with "no start line", which is no error behind the first. */
static bool chain_read(struct pair *p, struct str pem)
{
	BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
	bool encrypted = false;
	X509 *next;

	must(text);
	p->chain = sk_X509_new_null();
	must(p->chain);
	p->certificate = PEM_read_bio_X509(text, NULL, no_password, &encrypted);
	while (p->certificate && (next = PEM_read_bio_X509(text, NULL, no_password, &encrypted)))
		must(sk_X509_push(p->chain, next));
	BIO_free(text);
	if (!p->certificate || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

static bool key_read(struct pair *p, const struct tls_pair *from, struct why *why)
{
	BIO *text = BIO_new_mem_buf(from->key.data, (int)from->key.len);
	bool encrypted = false;

	must(text);
	p->key = PEM_read_bio_PrivateKey(text, NULL, no_password, &encrypted);
	BIO_free(text);
	if (encrypted) {
		ERR_clear_error();
		return why_set(why, "%s: the key is encrypted, and there is nobody to ask",
			from->key_name);
	}
	return p->key || tls_why(why, from->key_name);
}

static bool pair_read(struct pair *p, const struct tls_pair *from, struct why *why)
{
	if (from->certificate.len > INT_MAX || from->key.len > INT_MAX)
		return why_set(why, "%s: too large", from->certificate_name);
	ERR_clear_error();
	if (!chain_read(p, from->certificate))
		return tls_why(why, from->certificate_name);
	if (!key_read(p, from, why))
		return false;
	if (X509_check_private_key(p->certificate, p->key) != 1) {
		ERR_clear_error();
		return why_set(
			why, "%s is not the key of %s", from->key_name, from->certificate_name);
	}
	return true;
}

static unsigned pair_kind(const struct pair *p)
{
	if (EVP_PKEY_is_a(p->key, "RSA"))
		return 0;
	return EVP_PKEY_is_a(p->key, "EC") ? 1 : 2;
}

/* ---- names ------------------------------------------------------------------------------- */

static struct tls_name *name_add(struct tls_names *n, struct str text, const struct pair *p)
{
	struct tls_name *name = map_get(&n->map, text);
	unsigned kind = pair_kind(p);

	if (!name) {
		name = must_alloc(sizeof *name);
		name->text = str_dup_c(text);
		map_put(&n->map, str_c(name->text), name);
	}
	if (!name->pairs[kind])
		name->pairs[kind] = p;
	return name;
}

static struct str name_text(const ASN1_STRING *s)
{
	struct str text =
		str_make((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));

	return str_find(text, '\0') < 0 ? text : STR("");
}

/* Its subject's, where there are none that are meant to be (RFC 6125 6.4.4); the first one. */
static struct tls_name *common_name_add(struct tls_names *n, const struct pair *p)
{
	const X509_NAME *subject = X509_get_subject_name(p->certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return name_add(n, STR(""), p);
	return name_add(
		n, name_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))), p);
}

/* Answers the first. */
static struct tls_name *names_add(struct tls_names *n, const struct pair *p)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(p->certificate, NID_subject_alt_name, NULL, NULL);
	struct tls_name *first = NULL, *name;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

		if (one->type != GEN_DNS)
			continue;
		name = name_add(n, name_text(one->d.dNSName), p);
		if (!first)
			first = name;
	}
	GENERAL_NAMES_free(all);
	return first ? first : common_name_add(n, p);
}

void tls_names_free(struct tls_names **np)
{
	struct tls_names *n = *np;
	struct str key;
	void *value;
	size_t at = 0;

	if (!n)
		return;
	*np = NULL;
	while (map_next(&n->map, &at, &key, &value)) {
		struct tls_name *name = value;

		free(name->text);
		free(name);
	}
	map_free(&n->map);
	for (size_t i = 0; i < n->pair_count; i++) {
		X509_free(n->pairs[i].certificate);
		sk_X509_pop_free(n->pairs[i].chain, X509_free);
		EVP_PKEY_free(n->pairs[i].key);
	}
	free(n->pairs);
	free(n);
}

/* Itself, or the name with a star that covers it. */
static const struct tls_name *name_find(const struct tls_names *n, struct str text)
{
	const struct tls_name *name = map_get(&n->map, text);
	ptrdiff_t dot = str_find(text, '.');
	char star[256];

	if (name || dot <= 0 || text.len - (size_t)dot + 1 > sizeof star)
		return name;
	star[0] = '*';
	memcpy(star + 1, text.data + dot, text.len - (size_t)dot);
	return map_get(&n->map, str_make(star, text.len - (size_t)dot + 1));
}

/* ---- whom a client means ----------------------------------------------------------------- */

static bool name_use(SSL *ssl, const struct tls_name *name)
{
	SSL_certs_clear(ssl);
	for (unsigned i = 0; i < KINDS; i++) {
		const struct pair *p = name->pairs[i];

		if (p && !SSL_use_cert_and_key(ssl, p->certificate, p->key, p->chain, 1))
			return false;
	}
	return true;
}

/* One that nobody here has is shown the first: servers of mail are known by many names. */
static int name_wanted(SSL *ssl, int *alert, void *ctx)
{
	const struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *text = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_name *name = text ? name_find(tls->names, str_c(text)) : NULL;

	(void)ctx;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	if (memcmp(name->pairs, tls->names->fallback->pairs, sizeof name->pairs) &&
		!name_use(ssl, name)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

/* ---- a server ---------------------------------------------------------------------------- */

static bool pairs_read(struct tls_names *n, const struct tls_server_settings *s, struct why *why)
{
	n->pairs = must_alloc(s->pair_count * sizeof *n->pairs);
	n->map.fold = true;
	for (size_t i = 0; i < s->pair_count; i++) {
		const struct tls_name *first;

		n->pair_count = i + 1;
		if (!pair_read(&n->pairs[i], &s->pairs[i], why))
			return false;
		first = names_add(n, &n->pairs[i]);
		if (i == 0)
			n->fallback = first;
	}
	return true;
}

/* Each is tried, so that one that the library refuses is found now. */
static bool pairs_use(struct tls *tls, const struct tls_server_settings *s, struct why *why)
{
	const struct tls_names *n = tls->names;
	SSL *trial = SSL_new(tls->ctx);
	bool ok = true;

	must(trial);
	for (size_t i = 0; ok && i < n->pair_count; i++) {
		const struct pair *p = &n->pairs[i];

		ok = SSL_use_cert_and_key(trial, p->certificate, p->key, p->chain, 1) == 1 ||
			tls_why(why, s->pairs[i].certificate_name);
	}
	SSL_free(trial);
	for (unsigned i = 0; ok && i < KINDS; i++) {
		const struct pair *p = n->fallback->pairs[i];

		must(!p ||
			SSL_CTX_use_cert_and_key(tls->ctx, p->certificate, p->key, p->chain, 1) ==
				1);
	}
	return ok;
}

int64_t tls_expires(const struct tls *tls)
{
	int64_t first = INT64_MAX;
	struct tm end;

	for (size_t i = 0; i < tls->names->pair_count; i++)
		if (ASN1_TIME_to_tm(X509_get0_notAfter(tls->names->pairs[i].certificate), &end) &&
			timegm(&end) < first)
			first = timegm(&end);
	return first;
}

/* Who only may show a certificate comes in with any; what is wrong with it is known. */
static int any_certificate(int good, X509_STORE_CTX *ctx)
{
	(void)good;
	(void)ctx;
	return 1;
}

static bool signers_read(SSL_CTX *ctx, struct str pem)
{
	BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509 *one;
	int count = 0;

	must(text);
	for (; (one = PEM_read_bio_X509(text, NULL, NULL, NULL)); count++) {
		must(X509_STORE_add_cert(store, one) && SSL_CTX_add_client_CA(ctx, one));
		X509_free(one);
	}
	BIO_free(text);
	if (count > 0)
		ERR_clear_error();
	return count > 0;
}

static bool clients_judge(SSL_CTX *ctx, const struct tls_server_settings *s, struct why *why)
{
	unsigned char id[sizeof(uint64_t)];
	uint64_t hash = str_hash(s->client_ca) + (uint64_t)s->client_certificates;

	/* A session that was begun under other demands is none of ours. */
	memcpy(id, &hash, sizeof id);
	must(SSL_CTX_set_session_id_context(ctx, id, sizeof id));
	if (s->client_certificates == TLS_ASK_NEVER)
		return true;
	if (s->client_ca.len > 0 && !signers_read(ctx, s->client_ca))
		return tls_why(why, "the signers of clients' certificates");
	if (s->client_certificates == TLS_ASK_REQUIRED)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, any_certificate);
	return true;
}

struct tls *tls_server_new(const struct tls_server_settings *settings, struct why *why)
{
	struct tls *tls;

	must(settings->pair_count > 0);
	tls_library();
	tls = tls_new(TLS_server_method(), settings->least, settings->ciphers,
		settings->ciphersuites, why);
	if (!tls)
		return NULL;
	SSL_CTX_set_options(tls->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_servername_callback(tls->ctx, name_wanted);
	if (settings->tickets) {
		tls_tickets(tls->ctx);
	} else {
		SSL_CTX_set_options(tls->ctx, SSL_OP_NO_TICKET);
		must(SSL_CTX_set_num_tickets(tls->ctx, 0));
	}
	tls->names = must_alloc(sizeof *tls->names);
	if (!pairs_read(tls->names, settings, why) || !pairs_use(tls, settings, why) ||
		!clients_judge(tls->ctx, settings, why))
		tls_drop(&tls);
	return tls;
}
