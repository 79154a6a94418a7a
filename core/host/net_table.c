/* SPDX-License-Identifier: MIT
 *
 * The net for modules: names, descriptors and timers on the loop of the call. All of it hangs on
 * the call and goes with it; nothing is called back once the call has been answered or given up.
 */
#include "host/call.h"

#include "base/num.h"
#include "net/dial.h"
#include "net/dns.h"
#include "sys/file.h"

#include <stdlib.h>

static bool call_listens(const struct call *c)
{
	return atomic_load_explicit(&c->state, memory_order_acquire) == CALL_LIVE;
}

static bool call_may(struct call *c)
{
	return c->home && c->home == loop_current() && !c->worker;
}

void handles_end(struct call *c)
{
	while (!list_empty(&c->handles)) {
		struct handle *h = container_of(c->handles.next, struct handle, link);

		h->end(h);
	}
}

/* ---- names ----------------------------------------------------------------------------- */

typedef void resolve_function(
	struct tmail_call *call, void *ctx, const struct tmail_dns_answer *answer);

struct resolve {
	struct handle handle;
	struct call *call;
	struct dns_query *query;
	resolve_function *done;
	void *ctx;
};

static void resolve_end(struct handle *h)
{
	struct resolve *r = container_of(h, struct resolve, handle);

	list_remove(&h->link);
	if (r->query)
		dns_cancel(&r->query);
	free(r);
}

static void resolve_done(void *ctx, const struct dns_answer *answer)
{
	struct resolve *r = ctx;
	struct call *c = r->call;
	resolve_function *done = r->done;
	void *done_ctx = r->ctx;
	struct tmail_str *records;
	struct tmail_dns_answer out = { .size = sizeof out,
		.secure = answer->secure,
		.ttl = answer->ttl,
		.why = tm_str(answer->why) };

	static const uint32_t statuses[] = { [DNS_OK] = TMAIL_OK,
		[DNS_NOT_FOUND] = TMAIL_NOT_FOUND,
		[DNS_TRY_LATER] = TMAIL_TRY_LATER };

	r->query = NULL; /* it is over */
	resolve_end(&r->handle);
	if (!call_listens(c))
		return;
	records = ARENA_ARRAY(call_arena(c), struct tmail_str, answer->count);
	for (size_t i = 0; i < answer->count; i++)
		records[i] = tm_str(answer->records[i]);
	out.status = statuses[answer->status];
	out.records = (struct tmail_list){ records, (uint32_t)answer->count, sizeof *records };
	call_enter(c);
	done(&c->public, done_ctx, &out);
	call_leave(c);
}

static int net_resolve(struct tmail_call *call, struct tmail_str name, uint32_t type,
	resolve_function *done, void *ctx)
{
	struct call *c = call_of(call);
	struct resolve *r;

	if (!call_may(c))
		return TMAIL_REFUSED;
	r = must_alloc(sizeof *r);
	r->handle.end = resolve_end;
	r->call = c;
	r->done = done;
	r->ctx = ctx;
	list_append(&c->handles, &r->handle.link);
	r->query = dns_ask(c->home, str_tm(name), (enum dns_type)type, resolve_done, r);
	return TMAIL_OK;
}

/* ---- descriptors ------------------------------------------------------------------------- */

typedef void ready_function(struct tmail_call *call, void *ctx, uint32_t events);

struct watch {
	struct handle handle;
	struct call *call;
	uv_poll_t poll;
	int fd;
	ready_function *ready;
	void *ctx;
};

static void watch_closed(uv_handle_t *poll)
{
	free(poll->data);
}

static void watch_end(struct handle *h)
{
	struct watch *w = container_of(h, struct watch, handle);

	list_remove(&h->link);
	w->call = NULL;
	uv_poll_stop(&w->poll); /* the descriptor is the module's again at once */
	uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct call *c;
	uint32_t out = 0;

	if (!w->call || !call_listens(w->call))
		return;
	if (events & UV_READABLE || status < 0)
		out |= TMAIL_READABLE; /* an error shows when it is read */
	if (events & UV_WRITABLE)
		out |= TMAIL_WRITABLE;
	c = w->call;
	call_enter(c);
	w->ready(&c->public, w->ctx, out);
	call_leave(c);
}

static struct watch *watch_of(struct call *c, int fd)
{
	LIST_EACH(struct handle, h, &c->handles, link) {
		struct watch *w = container_of(h, struct watch, handle);

		if (h->end == watch_end && w->fd == fd)
			return w;
	}
	return NULL;
}

static struct watch *watch_new(struct call *c, int fd)
{
	struct watch *w = must_alloc(sizeof *w);

	if (uv_poll_init(loop_uv(c->home), &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->handle.end = watch_end;
	w->call = c;
	w->fd = fd;
	list_append(&c->handles, &w->handle.link);
	return w;
}

static int net_watch(
	struct tmail_call *call, int fd, uint32_t events, ready_function *ready, void *ctx)
{
	struct call *c = call_of(call);
	struct watch *w;
	int wanted = (events & TMAIL_READABLE ? UV_READABLE : 0) |
		(events & TMAIL_WRITABLE ? UV_WRITABLE : 0);

	if (!call_may(c) || fd < 0)
		return TMAIL_REFUSED;
	w = watch_of(c, fd);
	if (!wanted) {
		if (w)
			watch_end(&w->handle);
		return TMAIL_OK;
	}
	if (!w && !(w = watch_new(c, fd)))
		return TMAIL_REFUSED;
	w->ready = ready;
	w->ctx = ctx;
	return uv_poll_start(&w->poll, wanted, watch_ready) == 0 ? TMAIL_OK : TMAIL_REFUSED;
}

/* ---- timers ---------------------------------------------------------------------------- */

typedef void fired_function(struct tmail_call *call, void *ctx);

struct timer {
	struct handle handle;
	struct call *call;
	struct deadline deadline;
	fired_function *fired;
	void *ctx;
};

static void timer_end(struct handle *h)
{
	struct timer *t = container_of(h, struct timer, handle);

	list_remove(&h->link);
	deadline_clear(&t->deadline);
	free(t);
}

static void timer_fired(struct deadline *d)
{
	struct timer *t = container_of(d, struct timer, deadline);
	struct call *c = t->call;
	fired_function *fired = t->fired;
	void *ctx = t->ctx;

	timer_end(&t->handle);
	if (!call_listens(c))
		return;
	call_enter(c);
	fired(&c->public, ctx);
	call_leave(c);
}

static struct timer *timer_of(struct call *c, fired_function *fired)
{
	LIST_EACH(struct handle, h, &c->handles, link) {
		struct timer *t = container_of(h, struct timer, handle);

		if (h->end == timer_end && t->fired == fired)
			return t;
	}
	return NULL;
}

static int net_timer(struct tmail_call *call, uint64_t ms, fired_function *fired, void *ctx)
{
	struct call *c = call_of(call);
	struct timer *t;

	if (!call_may(c) || ms > INT64_MAX / 1000)
		return TMAIL_REFUSED;
	t = timer_of(c, fired);
	if (ms == 0) {
		if (t)
			timer_end(&t->handle);
		return TMAIL_OK;
	}
	if (!t) {
		t = must_alloc(sizeof *t);
		t->handle.end = timer_end;
		t->call = c;
		t->fired = fired;
		deadline_init(&t->deadline, c->home, timer_fired);
		list_append(&c->handles, &t->handle.link);
	}
	t->ctx = ctx;
	deadline_set(&t->deadline, (int64_t)ms);
	return TMAIL_OK;
}

/* ---- connections ------------------------------------------------------------------------- */

typedef void connected_function(struct tmail_call *call, void *ctx, int fd, struct tmail_str why);

struct connect {
	struct handle handle;
	struct call *call;
	struct dns_lookup *lookup;
	struct dial *dial;
	uint16_t port;
	int64_t ms;
	connected_function *done;
	void *ctx;
};

static void connect_end(struct handle *h)
{
	struct connect *c = container_of(h, struct connect, handle);

	list_remove(&h->link);
	if (c->lookup)
		dns_lookup_cancel(&c->lookup);
	if (c->dial)
		dial_cancel(&c->dial);
	free(c);
}

/* The descriptor goes to the module, or is closed when nobody wants it any more. */
static void connect_over(struct connect *c, int fd, struct str why)
{
	struct call *call = c->call;
	connected_function *done = c->done;
	void *ctx = c->ctx;
	struct tmail_str kept = tm_str(arena_str(call_arena(call), why));

	connect_end(&c->handle);
	if (!call_listens(call)) {
		fd_close(&fd);
		return;
	}
	call_enter(call);
	done(&call->public, ctx, fd, kept);
	call_leave(call);
}

static void connect_dialled(void *ctx, const struct dial_result *result)
{
	struct connect *c = ctx;

	c->dial = NULL;
	connect_over(c, result->fd, result->fd < 0 ? str_c(result->why.text) : STR(""));
}

static void connect_dial(struct connect *c, const struct endpoint *peers, size_t count)
{
	c->dial = dial_start(c->call->home, peers, count, NULL, 0, c->ms, connect_dialled, c);
}

static void connect_found(void *ctx, const struct dns_addresses *answer)
{
	enum { PEERS_MAX = 16 };
	struct connect *c = ctx;
	struct endpoint peers[PEERS_MAX] = { 0 };
	size_t count = answer->count < PEERS_MAX ? answer->count : PEERS_MAX;

	c->lookup = NULL;
	if (answer->status != DNS_OK) {
		connect_over(c, -1,
			answer->status == DNS_NOT_FOUND ? STR("the name has no address")
							: answer->why);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		peers[i].ip = answer->ips[i];
		peers[i].port = c->port;
	}
	connect_dial(c, peers, count);
}

static bool name_and_port(struct str address, struct str *name, uint16_t *port)
{
	ptrdiff_t colon = str_find_last(address, ':');
	uint64_t number;

	if (colon <= 0 || !num_u64(str_slice(address, (size_t)colon + 1, address.len), &number) ||
		number == 0 || number > 65535)
		return false;
	*name = str_slice(address, 0, (size_t)colon);
	*port = (uint16_t)number;
	return str_find(*name, ':') < 0;
}

static int net_connect(struct tmail_call *call, struct tmail_str address, uint64_t ms,
	connected_function *done, void *ctx)
{
	struct call *c = call_of(call);
	struct endpoint literal;
	struct str name = STR("");
	struct connect *n;
	uint16_t port = 0;
	bool is_literal = endpoint_parse(str_tm(address), 0, &literal);

	if (is_literal && !literal.path[0] && literal.port == 0)
		return TMAIL_REFUSED;
	if (!call_may(c) || ms == 0 || ms > INT64_MAX / 1000 ||
		(!is_literal && !name_and_port(str_tm(address), &name, &port)))
		return TMAIL_REFUSED;
	n = must_alloc(sizeof *n);
	n->handle.end = connect_end;
	n->call = c;
	n->port = port;
	n->ms = (int64_t)ms;
	n->done = done;
	n->ctx = ctx;
	list_append(&c->handles, &n->handle.link);
	if (is_literal)
		connect_dial(n, &literal, 1);
	else
		n->lookup = dns_addresses(c->home, name, connect_found, n);
	return TMAIL_OK;
}

const struct tmail_net host_net = { sizeof host_net, net_resolve, net_watch, net_timer,
	net_connect };
