/* SPDX-License-Identifier: MIT
 *
 * The dialogue of a login at a server (RFC 4954). What must hold: not a word of it in clear unless
 * that is allowed; a server that should prove itself and does not is none to send mail to; and what
 * a server says ends it sooner or later, as an outcome that is never for ever: the mail is not to
 * blame.
 */
#include "smtp/client_state.h"

#include "base/encode.h"
#include "mail/sasl.h"

enum { CHALLENGES_MOST = 8, COMMAND_MOST = 512 /* RFC 5321 4.5.3.1.4 */ };

/* "*" ends an exchange; whatever is answered to it, the connection ends. */
static void give_up(struct client *c, const char *why)
{
	c->given_up = arena_str(c->words, str_c(why));
	client_enter(c, AT_AUTH);
	buf_add_c(client_output(c), "*\r\n");
}

/* Base64, behind the command if it is not said yet. False: it would be too long. */
static bool say_response(struct client *c, struct str response)
{
	struct buf line = { 0 };
	bool fits;

	if (!c->auth_said)
		buf_printf(&line, "AUTH %s %s", login_mechanism(c->login)->name,
			response.len ? "" : "=");
	base64_encode(&line, response);
	buf_add_c(&line, "\r\n");
	fits = line.len <= (c->auth_said ? (size_t)SASL_LINE_MAX : (size_t)COMMAND_MOST);
	if (fits)
		buf_add(client_output(c), buf_str(&line));
	c->auth_said |= fits;
	buf_free_secret(&line);
	return fits;
}

static void say_auth(struct client *c)
{
	client_command(c, "AUTH", str_c(login_mechanism(c->login)->name));
	c->auth_said = true;
}

static void stepped(void *ctx, enum login_result result, struct str response, const struct why *why)
{
	struct client *c = ctx;

	c->proven = result == LOGIN_PROVEN;
	if (result == LOGIN_FAILED && !c->auth_said) {
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.8", "login failed: %s", why->text));
	} else if (result == LOGIN_FAILED) {
		give_up(c, why->text);
	} else if (say_response(c, response)) {
		client_enter(c, AT_AUTH);
	} else if (!c->auth_said) { /* it waits for a challenge, as the second line */
		c->unsaid = response;
		say_auth(c);
	} else {
		give_up(c, "a response would be too long");
	}
	client_settle(c);
}

/* Channels of TLS 1.2 have other bindings, which servers may want. */
static bool has_binding(const struct client *c, uint8_t octets[LOGIN_BINDING])
{
	const struct tls_facts *facts = client_tls(c);

	return facts && strcmp(facts->version, "TLSv1.3") == 0 &&
		tls_exporter(stream_tls(c->stream), octets);
}

static void begin(struct client *c, const struct login_mechanism *mechanism)
{
	uint8_t binding[LOGIN_BINDING];
	struct login_settings settings = { .login = c->settings.login,
		.password = c->settings.password,
		.workers = c->settings.workers };

	if (has_binding(c, binding))
		settings.binding = binding;
	c->login = login_new(c->loop, mechanism, &settings);
	c->auth_said = c->proven = false;
	c->unsaid = (struct str){ NULL, 0 };
	client_enter(c, AT_AUTH);
	if (mechanism->first)
		login_step(c->login, STR(""), stepped, c);
	else
		say_auth(c);
}

/* The strongest mechanism below that one. */
static void choose(struct client *c, const struct login_mechanism *below)
{
	uint8_t binding[LOGIN_BINDING];
	const struct login_mechanism *m =
		login_choose(c->mechanisms, has_binding(c, binding), below);

	if (m)
		begin(c, m);
	else if (c->offers & CLIENT_AUTH)
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.4",
				"a login is required, and no mechanism of ours is offered: %.*s",
				STR_ARG(c->mechanisms)));
	else
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.4",
				"a login is required, and AUTH is not offered"));
}

void client_log_in(struct client *c)
{
	if (c->settings.login.len == 0)
		client_enter(c, AT_IDLE);
	else if (!client_tls(c) && !c->settings.login_clear)
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.11",
				"a login is required, and is not said in clear"));
	else
		choose(c, NULL);
}

static void challenged(struct client *c)
{
	struct buf challenge = { 0 };

	if (++c->challenges > CHALLENGES_MOST) {
		give_up(c, "there is no end to its challenges");
	} else if (c->unsaid.data) {
		say_response(c, c->unsaid);
		c->unsaid.data = NULL;
		client_enter(c, AT_AUTH);
	} else if (c->proven) {
		give_up(c, "a challenge too many");
	} else if (!base64_decode(&challenge, buf_str(&c->reply.text))) {
		give_up(c, "a challenge that is not base64");
	} else {
		login_step(c->login, buf_str(&challenge), stepped, c);
	}
	buf_free_secret(&challenge);
}

static void refused(struct client *c)
{
	const struct login_mechanism *m = login_mechanism(c->login);

	if (c->reply.code == 504 && c->challenges == 0) { /* offered, and not there */
		login_end(&c->login);
		choose(c, m);
		return;
	}
	client_fail(c,
		client_status_said(c, STAGE_AUTH, c->reply.code == 535 ? "4.7.8" : "4.7.0",
			"login refused: %u%s%s %.*s", c->reply.code,
			c->reply.enhanced[0] ? " " : "", c->reply.enhanced,
			STR_ARG(buf_str(&c->reply.text))));
}

void client_auth_reply(struct client *c)
{
	if (c->given_up.data) {
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.8", "login failed: %.*s",
				STR_ARG(c->given_up)));
	} else if (login_busy(c->login)) {
		client_out_of_turn(c);
	} else if (c->reply.code == 334) {
		challenged(c);
	} else if (c->reply.code / 100 == 2 && c->proven && !c->unsaid.data) {
		c->mechanism = login_mechanism(c->login)->name;
		login_end(&c->login);
		client_enter(c, AT_IDLE);
	} else if (c->reply.code / 100 == 2) {
		client_fail(c,
			client_status_said(c, STAGE_AUTH, "4.7.8",
				"login failed: the server said yes and did not prove itself"));
	} else {
		refused(c);
	}
}
