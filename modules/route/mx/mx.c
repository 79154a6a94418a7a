/* SPDX-License-Identifier: MIT
 *
 * route/mx: where a domain's mail goes by DNS (RFC 5321 5.1, RFC 7505). Says which hosts, in
 * which order of preference; their addresses are the core's to find, so that a name that does
 * not resolve does not end the search. The page for administrators is mx.md.
 */
#include "base/ip.h"
#include "base/str.h"

#include <tmail/service/router.h>

enum { TYPE_MX = 15, HOSTS_MAX = 64, NAME_MAX_LEN = 255 };

struct pending {
	struct tmail_route_answer *answer;
	struct tmail_str domain;
};

/* ---- answers --------------------------------------------------------------------------- */

static void say(struct tmail_str *out, const char *text)
{
	out->data = text;
	out->len = strlen(text);
}

static int refuse(
	struct tmail_route_answer *answer, uint32_t code, const char *enhanced, const char *why)
{
	answer->code = code;
	say(&answer->enhanced, enhanced);
	say(&answer->why, why);
	return TMAIL_REFUSED;
}

/* The domain itself, when it has no MX, or is an address literal. */
static int one_hop(struct tmail_call *call, struct tmail_route_answer *answer,
	struct tmail_str host, uint32_t secure, const char *reason)
{
	struct tmail_hop *hop = call->host->alloc(call, sizeof *hop, TMAIL_SCOPE_CALL);

	if (!hop)
		return TMAIL_TRY_LATER;
	say(&answer->reason, reason);
	hop->weight = 1;
	hop->host = host;
	hop->secure = secure;
	answer->hops.item = hop;
	answer->hops.count = 1;
	answer->hops.stride = sizeof *hop;
	return TMAIL_OK;
}

/* ---- MX records ------------------------------------------------------------------------ */

/* Of host names, with the underscores and the UTF-8 that are found in the wild. Whoever writes a
 * zone must not name a socket of ours ("/run/x") or an address. */
static bool is_of_host(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		(unsigned char)c >= 0x80;
}

static bool is_address(struct tmail_str text)
{
	struct ip ip;

	return ip_parse(str_make(text.data, text.len), &ip);
}

/* An uncompressed name as text, in lower case. False: it is not one that mail could go to. */
static bool name_text(struct str wire, char *room, struct tmail_str *name)
{
	size_t len = 0, at = 0;

	while (at < wire.len && wire.data[at] != 0) {
		size_t label = (unsigned char)wire.data[at++];

		if (label > 63 || at + label > wire.len || len + label + 1 > NAME_MAX_LEN)
			return false;
		if (len > 0)
			room[len++] = '.';
		for (size_t i = 0; i < label; i++, at++) {
			char c = ascii_lower(wire.data[at]);

			if (!is_of_host(c))
				return false;
			room[len++] = c;
		}
	}
	if (at >= wire.len)
		return false;
	name->data = room;
	name->len = len;
	return !is_address(*name);
}

static bool hop_of_record(struct tmail_call *call, const struct tmail_str *record, uint32_t secure,
	struct tmail_hop *hop)
{
	const unsigned char *data = (const unsigned char *)record->data;
	char *room = call->host->alloc(call, NAME_MAX_LEN + 1, TMAIL_SCOPE_CALL);

	if (!room || record->len < 3)
		return false;
	hop->priority = (uint32_t)data[0] << 8 | data[1];
	hop->weight = 1;
	hop->secure = secure;
	return name_text(str_make(record->data + 2, record->len - 2), room, &hop->host);
}

static int hops_of_records(struct tmail_call *call, struct tmail_route_answer *answer,
	const struct tmail_dns_answer *dns)
{
	struct tmail_hop *hops =
		call->host->alloc(call, HOSTS_MAX * sizeof *hops, TMAIL_SCOPE_CALL);
	bool null_mx = false;

	if (!hops)
		return TMAIL_TRY_LATER;
	say(&answer->reason, "MX");
	answer->hops.item = hops;
	answer->hops.stride = sizeof *hops;
	TMAIL_EACH(struct tmail_str, record, dns->records) {
		if (answer->hops.count == HOSTS_MAX)
			break;
		if (!hop_of_record(call, record, dns->secure, &hops[answer->hops.count]))
			continue;
		if (hops[answer->hops.count].host.len == 0)
			null_mx = true;
		else
			answer->hops.count++;
	}
	if (answer->hops.count > 0)
		return TMAIL_OK;
	if (null_mx) /* RFC 7505 3 */
		return refuse(answer, 556, "5.1.10", "the domain does not accept mail (null MX)");
	say(&answer->why, "the domain's MX records cannot be understood");
	return TMAIL_TRY_LATER;
}

static void answered(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	struct pending *pending = ctx;
	struct tmail_route_answer *answer = pending->answer;
	int status;

	answer->ttl = dns->ttl;
	if (dns->status == TMAIL_OK) {
		status = hops_of_records(call, answer, dns);
	} else if (dns->status == TMAIL_NOT_FOUND) {
		/* The implicit MX (RFC 5321 5.1); whether the name exists shows when it is
		 * looked up for its addresses. */
		status = one_hop(call, answer, pending->domain, dns->secure, "no MX");
	} else {
		char *why = call->host->alloc(call, dns->why.len + 1, TMAIL_SCOPE_CALL);

		if (why && dns->why.len > 0) {
			memcpy(why, dns->why.data, dns->why.len);
			answer->why.data = why;
			answer->why.len = dns->why.len;
		} else {
			say(&answer->why, "the domain's MX records cannot be looked up now");
		}
		status = TMAIL_TRY_LATER;
	}
	call->host->resume(call, status);
}

/* ---- the router ------------------------------------------------------------------------ */

static int route(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_route_ask *ask = question;
	struct tmail_route_answer *out = answer;
	struct str domain = { ask->domain.data, ask->domain.len };
	struct pending *pending;

	out->any_sender = 1;
	if (domain.len == 0)
		return refuse(out, 550, "5.1.3", "the address has no domain");
	if (domain.data[0] == '[') {
		bool six = str_starts_case(domain, STR("[ipv6:"));
		size_t skip = six ? 6 : 1;
		struct tmail_str host = { domain.data + skip, domain.len - skip - 1 };
		struct ip ip;

		if (domain.len <= skip + 1 || domain.data[domain.len - 1] != ']' ||
			!ip_parse(str_make(host.data, host.len), &ip))
			return refuse(out, 550, "5.1.2", "the address literal cannot be used");
		return one_hop(call, out, host, 0, "address literal");
	}
	if (is_address(ask->domain))
		return refuse(out, 550, "5.1.2", "an address in place of a domain needs brackets");
	pending = call->host->alloc(call, sizeof *pending, TMAIL_SCOPE_CALL);
	if (!pending)
		return TMAIL_TRY_LATER;
	pending->answer = out;
	pending->domain = ask->domain;
	if (call->host->net->resolve(call, ask->domain, TYPE_MX, answered, pending) == TMAIL_OK)
		return TMAIL_PENDING;
	say(&out->why, "names cannot be looked up now");
	return TMAIL_TRY_LATER;
}

static const struct tmail_operation operations[] = {
	{ TMAIL_ROUTER_ROUTE, TMAIL_DRY | TMAIL_LAST, route },
};

static const struct tmail_service services[] = {
	{ TMAIL_ROUTER, NULL, TMAIL_LIST(operations) },
};

TMAIL_MODULE(mx, .name = "route/mx", .version = TMAIL_VERSION,
	.summary = "Sends mail to the MX hosts of its domain.", .capabilities = TMAIL_CAN_NET,
	.services = TMAIL_LIST(services));
