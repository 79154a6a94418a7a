/* SPDX-License-Identifier: MIT
 *
 * Resumption without memory of it (RFC 5077, RFC 8446 4.6.1): the session itself goes to the
 * client, under a key that nobody but this process knows and that no file ever has. A key makes
 * tickets for an hour and reads them for two more: who has it could read what was resumed with
 * it, so it goes.
 */
#include "net/tls_end.h"
#include "sys/clock.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>

enum { KEYS = 3, NAME = 16, HOUR = 3600 };

struct ticket_key {
	unsigned char name[NAME];
	unsigned char cipher[32], mac[32];
	int64_t made; /* clock_mono; 0: never */
};

static struct {
	pthread_mutex_t lock;
	struct ticket_key *keys; /* the first makes tickets; wiped and locked memory */
	EVP_CIPHER *cipher;
} tickets = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Those that are too old go, and the first is fit to make tickets. */
static bool keys_turn(int64_t now)
{
	struct ticket_key *k = tickets.keys;

	for (size_t i = 0; i < KEYS; i++)
		if (k[i].made && now - k[i].made >= KEYS * HOUR * INT64_C(1000000))
			OPENSSL_cleanse(&k[i], sizeof k[i]);
	if (k[0].made && now - k[0].made < HOUR * INT64_C(1000000))
		return true;
	memmove(&k[1], &k[0], (KEYS - 1) * sizeof *k);
	k[0].made = 0;
	if (RAND_bytes(k[0].name, sizeof k[0].name) != 1 ||
		RAND_priv_bytes(k[0].cipher, sizeof k[0].cipher) != 1 ||
		RAND_priv_bytes(k[0].mac, sizeof k[0].mac) != 1)
		return false;
	k[0].made = now;
	return true;
}

/* NULL: no key of ours that is still good. */
static const struct ticket_key *key_named(const unsigned char name[NAME])
{
	for (size_t i = 0; i < KEYS; i++)
		if (tickets.keys[i].made && !memcmp(tickets.keys[i].name, name, NAME))
			return &tickets.keys[i];
	return NULL;
}

static int key_use(const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)k->mac, sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) &&
		EVP_CipherInit_ex2(cipher, tickets.cipher, k->cipher, iv, encrypt, NULL);
}

/* 0: no ticket, a full handshake; 1: yes; 2: yes, and the client gets a new one. */
static int ticket_step(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	const struct ticket_key *k = &tickets.keys[0];

	if (!keys_turn(clock_mono()))
		return encrypt ? -1 : 0;
	if (encrypt) {
		memcpy(name, k->name, NAME);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets.cipher)) != 1)
			return -1;
	} else {
		k = key_named(name);
		if (!k)
			return 0;
	}
	if (!key_use(k, iv, cipher, mac, encrypt))
		return -1;
	return k == &tickets.keys[0] ? 1 : 2;
}

static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	int answer;

	pthread_mutex_lock(&tickets.lock);
	answer = ticket_step(name, iv, cipher, mac, encrypt);
	pthread_mutex_unlock(&tickets.lock);
	/* Of TLS 1.3 each is used once. */
	return answer == 1 && !encrypt && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : answer;
}

void tls_tickets(SSL_CTX *ctx)
{
	pthread_mutex_lock(&tickets.lock);
	if (!tickets.keys) {
		tickets.keys = OPENSSL_secure_zalloc(KEYS * sizeof *tickets.keys);
		tickets.cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
		must(tickets.keys && tickets.cipher);
	}
	pthread_mutex_unlock(&tickets.lock);
	must(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key));
	SSL_CTX_set_timeout(ctx, (KEYS - 1) * HOUR);
	/* A connection of mail is followed by one; more would be made and never used. */
	must(SSL_CTX_set_num_tickets(ctx, 1));
}
