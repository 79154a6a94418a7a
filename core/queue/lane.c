/* SPDX-License-Identifier: MIT
 *
 * Lanes: parcels in, connections opened for them as long as that goes well. The number allowed
 * grows by one when as many transactions as it allows have succeeded, and is halved when a
 * connection fails. When none is left and no host answers, everybody who waits hears why at
 * once. What must hold: every parcel leaves by parcel_return, and a lane that has neither
 * parcels nor connections is gone.
 */
#include "queue/lane.h"

#include "queue/attempt.h"

#include <stdlib.h>

enum { LANE_FIRST = 5, LANE_COOL_MS = 3000 };

/* ---- life ------------------------------------------------------------------------------ */

static struct send_lane *lane_of(struct queue_loop *ql, struct route *route)
{
	struct send_lane *l = map_get(&ql->lanes, route->key);

	if (l)
		return l;
	l = must_alloc(sizeof *l);
	l->ql = ql;
	l->route = route_ref(route);
	l->key = l->route->key;
	l->limit = LANE_FIRST;
	list_init(&l->parcels);
	list_init(&l->idle);
	list_init(&l->busy);
	map_put(&ql->lanes, l->key, l);
	return l;
}

static void lane_remove(struct send_lane *l)
{
	map_remove(&l->ql->lanes, l->key);
	list_remove(&l->waiting);
	route_unref(&l->route);
	free(l);
}

static unsigned lane_max(const struct send_lane *l)
{
	int64_t max = queue_settings_now(l->ql)->max_connections_destination;

	return l->limit < max ? l->limit : (unsigned)max;
}

/* ---- parcels --------------------------------------------------------------------------- */

static void parcel_add(struct send_lane *l, struct parcel *p, bool first)
{
	l->parcel_count++;
	if (first)
		list_prepend(&l->parcels, &p->link);
	else
		list_append(&l->parcels, &p->link);
}

static void parcel_take(struct send_lane *l, struct parcel *p)
{
	l->parcel_count--;
	list_remove(&p->link);
}

static bool parcel_is_stopped(const struct send_lane *l, const struct parcel *p)
{
	return l->ql->draining || atomic_load(&p->work->stop) != WORK_GOES;
}

/* Nothing was tried, or nothing that ended anybody's round. */
static void parcel_untouched(struct send_lane *l, struct parcel *p)
{
	parcel_take(l, p);
	p->untouched = p->hosts_tried == 0;
	parcel_return(p);
}

/* Those who were at a host keep what it said. */
static void parcel_fail(
	struct send_lane *l, struct parcel *p, const struct client_outcome *o, struct str host)
{
	struct client_outcome own = *o;

	parcel_take(l, p);
	if (p->hosts_tried == 0) {
		own.text = arena_str(p->arena, o->text);
		host = arena_str(p->arena, host);
		for (uint32_t i = 0; i < p->count; i++) {
			p->recipients[i].outcome = own;
			p->recipients[i].host = host;
		}
	}
	parcel_return(p);
}

static struct parcel *parcel_for(struct send_lane *l, const struct attempt *a)
{
	LIST_EACH(struct parcel, p, &l->parcels, link)
		if (parcel_is_stopped(l, p))
			parcel_untouched(l, p);
		else if (attempt_fits(a, p))
			return p;
	return NULL;
}

/* ---- connections ----------------------------------------------------------------------- */

static bool idle_close_one(struct queue_loop *ql)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->lanes, &at, &key, &value)) {
		struct send_lane *l = value;

		if (list_empty(&l->idle))
			continue;
		lane_idle_ended(l, container_of(l->idle.prev, struct attempt, link));
		return true;
	}
	return false;
}

static bool may_open(struct send_lane *l)
{
	struct queue_loop *ql = l->ql;

	if (l->open >= lane_max(l) || l->cool_until > loop_now(ql->loop))
		return false;
	if (ql->connections < ql->connections_max)
		return true;
	if (idle_close_one(ql) && ql->connections < ql->connections_max)
		return true;
	if (!link_in_list(&l->waiting))
		list_append(&ql->waiting, &l->waiting);
	return false;
}

static void attempt_open(struct send_lane *l, struct parcel *bound)
{
	struct attempt *a;

	if (bound)
		parcel_take(l, bound);
	else
		l->opening++;
	l->open++;
	l->ql->connections++;
	a = attempt_new(l, bound);
	list_append(&l->busy, &a->link);
}

static void attempt_give(struct send_lane *l, struct attempt *a, struct parcel *p)
{
	parcel_take(l, p);
	list_remove(&a->link);
	list_append(&l->busy, &a->link);
	attempt_send(a, p);
}

static bool idle_takes(struct send_lane *l, struct parcel *p)
{
	LIST_EACH(struct attempt, a, &l->idle, link)
		if (attempt_fits(a, p)) {
			attempt_give(l, a, p);
			return true;
		}
	return false;
}

/* Parcels to connections, as far as there are some or may be more. */
static void lane_serve(struct send_lane *l)
{
	while (!list_empty(&l->parcels)) {
		struct parcel *p = container_of(l->parcels.next, struct parcel, link);
		bool bound = p->hosts_tried > 0;

		if (parcel_is_stopped(l, p)) {
			parcel_untouched(l, p);
			continue;
		}
		if (idle_takes(l, p))
			continue;
		if ((!bound && l->opening >= l->parcel_count) || !may_open(l))
			return;
		attempt_open(l, bound ? p : NULL);
	}
}

/* The lane may be gone afterwards. Closing one lane's connection lets another go on, so this
 * may be entered again for the same lane. */
static void lane_pump(struct send_lane *l)
{
	if (l->pumping)
		return;
	l->pumping = true;
	lane_serve(l);
	l->pumping = false;
	if (list_empty(&l->parcels) && l->open == 0)
		lane_remove(l);
}

/* There is room for another connection on this loop. */
static void connection_closed(struct send_lane *l, struct attempt *a, bool abort)
{
	struct queue_loop *ql = l->ql;
	struct link *first;

	list_remove(&a->link);
	l->open--;
	ql->connections--;
	attempt_free(&a, abort);
	lane_pump(l);
	first = list_pop(&ql->waiting);
	if (first)
		lane_pump(container_of(first, struct send_lane, waiting));
}

/* ---- what attempts tell ---------------------------------------------------------------- */

static void attempt_next(struct send_lane *l, struct attempt *a)
{
	struct parcel *p = parcel_for(l, a);

	if (p) {
		attempt_give(l, a, p);
		lane_pump(l);
	} else if (l->ql->draining) {
		connection_closed(l, a, false);
	} else {
		list_remove(&a->link);
		list_prepend(&l->idle, &a->link);
		attempt_rest(a);
		lane_pump(l);
	}
}

void lane_connected(struct send_lane *l, struct attempt *a)
{
	l->cool_until = 0;
	if (a->bound) {
		a->bound = false;
		attempt_send(a, a->parcel);
		return;
	}
	l->opening--;
	attempt_next(l, a);
}

static void all_fail(struct send_lane *l, const struct client_outcome *o, struct str host)
{
	LIST_EACH(struct parcel, p, &l->parcels, link)
		if (parcel_is_stopped(l, p))
			parcel_untouched(l, p);
		else
			parcel_fail(l, p, o, host);
}

void lane_failed(struct send_lane *l, struct attempt *a, const struct client_outcome *o)
{
	l->limit = l->limit > 1 ? l->limit / 2 : 1;
	l->good = 0;
	if (a->bound) {
		struct parcel *p = a->parcel;

		a->parcel = NULL;
		parcel_return(p);
	} else {
		l->opening--;
		if (l->open == 1)
			all_fail(l, o, a->host);
		else /* the others may still get through: no hurry for one more */
			l->cool_until = loop_now(l->ql->loop) + LANE_COOL_MS * 1000;
	}
	connection_closed(l, a, true);
}

void lane_sent(struct send_lane *l, struct attempt *a, bool usable, bool good)
{
	if (good && ++l->good >= l->limit) {
		l->good = 0;
		if (l->limit == lane_max(l))
			l->limit++;
	}
	if (usable && a->sent < queue_settings_now(l->ql)->max_messages_connection)
		attempt_next(l, a);
	else
		connection_closed(l, a, false);
}

void lane_idle_ended(struct send_lane *l, struct attempt *a)
{
	connection_closed(l, a, l->ql->draining);
}

void lane_put_back(struct send_lane *l, struct parcel *p)
{
	parcel_add(l, p, true);
}

/* ---- what others do -------------------------------------------------------------------- */

static void parcel_came(struct task *task)
{
	struct parcel *p = container_of(task, struct parcel, task);
	struct send_lane *l = lane_of(queue_here(), p->route);

	p->began = clock_mono();
	parcel_add(l, p, false);
	lane_pump(l);
}

void lane_put(struct parcel *p)
{
	p->task.run = parcel_came;
	loop_post(queue_home_of(p->route->key)->loop, &p->task);
}

void lanes_recall(struct queue_loop *ql, bool all)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->lanes, &at, &key, &value)) {
		struct send_lane *l = value;

		LIST_EACH(struct parcel, p, &l->parcels, link)
			if (all || parcel_is_stopped(l, p))
				parcel_untouched(l, p);
		if (list_empty(&l->parcels) && l->open == 0)
			lane_remove(l);
	}
}

void lanes_tick(struct queue_loop *ql)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->lanes, &at, &key, &value))
		lane_pump(value);
}

void lanes_close(struct queue_loop *ql, bool busy)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->lanes, &at, &key, &value)) {
		struct send_lane *l = value;

		l->pumping = true;
		LIST_EACH(struct attempt, a, &l->idle, link)
			attempt_abort(a);
		if (busy)
			LIST_EACH(struct attempt, a, &l->busy, link)
				attempt_abort(a);
		l->pumping = false;
		if (list_empty(&l->parcels) && l->open == 0)
			lane_remove(l);
	}
}
