/* SPDX-License-Identifier: MIT
 *
 * What tests of TLS share: a server of ours on one end of a connection, and on the other the
 * library by itself, or a stream of ours as a client.
 */
#ifndef TESTS_NET_TLS_PEERS_H
#define TESTS_NET_TLS_PEERS_H

#include "net/tls.h"
#include "tests/lib/pki.h"
#include "tests/net/owner.h"

#include <openssl/ssl.h>

static struct pki authority, leaf;
static struct tls *server_tls;

static inline struct tls_pair pair_of(const struct pki *p)
{
	return (struct tls_pair){ "cert.pem", "key.pem", buf_str(&p->certificate_pem),
		buf_str(&p->key_pem) };
}

static inline struct tls *server_of(const struct tls_pair *pairs, size_t count)
{
	const struct tls_server_settings settings = {
		.pairs = pairs, .pair_count = count, .tickets = true
	};
	struct why why;
	struct tls *tls = tls_server_new(&settings, &why);

	ck_assert_msg(tls != NULL, "%s", why.text);
	return tls;
}

/* An authority, and a server that it knows as mail.example. */
static inline void pki_set_up(void)
{
	struct tls_pair pair;

	authority = pki_make(PKI_EC, "authority", NULL, NULL, PKI_DAY);
	leaf = pki_make(PKI_EC, "mail", "DNS:mail.example", &authority, PKI_DAY);
	pair = pair_of(&leaf);
	server_tls = server_of(&pair, 1);
}

static inline void pki_tear_down(void)
{
	tls_drop(&server_tls);
	pki_free(&leaf);
	pki_free(&authority);
}

/* ---- the library as a client -------------------------------------------------------------- */

static SSL_CTX *raw_ctx;
static SSL *raw;

static inline void raw_begin(const char *name)
{
	if (!raw_ctx)
		raw_ctx = SSL_CTX_new(TLS_client_method());
	raw = SSL_new(raw_ctx);
	ck_assert(fd_set_nonblocking(client));
	ck_assert(SSL_set_fd(raw, client));
	SSL_set_connect_state(raw);
	if (name)
		SSL_set_tlsext_host_name(raw, name);
}

static inline void raw_end(void)
{
	SSL_free(raw);
	SSL_CTX_free(raw_ctx);
	raw = NULL;
	raw_ctx = NULL;
}

/* Until it is done, or it never will be. */
static inline bool raw_handshake(void)
{
	int answer;

	while ((answer = SSL_do_handshake(raw)) != 1 &&
		SSL_get_error(raw, answer) == SSL_ERROR_WANT_READ)
		loop_turn();
	return answer == 1;
}

static inline void raw_send(struct str octets)
{
	ck_assert_int_eq(SSL_write(raw, octets.data, (int)octets.len), octets.len);
}

/* Exactly that much; what came is valid until the next. Shorter: the end. */
static inline struct str raw_receive(size_t len)
{
	static char text[65536];
	size_t got = 0;
	int n;

	while (got < len) {
		n = SSL_read(raw, text + got, (int)(len - got));
		if (n > 0)
			got += (size_t)n;
		else if (SSL_get_error(raw, n) != SSL_ERROR_WANT_READ)
			break;
		else
			loop_turn();
	}
	return str_make(text, got);
}

#endif
