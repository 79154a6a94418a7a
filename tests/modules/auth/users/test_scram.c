/* SPDX-License-Identifier: MIT
 *
 * SCRAM against GNU SASL's own client, and against messages written by hand.
 */
#include "modules/auth/users/scram.h"

#include "tests/lib/test.h"

#include <sodium.h>

static Gsasl *server, *client;
static char keys[SCRAM_TEXT];
static bool later;
static char asked_for[64];

static enum scram_found find(void *ctx, struct str login, char out[SCRAM_TEXT])
{
	(void)ctx;
	if (later)
		return SCRAM_TRY_LATER;
	snprintf(asked_for, sizeof asked_for, "%.*s", STR_ARG(login));
	memcpy(out, keys, SCRAM_TEXT);
	return SCRAM_FOUND;
}
static const struct scram_lookup lookup = { find, NULL };

static int no_more(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	(void)library, (void)session, (void)property;
	return GSASL_NO_CALLBACK;
}

static void setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(gsasl_init(&server), GSASL_OK);
	ck_assert_int_eq(gsasl_init(&client), GSASL_OK);
	scram_setup(server);
	gsasl_callback_set(client, no_more);
	ck_assert(scram_keys(STR("pencil"), 4096, keys));
	later = false;
}

static void cleanup(void)
{
	gsasl_done(server);
	gsasl_done(client);
}

#define BINDING "0123456789abcdef0123456789abcdef"
#define BINDING_TEXT "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* A whole exchange; the client must have believed the server's last word. */
static enum scram_result exchange(const char *password, bool plus, struct str binding)
{
	struct scram *s = scram_new(server, plus);
	enum scram_result result = SCRAM_MORE;
	Gsasl_session *c;
	struct buf challenge = { 0 };
	char *said;
	size_t len;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(
		gsasl_client_start(client, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", &c),
		GSASL_OK);
	gsasl_property_set(c, GSASL_AUTHID, "joe");
	gsasl_property_set(c, GSASL_PASSWORD, password);
	if (plus)
		gsasl_property_set(c, GSASL_CB_TLS_EXPORTER, BINDING_TEXT);
	while (result == SCRAM_MORE) {
		int status = gsasl_step(c, challenge.data, challenge.len, &said, &len);

		ck_assert(status == GSASL_NEEDS_MORE || status == GSASL_OK);
		buf_clear(&challenge);
		result = scram_step(s, str_make(said, len), binding, &lookup, &challenge);
		gsasl_free(said);
	}
	if (result == SCRAM_RIGHT) {
		ck_assert_int_eq(
			gsasl_step(c, challenge.data, challenge.len, &said, &len), GSASL_OK);
		gsasl_free(said);
		ck_assert(str_equal(scram_login(s), STR("joe")));
		ck_assert_uint_eq(scram_authorize(s).len, 0);
	}
	gsasl_finish(c);
	buf_free(&challenge);
	scram_free(&s);
	return result;
}

START_TEST(who_has_the_password_is_let_in_and_is_told_by_whom)
{
	const struct str none = { NULL, 0 };

	setup();
	ck_assert_int_eq(exchange("pencil", false, none), SCRAM_RIGHT);
	ck_assert_str_eq(asked_for, "joe");
	ck_assert_int_eq(exchange("pencils", false, none), SCRAM_WRONG);
	ck_assert_int_eq(exchange("pencil", false, STR(BINDING)), SCRAM_RIGHT);
	cleanup();
}
END_TEST

START_TEST(a_binding_must_be_that_of_the_connection)
{
	setup();
	ck_assert_int_eq(exchange("pencil", true, STR(BINDING)), SCRAM_RIGHT);
	ck_assert_int_eq(
		exchange("pencil", true, STR("x123456789abcdef0123456789abcdef")), SCRAM_WRONG);
	cleanup();
}
END_TEST

/* `doveadm pw -s SCRAM-SHA-256 -p pencil` */
START_TEST(dovecot_s_keys_are_read)
{
	setup();
	snprintf(keys, sizeof keys,
		"{SCRAM-SHA-256}4096,Q/zHJFKcSS2ldJPYUyJw1w==,"
		"4yUYiYRhyvDi7anqfGth/Arli8yPIGgIySnVPTPEMDE=,"
		"ODZZppmm9TkYzh4YuY7eqJM1GlLHxBOFVIoS7l4N72Y=");
	ck_assert_int_eq(exchange("pencil", false, (struct str){ NULL, 0 }), SCRAM_RIGHT);
	snprintf(keys, sizeof keys, "{SCRAM-SHA-256}4096,Q/zHJFKcSS2ldJPYUyJw1w==");
	ck_assert_int_eq(exchange("pencil", false, (struct str){ NULL, 0 }), SCRAM_WRONG);
	cleanup();
}
END_TEST

static enum scram_result first(const char *text, bool plus, struct str binding)
{
	struct scram *s = scram_new(server, plus);
	struct buf out = { 0 };
	enum scram_result result = scram_step(s, str_c(text), binding, &lookup, &out);

	buf_free(&out);
	scram_free(&s);
	return result;
}

START_TEST(nobody_talks_a_client_out_of_binding)
{
	const struct str none = { NULL, 0 };

	setup();
	ck_assert_int_eq(first("n,,n=joe,r=abc", false, STR(BINDING)), SCRAM_MORE);
	ck_assert_int_eq(first("y,,n=joe,r=abc", false, none), SCRAM_MORE);
	/* It could, and was made to believe that we could not. */
	ck_assert_int_eq(first("y,,n=joe,r=abc", false, STR(BINDING)), SCRAM_WRONG);
	ck_assert_int_eq(first("p=tls-exporter,,n=joe,r=abc", false, STR(BINDING)), SCRAM_WRONG);
	ck_assert_int_eq(first("n,,n=joe,r=abc", true, STR(BINDING)), SCRAM_WRONG);
	ck_assert_int_eq(first("p=tls-unique,,n=joe,r=abc", true, STR(BINDING)), SCRAM_WRONG);
	ck_assert_int_eq(first("p=tls-exporter,,n=joe,r=abc", true, none), SCRAM_WRONG);
	ck_assert_int_eq(first("p=tls-exporter,,n=joe,r=abc", true, STR(BINDING)), SCRAM_MORE);
	ck_assert_int_eq(first("rubbish", false, none), SCRAM_WRONG);
	later = true;
	ck_assert_int_eq(first("n,,n=joe,r=abc", false, none), SCRAM_LATER);
	cleanup();
}
END_TEST

START_TEST(a_nonce_is_not_said_again_beyond_the_length_of_a_line)
{
	char message[1024];

	setup();
	snprintf(message, sizeof message, "n,,n=joe,r=%0250d", 0);
	ck_assert_int_eq(first(message, false, (struct str){ NULL, 0 }), SCRAM_MORE);
	snprintf(message, sizeof message, "n,,n=joe,r=%0400d", 0);
	ck_assert_int_eq(first(message, false, (struct str){ NULL, 0 }), SCRAM_WRONG);
	cleanup();
}
END_TEST

static void asked_once(bool plus, struct str binding)
{
	struct scram *s = scram_new(server, plus);
	struct buf out = { 0 };

	ck_assert_int_eq(scram_step(s, STR(""), binding, &lookup, &out), SCRAM_MORE);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(scram_step(s, STR(""), binding, &lookup, &out), SCRAM_WRONG);
	scram_free(&s);
	buf_free(&out);
}

START_TEST(a_client_may_want_to_be_asked_once)
{
	setup();
	asked_once(true, STR(BINDING));
	asked_once(false, (struct str){ NULL, 0 });
	cleanup();
}
END_TEST

START_TEST(nobody_has_keys_too_and_always_the_same)
{
	static const uint8_t secret[SCRAM_SECRET] = { 1 }, other[SCRAM_SECRET] = { 2 };
	char again[SCRAM_TEXT];

	setup();
	scram_keys_nobody(secret, STR("joe"), 4096, keys);
	scram_keys_nobody(secret, STR("joe"), 4096, again);
	ck_assert_str_eq(keys, again);
	scram_keys_nobody(secret, STR("ann"), 4096, again);
	ck_assert_str_ne(keys, again);
	scram_keys_nobody(other, STR("joe"), 4096, again);
	ck_assert_str_ne(keys, again);
	ck_assert_int_eq(exchange("pencil", false, (struct str){ NULL, 0 }), SCRAM_WRONG);
	ck_assert(scram_keys(STR("pencil"), 4096, again));
	ck_assert_uint_eq(strlen(again), strlen(keys)); /* nothing tells them apart */
	cleanup();
}
END_TEST

TEST_MAIN("auth/users/scram", who_has_the_password_is_let_in_and_is_told_by_whom,
	a_binding_must_be_that_of_the_connection, dovecot_s_keys_are_read,
	nobody_talks_a_client_out_of_binding, a_nonce_is_not_said_again_beyond_the_length_of_a_line,
	a_client_may_want_to_be_asked_once, nobody_has_keys_too_and_always_the_same)
