/* SPDX-License-Identifier: MIT
 *
 * Verbs that ask before the fact: `routes test`, where mail would go and why, and `explain`,
 * what would become of a message from the connection on. Nothing is sent and nothing kept; who
 * decides is the same code that decides about mail.
 */
#include "admin/verbs.h"

#include "base/num.h"
#include "host/record.h"
#include "mail/address.h"
#include "queue/queue.h"
#include "queue/way.h"
#include "smtp/explain.h"

#include <inttypes.h>

/* ---- what a route says ----------------------------------------------------------------------- */

static void number_text(struct buf *out, uint32_t n)
{
	if (n)
		buf_printf(out, "%" PRIu32, n);
}

/* What becomes of mail that goes this way. True: it is sent. */
static bool way_end(const struct way *way, struct buf *words)
{
	const struct route *r = way->route;
	const struct way_host *worst = NULL;

	if (r->status != TMAIL_OK) {
		buf_add_c(words, r->status == TMAIL_REFUSED ? "it bounces: " : "it waits: ");
		if (r->router.len)
			buf_printf(words, "%.*s says ", STR_ARG(r->router));
		if (r->code)
			buf_printf(words, "%u ", r->code);
		if (r->enhanced[0])
			buf_printf(words, "%s ", r->enhanced);
		buf_add(words, r->why);
		return false;
	}
	for (size_t i = 0; i < way->count; i++) {
		if (way->hosts[i].left_out.len == 0)
			return true;
		if (!worst || (worst->forever && !way->hosts[i].forever))
			worst = &way->hosts[i];
	}
	if (!worst) {
		buf_add_c(words, "it waits: there is no host");
		return false;
	}
	buf_printf(words, "%s: no host can be tried; %.*s: %.*s",
		worst->forever ? "it bounces" : "it waits", STR_ARG(worst->hop->host),
		STR_ARG(worst->left_out));
	return false;
}

/* ---- routes test ----------------------------------------------------------------------------- */

enum { ROUTE_COLUMNS = 16 };
static const char *const route_columns[ROUTE_COLUMNS] = { "router", "matched", "route:int",
	"priority:int", "weight:int", "host", "port:int", "protocol", "addresses", "local_ips",
	"tls", "login", "connections:int", "messages:int", "rate", "left_out" };

static void host_row(const struct way *way, const struct way_host *h, struct output *o)
{
	const struct route *r = way->route;
	const struct route_limits *limits = &way->limits;
	struct buf texts[ROUTE_COLUMNS] = { 0 };
	struct tmail_str row[ROUTE_COLUMNS];
	char rate[NUM_RATE_TEXT];

	buf_add(&texts[0], r->router);
	buf_add(&texts[1], r->reason);
	number_text(&texts[2], h->hop->source_id);
	buf_printf(&texts[3], "%" PRIu32, h->hop->priority);
	buf_printf(&texts[4], "%" PRIu32, h->hop->weight);
	buf_add(&texts[5], h->hop->host);
	buf_printf(&texts[6], "%u", h->hop->port);
	buf_add_c(&texts[7], h->hop->protocol == TMAIL_PROTOCOL_LMTP ? "lmtp" : "smtp");
	buf_add(&texts[8], h->addresses);
	buf_add(&texts[9], h->sources);
	buf_add(&texts[10], h->tls);
	buf_add(&texts[11], h->hop->login);
	number_text(&texts[12], limits->connections);
	number_text(&texts[13], limits->messages);
	if (limits->rate_count)
		buf_add_c(&texts[14], num_rate_text(limits->rate_count, limits->rate_ms, rate));
	buf_add(&texts[15], h->left_out);
	for (size_t i = 0; i < ROUTE_COLUMNS; i++)
		row[i] = tm_str(buf_str(&texts[i]));
	o->row(o, row, ROUTE_COLUMNS);
	for (size_t i = 0; i < ROUTE_COLUMNS; i++)
		buf_free(&texts[i]);
}

/* An address as a command takes it, with or without brackets; the null sender is "" or "<>". */
static bool address_given(
	struct str text, unsigned flags, struct arena *arena, struct str *address, struct why *why)
{
	struct str path = str_trim(text);
	struct address parsed;
	enum address_result result;

	result = address_path(&path, flags | ADDRESS_UTF8 | ADDRESS_NO_BRACKETS, arena, &parsed);
	if (text.len == 0 && flags & ADDRESS_NULL) {
		*address = STR("");
		return true;
	}
	if (result != ADDRESS_OK || path.len > 0)
		return why_set(why, "'%.*s': %s", STR_ARG(text),
			result == ADDRESS_OK ? "something follows the address"
					     : address_explain(result));
	*address = parsed.text;
	return true;
}

static enum verb_result trouble(struct output *o, const char *verb, const struct why *why)
{
	output_fail(o, "%s: %s", verb, why->text);
	return VERB_FAILED;
}

static enum verb_result way_show(const struct way *way, struct output *o)
{
	struct buf words = { 0 };
	bool sent;

	o->columns(o, route_columns, ROUTE_COLUMNS);
	for (size_t i = 0; i < way->count; i++)
		host_row(way, &way->hosts[i], o);
	sent = way_end(way, &words);
	if (!sent)
		output_fail(o, "routes test: %.*s", STR_ARG(buf_str(&words)));
	buf_free(&words);
	return sent ? VERB_OK : VERB_FAILED;
}

static enum verb_result routes_test_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct arena *arena = arena_new(1024);
	enum verb_result result;
	struct way_asked asked = { .login = value_of(values, "user") };
	struct way way;
	struct why why;

	if (!address_given(value_of(values, "FROM"), ADDRESS_NULL, arena, &asked.sender, &why) ||
		!address_given(value_of(values, "TO"), 0, arena, &asked.recipient, &why)) {
		trouble(o, "routes test", &why);
		arena_free(&arena);
		return VERB_USAGE;
	}
	if (way_find(g, &asked, &way, &why))
		result = way_show(&way, o);
	else
		result = trouble(o, "routes test", &why);
	way_free(&way);
	arena_free(&arena);
	return result;
}

/* ---- explain --------------------------------------------------------------------------------- */

enum { EXPLAIN_COLUMNS = 5 };
static const char *const explain_columns[EXPLAIN_COLUMNS] = { "point", "by", "verdict", "text",
	"ms" };

static void explain_row(struct output *o, const char *point, struct str by, const char *verdict,
	struct str text, int64_t took)
{
	struct buf ms = { 0 };

	if (took > 0)
		buf_printf(&ms, "%" PRId64 ".%03" PRId64, took / 1000, took % 1000);
	o->row(o,
		(const struct tmail_str[]){ tm_str(str_c(point)), tm_str(by),
			tm_str(str_c(verdict)), tm_str(text), tm_str(buf_str(&ms)) },
		EXPLAIN_COLUMNS);
	buf_free(&ms);
}

static void session_row(void *ctx, const struct explain_row *row)
{
	const char *verdict = row->verdict == RECORD_NOT_ASKED ? "not asked"
		: row->verdict == RECORD_FAILED                ? "failed"
		: row->by                                      ? verdict_name(row->verdict)
		: !row->reply                                  ? ""
		: row->verdict == TMAIL_ACCEPT                 ? "OK"
							       : verdict_name(row->verdict);

	explain_row(ctx, point_name(row->point), row->by ? str_c(row->by) : STR("tmail"), verdict,
		row->text, row->took);
}

/* "10 mx.example.com:25 [192.0.2.1], from ..., left out: ..." */
static void host_text(struct buf *out, const struct way *way, const struct way_host *h)
{
	const struct route *r = way->route;
	const struct route_limits *limits = &way->limits;
	char rate[NUM_RATE_TEXT];

	if (r->reason.len)
		buf_printf(out, "%.*s: ", STR_ARG(r->reason));
	buf_printf(
		out, "%" PRIu32 " %.*s:%u", h->hop->priority, STR_ARG(h->hop->host), h->hop->port);
	if (h->addresses.len)
		buf_printf(out, " [%.*s]", STR_ARG(h->addresses));
	if (h->hop->weight > 1)
		buf_printf(out, ", weight %" PRIu32, h->hop->weight);
	if (h->sources.len)
		buf_printf(out, ", from %.*s", STR_ARG(h->sources));
	if (h->tls.len)
		buf_printf(out, ", tls %.*s", STR_ARG(h->tls));
	if (h->policy.len)
		buf_printf(out, ": %.*s", STR_ARG(h->policy));
	if (h->hop->login.len)
		buf_printf(out, ", login %.*s", STR_ARG(h->hop->login));
	if (way->mail_from.len)
		buf_printf(out, ", as sender %.*s", STR_ARG(way->mail_from));
	buf_printf(out, ", %" PRIu32 " connections, %" PRIu32 " messages a connection",
		limits->connections, limits->messages);
	if (limits->rate_count)
		buf_printf(out, ", at most %s",
			num_rate_text(limits->rate_count, limits->rate_ms, rate));
	if (h->left_out.len)
		buf_printf(out, "; left out: %.*s", STR_ARG(h->left_out));
}

static void way_explain(const struct way *way, struct output *o)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < way->said_count; i++)
		session_row(o, &way->said[i]);
	for (size_t i = 0; i < way->count; i++) {
		buf_clear(&text);
		host_text(&text, way, &way->hosts[i]);
		explain_row(o, "ROUTE", way->route->router,
			way->hosts[i].left_out.len ? "left out" : "OK", buf_str(&text), 0);
	}
	buf_clear(&text);
	if (!way_end(way, &text))
		explain_row(o, "ROUTE", way->route->router.len ? way->route->router : STR("tmail"),
			way->route->status == TMAIL_TRY_LATER ? "TEMPFAIL" : "REJECT",
			buf_str(&text), 0);
	buf_free(&text);
}

/* Flags into `asked`; the arena has what is made of them. */
static bool explain_read(const struct values *values, struct arena *arena,
	struct explain_asked *asked, struct why *why)
{
	struct str ip = value_of(values, "ip"), size = value_of(values, "size");
	int64_t octets = 0;

	*asked = (struct explain_asked){ .helo = value_of(values, "helo"),
		.login = value_of(values, "user"),
		.listener = value_of(values, "listener") };
	if (!address_given(value_of(values, "from"), ADDRESS_NULL, arena, &asked->sender, why) ||
		!address_given(
			value_of(values, "to"), ADDRESS_POSTMASTER, arena, &asked->recipient, why))
		return false;
	if (ip.len > 0 && !ip_parse(ip, &asked->ip))
		return why_set(why, "'%.*s' is not an IP address", STR_ARG(ip));
	if (size.len > 0 && (!num_size(size, &octets) || octets < 0))
		return why_set(why, "'%.*s' is not a size; 10M or octets", STR_ARG(size));
	asked->size = (uint64_t)octets;
	return true;
}

/* Beyond the session: what modules say before an attempt, and routers. */
static bool way_find_for(struct generation *g, const struct explain_asked *asked, bool relay,
	struct way *way, struct why *why)
{
	char ip[IP_TEXT] = "";
	const struct way_asked further = { .sender = asked->sender,
		.recipient = asked->recipient,
		.login = asked->login,
		.modules = true,
		.address = str_c(asked->ip.family ? (ip_text(&asked->ip, ip), ip) : ""),
		.helo = asked->helo,
		.relay = relay };

	return way_find(g, &further, way, why);
}

static enum verb_result explain_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct arena *arena = arena_new(1024);
	struct explain_asked asked;
	enum verb_result result = VERB_FAILED;
	struct explain_end end = { false, false };
	struct way way = { 0 };
	struct why why;

	if (!explain_read(values, arena, &asked, &why)) {
		trouble(o, "explain", &why);
		arena_free(&arena);
		return VERB_USAGE;
	}
	o->columns(o, explain_columns, EXPLAIN_COLUMNS);
	if (!smtp_explain(g, &asked, session_row, o, &end, &why))
		trouble(o, "explain", &why);
	else if (end.accepted && !way_find_for(g, &asked, end.relay, &way, &why))
		trouble(o, "explain", &why);
	else
		result = VERB_OK; /* a refusal is an answer too */
	if (result == VERB_OK && end.accepted)
		way_explain(&way, o);
	way_free(&way);
	arena_free(&arena);
	return result;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct tmail_argument routes_test_arguments[] = {
	{ "FROM", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"The sender; '' or '<>' is the null sender." },
	{ "TO", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL, "The recipient." },
	{ "user", "u", TMAIL_TYPE_STRING, 0, "The login that submits it." },
};

static const struct tmail_argument explain_arguments[] = {
	{ "from", "f", TMAIL_TYPE_STRING, TMAIL_REQUIRED,
		"The sender; '' or '<>' is the null sender." },
	{ "to", "t", TMAIL_TYPE_STRING, TMAIL_REQUIRED, "The recipient." },
	{ "ip", "i", TMAIL_TYPE_STRING, 0, "The client's address; none: a client without one." },
	{ "user", "u", TMAIL_TYPE_STRING, 0, "The login of the client." },
	{ "size", "s", TMAIL_TYPE_STRING, 0, "Size of the message: 10M, or octets." },
	{ "helo", NULL, TMAIL_TYPE_STRING, 0, "What the client calls itself." },
	{ "listener", "l", TMAIL_TYPE_STRING, 0,
		"Name or role of the listener it comes in by; the first that suits it." },
};

static const struct verb table[] = {
	{ .name = "routes test",
		.summary = "Shows where mail would go, in order, and why.",
		.flags = TMAIL_OFFLINE | VERB_LOOP,
		.service = TMAIL_ROUTER,
		.arguments = TMAIL_LIST(routes_test_arguments),
		.run = routes_test_run },
	{ .name = "explain",
		.summary = "Shows what would become of a message, and who would say so.",
		.arguments = TMAIL_LIST(explain_arguments),
		.run = explain_run },
};

const struct verb_table verbs_explain = { table, sizeof table / sizeof *table };
