/* SPDX-License-Identifier: MIT
 *
 * HELO and EHLO (RFC 5321 4.1.1.1): who the client says it is, and what we offer. Either may be
 * repeated, and ends the transaction there was.
 */
#include "mail/domain.h"
#include "smtp/auth.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

#include <inttypes.h>
#include <stdlib.h>

/* What goes into a Received field and a log line: no blanks, nothing that ends a comment or a
 * phrase there. Names with underscores and other wild ones are common and harm nobody. */
static bool name_fits(struct str name)
{
	if (name.len == 0 || name.len > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] == 0x7f ||
			memchr("()<>@,;\\\"", name.data[i], 9))
			return false;
	return true;
}

static bool is_full(struct str name)
{
	return domain_or_literal(name) && (name.data[0] == '[' || str_find(name, '.') > 0);
}

static bool check_hello(struct session *s, struct str argument, uint32_t esmtp)
{
	if (!name_fits(argument))
		return verb_refuse(s, SAY_HELLO_SYNTAX);
	if (s->settings->helo_fqdn && !is_full(argument))
		return verb_refuse(s, SAY_HELLO_FQDN);
	if (s->helo)
		s->junk++;
	s->event.helo.name = tm_str(verb_keep(s, argument));
	s->event.helo.esmtp = esmtp;
	return true;
}

bool check_helo(struct session *s, const struct command *command)
{
	return check_hello(s, command->argument, 0);
}

bool check_ehlo(struct session *s, const struct command *command)
{
	return check_hello(s, command->argument, 1);
}

/* In the order of the RFCs' age; RFC 9422 for LIMITS; what may not be there last. */
static void offer(struct session *s)
{
	const struct smtp_settings *settings = s->settings;
	struct buf *out = stream_output(s->stream);

	buf_add(out, STR("250-"));
	buf_add(out, str_tm(settings->hostname));
	buf_printf(out, "\r\n250-SIZE %" PRId64 "\r\n", settings->max_message_size);
	buf_add(out,
		STR("250-8BITMIME\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
		    "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n"));
	if (settings->max_recipients || settings->max_messages) {
		buf_add(out, STR("250-LIMITS"));
		if (settings->max_messages)
			buf_printf(out, " MAILMAX=%" PRId64, settings->max_messages);
		if (settings->max_recipients)
			buf_printf(out, " RCPTMAX=%" PRId64, settings->max_recipients);
		buf_add(out, STR("\r\n"));
	}
	if (tls_offered(s))
		buf_add(out, STR("250-STARTTLS\r\n"));
	auth_offer(s, out);
	buf_add(out, STR("250 HELP\r\n"));
}

void act_hello(struct session *s, const struct chain_answer *answer)
{
	struct tmail_client *client = &s->subject.client;

	(void)answer;
	transaction_end(s);
	free(s->helo);
	s->helo = s->said;
	s->said = NULL;
	s->esmtp = s->event.helo.esmtp != 0;
	client->helo = tm_str(str_c(s->helo));
	client->flags = (client->flags & ~(uint32_t)TMAIL_CLIENT_ESMTP) |
		(s->esmtp ? TMAIL_CLIENT_ESMTP : 0);
	session_enter(s, STATE_READY);
	log_event(LEVEL_DEBUG, &s->log, "hello", LOG_STR("helo", str_tm(client->helo)),
		LOG_C("verb", s->esmtp ? "EHLO" : "HELO"));
	if (s->esmtp) {
		offer(s);
		return;
	}
	buf_add(stream_output(s->stream), STR("250 "));
	buf_add(stream_output(s->stream), str_tm(s->settings->hostname));
	buf_add(stream_output(s->stream), STR("\r\n"));
}
