/* SPDX-License-Identifier: MIT
 *
 * RCPT (RFC 5321 4.1.1.3): one more recipient, if modules and the relay decision agree.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

/* Where "no limit" ends, and how many refused recipients a transaction may try beside. */
enum { RECIPIENTS_MAX = 100000, TRIED_MORE = 1000 };

static uint32_t recipients_max(const struct session *s)
{
	return s->settings->max_recipients ? (uint32_t)s->settings->max_recipients : RECIPIENTS_MAX;
}

/* "postmaster" alone is ours (RFC 5321 4.5.1). */
static struct str whole_address(struct session *s, const struct address *address)
{
	struct arena *arena = s->transaction->message->arena;

	if (address->domain.len > 0)
		return address->text;
	return arena_printf(arena, "%.*s@%.*s", STR_ARG(address->text),
		(int)s->settings->hostname.len, s->settings->hostname.data);
}

static bool rcpt_read(struct session *s, struct str argument)
{
	const unsigned flags = ADDRESS_UTF8 | ADDRESS_POSTMASTER | ADDRESS_NO_BRACKETS;
	struct transaction *t = s->transaction;
	struct message *m = t->message;
	struct rcpt_parameters wanted;
	struct parameters given;
	enum address_result path;
	enum parameter_result read;
	struct address address;
	struct str bad;

	path = address_path(&argument, flags, m->arena, &address);
	if (path != ADDRESS_OK)
		return verb_refuse_address(s, path, "5.1.3");
	if (!parameters_parse(argument, &given, &bad))
		return verb_refuse_parameter(s, PARAMETER_BAD, bad);
	read = rcpt_parameters_read(&given, m->arena, &wanted, &bad);
	if (read != PARAMETER_OK)
		return verb_refuse_parameter(s, read, bad);
	if (address.utf8 && !t->mail.smtputf8)
		return verb_refuse(s, SAY_UTF8_NOT_SAID);
	t->recipient = (struct tmail_recipient){ .index = (uint32_t)m->recipient_count,
		.notify = wanted.notify,
		.address = tm_str(whole_address(s, &address)),
		.original = tm_str(wanted.original) };
	if (chain_hooked(s->subject.generation, TMAIL_POINT_RCPT))
		transaction_parameters(t, &given);
	s->event.rcpt.recipient = &t->recipient;
	s->event.rcpt.parameters = t->parameter_list;
	return true;
}

static bool rcpt_check(struct session *s, struct str argument)
{
	struct transaction *t = s->transaction;
	uint32_t max = recipients_max(s);

	if (!command_keyword(&argument, STR("TO:")) || argument.len == 0)
		return verb_refuse(s, SAY_RCPT_SYNTAX);
	t->tried++;
	if (t->tried > max + TRIED_MORE)
		s->errors++; /* who cannot hear "too many" is not told so for ever */
	if (t->taken >= max || t->tried > max + TRIED_MORE)
		return verb_refuse(s, SAY_TOO_MANY_RECIPIENTS);
	return rcpt_read(s, argument);
}

bool check_rcpt(struct session *s, const struct command *command)
{
	if (rcpt_check(s, command->argument))
		return true;
	metric_add(METRIC_recipients_refused, 1);
	return false;
}

static void rcpt_take(struct session *s)
{
	struct transaction *t = s->transaction;
	const struct tmail_recipient *r = &t->recipient;

	t->taken++;
	if (!message_has_recipient(t->message, str_tm(r->address)))
		message_add_recipient(
			t->message, str_tm(r->address), str_tm(r->original), r->notify);
	if (s->state != STATE_RCPT)
		session_enter(s, STATE_RCPT);
	session_say(s, SAY_RECIPIENT_OK);
}

static void rcpt_log(struct session *s, const char *reason)
{
	const struct transaction *t = s->transaction;

	metric_add(METRIC_recipients_refused, 1);
	log_event(LEVEL_INFO, &s->log, "refused", LOG_C("verb", "RCPT"), LOG_C("reason", reason),
		LOG_C("client", s->address), LOG_STR("from", str_tm(t->message->envelope.sender)),
		LOG_STR("to", str_tm(t->recipient.address)));
}

static void rcpt_decided(struct session *s, enum relay_result result)
{
	struct str address = str_tm(s->transaction->recipient.address);

	switch (result) {
	case RELAY_LOCAL:
	case RELAY_YES:
		rcpt_take(s);
		return;
	case RELAY_NO_USER:
		s->bad_recipients++;
		rcpt_log(s, "no_user");
		session_say(s, SAY_NO_SUCH_USER);
		return;
	case RELAY_DENIED:
		s->bad_recipients++;
		metric_add(METRIC_relay_denied, 1);
		rcpt_log(s, "relay_denied");
		session_sayf(s, 554, "5.7.1", "<%.*s>: Relay access denied.", STR_ARG(address));
		return;
	case RELAY_LATER:
		rcpt_log(s, "lookup");
		session_say(s, SAY_LOOKUP_LATER);
		return;
	}
}

/* A message that will be thrown away needs no recipient that exists. */
void act_rcpt(struct session *s, const struct chain_answer *answer)
{
	struct transaction *t = s->transaction;
	enum relay_result result;

	if (answer->relay || t->message->discard)
		rcpt_take(s);
	else if (relay_ask(s, str_tm(t->recipient.address), rcpt_decided, &result))
		rcpt_decided(s, result);
}

void refused_rcpt(struct session *s, const struct chain_answer *answer)
{
	metric_add(METRIC_recipients_refused, 1);
	if (answer->verdict == TMAIL_REJECT)
		s->bad_recipients++;
}
