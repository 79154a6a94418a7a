/* SPDX-License-Identifier: MIT
 *
 * A dry walk from an address to hosts: the routers on one loop, then the hosts and what TLS each
 * is to have on the loop of their lane, since that knows which of them rest. The asker waits
 * meanwhile.
 */
#include "queue/way.h"

#include "mail/address.h"
#include "mail/domain.h"
#include "queue/attempt.h"
#include "queue/locate.h"
#include "queue/policy.h"

#include <semaphore.h>

struct finding {
	struct task task;
	struct generation *generation;
	struct loop *loop;
	struct subject subject; /* on that loop */
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

	f->way->reference = route;
	subject_end(&f->subject);
	finding_go(f, queue.started ? queue_home_of(route->key)->loop : f->loop, hosts_look_up);
}

static void routers_ask(struct task *task)
{
	struct finding *f = container_of(task, struct finding, task);
	struct route *route;

	finding_subject(f);
	f->asking.ql = finding_part(f);
	route = route_ask(&f->asking);
	if (route)
		routed(f, route);
}

/* ---- asked ----------------------------------------------------------------------------- */

bool way_find(struct generation *g, struct str sender, struct str recipient, struct str login,
	struct way *way, struct why *why)
{
	struct finding f = { .way = way, .generation = g };
	struct loop *loop = generation_loop(g);

	*way = (struct way){ .arena = arena_new(1024) };
	if (!loop)
		return why_set(why, "no loop is running");
	f.asking = (struct route_asking){ .subject = &f.subject,
		.ask = { .sender = tm_str(sender),
			.recipient = tm_str(recipient),
			.domain = tm_str(domain_key(address_domain(recipient), way->arena)),
			.login = tm_str(login) },
		.name = str_tm(settings_of(&f)->hostname),
		.found = routed,
		.ctx = &f };
	sem_init(&f.done, 0, 0);
	finding_go(&f, loop, routers_ask);
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
