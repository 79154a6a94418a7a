/* SPDX-License-Identifier: MIT
 *
 * What an instance has on a loop: begun by its first call there, the same for all of them, ended on
 * that loop, once.
 */
#include "tests/host/world.h"

#include "host/instance.h"

#include <pthread.h>

static struct world world;
static int starts, ends, calls, start_status;
static void *memory;
static pthread_t ended_on;

static int loop_start_(struct tmail_call *call)
{
	ck_assert_ptr_null(call->client);
	ck_assert_uint_eq(call->point, TMAIL_POINTS);
	if (call->loop)
		ck_assert_int_eq(*(int *)call->loop, 0);
	starts++;
	call->host->reply(call, 0, NULL, "no room here");
	return start_status;
}
static void loop_end_(struct tmail_call *call)
{
	ck_assert_ptr_nonnull(call->loop);
	ended_on = pthread_self();
	ends++;
}
static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	calls++;
	memory = call->loop;
	if (memory)
		*(int *)memory += 1;
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, 0, hook },
	{ TMAIL_POINT_RCPT, 0, hook } };
MODULE(module_both, "test/both", .loop_size = sizeof(int), .loop_start = loop_start_,
	.loop_end = loop_end_, .hooks = TMAIL_LIST(hooks));
MODULE(module_memory, "test/memory", .loop_size = sizeof(int), .loop_end = loop_end_,
	.hooks = TMAIL_LIST(hooks));
MODULE(module_steps, "test/steps", .loop_start = loop_start_, .hooks = TMAIL_LIST(hooks));
MODULE(module_none, "test/none", .hooks = TMAIL_LIST(hooks));

static void begin(const char *conf)
{
	module_preload(&module_both);
	module_preload(&module_memory);
	module_preload(&module_steps);
	module_preload(&module_none);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	world_begin(&world, conf);
}

START_TEST(it_begins_with_the_first_call_and_is_there_for_all)
{
	static const struct {
		const char *conf;
		bool has_memory;
		int starts, ends;
	} rows[] = {
		{ "modules = ({ module = \"test/both\"; });", true, 1, 1 },
		{ "modules = ({ module = \"test/memory\"; });", true, 0, 1 },
		{ "modules = ({ module = \"test/steps\"; });", false, 1, 0 },
		{ "modules = ({ module = \"test/none\"; });", false, 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		starts = ends = calls = 0;
		begin(rows[i].conf);
		ck_assert_int_eq(starts, 0);
		for (int n = 0; n < 3; n++) {
			world_ask(&world, TMAIL_POINT_MAIL);
			world_ask(&world, TMAIL_POINT_RCPT);
		}
		ck_assert_int_eq(calls, 6);
		ck_assert_int_eq(memory != NULL, rows[i].has_memory);
		if (memory) /* the same at each call */
			ck_assert_int_eq(*(int *)memory, 6);
		ck_assert_int_eq(starts, rows[i].starts);
		ck_assert_int_eq(ends, 0);
		world_end(&world);
		ck_assert_int_eq(starts, rows[i].starts);
		ck_assert_int_eq(ends, rows[i].ends);
	}
}
END_TEST

START_TEST(who_was_never_called_has_nothing_to_end)
{
	begin("modules = ({ module = \"test/both\"; });");
	world_end(&world);
	ck_assert_int_eq(starts + ends, 0);
}
END_TEST

START_TEST(who_cannot_begin_is_not_asked_there_and_has_no_end)
{
	begin("modules = ({ module = \"test/both\"; });");
	start_status = TMAIL_TRY_LATER;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(world_ask(&world, TMAIL_POINT_MAIL)->verdict, TMAIL_TEMPFAIL);
	ck_assert_int_eq(starts, 1); /* once a loop */
	ck_assert_int_eq(calls, 0);
	world_end(&world);
	ck_assert_int_eq(ends, 0);
}
END_TEST

/* ---- which loop -------------------------------------------------------------------------- */

static bool looked, has;
static void look(struct task *task)
{
	struct loop *loop = loop_current();
	void *found = &looked;

	(void)task;
	has = instance_loop(instance_at(world.generation, 0), world.generation, loop, &found);
	looked = found != &looked;
	loop_stop(loop);
}

START_TEST(a_loop_that_is_not_the_server_s_has_nothing)
{
	struct task task = { .run = look };

	begin("modules = ({ module = \"test/both\"; });");
	for (unsigned index = 0; index < 2; index++) { /* that of one of ours, and none of ours */
		struct loop *other = loop_new(index, NULL);

		loop_post(other, &task);
		loop_run(other);
		ck_assert(has && !looked);
		loop_free(&other);
	}
	ck_assert_int_eq(starts, 0);
	world_end(&world);
}
END_TEST

/* A loop may go before the instances. */
START_TEST(it_ends_with_the_loop_if_that_goes_first)
{
	begin("modules = ({ module = \"test/both\"; });");
	world_ask(&world, TMAIL_POINT_MAIL);
	subject_end(&world.subject);
	loop_free(&world.loop);
	ck_assert_int_eq(ends, 1);
	generation_unref(&world.generation);
	ck_assert_int_eq(ends, 1);
	problems_free(&world.problems);
}
END_TEST

/* ---- a loop on another thread ------------------------------------------------------------ */

struct far {
	struct task task;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool done;
};
static void far_ask(struct task *task)
{
	struct far *f = container_of(task, struct far, task);
	struct subject subject;
	struct chain_answer answer;
	union tmail_event event = { 0 };

	subject_init(&subject, world.loop, world.generation);
	chain_ask(&subject, TMAIL_POINT_MAIL, &event, &answer, NULL, NULL);
	subject_end(&subject);
	pthread_mutex_lock(&f->lock);
	f->thread = pthread_self();
	f->done = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

START_TEST(it_ends_on_its_loop)
{
	struct far f = { .task.run = far_ask,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER };

	begin("modules = ({ module = \"test/both\"; }, { module = \"test/memory\"; });");
	subject_end(&world.subject);
	ck_assert(loop_start(world.loop, "far", NULL));
	loop_post(world.loop, &f.task);
	pthread_mutex_lock(&f.lock);
	while (!f.done)
		pthread_cond_wait(&f.wake, &f.lock);
	pthread_mutex_unlock(&f.lock);
	generation_unref(&world.generation);
	ck_assert_int_eq(ends, 2);
	ck_assert(pthread_equal(ended_on, f.thread));
	loop_stop(world.loop);
	loop_join(world.loop);
	loop_free(&world.loop);
	problems_free(&world.problems);
}
END_TEST

TEST_MAIN("host/loop_state", it_begins_with_the_first_call_and_is_there_for_all,
	who_was_never_called_has_nothing_to_end, who_cannot_begin_is_not_asked_there_and_has_no_end,
	a_loop_that_is_not_the_server_s_has_nothing, it_ends_with_the_loop_if_that_goes_first,
	it_ends_on_its_loop)
