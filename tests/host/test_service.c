/* SPDX-License-Identifier: MIT
 *
 * Asking services: now, on a worker, later; by a loop, by a thread that waits, by modules.
 */
#include "tests/host/world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { NOW = 1, WORK = 2, LATER = 3, NEVER = 4, MISSING = 5 };

struct question {
	int number;
};
struct answer {
	int number;
	struct tmail_str text;
};

static struct world world;
static _Atomic int on_loop, on_worker;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct tmail_call *_Atomic kept;

static void fill(struct tmail_call *call, const void *question, void *answer)
{
	const struct question *q = question;
	struct answer *a = answer;
	char *text = call->host->alloc(call, 4, TMAIL_SCOPE_CALL);

	memcpy(text, "text", 4);
	a->number = q->number + 1;
	a->text.data = text;
	a->text.len = 4;
}
static int now(struct tmail_call *call, const void *question, void *answer)
{
	if (loop_current())
		on_loop++;
	fill(call, question, answer);
	return TMAIL_OK;
}
static int work(struct tmail_call *call, const void *question, void *answer)
{
	ck_assert_ptr_null(loop_current());
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	on_worker++;
	fill(call, question, answer);
	return TMAIL_NOT_FOUND;
}
struct later {
	const void *question;
	void *answer;
};
static void fired(struct tmail_call *call, void *ctx)
{
	struct later *l = ctx;

	fill(call, l->question, l->answer);
	call->host->resume(call, TMAIL_REFUSED);
}
static int later(struct tmail_call *call, const void *question, void *answer)
{
	struct later *l = call->host->alloc(call, sizeof *l, TMAIL_SCOPE_CALL);

	ck_assert_ptr_nonnull(call->host->net);
	l->question = question;
	l->answer = answer;
	ck_assert_int_eq(call->host->net->timer(call, 1, fired, l), TMAIL_OK);
	return TMAIL_PENDING;
}
static int never(struct tmail_call *call, const void *question, void *answer)
{
	(void)question;
	(void)answer;
	kept = call;
	return TMAIL_PENDING;
}
static const struct tmail_operation operations[] = { { NOW, 0, now },
	{ WORK, TMAIL_BLOCKING, work }, { LATER, TMAIL_WAITS, later },
	{ NEVER, TMAIL_WAITS, never } };
static const struct tmail_service services[] = { { "test", "one", TMAIL_LIST(operations) } };
MODULE(module, "test/service", .capabilities = TMAIL_CAN_NET, .services = TMAIL_LIST(services));

/* Asks others. */
static int asked[3];
static void ask_all(struct tmail_call *call)
{
	struct question q = { 1 };
	struct answer a = { 0 };

	asked[0] = call->host->ask(call, "test", NOW, &q, &a);
	asked[1] = call->host->ask(call, "test:one", WORK, &q, &a);
	asked[2] = call->host->ask(call, "test", LATER, &q, &a);
	if (asked[0] == TMAIL_OK)
		ck_assert_int_eq(a.text.len, 4);
	ck_assert_int_eq(call->host->ask(call, "test:two", NOW, &q, &a), TMAIL_UNSUPPORTED);
	ck_assert_int_eq(call->host->ask(call, "sql", 1, &q, &a), TMAIL_REFUSED);
	ck_assert_int_eq(call->host->ask(call, "queue", 1, &q, &a), TMAIL_REFUSED);
}
static enum tmail_verdict asks(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ask_all(call);
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, 0, asks },
	{ TMAIL_POINT_DATA, TMAIL_BLOCKING, asks } };
MODULE(asker, "test/asker", .hooks = TMAIL_LIST(hooks));

static void begin(const char *more)
{
	char conf[200];

	module_preload(&module);
	module_preload(&asker);
	snprintf(conf, sizeof conf,
		"modules = ({ module = \"test/service\"; %s }, { module = \"test/asker\"; });",
		more);
	world_begin(&world, conf);
}

/* ---- on a loop --------------------------------------------------------------------------- */

static uint32_t op;
static struct answer *answer;

static void done(void *ctx, int status)
{
	struct world *w = ctx;

	w->status = status;
	w->answers++;
	world_over(w);
}

static void ask(struct world *w)
{
	struct arena *memory = service_memory(&w->subject);
	struct question *q = ARENA_NEW(memory, struct question);

	q->number = 41;
	answer = ARENA_NEW(memory, struct answer);
	w->answers = 0;
	w->status = service_ask(
		service_find(w->generation, "test", NULL, 0), &w->subject, op, q, answer, done, w);
	if (w->status != TMAIL_PENDING)
		world_over(w);
}

static void ask_op(uint32_t which)
{
	op = which;
	world_run(&world, ask);
}

START_TEST(an_operation_answers_at_once_from_a_worker_or_later)
{
	begin("");
	ask_op(NOW);
	ck_assert_int_eq(world.status, TMAIL_OK);
	ck_assert_int_eq(world.answers, 0);
	ck_assert_int_eq(answer->number, 42);
	ask_op(WORK);
	ck_assert_int_eq(world.status, TMAIL_NOT_FOUND);
	ck_assert_int_eq(world.answers, 1);
	ck_assert_int_eq(answer->number, 42);
	ask_op(LATER);
	ck_assert_int_eq(world.status, TMAIL_REFUSED);
	ck_assert_int_eq(answer->number, 42);
	ASSERT_STR(str_tm(answer->text), "text");
	ask_op(MISSING);
	ck_assert_int_eq(world.status, TMAIL_UNSUPPORTED);
	world_end(&world);
}
END_TEST

START_TEST(who_does_not_answer_in_time_is_late)
{
	begin("timeout = \"10ms\";");
	ask_op(NEVER);
	ck_assert_int_eq(world.status, TMAIL_LATE);
	ck_assert_int_eq(kept->host->resume(kept, TMAIL_OK), TMAIL_LATE);
	world_end(&world);
}
END_TEST

static void ask_and_leave(struct world *w)
{
	ask(w);
	ck_assert_int_eq(w->status, TMAIL_PENDING);
	subject_end(&w->subject);
	subject_init(&w->subject, w->loop, w->generation);
	if (op == WORK)
		pthread_mutex_unlock(&gate);
	else
		ck_assert_int_eq(kept->host->resume(kept, TMAIL_OK), TMAIL_LATE);
	world_over(w);
}

START_TEST(question_and_answer_last_though_who_asked_has_left)
{
	begin("");
	pthread_mutex_lock(&gate);
	op = WORK;
	world_run(&world, ask_and_leave);
	op = NEVER;
	world_run(&world, ask_and_leave);
	ck_assert_int_eq(world.answers, 0);
	world_end(&world);
}
END_TEST

START_TEST(services_are_found_by_name_key_and_place)
{
	begin("");
	ck_assert_ptr_nonnull(service_find(world.generation, "test", "one", 0));
	ck_assert_ptr_null(service_find(world.generation, "test", "two", 0));
	ck_assert_ptr_null(service_find(world.generation, "test", NULL, 1));
	ck_assert_ptr_null(service_find(world.generation, "other", NULL, 0));
	ck_assert(service_has(service_find(world.generation, "test", NULL, 0), LATER));
	ck_assert(!service_has(service_find(world.generation, "test", NULL, 0), MISSING));
	ck_assert_str_eq(
		instance_name(service_instance(service_find(world.generation, "test", NULL, 0))),
		"test/service");
	world_end(&world);
}
END_TEST

/* ---- by a thread that waits -------------------------------------------------------------- */

static void *wait_for_all(void *arg)
{
	struct service *s = service_find(world.generation, "test", NULL, 0);
	struct arena *arena = arena_new(64);
	struct question q = { 1 };
	struct answer a = { 0 };

	ck_assert_int_eq(service_ask_wait(s, WORK, &q, &a, arena), TMAIL_NOT_FOUND);
	ck_assert_int_eq(a.number, 2);
	ASSERT_STR(str_tm(a.text), "text");
	ck_assert_int_eq(service_ask_wait(s, NOW, &q, &a, arena), TMAIL_OK);
	ck_assert_int_eq(service_ask_wait(s, LATER, &q, &a, arena), TMAIL_REFUSED);
	ck_assert_int_eq(service_ask_wait(s, MISSING, &q, &a, arena), TMAIL_UNSUPPORTED);
	ck_assert_int_eq(a.number, 2);
	arena_free(&arena);
	world_over(&world);
	return arg;
}

static void start_thread(struct world *w)
{
	pthread_create((pthread_t *)w->ctx, NULL, wait_for_all, NULL);
}

START_TEST(a_thread_may_wait_for_any_operation)
{
	pthread_t thread;

	begin("");
	world.ctx = &thread;
	world_run(&world, start_thread);
	pthread_join(thread, NULL);
	ck_assert_int_eq(on_loop, 1); /* what does not block runs where it has a loop */
	ck_assert_int_eq(on_worker, 1);
	world_end(&world);
}
END_TEST

static void *resume_kept(void *arg)
{
	while (!kept)
		sched_yield();
	kept->host->resume(kept, TMAIL_OK);
	return arg;
}

START_TEST(without_a_loop_an_operation_that_waits_is_waited_for)
{
	struct question q = { 1 };
	struct answer a = { 0 };
	pthread_t thread;

	begin("");
	pthread_create(&thread, NULL, resume_kept, NULL);
	/* The loop does not run: it is asked right here. */
	ck_assert_int_eq(service_ask_wait(service_find(world.generation, "test", NULL, 0), NEVER,
				 &q, &a, NULL),
		TMAIL_OK);
	pthread_join(thread, NULL);
	world_end(&world);
}
END_TEST

/* ---- by modules -------------------------------------------------------------------------- */

START_TEST(a_module_on_a_loop_may_ask_only_what_answers_at_once)
{
	begin("");
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(asked[0], TMAIL_OK);
	ck_assert_int_eq(asked[1], TMAIL_REFUSED);
	ck_assert_int_eq(asked[2], TMAIL_REFUSED);
	world_end(&world);
}
END_TEST

START_TEST(a_module_on_a_worker_may_ask_anything)
{
	begin("");
	world_ask(&world, TMAIL_POINT_DATA);
	ck_assert_int_eq(asked[0], TMAIL_OK);
	ck_assert_int_eq(asked[1], TMAIL_NOT_FOUND);
	ck_assert_int_eq(asked[2], TMAIL_REFUSED); /* its own answer */
	ck_assert_int_eq(on_worker, 1);
	world_end(&world);
}
END_TEST

TEST_MAIN("host/service", an_operation_answers_at_once_from_a_worker_or_later,
	who_does_not_answer_in_time_is_late, question_and_answer_last_though_who_asked_has_left,
	services_are_found_by_name_key_and_place, a_thread_may_wait_for_any_operation,
	without_a_loop_an_operation_that_waits_is_waited_for,
	a_module_on_a_loop_may_ask_only_what_answers_at_once, a_module_on_a_worker_may_ask_anything)
