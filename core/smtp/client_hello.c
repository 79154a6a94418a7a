/* SPDX-License-Identifier: MIT
 *
 * How a connection begins: the greeting, EHLO or HELO, STARTTLS and what is said again after it.
 * What must hold: where TLS must be, nothing but EHLO and STARTTLS is said without it; and what a
 * server said in clear is forgotten once there is TLS (RFC 3207 4.2).
 */
#include "smtp/client_state.h"

#include "base/num.h"

static void say_hello(struct client *c)
{
	client_enter(c, AT_EHLO);
	client_command(
		c, c->settings.protocol == TMAIL_PROTOCOL_LMTP ? "LHLO" : "EHLO", c->settings.helo);
}

void client_greeting_reply(struct client *c)
{
	if (c->reply.code == 220)
		say_hello(c);
	else
		client_fail(c, client_replied(c, STAGE_GREETING));
}

/* ---- what is offered ------------------------------------------------------------------- */

static void offer(struct client *c, struct str line)
{
	static const struct {
		struct str keyword;
		unsigned flag;
	} offers[] = {
		{ STR_INIT("PIPELINING"), CLIENT_PIPELINING },
		{ STR_INIT("8BITMIME"), CLIENT_8BITMIME },
		{ STR_INIT("SIZE"), CLIENT_SIZE },
		{ STR_INIT("SMTPUTF8"), CLIENT_SMTPUTF8 },
		{ STR_INIT("DSN"), CLIENT_DSN },
		{ STR_INIT("CHUNKING"), CLIENT_CHUNKING },
		{ STR_INIT("STARTTLS"), CLIENT_STARTTLS },
		{ STR_INIT("ENHANCEDSTATUSCODES"), CLIENT_ENHANCED },
		{ STR_INIT("AUTH"), CLIENT_AUTH },
	};
	struct str keyword, limit;
	uint64_t size;

	if (!str_word(&line, &keyword))
		return;
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
		if (str_equal_case(keyword, offers[i].keyword))
			c->offers |= offers[i].flag;
	if (str_equal_case(keyword, STR("AUTH")))
		c->mechanisms = arena_str(c->arena, line);
	if (str_equal_case(keyword, STR("SIZE")) && str_word(&line, &limit) &&
		num_u64(limit, &size))
		c->size_limit = size;
}

/* ---- TLS ------------------------------------------------------------------------------- */

/* Where it may be, it may also not be. */
static void go_on_in_clear(struct client *c, const struct client_outcome *why)
{
	if (c->settings.secure == CLIENT_TLS_MUST)
		client_fail(c, *why);
	else
		client_log_in(c);
}

static void hello_is_said(struct client *c)
{
	struct client_outcome none;

	if (c->settings.secure == CLIENT_TLS_NONE || client_tls(c)) {
		client_log_in(c);
	} else if (c->offers & CLIENT_STARTTLS) {
		client_enter(c, AT_STARTTLS);
		buf_add_c(client_output(c), "STARTTLS\r\n");
	} else {
		none = client_status_said(
			c, STAGE_TLS, "4.7.4", "TLS is required, and STARTTLS is not offered");
		go_on_in_clear(c, &none);
	}
}

void client_starttls_reply(struct client *c)
{
	struct client_outcome refused;

	if (c->reply.code == 220 && stream_input(c->stream).len > 0) {
		/* Whoever put it there has no key: it would be taken for the server's own. */
		c->settings.secure = CLIENT_TLS_MUST;
		client_fail(c,
			client_status_said(c, STAGE_TLS, "4.7.5",
				"something was said in clear behind the reply to STARTTLS"));
	} else if (c->reply.code == 220) {
		client_enter(c, AT_TLS);
		stream_connect_tls(c->stream, c->settings.tls, &c->settings.wanted);
	} else {
		refused = client_status_said(c, STAGE_TLS, "4.7.4",
			"TLS is required, and STARTTLS was refused: %u%s%s %.*s", c->reply.code,
			c->reply.enhanced[0] ? " " : "", c->reply.enhanced,
			STR_ARG(buf_str(&c->reply.text)));
		if (c->reply.code / 100 >= 4 && c->reply.code != 421)
			go_on_in_clear(c, &refused);
		else
			client_fail(c, refused);
	}
}

void client_secured(struct client *c)
{
	c->offers = 0;
	c->size_limit = 0;
	c->mechanisms = STR("");
	if (c->settings.implicit)
		client_enter(c, AT_GREETING);
	else
		say_hello(c);
}

/* ---- EHLO, HELO ------------------------------------------------------------------------ */

void client_ehlo_reply(struct client *c)
{
	struct str rest = buf_str(&c->reply.text), line;

	if (c->reply.code / 100 == 5 && c->settings.protocol == TMAIL_PROTOCOL_SMTP) {
		client_enter(c, AT_HELO); /* RFC 5321 4.1.4 */
		client_command(c, "HELO", c->settings.helo);
		return;
	}
	if (c->reply.code != 250) {
		client_fail(c, client_replied(c, STAGE_EHLO));
		return;
	}
	str_split(&rest, '\n', &line); /* who it is */
	while (str_split(&rest, '\n', &line))
		offer(c, line);
	hello_is_said(c);
}

void client_helo_reply(struct client *c)
{
	if (c->reply.code != 250)
		client_fail(c, client_replied(c, STAGE_EHLO));
	else
		hello_is_said(c);
}
