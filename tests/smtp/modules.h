/* SPDX-License-Identifier: MIT
 *
 * A module that says what the test wants, at the point that the test wants, at once or later from
 * a thread of its own. For HOUSE_HOOKS and, when later, HOUSE_WAITING.
 */
#ifndef TESTS_SMTP_MODULES_H
#define TESTS_SMTP_MODULES_H

#include "tests/smtp/house.h"

struct said {
	enum tmail_point at;
	enum tmail_verdict verdict;
	unsigned code; /* 0: the core's own */
	const char *enhanced, *text, *hold;
	bool later, relay;
};
static struct said said; /* under house.lock */

static struct said said_get(void)
{
	struct said what;

	pthread_mutex_lock(&house.lock);
	what = said;
	pthread_mutex_unlock(&house.lock);
	return what;
}

static void *said_later(void *call)
{
	const struct tmail_host *host = ((struct tmail_call *)call)->host;

	host->resume(call, (int)said_get().verdict);
	return NULL;
}

static enum tmail_verdict said_now(struct tmail_call *call, const union tmail_event *event)
{
	struct said what = said_get();
	pthread_t thread;

	(void)event;
	if (call->point != what.at)
		return TMAIL_CONTINUE;
	if (what.code || what.text)
		call->host->reply(call, what.code, what.enhanced, "%s", what.text ? what.text : "");
	if (what.hold)
		call->answer->hold = tm_str(str_c(what.hold));
	call->answer->relay = what.relay;
	if (!what.later)
		return what.verdict;
	must(pthread_create(&thread, NULL, said_later, call) == 0);
	pthread_detach(thread);
	return TMAIL_WAIT;
}

static void modules_say_all(struct said what)
{
	pthread_mutex_lock(&house.lock);
	said = what;
	pthread_mutex_unlock(&house.lock);
	house_hook = said_now;
	memset((void *)house_hooked, 0, sizeof house_hooked);
}

static inline void modules_say(
	enum tmail_point point, enum tmail_verdict v, unsigned c, const char *e, const char *words)
{
	modules_say_all((struct said){
		.at = point, .verdict = v, .code = c, .enhanced = e, .text = words });
}

/* A command, each verdict of a module at its point, at once and later, and what follows. */
struct verdict_row {
	struct said said;
	const char *answer;
	const char *then, *then_answer; /* what tells where it led */
};

/* Lines that are answered one by one, whatever the answers are. */
static inline void talk_through(struct talk *t, const char *lines)
{
	talk_say(t, lines);
	for (const char *c = lines; (c = strchr(c, '\n')); c++)
		ck_assert(talk_reply(t));
}

/* In a house with HOUSE_WAITING. before: what leads there after the greeting. */
static inline void verdicts_check(enum tmail_point point, const char *before, const char *line,
	const struct verdict_row *rows, size_t count)
{
	for (size_t i = 0; i < 2 * count; i++) {
		const struct verdict_row *row = &rows[i / 2];
		struct said what = row->said;
		struct talk *t;

		what.at = point;
		what.later = i % 2;
		modules_say_all(what);
		t = talk_open();
		talk_through(t, before);
		talk_say(t, line);
		ck_assert_msg(talk_reply(t) && str_starts(str_c(t->last), str_c(row->answer)),
			"row %zu: %s, not %s", i, t->last, row->answer);
		if (row->then) {
			talk_say(t, row->then);
			ck_assert_msg(talk_reply(t) &&
					str_starts(str_c(t->last), str_c(row->then_answer)),
				"row %zu, then: %s, not %s", i, t->last, row->then_answer);
		} else {
			talk_hear_end(t);
		}
		talk_close(&t);
	}
}
#define VERDICTS_CHECK(point, before, line, rows)                                                  \
	verdicts_check(TMAIL_POINT_##point, before, line, rows, sizeof rows / sizeof *rows)

#endif
