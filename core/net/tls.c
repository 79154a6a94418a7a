/* SPDX-License-Identifier: MIT
 *
 * What both sides of TLS have in common: the library, one that is shared, and one connection's.
 *
 * A connection has memory on both sides in place of a socket. The library finds there what one
 * read of the kernel gave, and leaves there what one send takes: a flight of a handshake, a
 * reply, are one system call each. It is fed until it wants more; then it holds a part of a
 * record at most, so the kernel tells whenever there is something to do.
 *
 * The library is set up without configuration files: what is spoken is what is said here.
 */
#include "net/tls_end.h"

#include <limits.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

/* Forward secrecy and authenticated encryption only; the rest is older than TLS 1.2. */
static const char ciphers_ours[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphersuites_ours[] =
	"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
static const char groups_ours[] = "X25519:P-256:P-384";

/* ---- the library ------------------------------------------------------------------------- */

static BIO_METHOD *memory_method;

static int memory_read(BIO *bio, char *to, size_t room, size_t *got)
{
	struct tls_end *e = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*got = e->in.len < room ? e->in.len : room;
	if (*got == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(to, e->in.data, *got);
	e->in = str_slice(e->in, *got, SIZE_MAX);
	return 1;
}

static int memory_write(BIO *bio, const char *from, size_t len, size_t *taken)
{
	struct tls_end *e = BIO_get_data(bio);

	buf_add(e->out, str_make(from, len));
	*taken = len;
	return 1;
}

static long memory_control(BIO *bio, int what, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return what == BIO_CTRL_FLUSH;
}

/* Keys are in memory that is locked, left out of core files, and wiped. Of it only what is used
 * costs anything. */
enum { SECRETS = 4 * 1024 * 1024, SECRET_LEAST = 32 };

static void library_begin(void)
{
	CRYPTO_secure_malloc_init(SECRETS, SECRET_LEAST);
	must(OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL));
	memory_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
	must(memory_method && BIO_meth_set_read_ex(memory_method, memory_read) &&
		BIO_meth_set_write_ex(memory_method, memory_write) &&
		BIO_meth_set_ctrl(memory_method, memory_control));
}

void tls_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, library_begin);
}

const char *tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "TLS failed without a reason";
}

bool tls_why(struct why *why, const char *what)
{
	return why_set(why, "%s: %s", what, tls_reason());
}

/* ---- what is shared ---------------------------------------------------------------------- */

static bool tls_set_up(SSL_CTX *ctx, enum tls_version least, const char *ciphers,
	const char *ciphersuites, struct why *why)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_security_level(ctx, 2);
	must(SSL_CTX_set_min_proto_version(
		ctx, least == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION));
	must(SSL_CTX_set1_groups_list(ctx, groups_ours));
	if (!SSL_CTX_set_cipher_list(ctx, ciphers ? ciphers : ciphers_ours))
		return tls_why(why, ciphers);
	if (!SSL_CTX_set_ciphersuites(ctx, ciphersuites ? ciphersuites : ciphersuites_ours))
		return tls_why(why, ciphersuites);
	return true;
}

struct tls *tls_new(const SSL_METHOD *method, enum tls_version least, const char *ciphers,
	const char *ciphersuites, struct why *why)
{
	struct tls *tls = must_alloc(sizeof *tls);

	atomic_init(&tls->refs, 1);
	tls->ctx = SSL_CTX_new(method);
	must(tls->ctx);
	SSL_CTX_set_app_data(tls->ctx, tls);
	if (!tls_set_up(tls->ctx, least, ciphers, ciphersuites, why))
		tls_drop(&tls);
	return tls;
}

struct tls *tls_keep(struct tls *tls)
{
	atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
	return tls;
}

void tls_drop(struct tls **tp)
{
	struct tls *tls = *tp;

	*tp = NULL;
	if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1)
		return;
	tls_names_free(&tls->names);
	tls_sessions_free(&tls->sessions);
	tls_system_free(&tls->system);
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/* ---- one connection ---------------------------------------------------------------------- */

struct tls_end *tls_end_new(struct tls *tls, struct buf *out)
{
	struct tls_end *e = must_alloc(sizeof *e);
	BIO *memory = BIO_new(memory_method);

	e->tls = tls_keep(tls);
	e->out = out;
	e->ours = out->len > 0;
	e->ssl = SSL_new(tls->ctx);
	must(e->ssl && memory);
	BIO_set_data(memory, e);
	BIO_set_init(memory, 1);
	SSL_set_bio(e->ssl, memory, memory);
	SSL_set_app_data(e->ssl, e);
	return e;
}

void tls_end_free(struct tls_end **ep)
{
	struct tls_end *e = *ep;

	if (!e)
		return;
	*ep = NULL;
	SSL_free(e->ssl);
	tls_drop(&e->tls);
	buf_free(&e->plain);
	buf_free(&e->early);
	free((char *)e->session_key.data);
	free(e->peer);
	free(e);
}

/* Of the same thread's earlier doings; clearing costs as much as encrypting a reply. */
static void errors_clear(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* What an answer of the library that is no success means. */
static void end_judge(struct tls_end *e, int answer)
{
	switch (SSL_get_error(e->ssl, answer)) {
	case SSL_ERROR_WANT_READ:
		return;
	case SSL_ERROR_ZERO_RETURN:
		e->closed = true;
		return;
	default:
		/* Nothing may be asked of it any more. */
		e->error = tls_reason();
		if (SSL_get_verify_result(e->ssl) != X509_V_OK && !e->secured &&
			SSL_get_verify_mode(e->ssl) != SSL_VERIFY_NONE)
			e->error = X509_verify_cert_error_string(SSL_get_verify_result(e->ssl));
	}
}

static char *subject_text(const X509 *certificate)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *octets, *copy;
	long len;

	must(text);
	X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(text, &octets);
	copy = str_dup_c(str_make(octets, len > 0 ? (size_t)len : 0));
	BIO_free(text);
	return copy;
}

static void facts_find(struct tls_end *e)
{
	struct tls_facts *f = &e->facts;
	const X509 *certificate = SSL_get0_peer_certificate(e->ssl);
	const char *name = SSL_get_servername(e->ssl, TLSEXT_NAMETYPE_host_name);
	long verified = SSL_get_verify_result(e->ssl);

	f->version = SSL_get_version(e->ssl);
	f->cipher = SSL_get_cipher_name(e->ssl);
	f->bits = (unsigned)SSL_get_cipher_bits(e->ssl, NULL);
	f->resumed = SSL_session_reused(e->ssl);
	f->server_name = name ? name : "";
	f->peer = "";
	if (certificate)
		f->peer = e->peer = subject_text(certificate);
	f->verified = certificate && verified == X509_V_OK && !e->unusable_tlsa;
	if (e->unusable_tlsa)
		f->trouble = TLS_UNUSABLE;
	else if (certificate && verified != X509_V_OK)
		f->trouble = X509_verify_cert_error_string(verified);
}

bool tls_end_handshake(struct tls_end *e)
{
	int answer;

	if (e->error)
		return false;
	errors_clear();
	answer = SSL_do_handshake(e->ssl);
	e->secured = answer == 1;
	if (e->secured)
		facts_find(e);
	else
		end_judge(e, answer);
	if (e->closed && !e->secured)
		e->error = "the peer ended the handshake";
	return !e->error;
}

size_t tls_end_read(struct tls_end *e, char *to, size_t room)
{
	size_t got = 0, n;

	/* Not to be told that it wants more: it allocates for that. */
	while (got < room && !e->closed && !e->error &&
		(e->in.len > 0 || SSL_has_pending(e->ssl))) {
		errors_clear();
		if (!SSL_read_ex(e->ssl, to + got, room - got, &n)) {
			end_judge(e, 0);
			break;
		}
		got += n;
	}
	e->in = (struct str){ NULL, 0 };
	return got;
}

void tls_end_write(struct tls_end *e, size_t most)
{
	size_t n = tls_end_unwritten(e);

	if (n > most)
		n = most;
	if (n == 0 || e->error)
		return;
	errors_clear();
	if (!SSL_write_ex(e->ssl, e->plain.data + e->encrypted, n, &n)) {
		end_judge(e, 0);
		return;
	}
	e->encrypted += n;
	e->ours = true;
}

void tls_end_bye(struct tls_end *e)
{
	if (!e->secured || e->error || e->said_bye)
		return;
	e->said_bye = true;
	errors_clear();
	SSL_shutdown(e->ssl);
	errors_clear();
}

bool tls_exporter(const struct tls_end *end, uint8_t octets[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	bool ok;

	if (!end->secured ||
		(SSL_version(end->ssl) < TLS1_3_VERSION && SSL_get_extms_support(end->ssl) != 1))
		return false;
	ok = SSL_export_keying_material(
		     end->ssl, octets, 32, label, sizeof label - 1, NULL, 0, 0) == 1;
	errors_clear();
	return ok;
}
