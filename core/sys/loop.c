/* SPDX-License-Identifier: MIT
 *
 * A turn of the loop, as libuv runs it: the timer, the idle handle (tasks that the loop posted
 * to itself), the prepare handle (before-wait tasks, then the timer is set for the first
 * deadline), the wait with the events' callbacks, closed handles.
 *
 * Tasks of other threads are pushed on a stack with one exchange, and the whole stack is taken
 * with another and turned round: no element is ever taken singly, so there is no ABA. Who finds
 * the stack empty wakes the loop; everybody after him need not. It is woken by an eventfd of ours:
 * libuv's own (uv_async_t) spins until the sender has returned from its system call, which on
 * few processors is long.
 */
#include "sys/loop.h"

#include "base/list.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct part {
	struct part *next;
	const struct loop_part *kind;
	max_align_t memory[];
};

struct task_list {
	struct task *first, **last;
};

struct loop {
	uv_loop_t uv;
	uv_poll_t wake;  /* tasks of other threads: wake_fd can be read */
	uv_idle_t again; /* active while `own` or `before_wait` holds tasks */
	uv_prepare_t prepare;
	uv_timer_t timer;              /* for the first of `deadlines` */
	_Atomic(struct task *) posted; /* last one first */
	struct task_list own, before_wait;
	struct heap deadlines;
	int64_t armed; /* what the timer is set for; 0: nothing */
	int64_t now;   /* of this turn; 0: nobody asked yet */
	struct part *parts;
	struct task stop;
	int wake_fd;
	atomic_bool stopping;
	atomic_bool running;
	atomic_uint load;
	unsigned index;
	pthread_t thread;
	bool threaded;
};

static _Thread_local struct loop *current;

/* ---- tasks ------------------------------------------------------------------------------- */

static void tasks_init(struct task_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void tasks_add(struct task_list *list, struct task *task)
{
	task->next = NULL;
	*list->last = task;
	list->last = &task->next;
}

/* Those that are there now; what they add is for the next time. */
static void tasks_run(struct task_list *list)
{
	struct task *task = list->first, *next;

	tasks_init(list);
	for (; task; task = next) {
		next = task->next;
		task->run(task);
	}
}

static void loop_turn_again(struct loop *l);

static void run_own(uv_idle_t *handle)
{
	struct loop *l = container_of(handle, struct loop, again);

	uv_idle_stop(&l->again);
	tasks_run(&l->own);
	if (l->own.first)
		loop_turn_again(l);
}

/* Keeps the loop from waiting in this turn. */
static void loop_turn_again(struct loop *l)
{
	uv_handle_t *again = (uv_handle_t *)&l->again;

	if (!uv_is_active(again) && !uv_is_closing(again))
		uv_idle_start(&l->again, run_own);
}

static void run_posted(struct loop *l)
{
	struct task *task = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire);
	struct task *first = NULL, *next;

	for (; task; task = next) {
		next = task->next;
		task->next = first;
		first = task;
	}
	for (; first; first = next) {
		next = first->next;
		first->run(first);
	}
}

static void loop_wake(const struct loop *l)
{
	ssize_t n;

	do {
		n = write(l->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	} while (n < 0 && errno == EINTR);
	must(n == sizeof(uint64_t)); /* it would take 2^64 wakes unread to fail */
}

/* Read first: who posts after the stack was taken must wake again. */
static void woken(uv_poll_t *handle, int status, int events)
{
	struct loop *l = container_of(handle, struct loop, wake);
	uint64_t wakes;

	(void)status;
	(void)events;
	if (read(l->wake_fd, &wakes, sizeof wakes) < 0)
		must(errno == EAGAIN || errno == EINTR);
	run_posted(l);
}

void loop_post(struct loop *l, struct task *task)
{
	if (l == current) {
		tasks_add(&l->own, task);
		loop_turn_again(l);
		return;
	}
	struct task *before = atomic_load_explicit(&l->posted, memory_order_relaxed);
	do {
		task->next = before;
	} while (!atomic_compare_exchange_weak_explicit(
		&l->posted, &before, task, memory_order_release, memory_order_relaxed));
	/* The task may be running already: it is not touched again. */
	if (!before)
		loop_wake(l);
}

void loop_before_wait(struct loop *l, struct task *task)
{
	tasks_add(&l->before_wait, task);
}

/* ---- deadlines --------------------------------------------------------------------------- */

int64_t loop_now(const struct loop *l)
{
	if (l != current)
		return clock_mono(); /* it has no turn now */
	if (l->now == 0)
		((struct loop *)l)->now = clock_mono(); /* a cache; loops are never const */
	return l->now;
}

void deadline_init(struct deadline *d, struct loop *l, void (*fired)(struct deadline *))
{
	*d = (struct deadline){ .loop = l, .fired = fired };
}

void deadline_set(struct deadline *d, int64_t ms)
{
	struct heap *heap = &d->loop->deadlines;

	d->due = loop_now(d->loop) + ms * 1000;
	if (d->due < 1)
		d->due = 1; /* 0 says: not set */
	if (d->node.place == 0)
		heap_add(heap, &d->node, d->due);
	else if (d->due < d->node.due)
		heap_move(heap, &d->node, d->due);
}

void deadline_clear(struct deadline *d)
{
	d->due = 0;
	if (d->node.place != 0)
		heap_remove(&d->loop->deadlines, &d->node);
}

static void deadlines_run(uv_timer_t *timer)
{
	struct loop *l = container_of(timer, struct loop, timer);
	int64_t now = loop_now(l);
	struct heap_node *node;

	l->armed = 0;
	/* Bounded: one that sets itself anew for now waits for the next turn. */
	for (size_t most = l->deadlines.count; most > 0; most--) {
		node = heap_first(&l->deadlines);
		if (!node || node->due > now)
			return;
		struct deadline *d = container_of(node, struct deadline, node);
		if (d->due > node->due) {
			heap_move(&l->deadlines, node, d->due);
			continue;
		}
		deadline_clear(d);
		d->fired(d);
	}
}

/* Sets the timer for the first deadline, once a turn for all that was set in it. */
static void timer_arm(struct loop *l)
{
	struct heap_node *first = heap_first(&l->deadlines);

	if (!first) {
		if (l->armed)
			uv_timer_stop(&l->timer);
		l->armed = 0;
		return;
	}
	int64_t wait = first->due - clock_mono();
	if (first->due == l->armed && wait > 0)
		return;
	l->armed = first->due;
	uv_timer_start(&l->timer, deadlines_run, wait > 0 ? (uint64_t)(wait + 999) / 1000 : 0, 0);
}

static void before_wait(uv_prepare_t *handle)
{
	struct loop *l = container_of(handle, struct loop, prepare);

	tasks_run(&l->before_wait);
	if (l->before_wait.first)
		loop_turn_again(l);
	timer_arm(l);
	l->now = 0; /* the wait follows: what is known of the time grows old */
}

/* ---- life -------------------------------------------------------------------------------- */

static void stop_run(struct task *task)
{
	uv_stop(&container_of(task, struct loop, stop)->uv);
}

struct loop *loop_new(unsigned index, struct why *why)
{
	struct loop *l = must_alloc(sizeof *l);
	int error;

	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = l->wake_fd < 0 ? uv_translate_sys_error(errno) : uv_loop_init(&l->uv);
	if (!error) {
		error = uv_poll_init(&l->uv, &l->wake, l->wake_fd);
		if (error)
			must(uv_loop_close(&l->uv) == 0);
	}
	if (error) {
		fd_close(&l->wake_fd);
		free(l);
		why_set(why, "event loop: %s", uv_strerror(error));
		return NULL;
	}
	must(uv_poll_start(&l->wake, UV_READABLE, woken) == 0);
	must(uv_idle_init(&l->uv, &l->again) == 0);
	must(uv_timer_init(&l->uv, &l->timer) == 0);
	must(uv_prepare_init(&l->uv, &l->prepare) == 0);
	must(uv_prepare_start(&l->prepare, before_wait) == 0);
	tasks_init(&l->own);
	tasks_init(&l->before_wait);
	l->stop.run = stop_run;
	l->index = index;
	return l;
}

unsigned loop_index(const struct loop *l)
{
	return l->index;
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

struct loop *loop_current(void)
{
	return current;
}

void loop_run(struct loop *l)
{
	struct loop *outer = current;

	current = l;
	l->now = 0;
	atomic_store(&l->running, true);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	atomic_store(&l->running, false);
	current = outer;
	atomic_store(&l->stopping, false);
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

bool loop_start(struct loop *l, const char *name, struct why *why)
{
	atomic_store(&l->running, true); /* what is posted from now on will be run */
	l->threaded = thread_start(&l->thread, name, loop_thread, l, why);
	if (!l->threaded)
		atomic_store(&l->running, false);
	return l->threaded;
}

void loop_stop(struct loop *l)
{
	if (!atomic_exchange(&l->stopping, true))
		loop_post(l, &l->stop);
}

bool loop_ending(const struct loop *l)
{
	return atomic_load(&l->stopping);
}

bool loop_running(const struct loop *l)
{
	return atomic_load(&l->running);
}

void loop_join(struct loop *l)
{
	if (!l->threaded)
		return;
	must(pthread_join(l->thread, NULL) == 0);
	l->threaded = false;
}

static void close_left_open(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* What is posted, without looking at any event: who owned the handles may be gone. */
static void tasks_run_out(struct loop *l)
{
	do {
		run_posted(l);
		tasks_run(&l->own);
		tasks_run(&l->before_wait);
	} while (l->own.first || l->before_wait.first || atomic_load(&l->posted));
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	struct loop *outer = current;
	struct part *part, *next;

	if (!l)
		return;
	*lp = NULL;
	must(!l->threaded);
	atomic_store(&l->stopping, true);
	current = l;
	tasks_run_out(l);
	for (part = l->parts; part; part = part->next)
		if (part->kind->end)
			part->kind->end(part->memory);
	/* Closing posts, and what is posted may open and close. */
	do {
		uv_walk(&l->uv, close_left_open, NULL);
		while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
			;
		tasks_run_out(l);
	} while (uv_loop_close(&l->uv) == UV_EBUSY);
	current = outer;
	for (part = l->parts; part; part = next) {
		next = part->next;
		free(part);
	}
	heap_free(&l->deadlines);
	fd_close(&l->wake_fd);
	free(l);
}

/* ---- what lives on it -------------------------------------------------------------------- */

void *loop_part(struct loop *l, const struct loop_part *kind)
{
	struct part *part;

	for (part = l->parts; part; part = part->next)
		if (part->kind == kind)
			return part->memory;
	part = must_alloc(sizeof *part + kind->size);
	part->kind = kind;
	part->next = l->parts;
	l->parts = part;
	if (kind->begin)
		kind->begin(l, part->memory);
	return part->memory;
}

unsigned loop_load(const struct loop *l)
{
	return atomic_load_explicit(&l->load, memory_order_relaxed);
}

void loop_load_add(struct loop *l, int n)
{
	atomic_fetch_add_explicit(&l->load, (unsigned)n, memory_order_relaxed);
}
