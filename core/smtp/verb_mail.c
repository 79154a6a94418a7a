/* SPDX-License-Identifier: MIT
 *
 * MAIL (RFC 5321 4.1.1.2): a transaction begins. Its message is made when the syntax is looked
 * at, because what is read of the line lives as long as the message.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "smtp/place.h"
#include "smtp/sender.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

/* AUTH= says who submitted it (RFC 4954 5). From who is logged in it is believed, and goes with
 * the message; from anybody else it is as if AUTH=<> had been said, which is what no word of it
 * means. */
static void mail_submitter(struct session *s)
{
	const struct transaction *t = s->transaction;

	if (t->mail.has_auth && (s->subject.client.flags & TMAIL_CLIENT_AUTHENTICATED))
		message_note_set(t->message, STR("smtp.auth"), t->mail.auth);
}

/* The path and the parameters behind it, into the envelope. */
static bool mail_read(struct session *s, struct str argument)
{
	const unsigned flags = ADDRESS_UTF8 | ADDRESS_NULL | ADDRESS_NO_BRACKETS;
	struct transaction *t = s->transaction;
	struct tmail_envelope *envelope = &t->message->envelope;
	struct parameters given;
	enum address_result path;
	enum parameter_result read;
	struct address address;
	struct str bad;

	path = address_path(&argument, flags, t->message->arena, &address);
	if (path != ADDRESS_OK)
		return verb_refuse_address(s, path, "5.1.7");
	if (!parameters_parse(argument, &given, &bad))
		return verb_refuse_parameter(s, PARAMETER_BAD, bad);
	read = mail_parameters_read(&given, t->message->arena, &t->mail, &bad);
	if (read != PARAMETER_OK)
		return verb_refuse_parameter(s, read, bad);
	if (address.utf8 && !t->mail.smtputf8)
		return verb_refuse(s, SAY_UTF8_NOT_SAID);
	if (t->mail.has_size && s->settings->max_message_size &&
		t->mail.size > (uint64_t)s->settings->max_message_size)
		return verb_refuse(s, SAY_TOO_LARGE);
	envelope->sender = tm_str(address.text);
	envelope->body = t->mail.body;
	envelope->ret = t->mail.ret;
	envelope->smtputf8 = t->mail.smtputf8;
	envelope->envid = tm_str(t->mail.envid);
	envelope->declared_size = t->mail.size;
	mail_submitter(s);
	if (chain_hooked(s->subject.generation, TMAIL_POINT_MAIL))
		transaction_parameters(t, &given);
	s->event.mail.sender = envelope->sender;
	s->event.mail.parameters = t->parameter_list;
	return true;
}

bool check_mail(struct session *s, const struct command *command)
{
	const struct smtp_settings *settings = s->settings;
	struct str argument = command->argument;
	bool logged_in = s->subject.client.flags & TMAIL_CLIENT_AUTHENTICATED;

	if (settings->helo_required && !s->helo)
		return verb_refuse(s, SAY_HELLO_FIRST);
	if (tls_missing(s))
		return verb_refuse(s, SAY_TLS_FIRST);
	if (s->place->server->role != ROLE_MX && !logged_in)
		return verb_refuse(s, SAY_LOGIN_FIRST);
	if (settings->max_messages && s->messages >= settings->max_messages)
		return verb_refuse(s, SAY_TOO_MANY_MESSAGES);
	if (!command_keyword(&argument, STR("FROM:")) || argument.len == 0)
		return verb_refuse(s, SAY_MAIL_SYNTAX);
	transaction_start(s);
	if (mail_read(s, argument))
		return true;
	transaction_end(s);
	return false;
}

static void client_known(struct session *s, bool ok)
{
	(void)ok; /* when it cannot be looked up now, RCPT tries again, and says so */
	verb_proceed(s);
}

/* Whether the client may relay is known before modules are asked: they treat it as one of ours. */
bool prepare_mail(struct session *s)
{
	bool ok;

	s->transaction->begun = true;
	relay_client_forget(s);
	return relay_client(s, client_known, &ok);
}

static void mail_refuse(struct session *s, enum say say)
{
	log_event(LEVEL_INFO, &s->log, "refused", LOG_C("verb", "MAIL"),
		LOG_C("client", s->address),
		LOG_STR("from", str_tm(s->transaction->message->envelope.sender)),
		LOG_NUM("code", say_row(say)->code));
	transaction_end(s);
	session_say(s, say);
}

/* Room in the store is asked for before anything is promised; a size that was said is kept free
 * from now on. */
static enum say mail_reserve(struct session *s)
{
	struct message *m = s->transaction->message;

	switch (server_upcalls()->reserve(&s->subject, m->envelope.declared_size)) {
	case COMMIT_DURABLE:
		m->reserved = m->envelope.declared_size;
		return SAY_NOTHING;
	case COMMIT_FULL:
		metric_add(METRIC_limit_memory, 1);
		return SAY_NO_ROOM;
	case COMMIT_TRY_LATER:
		break;
	}
	return SAY_LATER;
}

static void sender_known(struct session *s, enum say say)
{
	struct message *m = s->transaction->message;

	if (say == SAY_NOTHING)
		say = mail_reserve(s);
	if (say != SAY_NOTHING) {
		mail_refuse(s, say);
		return;
	}
	m->relay = s->subject.client.flags & (TMAIL_CLIENT_AUTHENTICATED | TMAIL_CLIENT_RELAY);
	session_enter(s, STATE_MAIL);
	session_say(s, SAY_SENDER_OK);
}

void act_mail(struct session *s, const struct chain_answer *answer)
{
	enum say say;

	(void)answer;
	if (sender_ask(s, sender_known, &say))
		sender_known(s, say);
}

void refused_mail(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	transaction_end(s);
}
