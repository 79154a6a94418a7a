/* SPDX-License-Identifier: MIT
 *
 * Counting without a lock. The core's numbers are spread over shards, one a thread by turns, so
 * that loops do not fight over a cache line; a module's are one cell each. What must hold: names
 * of modules' metrics are added once and never go, so that cells may be kept by pointer.
 */
#include "host/metrics.h"

#include "base/fail.h"
#include "host/module.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

enum { SHARDS = 16 };

struct shard {
	alignas(64) _Atomic int64_t cell[METRIC_COUNT];
};
static struct shard shards[SHARDS];

static const struct {
	const char *name, *summary;
} core_metrics[METRIC_COUNT] = {
#define X(name, summary) [METRIC_##name] = { #name, summary },
	METRICS(X)
#undef X
};

struct module_metric {
	struct module_metric *next;
	const char *name, *summary;
	uint32_t kind;
	_Atomic int64_t value;
};
static pthread_mutex_t metrics_lock = PTHREAD_MUTEX_INITIALIZER;
static struct module_metric *module_metrics;

static struct shard *shard_own(void)
{
	static _Atomic unsigned turns;
	static _Thread_local struct shard *own;

	if (!own)
		own = &shards[atomic_fetch_add(&turns, 1) % SHARDS];
	return own;
}

void metric_add(enum metric m, int64_t n)
{
	atomic_fetch_add_explicit(&shard_own()->cell[m], n, memory_order_relaxed);
}

int64_t metric_get(enum metric m)
{
	int64_t sum = 0;

	for (size_t i = 0; i < SHARDS; i++)
		sum += atomic_load_explicit(&shards[i].cell[m], memory_order_relaxed);
	return sum;
}

const char *metric_name(enum metric m)
{
	return core_metrics[m].name;
}

const char *metric_summary(enum metric m)
{
	return core_metrics[m].summary;
}

struct module_metric *module_metric_of(const struct tmail_metric *declared)
{
	struct module_metric *m;

	pthread_mutex_lock(&metrics_lock);
	for (m = module_metrics; m; m = m->next)
		if (strcmp(m->name, declared->name) == 0)
			break;
	if (!m) {
		m = must_alloc(sizeof *m);
		m->name = declared->name; /* modules stay mapped */
		m->summary = declared->summary;
		m->kind = declared->kind;
		m->next = module_metrics;
		module_metrics = m;
	}
	pthread_mutex_unlock(&metrics_lock);
	return m;
}

void module_metric_add(struct module_metric *m, uint64_t n)
{
	if (m->kind == TMAIL_GAUGE)
		atomic_store_explicit(&m->value, (int64_t)n, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&m->value, (int64_t)n, memory_order_relaxed);
}

void metrics_each(
	void (*each)(void *ctx, const char *name, const char *summary, int64_t value), void *ctx)
{
	struct module_metric *m;

	for (enum metric i = 0; i < METRIC_COUNT; i++)
		each(ctx, metric_name(i), metric_summary(i), metric_get(i));
	pthread_mutex_lock(&metrics_lock);
	m = module_metrics;
	pthread_mutex_unlock(&metrics_lock);
	/* The list only grows at its front: what is behind `m` stays as it is. */
	for (; m; m = m->next)
		each(ctx, m->name, m->summary,
			atomic_load_explicit(&m->value, memory_order_relaxed));
}
