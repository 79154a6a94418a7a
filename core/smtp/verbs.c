/* SPDX-License-Identifier: MIT
 *
 * The table of verbs, and how a verb goes through it: check, prepare, ask the modules, act.
 */
#include "smtp/verbs.h"

#include "base/log.h"
#include "host/metrics.h"
#include "smtp/transaction.h"

#include <stdlib.h>

/* ---- the table --------------------------------------------------------------------------- */

#define IN(state) (1u << STATE_##state)
#define IDLE (IN(START) | IN(READY))
#define OPEN (IN(MAIL) | IN(RCPT))
#define ANY (IDLE | OPEN | IN(CHUNKS))
#define NOBODY TMAIL_POINTS

static const struct verb verbs[] = {
	{ STR_INIT("MAIL"), IDLE, 0, SAY_SENDER_TWICE, check_mail, prepare_mail, TMAIL_POINT_MAIL,
		act_mail, refused_mail },
	{ STR_INIT("RCPT"), OPEN, 0, SAY_MAIL_FIRST, check_rcpt, NULL, TMAIL_POINT_RCPT, act_rcpt,
		refused_rcpt },
	{ STR_INIT("DATA"), OPEN, 0, SAY_MAIL_FIRST, check_data, NULL, TMAIL_POINT_DATA, act_data,
		refused_data },
	{ STR_INIT("BDAT"), ANY, 0, SAY_NOTHING, check_bdat, NULL, NOBODY, act_bdat, NULL },
	{ STR_INIT("EHLO"), ANY, VERB_ALONE, SAY_NOTHING, check_ehlo, NULL, TMAIL_POINT_HELO,
		act_hello, NULL },
	{ STR_INIT("HELO"), ANY, VERB_ALONE, SAY_NOTHING, check_helo, NULL, TMAIL_POINT_HELO,
		act_hello, NULL },
	{ STR_INIT("STARTTLS"), IDLE, VERB_ALONE, SAY_TLS_IN_MAIL, check_starttls, NULL, NOBODY,
		act_starttls, NULL },
	{ STR_INIT("AUTH"), ANY, VERB_ALONE | VERB_SECRET, SAY_NOTHING, check_auth, prepare_auth,
		TMAIL_POINT_AUTH, act_auth, refused_auth },
	{ STR_INIT("RSET"), ANY, VERB_JUNK, SAY_NOTHING, check_nothing, NULL, NOBODY, act_rset,
		NULL },
	{ STR_INIT("NOOP"), ANY, VERB_JUNK, SAY_NOTHING, check_anything, NULL, NOBODY, act_noop,
		NULL },
	{ STR_INIT("QUIT"), ANY, 0, SAY_NOTHING, check_anything, NULL, NOBODY, act_quit, NULL },
	{ STR_INIT("VRFY"), ANY, VERB_JUNK, SAY_NOTHING, check_vrfy, NULL, NOBODY, act_vrfy, NULL },
	{ STR_INIT("EXPN"), ANY, VERB_JUNK, SAY_NOTHING, check_expn, NULL, NOBODY, act_expn, NULL },
	{ STR_INIT("HELP"), ANY, VERB_JUNK, SAY_NOTHING, check_anything, NULL, NOBODY, act_help,
		NULL },
	/* a web browser that was talked into sending mail */
	{ STR_INIT("GET"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
	{ STR_INIT("POST"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
	{ STR_INIT("PUT"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
	{ STR_INIT("HEAD"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
	{ STR_INIT("OPTIONS"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
	{ STR_INIT("CONNECT"), ANY, 0, SAY_NOTHING, check_not_smtp, NULL, NOBODY, NULL, NULL },
};

static const struct verb unknown = { STR_INIT(""), ANY, 0, SAY_NOTHING, check_unknown, NULL,
	TMAIL_POINT_UNKNOWN, act_unknown, NULL };

const struct verb *verbs_all(size_t *count)
{
	*count = sizeof verbs / sizeof *verbs;
	return verbs;
}

const struct verb *verb_find(struct str name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_equal_case(verbs[i].name, name))
			return &verbs[i];
	return &unknown;
}

/* ---- what verbs share -------------------------------------------------------------------- */

bool verb_refuse(struct session *s, enum say say)
{
	if (say_row(say)->flags & SAY_CLOSE)
		session_close(s, say, "protocol");
	else
		session_say(s, say);
	return false;
}

bool verb_refuse_address(struct session *s, enum address_result result, const char *enhanced)
{
	s->errors++;
	if (result == ADDRESS_BAD_UTF8 || result == ADDRESS_NEEDS_UTF8)
		session_sayf(s, 553, "5.6.7", "%s", address_explain(result));
	else
		session_sayf(s, 501, enhanced, "%s", address_explain(result));
	return false;
}

bool verb_refuse_parameter(struct session *s, enum parameter_result result, struct str bad)
{
	s->errors++;
	if (result == PARAMETER_UNKNOWN)
		session_sayf(
			s, 555, "5.5.4", "Unknown parameter: %.*s", STR_ARG(str_slice(bad, 0, 64)));
	else if (result == PARAMETER_CONFLICT)
		session_sayf(s, 501, "5.5.4", "Parameters contradict each other: %.*s",
			STR_ARG(str_slice(bad, 0, 64)));
	else
		session_sayf(
			s, 501, "5.5.4", "Bad parameter: %.*s", STR_ARG(str_slice(bad, 0, 64)));
	return false;
}

struct str verb_keep(struct session *s, struct str argument)
{
	free(s->said);
	s->said = str_dup_c(argument);
	return str_make(s->said, argument.len);
}

void verb_say_answer(struct session *s, const struct chain_answer *answer)
{
	log_event(LEVEL_INFO, &s->log, "refused", LOG_STR("verb", s->verb->name),
		LOG_IF(answer->by, LOG_C("module", answer->by ? instance_name(answer->by) : "")),
		LOG_NUM("code", answer->code), LOG_STR("text", answer->text));
	session_say_line(s, answer->code, answer->enhanced, answer->text);
	if (say_ends(answer->code))
		session_close(s, SAY_NOTHING, "module");
}

/* ---- through the table ------------------------------------------------------------------- */

static void verb_refused(struct session *s, const struct chain_answer *answer)
{
	const struct verb *v = s->verb;

	if (answer->code >= 500 && v->point != TMAIL_POINT_RCPT) /* which has its own count */
		s->errors++;
	verb_say_answer(s, answer);
	if (v->refused && s->state != STATE_GONE)
		v->refused(s, answer);
}

/* What is there when a verb was answered that nothing may be sent behind: it was sent before the
 * answer could be read, by a client that does not listen (RFC 2920 3.1, RFC 5321 4.1.4). */
static bool pipelined_too_early(const struct session *s)
{
	return (s->verb->flags & VERB_ALONE) && s->settings->early_pipelining == 1 &&
		stream_input(s->stream).len > 0;
}

static void verb_decide(struct session *s, const struct chain_answer *answer)
{
	if (answer->verdict == TMAIL_REJECT || answer->verdict == TMAIL_TEMPFAIL) {
		verb_refused(s, answer);
	} else {
		if (s->transaction && s->transaction->message)
			transaction_mark(s, answer);
		s->verb->act(s, answer);
	}
	if (pipelined_too_early(s))
		session_close(s, SAY_PIPELINED, "pipelining");
}

static void verb_answered(void *ctx, const struct chain_answer *answer)
{
	struct session *s = ctx;

	session_wake(s);
	verb_decide(s, answer);
	session_run(s);
}

void verb_proceed(struct session *s)
{
	static const struct chain_answer nobody = { .verdict = TMAIL_CONTINUE };
	enum tmail_point point = s->verb->point;
	struct chain_answer answer;

	if (point == NOBODY || !chain_hooked(s->subject.generation, point))
		verb_decide(s, &nobody);
	else if (chain_ask(&s->subject, point, &s->event, &answer, verb_answered, s))
		verb_decide(s, &answer);
	else
		session_wait(s, WAITING_ANSWER);
}
