/* SPDX-License-Identifier: MIT
 *
 * A dry walk from an address to hosts: modules and routers on one loop, then the hosts and what
 * TLS each is to have on the loop of their lane, since that knows which of them rest. The asker
 * waits meanwhile.
 */
#include "queue/way.h"

#include "mail/address.h"
#include "mail/domain.h"
#include "queue/attempt.h"
#include "queue/limit.h"
#include "queue/locate.h"
#include "queue/policy.h"
#include "queue/work.h"

#include <semaphore.h>

struct finding {
	struct task task;
	struct generation *generation;
	struct loop *loop;
	struct subject subject; /* on that loop */
	const struct way_asked *asked;
	struct message *message; /* what modules are asked about */
	union tmail_event event;
	struct str source; /* a module's */
	struct route_asking asking;
	struct way *way;
	struct policy *policy;       /* of the host that is looked at */
	bool secure[ROUTE_HOPS_MAX]; /* by host: its addresses */
	size_t at, tried;            /* hosts */
	sem_t done;
};

static const struct queue_settings *settings_of(const struct finding *f)
{
	return queue.settings_of(f->generation);
}

static struct queue_loop *finding_part(const struct finding *f)
{
	return queue.started ? queue_loop_of(f->loop) : NULL;
}

static void finding_go(struct finding *f, struct loop *loop, void (*run)(struct task *task))
{
	f->loop = loop;
	f->task.run = run;
	loop_post(loop, &f->task);
}

static void finding_subject(struct finding *f)
{
	subject_init(&f->subject, f->loop, f->generation);
	f->subject.dry = true;
}

/* ---- hosts ----------------------------------------------------------------------------- */

static void left_out(struct way_host *h, bool forever, struct str why)
{
	h->left_out = why;
	h->forever = forever;
}

static struct str addresses_text(struct arena *arena, const struct location *at)
{
	struct buf text = { 0 };
	struct str copy;

	for (size_t i = 0; i < at->count; i++) {
		char ip[IP_TEXT];

		ip_text(&at->ips[i], ip);
		buf_printf(&text, "%s%s", i ? " " : "", ip);
	}
	copy = arena_str(arena, buf_str(&text));
	buf_free(&text);
	return copy;
}

static struct str sources_text(const struct finding *f, const struct hop *hop)
{
	struct buf text = { 0 };
	struct str copy;

	if (hop->source.len > 0)
		return hop->source;
	TMAIL_EACH(struct tmail_str, ip, settings_of(f)->local_ips)
		buf_printf(&text, "%s%.*s", text.len ? " " : "", STR_ARG(str_tm(*ip)));
	copy = arena_str(f->way->arena, buf_str(&text));
	buf_free(&text);
	return copy;
}

/* The host rests, or each of its addresses that is not this server's; else NULL. */
static const struct client_outcome *host_reason(
	const struct finding *f, const struct hop *hop, const struct location *at)
{
	struct queue_loop *ql = finding_part(f);
	const struct client_outcome *rests = ql ? host_rests(ql, hop->rest_key) : NULL;
	char key[ADDRESS_KEY];

	if (rests || !ql)
		return rests;
	for (size_t i = 0; i < at->count; i++) {
		const struct endpoint e = { .ip = at->ips[i], .port = hop->port };

		if (hop_leads_here(hop, &e))
			continue;
		rests = host_rests(ql, address_key(&e, hop->source, key));
		if (!rests)
			return NULL;
	}
	return rests;
}

static void host_judge(const struct finding *f, struct way_host *h, const struct location *at)
{
	const struct client_outcome *rests = host_reason(f, h->hop, at);
	struct arena *arena = f->way->arena;
	struct sources sources;
	struct why why;

	if (at->status == DNS_TRY_LATER)
		left_out(h, false, arena_str(arena, at->why));
	else if (at->status == DNS_NOT_FOUND)
		left_out(h, h->hop->source_id == 0, STR("its name is not found"));
	else if (at->own && at->others == 0)
		left_out(h, true, STR("it is this server itself"));
	else if (at->count > 0 && at->others == 0)
		left_out(h, true, STR("it has no address but of whatever machine asks"));
	else if (rests)
		left_out(h, false, arena_printf(arena, "it rests: %.*s", STR_ARG(rests->text)));
	else if (!sources_parse(&sources, h->hop->source, &settings_of(f)->local_ips, &why))
		left_out(h, false, arena_str(arena, str_c(why.text)));
}

static struct way_host *host_add(struct finding *f, const struct hop *hop)
{
	struct way_host *h = &f->way->hosts[f->way->count++];

	h->hop = hop;
	h->sources = sources_text(f, hop);
	return h;
}

static void policy_known(struct finding *f)
{
	struct way_host *h = &f->way->hosts[f->at++];

	h->tls = policy_text(f->policy, f->way->arena);
	h->policy = policy_line(f->policy, f->way->arena);
	if (f->policy->refused && h->left_out.len == 0)
		left_out(h, false, arena_str(f->way->arena, f->policy->why));
	policy_free(&f->policy);
}

static void policies_find(struct finding *f);

static void policy_found(void *ctx)
{
	struct finding *f = ctx;

	policy_known(f);
	policies_find(f);
}

/* Of each host that would be tried, one after another. */
static void policies_find(struct finding *f)
{
	while (f->at < f->tried) {
		f->policy = policy_new(f->loop, f->generation, settings_of(f), f->way->reference,
			f->way->hosts[f->at].hop, f->secure[f->at]);
		if (!policy_find(f->policy, policy_found, f))
			return;
		policy_known(f);
	}
	subject_end(&f->subject);
	sem_post(&f->done);
}

static void located(void *ctx, struct route *r, const struct location *locations)
{
	struct finding *f = ctx;
	uint8_t order[ROUTE_HOPS_MAX];
	size_t count = route_order(r, order);

	for (size_t i = 0; i < count; i++) {
		struct way_host *h = host_add(f, &r->hops[order[i]]);

		h->addresses = addresses_text(f->way->arena, &locations[order[i]]);
		host_judge(f, h, &locations[order[i]]);
		f->secure[i] = locations[order[i]].secure;
	}
	for (size_t i = 0; i < r->cut; i++)
		left_out(host_add(f, &r->hops[count + i]), true,
			STR("this server is as good, or it is this server itself"));
	f->tried = count;
	policies_find(f);
}

static void hosts_look_up(struct task *task)
{
	struct finding *f = container_of(task, struct finding, task);
	struct way *way = f->way;

	finding_subject(f);
	way->route = way->reference;
	way->hosts = ARENA_ARRAY(
		way->arena, struct way_host, way->reference->count + way->reference->cut);
	hops_locate(&f->subject, way->reference, f->asking.name, located, f);
}

/* ---- routers --------------------------------------------------------------------------- */

static void routed(void *ctx, struct route *route)
{
	struct finding *f = ctx;
	struct route *own;

	if (route->status == TMAIL_OK && f->source.len > 0) {
		own = route_from(route, f->source);
		route_unref(&route);
		route = own;
	}
	f->way->reference = route;
	if (route->status == TMAIL_OK)
		f->way->limits = limits_of(route, settings_of(f));
	subject_message_end(&f->subject);
	subject_end(&f->subject);
	if (f->message)
		message_free(&f->message);
	finding_go(f, queue.started ? queue_home_of(route->key)->loop : f->loop, hosts_look_up);
}

static void routers_ask(struct finding *f)
{
	struct route *route;

	f->asking.ql = finding_part(f);
	route = route_ask(&f->asking);
	if (route)
		routed(f, route);
}

/* ---- modules --------------------------------------------------------------------------- */

/* As work.c takes it: who refuses ends it, who holds keeps it from being routed. */
static void hook_says(struct finding *f, const struct chain_answer *a)
{
	struct arena *arena = f->way->arena;
	struct route *route;

	f->way->said = explain_rows(&f->subject, arena, &f->way->said_count);
	if (a->verdict == TMAIL_REJECT || a->verdict == TMAIL_TEMPFAIL) {
		route = route_said(a->verdict == TMAIL_REJECT ? TMAIL_REFUSED : TMAIL_TRY_LATER,
			a->code, a->enhanced, a->text);
		if (a->by)
			route->router = arena_str(route->arena, str_c(instance_name(a->by)));
		routed(f, route);
		return;
	}
	if (a->hold) {
		routed(f,
			route_said(TMAIL_TRY_LATER, 0, "",
				arena_printf(arena, "held: %.*s", STR_ARG(a->hold_reason))));
		return;
	}
	f->source = arena_str(arena, a->source);
	if (a->sender.data)
		f->way->mail_from = arena_printf(arena, "<%.*s>", STR_ARG(a->sender));
	if (a->next_hop.len > 0)
		routed(f, route_direct(a->next_hop, f->source, str_tm(f->asking.ask.domain)));
	else
		routers_ask(f);
}

static void hook_answered(void *ctx, const struct chain_answer *answer)
{
	hook_says(ctx, answer);
}

static void message_make(struct finding *f)
{
	const struct way_asked *asked = f->asked;
	struct message *m = message_new(id_make(clock_wall(), 0, random_u64()), clock_wall());

	m->envelope.sender = tm_str(arena_str(m->arena, asked->sender));
	m->envelope.login = tm_str(arena_str(m->arena, asked->login));
	m->client_address = tm_str(arena_str(m->arena, asked->address));
	m->client_helo = tm_str(arena_str(m->arena, asked->helo));
	m->relay = asked->relay;
	f->event.predeliver.recipient = message_add_recipient(m, asked->recipient, STR(""), 0);
	f->message = f->subject.message = m;
	work_client_facts(&f->subject.client, m);
}

static void finding_begin(struct task *task)
{
	struct finding *f = container_of(task, struct finding, task);
	struct chain_answer answer;

	finding_subject(f);
	if (!f->asked->modules) {
		routers_ask(f);
		return;
	}
	message_make(f);
	if (chain_ask(&f->subject, TMAIL_POINT_PREDELIVER, &f->event, &answer, hook_answered, f))
		hook_says(f, &answer);
}

/* ---- asked ----------------------------------------------------------------------------- */

bool way_find(struct generation *g, const struct way_asked *asked, struct way *way, struct why *why)
{
	struct finding f = { .way = way, .generation = g, .asked = asked };
	struct loop *loop = generation_loop(g);

	*way = (struct way){ .arena = arena_new(1024) };
	if (!loop)
		return why_set(why, "no loop is running");
	f.asking = (struct route_asking){ .subject = &f.subject,
		.ask = { .sender = tm_str(asked->sender),
			.recipient = tm_str(asked->recipient),
			.domain = tm_str(domain_key(address_domain(asked->recipient), way->arena)),
			.login = tm_str(asked->login) },
		.name = str_tm(settings_of(&f)->hostname),
		.found = routed,
		.ctx = &f };
	sem_init(&f.done, 0, 0);
	finding_go(&f, loop, finding_begin);
	while (sem_wait(&f.done) != 0)
		;
	sem_destroy(&f.done);
	return true;
}

void way_free(struct way *way)
{
	route_unref(&way->reference);
	arena_free(&way->arena);
	way->route = NULL;
}
