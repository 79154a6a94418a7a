/* SPDX-License-Identifier: MIT
 *
 * Asking who decides, in order; what an answer demands of the handshake; and reports of how it
 * went. What must hold: a policy that cannot be known now is no leave to send in clear, and a login
 * never makes do with less than encryption unless its route says so.
 */
#include "queue/policy.h"

#include "base/ip.h"
#include "mail/domain.h"
#include "queue/limit.h"
#include "queue/trust.h"

#include <stdlib.h>

/* ---- names ----------------------------------------------------------------------------- */

static const char *const names[] = { [TMAIL_TLS_UNSET] = "default",
	[TMAIL_TLS_NONE] = "none",
	[TMAIL_TLS_MAY] = "may",
	[TMAIL_TLS_ENCRYPT] = "encrypt",
	[TMAIL_TLS_VERIFY] = "verify",
	[TMAIL_TLS_DANE] = "dane",
	[TMAIL_TLS_SMTPS] = "smtps",
	[TMAIL_TLS_SMTPS_VERIFY] = "smtps-verify" };
static const size_t name_count = sizeof names / sizeof *names;

const char *policy_name(enum tmail_tls_policy level)
{
	return (size_t)level < name_count ? names[level] : names[TMAIL_TLS_VERIFY];
}

struct str policy_text(const struct policy *p, struct arena *arena)
{
	if (p->kind.len)
		return arena_printf(arena, "%s%s (%.*s)", p->implicit ? "smtps, " : "",
			policy_name(p->level), STR_ARG(p->kind));
	return arena_printf(
		arena, "%s%s (%s)", p->implicit ? "smtps, " : "", policy_name(p->level), p->from);
}

struct str policy_line(const struct policy *p, struct arena *arena)
{
	struct str rest = p->text, line, text = p->about;

	while (str_split(&rest, '\n', &line))
		text = arena_printf(
			arena, "%.*s%s%.*s", STR_ARG(text), text.len ? "; " : "", STR_ARG(line));
	return text;
}

/* ---- what follows from it -------------------------------------------------------------- */

static bool refuse(struct policy *p, const char *enhanced, struct str result, struct str why)
{
	p->refused = true;
	memcpy(p->enhanced, enhanced, strlen(enhanced) + 1);
	p->result = arena_str(p->arena, result);
	p->why = arena_str(p->arena, why);
	return true;
}

static bool is_name(const struct hop *hop)
{
	struct ip ip;

	return hop->host.data[0] != '/' && !ip_parse(hop->host, &ip);
}

static struct str *list_copy(struct policy *p, const struct tmail_list *list, size_t *count)
{
	struct str *copies = ARENA_ARRAY(p->arena, struct str, list->count + 2);

	TMAIL_EACH(struct tmail_str, s, *list)
		copies[(*count)++] = arena_str(p->arena, str_tm(*s));
	return copies;
}

/* The domain says whom it has its mail at, or it is the host; of DANE either (RFC 7672 3.2.2). */
static void names_want(struct policy *p)
{
	static const struct tmail_list none = { NULL, 0, sizeof(struct tmail_str) };
	struct tls_wanted *w = &p->wanted;
	struct str *wanted = list_copy(p, p->answer ? &p->answer->names : &none, &w->name_count);
	struct str host = is_name(p->hop) ? domain_key(p->hop->host, p->arena) : p->hop->host;

	if (w->name_count == 0) {
		wanted[w->name_count++] = host;
		if (p->level == TMAIL_TLS_DANE && p->hop->source_id == 0)
			wanted[w->name_count++] = p->route->destination;
	}
	w->names = wanted;
	if (is_name(p->hop))
		w->sni = p->level == TMAIL_TLS_DANE ? wanted[0] : host;
	w->tlsa = list_copy(p, p->answer ? &p->answer->tlsa : &none, &w->tlsa_count);
}

static void key_make(struct policy *p)
{
	struct buf key = { 0 };

	buf_printf(&key, "%.*s %d%d%d %.*s %016llx", STR_ARG(p->hop->rest_key), (int)p->level,
		p->implicit, p->wanted.authenticate, STR_ARG(p->hop->login),
		(unsigned long long)str_hash(p->hop->password));
	for (size_t i = 0; i < p->wanted.name_count; i++)
		buf_printf(&key, " %.*s", STR_ARG(p->wanted.names[i]));
	for (size_t i = 0; i < p->wanted.tlsa_count; i++)
		buf_add_lstr(&key, p->wanted.tlsa[i]);
	p->key = p->wanted.session_key = arena_str(p->arena, buf_str(&key));
	buf_free(&key);
}

/* The level is known. */
static bool settle(struct policy *p)
{
	bool login = p->hop->login.len > 0 && !p->hop->login_clear;

	if (p->refused)
		return true;
	if (login && p->level == TMAIL_TLS_MAY)
		p->level = TMAIL_TLS_ENCRYPT;
	if (p->level != TMAIL_TLS_NONE)
		p->tls = trust_now();
	if (login && p->level == TMAIL_TLS_NONE)
		refuse(p, "4.7.11", STR(""),
			STR("a login is required, and its route is without TLS"));
	if (p->level == TMAIL_TLS_DANE && (!p->answer || p->answer->tlsa.count == 0))
		refuse(p, "4.7.5", STR("dane-required"),
			STR("DANE is required, and there is no TLSA record to trust"));
	p->wanted.check = p->level == TMAIL_TLS_DANE ? TLS_CHECK_DANE
		: p->level == TMAIL_TLS_VERIFY       ? TLS_CHECK_NAME
						     : TLS_CHECK_NOTHING;
	names_want(p);
	key_make(p);
	p->answer = NULL; /* it lasts as long as nobody else is asked */
	return true;
}

/* ---- what the domain says -------------------------------------------------------------- */

static struct service *service_now(const struct policy *p)
{
	return service_find(p->generation, TMAIL_TLS_POLICY, NULL, p->service);
}

/* Which policy, and what is wrong, is for the report, whatever becomes of the mail. */
static void wrong_take(struct policy *p, const struct tmail_tls_policy_answer *answer)
{
	p->kind = arena_str(p->arena, str_tm(answer->kind));
	p->text = arena_str(p->arena, str_tm(answer->text));
	p->why = arena_str(p->arena, str_tm(answer->why));
	p->result = arena_str(p->arena, str_tm(answer->result));
}

/* True: it has decided. */
static bool answer_take(struct policy *p, int status)
{
	const struct tmail_tls_policy_answer *answer = p->answer;

	if (status == TMAIL_NOT_FOUND && answer->result.len)
		wrong_take(p, answer);
	if (status == TMAIL_NOT_FOUND || status == TMAIL_UNSUPPORTED)
		return false;
	if (status == TMAIL_LATE)
		return refuse(
			p, "4.7.5", STR(""), STR("its TLS policy could not be learned in time"));
	wrong_take(p, answer);
	if (status != TMAIL_OK)
		return refuse(p, "4.7.5", str_tm(answer->result),
			answer->why.len ? str_tm(answer->why)
					: STR("its TLS policy cannot be known now"));
	if (p->level == TMAIL_TLS_DANE && answer->policy != TMAIL_TLS_DANE) {
		p->kind = p->text = p->why = p->result = STR("");
		return false;
	}
	/* RFC 7672 2.2: what cannot be used is a reason to encrypt, unless somebody wants more. */
	p->wanted.authenticate = p->level >= TMAIL_TLS_VERIFY;
	p->from = "domain";
	p->about = arena_str(p->arena, str_tm(answer->about));
	p->level = answer->policy >= TMAIL_TLS_MAY && answer->policy <= TMAIL_TLS_DANE
		? (enum tmail_tls_policy)answer->policy
		: TMAIL_TLS_VERIFY;
	/* What a domain asks is no reason for less than usual. */
	if (p->level < p->wide && p->wide != TMAIL_TLS_DANE)
		p->level = p->wide;
	return true;
}

static struct tmail_tls_policy_ask *ask_make(struct policy *p, struct arena *memory)
{
	struct tmail_tls_policy_ask *ask = ARENA_NEW(memory, struct tmail_tls_policy_ask);

	ask->size = sizeof *ask;
	ask->secure = p->hop->source_id != 0 || p->hop->secure;
	ask->address_secure = ask->secure && p->address_secure;
	ask->port = p->hop->port;
	if (p->hop->source_id == 0)
		ask->domain = tm_str(arena_str(memory, p->route->destination));
	ask->host = tm_str(domain_key(p->hop->host, memory));
	return ask;
}

static bool ask_on(struct policy *p);

static void answered(void *ctx, int status)
{
	struct policy *p = ctx;
	bool known = answer_take(p, status);

	p->service++;
	if (known || ask_on(p)) {
		settle(p);
		p->found(p->ctx);
	}
}

/* True: one has decided, or none does. */
static bool ask_on(struct policy *p)
{
	struct service *s;

	for (; (s = service_now(p)); p->service++) {
		struct arena *memory = service_memory(p->subject);
		struct tmail_tls_policy_ask *ask = ask_make(p, memory);
		int status;

		p->answer = ARENA_NEW(memory, struct tmail_tls_policy_answer);
		p->answer->size = sizeof *p->answer;
		status = service_ask(
			s, p->subject, TMAIL_TLS_POLICY_ASK, ask, p->answer, answered, p);
		if (status == TMAIL_PENDING)
			return false;
		if (answer_take(p, status))
			return true;
	}
	p->answer = NULL;
	return true;
}

static void subject_make(struct policy *p)
{
	p->subject = ARENA_NEW(p->arena, struct subject);
	subject_init(p->subject, p->loop, p->generation);
}

/* ---- asked ----------------------------------------------------------------------------- */

struct policy *policy_new(struct loop *loop, struct generation *g,
	const struct queue_settings *settings, struct route *route, const struct hop *hop,
	bool address_secure)
{
	struct arena *arena = arena_new(1024);
	struct policy *p = ARENA_NEW(arena, struct policy);

	p->arena = arena;
	p->loop = loop;
	p->generation = generation_ref(g);
	p->route = route_ref(route);
	p->hop = hop;
	p->address_secure = address_secure;
	p->wide = (enum tmail_tls_policy)(settings->tls + TMAIL_TLS_NONE);
	p->level = hop->tls < name_count ? (enum tmail_tls_policy)hop->tls : TMAIL_TLS_VERIFY;
	p->from = "route";
	if (p->level == TMAIL_TLS_UNSET) {
		p->level = tls_of(route, settings);
		p->from = "destinations";
	}
	p->implicit = p->level >= TMAIL_TLS_SMTPS;
	if (p->implicit)
		p->level = p->level == TMAIL_TLS_SMTPS ? TMAIL_TLS_ENCRYPT : TMAIL_TLS_VERIFY;
	return p;
}

/* DNS named the host, and mail goes there as RFC 5321 has it. */
static bool is_public(const struct policy *p)
{
	return p->hop->source_id == 0 && p->hop->protocol == TMAIL_PROTOCOL_SMTP && is_name(p->hop);
}

bool policy_find(struct policy *p, void (*found)(void *ctx), void *ctx)
{
	bool asked = p->level == TMAIL_TLS_UNSET && is_public(p);

	p->found = found;
	p->ctx = ctx;
	if (p->level == TMAIL_TLS_UNSET) {
		p->level = p->hop->host.data[0] == '/' ? TMAIL_TLS_NONE : p->wide;
		p->from = "tls";
	}
	if ((asked || p->level == TMAIL_TLS_DANE) && service_now(p)) {
		subject_make(p);
		if (!ask_on(p))
			return false;
	}
	return settle(p);
}

void policy_free(struct policy **pp)
{
	struct policy *p = *pp;
	struct arena *arena;

	*pp = NULL;
	if (!p)
		return;
	if (p->subject)
		subject_end(p->subject);
	tls_drop(&p->tls);
	generation_unref(&p->generation);
	route_unref(&p->route);
	arena = p->arena;
	arena_free(&arena);
}

/* ---- how it went ----------------------------------------------------------------------- */

/* RFC 8460 4.3, by the words of the library. */
static const char *result_of(struct str trouble)
{
	static const struct {
		struct str words;
		const char *result;
	} results[] = {
		{ STR_INIT("STARTTLS is not offered"), "starttls-not-supported" },
		{ STR_INIT("STARTTLS was refused"), "starttls-not-supported" },
		{ STR_INIT("hostname mismatch"), "certificate-host-mismatch" },
		{ STR_INIT("has expired"), "certificate-expired" },
		{ STR_INIT("self-signed"), "certificate-not-trusted" },
		{ STR_INIT("local issuer"), "certificate-not-trusted" },
		{ STR_INIT("issuer certificate"), "certificate-not-trusted" },
		{ STR_INIT("first certificate"), "certificate-not-trusted" },
		{ STR_INIT("usable TLSA"), "tlsa-invalid" },
	};

	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		if (str_search_case(trouble, results[i].words) >= 0)
			return results[i].result;
	return "validation-failure";
}

static void told(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

static void report_fill(struct policy *p, struct tmail_tls_policy_report *report,
	struct arena *memory, const struct client *c, struct str trouble, struct str result)
{
	char text[IP_TEXT];

	report->size = sizeof *report;
	report->good = trouble.len == 0;
	report->domain = tm_str(arena_str(memory, p->route->destination));
	report->host = tm_str(domain_key(p->hop->host, memory));
	if (c) {
		ip_text(&client_peer(c)->ip, text);
		report->address = tm_str(arena_str(memory, str_c(text)));
		ip_text(&client_local(c)->ip, text);
		report->local_address = tm_str(arena_str(memory, str_c(text)));
	}
	report->kind = tm_str(p->kind.len ? arena_str(memory, p->kind) : STR("no-policy-found"));
	report->text = tm_str(arena_str(memory, p->text));
	if (trouble.len)
		report->result =
			tm_str(result.len ? arena_str(memory, result) : str_c(result_of(trouble)));
	report->details = tm_str(arena_str(memory, trouble));
}

void policy_tell(struct policy *p, const struct client *c, const struct client_outcome *failed)
{
	const struct tls_facts *facts = c ? client_tls(c) : NULL;
	struct str trouble = STR(""), result = STR("");
	struct service *s;

	if (!is_public(p) || p->level == TMAIL_TLS_NONE)
		return;
	if (failed)
		trouble = failed->text;
	else if (p->refused || p->result.len)
		trouble = p->why, result = p->result;
	else if (!facts)
		trouble = STR("STARTTLS is not offered, or refused");
	else if (p->kind.len && !facts->verified)
		trouble = str_c(facts->trouble ? facts->trouble : "no certificate");
	for (unsigned n = 0; (s = service_find(p->generation, TMAIL_TLS_POLICY, NULL, n)); n++) {
		struct tmail_tls_policy_report *report;
		struct arena *memory;

		if (!service_has(s, TMAIL_TLS_POLICY_REPORT))
			continue;
		if (!p->subject)
			subject_make(p);
		memory = service_memory(p->subject);
		report = ARENA_NEW(memory, struct tmail_tls_policy_report);
		report_fill(p, report, memory, c, trouble, result);
		service_ask(s, p->subject, TMAIL_TLS_POLICY_REPORT, report, NULL, told, NULL);
	}
}
