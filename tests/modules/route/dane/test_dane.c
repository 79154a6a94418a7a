/* SPDX-License-Identifier: MIT
 *
 * The module with a name server that is a table: what it asks, and what it makes of the answers.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"

#include "tests/lib/test.h"

#include <tmail/service/tlspolicy.h>

extern const struct tmail_module dane_LTX_tmail_module;

enum { A_CNAME = 5, A_TLSA = 52 };
enum kind { SECURE, INSECURE, FAILS };

#define KEY                                                                                        \
	"\3\1\1"                                                                                   \
	"0123456789abcdef0123456789abcdef"
#define ROOT                                                                                       \
	"\2\0\1"                                                                                   \
	"0123456789abcdef0123456789abcdef"

/* What the name server has; nothing: there is none, and that is signed. */
static struct record {
	const char *name;
	uint32_t type;
	enum kind kind;
	const char *data;
	size_t len;
} zone[16];
static size_t zone_count;

static struct {
	struct arena *memory;
	struct buf asked; /* "TYPE name" each */
	tmail_resolved *done;
	void *ctx;
	const char *name;
	uint32_t type;
	int status; /* of resume */
	struct tmail_call call;
	struct tmail_tls_policy_answer answer;
} now;

static void has_octets(
	const char *name, uint32_t type, enum kind kind, const char *data, size_t len)
{
	must(zone_count < sizeof zone / sizeof *zone);
	zone[zone_count++] = (struct record){ name, type, kind, data, len };
}
/* A name ends with the NUL of its literal. */
#define has(name, type, kind, data)                                                                \
	has_octets(name, type, kind, data, sizeof(data) - (type == A_TLSA))

/* ---- the host ------------------------------------------------------------------------------ */

static void *host_alloc(struct tmail_call *call, size_t size, enum tmail_scope scope)
{
	(void)call;
	(void)scope;
	return memset(arena_alloc(now.memory, size), 0, size);
}

static int host_resume(struct tmail_call *call, int value)
{
	ck_assert_ptr_eq(call, &now.call);
	ck_assert_int_eq(now.status, TMAIL_PENDING);
	now.status = value;
	return TMAIL_OK;
}

static int net_resolve(struct tmail_call *call, struct tmail_str name, uint32_t type,
	tmail_resolved *done, void *ctx)
{
	(void)call;
	ck_assert_ptr_null(now.done);
	now.name = arena_printf(now.memory, "%.*s", (int)name.len, name.data).data;
	now.type = type;
	now.done = done;
	now.ctx = ctx;
	buf_printf(&now.asked, "%s%s %s", now.asked.len ? ", " : "",
		type == A_TLSA ? "TLSA" : "CNAME", now.name);
	return TMAIL_OK;
}

static const struct tmail_net net = { .size = sizeof net, .resolve = net_resolve };
static const struct tmail_host host = {
	.size = sizeof host, .alloc = host_alloc, .resume = host_resume, .net = &net
};

/* The answer to what is asked; gone when it has been told. */
static void answer(void)
{
	tmail_resolved *done = now.done;
	struct tmail_str records[4];
	struct tmail_dns_answer a = { .size = sizeof a,
		.status = TMAIL_NOT_FOUND,
		.secure = 1,
		.why = TMAIL_STR("signature crypto failed") };
	uint32_t n = 0;

	for (size_t i = 0; i < zone_count; i++) {
		const struct record *r = &zone[i];

		if (strcmp(r->name, now.name) != 0 || r->type != now.type)
			continue;
		a.secure = r->kind == SECURE;
		a.status = r->kind == FAILS ? TMAIL_TRY_LATER
			: r->data           ? TMAIL_OK
					    : TMAIL_NOT_FOUND;
		if (a.status == TMAIL_OK) {
			char *copy = memcpy(malloc(r->len), r->data, r->len);

			records[n++] = (struct tmail_str){ copy, r->len };
		}
	}
	a.records = (struct tmail_list){ records, n, sizeof *records };
	now.done = NULL;
	done(&now.call, now.ctx, &a);
	while (n > 0)
		free((char *)records[--n].data);
}

static int ask_of(struct tmail_tls_policy_ask ask)
{
	const struct tmail_service *service =
		TMAIL_AT(struct tmail_service, dane_LTX_tmail_module.services, 0);
	const struct tmail_operation *operation =
		TMAIL_AT(struct tmail_operation, service->operations, 0);

	if (now.memory)
		arena_free(&now.memory);
	buf_clear(&now.asked);
	now.memory = arena_new(1024);
	now.call = (struct tmail_call){ .size = sizeof now.call, .host = &host };
	now.answer = (struct tmail_tls_policy_answer){ .size = sizeof now.answer };
	now.status = operation->run(&now.call, &ask, &now.answer);
	while (now.status == TMAIL_PENDING && now.done)
		answer();
	ck_assert_ptr_null(now.done);
	return now.status;
}

static struct tmail_str text(const char *s)
{
	return (struct tmail_str){ s, strlen(s) };
}

/* Of a host that MX of example.com names, all signed but what `secure` leaves out. */
static int ask(const char *name, bool addresses)
{
	return ask_of((struct tmail_tls_policy_ask){ .size = sizeof(struct tmail_tls_policy_ask),
		.secure = 1,
		.address_secure = addresses,
		.port = 25,
		.domain = text("example.com"),
		.host = text(name) });
}

static const char *names(void)
{
	struct str all = STR("");

	TMAIL_EACH(struct tmail_str, name, now.answer.names)
		all = arena_printf(now.memory, "%.*s%s%.*s", STR_ARG(all), all.len ? " " : "",
			(int)name->len, name->data);
	return arena_printf(now.memory, "%.*s", STR_ARG(all)).data;
}

static const char *c(struct tmail_str s)
{
	return arena_printf(now.memory, "%.*s", (int)s.len, s.data).data;
}

/* ---- records ------------------------------------------------------------------------------- */

START_TEST(records_that_are_signed_are_what_the_host_must_have)
{
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, "\3\0\2x");
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_OK);
	ck_assert_uint_eq(now.answer.policy, TMAIL_TLS_DANE);
	ck_assert_uint_eq(now.answer.tlsa.count, 2);
	const struct tmail_str *first = TMAIL_AT(struct tmail_str, now.answer.tlsa, 0);
	ck_assert_uint_eq(first->len, 35);
	ck_assert_mem_eq(first->data, KEY, 35);
	ck_assert_str_eq(c(now.answer.kind), "tlsa");
	ck_assert_str_eq(c(now.answer.text),
		"3 1 1 3031323334353637383961626364656630313233343536373839616263646566\n"
		"3 0 2 78");
	/* A key needs no name: nothing more is asked for one. */
	ck_assert_str_eq(names(), "mx.example.com");
	ck_assert_str_eq(buf_c(&now.asked), "CNAME mx.example.com, TLSA _25._tcp.mx.example.com");
}
END_TEST

START_TEST(the_port_is_in_the_name)
{
	has("_2525._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask_of((struct tmail_tls_policy_ask){ .secure = 1,
				 .address_secure = 1,
				 .port = 2525,
				 .host = text("mx.example.com") }),
		TMAIL_OK);
}
END_TEST

START_TEST(without_records_or_signatures_there_is_no_dane)
{
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_NOT_FOUND);
	has("_25._tcp.mx.example.com", A_TLSA, INSECURE, KEY);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_NOT_FOUND);
	ck_assert_uint_eq(now.answer.tlsa.count, 0);
}
END_TEST

START_TEST(where_the_way_is_not_signed_nothing_is_asked)
{
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "/run/lmtp", "" };

	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	has("_25._tcp.192.0.2.1", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask_of((struct tmail_tls_policy_ask){
				 .address_secure = 1, .port = 25, .host = text("mx.example.com") }),
		TMAIL_NOT_FOUND);
	ck_assert_uint_eq(now.asked.len, 0);
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		ck_assert_int_eq(ask(hosts[i], true), TMAIL_NOT_FOUND);
		ck_assert_uint_eq(now.asked.len, 0);
	}
	/* Of a host whose addresses are not, TLSA records are never asked for: many servers of
	 * unsigned zones fail at them. */
	ck_assert_int_eq(ask("mx.example.com", false), TMAIL_NOT_FOUND);
	ck_assert_str_eq(buf_c(&now.asked), "CNAME mx.example.com");
}
END_TEST

START_TEST(what_cannot_be_known_is_not_there_is_none)
{
	has("_25._tcp.mx.example.com", A_TLSA, FAILS, NULL);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_TRY_LATER);
	ck_assert_str_eq(
		c(now.answer.why), "its TLSA records cannot be known now: signature crypto failed");
	ck_assert_str_eq(c(now.answer.result), "dnssec-invalid");
	ck_assert_str_eq(c(now.answer.kind), "tlsa");
	has("bogus.example.com", A_CNAME, FAILS, NULL);
	has("_25._tcp.bogus.example.com", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("bogus.example.com", true), TMAIL_TRY_LATER);
	ck_assert_int_eq(ask("bogus.example.com", false), TMAIL_TRY_LATER);
}
END_TEST

/* ---- aliases ------------------------------------------------------------------------------- */

START_TEST(records_of_the_name_behind_aliases_go_before_those_of_the_alias)
{
	has("mx.example.com", A_CNAME, SECURE, "\4Host\7example\3net");
	has("host.example.net", A_CNAME, SECURE, "\3end\7example\3net");
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_OK);
	ck_assert_str_eq(names(), "mx.example.com");
	ck_assert_str_eq(buf_c(&now.asked),
		"CNAME mx.example.com, CNAME host.example.net, CNAME end.example.net, "
		"TLSA _25._tcp.end.example.net, TLSA _25._tcp.mx.example.com");
	has("_25._tcp.end.example.net", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_OK);
	ck_assert_str_eq(names(), "end.example.net");
}
END_TEST

START_TEST(records_of_the_end_that_fail_are_no_reason_to_take_those_of_the_alias)
{
	has("mx.example.com", A_CNAME, SECURE, "\3end\7example\3net");
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	has("_25._tcp.end.example.net", A_TLSA, FAILS, NULL);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_TRY_LATER);
}
END_TEST

START_TEST(an_alias_that_is_signed_has_records_though_its_end_is_not)
{
	has("mx.example.com", A_CNAME, SECURE, "\3end\7example\3net");
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	has("_25._tcp.end.example.net", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("mx.example.com", false), TMAIL_OK);
	ck_assert_str_eq(names(), "mx.example.com");
	has("open.example.com", A_CNAME, INSECURE, "\3end\7example\3net");
	has("_25._tcp.open.example.com", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("open.example.com", false), TMAIL_NOT_FOUND);
}
END_TEST

START_TEST(aliases_in_a_circle_and_broken_ones_come_to_an_end)
{
	has("a.example.com", A_CNAME, SECURE, "\1b\7example\3com");
	has("b.example.com", A_CNAME, SECURE, "\1a\7example\3com");
	ck_assert_int_eq(ask("a.example.com", true), TMAIL_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(c(now.answer.why), "too many aliases"));
	/* A label longer than what is there; the host's own name is not lost. */
	has("c.example.com", A_CNAME, SECURE, "\3xyz\77x");
	has("_25._tcp.c.example.com", A_TLSA, SECURE, KEY);
	ck_assert_int_eq(ask("c.example.com", true), TMAIL_OK);
	ck_assert_str_eq(names(), "c.example.com");
}
END_TEST

/* ---- names --------------------------------------------------------------------------------- */

START_TEST(an_authority_may_vouch_for_the_host_the_domain_and_where_that_leads)
{
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, KEY);
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, ROOT);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_OK);
	ck_assert_str_eq(names(), "mx.example.com example.com");
	has("example.com", A_CNAME, SECURE, "\7example\3net");
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_OK);
	ck_assert_str_eq(names(), "mx.example.com example.com example.net");
	/* No MX led to it: that the domain is the host, or an administrator named it. */
	has("_25._tcp.example.org", A_TLSA, SECURE, ROOT);
	ck_assert_int_eq(ask_of((struct tmail_tls_policy_ask){ .secure = 1,
				 .address_secure = 1,
				 .port = 25,
				 .domain = text("example.org"),
				 .host = text("example.org") }),
		TMAIL_OK);
	ck_assert_str_eq(names(), "example.org");
	ck_assert_int_eq(ask_of((struct tmail_tls_policy_ask){ .secure = 1,
				 .address_secure = 1,
				 .port = 25,
				 .host = text("mx.example.com") }),
		TMAIL_OK);
	ck_assert_str_eq(names(), "mx.example.com");
}
END_TEST

START_TEST(a_domain_that_fails_while_names_are_looked_for_is_later)
{
	has("_25._tcp.mx.example.com", A_TLSA, SECURE, ROOT);
	has("example.com", A_CNAME, FAILS, NULL);
	ck_assert_int_eq(ask("mx.example.com", true), TMAIL_TRY_LATER);
}
END_TEST

/* DANE goes before MTA-STS (RFC 8461 2). */
START_TEST(it_is_asked_first)
{
	const struct tmail_service *service =
		TMAIL_AT(struct tmail_service, dane_LTX_tmail_module.services, 0);
	const struct tmail_operation *operation =
		TMAIL_AT(struct tmail_operation, service->operations, 0);

	ck_assert_str_eq(service->name, TMAIL_TLS_POLICY);
	ck_assert_uint_eq(operation->op, TMAIL_TLS_POLICY_ASK);
	ck_assert_uint_ne(operation->flags & TMAIL_FIRST, 0);
	ck_assert_uint_ne(operation->flags & TMAIL_DRY, 0);
}
END_TEST

TEST_MAIN("modules/route/dane", records_that_are_signed_are_what_the_host_must_have,
	the_port_is_in_the_name, without_records_or_signatures_there_is_no_dane,
	where_the_way_is_not_signed_nothing_is_asked, what_cannot_be_known_is_not_there_is_none,
	records_of_the_name_behind_aliases_go_before_those_of_the_alias,
	records_of_the_end_that_fail_are_no_reason_to_take_those_of_the_alias,
	an_alias_that_is_signed_has_records_though_its_end_is_not,
	aliases_in_a_circle_and_broken_ones_come_to_an_end,
	an_authority_may_vouch_for_the_host_the_domain_and_where_that_leads,
	a_domain_that_fails_while_names_are_looked_for_is_later, it_is_asked_first)
