/* SPDX-License-Identifier: MIT
 *
 * The race of an answer with the core's giving up: one of them wins, the other is told, and the
 * call goes when both are done.
 */
#include "tests/host/world.h"

#include <pthread.h>
#include <stdatomic.h>

/* A million races. */
enum { SUBJECTS = 64, ROUNDS = 16000, RESUMERS = 2, RING = 4096 };

/* Calls on their way to the threads that resume them. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct tmail_call *item[RING];
	unsigned from, to;
	bool end;
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
static _Atomic long asked, won, late, answered, ended;

static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	*(long *)call->session += 1;
	asked++;
	pthread_mutex_lock(&ring.lock);
	ck_assert_uint_lt(ring.to - ring.from, RING);
	ring.item[ring.to++ % RING] = call;
	pthread_cond_signal(&ring.wake);
	pthread_mutex_unlock(&ring.lock);
	return TMAIL_WAIT;
}

static void session_end(struct tmail_call *call)
{
	ck_assert_int_gt(*(long *)call->session, 0);
	ended++;
}

static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, TMAIL_WAITS, hook } };
MODULE(module, "test/race", .hooks = TMAIL_LIST(hooks), .session_size = sizeof(long),
	.session_end = session_end);

static void *resumer(void *arg)
{
	for (;;) {
		struct tmail_call *call;
		int status;

		pthread_mutex_lock(&ring.lock);
		while (ring.from == ring.to && !ring.end)
			pthread_cond_wait(&ring.wake, &ring.lock);
		call = ring.from == ring.to ? NULL : ring.item[ring.from++ % RING];
		pthread_mutex_unlock(&ring.lock);
		if (!call)
			return arg;
		/* The facts are there whoever wins. */
		ck_assert_uint_eq(call->client->helo.len, strlen("client.example"));
		call->host->reply(call, 0, NULL, "from afar");
		status = call->host->resume(call, TMAIL_CONTINUE);
		ck_assert(status == TMAIL_OK || status == TMAIL_LATE);
		if (status == TMAIL_OK)
			won++;
		else
			late++;
	}
}

struct racer {
	struct subject subject;
	struct chain_answer answer;
	bool waits;
};
static struct racer racers[SUBJECTS];
static struct world world;
static unsigned rounds;
static struct task again;

static void racer_done(void *ctx, const struct chain_answer *answer)
{
	struct racer *r = ctx;

	ck_assert_int_eq(answer->verdict, TMAIL_CONTINUE);
	r->waits = false;
	answered++;
}

static void racer_start(struct racer *r)
{
	union tmail_event event = { 0 };

	subject_init(&r->subject, world.loop, world.generation);
	r->subject.client.helo = tm_str(STR("client.example"));
	r->waits = !chain_ask(&r->subject, TMAIL_POINT_MAIL, &event, &r->answer, racer_done, r);
	ck_assert(r->waits);
}

/* A third of them leaves in the same turn, a third in the next, a third waits for its answer. */
static void round_run(struct task *task)
{
	bool over = rounds >= ROUNDS;

	/* Who resumes is slower at times: no more than the ring holds. */
	if (asked - won - late > RING - SUBJECTS) {
		loop_post(world.loop, task);
		return;
	}
	for (unsigned i = 0; i < SUBJECTS; i++) {
		struct racer *r = &racers[i];

		if (r->waits && i % 3 == 2) {
			over = false;
			continue;
		}
		if (r->subject.loop)
			subject_end(&r->subject);
		r->waits = false;
		r->subject.loop = NULL;
		if (rounds >= ROUNDS)
			continue;
		racer_start(r);
		if (i % 3 == 0) {
			subject_end(&r->subject);
			r->waits = false;
			r->subject.loop = NULL;
		}
	}
	rounds++;
	if (!over) {
		loop_post(world.loop, task);
		return;
	}
	generation_unref(&world.generation);
	subject_end(&world.subject);
}

static void start(struct world *w)
{
	again.run = round_run;
	loop_post(w->loop, &again);
}

static void all_gone(void)
{
	world_over(&world);
}

START_TEST(one_wins_the_other_is_told_and_nothing_is_left)
{
	pthread_t threads[RESUMERS];

	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/race\"; timeout = \"1h\"; });");
	generation_on_main(all_gone); /* when the last call that held it is */
	for (unsigned i = 0; i < RESUMERS; i++)
		pthread_create(&threads[i], NULL, resumer, NULL);
	world_run(&world, start);
	pthread_mutex_lock(&ring.lock);
	ring.end = true;
	pthread_cond_broadcast(&ring.wake);
	pthread_mutex_unlock(&ring.lock);
	for (unsigned i = 0; i < RESUMERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert(generation_wait_gone(0));
	ck_assert_int_gt(won, 0);
	ck_assert_int_gt(late, 0);
	ck_assert_int_eq(won + late, asked);
	ck_assert_int_le(answered, won);
	ck_assert_int_eq(ended, asked); /* one session each */
	world_end(&world);
}
END_TEST

/* ---- deadlines that race with answers ---------------------------------------------------- */

enum { DEADLINES = 200 };
static _Atomic int heard;

static void heard_done(void *ctx, const struct chain_answer *answer)
{
	struct racer *r = ctx;

	/* In time or not, once, and never something in between. */
	ck_assert(answer->verdict == TMAIL_CONTINUE || answer->verdict == TMAIL_TEMPFAIL);
	ck_assert(r->waits);
	r->waits = false;
	subject_end(&r->subject);
	if (++heard == DEADLINES)
		generation_unref(&world.generation);
}

static struct racer hasty[DEADLINES];

static void start_hasty(struct world *w)
{
	union tmail_event event = { 0 };

	subject_end(&w->subject);
	for (unsigned i = 0; i < DEADLINES; i++) {
		struct racer *r = &hasty[i];

		subject_init(&r->subject, w->loop, w->generation);
		r->subject.client.helo = tm_str(STR("client.example"));
		r->waits = true;
		ck_assert(!chain_ask(
			&r->subject, TMAIL_POINT_MAIL, &event, &r->answer, heard_done, r));
	}
}

START_TEST(a_deadline_and_an_answer_are_heard_as_one)
{
	pthread_t thread;

	module_preload(&module);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	world_begin(&world, "modules = ({ module = \"test/race\"; timeout = \"1ms\"; });");
	generation_on_main(all_gone);
	pthread_create(&thread, NULL, resumer, NULL);
	world_run(&world, start_hasty);
	pthread_mutex_lock(&ring.lock);
	ring.end = true;
	pthread_cond_broadcast(&ring.wake);
	pthread_mutex_unlock(&ring.lock);
	pthread_join(thread, NULL);
	ck_assert(generation_wait_gone(0));
	ck_assert_int_eq(heard, DEADLINES);
	ck_assert_int_eq(won + late, DEADLINES);
	world_end(&world);
}
END_TEST

TEST_MAIN("host/call", one_wins_the_other_is_told_and_nothing_is_left,
	a_deadline_and_an_answer_are_heard_as_one)
