/* SPDX-License-Identifier: MIT
 *
 * Lanes: parcels in, connections opened for them as long as that goes well. The number allowed
 * grows by one when as many transactions as it allows have succeeded, and is halved when a
 * connection fails. When none is left and no host answers, everybody who waits hears why at
 * once. What all lanes share is shared so that a destination that is slow, or dead, leaves enough
 * to the others: share_of_window says how many parcels may wait, may_open how many connections
 * there may be. What must hold: every parcel leaves by parcel_return, and a lane that has neither
 * parcels nor connections, nor a rate to keep to, is gone.
 */
#include "queue/lane.h"

#include "queue/attempt.h"
#include "queue/limit.h"
#include "queue/share.h"

#include <stdlib.h>

enum {
	LANE_COOL_MS = 3000,
	LANE_SLOW_MS = 5000, /* a transaction that takes longer */
	LANE_TURN_MS = 2000, /* a connection is kept so long while others have none */
	GAVE_WAY_MAX = 16,
	RATE_LATE_US = 10000, /* what timers come late may be made up for */
	COME_MIN_US = 100000,
	COME_MAX_US = 120000000
};
#define UNSERVED_US (INT64_C(3600) * 1000000) /* nobody was taken for so long */

/* ---- life ------------------------------------------------------------------------------ */

static void lane_pump(struct send_lane *l);

static void next_is_due(struct deadline *d)
{
	lane_pump(container_of(d, struct send_lane, next));
}

static struct send_lane *lane_of(struct queue_loop *ql, struct route *route)
{
	struct send_lane *l = map_get(&ql->lanes, route->key);

	if (l)
		return l;
	l = must_alloc(sizeof *l);
	l->ql = ql;
	l->route = route_ref(route);
	l->key = l->route->key;
	l->taken_at = loop_now(ql->loop);
	/* Who failed lately is first tried by one, as if it would hang. */
	l->limit = LANE_FIRST;
	if (hosts_failed(ql, route)) {
		l->limit = 1;
		share_pace(l, LANE_SLOW);
	}
	deadline_init(&l->next, ql->loop, next_is_due);
	line_init(&l->line);
	list_init(&l->idle);
	list_init(&l->busy);
	map_put(&ql->lanes, l->key, l);
	return l;
}

static bool lane_is_over(const struct send_lane *l)
{
	return l->line.count == 0 && l->open == 0 &&
		(l->ql->draining || l->next_at <= loop_now(l->ql->loop));
}

static void lane_remove(struct send_lane *l)
{
	map_remove(&l->ql->lanes, l->key);
	list_remove(&l->waiting);
	deadline_clear(&l->next);
	line_end(&l->line);
	route_unref(&l->route);
	free(l);
}

static const struct route_limits *lane_limits(struct send_lane *l)
{
	const struct queue_settings *settings = queue_settings_now(l->ql);

	if (l->turn != l->ql->generation_turn) {
		l->limits = limits_of(l->route, settings);
		l->turn = l->ql->generation_turn;
		l->next_at = 0; /* by the new rate, if there is one */
	}
	return &l->limits;
}

static unsigned lane_max(struct send_lane *l)
{
	unsigned max = lane_limits(l)->connections;

	return l->limit < max ? l->limit : max;
}

/* ---- a rate ---------------------------------------------------------------------------- */

/* False: the lane is pumped when it may. */
static bool rate_allows(struct send_lane *l)
{
	int64_t wait = l->next_at - loop_now(l->ql->loop);

	if (lane_limits(l)->rate_count == 0 || wait <= 0)
		return true;
	deadline_set(&l->next, (wait + 999) / 1000);
	return false;
}

/* One goes. They are evenly spread: what a timer comes late is made up for, a pause is not. */
static void rate_spend(struct send_lane *l)
{
	const struct route_limits *limits = lane_limits(l);
	int64_t now = loop_now(l->ql->loop);

	if (limits->rate_count == 0)
		return;
	l->next_at = (l->next_at > now - RATE_LATE_US ? l->next_at : now) +
		(int64_t)limits->rate_ms * 1000 / limits->rate_count;
}

/* ---- parcels --------------------------------------------------------------------------- */

static bool parcel_is_stopped(const struct send_lane *l, const struct parcel *p)
{
	return l->ql->draining || atomic_load(&p->work->stop) != WORK_GOES;
}

/* Nothing was tried, or nothing that ended anybody's round. */
static void parcel_untouched(struct send_lane *l, struct parcel *p)
{
	line_remove(&l->line, p, false);
	p->untouched = p->hosts_tried == 0;
	parcel_return(p);
}

/* Those who were at a host keep what it said. */
static void parcel_fail(
	struct send_lane *l, struct parcel *p, const struct client_outcome *o, struct str host)
{
	struct client_outcome own = *o;

	line_remove(&l->line, p, false);
	if (p->hosts_tried == 0) {
		own.text = arena_str(p->arena, o->text);
		host = arena_str(p->arena, host);
		for (uint32_t i = 0; i < p->count; i++) {
			if (p->recipients[i].settled)
				continue;
			p->recipients[i].outcome = own;
			p->recipients[i].host = host;
		}
	}
	parcel_return(p);
}

/* Too many wait: back to the store, from where it comes again when, by what can be told, half of
 * those that wait have gone and it is its turn among those that were turned away. */
static void turn_away(struct send_lane *l, struct parcel *p)
{
	int64_t now = loop_now(l->ql->loop), gap = l->gap ? l->gap : COME_MIN_US;
	int64_t soonest = now + gap * (l->line.count / 2), wait;

	l->come_at = (l->come_at > soonest ? l->come_at : soonest) + gap;
	if (l->come_at > now + COME_MAX_US)
		l->come_at = now + COME_MAX_US - (int64_t)random_below(COME_MAX_US / 4);
	wait = l->come_at - now;
	metric_add(METRIC_turned_away, 1);
	line_remove(&l->line, p, false);
	p->untouched = true;
	p->unserved = now - l->taken_at > UNSERVED_US;
	p->come_again = clock_wall() + (wait > COME_MIN_US ? wait : COME_MIN_US);
	parcel_return(p);
}

static struct parcel *parcel_for(struct send_lane *l, const struct attempt *a)
{
	struct parcel *next;

	if (!rate_allows(l))
		return NULL;
	for (struct parcel *p = line_first(&l->line); p; p = next) {
		next = line_next(&l->line, p);
		if (parcel_is_stopped(l, p))
			parcel_untouched(l, p);
		else if (attempt_fits(a, p))
			return p;
	}
	return NULL;
}

/* ---- connections ----------------------------------------------------------------------- */

static void idle_add(struct send_lane *l, struct attempt *a)
{
	list_remove(&a->link);
	list_prepend(&l->idle, &a->link);
	list_append(&l->ql->idle, &a->idle_link);
	l->ql->idle_count++;
}

/* From where it is, idle or not. */
static void attempt_take(struct send_lane *l, struct attempt *a)
{
	list_remove(&a->link);
	if (link_in_list(&a->idle_link))
		l->ql->idle_count--;
	list_remove(&a->idle_link);
}

/* The one that has been idle for longest, whosever it is. */
static void idle_close_one(struct queue_loop *ql)
{
	struct attempt *a = container_of(ql->idle.next, struct attempt, idle_link);

	lane_idle_ended(a->lane, a);
}

static bool may_open(struct send_lane *l)
{
	struct queue_loop *ql = l->ql;

	if (l->open >= lane_max(l) || l->cool_until > loop_now(ql->loop))
		return false;
	if (share_of_connections(l, ql->connections - ql->idle_count)) {
		if (ql->connections >= ql->connections_max && !list_empty(&ql->idle))
			idle_close_one(ql);
		if (ql->connections < ql->connections_max)
			return true;
	}
	share_wait(l);
	return false;
}

static void attempt_open(struct send_lane *l, struct parcel *bound)
{
	struct attempt *a;

	if (bound)
		line_remove(&l->line, bound, true);
	else
		l->opening++;
	share_opened(l, 1);
	list_remove(&l->waiting);
	a = attempt_new(l, bound);
	list_append(&l->busy, &a->link);
}

static void attempt_give(struct send_lane *l, struct attempt *a, struct parcel *p)
{
	line_remove(&l->line, p, true);
	attempt_take(l, a);
	list_append(&l->busy, &a->link);
	rate_spend(l);
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

/* Connections that are being opened already and will do. With a rate they come one by one. */
static bool enough_opening(struct send_lane *l)
{
	return l->opening >= (lane_limits(l)->rate_count ? 1 : l->line.count);
}

/* Parcels to connections, as far as there are some or may be more. */
static void lane_serve(struct send_lane *l)
{
	struct parcel *p;

	while ((p = line_first(&l->line)) != NULL) {
		bool bound = p->hosts_tried > 0;

		if (parcel_is_stopped(l, p)) {
			parcel_untouched(l, p);
			continue;
		}
		if (!rate_allows(l))
			return;
		if (idle_takes(l, p))
			continue;
		/* Those that are open are to hosts where it was. */
		if (bound && l->open >= lane_max(l) && !list_empty(&l->idle)) {
			lane_idle_ended(l, container_of(l->idle.prev, struct attempt, link));
			continue;
		}
		if ((!bound && enough_opening(l)) || !may_open(l))
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
	if (l->line.count == 0)
		list_remove(&l->waiting);
	l->pumping = false;
	if (lane_is_over(l))
		lane_remove(l);
}

/* One connection less is busy: those that have none come before those that want more. */
static void connections_offer(struct queue_loop *ql)
{
	struct send_lane *l = share_next(ql);

	if (l)
		lane_pump(l);
}

/* Others first, who may close yet another of this lane. */
static void lane_go_on(struct send_lane *l)
{
	bool pumping = l->pumping;

	l->pumping = true;
	connections_offer(l->ql);
	l->pumping = pumping;
	lane_pump(l);
}

static void connection_closed(struct send_lane *l, struct attempt *a, bool abort)
{
	attempt_take(l, a);
	share_opened(l, -1);
	if (l->open == 0)
		list_remove(&l->waiting); /* from now on it waits for its first one */
	attempt_free(&a, abort);
	lane_go_on(l);
}

/* ---- what attempts tell ---------------------------------------------------------------- */

/* After so many messages, so much time, or when others wait for it. */
static bool attempt_is_spent(struct send_lane *l, const struct attempt *a)
{
	const struct queue_settings *settings = queue_settings_now(l->ql);
	int64_t age = loop_now(l->ql->loop) - a->since;

	if (a->sent >= lane_limits(l)->messages || l->open > lane_limits(l)->connections ||
		a->reloads != l->ql->reloads)
		return true;
	if (settings->max_connection_time > 0 && age >= settings->max_connection_time * 1000)
		return true;
	return share_is_wanted_of(l) && (l->open > 1 || age >= LANE_TURN_MS * 1000LL);
}

static void attempt_next(struct send_lane *l, struct attempt *a)
{
	struct parcel *p = attempt_is_spent(l, a) ? NULL : parcel_for(l, a);

	if (p) {
		attempt_give(l, a, p);
		lane_pump(l);
	} else if (l->ql->draining || attempt_is_spent(l, a)) {
		connection_closed(l, a, false);
	} else {
		idle_add(l, a);
		attempt_rest(a);
		lane_go_on(l);
	}
}

void lane_connected(struct send_lane *l, struct attempt *a)
{
	l->cool_until = 0;
	l->gave_way = 0;
	a->since = loop_now(l->ql->loop);
	if (a->bound) {
		a->bound = false;
		rate_spend(l);
		attempt_send(a, a->parcel);
		return;
	}
	l->opening--;
	attempt_next(l, a);
}

/* Half as many; once for all that had begun before it was known. */
static void lane_shrink(struct send_lane *l, const struct attempt *a)
{
	if (a->since <= l->cut_at)
		return;
	l->cut_at = loop_now(l->ql->loop);
	l->limit = l->limit > 1 ? l->limit / 2 : 1;
	l->good = 0;
}

static void lane_grow(struct send_lane *l)
{
	l->taken_at = l->last_end;
	if (l->open < l->limit || ++l->good < l->limit)
		return;
	l->good = 0;
	if (l->limit < lane_limits(l)->connections)
		l->limit++;
}

static void all_fail(struct send_lane *l, const struct attempt *a, const struct client_outcome *o)
{
	struct parcel *next;

	for (struct parcel *p = line_first(&l->line); p; p = next) {
		next = line_next(&l->line, p);
		if (parcel_is_stopped(l, p))
			parcel_untouched(l, p);
		else {
			attempt_is_for(a, p);
			parcel_fail(l, p, o, a->host);
		}
	}
}

void lane_failed(struct send_lane *l, struct attempt *a, const struct client_outcome *o)
{
	lane_shrink(l, a);
	if (a->bound) {
		struct parcel *p = a->parcel;

		a->parcel = NULL;
		parcel_return(p);
	} else {
		l->opening--;
		if (l->open == 1)
			all_fail(l, a, o);
		else /* the others may still get through: no hurry for one more */
			l->cool_until = loop_now(l->ql->loop) + LANE_COOL_MS * 1000;
	}
	connection_closed(l, a, true);
}

bool lane_hangs(struct send_lane *l, struct attempt *a)
{
	int64_t age = loop_now(l->ql->loop) - a->since;

	share_pace(l, LANE_SLOW);
	if (!share_is_wanted_of(l) || age < ATTEMPT_HANGS_MS * 1000LL << l->gave_way)
		return false;
	l->gave_way += l->gave_way < GAVE_WAY_MAX;
	if (a->bound)
		lane_put_back(l, a->parcel);
	else
		l->opening--;
	connection_closed(l, a, true);
	return true;
}

/* What a transaction's length and end say of the destination. */
static void lane_learn(struct send_lane *l, const struct attempt *a, enum lane_news news)
{
	int64_t now = loop_now(l->ql->loop);

	share_pace(l, now - a->send_at < LANE_SLOW_MS * 1000LL ? LANE_BRISK : LANE_SLOW);
	if (l->last_end != 0 && l->line.count > 0)
		l->gap = l->gap ? (7 * l->gap + now - l->last_end) / 8 : now - l->last_end;
	l->last_end = now;
	if (news == LANE_LOST)
		lane_shrink(l, a);
	else if (news == LANE_TAKEN)
		lane_grow(l);
}

void lane_sent(struct send_lane *l, struct attempt *a, bool usable, enum lane_news news)
{
	if (news != LANE_STALE)
		lane_learn(l, a, news);
	if (usable)
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
	line_put_back(&l->line, p);
}

/* ---- what others do -------------------------------------------------------------------- */

static void parcel_came(struct task *task)
{
	struct parcel *p = container_of(task, struct parcel, task), *excess;
	struct send_lane *l = lane_of(queue_here(), p->route);

	p->began = clock_mono();
	line_add(&l->line, p);
	excess = line_excess(&l->line, p, share_of_window());
	if (excess)
		turn_away(l, excess);
	lane_pump(l);
}

void lane_put(struct parcel *p)
{
	p->task.run = parcel_came;
	loop_post(queue_home_of(p->route->key)->loop, &p->task);
}

static struct attempt *bound_and_stopped(struct send_lane *l)
{
	LIST_EACH(struct attempt, a, &l->busy, link)
		if (a->bound && !a->client && parcel_is_stopped(l, a->parcel))
			return a;
	return NULL;
}

/* Those who were at one host, and for whom the next one is looked for, keep what that one said.
 * From the start each time: when a connection closes, others come and go. */
static void bound_recall(struct send_lane *l)
{
	for (struct attempt *a; (a = bound_and_stopped(l));) {
		struct parcel *p = a->parcel;

		a->parcel = NULL;
		parcel_return(p);
		connection_closed(l, a, true);
	}
}

void lanes_recall(struct queue_loop *ql, bool all)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->lanes, &at, &key, &value)) {
		struct send_lane *l = value;
		struct parcel *next;

		l->pumping = true;
		for (struct parcel *p = line_first(&l->line); p; p = next) {
			next = line_next(&l->line, p);
			if (all || parcel_is_stopped(l, p))
				parcel_untouched(l, p);
		}
		bound_recall(l);
		l->pumping = false;
		if (lane_is_over(l))
			lane_remove(l);
	}
}

void lanes_reloaded(struct queue_loop *ql)
{
	ql->reloads++;
	while (!list_empty(&ql->idle))
		idle_close_one(ql);
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
		if (lane_is_over(l))
			lane_remove(l);
	}
}
