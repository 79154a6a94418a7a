/* SPDX-License-Identifier: MIT
 *
 * A worker has something done by the main thread: now, later, or not any more.
 */
#include "tests/daemon/serving.h"

static pthread_t main_thread;
static struct main_call *pending;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool on_main;

static void *main_run(void *arg)
{
	loop_run(server.main);
	return arg;
}

static void begin(void)
{
	serving_loop_begin();
	ck_assert_int_eq(pthread_create(&main_thread, NULL, main_run, NULL), 0);
}

static void end(void)
{
	loop_stop(server.main);
	pthread_join(main_thread, NULL);
	loop_free(&server.main);
}

static void say_yes(struct main_call *call)
{
	on_main = pthread_equal(pthread_self(), main_thread);
	main_call_end(call, true, NULL);
}

static void say_no(struct main_call *call)
{
	main_call_end(call, false, "not today");
}

/* Kept until somebody ends it. */
static void keep(struct main_call *call)
{
	pthread_mutex_lock(&lock);
	pending = call;
	pthread_cond_signal(&change);
	pthread_mutex_unlock(&lock);
}

static struct main_call *kept(void)
{
	struct main_call *call;

	pthread_mutex_lock(&lock);
	while (!pending)
		pthread_cond_wait(&change, &lock);
	call = pending;
	pending = NULL;
	pthread_mutex_unlock(&lock);
	return call;
}

struct worker {
	pthread_t thread;
	bool ok;
	struct why why;
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	w->ok = main_call(keep, &w->why);
	return NULL;
}

static void worker_start(struct worker *w)
{
	ck_assert_int_eq(pthread_create(&w->thread, NULL, worker_run, w), 0);
}

START_TEST(it_is_done_on_the_main_thread_and_its_answer_comes_back)
{
	struct why why;

	begin();
	ck_assert(main_call(say_yes, &why));
	ck_assert(on_main);
	ck_assert(!main_call(say_no, &why));
	ck_assert_str_eq(why.text, "not today");
	end();
}
END_TEST

START_TEST(it_may_be_answered_later_and_by_another_thread)
{
	struct worker w;

	begin();
	worker_start(&w);
	main_call_end(kept(), false, "after all");
	pthread_join(w.thread, NULL);
	ck_assert(!w.ok);
	ck_assert_str_eq(w.why.text, "after all");
	worker_start(&w);
	main_call_end(kept(), true, NULL);
	pthread_join(w.thread, NULL);
	ck_assert(w.ok);
	end();
}
END_TEST

START_TEST(who_waits_when_the_server_ends_waits_no_more)
{
	struct worker w;
	struct main_call *call;

	begin();
	worker_start(&w);
	call = kept();
	main_calls_refuse();
	pthread_join(w.thread, NULL);
	ck_assert(!w.ok);
	ck_assert_str_eq(w.why.text, "the server is stopping");
	main_call_end(call, true, NULL); /* too late, and no harm */
	end();
}
END_TEST

START_TEST(who_comes_when_the_server_has_ended_is_refused_at_once)
{
	struct why why;

	begin();
	main_calls_refuse();
	on_main = false;
	ck_assert(!main_call(say_yes, &why));
	ck_assert_str_eq(why.text, "the server is stopping");
	end();
	ck_assert(!on_main);
}
END_TEST

TEST_MAIN("daemon/main_call", it_is_done_on_the_main_thread_and_its_answer_comes_back,
	it_may_be_answered_later_and_by_another_thread,
	who_waits_when_the_server_ends_waits_no_more,
	who_comes_when_the_server_has_ended_is_refused_at_once)
