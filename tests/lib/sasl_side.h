/* SPDX-License-Identifier: MIT
 *
 * The server's side of logins for peers, by GNU SASL: one login and password, any mechanism.
 */
#ifndef TESTS_LIB_SASL_SIDE_H
#define TESTS_LIB_SASL_SIDE_H

#include "base/encode.h"
#include "tests/lib/peer.h"

#include <gsasl.h>
#include <stdlib.h>

#define SASL_LOGIN "me@example.com"
#define SASL_PASSWORD "pass word\xc3\xa9"
/* What of it may be wrong. */
static const char *sasl_password = SASL_PASSWORD;
static const char *sasl_rounds = "4096";

static inline void sasl_binding(Gsasl_session *session, const struct connection *c)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	uint8_t octets[32];
	struct buf text = { 0 };

	if (!peer_ssl(c) ||
		!SSL_export_keying_material(
			peer_ssl(c), octets, sizeof octets, label, sizeof label - 1, NULL, 0, 0))
		return;
	base64_encode(&text, str_make((const char *)octets, sizeof octets));
	gsasl_property_set(session, GSASL_CB_TLS_EXPORTER, buf_c(&text));
	buf_free(&text);
}

static inline int sasl_asked(Gsasl *library, Gsasl_session *session, Gsasl_property what)
{
	const char *login;

	(void)library;
	if (what == GSASL_PASSWORD)
		return gsasl_property_set(session, GSASL_PASSWORD, sasl_password);
	if (what == GSASL_SCRAM_ITER)
		return gsasl_property_set(session, GSASL_SCRAM_ITER, sasl_rounds);
	if (what != GSASL_VALIDATE_SIMPLE)
		return GSASL_NO_CALLBACK;
	login = gsasl_property_fast(session, GSASL_AUTHID);
	return login && !strcmp(login, SASL_LOGIN) &&
			!strcmp(gsasl_property_fast(session, GSASL_PASSWORD), sasl_password)
		? GSASL_OK
		: GSASL_AUTHENTICATION_ERROR;
}

static inline void sasl_challenge(struct connection *c, struct str octets)
{
	struct buf line = { 0 };

	buf_add_c(&line, "334 ");
	base64_encode(&line, octets);
	buf_add_c(&line, "\r\n");
	peer_say(c, buf_str(&line));
	buf_free(&line);
}

/* From the line AUTH, which is read if it is empty, to the final reply. For peer_call. */
static inline bool sasl_serve(struct connection *c, struct str said)
{
	struct buf line = { 0 }, in = { 0 };
	struct str rest, word, mechanism = STR("");
	Gsasl_session *session = NULL;
	Gsasl *library;
	char name[32] = "", *out = NULL;
	size_t len = 0;
	int code = GSASL_NEEDS_MORE;
	bool alive = true, initial;

	if (said.len == 0) {
		alive = peer_hear_line(c, &line);
		said = buf_str(&line);
	}
	rest = said;
	str_word(&rest, &word);
	if (str_word(&rest, &mechanism) && mechanism.len < sizeof name)
		memcpy(name, mechanism.data, mechanism.len);
	initial = str_word(&rest, &word);
	if (initial && !str_equal(word, STR("=")))
		base64_decode(&in, word);
	must(gsasl_init(&library) == GSASL_OK);
	gsasl_callback_set(library, sasl_asked);
	if (!alive || gsasl_server_start(library, name, &session) != GSASL_OK) {
		peer_say(c, STR("504 5.5.4 no such mechanism\r\n"));
		goto over;
	}
	gsasl_property_set(session, GSASL_SCRAM_ITER, sasl_rounds);
	sasl_binding(session, c);
	if (!initial && (!strcmp(name, "PLAIN") || !strncmp(name, "SCRAM", 5))) {
		peer_say(c, STR("334 \r\n"));
		alive = peer_hear_line(c, &line) && base64_decode(&in, buf_str(&line));
	}
	while (alive) {
		code = gsasl_step(session, in.len ? in.data : NULL, in.len, &out, &len);
		if (code != GSASL_NEEDS_MORE && !(code == GSASL_OK && len > 0))
			break;
		sasl_challenge(c, str_make(out, len));
		free(out);
		out = NULL;
		buf_clear(&in);
		alive = peer_hear_line(c, &line) && !str_equal(buf_str(&line), STR("*")) &&
			base64_decode(&in, buf_str(&line));
		if (code == GSASL_OK)
			break;
	}
	peer_say(c,
		alive && code == GSASL_OK ? STR("235 2.7.0 welcome\r\n")
					  : STR("535 5.7.8 who are you?\r\n"));
over:
	free(out);
	if (session)
		gsasl_finish(session);
	gsasl_done(library);
	buf_free(&line);
	buf_free(&in);
	return alive;
}

#endif
