/* SPDX-License-Identifier: MIT
 *
 * Loops: tasks of many threads, deadlines, what runs before the wait, and the end.
 */
#include "sys/loop.h"

#include "base/list.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;

static void set_up(void)
{
	struct why why;

	loop = loop_new(3, &why);
	ck_assert_ptr_nonnull(loop);
}

static void stop_soon(struct task *task)
{
	(void)task;
	loop_stop(loop);
}

/* ---- tasks ------------------------------------------------------------------------------- */

struct numbered {
	struct task task;
	int number;
};
static int order[16], ordered;

static void note_order(struct task *task)
{
	order[ordered++] = container_of(task, struct numbered, task)->number;
	if (ordered == 3)
		loop_stop(loop);
}

START_TEST(tasks_run_in_the_order_they_were_posted)
{
	struct numbered n[3];

	set_up();
	ck_assert_uint_eq(loop_index(loop), 3);
	for (int i = 0; i < 3; i++) {
		n[i] = (struct numbered){ { .run = note_order }, i };
		loop_post(loop, &n[i].task);
	}
	loop_run(loop);
	ck_assert_int_eq(ordered, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(order[i], i);
	loop_free(&loop);
	ck_assert_ptr_null(loop);
}
END_TEST

static struct numbered again[2];
static bool inside;

static void post_again(struct task *task)
{
	(void)task;
	inside = true;
	/* The memory of the running task is free to use. */
	again[0].task.run = note_order;
	again[1].task.run = note_order;
	loop_post(loop, &again[0].task);
	loop_post(loop, &again[1].task);
	ck_assert_int_eq(ordered, 0);
	inside = false;
	ordered = 1;
}

START_TEST(a_task_posted_by_the_loop_itself_runs_in_its_next_turn)
{
	set_up();
	again[0].number = 1;
	again[1].number = 2;
	again[0].task.run = post_again;
	loop_post(loop, &again[0].task);
	loop_run(loop);
	ck_assert_int_eq(order[1], 1);
	ck_assert_int_eq(order[2], 2);
	loop_free(&loop);
}
END_TEST

static void is_current(struct task *task)
{
	(void)task;
	ck_assert_ptr_eq(loop_current(), loop);
	loop_stop(loop);
}

START_TEST(the_current_loop_is_known_on_its_thread_only)
{
	struct task task = { .run = is_current };

	set_up();
	ck_assert_ptr_null(loop_current());
	loop_post(loop, &task);
	loop_run(loop);
	ck_assert_ptr_null(loop_current());
	loop_free(&loop);
}
END_TEST

enum { POSTERS = 4, ROUNDS = 50000, LIVE = 512 };

struct poster {
	pthread_t thread;
	unsigned index;
};
struct ticket {
	struct task task;
	struct poster *from;
	unsigned number;
	atomic_bool busy;
};
static struct poster posters[POSTERS];
static struct ticket tickets[POSTERS][LIVE];
static unsigned heard[POSTERS], heard_all;

static void hear(struct task *task)
{
	struct ticket *ticket = container_of(task, struct ticket, task);

	/* In the order of its poster. */
	must(ticket->number == heard[ticket->from->index]++);
	atomic_store(&ticket->busy, false);
	if (++heard_all == POSTERS * ROUNDS)
		loop_stop(loop);
}

static void *post_many(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct ticket *ticket = &tickets[poster->index][i % LIVE];
		while (atomic_load(&ticket->busy))
			sched_yield();
		atomic_store(&ticket->busy, true);
		ticket->task.run = hear;
		ticket->from = poster;
		ticket->number = i;
		loop_post(loop, &ticket->task);
	}
	return NULL;
}

START_TEST(no_task_of_many_threads_is_lost_or_overtaken)
{
	struct why why;

	set_up();
	ck_assert(loop_start(loop, "loop", &why));
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i].index = i;
		ck_assert(thread_start(&posters[i].thread, "poster", post_many, &posters[i], &why));
	}
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	loop_join(loop);
	ck_assert_uint_eq(heard_all, POSTERS * ROUNDS);
	loop_free(&loop);
}
END_TEST

START_TEST(what_was_posted_before_the_stop_is_run)
{
	struct numbered n = { { .run = note_order }, 7 };

	set_up();
	loop_post(loop, &n.task);
	loop_stop(loop);
	ck_assert(loop_ending(loop));
	loop_run(loop);
	ck_assert_int_eq(ordered, 1);
	loop_free(&loop);
}
END_TEST

START_TEST(what_was_posted_after_the_stop_is_run_when_the_loop_is_freed)
{
	struct numbered n = { { .run = note_order }, 7 };

	set_up();
	loop_stop(loop);
	loop_run(loop);
	loop_post(loop, &n.task);
	ck_assert_int_eq(ordered, 0);
	loop_free(&loop);
	ck_assert_int_eq(ordered, 1);
}
END_TEST

/* ---- before the wait --------------------------------------------------------------------- */

static struct task late, first_half, second_half;
static int late_runs, late_after;

static void run_late(struct task *task)
{
	(void)task;
	late_runs++;
	late_after = ordered;
	if (late_runs == 1)
		loop_before_wait(loop, &late); /* not in this turn, but before it waits */
	else
		loop_stop(loop);
}

static void run_half(struct task *task)
{
	ordered++;
	if (task == &first_half)
		loop_before_wait(loop, &late);
}

START_TEST(what_many_tasks_share_runs_once_before_the_wait)
{
	set_up();
	late.run = run_late;
	first_half.run = second_half.run = run_half;
	loop_post(loop, &first_half);
	loop_post(loop, &second_half);
	loop_run(loop);
	ck_assert_int_eq(late_after, 2);
	ck_assert_int_eq(late_runs, 2);
	loop_free(&loop);
}
END_TEST

/* ---- deadlines --------------------------------------------------------------------------- */

static atomic_llong fake_now = 1000000;

static int64_t fake_mono(void)
{
	return fake_now;
}

struct timed {
	struct deadline deadline;
	int number;
};
static struct timed timed[4];
static void (*then)(struct timed *t);

static void note_fired(struct deadline *deadline)
{
	struct timed *t = container_of(deadline, struct timed, deadline);

	ck_assert_int_eq(t->deadline.due, 0);
	order[ordered++] = t->number;
	if (then)
		then(t);
}

static void timed_init(void)
{
	for (int i = 0; i < 4; i++) {
		deadline_init(&timed[i].deadline, loop, note_fired);
		timed[i].number = i;
	}
}

/* One turn in which nothing else happens. */
static void turn(void)
{
	struct task stop = { .run = stop_soon };

	/* Two, because the first only sets the timer. */
	for (int i = 0; i < 2; i++) {
		loop_post(loop, &stop);
		loop_run(loop);
	}
}

START_TEST(deadlines_fire_in_order_and_not_before_their_time)
{
	set_up();
	clock_replace(NULL, fake_mono);
	timed_init();
	deadline_set(&timed[2].deadline, 300);
	deadline_set(&timed[0].deadline, 100);
	deadline_set(&timed[1].deadline, 200);
	turn();
	ck_assert_int_eq(ordered, 0);
	fake_now += 99999;
	turn();
	ck_assert_int_eq(ordered, 0);
	fake_now += 1;
	turn();
	ck_assert_int_eq(ordered, 1);
	fake_now += 1000000;
	turn();
	ck_assert_int_eq(ordered, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(order[i], i);
	loop_free(&loop);
}
END_TEST

START_TEST(a_deadline_set_later_fires_later_and_set_earlier_fires_earlier)
{
	set_up();
	clock_replace(NULL, fake_mono);
	timed_init();
	deadline_set(&timed[0].deadline, 100);
	deadline_set(&timed[0].deadline, 500);
	deadline_set(&timed[1].deadline, 500);
	deadline_set(&timed[1].deadline, 100);
	fake_now += 200000;
	turn();
	ck_assert_int_eq(ordered, 1);
	ck_assert_int_eq(order[0], 1);
	fake_now += 300000;
	turn();
	ck_assert_int_eq(ordered, 2);
	loop_free(&loop);
}
END_TEST

START_TEST(a_cleared_deadline_does_not_fire)
{
	set_up();
	clock_replace(NULL, fake_mono);
	timed_init();
	deadline_set(&timed[0].deadline, 100);
	deadline_clear(&timed[0].deadline);
	deadline_clear(&timed[1].deadline);
	ck_assert_int_eq(timed[0].deadline.due, 0);
	fake_now += 1000000;
	turn();
	ck_assert_int_eq(ordered, 0);
	loop_free(&loop);
}
END_TEST

static void clear_next(struct timed *t)
{
	if (t->number == 0)
		deadline_clear(&timed[1].deadline);
}

START_TEST(a_deadline_may_clear_another_that_is_due_too)
{
	set_up();
	clock_replace(NULL, fake_mono);
	timed_init();
	then = clear_next;
	deadline_set(&timed[0].deadline, 100);
	deadline_set(&timed[1].deadline, 101);
	deadline_set(&timed[2].deadline, 102);
	fake_now += 1000000;
	turn();
	ck_assert_int_eq(ordered, 2);
	ck_assert_int_eq(order[1], 2);
	loop_free(&loop);
}
END_TEST

static void set_again(struct timed *t)
{
	deadline_set(&t->deadline, 0);
	if (ordered == 8)
		loop_stop(loop);
}

START_TEST(a_deadline_that_is_set_for_now_again_and_again_does_not_keep_the_loop)
{
	set_up();
	clock_replace(NULL, fake_mono);
	timed_init();
	then = set_again;
	deadline_set(&timed[0].deadline, 0);
	loop_run(loop);
	ck_assert_int_eq(ordered, 8);
	deadline_clear(&timed[0].deadline);
	loop_free(&loop);
}
END_TEST

static void stop_loop(struct timed *t)
{
	(void)t;
	loop_stop(loop);
}

START_TEST(a_deadline_wakes_the_loop_by_the_real_clock)
{
	int64_t start;

	set_up();
	timed_init();
	then = stop_loop;
	start = clock_mono();
	deadline_set(&timed[0].deadline, 20);
	loop_run(loop);
	ck_assert_int_eq(ordered, 1);
	ck_assert_int_ge(clock_mono() - start, 20000);
	loop_free(&loop);
}
END_TEST

static int64_t step_mono(void)
{
	return ++fake_now;
}

static int64_t seen_now[2];

static void see_now(struct task *task)
{
	(void)task;
	seen_now[0] = loop_now(loop);
	seen_now[1] = loop_now(loop);
	loop_stop(loop);
}

START_TEST(the_time_of_a_turn_stands_still)
{
	struct task task = { .run = see_now };

	set_up();
	clock_replace(NULL, step_mono);
	ck_assert_int_lt(loop_now(loop), loop_now(loop)); /* outside of any turn */
	loop_post(loop, &task);
	loop_run(loop);
	ck_assert_int_eq(seen_now[0], seen_now[1]);
	loop_free(&loop);
}
END_TEST

/* ---- what lives on a loop ---------------------------------------------------------------- */

struct kept {
	int value;
	struct loop *of;
};
static int ended;

static void kept_begin(struct loop *l, void *part)
{
	((struct kept *)part)->of = l;
}

static void kept_end(void *part)
{
	ended = ((struct kept *)part)->value;
}

START_TEST(a_part_is_made_once_and_ends_with_the_loop)
{
	static const struct loop_part kind = { sizeof(struct kept), kept_begin, kept_end };
	static const struct loop_part other = { .size = 8 };

	set_up();
	struct kept *kept = loop_part(loop, &kind);
	ck_assert_ptr_eq(kept->of, loop);
	ck_assert_int_eq(kept->value, 0);
	kept->value = 42;
	ck_assert_ptr_ne(loop_part(loop, &other), kept);
	ck_assert_ptr_eq(loop_part(loop, &kind), kept);
	loop_free(&loop);
	ck_assert_int_eq(ended, 42);
}
END_TEST

START_TEST(handles_left_open_are_closed_with_the_loop)
{
	uv_timer_t left;
	uv_poll_t polled;
	int ends[2];

	set_up();
	ck_assert_int_eq(pipe(ends), 0);
	uv_timer_init(loop_uv(loop), &left);
	uv_poll_init(loop_uv(loop), &polled, ends[0]);
	loop_free(&loop);
	close(ends[0]);
	close(ends[1]);
	loop_free(&loop); /* NULL is fine */
}
END_TEST

START_TEST(load_is_counted_up_and_down)
{
	set_up();
	loop_load_add(loop, 2);
	loop_load_add(loop, -1);
	ck_assert_uint_eq(loop_load(loop), 1);
	loop_free(&loop);
}
END_TEST

TEST_MAIN("sys/loop", tasks_run_in_the_order_they_were_posted,
	a_task_posted_by_the_loop_itself_runs_in_its_next_turn,
	the_current_loop_is_known_on_its_thread_only, no_task_of_many_threads_is_lost_or_overtaken,
	what_was_posted_before_the_stop_is_run,
	what_was_posted_after_the_stop_is_run_when_the_loop_is_freed,
	what_many_tasks_share_runs_once_before_the_wait,
	deadlines_fire_in_order_and_not_before_their_time,
	a_deadline_set_later_fires_later_and_set_earlier_fires_earlier,
	a_cleared_deadline_does_not_fire, a_deadline_may_clear_another_that_is_due_too,
	a_deadline_that_is_set_for_now_again_and_again_does_not_keep_the_loop,
	a_deadline_wakes_the_loop_by_the_real_clock, the_time_of_a_turn_stands_still,
	a_part_is_made_once_and_ends_with_the_loop, handles_left_open_are_closed_with_the_loop,
	load_is_counted_up_and_down)
