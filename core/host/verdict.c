/* SPDX-License-Identifier: MIT
 *
 * Verdicts, judged. What must hold: an answer's code is always of its verdict's class; relay is
 * granted only by an instance that may; a module that failed refuses for now, or is passed by
 * when its instance says on_error = "continue".
 */
#include "host/verdict.h"

#include "host/record.h"
#include "mail/reply.h"

#include <stdio.h>

enum { TEXT_MAX = 400, ANSWERS_ARENA = 512 };

#define MAY(verdict) (1u << TMAIL_##verdict)
enum {
	DECIDE = MAY(CONTINUE) | MAY(ACCEPT) | MAY(REJECT) | MAY(TEMPFAIL),
	DECIDE_HOLD = DECIDE | MAY(HOLD),
	DECIDE_MESSAGE = DECIDE_HOLD | MAY(DISCARD)
};
#undef MAY

/* Points that decide, what may be said there, and the codes when the module names none. */
static const struct {
	unsigned legal;
	unsigned reject, tempfail;
	const char *reject_enhanced, *tempfail_enhanced;
} rules[TMAIL_POINTS] = {
	[TMAIL_POINT_CONNECT] = { DECIDE, 554, 421, "5.7.1", "4.7.1" },
	[TMAIL_POINT_HELO] = { DECIDE, 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_AUTH] = { DECIDE, 535, 454, "5.7.8", "4.7.0" },
	[TMAIL_POINT_MAIL] = { DECIDE_MESSAGE, 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_RCPT] = { DECIDE_MESSAGE, 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_DATA] = { DECIDE_MESSAGE, 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_HEADER] = { DECIDE_MESSAGE, 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_EOH] = { DECIDE_MESSAGE, 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_BODY] = { DECIDE_MESSAGE, 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_EOM] = { DECIDE_MESSAGE, 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_UNKNOWN] = { DECIDE, 500, 451, "5.5.1", "4.7.1" },
	[TMAIL_POINT_PREDELIVER] = { DECIDE_HOLD, 550, 451, "5.7.1", "4.7.1" },
};

bool verdict_legal(enum tmail_point point, enum tmail_verdict verdict)
{
	return (unsigned)verdict <= TMAIL_WAIT && rules[point].legal & (1u << verdict);
}

bool reply_take(enum tmail_point point, enum tmail_verdict verdict, unsigned said,
	struct str enhanced_said, unsigned *code, char enhanced[16])
{
	bool reject = verdict == TMAIL_REJECT;
	unsigned class = reject ? 5 : 4;

	*code = reject ? rules[point].reject : rules[point].tempfail;
	if (said && said / 100 == class)
		*code = said;
	snprintf(enhanced, 16, "%s",
		reject ? rules[point].reject_enhanced : rules[point].tempfail_enhanced);
	if (said && said / 100 != class)
		return false;
	if (enhanced_said.len == 0)
		return true;
	if (enhanced_said.len >= 16 || !enhanced_valid(enhanced_said, *code))
		return false;
	snprintf(enhanced, 16, "%.*s", STR_ARG(enhanced_said));
	return true;
}

struct str reply_text(struct arena *a, struct str text)
{
	char *clean;

	text = str_slice(text, 0, TEXT_MAX);
	clean = arena_c(a, text);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7f)
			clean[i] = ' ';
	return str_make(clean, text.len);
}

void answer_clear(struct chain_answer *answer)
{
	*answer = (struct chain_answer){ .verdict = TMAIL_CONTINUE };
}

static struct arena *answers_of(struct subject *s)
{
	if (!s->answers)
		s->answers = arena_new(ANSWERS_ARENA);
	return s->answers;
}

static struct str answer_str(struct subject *s, struct tmail_str said)
{
	return reply_text(answers_of(s), str_tm(said));
}

static void entry_add(struct turn *t, int verdict, unsigned code, struct str words)
{
	record_add(t->subject,
		&(struct record_entry){ .point = t->point,
			.instance = t->hook->instance,
			.verdict = verdict,
			.took = t->took,
			.code = code,
			.words = words });
}

void verdict_not_asked(struct subject *s, enum tmail_point point, const struct hook *hook)
{
	record_add(s,
		&(struct record_entry){ .point = point,
			.instance = hook->instance,
			.verdict = RECORD_NOT_ASKED,
			.words = STR("does not honour dry questions") });
}

/* What went wrong is the administrator's to know; the client hears "try later". */
static bool module_failed(struct turn *t, const char *why, struct chain_answer *answer)
{
	const struct instance *i = t->hook->instance;
	bool pass = i->settings.on_error == ON_ERROR_CONTINUE;

	t->failed = true;
	log_event(LEVEL_WARNING, t->subject->log, "module_failed", LOG_C("module", i->name),
		LOG_C("point", point_name(t->point)), LOG_C("why", why),
		LOG_C("then", pass ? "continue" : "tempfail"));
	entry_add(t, RECORD_FAILED, 0, str_c(why));
	if (pass)
		return false;
	answer->verdict = TMAIL_TEMPFAIL;
	answer->by = i;
	answer->code = rules[t->point].tempfail ? rules[t->point].tempfail : 451;
	snprintf(answer->enhanced, sizeof answer->enhanced, "4.3.0");
	answer->text = STR("Temporary failure, try again later");
	return true;
}

static void hold_take(struct turn *t, const struct tmail_answer *said, struct chain_answer *answer)
{
	struct message *m = t->subject->message;
	struct str reason = said->hold.len ? answer_str(t->subject, said->hold)
					   : str_c(t->hook->instance->name);

	if (!answer->hold)
		answer->hold_reason = reason;
	answer->hold = true;
	if (m && !m->hold.data)
		m->hold = tm_str(arena_str(m->arena, reason));
}

/* What is taken whatever the verdict is. */
static void marks_take(struct turn *t, const struct tmail_answer *said, struct chain_answer *answer)
{
	const struct instance *i = t->hook->instance;

	if (t->point == TMAIL_POINT_RCPT && said->relay) {
		if (instance_may_relay(i))
			answer->relay = true;
		else
			log_event(LEVEL_WARNING, t->subject->log, "relay_not_granted",
				LOG_C("module", i->name),
				LOG_C("why", "the instance does not say may_relay = true"));
	}
	if (t->point != TMAIL_POINT_PREDELIVER)
		return;
	if (said->next_hop.len && !answer->next_hop.len)
		answer->next_hop = answer_str(t->subject, said->next_hop);
	if (said->source.len && !answer->source.len)
		answer->source = answer_str(t->subject, said->source);
	if (said->sender.data && !answer->sender.data)
		answer->sender = arena_str(answers_of(t->subject), str_tm(said->sender));
}

static bool refusal_take(struct turn *t, enum tmail_verdict verdict,
	const struct tmail_answer *said, struct chain_answer *answer)
{
	char enhanced[16];
	unsigned code;

	if (!reply_take(t->point, verdict, said->code, str_tm(said->enhanced), &code, enhanced))
		return module_failed(t, "gave a reply code that does not fit its verdict", answer);
	answer->verdict = verdict;
	answer->code = code;
	memcpy(answer->enhanced, enhanced, sizeof answer->enhanced);
	answer->text = said->text.len     ? answer_str(t->subject, said->text)
		: verdict == TMAIL_REJECT ? STR("Refused")
					  : STR("Temporary failure, try again later");
	answer->by = t->hook->instance;
	entry_add(t, verdict, code, answer->text);
	return true;
}

static bool said_take(struct turn *t, int verdict, struct chain_answer *answer)
{
	const struct tmail_answer *said;

	if (verdict == TURN_FAILED)
		return module_failed(t, t->why, answer);
	if (verdict < 0 || !verdict_legal(t->point, (enum tmail_verdict)verdict))
		return module_failed(t, "gave a verdict that has no place at this point", answer);
	said = &t->call->answer;
	marks_take(t, said, answer);
	switch (verdict) {
	case TMAIL_REJECT:
	case TMAIL_TEMPFAIL:
		return refusal_take(t, (enum tmail_verdict)verdict, said, answer);
	case TMAIL_HOLD:
		hold_take(t, said, answer);
		entry_add(t, verdict, 0, answer->hold_reason);
		return false;
	case TMAIL_CONTINUE:
		entry_add(t, verdict, 0, STR(""));
		return false;
	default:
		answer->verdict = (enum tmail_verdict)verdict;
		answer->by = t->hook->instance;
		if (said->text.len)
			answer->text = answer_str(t->subject, said->text);
		/* ACCEPT of UNKNOWN: what was replied */
		answer->code = said->code;
		if (said->enhanced.len < sizeof answer->enhanced &&
			enhanced_valid(str_tm(said->enhanced), said->code))
			memcpy(answer->enhanced, said->enhanced.data, said->enhanced.len);
		entry_add(t, verdict, 0, STR(""));
		return true;
	}
}

bool verdict_take(struct turn *t, int verdict, struct chain_answer *answer)
{
	bool over;

	t->failed = false;
	over = said_take(t, verdict, answer);
	turn_over(t);
	return over;
}
