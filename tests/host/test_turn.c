/* SPDX-License-Identifier: MIT
 *
 * One hook asked: it answers now, on a worker, later, or not as it should; its notices go first.
 */
#include "tests/host/world.h"

#include "host/record.h"
#include "host/turn.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

static struct world world;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* ---- modules ----------------------------------------------------------------------------- */

static int says; /* not only verdicts */
static struct tmail_call *held;

static enum tmail_verdict now(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	return (enum tmail_verdict)says;
}
static enum tmail_verdict resume_first(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert_int_eq(call->host->resume(call, TMAIL_ACCEPT), TMAIL_OK);
	return (enum tmail_verdict)says;
}
static enum tmail_verdict hold(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	held = call;
	return TMAIL_WAIT;
}
static enum tmail_verdict work(struct tmail_call *call, const union tmail_event *event)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	if (call->envelope)
		ck_assert_int_eq(
			call->host->note_set(call, tm_str(STR("test.from")), event->mail.sender),
			TMAIL_OK);
	return (enum tmail_verdict)says;
}
static int refuse_loop(struct tmail_call *call)
{
	call->host->reply(call, 0, NULL, "no room here");
	return TMAIL_TRY_LATER;
}
#define HOOKS(name, flags, function)                                                               \
	static const struct tmail_hook hooks_##name[] = { { TMAIL_POINT_MAIL, flags, function } };
HOOKS(now, 0, now)
HOOKS(first, TMAIL_WAITS, resume_first)
HOOKS(hold, TMAIL_WAITS, hold)
HOOKS(work, TMAIL_BLOCKING, work)
MODULE(module_now, "test/now", .hooks = TMAIL_LIST(hooks_now));
MODULE(module_first, "test/first", .hooks = TMAIL_LIST(hooks_first));
MODULE(module_hold, "test/hold", .hooks = TMAIL_LIST(hooks_hold));
MODULE(module_work, "test/work", .hooks = TMAIL_LIST(hooks_work));
MODULE(module_loop, "test/loop", .hooks = TMAIL_LIST(hooks_now), .loop_start = refuse_loop);
static const struct tmail_hook hooks_tells[] = { { TMAIL_POINT_MAIL, 0, now },
	{ TMAIL_POINT_RESET, TMAIL_BLOCKING, work } };
MODULE(module_tells, "test/tells", .session_size = 1, .hooks = TMAIL_LIST(hooks_tells));

static void begin(const char *name, const char *more)
{
	char conf[128];

	module_preload(&module_now);
	module_preload(&module_first);
	module_preload(&module_hold);
	module_preload(&module_work);
	module_preload(&module_loop);
	module_preload(&module_tells);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	snprintf(conf, sizeof conf, "modules = ({ module = \"test/%s\"; %s });", name, more);
	world_begin(&world, conf);
}

/* ---- a turn ------------------------------------------------------------------------------ */

static struct turn turn;
static int asked, spoken, spoke_times; /* asked: what turn_ask said */
static const char *why;

static void spoke(struct turn *t, int verdict)
{
	ck_assert_ptr_eq(t, &turn);
	spoken = verdict;
	spoke_times++;
	why = t->why;
	turn_over(t);
	turn_end(t);
	world_over(&world);
}

static void ask(struct world *w)
{
	char sender[] = "from@example.org";
	union tmail_event event = { 0 };

	event.mail.sender = tm_str(str_c(sender));
	turn = (struct turn){ .subject = &w->subject, .point = TMAIL_POINT_MAIL, .spoke = spoke };
	spoke_times = 0;
	asked = turn_ask(&turn, &w->generation->points[TMAIL_POINT_MAIL].item[0], &event);
	memset(sender, 'x', sizeof sender);
	memset(&event, 0xff, sizeof event);
	if (asked == TURN_LATER)
		return;
	why = turn.why;
	turn_over(&turn);
	turn_end(&turn);
	world_over(w);
}

START_TEST(who_answers_now_is_heard_now)
{
	begin("now", "");
	for (says = TMAIL_CONTINUE; says <= TMAIL_HOLD; says++) {
		world_run(&world, ask);
		ck_assert_int_eq(asked, says);
		ck_assert_int_eq(turn.began, 0); /* nobody wants to know how long it took */
	}
	world_end(&world);
}
END_TEST

static void sink(const struct subject *s, const struct record_entry *entry)
{
	(void)s;
	(void)entry;
}

START_TEST(it_is_timed_when_somebody_wants_to_know)
{
	begin("now", "");
	record_sink(sink);
	says = TMAIL_CONTINUE;
	world_run(&world, ask);
	ck_assert_int_gt(turn.began, 0);
	ck_assert_int_ge(turn.took, 0);
	record_sink(NULL);
	world_end(&world);
}
END_TEST

START_TEST(nonsense_is_never_taken_for_a_mark_of_ours)
{
	static const int nonsense[] = { -1, -2, -10, -11, INT_MIN };
	static const char *const ways[] = { "now", "work" };

	for (size_t w = 0; w < 2; w++) {
		begin(ways[w], "");
		for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
			says = nonsense[i];
			world_run(&world, ask);
			ck_assert_int_gt(w ? spoken : asked, TMAIL_WAIT);
		}
		world_end(&world);
	}
}
END_TEST

START_TEST(who_says_wait_and_may_not_has_failed)
{
	begin("now", "");
	says = TMAIL_WAIT;
	world_run(&world, ask);
	ck_assert_int_eq(asked, TURN_FAILED);
	ck_assert_str_eq(why, "answered WAIT; its hook is not marked TMAIL_WAITS");
	world_end(&world);
}
END_TEST

START_TEST(who_resumes_and_answers_too_has_failed_and_is_heard_once)
{
	begin("first", "");
	says = TMAIL_CONTINUE;
	world_run(&world, ask);
	ck_assert_int_eq(asked, TURN_FAILED);
	ck_assert_str_eq(why, "resumed a call that it also answered");
	world_end(&world); /* the task that was under way has come meanwhile */
	ck_assert_int_eq(spoke_times, 0);
}
END_TEST

START_TEST(who_resumes_before_it_says_wait_is_heard_once)
{
	begin("first", "");
	says = TMAIL_WAIT;
	world_run(&world, ask);
	ck_assert_int_eq(asked, TURN_LATER);
	ck_assert_int_eq(spoke_times, 1);
	ck_assert_int_eq(spoken, TMAIL_ACCEPT);
	world_end(&world);
}
END_TEST

static int resume_with;
static void ask_and_resume(struct world *w)
{
	ask(w);
	ck_assert_int_eq(asked, TURN_LATER);
	ck_assert_int_eq(held->host->resume(held, resume_with), TMAIL_OK);
}

START_TEST(who_waits_is_heard_when_it_resumes)
{
	begin("hold", "");
	for (resume_with = -3; resume_with <= TMAIL_HOLD; resume_with++) {
		world_run(&world, ask_and_resume);
		ck_assert_int_eq(spoke_times, 1);
		if (resume_with >= 0)
			ck_assert_int_eq(spoken, resume_with);
		else
			ck_assert_int_gt(spoken, TMAIL_WAIT);
	}
	world_end(&world);
}
END_TEST

static void spoke_late(struct turn *t, int verdict)
{
	spoke(t, verdict);
	ck_assert_int_eq(held->host->resume(held, TMAIL_ACCEPT), TMAIL_LATE);
}

static void ask_and_wait(struct world *w)
{
	ask(w);
	turn.spoke = spoke_late;
}

START_TEST(who_is_too_late_has_failed)
{
	begin("hold", "timeout = \"10ms\";");
	world_run(&world, ask_and_wait);
	ck_assert_int_eq(spoken, TURN_FAILED);
	ck_assert_str_eq(why, "did not answer in time");
	world_end(&world);
	ck_assert_int_eq(spoke_times, 1);
}
END_TEST

static void ask_and_end(struct world *w)
{
	ask(w);
	turn_end(&turn);
	ck_assert_int_eq(held->host->resume(held, TMAIL_ACCEPT), TMAIL_LATE);
	world_over(w);
}

START_TEST(a_turn_that_was_given_up_is_not_heard_of)
{
	begin("hold", "timeout = \"10ms\";");
	world_run(&world, ask_and_end);
	world_end(&world);
	ck_assert_int_eq(spoke_times, 0);
}
END_TEST

/* ---- workers ----------------------------------------------------------------------------- */

START_TEST(what_a_worker_notes_is_on_the_message_when_it_is_heard)
{
	struct str note;

	begin("work", "");
	world_message(&world, "");
	says = TMAIL_CONTINUE;
	world_run(&world, ask);
	ck_assert_int_eq(asked, TURN_LATER);
	ck_assert_int_eq(spoken, TMAIL_CONTINUE);
	ck_assert(message_note_get(world.subject.message, STR("test.from"), &note));
	ASSERT_STR(note, "from@example.org"); /* as it was when it was asked */
	world_end(&world);
}
END_TEST

static void spoke_in_time(struct turn *t, int verdict)
{
	pthread_mutex_unlock(&gate);
	spoke(t, verdict);
}

static void ask_and_hold_up(struct world *w)
{
	pthread_mutex_lock(&gate);
	ask(w);
	turn.spoke = spoke_in_time;
}

START_TEST(a_worker_that_is_too_late_has_failed)
{
	begin("work", "timeout = \"10ms\";");
	says = TMAIL_ACCEPT;
	world_run(&world, ask_and_hold_up);
	ck_assert_int_eq(spoken, TURN_FAILED);
	ck_assert_str_eq(why, "did not answer in time");
	world_end(&world);
	ck_assert_int_eq(spoke_times, 1);
}
END_TEST

enum { DEPTH = 4096 };
static struct turn many[DEPTH + 2];
static int taken;

static void nobody_hears(struct turn *t, int verdict)
{
	(void)t;
	(void)verdict;
	ck_abort();
}

static void ask_many(struct world *w)
{
	const struct hook *h = &w->generation->points[TMAIL_POINT_MAIL].item[0];
	union tmail_event event = { 0 };

	pthread_mutex_lock(&gate);
	for (taken = 0; taken < DEPTH + 2; taken++) {
		struct turn *t = &many[taken];

		*t = (struct turn){
			.subject = &w->subject, .point = TMAIL_POINT_MAIL, .spoke = nobody_hears
		};
		asked = turn_ask(t, h, &event);
		if (asked != TURN_LATER)
			break;
	}
	why = many[taken].why;
	for (int i = 0; i <= taken; i++)
		turn_end(&many[i]);
	pthread_mutex_unlock(&gate);
	world_over(w);
}

START_TEST(a_module_that_has_too_much_to_do_has_failed)
{
	begin("work", "workers = 1;");
	says = TMAIL_CONTINUE;
	world_run(&world, ask_many);
	ck_assert_int_eq(asked, TURN_FAILED);
	ck_assert_int_ge(taken, DEPTH);
	ck_assert_int_le(taken, DEPTH + 1); /* one is being worked on */
	ck_assert_str_eq(why, "has too much to do (its workers and their queue are full)");
	world_end(&world);
}
END_TEST

START_TEST(a_module_that_cannot_begin_on_a_loop_has_failed_there)
{
	begin("loop", "");
	for (int i = 0; i < 2; i++) {
		world_run(&world, ask);
		ck_assert_int_eq(asked, TURN_FAILED);
		ck_assert_str_eq(why, "could not begin on this loop");
	}
	world_end(&world);
}
END_TEST

/* ---- notices first ----------------------------------------------------------------------- */

static void tell_and_ask(struct world *w)
{
	const union tmail_event event = { 0 };

	pthread_mutex_lock(&gate);
	chain_tell(&w->subject, TMAIL_POINT_RESET, &event);
	ask(w);
	ck_assert_int_eq(asked, TURN_LATER);
	ck_assert(turn.held_back);
	if (w->ctx)
		((void (*)(void))(uintptr_t)w->ctx)();
	pthread_mutex_unlock(&gate);
}

START_TEST(a_turn_waits_for_the_notices_of_its_module)
{
	begin("tells", "");
	says = TMAIL_ACCEPT;
	for (int i = 0; i < 2; i++) {
		world_run(&world, tell_and_ask);
		ck_assert_int_eq(spoken, TMAIL_ACCEPT);
		ck_assert_int_eq(spoke_times, 1);
	}
	world_end(&world);
}
END_TEST

static void end_it(void)
{
	turn_end(&turn);
	ck_assert(!turn.held_back);
	ck_assert_ptr_null(world.subject.session_scope->held_back);
	world_over(&world);
}

START_TEST(a_turn_may_be_given_up_while_it_is_held_back)
{
	begin("tells", "timeout = \"10ms\";");
	world.ctx = (void *)(uintptr_t)end_it;
	world_run(&world, tell_and_ask);
	world_end(&world);
	ck_assert_int_eq(spoke_times, 0);
}
END_TEST

TEST_MAIN("host/turn", who_answers_now_is_heard_now, it_is_timed_when_somebody_wants_to_know,
	nonsense_is_never_taken_for_a_mark_of_ours, who_says_wait_and_may_not_has_failed,
	who_resumes_and_answers_too_has_failed_and_is_heard_once,
	who_resumes_before_it_says_wait_is_heard_once, who_waits_is_heard_when_it_resumes,
	who_is_too_late_has_failed, a_turn_that_was_given_up_is_not_heard_of,
	what_a_worker_notes_is_on_the_message_when_it_is_heard,
	a_worker_that_is_too_late_has_failed, a_module_that_has_too_much_to_do_has_failed,
	a_module_that_cannot_begin_on_a_loop_has_failed_there,
	a_turn_waits_for_the_notices_of_its_module, a_turn_may_be_given_up_while_it_is_held_back)
