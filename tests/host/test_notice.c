/* SPDX-License-Identifier: MIT
 *
 * Notices: nobody waits for them, they come in order, and no question overtakes one to the same
 * module.
 */
#include "tests/host/world.h"

#include <pthread.h>
#include <stdatomic.h>

static struct world world;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static char order[128];
static _Atomic int inside;

static void said(const char *what)
{
	pthread_mutex_lock(&order_lock);
	strncat(order, what, sizeof order - strlen(order) - 1);
	pthread_mutex_unlock(&order_lock);
}

/* ---- a module whose notices wait, and one whose do not ------------------------------------ */

static enum tmail_verdict slow(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert_int_eq(inside++, 0); /* never two at a time */
	if (call->point == TMAIL_POINT_RESET) {
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
		*(int *)call->session += 1;
		said("R");
	} else {
		*(int *)call->session += 1;
		said(call->point == TMAIL_POINT_MAIL ? "M" : "D");
	}
	inside--;
	return TMAIL_REJECT; /* of a notice: not heard */
}
static int sessions;
static void session_end(struct tmail_call *call)
{
	ck_assert_int_eq(inside, 0);
	sessions = *(int *)call->session;
}
static const struct tmail_hook hooks_slow[] = { { TMAIL_POINT_RESET, TMAIL_BLOCKING, slow },
	{ TMAIL_POINT_DISCONNECT, 0, slow }, { TMAIL_POINT_MAIL, 0, slow } };
MODULE(module_slow, "test/slow", .session_size = sizeof(int), .session_end = session_end,
	.hooks = TMAIL_LIST(hooks_slow));

static enum tmail_verdict quick(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	said(call->point == TMAIL_POINT_RESET ? "r" : "m");
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_quick[] = { { TMAIL_POINT_RESET, 0, quick },
	{ TMAIL_POINT_MAIL, 0, quick } };
MODULE(module_quick, "test/quick", .hooks = TMAIL_LIST(hooks_quick));

static void begin(const char *more)
{
	char conf[200];

	module_preload(&module_slow);
	module_preload(&module_quick);
	snprintf(conf, sizeof conf,
		"modules = ({ module = \"test/slow\"; %s }, { module = \"test/quick\"; });", more);
	world_begin(&world, conf);
}

static void reset_then_mail(struct world *w)
{
	union tmail_event event = { 0 };

	pthread_mutex_lock(&gate);
	chain_tell(&w->subject, TMAIL_POINT_RESET, &event);
	chain_tell(&w->subject, TMAIL_POINT_RESET, &event);
	ck_assert(!chain_ask(&w->subject, TMAIL_POINT_MAIL, &event, &w->answer, world_answered, w));
	pthread_mutex_unlock(&gate);
}

START_TEST(a_question_waits_until_the_notices_to_its_module_are_over)
{
	begin("");
	world_run(&world, reset_then_mail);
	ck_assert_int_eq(world.answer.verdict, TMAIL_REJECT);
	ck_assert_str_eq(order, "rrRRM");
	world_end(&world);
	ck_assert_int_eq(sessions, 3);
}
END_TEST

static void open_gate(void *ctx, const struct chain_answer *answer)
{
	world_answered(ctx, answer);
	pthread_mutex_unlock(&gate);
}

static void reset_and_hang(struct world *w)
{
	union tmail_event event = { 0 };

	pthread_mutex_lock(&gate);
	chain_tell(&w->subject, TMAIL_POINT_RESET, &event);
	ck_assert(!chain_ask(&w->subject, TMAIL_POINT_MAIL, &event, &w->answer, open_gate, w));
}

START_TEST(a_module_that_hangs_in_a_notice_is_late_for_the_question)
{
	begin("timeout = \"20ms\";");
	world_run(&world, reset_and_hang);
	ck_assert_int_eq(world.answer.verdict, TMAIL_TEMPFAIL);
	world_end(&world);
}
END_TEST

static void all_gone(void)
{
	world_over(&world);
}

static void tell_and_leave(struct world *w)
{
	union tmail_event event = { 0 };
	struct chain_answer answer;

	pthread_mutex_lock(&gate);
	chain_tell(&w->subject, TMAIL_POINT_RESET, &event);
	ck_assert(!chain_ask(&w->subject, TMAIL_POINT_MAIL, &event, &answer, world_answered, w));
	chain_tell(&w->subject, TMAIL_POINT_DISCONNECT, &event);
	subject_end(&w->subject);
	generation_unref(&w->generation);
	pthread_mutex_unlock(&gate);
}

START_TEST(notices_are_told_to_their_end_though_the_session_has_ended)
{
	begin("");
	generation_on_main(all_gone);
	world_run(&world, tell_and_leave);
	ck_assert_str_eq(order, "rRD");
	ck_assert_int_eq(sessions, 2); /* its end came after both */
	ck_assert_int_eq(world.answers, 0);
	ck_assert(generation_wait_gone(0));
	world_end(&world);
}
END_TEST

/* ---- notices that wait on the loop --------------------------------------------------------- */

static int fires;
static void fired(struct tmail_call *call, void *ctx)
{
	(void)ctx;
	ck_assert_uint_eq(call->envelope->recipients.count, 1);
	fires++;
	call->host->resume(call, TMAIL_CONTINUE);
	if (fires == 2)
		world_over(&world);
}
static enum tmail_verdict later(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	call->host->net->timer(call, 1, fired, NULL);
	return TMAIL_WAIT;
}
static const struct tmail_hook hooks_later[] = { { TMAIL_POINT_QUEUED, TMAIL_WAITS, later } };
MODULE(module_later, "test/later", .capabilities = TMAIL_CAN_NET, .hooks = TMAIL_LIST(hooks_later));

static void tell_queued(struct world *w)
{
	union tmail_event event = { .queued.id = { 1, 2 } };

	chain_tell(&w->subject, TMAIL_POINT_QUEUED, &event);
	chain_tell(&w->subject, TMAIL_POINT_QUEUED, &event);
	message_free(&w->subject.message); /* it goes its way */
	subject_message_end(&w->subject);
}

START_TEST(a_notice_may_wait_on_the_loop_with_facts_of_its_own)
{
	module_preload(&module_later);
	world_begin(&world, "modules = ({ module = \"test/later\"; });");
	message_add_recipient(world_message(&world, ""), STR("a@example.com"), STR(""), 0);
	world_run(&world, tell_queued);
	ck_assert_int_eq(fires, 2);
	world_end(&world);
}
END_TEST

/* ---- of the process ------------------------------------------------------------------------ */

static _Atomic int ticks, slow_ticks, changes;
static enum tmail_verdict tick(struct tmail_call *call, const union tmail_event *event)
{
	ck_assert_int_eq(inside++, 0);
	ck_assert_ptr_null(call->client);
	if (call->point == TMAIL_POINT_CHANGED) {
		ASSERT_STR(str_tm(event->changed.table), "things");
		changes++;
	} else {
		ck_assert_int_eq(event->tick.now, 77);
		ticks++;
		/* a notice from within one is told after it */
		ck_assert_int_eq(call->host->changed(call, "things"), TMAIL_OK);
		ck_assert_int_eq(changes, ticks - 1);
	}
	inside--;
	return TMAIL_CONTINUE;
}
static enum tmail_verdict slow_tick(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	pthread_mutex_lock(&gate);
	slow_ticks++;
	pthread_mutex_unlock(&gate);
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_tick[] = { { TMAIL_POINT_TICK, 0, tick },
	{ TMAIL_POINT_CHANGED, 0, tick } };
static const struct tmail_hook hooks_slow_tick[] = { { TMAIL_POINT_TICK, TMAIL_BLOCKING,
	slow_tick } };
MODULE(module_tick, "test/tick", .hooks = TMAIL_LIST(hooks_tick));
MODULE(module_slow_tick, "test/slow-tick", .hooks = TMAIL_LIST(hooks_slow_tick));

START_TEST(notices_of_the_process_come_one_at_a_time_and_ticks_do_not_pile_up)
{
	union tmail_event event = { .tick.now = 77 };

	module_preload(&module_tick);
	module_preload(&module_slow_tick);
	world_begin(&world,
		"modules = ({ module = \"test/tick\"; }, { module = \"test/slow-tick\"; });");
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 5; i++)
		generation_tell(world.generation, TMAIL_POINT_TICK, &event);
	ck_assert_int_eq(ticks, 5);
	ck_assert_int_eq(changes, 5);
	pthread_mutex_unlock(&gate);
	world_end(&world); /* its lane ends what it began */
	ck_assert_int_eq(slow_ticks, 1);
}
END_TEST

TEST_MAIN("host/notice", a_question_waits_until_the_notices_to_its_module_are_over,
	a_module_that_hangs_in_a_notice_is_late_for_the_question,
	notices_are_told_to_their_end_though_the_session_has_ended,
	a_notice_may_wait_on_the_loop_with_facts_of_its_own,
	notices_of_the_process_come_one_at_a_time_and_ticks_do_not_pile_up)
