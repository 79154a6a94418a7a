/* SPDX-License-Identifier: MIT
 *
 * Certificates for tests: an authority, and what it signs.
 */
#ifndef TESTS_LIB_PKI_H
#define TESTS_LIB_PKI_H

#include "base/buf.h"
#include "tests/lib/test.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum pki_kind { PKI_EC, PKI_RSA };
enum { PKI_DAY = 24 * 3600 };

struct pki {
	X509 *certificate;
	EVP_PKEY *key;
	struct buf certificate_pem, key_pem;
};

static inline void pki_extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_msg(e != NULL, "%s", value);
	ck_assert(X509_add_ext(certificate, e, -1));
	X509_EXTENSION_free(e);
}

static inline void pki_pem(struct buf *out, BIO *text)
{
	char *octets;
	long len = BIO_get_mem_data(text, &octets);

	buf_add(out, str_make(octets, (size_t)len));
	BIO_free(text);
}

/* alternatives: "DNS:a.example, DNS:*.b.example", or NULL: the subject only. issuer NULL: by
 * itself. An authority has the subject "authority". */
static inline struct pki pki_make(enum pki_kind kind, const char *subject, const char *alternatives,
	const struct pki *issuer, long valid)
{
	struct pki p = { X509_new(),
		kind == PKI_EC ? EVP_EC_gen("P-256") : EVP_RSA_gen((unsigned)2048), { 0 }, { 0 } };
	X509_NAME *name = X509_get_subject_name(p.certificate);
	BIO *text = BIO_new(BIO_s_mem());
	static long serial = 1;

	ck_assert(p.certificate && p.key);
	X509_set_version(p.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(p.certificate), -2L * PKI_DAY);
	X509_gmtime_adj(X509_getm_notAfter(p.certificate), valid);
	X509_set_pubkey(p.certificate, p.key);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(
		p.certificate, issuer ? X509_get_subject_name(issuer->certificate) : name);
	if (!strcmp(subject, "authority"))
		pki_extend(p.certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (alternatives)
		pki_extend(p.certificate, NID_subject_alt_name, alternatives);
	ck_assert(X509_sign(p.certificate, issuer ? issuer->key : p.key, EVP_sha256()));
	PEM_write_bio_X509(text, p.certificate);
	pki_pem(&p.certificate_pem, text);
	text = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(text, p.key, NULL, NULL, 0, NULL, NULL);
	pki_pem(&p.key_pem, text);
	return p;
}

static inline void pki_free(struct pki *p)
{
	X509_free(p->certificate);
	EVP_PKEY_free(p->key);
	buf_free(&p->certificate_pem);
	buf_free(&p->key_pem);
	*p = (struct pki){ 0 };
}

#endif
