/* SPDX-License-Identifier: MIT
 *
 * Time and chance of the kernel, behind pointers that tests replace. Chance is taken from the
 * kernel in small portions, a portion a thread, because a system call for each number would
 * be felt; a forked child throws its parent's portion away. Not a generator of its own: all
 * octets are the kernel's.
 */
#include "sys/clock.h"

#include "base/fail.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef int64_t (*clock_function)(void);
typedef uint64_t (*random_function)(void);

/* NULL: the real one. */
static _Atomic(clock_function) other_wall, other_mono;
static _Atomic(random_function) other_random;

static _Thread_local struct {
	unsigned char octets[256];
	size_t left; /* not given out yet; they are the last ones */
} portion;
static pthread_once_t fork_watched = PTHREAD_ONCE_INIT;

static int64_t clock_read(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall(void)
{
	clock_function other = atomic_load_explicit(&other_wall, memory_order_relaxed);

	return other ? other() : clock_read(CLOCK_REALTIME);
}

int64_t clock_mono(void)
{
	clock_function other = atomic_load_explicit(&other_mono, memory_order_relaxed);

	return other ? other() : clock_read(CLOCK_MONOTONIC);
}

void clock_replace(int64_t (*wall)(void), int64_t (*mono)(void))
{
	atomic_store(&other_wall, wall);
	atomic_store(&other_mono, mono);
}

static void kernel_random(unsigned char *out, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);
		if (n < 0) {
			must(errno == EINTR);
			continue;
		}
		out += n;
		len -= (size_t)n;
	}
}

static void forked(void)
{
	portion.left = 0;
}

static void watch_fork(void)
{
	must(pthread_atfork(NULL, NULL, forked) == 0);
}

void random_bytes(void *out, size_t len)
{
	unsigned char *to = out;
	random_function other = atomic_load_explicit(&other_random, memory_order_relaxed);

	if (other) {
		for (; len > 0; len--)
			*to++ = (unsigned char)other();
		return;
	}
	if (len > sizeof portion.octets) {
		kernel_random(to, len);
		return;
	}
	if (portion.left < len) {
		pthread_once(&fork_watched, watch_fork);
		kernel_random(portion.octets, sizeof portion.octets);
		portion.left = sizeof portion.octets;
	}
	unsigned char *from = portion.octets + sizeof portion.octets - portion.left;
	memcpy(to, from, len);
	/* Nobody who reads our memory later learns what was given out. */
	memset(from, 0, len);
	portion.left -= len;
}

uint64_t random_u64(void)
{
	random_function other = atomic_load_explicit(&other_random, memory_order_relaxed);
	uint64_t v;

	if (other)
		return other();
	random_bytes(&v, sizeof v);
	return v;
}

uint64_t random_below(uint64_t n)
{
	must(n > 0);
	/* The last, incomplete stretch of the range is thrown again, so that none is favoured. */
	uint64_t end = UINT64_MAX - UINT64_MAX % n;
	for (;;) {
		uint64_t v = random_u64();
		/* A replacement that always answers the same must not hang its test. */
		if (v < end || atomic_load_explicit(&other_random, memory_order_relaxed))
			return v % n;
	}
}

void random_replace(uint64_t (*next)(void))
{
	atomic_store(&other_random, next);
}
