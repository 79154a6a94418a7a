/* SPDX-License-Identifier: MIT
 *
 * The verbs that carry no mail: RSET, NOOP, QUIT, HELP, VRFY, EXPN, and those that are not for
 * us at all.
 */
#include "host/metrics.h"
#include "smtp/transaction.h"
#include "smtp/verbs.h"

bool check_nothing(struct session *s, const struct command *command)
{
	return command->argument.len == 0 || verb_refuse(s, SAY_NO_ARGUMENT);
}

bool check_anything(struct session *s, const struct command *command)
{
	(void)s;
	(void)command;
	return true;
}

void act_rset(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	if (s->transaction) {
		transaction_end(s);
		session_enter(s, session_rest(s));
	}
	session_say(s, SAY_OK);
}

void act_noop(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	session_say(s, SAY_OK);
}

void act_help(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	session_say(s, SAY_HELP);
}

void act_quit(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	session_close(s, SAY_BYE, "quit");
}

/* ---- VRFY, EXPN: by default they tell nothing (RFC 5321 7.3) ------------------------------ */

static bool may_verify(struct session *s)
{
	if (s->settings->max_vrfy && s->verified >= s->settings->max_vrfy)
		return verb_refuse(s, SAY_TOO_MANY_VRFY);
	s->verified++;
	return true;
}

bool check_vrfy(struct session *s, const struct command *command)
{
	if (command->argument.len == 0)
		return verb_refuse(s, SAY_VRFY_SYNTAX);
	if (!may_verify(s))
		return false;
	verb_keep(s, command->argument);
	return true;
}

bool check_expn(struct session *s, const struct command *command)
{
	if (command->argument.len == 0)
		return verb_refuse(s, SAY_EXPN_SYNTAX);
	return may_verify(s);
}

static void verified(struct session *s, enum relay_result result)
{
	struct transaction *t = s->transaction;

	switch (result) {
	case RELAY_LOCAL:
		session_sayf(s, 250, "2.1.5", "<%.*s>", STR_ARG(t->relay.address));
		break;
	case RELAY_NO_USER:
		session_say(s, SAY_NO_SUCH_USER);
		break;
	case RELAY_YES:
	case RELAY_DENIED:
		session_say(s, SAY_CANNOT_VERIFY);
		break;
	case RELAY_LATER:
		session_say(s, SAY_LOOKUP_LATER);
		break;
	}
	if (!t->message)
		transaction_end(s);
}

/* With the tables' own words; the question needs a place of its own without a transaction. */
static void verify(struct session *s, struct str argument)
{
	struct address address;
	enum address_result parsed;
	enum relay_result result;

	if (!s->transaction)
		transaction_bare(s);
	parsed = address_path(&argument, ADDRESS_UTF8 | ADDRESS_NO_BRACKETS,
		transaction_arena(s->transaction), &address);
	if (parsed != ADDRESS_OK) {
		verb_refuse_address(s, parsed, "5.1.3");
		if (!s->transaction->message)
			transaction_end(s);
		return;
	}
	if (relay_ask(s, address.text, verified, &result))
		verified(s, result);
}

void act_vrfy(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	if (s->settings->vrfy)
		verify(s, str_c(s->said));
	else
		session_say(s, SAY_CANNOT_VERIFY);
}

void act_expn(struct session *s, const struct chain_answer *answer)
{
	(void)answer;
	session_say(s, SAY_CANNOT_EXPAND);
}

/* ---- not for us -------------------------------------------------------------------------- */

bool check_not_smtp(struct session *s, const struct command *command)
{
	(void)command;
	return verb_refuse(s, SAY_NOT_SMTP);
}

bool check_unknown(struct session *s, const struct command *command)
{
	struct str verb = command->verb, line;

	if (!chain_hooked(s->subject.generation, TMAIL_POINT_UNKNOWN))
		return verb_refuse(s, SAY_UNKNOWN_COMMAND);
	/* Both are pieces of one line. */
	line = str_make(verb.data, verb.len);
	if (command->argument.len > 0)
		line.len = (size_t)(command->argument.data + command->argument.len - verb.data);
	line = verb_keep(s, line);
	s->event.unknown.verb = tm_str(str_slice(line, 0, verb.len));
	s->event.unknown.argument =
		tm_str(str_slice(line, line.len - command->argument.len, command->argument.len));
	return true;
}

void act_unknown(struct session *s, const struct chain_answer *answer)
{
	if (answer->verdict != TMAIL_ACCEPT)
		session_say(s, SAY_UNKNOWN_COMMAND);
	else if (answer->code >= 200 && answer->code < 400)
		session_say_line(s, answer->code, answer->enhanced, answer->text);
	else
		session_say_line(s, 250, "2.0.0", answer->text.len ? answer->text : STR("Ok"));
}
