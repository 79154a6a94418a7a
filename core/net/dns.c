/* SPDX-License-Identifier: MIT
 *
 * Questions to libunbound. A thread of ours with a loop of its own is the only one that talks to
 * the library, because handing it a question can wait for a pipe; the library has a thread for
 * the network, which it starts at the first question.
 *
 * A question belongs to the asking loop until it is posted, to our thread until it is answered,
 * and to the asking loop again when the answer has been posted. So cancelling is a mark that
 * only the asking loop sees; our thread goes on until the answer or the time-out.
 */
#include "net/dns.h"

#include "base/list.h"
#include "base/log.h"
#include "net/hosts.h"
#include "net/resolver.h"
#include "sys/file.h"

#include <pthread.h>
#include <stdlib.h>
#include <unbound.h>

enum { CLASS_IN = 1, RCODE_OK = 0, RCODE_NXDOMAIN = 3, FILE_MOST = 1024 * 1024, RETRY_MS = 5000 };

struct dns_query {
	struct task task; /* to our thread, and back */
	struct link link; /* of `dns.under_way` */
	struct loop *home;
	struct deadline limit;
	char *name;
	enum dns_type type;
	int id; /* libunbound's */
	struct ub_result *result;
	struct str *records;
	struct why why;
	struct dns_answer answer;
	void (*done)(void *ctx, const struct dns_answer *answer);
	void *ctx;
	bool cancelled, answering; /* the home loop's */
};

static struct {
	pthread_mutex_t lock; /* running, loop and hosts, for those who ask */
	bool running;
	struct loop *loop;
	struct hosts *hosts;
	/* From here on our thread's, while it runs. */
	struct ub_ctx *context; /* NULL: no servers are known */
	uv_poll_t ready;
	struct link under_way;
	int64_t timeout;
	int64_t tried; /* when servers were looked for last; loop_now */
	struct why unusable;
	char *trust_anchor, *resolv_conf;
	struct task stop;
} dns = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the library's context ---------------------------------------------------------------- */

static const struct {
	const char *name, *value;
} options[] = {
	/* A resolver on this host is the usual case. */
	{ "do-not-query-localhost:", "no" },
	/* Names of the local network are the network's business, reverse ones too. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	/* A resolver that was away is asked again soon. */
	{ "infra-host-ttl:", "15" },
	{ "infra-keep-probing:", "yes" },
	{ "cache-max-negative-ttl:", "300" },
	{ "edns-buffer-size:", "1232" },
	/* The servers asked have caches; this one only saves the way to them. */
	{ "msg-cache-size:", "2m" },
	{ "rrset-cache-size:", "4m" },
	{ "key-cache-size:", "1m" },
	{ "neg-cache-size:", "256k" },
	{ "num-queries-per-thread:", "1024" },
	{ "outgoing-range:", "256" },
};

/* What the library would answer itself, against what a configured server says. */
static const char *const special_zones[] = { "test.", "invalid.", "onion.", "home.arpa." };

/* Servers of resolv.conf; how many were good. */
static unsigned context_resolv_conf(struct ub_ctx *context, const char *path, struct why *why)
{
	struct buf text = { 0 };
	struct str rest, line, word;
	unsigned count = 0;

	if (!file_read(path, FILE_MOST, &text, why))
		return 0;
	rest = buf_str(&text);
	while (str_split(&rest, '\n', &line)) {
		line = str_trim_line(line);
		if (!str_word(&line, &word) || !str_equal(word, STR("nameserver")) ||
			!str_word(&line, &word))
			continue;
		char *server = str_dup_c(word);
		count += ub_ctx_set_fwd(context, server) == 0;
		free(server);
	}
	buf_free(&text);
	if (count == 0)
		why_set(why, "no name server in %s", path);
	return count;
}

static bool context_set_up(struct ub_ctx *context, struct why *why)
{
	int error = ub_ctx_async(context, 1);

	ub_ctx_debugout(context, NULL); /* what it has to say comes with the answers */
	for (size_t i = 0; i < sizeof options / sizeof *options && !error; i++) {
		error = ub_ctx_set_option(context, options[i].name, options[i].value);
		if (error)
			return why_set(why, "libunbound: option %s %s", options[i].name,
				ub_strerror(error));
	}
	if (!error && dns.trust_anchor)
		error = ub_ctx_add_ta_file(context, dns.trust_anchor);
	else if (!error)
		error = ub_ctx_set_option(context, "module-config:", "iterator");
	/* Reads the trust anchor, too. */
	for (size_t i = 0; i < sizeof special_zones / sizeof *special_zones && !error; i++)
		error = ub_ctx_zone_remove(context, special_zones[i]);
	if (error && dns.trust_anchor)
		return why_set(why, "libunbound with trust anchor %s: %s", dns.trust_anchor,
			ub_strerror(error));
	return error ? why_set(why, "libunbound: %s", ub_strerror(error)) : true;
}

static void context_ready(uv_poll_t *handle, int status, int events)
{
	(void)handle;
	(void)status;
	(void)events;
	ub_process(dns.context);
}

/* Takes the context. */
static bool context_use(struct ub_ctx *context, struct why *why)
{
	if (!context_set_up(context, why) ||
		uv_poll_init(loop_uv(dns.loop), &dns.ready, ub_fd(context)) != 0) {
		ub_ctx_delete(context);
		return false;
	}
	must(uv_poll_start(&dns.ready, UV_READABLE, context_ready) == 0);
	dns.context = context;
	return true;
}

static struct ub_ctx *context_new(struct why *why)
{
	struct ub_ctx *context = ub_ctx_create();

	if (!context)
		why_set(why, "libunbound: no memory");
	return context;
}

static bool context_of_servers(const struct dns_settings *settings, struct why *why)
{
	struct ub_ctx *context = context_new(why);

	if (!context)
		return false;
	for (size_t i = 0; i < settings->server_count; i++) {
		if (ub_ctx_set_fwd(context, settings->servers[i]) != 0) {
			ub_ctx_delete(context);
			return why_set(why, "name server \"%s\": not an address[@port]",
				settings->servers[i]);
		}
	}
	return context_use(context, why);
}

/* *why says what is wrong with the file, or with the context. */
static bool context_of_file(struct why *why)
{
	struct ub_ctx *context = context_new(why);

	if (!context)
		return false;
	dns.tried = loop_now(dns.loop);
	if (context_resolv_conf(context, dns.resolv_conf, why) == 0) {
		ub_ctx_delete(context);
		return false;
	}
	return context_use(context, why);
}

/* ---- back on the asking loop -------------------------------------------------------------- */

static void query_free(struct dns_query *q)
{
	ub_resolve_free(q->result);
	free(q->records);
	free(q->name);
	free(q);
}

static void query_done(struct task *task)
{
	struct dns_query *q = container_of(task, struct dns_query, task);

	q->answering = true;
	if (!q->cancelled)
		q->done(q->ctx, &q->answer);
	query_free(q);
}

/* Gives the question back; it is not ours any more. */
static void query_return(struct dns_query *q)
{
	q->task.run = query_done;
	loop_post(q->home, &q->task);
}

static void query_try_later(struct dns_query *q, const char *reason)
{
	why_set(&q->why, "%s: %s", q->name, reason);
	q->answer.status = DNS_TRY_LATER;
	q->answer.why = str_c(q->why.text);
}

/* ---- on our thread ------------------------------------------------------------------------ */

static void query_end(struct dns_query *q)
{
	list_remove(&q->link);
	deadline_clear(&q->limit);
	query_return(q);
}

static void answer_records(struct dns_query *q)
{
	const struct ub_result *r = q->result;
	size_t count = 0;

	while (r->data[count])
		count++;
	q->records = must_alloc((count + 1) * sizeof *q->records);
	for (size_t i = 0; i < count; i++)
		q->records[i] = str_make(r->data[i], (size_t)r->len[i]);
	q->answer.records = q->records;
	q->answer.count = count;
	q->answer.canonical = str_c(r->canonname);
	if (q->answer.canonical.len > 0 && str_ends_case(q->answer.canonical, STR(".")))
		q->answer.canonical.len--;
}

static void answer_read(struct dns_query *q)
{
	const struct ub_result *r = q->result;

	if (r->bogus) {
		query_try_later(q, r->why_bogus ? r->why_bogus : "DNSSEC validation failed");
		return;
	}
	if (r->rcode != RCODE_OK && r->rcode != RCODE_NXDOMAIN) {
		query_try_later(q,
			r->rcode == 2 ? "name server failed (SERVFAIL)"
				      : "refused by the name server");
		return;
	}
	q->answer.secure = r->secure;
	q->answer.ttl = r->ttl > 0 ? (uint32_t)r->ttl : 0;
	if (r->havedata) {
		q->answer.status = DNS_OK;
		answer_records(q);
	} else {
		q->answer.status = DNS_NOT_FOUND;
		q->answer.exists = !r->nxdomain;
	}
}

static void query_answered(void *ctx, int error, struct ub_result *result)
{
	struct dns_query *q = ctx;

	q->result = result;
	if (error)
		query_try_later(q, ub_strerror(error));
	else
		answer_read(q);
	query_end(q);
}

static void query_give_up(struct dns_query *q, const char *reason)
{
	ub_cancel(dns.context, q->id);
	query_try_later(q, reason);
	query_end(q);
}

static void query_timed_out(struct deadline *d)
{
	query_give_up(container_of(d, struct dns_query, limit), "no answer in time");
}

static bool context_there(void)
{
	if (!dns.context && loop_now(dns.loop) - dns.tried >= RETRY_MS * 1000)
		context_of_file(&dns.unusable);
	return dns.context;
}

static void query_start(struct task *task)
{
	struct dns_query *q = container_of(task, struct dns_query, task);
	int error;

	if (!context_there()) {
		query_try_later(q, dns.unusable.text);
		query_return(q);
		return;
	}
	error = ub_resolve_async(
		dns.context, q->name, (int)q->type, CLASS_IN, q, query_answered, &q->id);
	if (error) {
		query_try_later(q, ub_strerror(error));
		query_return(q);
		return;
	}
	list_append(&dns.under_way, &q->link);
	deadline_init(&q->limit, dns.loop, query_timed_out);
	deadline_set(&q->limit, dns.timeout);
}

static void resolver_stop(struct task *task)
{
	(void)task;
	LIST_EACH(struct dns_query, q, &dns.under_way, link)
		query_give_up(q, "resolver was stopped");
	if (dns.context) {
		uv_close((uv_handle_t *)&dns.ready, NULL);
		ub_ctx_delete(dns.context);
		dns.context = NULL;
	}
	loop_stop(dns.loop);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* Names that DNS can have; what the library would take for an escape is none. */
static bool name_possible(struct str name)
{
	size_t label = 0;

	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > 253)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		if (c == '.' ? label == 0 : c <= ' ' || c > '~' || c == '\\')
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

struct dns_query *dns_ask(struct loop *loop, struct str name, enum dns_type type,
	void (*done)(void *ctx, const struct dns_answer *answer), void *ctx)
{
	struct dns_query *q = must_alloc(sizeof *q);
	bool running;

	q->home = loop;
	q->name = str_dup_c(name);
	q->type = type;
	q->done = done;
	q->ctx = ctx;
	if (!name_possible(name)) {
		q->answer.status = DNS_NOT_FOUND;
		query_return(q);
		return q;
	}
	pthread_mutex_lock(&dns.lock);
	running = dns.running;
	if (running) {
		q->task.run = query_start;
		loop_post(dns.loop, &q->task);
	}
	pthread_mutex_unlock(&dns.lock);
	if (!running) {
		query_try_later(q, "the resolver is not running");
		query_return(q);
	}
	return q;
}

void dns_cancel(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	if (!q)
		return;
	*qp = NULL;
	if (!q->answering)
		q->cancelled = true;
}

size_t resolver_hosts(struct str name, struct ip ips[HOSTS_MOST])
{
	size_t count;

	pthread_mutex_lock(&dns.lock);
	count = hosts_find(dns.hosts, name, ips);
	pthread_mutex_unlock(&dns.lock);
	return count;
}

/* ---- life --------------------------------------------------------------------------------- */

static void resolver_clear(void)
{
	if (dns.context) {
		uv_close((uv_handle_t *)&dns.ready, NULL);
		ub_ctx_delete(dns.context);
		dns.context = NULL;
	}
	loop_free(&dns.loop);
	hosts_free(&dns.hosts);
	free(dns.trust_anchor);
	free(dns.resolv_conf);
	dns.trust_anchor = dns.resolv_conf = NULL;
}

static bool hosts_load(const char *path, struct why *why)
{
	struct buf text = { 0 };

	if (!file_read(path, FILE_MOST, &text, why))
		return why_prefix(why, "hosts file");
	dns.hosts = hosts_parse(buf_str(&text));
	buf_free(&text);
	return true;
}

static bool context_start(const struct dns_settings *settings, struct why *why)
{
	if (dns.trust_anchor && access(dns.trust_anchor, R_OK) != 0)
		return why_errno(why, "trust anchor %s", dns.trust_anchor);
	if (settings->server_count > 0)
		return context_of_servers(settings, why);
	if (!context_of_file(&dns.unusable))
		log_event(LEVEL_WARNING, NULL, "dns_unusable", LOG_C("reason", dns.unusable.text));
	return true;
}

bool dns_start(const struct dns_settings *settings, struct why *why)
{
	must(!dns.running);
	dns.loop = loop_new(0, why);
	if (!dns.loop)
		return false;
	list_init(&dns.under_way);
	dns.stop.run = resolver_stop;
	dns.timeout = settings->timeout;
	if (settings->trust_anchor)
		dns.trust_anchor = str_dup_c(str_c(settings->trust_anchor));
	dns.resolv_conf = str_dup_c(
		str_c(settings->resolv_conf ? settings->resolv_conf : "/etc/resolv.conf"));
	if ((settings->hosts && !hosts_load(settings->hosts, why)) ||
		!context_start(settings, why) || !loop_start(dns.loop, "dns", why)) {
		resolver_clear();
		return false;
	}
	pthread_mutex_lock(&dns.lock);
	dns.running = true;
	pthread_mutex_unlock(&dns.lock);
	return true;
}

void dns_stop(void)
{
	bool running;

	pthread_mutex_lock(&dns.lock);
	running = dns.running;
	dns.running = false;
	pthread_mutex_unlock(&dns.lock);
	if (!running)
		return;
	loop_post(dns.loop, &dns.stop);
	loop_join(dns.loop);
	pthread_mutex_lock(&dns.lock);
	resolver_clear();
	pthread_mutex_unlock(&dns.lock);
}
