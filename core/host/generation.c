/* SPDX-License-Identifier: MIT
 *
 * Generations: made from a configuration, in force one after another, gone when nobody holds
 * them. What must hold: an instance is stopped when the last generation that has it goes, on the
 * main thread, and never while a call of it is under way (calls that last hold the generation).
 */
#include "host/startup.h"

#include "host/notice.h"
#include "host/service.h"
#include "host/table.h"

#include <tmail/service/sql.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static struct generation *current;
static struct generation *dead; /* to be ended on the main thread */
static unsigned living;
static pthread_cond_t buried = PTHREAD_COND_INITIALIZER;
static void (*main_wake)(void);

/* ---- the end --------------------------------------------------------------------------- */

/* Who keeps rows stops last, so that others can still write theirs. */
static void instances_end(struct generation *g)
{
	for (int sql = 0; sql < 2; sql++)
		for (size_t n = g->count; n-- > 0;)
			if (g->instances[n] &&
				instance_provides(g->instances[n], TMAIL_SQL) == (sql == 1))
				instance_unref(&g->instances[n], g);
}

static void instances_forget(struct generation *g)
{
	pthread_mutex_lock(&host_lock);
	for (size_t n = 0; n < g->count; n++)
		if (g->instances[n]->generation == g && g->instances[n]->refs > 1)
			g->instances[n]->generation = NULL;
	pthread_mutex_unlock(&host_lock);
}

static void generation_free(struct generation *g)
{
	instances_forget(g);
	generation_ref(g); /* who asks as it stops is not the last to hold it, and ends it again */
	instances_end(g);
	generation_order_free(g);
	free(g->instances);
	share_unref(&g->share);
	free(g);
	pthread_mutex_lock(&host_lock);
	living--;
	pthread_cond_broadcast(&buried);
	pthread_mutex_unlock(&host_lock);
}

void generation_on_main(void (*wake)(void))
{
	main_wake = wake;
}

void generation_reap(void)
{
	for (;;) {
		struct generation *g;

		pthread_mutex_lock(&host_lock);
		g = dead;
		if (g)
			dead = g->next_dead;
		pthread_mutex_unlock(&host_lock);
		if (!g)
			return;
		generation_free(g);
	}
}

bool generation_wait_gone(int64_t ms)
{
	struct timespec until;
	bool gone;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	do {
		generation_reap();
		pthread_mutex_lock(&host_lock);
		gone = living == 0;
		if (!gone && !dead &&
			pthread_cond_timedwait(&buried, &host_lock, &until) == ETIMEDOUT)
			ms = 0;
		pthread_mutex_unlock(&host_lock);
	} while (!gone && ms > 0);
	return gone;
}

struct generation *generation_ref(struct generation *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	return g;
}

void generation_unref(struct generation **gp)
{
	struct generation *g = *gp;

	*gp = NULL;
	if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_lock(&host_lock);
	g->next_dead = dead;
	dead = g;
	pthread_cond_broadcast(&buried);
	pthread_mutex_unlock(&host_lock);
	if (main_wake)
		main_wake();
	else
		generation_reap();
}

/* ---- made ------------------------------------------------------------------------------ */

/* The one of `old` with the same settings, or NULL. What is relative in them must start at the
 * same folder. */
static struct instance *instance_same(
	struct generation *old, struct generation *g, const struct conf_group *group)
{
	uint64_t hash = conf_hash(group);

	if (!old || strcmp(conf_base(old->share->conf), conf_base(g->share->conf)) != 0)
		return NULL;
	for (size_t n = 0; n < old->count; n++) {
		struct instance *i = old->instances[n];

		if (i->hash == hash && i->started &&
			str_equal(str_tm(i->settings.module), conf_string(group, "module")))
			return instance_ref(i);
	}
	return NULL;
}

static bool instances_make(struct generation *g, const struct generation_setup *setup,
	struct generation *old, struct problems *problems)
{
	const struct conf_group *root = conf_root(setup->conf);
	size_t count = conf_list_count(root, "modules");
	bool good = true;

	g->instances = must_alloc((count + 1) * sizeof *g->instances);
	for (size_t n = 0; n < count; n++) {
		const struct conf_group *group = conf_list_at(root, "modules", n);
		struct instance *i = NULL;

		if (setup->purpose == PURPOSE_SERVE)
			i = instance_same(old, g, group);
		if (!i)
			i = instance_new(g, group, setup, problems);
		if (i)
			g->instances[g->count++] = i;
		else
			good = false;
	}
	return good;
}

struct generation *generation_new(
	const struct generation_setup *setup, struct generation *old, struct problems *problems)
{
	static unsigned numbers;
	struct generation *g = must_alloc(sizeof *g);
	bool good;

	g->refs = 1;
	g->number = ++numbers;
	g->purpose = setup->purpose;
	g->share = share_new(setup->conf);
	g->settings = setup->settings;
	g->loops = setup->loops;
	g->loop_count = setup->loop_count;
	pthread_mutex_lock(&host_lock);
	living++;
	pthread_mutex_unlock(&host_lock);
	good = problems->count == 0;
	good = instances_make(g, setup, old, problems) && good;
	good = generation_consistent(g, problems) && good;
	generation_order(g);
	if (good && setup->purpose != PURPOSE_CHECK)
		good = generation_start(g, setup, problems);
	if (good)
		return g;
	generation_free(g);
	return NULL;
}

/* ---- in force -------------------------------------------------------------------------- */

struct generation *generation_current(void)
{
	struct generation *g;

	pthread_mutex_lock(&host_lock);
	g = current ? generation_ref(current) : NULL;
	pthread_mutex_unlock(&host_lock);
	return g;
}

void generation_install(struct generation *g)
{
	struct generation *before;
	union tmail_event event = { 0 };

	pthread_mutex_lock(&host_lock);
	before = current;
	current = g;
	for (size_t n = 0; g && n < g->count; n++)
		g->instances[n]->generation = g;
	pthread_mutex_unlock(&host_lock);
	tables_forget();
	if (g)
		generation_tell(g, TMAIL_POINT_RELOADED, &event);
	generation_unref(&before);
}

struct generation *instance_generation(struct instance *i)
{
	struct generation *g;

	pthread_mutex_lock(&host_lock);
	g = i->generation;
	if (g)
		generation_ref(g);
	pthread_mutex_unlock(&host_lock);
	return g;
}

unsigned generation_number(const struct generation *g)
{
	return g->number;
}

struct conf *generation_conf(const struct generation *g)
{
	return g->share->conf;
}

const void *generation_settings(const struct generation *g)
{
	return g->settings;
}

size_t instance_count(const struct generation *g)
{
	return g->count;
}

struct instance *instance_at(const struct generation *g, size_t i)
{
	must(i < g->count);
	return g->instances[i];
}

