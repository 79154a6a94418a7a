/* SPDX-License-Identifier: MIT
 *
 * GNU SASL asks for properties by a callback, in the middle of a step and on its thread: it is
 * led to the lookup of that step. What the library leaves to its user is looked at here: that a
 * client which can bind does not claim that we cannot (RFC 5802 6), and that the binding is the
 * one that is offered.
 */
#include "scram.h"

#include "base/encode.h"
#include "base/num.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX "{SCRAM-SHA-256}"

enum { SALT = 16, KEY = 32 };

struct scram {
	Gsasl_session *session;
	bool plus, invited, begun, later;
	const struct scram_lookup *lookup; /* of the step under way */
};

/* ---- keys -------------------------------------------------------------------------------- */

static void keys_write(int64_t iterations, const uint8_t salt[SALT], const char stored[KEY],
	const char server[KEY], char out[SCRAM_TEXT])
{
	struct buf text = { 0 };

	buf_printf(&text, PREFIX "%lld,", (long long)iterations);
	base64_encode(&text, str_make((const char *)salt, SALT));
	buf_add_char(&text, ',');
	base64_encode(&text, str_make(stored, KEY));
	buf_add_char(&text, ',');
	base64_encode(&text, str_make(server, KEY));
	snprintf(out, SCRAM_TEXT, "%s", buf_c(&text));
	buf_free_secret(&text);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

/* Of the library; NULL: SASLprep forbids it. */
static char *prepare(struct str password)
{
	char *text = str_dup_c(password), *prepared = NULL;

	if (gsasl_saslprep(text, 0, &prepared, NULL) != GSASL_OK)
		prepared = NULL;
	explicit_bzero(text, password.len);
	free(text);
	return prepared;
}

bool scram_may(struct str password)
{
	char *prepared = prepare(password);
	bool may = prepared != NULL;

	wipe(prepared);
	gsasl_free(prepared);
	return may;
}

bool scram_keys(struct str password, int64_t iterations, char out[SCRAM_TEXT])
{
	char salted[KEY], client[KEY], server[KEY], stored[KEY];
	char *prepared = prepare(password);
	uint8_t salt[SALT];
	bool ok;

	randombytes_buf(salt, sizeof salt);
	ok = prepared &&
		gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, prepared, (unsigned)iterations,
			(const char *)salt, sizeof salt, salted, client, server,
			stored) == GSASL_OK;
	if (ok)
		keys_write(iterations, salt, stored, server, out);
	wipe(prepared);
	gsasl_free(prepared);
	sodium_memzero(salted, sizeof salted);
	sodium_memzero(client, sizeof client);
	sodium_memzero(server, sizeof server);
	sodium_memzero(stored, sizeof stored);
	return ok;
}

bool scram_is_current(struct str stored, int64_t iterations)
{
	char wanted[64];

	snprintf(wanted, sizeof wanted, PREFIX "%lld,", (long long)iterations);
	return str_starts(stored, str_c(wanted));
}

static void derive(
	const uint8_t secret[SCRAM_SECRET], char what, struct str login, void *out, size_t len)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, secret, SCRAM_SECRET, len);
	crypto_generichash_update(&state, (const uint8_t *)&what, 1);
	crypto_generichash_update(&state, (const uint8_t *)login.data, login.len);
	crypto_generichash_final(&state, out, len);
}

void scram_keys_nobody(const uint8_t secret[SCRAM_SECRET], struct str login, int64_t iterations,
	char out[SCRAM_TEXT])
{
	char stored[KEY], server[KEY];
	uint8_t salt[SALT];

	derive(secret, 's', login, salt, sizeof salt);
	derive(secret, 'k', login, stored, sizeof stored);
	derive(secret, 'v', login, server, sizeof server);
	keys_write(iterations, salt, stored, server, out);
}

/* ---- the library's questions ------------------------------------------------------------- */

static bool property_set(Gsasl_session *session, Gsasl_property property, struct str value)
{
	return gsasl_property_set_raw(session, property, value.data, value.len) == GSASL_OK;
}

static bool keys_give(Gsasl_session *session, struct str keys)
{
	struct str iterations, salt, stored, server;

	if (!str_starts(keys, STR(PREFIX)))
		return false;
	keys = str_slice(keys, sizeof PREFIX - 1, keys.len);
	return str_split(&keys, ',', &iterations) && str_split(&keys, ',', &salt) &&
		str_split(&keys, ',', &stored) && str_split(&keys, ',', &server) && !keys.data &&
		property_set(session, GSASL_SCRAM_ITER, iterations) &&
		property_set(session, GSASL_SCRAM_SALT, salt) &&
		property_set(session, GSASL_SCRAM_STOREDKEY, stored) &&
		property_set(session, GSASL_SCRAM_SERVERKEY, server);
}

static int asked(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	struct scram *s = gsasl_session_hook_get(session);
	char keys[SCRAM_TEXT] = "";
	bool given;

	(void)library;
	if (!s || !s->lookup || s->later || property != GSASL_SCRAM_ITER)
		return GSASL_NO_CALLBACK;
	if (s->lookup->find(s->lookup->ctx, scram_login(s), keys) == SCRAM_TRY_LATER) {
		s->later = true;
		return GSASL_NO_CALLBACK;
	}
	given = keys_give(session, str_c(keys));
	sodium_memzero(keys, sizeof keys);
	return given ? GSASL_OK : GSASL_NO_CALLBACK;
}

void scram_setup(Gsasl *library)
{
	gsasl_callback_set(library, asked);
}

/* ---- an exchange ------------------------------------------------------------------------- */

struct scram *scram_new(Gsasl *library, bool plus)
{
	struct scram *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->plus = plus;
	if (gsasl_server_start(library, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256",
		    &s->session) != GSASL_OK) {
		free(s);
		return NULL;
	}
	gsasl_session_hook_set(s->session, s);
	return s;
}

void scram_free(struct scram **s)
{
	if (!*s)
		return;
	gsasl_finish((*s)->session);
	free(*s);
	*s = NULL;
}

struct str scram_login(const struct scram *s)
{
	return str_c(gsasl_property_fast(s->session, GSASL_AUTHID));
}

struct str scram_authorize(const struct scram *s)
{
	return str_c(gsasl_property_fast(s->session, GSASL_AUTHZID));
}

/* The first message says what the client thinks of binding: "p=" and its kind, "y" that it could
 * but we cannot, "n" that it cannot. */
static bool binding_agreed(const struct scram *s, struct str first, struct str binding)
{
	if (s->plus)
		return binding.len > 0 && str_starts(first, STR("p=tls-exporter,"));
	return !str_starts(first, STR("p=")) && !(binding.len > 0 && str_starts(first, STR("y,")));
}

static bool binding_give(struct scram *s, struct str binding)
{
	struct buf text = { 0 };
	bool ok;

	base64_encode(&text, binding);
	ok = property_set(s->session, GSASL_CB_TLS_EXPORTER, buf_str(&text));
	buf_free(&text);
	return ok;
}

/* In base64 it is a line of 512 octets, as a client may expect of any reply. The client's nonce is
 * said again in it, and those of programs have some 24 octets. */
enum { CHALLENGE_MOST = 372 };

enum scram_result scram_step(struct scram *s, struct str in, struct str binding,
	const struct scram_lookup *lookup, struct buf *out)
{
	char *challenge = NULL;
	size_t len = 0;
	int status;

	if (!s->begun && in.len == 0 && !s->invited) {
		s->invited = true; /* it speaks first, and wants to be asked to */
		return SCRAM_MORE;
	}
	if (!s->begun) {
		s->begun = true;
		if (in.len == 0 || !binding_agreed(s, in, binding) ||
			(s->plus && !binding_give(s, binding)))
			return SCRAM_WRONG;
	}
	s->lookup = lookup;
	status = gsasl_step(s->session, in.data, in.len, &challenge, &len);
	s->lookup = NULL;
	if (s->later) /* the library would go on with a salt of its own */
		status = GSASL_MALLOC_ERROR;
	if (status == GSASL_NEEDS_MORE && len > CHALLENGE_MOST)
		status = GSASL_MECHANISM_PARSE_ERROR;
	if (status == GSASL_OK || status == GSASL_NEEDS_MORE)
		buf_add(out, str_make(challenge, len));
	gsasl_free(challenge);
	if (status == GSASL_OK)
		return SCRAM_RIGHT;
	if (status == GSASL_NEEDS_MORE)
		return SCRAM_MORE;
	return status == GSASL_MALLOC_ERROR ? SCRAM_LATER : SCRAM_WRONG;
}
