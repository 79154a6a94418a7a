/* SPDX-License-Identifier: MIT
 *
 * A house with one next hop, mail.localhost, that may speak TLS, and modules that know what domains
 * want of it. A message is sent and waited for in a word:
 *
 *   begin(PEER_TLS, "", KNOWN);
 *   known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY, .name = "mx.example" };
 *   waits("a@one.example", "hostname mismatch");
 *   known[1].status = TMAIL_NOT_FOUND;
 *   arrives("a@two.example");
 *   end();
 */
#ifndef TESTS_QUEUE_POLICY_H
#define TESTS_QUEUE_POLICY_H

#include "tests/queue/house.h"

#include "tests/lib/tls_side.h"

#include <tmail/service/tlspolicy.h>

static struct tls_side side;
static struct peer *peer;

/* ---- modules that know what domains want --------------------------------------------------- */

static struct known {
	int status;
	uint32_t policy;
	const char *name; /* of the certificate */
	bool pending, wrong, silent;
	uint8_t tlsa[64];
	size_t tlsa_len;
} known[2];
static _Atomic unsigned asked[2], order, first_asked;
static struct tmail_call *_Atomic unanswered;                 /* of who is silent */
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER; /* loops may ask at a time */
static struct tmail_tls_policy_ask last;
static char last_domain[64], last_host[64];
/* Reports: a line each. */
static struct buf reports;
static pthread_mutex_t reports_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tmail_str text(const char *s)
{
	return (struct tmail_str){ s, strlen(s) };
}

static void *resume(void *call)
{
	((struct tmail_call *)call)->host->resume(call, TMAIL_OK);
	return NULL;
}

static int policy_ask(struct tmail_call *call, const void *question, void *answer, unsigned n)
{
	const struct tmail_tls_policy_ask *ask = question;
	struct tmail_tls_policy_answer *out = answer;
	struct tmail_str *list = call->host->alloc(call, 2 * sizeof *list, TMAIL_SCOPE_CALL);

	if (order++ == 0)
		first_asked = n;
	asked[n]++;
	pthread_mutex_lock(&last_lock);
	last = *ask;
	snprintf(last_domain, sizeof last_domain, "%.*s", (int)ask->domain.len, ask->domain.data);
	snprintf(last_host, sizeof last_host, "%.*s", (int)ask->host.len, ask->host.data);
	pthread_mutex_unlock(&last_lock);
	out->policy = known[n].policy;
	out->kind = text(n ? "sts" : "tlsa");
	out->text = text("its text");
	if (known[n].status == TMAIL_REFUSED || known[n].status == TMAIL_TRY_LATER ||
		known[n].wrong) {
		out->why = text("the zone is broken");
		out->result = text("dnssec-invalid");
	}
	if (known[n].name) {
		list[0] = text(known[n].name);
		out->names = (struct tmail_list){ &list[0], 1, sizeof *list };
	}
	if (known[n].tlsa_len) {
		list[1] = (struct tmail_str){ (const char *)known[n].tlsa, known[n].tlsa_len };
		out->tlsa = (struct tmail_list){ &list[1], 1, sizeof *list };
	}
	if (known[n].silent) {
		unanswered = call;
		return TMAIL_PENDING;
	}
	if (known[n].pending) {
		pthread_t thread;

		must(pthread_create(&thread, NULL, resume, call) == 0);
		pthread_detach(thread);
		return TMAIL_PENDING;
	}
	return known[n].status;
}

static int dane(struct tmail_call *call, const void *question, void *answer)
{
	return policy_ask(call, question, answer, 0);
}

static int sts(struct tmail_call *call, const void *question, void *answer)
{
	return policy_ask(call, question, answer, 1);
}

static int report(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_tls_policy_report *r = question;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&reports_lock);
	buf_printf(&reports, "%s %.*s %.*s %.*s %.*s %.*s;", r->good ? "good" : "bad",
		STR_ARG(str_tm(r->domain)), STR_ARG(str_tm(r->host)), STR_ARG(str_tm(r->address)),
		STR_ARG(str_tm(r->kind)), STR_ARG(str_tm(r->result)));
	pthread_mutex_unlock(&reports_lock);
	return TMAIL_OK;
}

static const struct tmail_operation sts_operations[] = { { TMAIL_TLS_POLICY_ASK, 0, sts },
	{ TMAIL_TLS_POLICY_REPORT, 0, report } };
static const struct tmail_operation dane_operations[] = { { TMAIL_TLS_POLICY_ASK, TMAIL_FIRST,
	dane } };
static const struct tmail_service sts_services[] = { { TMAIL_TLS_POLICY, NULL,
	TMAIL_LIST(sts_operations) } };
static const struct tmail_service dane_services[] = { { TMAIL_TLS_POLICY, NULL,
	TMAIL_LIST(dane_operations) } };
static const struct tmail_module policy_modules[] = {
	HOUSE_MODULE("test/sts", .services = TMAIL_LIST(sts_services)),
	HOUSE_MODULE("test/dane", .services = TMAIL_LIST(dane_services)),
};
#define KNOWN HOUSE_ROUTER "{ module = \"test/sts\"; }, { module = \"test/dane\"; },"

/* What was reported, all of it. */
__attribute__((unused)) static void reported(const char *lines)
{
	ck_assert_str_eq(reports.len ? buf_c(&reports) : "", lines);
}

/* ---- the house ----------------------------------------------------------------------------- */

static unsigned sent, arrived; /* messages */

/* names: of the certificate. settings: behind those of TLS. All mail goes to `next`. */
static void begin_with(
	struct peer *next, const char *names, const char *settings, const char *modules)
{
	struct buf all = { 0 };

	peer = next;
	sent = arrived = 0;
	tls_side_make(&side, names, true, PKI_DAY);
	peer_secure(peer, side.ctx);
	for (size_t i = 0; i < 2; i++) {
		module_preload(&policy_modules[i]);
		known[i].status = TMAIL_NOT_FOUND;
	}
	buf_printf(&all, "tls_ca = \"%s\"; idle_timeout = \"0\"; %s", side.ca, settings);
	house_open(buf_c(&all), modules);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .host = "mail.localhost"
	};
	buf_free(&all);
}

/* flags: of peer_server. */
__attribute__((unused)) static void begin(unsigned flags, const char *settings, const char *modules)
{
	begin_with(peer_server(NULL, 0, flags), "DNS:mail.localhost", settings, modules);
}

static void end(void)
{
	house_over();
	peer_end(&peer);
	tls_side_end(&side);
	buf_free(&reports);
}

__attribute__((unused)) static void saw(const char *words, bool there)
{
	char *seen = peer_seen(peer);

	ck_assert_msg((strstr(seen, words) != NULL) == there, "%s: %s", words, seen);
	free(seen);
}

/* ---- what becomes of mail ------------------------------------------------------------------ */

static void deferred(unsigned i, const char *words)
{
	struct memory_message m;

	memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(i, &m));
	ck_assert_msg(strstr(m.recipient[0].reply, words) != NULL, "%s", m.recipient[0].reply);
	ck_assert_ptr_null(strstr(m.recipient[0].reply, "pass word"));
	free(m.content);
}

static void sends(const char *to)
{
	house_sends("s@x.org", to);
	sent++;
}

static void arrives(const char *to)
{
	sends(to);
	memory_wait_ended(++arrived);
	ck_assert_uint_eq(peer_messages(peer), arrived);
}

/* words: of what its recipient is told. */
static void waits(const char *to, const char *words)
{
	sends(to);
	deferred(sent - 1, words);
	ck_assert_uint_eq(peer_messages(peer), arrived);
}

/* To as many domains as it takes to be on every loop: each has its own idea of who rests. */
enum { EVERYWHERE = 8 };

static void sends_everywhere(const char *below)
{
	for (unsigned i = 0; i < EVERYWHERE; i++) {
		char to[32];

		snprintf(to, sizeof to, "a@%u.%s", i, below);
		sends(to);
	}
}

__attribute__((unused)) static void arrives_everywhere(const char *below)
{
	sends_everywhere(below);
	memory_wait_ended(arrived += EVERYWHERE);
	ck_assert_uint_eq(peer_messages(peer), arrived);
}

__attribute__((unused)) static void waits_everywhere(const char *below, const char *words)
{
	unsigned first = sent;

	sends_everywhere(below);
	for (unsigned i = first; i < sent; i++)
		deferred(i, words);
	ck_assert_uint_eq(peer_messages(peer), arrived);
}

#endif
