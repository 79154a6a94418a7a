/* SPDX-License-Identifier: MIT
 *
 * A certificate by itself, for a server that has none yet: encryption without proof of who it is,
 * which is what other servers of mail ask for.
 */
#include "net/tls_end.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { YEARS = 10 };

static bool extend(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
	bool ok = e && X509_add_ext(certificate, e, -1);

	X509_EXTENSION_free(e);
	return ok;
}

static bool certificate_fill(X509 *c, EVP_PKEY *key, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(c);
	char alternative[300];
	uint64_t serial;

	snprintf(alternative, sizeof alternative, "DNS:%s", name);
	return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
		ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), serial >> 1) &&
		X509_set_version(c, X509_VERSION_3) && X509_gmtime_adj(X509_getm_notBefore(c), 0) &&
		X509_gmtime_adj(X509_getm_notAfter(c), YEARS * 365L * 24 * 3600) &&
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
			(const unsigned char *)name, (int)strnlen(name, 64), -1, 0) &&
		X509_set_issuer_name(c, subject) && X509_set_pubkey(c, key) &&
		extend(c, NID_basic_constraints, "critical,CA:FALSE") &&
		extend(c, NID_key_usage, "critical,digitalSignature") &&
		extend(c, NID_ext_key_usage, "serverAuth") &&
		extend(c, NID_subject_alt_name, alternative) && X509_sign(c, key, EVP_sha256());
}

static void text_take(BIO *text, struct buf *out)
{
	char *octets;
	long len = BIO_get_mem_data(text, &octets);

	buf_reserve(out, (size_t)len);
	buf_add(out, str_make(octets, (size_t)len));
}

/* Host names only: what is written there becomes part of an extension's syntax. */
static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.data[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' &&
			c != '_')
			return false;
	}
	return name.len > 0 && name.len < 256;
}

bool tls_make(struct str name, struct buf *certificate, struct buf *key, struct why *why)
{
	char text[256];
	BIO *public, *secret;
	EVP_PKEY *pair;
	X509 *c;
	bool ok;

	if (!is_name(name))
		return why_set(why, "'%.*s' is no name to make a certificate for", STR_ARG(name));
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	tls_library();
	c = X509_new();
	pair = EVP_EC_gen("P-256");
	public = BIO_new(BIO_s_mem());
	secret = BIO_new(BIO_s_secmem());
	must(c && public && secret);
	ok = pair && certificate_fill(c, pair, text) && PEM_write_bio_X509(public, c) &&
		PEM_write_bio_PrivateKey(secret, pair, NULL, NULL, 0, NULL, NULL);
	if (ok) {
		text_take(public, certificate);
		text_take(secret, key);
	} else {
		tls_why(why, "making a certificate");
	}
	BIO_free(public);
	BIO_free(secret);
	EVP_PKEY_free(pair);
	X509_free(c);
	return ok;
}
