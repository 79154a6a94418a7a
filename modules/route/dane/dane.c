/* SPDX-License-Identifier: MIT
 *
 * route/dane: TLSA records say which certificate a host must have (RFC 7672, 7671, 6698). Finds
 * the records that hold for a host and the names that its certificate may bear; what can be used
 * of them, and whether the certificate is as they say, is the handshake's. What must hold: what
 * is signed, and cannot be known now, is never answered with "there is none". The page for
 * administrators is dane.md.
 *
 *   CNAMEs of the host -> TLSA of its last name, then of its own -> CNAMEs of the domain, for names
 */
#include "tlsa.h"

#include "base/ip.h"
#include "base/rdata.h"

#include <tmail/service/tlspolicy.h>

enum { TYPE_CNAME = 5, TYPE_TLSA = 52, LINKS_MAX = 8, SHOWN_RECORDS = 16 };

struct asking {
	const struct tmail_tls_policy_ask *ask;
	struct tmail_tls_policy_answer *answer;
	/* CNAMEs, as far as they are signed, from the name that was followed. */
	char end[TLSA_NAME_MAX + 1];
	size_t end_len;
	unsigned links;
	bool whole; /* no further one follows */
	int (*followed)(struct tmail_call *call, struct asking *a);
	/* Where records may lie: TLSA base domains. */
	struct tmail_str bases[2];
	unsigned base_count, base;
	struct tmail_str names[3]; /* of the certificate */
};

/* Every step answers a status: TMAIL_PENDING, when the next has been begun, or the end of all. */
static void step_ends(struct tmail_call *call, int status)
{
	if (status != TMAIL_PENDING)
		call->host->resume(call, status);
}

static struct tmail_str copy(struct tmail_call *call, struct str s)
{
	char *room = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);

	if (!room)
		return (struct tmail_str)TMAIL_STR("");
	if (s.len > 0)
		memcpy(room, s.data, s.len);
	return (struct tmail_str){ room, s.len };
}

static struct str as_str(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

/* RFC 7672 2.1.2, RFC 8460 4.3.2.1: the host cannot be used, for there might be a record. */
static int unknown(
	struct tmail_call *call, struct asking *a, const char *what, struct tmail_str why)
{
	struct buf text = { 0 };

	buf_printf(&text, "its %s cannot be known now: %.*s", what, STR_ARG(as_str(why)));
	a->answer->why = copy(call, buf_str(&text));
	a->answer->result = (struct tmail_str)TMAIL_STR("dnssec-invalid");
	buf_free(&text);
	return TMAIL_TRY_LATER;
}

static int resolve(struct tmail_call *call, struct asking *a, struct str name, uint32_t type,
	tmail_resolved *done)
{
	struct tmail_str asked = { name.data, name.len };

	return call->host->net->resolve(call, asked, type, done, a) == TMAIL_OK ? TMAIL_PENDING
										: TMAIL_TRY_LATER;
}

/* ---- aliases --------------------------------------------------------------------------- */

static struct str end_of(const struct asking *a)
{
	return str_make(a->end, a->end_len);
}

static void link_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns);

static int follow_on(struct tmail_call *call, struct asking *a)
{
	return resolve(call, a, end_of(a), TYPE_CNAME, link_known);
}

static int link_follow(struct tmail_call *call, struct asking *a, const struct tmail_dns_answer *d)
{
	static const struct tmail_str many = TMAIL_STR("too many aliases, or a loop of them");
	char target[TLSA_NAME_MAX + 1];

	if (d->status == TMAIL_TRY_LATER)
		return unknown(call, a, "alias", d->why);
	a->whole = d->status != TMAIL_OK;
	if (a->whole || !d->secure || d->records.count == 0 ||
		!dns_name(as_str(*TMAIL_AT(struct tmail_str, d->records, 0)), 0, target) ||
		!target[0])
		return a->followed(call, a);
	a->end_len = strlen(target);
	memcpy(a->end, target, a->end_len);
	return ++a->links > LINKS_MAX ? unknown(call, a, "alias", many) : follow_on(call, a);
}

static void link_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	step_ends(call, link_follow(call, ctx, dns));
}

static int follow(struct tmail_call *call, struct asking *a, struct tmail_str name,
	int (*followed)(struct tmail_call *call, struct asking *a))
{
	memcpy(a->end, name.data, name.len);
	a->end_len = name.len;
	a->links = 0;
	a->followed = followed;
	return follow_on(call, a);
}

/* ---- records --------------------------------------------------------------------------- */

static int name_add(struct asking *a, struct tmail_str name)
{
	struct tmail_list *names = &a->answer->names;

	a->names[names->count] = name;
	*names = (struct tmail_list){ a->names, names->count + 1, sizeof *a->names };
	return TMAIL_OK;
}

/* RFC 7672 3.2.2: and where the domain's own name leads. */
static int domain_followed(struct tmail_call *call, struct asking *a)
{
	return a->links == 0 ? TMAIL_OK : name_add(a, copy(call, end_of(a)));
}

static bool records_take(struct tmail_call *call, struct asking *a, const struct tmail_list *from)
{
	struct tmail_tls_policy_answer *answer = a->answer;
	struct buf lines = { 0 };
	struct tmail_str *to = call->host->alloc(call, from->count * sizeof *to, TMAIL_SCOPE_CALL);
	bool needs_names = false;
	uint32_t n = 0;

	TMAIL_EACH(struct tmail_str, record, *from) {
		if (!to)
			break;
		needs_names |= tlsa_needs_names(as_str(*record));
		if (n < SHOWN_RECORDS)
			tlsa_text(as_str(*record), &lines);
		to[n++] = copy(call, as_str(*record));
	}
	answer->tlsa = (struct tmail_list){ to, n, sizeof *to };
	answer->text = copy(call, buf_str(&lines));
	buf_free(&lines);
	return needs_names;
}

/* The domain is a name of its own only if MX led to the host. */
static int records_hold(struct tmail_call *call, struct asking *a, const struct tmail_list *records)
{
	struct tmail_str domain = a->ask->domain;
	bool needs_names = records_take(call, a, records);

	if (a->answer->tlsa.count == 0)
		return TMAIL_TRY_LATER;
	a->answer->policy = TMAIL_TLS_DANE;
	name_add(a, a->bases[a->base]);
	if (!needs_names || domain.len == 0 || domain.len > TLSA_NAME_MAX ||
		str_equal_case(as_str(domain), as_str(a->ask->host)))
		return TMAIL_OK;
	name_add(a, domain);
	return follow(call, a, domain, domain_followed);
}

static void records_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns);

/* RFC 7671 7: those of the name at the end go before those of the host's own. */
static int records_ask(struct tmail_call *call, struct asking *a)
{
	char owner[TLSA_OWNER_MAX + 1];

	if (a->base == a->base_count)
		return TMAIL_NOT_FOUND;
	return resolve(call, a, tlsa_owner(as_str(a->bases[a->base]), a->ask->port, owner),
		TYPE_TLSA, records_known);
}

static int records_judge(
	struct tmail_call *call, struct asking *a, const struct tmail_dns_answer *dns)
{
	if (dns->status == TMAIL_TRY_LATER)
		return unknown(call, a, "TLSA records", dns->why);
	if (dns->status == TMAIL_OK && dns->secure && dns->records.count > 0)
		return records_hold(call, a, &dns->records);
	a->base++;
	return records_ask(call, a);
}

static void records_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	step_ends(call, records_judge(call, ctx, dns));
}

/* RFC 7672 2.2.2: where all is signed, at both ends of the aliases; where only the first of them
 * is, at the host's own name. */
static int host_followed(struct tmail_call *call, struct asking *a)
{
	bool alias = a->links > 0, all = a->ask->address_secure && a->whole;

	if (!alias && !a->ask->address_secure)
		return TMAIL_NOT_FOUND;
	if (alias && all)
		a->bases[a->base_count++] = copy(call, end_of(a));
	a->bases[a->base_count++] = a->ask->host;
	return records_ask(call, a);
}

/* ---- the service ----------------------------------------------------------------------- */

static int policy_ask(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_tls_policy_ask *ask = question;
	struct asking *a;
	struct ip ip;

	if (!ask->secure || ask->host.len == 0 || ask->host.len > TLSA_NAME_MAX ||
		ask->host.data[0] == '/' || ip_parse(as_str(ask->host), &ip))
		return TMAIL_NOT_FOUND;
	a = call->host->alloc(call, sizeof *a, TMAIL_SCOPE_CALL);
	if (!a)
		return TMAIL_TRY_LATER;
	a->ask = ask;
	a->answer = answer;
	a->answer->kind = (struct tmail_str)TMAIL_STR("tlsa");
	return follow(call, a, ask->host, host_followed);
}

static const struct tmail_operation operations[] = {
	{ TMAIL_TLS_POLICY_ASK, TMAIL_DRY | TMAIL_FIRST, policy_ask },
};

static const struct tmail_service services[] = {
	{ TMAIL_TLS_POLICY, NULL, TMAIL_LIST(operations) },
};

TMAIL_MODULE(dane, .name = "route/dane", .version = TMAIL_VERSION,
	.summary = "Demands the certificate that a host's TLSA records name (DANE).",
	.capabilities = TMAIL_CAN_NET, .services = TMAIL_LIST(services));
