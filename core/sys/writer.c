/* SPDX-License-Identifier: MIT
 *
 * Pieces are copied into one of two halves under a short lock; the writer's thread takes a whole
 * half, gives the other to the callers, and writes without the lock. So a caller waits for a
 * copy of one piece at the most, never for a disk.
 *
 * The thread is woken when it sleeps. After it has written something it only dozes for a moment,
 * in which nobody wakes it: on a busy server it finds many pieces at once and callers make no
 * system call. What must hold: every piece is written or counted as dropped.
 */
#include "sys/writer.h"

#include "sys/thread.h"

#include <sys/mman.h>
#include <time.h>

enum { KEPT = 64 * 1024 }; /* of a half; the rest goes back to the kernel after a rush */

/* ---- the callers' side ------------------------------------------------------------------- */

/* With the lock held. */
static void piece_keep(struct writer *w, struct str head, struct str rest)
{
	char *to = w->space[w->active] + w->used;

	if (head.len + rest.len > w->half - w->used) {
		w->dropped++;
		return;
	}
	if (head.len)
		memcpy(to, head.data, head.len);
	if (rest.len)
		memcpy(to + head.len, rest.data, rest.len);
	w->used += head.len + rest.len;
	if (w->state == WRITER_SLEEPING || (w->state == WRITER_DOZING && w->used > w->prompt)) {
		w->state = WRITER_AWAKE;
		pthread_cond_signal(&w->wake);
	}
}

bool writer_put(struct writer *w, struct str head, struct str rest)
{
	bool running;

	pthread_mutex_lock(&w->lock);
	running = w->running;
	if (running)
		piece_keep(w, head, rest);
	pthread_mutex_unlock(&w->lock);
	return running;
}

void writer_call(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->running) {
		w->call = true;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_flush(struct writer *w)
{
	uint64_t mine;

	pthread_mutex_lock(&w->lock);
	if (w->running) {
		mine = ++w->flush;
		pthread_cond_signal(&w->wake);
		while (w->flushed < mine)
			pthread_cond_wait(&w->idle, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
}

uint64_t writer_dropped(struct writer *w)
{
	uint64_t dropped;

	pthread_mutex_lock(&w->lock);
	dropped = w->dropped;
	pthread_mutex_unlock(&w->lock);
	return dropped;
}

/* ---- its thread -------------------------------------------------------------------------- */

static bool wanted(const struct writer *w)
{
	return w->ending || w->call || w->flush > w->flushed;
}

static void doze(struct writer *w)
{
	struct timespec until;

	must(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_nsec += w->doze * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	w->state = WRITER_DOZING;
	while (w->state == WRITER_DOZING && !wanted(w))
		if (pthread_cond_timedwait(&w->wake, &w->lock, &until) != 0)
			break;
	w->state = WRITER_AWAKE;
}

static void sleep_until_woken(struct writer *w)
{
	w->state = WRITER_SLEEPING;
	while (w->state == WRITER_SLEEPING && !wanted(w))
		pthread_cond_wait(&w->wake, &w->lock);
	w->state = WRITER_AWAKE;
}

/* Takes the filled half, if it has anything; with the lock held, which is given up meanwhile. */
static bool write_half(struct writer *w)
{
	struct str pieces = { w->space[w->active], w->used };
	uint64_t lost;

	if (pieces.len == 0)
		return false;
	w->active ^= 1;
	w->used = 0;
	pthread_mutex_unlock(&w->lock);
	lost = w->write(w, pieces);
	if (pieces.len > KEPT)
		madvise(w->space[w->active ^ 1] + KEPT, w->half - KEPT, MADV_DONTNEED);
	pthread_mutex_lock(&w->lock);
	w->dropped += lost;
	return true;
}

static void answer_call(struct writer *w)
{
	w->call = false;
	pthread_mutex_unlock(&w->lock);
	if (w->called)
		w->called(w);
	pthread_mutex_lock(&w->lock);
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	uint64_t flush;
	bool wrote;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		if (w->call)
			answer_call(w);
		flush = w->flush;
		wrote = write_half(w);
		if (w->flushed < flush) {
			w->flushed = flush;
			pthread_cond_broadcast(&w->idle);
		}
		if (w->ending && !wrote)
			break;
		if (wanted(w))
			continue;
		if (wrote)
			doze(w);
		else
			sleep_until_woken(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

static void conditions_make(struct writer *w)
{
	pthread_condattr_t attr;

	if (w->set_up)
		return;
	must(pthread_condattr_init(&attr) == 0);
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&w->wake, &attr) == 0);
	must(pthread_cond_init(&w->idle, &attr) == 0);
	pthread_condattr_destroy(&attr);
	w->set_up = true;
}

static void space_free(struct writer *w)
{
	for (int i = 0; i < 2; i++)
		munmap(w->space[i], w->half);
}

bool writer_start(struct writer *w, const char *name, struct why *why)
{
	must(!w->running);
	conditions_make(w);
	for (int i = 0; i < 2; i++) {
		w->space[i] = mmap(
			NULL, w->half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(w->space[i] != MAP_FAILED);
	}
	w->ending = w->call = false;
	w->hurry = false;
	w->used = 0;
	w->state = WRITER_AWAKE;
	if (!thread_start(&w->thread, name, writer_thread, w, why)) {
		space_free(w);
		return false;
	}
	pthread_mutex_lock(&w->lock);
	w->running = true;
	pthread_mutex_unlock(&w->lock);
	return true;
}

bool writer_stop(struct writer *w)
{
	bool running;

	pthread_mutex_lock(&w->lock);
	running = w->running;
	w->running = false;
	w->ending = true;
	atomic_store(&w->hurry, true);
	if (running)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (!running)
		return false;
	pthread_join(w->thread, NULL);
	space_free(w);
	return true;
}
