/* SPDX-License-Identifier: MIT
 *
 * Asking all modules of a point: order, ends, marks; at once, on workers, later.
 */
#include "tests/host/world.h"

#include "sys/clock.h"

#include <pthread.h>
#include <stdatomic.h>

static char order[64];
static struct world world;

static void said(const char *who)
{
	strncat(order, who, sizeof order - strlen(order) - 1);
}

/* ---- modules: a, b and c say so and go on ------------------------------------------------ */

static enum tmail_verdict verdict_a = TMAIL_CONTINUE, verdict_b = TMAIL_CONTINUE;
static uint32_t code_a;
static uint32_t relay_a;

static enum tmail_verdict hook_a(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	said("a");
	call->answer->code = code_a;
	call->answer->relay = relay_a;
	if (verdict_a == TMAIL_HOLD) {
		call->answer->hold.data = "smells";
		call->answer->hold.len = 6;
	}
	return verdict_a;
}
static enum tmail_verdict hook_b(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	said("b");
	if (verdict_b == TMAIL_REJECT)
		call->host->reply(call, 571, "5.7.99", "no %s\r\nthank you", "more");
	return verdict_b;
}
static enum tmail_verdict hook_c(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	(void)call;
	said("c");
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_a[] = {
	{ TMAIL_POINT_MAIL, 0, hook_a },
	{ TMAIL_POINT_RCPT, 0, hook_a },
	{ TMAIL_POINT_CONNECT, 0, hook_a },
	{ TMAIL_POINT_PREDELIVER, 0, hook_a },
};
static const struct tmail_hook hooks_b[] = { { TMAIL_POINT_MAIL, 0, hook_b } };
static const struct tmail_hook hooks_c[] = { { TMAIL_POINT_MAIL, 0, hook_c } };
MODULE(module_a, "test/a", .hooks = TMAIL_LIST(hooks_a));
MODULE(module_b, "test/b", .hooks = TMAIL_LIST(hooks_b));
MODULE(module_c, "test/c", .hooks = TMAIL_LIST(hooks_c));

static void begin(const char *conf)
{
	module_preload(&module_a);
	module_preload(&module_b);
	module_preload(&module_c);
	world_begin(&world, conf);
}

#define ABC                                                                                        \
	"modules = ({ module = \"test/a\"; }, { module = \"test/b\"; }, { module = \"test/c\"; "   \
	"});"

START_TEST(every_module_of_a_point_is_asked_in_the_order_of_the_configuration)
{
	begin("modules = ({ module = \"test/c\"; }, { module = \"test/a\"; }, { module = "
	      "\"test/b\"; });");
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_MAIL)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(order, "cab");
	ck_assert_ptr_null(world.answer.by);
	world_end(&world);
}
END_TEST

START_TEST(a_point_nobody_hooks_is_answered_at_once)
{
	begin(ABC);
	ck_assert(!chain_hooked(world.generation, TMAIL_POINT_DATA));
	ck_assert(chain_hooked(world.generation, TMAIL_POINT_RCPT));
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_DATA)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(order, "");
	world_end(&world);
}
END_TEST

START_TEST(a_refusal_ends_the_point_and_keeps_its_words)
{
	const struct chain_answer *answer;

	begin(ABC);
	verdict_b = TMAIL_REJECT;
	answer = world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(answer->verdict, TMAIL_REJECT);
	ck_assert_uint_eq(answer->code, 571);
	ck_assert_str_eq(answer->enhanced, "5.7.99");
	ASSERT_STR(answer->text, "no more  thank you");
	ck_assert_str_eq(instance_name(answer->by), "test/b");
	ck_assert_str_eq(order, "ab");
	world_end(&world);
}
END_TEST

START_TEST(accept_ends_the_point_and_grants_no_relay)
{
	const struct chain_answer *answer;

	begin(ABC);
	verdict_a = TMAIL_ACCEPT;
	answer = world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(answer->verdict, TMAIL_ACCEPT);
	ck_assert_str_eq(order, "a");
	answer = world_ask(&world, TMAIL_POINT_RCPT);
	ck_assert_int_eq(answer->verdict, TMAIL_ACCEPT);
	ck_assert(!answer->relay);
	world_end(&world);
}
END_TEST

START_TEST(a_hold_is_a_mark_and_the_chain_goes_on)
{
	const struct chain_answer *answer;

	begin(ABC);
	world_message(&world, "");
	verdict_a = TMAIL_HOLD;
	answer = world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(answer->verdict, TMAIL_CONTINUE);
	ck_assert(answer->hold);
	ASSERT_STR(answer->hold_reason, "smells");
	ASSERT_STR(str_tm(world.subject.message->hold), "smells");
	ck_assert_str_eq(order, "abc");
	verdict_b = TMAIL_REJECT;
	answer = world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(answer->verdict, TMAIL_REJECT);
	ck_assert(answer->hold);
	world_end(&world);
}
END_TEST

START_TEST(when_says_for_which_clients_a_module_is_asked)
{
	begin("modules = ({ module = \"test/a\"; when = [ \"submission\", \"authenticated\" ]; },"
	      " { module = \"test/c\"; when = [ \"mx\" ]; },"
	      " { module = \"test/b\"; when = [ \"anonymous\" ]; });");
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(order, "cb");
	order[0] = '\0';
	world.subject.client.listener = tm_str(STR("submission"));
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(order, "b");
	order[0] = '\0';
	world.subject.client.flags = TMAIL_CLIENT_AUTHENTICATED;
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(order, "a");
	world_end(&world);
}
END_TEST

START_TEST(a_dry_question_is_put_only_to_those_that_honour_it)
{
	begin(ABC);
	world.subject.dry = true;
	verdict_a = verdict_b = TMAIL_REJECT;
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_MAIL)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(order, "");
	world_end(&world);
}
END_TEST

/* ---- workers --------------------------------------------------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int worked;
static char saw[256];

static enum tmail_verdict hook_work(struct tmail_call *call, const union tmail_event *event)
{
	ck_assert_ptr_null(loop_current());
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	snprintf(saw, sizeof saw, "%.*s %.*s %.*s %u", (int)event->rcpt.recipient->address.len,
		event->rcpt.recipient->address.data, (int)call->client->helo.len,
		call->client->helo.data, (int)call->envelope->sender.len,
		call->envelope->sender.data, call->envelope->recipients.count);
	worked++;
	call->host->reply(call, 0, NULL, "worked");
	return TMAIL_REJECT;
}
static const struct tmail_hook hooks_work[] = { { TMAIL_POINT_RCPT, TMAIL_BLOCKING, hook_work } };
MODULE(module_work, "test/work", .hooks = TMAIL_LIST(hooks_work));

static void ask_and_leave(struct world *w)
{
	struct tmail_recipient *r = must_alloc(sizeof *r);
	char *address = str_dup_c(STR("to@example.org"));
	char *helo = str_dup_c(STR("gone.example"));

	r->address = tm_str(str_c(address));
	world_event.rcpt.recipient = r;
	w->subject.client.helo = tm_str(str_c(helo));
	ck_assert(!chain_ask(
		&w->subject, TMAIL_POINT_RCPT, &world_event, &w->answer, world_answered, w));
	/* What the chain was asked with goes at once; the client leaves. */
	free(address);
	free(r);
	if (w->ctx) {
		subject_end(&w->subject);
		message_free(&w->subject.message);
		generation_unref(&w->generation);
	}
	free(helo);
	pthread_mutex_unlock(&gate);
}

START_TEST(a_blocking_hook_has_copies_of_all_that_it_sees)
{
	module_preload(&module_work);
	world_begin(&world, "modules = ({ module = \"test/work\"; });");
	message_add_recipient(world_message(&world, ""), STR("one@example.org"), STR(""), 0);
	pthread_mutex_lock(&gate);
	world_run(&world, ask_and_leave);
	ck_assert_int_eq(world.answer.verdict, TMAIL_REJECT);
	ASSERT_STR(world.answer.text, "worked");
	ck_assert_str_eq(saw, "to@example.org gone.example sender@example.com 1");
	world.subject.client.helo = tm_str(STR(""));
	world_end(&world);
}
END_TEST

static void last_reference_gone(void)
{
	world_over(&world);
}

START_TEST(a_worker_runs_to_its_end_though_the_client_has_left)
{
	module_preload(&module_work);
	world_begin(&world, "modules = ({ module = \"test/work\"; });");
	message_add_recipient(world_message(&world, ""), STR("one@example.org"), STR(""), 0);
	world.ctx = &world;
	generation_on_main(last_reference_gone); /* which is the call's */
	pthread_mutex_lock(&gate);
	world_run(&world, ask_and_leave);
	ck_assert_int_eq(world.answers, 0);
	ck_assert_int_eq(worked, 1);
	ck_assert(generation_wait_gone(0));
	ck_assert_str_eq(saw, "to@example.org gone.example sender@example.com 1");
	world_end(&world);
}
END_TEST

/* ---- later ----------------------------------------------------------------------------- */

static struct tmail_call *waiting;
static const union tmail_event *waiting_event;
static int resumed_as = -1, gave_back;

static enum tmail_verdict hook_wait(struct tmail_call *call, const union tmail_event *event)
{
	waiting = call;
	waiting_event = event;
	said("w");
	return TMAIL_WAIT;
}
static const struct tmail_hook hooks_wait[] = {
	{ TMAIL_POINT_MAIL, TMAIL_WAITS, hook_wait },
};
MODULE(module_wait, "test/wait", .hooks = TMAIL_LIST(hooks_wait));

static void *resume_from_afar(void *verdict)
{
	waiting->host->reply(waiting, 0, "5.1.1", "%.*s", (int)waiting_event->mail.sender.len,
		waiting_event->mail.sender.data);
	resumed_as = waiting->host->resume(waiting, (int)(intptr_t)verdict);
	return NULL;
}

static void ask_then_resume(struct world *w)
{
	char *sender = str_dup_c(STR("who@example.com"));
	pthread_t thread;

	world_event.mail.sender = tm_str(str_c(sender));
	ck_assert(!chain_ask(
		&w->subject, TMAIL_POINT_MAIL, &world_event, &w->answer, world_answered, w));
	free(sender);
	pthread_create(&thread, NULL, resume_from_afar, w->ctx);
	pthread_join(thread, NULL);
}

START_TEST(a_waiting_hook_is_resumed_from_any_thread_and_the_chain_goes_on)
{
	module_preload(&module_wait);
	begin("modules = ({ module = \"test/wait\"; }, { module = \"test/c\"; });");
	world.ctx = (void *)(intptr_t)TMAIL_CONTINUE;
	world_run(&world, ask_then_resume);
	ck_assert_int_eq(resumed_as, TMAIL_OK);
	ck_assert_int_eq(world.answers, 1);
	ck_assert_str_eq(order, "wc");
	order[0] = '\0';
	world.ctx = (void *)(intptr_t)TMAIL_REJECT;
	world_run(&world, ask_then_resume);
	ck_assert_int_eq(world.answer.verdict, TMAIL_REJECT);
	ASSERT_STR(world.answer.text, "who@example.com");
	ck_assert_str_eq(order, "w");
	world_end(&world);
}
END_TEST

static void ask_and_cancel(struct world *w)
{
	pthread_t thread;

	ck_assert(!chain_ask(
		&w->subject, TMAIL_POINT_MAIL, &world_event, &w->answer, world_answered, w));
	subject_cancel(&w->subject);
	pthread_create(&thread, NULL, resume_from_afar, (void *)(intptr_t)TMAIL_CONTINUE);
	pthread_join(thread, NULL);
	world_over(w);
}

START_TEST(who_resumes_after_the_client_left_is_told_late)
{
	module_preload(&module_wait);
	world_begin(&world, "modules = ({ module = \"test/wait\"; });");
	world_event.mail.sender = tm_str(STR("x@example.com"));
	world_run(&world, ask_and_cancel);
	ck_assert_int_eq(resumed_as, TMAIL_LATE);
	ck_assert_int_eq(world.answers, 0);
	world_end(&world);
}
END_TEST

static void answered_late(void *ctx, const struct chain_answer *answer)
{
	world_answered(ctx, answer);
	resume_from_afar((void *)(intptr_t)TMAIL_CONTINUE);
}

static void ask_and_let_it_pass(struct world *w)
{
	ck_assert(!chain_ask(
		&w->subject, TMAIL_POINT_MAIL, &world_event, &w->answer, answered_late, w));
}

START_TEST(who_misses_the_deadline_refuses_for_now_and_is_told_late)
{
	module_preload(&module_wait);
	world_begin(&world, "modules = ({ module = \"test/wait\"; timeout = \"20ms\"; });");
	world_run(&world, ask_and_let_it_pass);
	ck_assert_int_eq(world.answer.verdict, TMAIL_TEMPFAIL);
	ck_assert_int_eq(resumed_as, TMAIL_LATE);
	world_end(&world);
}
END_TEST

static int gone(struct tmail_call *call, void *ctx)
{
	(void)call;
	ck_assert_ptr_eq(ctx, &gave_back);
	gave_back++;
	return 1;
}
static enum tmail_verdict hook_gone(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert_int_eq(call->host->abandoned(call, gone, &gave_back), TMAIL_OK);
	return TMAIL_WAIT;
}
static const struct tmail_hook hooks_gone[] = { { TMAIL_POINT_MAIL, TMAIL_WAITS, hook_gone } };
MODULE(module_gone, "test/gone", .hooks = TMAIL_LIST(hooks_gone));

static void ask_and_give_up(struct world *w)
{
	ck_assert(!chain_ask(
		&w->subject, TMAIL_POINT_MAIL, &world_event, &w->answer, world_answered, w));
	ck_assert_int_eq(gave_back, 0);
	subject_cancel(&w->subject);
	ck_assert_int_eq(gave_back, 1);
	world_over(w);
}

START_TEST(a_call_that_is_given_up_is_given_back_by_who_said_so)
{
	module_preload(&module_gone);
	world_begin(&world, "modules = ({ module = \"test/gone\"; });");
	world_run(&world, ask_and_give_up);
	world_end(&world);
}
END_TEST

TEST_MAIN("host/chain", every_module_of_a_point_is_asked_in_the_order_of_the_configuration,
	a_point_nobody_hooks_is_answered_at_once, a_refusal_ends_the_point_and_keeps_its_words,
	accept_ends_the_point_and_grants_no_relay, a_hold_is_a_mark_and_the_chain_goes_on,
	when_says_for_which_clients_a_module_is_asked,
	a_dry_question_is_put_only_to_those_that_honour_it,
	a_blocking_hook_has_copies_of_all_that_it_sees,
	a_worker_runs_to_its_end_though_the_client_has_left,
	a_waiting_hook_is_resumed_from_any_thread_and_the_chain_goes_on,
	who_resumes_after_the_client_left_is_told_late,
	who_misses_the_deadline_refuses_for_now_and_is_told_late,
	a_call_that_is_given_up_is_given_back_by_who_said_so)
