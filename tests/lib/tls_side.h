/* SPDX-License-Identifier: MIT
 *
 * Both sides of TLS for tests of sending: a certificate of an authority's, the library's server
 * side with it, and our client side, which trusts that authority alone.
 */
#ifndef TESTS_LIB_TLS_SIDE_H
#define TESTS_LIB_TLS_SIDE_H

#include "net/tls.h"
#include "tests/lib/folder.h"
#include "tests/lib/pki.h"

#include <openssl/ssl.h>

struct tls_side {
	struct pki authority, leaf;
	SSL_CTX *ctx;
	struct tls *client;
	char folder[TEST_FOLDER], ca[TEST_FOLDER + 8];
};

/* alternatives as pki_make has them; issued: else the certificate is signed by itself. */
static inline void tls_side_make(
	struct tls_side *t, const char *alternatives, bool issued, long valid)
{
	struct tls_client_settings settings = { .ca_file = t->ca };
	struct why why;
	FILE *file;

	*t = (struct tls_side){ .authority = pki_make(PKI_EC, "authority", NULL, NULL, PKI_DAY) };
	t->leaf = pki_make(PKI_EC, "mail", alternatives, issued ? &t->authority : NULL, valid);
	t->ctx = SSL_CTX_new(TLS_server_method());
	ck_assert(SSL_CTX_use_certificate(t->ctx, t->leaf.certificate) &&
		SSL_CTX_use_PrivateKey(t->ctx, t->leaf.key));
	SSL_CTX_set_session_id_context(t->ctx, (const unsigned char *)"test", 4);
	test_folder_make(t->folder);
	snprintf(t->ca, sizeof t->ca, "%s/ca.pem", t->folder);
	file = fopen(t->ca, "w");
	ck_assert_ptr_nonnull(file);
	fwrite(t->authority.certificate_pem.data, 1, t->authority.certificate_pem.len, file);
	fclose(file);
	t->client = tls_client_new(&settings, &why);
	ck_assert_msg(t->client != NULL, "%s", why.text);
}

static inline void tls_side_end(struct tls_side *t)
{
	tls_drop(&t->client);
	SSL_CTX_free(t->ctx);
	pki_free(&t->leaf);
	pki_free(&t->authority);
	test_folder_remove(t->folder);
}

#endif
