/* SPDX-License-Identifier: MIT
 *
 * From the connection to the greeting: who the client is (its socket or a PROXY header says),
 * whether it may come in at all, what modules think of it, whether it can wait its turn.
 *
 * The client's name is looked up meanwhile and never delays the greeting: it is waited for only
 * when the message is whole, and no longer than reverse_lookup from the connection on. Clients
 * of this host have no name to look up.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "net/proxy.h"
#include "smtp/limit.h"
#include "smtp/place.h"
#include "smtp/session.h"

#include <stdlib.h>

/* ---- who it is --------------------------------------------------------------------------- */

void greet_facts(struct session *s, const struct endpoint *peer, const struct endpoint *local)
{
	struct tmail_client *c = &s->subject.client;

	s->peer = peer->ip;
	if (peer->ip.family)
		ip_text(&peer->ip, s->address);
	if (local->ip.family)
		ip_text(&local->ip, s->local_address);
	c->size = sizeof *c;
	c->kind = TMAIL_CLIENT_SMTP;
	c->id = tm_id(s->id);
	c->family = peer->ip.family;
	memcpy(c->address_bytes, peer->ip.bytes, sizeof c->address_bytes);
	c->port = peer->port;
	c->local_port = local->port;
	c->address = tm_str(str_c(s->address));
	c->local_address = tm_str(str_c(s->local_address));
	c->listener = tm_str(s->place->server->name);
	c->hostname = s->settings->hostname;
}

/* A connection that comes from this host, or from nowhere (a socket pair). */
static bool is_local(const struct session *s)
{
	return s->peer.family == 0 || ip_is_loopback(&s->peer);
}

static void name_found(void *ctx, enum dns_status status, struct str name)
{
	struct session *s = ctx;

	s->reverse = NULL;
	if (status == DNS_OK && name.len > 0) {
		s->reverse_name = str_dup_c(name);
		s->subject.client.reverse_name = tm_str(str_c(s->reverse_name));
	}
	if (s->waiting == WAITING_REVERSE)
		finish_unnamed(s);
	session_run(s);
}

bool greet_reverse_missing(const struct session *s)
{
	return s->reverse != NULL;
}

/* ---- may it come in ---------------------------------------------------------------------- */

static bool within_limits(struct session *s)
{
	if (is_local(s) || s->dry)
		return true;
	switch (limit_enter(&s->peer, s->settings->max_sessions_address,
		s->settings->max_rate_address, loop_now(s->subject.loop))) {
	case LIMIT_OK:
		s->counted = true;
		return true;
	case LIMIT_SESSIONS:
		session_close(s, SAY_TOO_MANY_FROM_YOU, "sessions_of_address");
		break;
	case LIMIT_RATE:
		session_close(s, SAY_TOO_FAST_FROM_YOU, "rate_of_address");
		break;
	}
	metric_add(METRIC_limit_connections, 1);
	metric_add(METRIC_sessions_refused, 1);
	return false;
}

/* ---- the greeting ------------------------------------------------------------------------ */

static void greet(struct session *s)
{
	char id[ID_TEXT + 1];

	id_text(s->id, id);
	buf_printf(stream_output(s->stream), "220 %.*s%s ESMTP %s\r\n",
		(int)s->settings->hostname.len, s->settings->hostname.data,
		s->settings->hide_signature ? "" : " tmail", id);
	session_enter(s, STATE_START);
}

/* RFC 5321 3.1: 554 turns a client away for good; 421 for now. There was no greeting with the id
 * by which the session can be found, so the reply has it. */
static void turn_away(struct session *s, const struct chain_answer *answer)
{
	unsigned code = answer->verdict == TMAIL_REJECT ? 554 : 421;
	char id[ID_TEXT + 1];

	metric_add(METRIC_sessions_refused, 1);
	id_text(s->id, id);
	session_sayf(s, code, answer->enhanced, "%.*s (%s)", STR_ARG(answer->text), id);
	log_event(LEVEL_INFO, &s->log, "session_refused", LOG_C("client", s->address),
		LOG_C("reason", "module"),
		LOG_IF(answer->by, LOG_C("module", answer->by ? instance_name(answer->by) : "")),
		LOG_NUM("code", code), LOG_STR("text", answer->text));
	session_close(s, SAY_NOTHING, "module");
}

static void connect_decided(struct session *s, const struct chain_answer *answer)
{
	if (answer->verdict == TMAIL_REJECT || answer->verdict == TMAIL_TEMPFAIL)
		turn_away(s, answer);
	else if (s->settings->greet_delay > 0)
		deadline_set(&s->deadline, s->settings->greet_delay);
	else
		greet(s);
}

static void connect_answered(void *ctx, const struct chain_answer *answer)
{
	struct session *s = ctx;

	session_wake(s);
	connect_decided(s, answer);
	session_run(s);
}

static void connect_ask(struct session *s)
{
	const union tmail_event event = { .unknown = { { NULL, 0 }, { NULL, 0 } } };
	struct chain_answer answer;

	if (s->settings->reverse_lookup > 0 && !is_local(s))
		s->reverse = dns_reverse(s->subject.loop, &s->peer, name_found, s);
	if (chain_ask(&s->subject, TMAIL_POINT_CONNECT, &event, &answer, connect_answered, s))
		connect_decided(s, &answer);
	else
		session_wait(s, WAITING_ANSWER);
}

/* Limits come before the work of a handshake. Where TLS comes first a refusal is a silent one. */
void greet_begin(struct session *s)
{
	log_event(LEVEL_DEBUG, &s->log, "session_opened", LOG_C("client", s->address),
		LOG_NUM("port", s->subject.client.port),
		LOG_STR("listener", s->place->server->name));
	if (tls_from_start(s)) {
		within_limits(s);
		return;
	}
	session_enter(s, STATE_CONNECT);
	if (within_limits(s))
		connect_ask(s);
}

void greet_secured(struct session *s)
{
	session_enter(s, STATE_CONNECT);
	connect_ask(s);
}

void greet_start(struct session *s)
{
	if (s->place->server->proxy)
		session_enter(s, STATE_PROXY);
	else
		greet_begin(s);
}

void greet_early(struct session *s)
{
	metric_add(METRIC_limit_early_talker, 1);
	session_close(s, SAY_EARLY_TALKER, "early_talker");
}

void greet_late(struct session *s)
{
	greet(s);
}

bool greet_proxy(struct session *s)
{
	struct proxy proxy;
	size_t used;

	switch (proxy_read(stream_input(s->stream), &used, &proxy)) {
	case PROXY_MORE:
		return false;
	case PROXY_BAD:
		session_close(s, SAY_NOT_PROXY, "no_proxy_header");
		return true;
	case PROXY_DONE:
		break;
	}
	stream_take(s->stream, used);
	if (!proxy.local)
		greet_facts(s, &proxy.peer, &proxy.local_end);
	greet_begin(s);
	return true;
}
