/* SPDX-License-Identifier: MIT
 *
 * What tests of names share: a name server with its zones, a question and what came of it.
 */
#ifndef TESTS_NET_NAMES_H
#define TESTS_NET_NAMES_H

#include "net/dns.h"

#include "tests/lib/folder.h"
#include "tests/lib/nsd.h"
#include "tests/net/net.h"

#include <string.h>

static const struct nsd_zone zones[] = {
	{ "example.test",
		"ns A 127.0.0.1\n"
		"@ MX 10 mail\n"
		"@ MX 20 backup.example.test.\n"
		"@ TXT \"v=spf1 -all\"\n"
		"mail A 192.0.2.1\nmail A 192.0.2.2\n"
		"mail AAAA 2001:db8::1\n"
		"four A 192.0.2.4\n"
		"six AAAA 2001:db8::6\n"
		"mapped AAAA ::ffff:127.0.0.1\n"
		"alias CNAME mail\n"
		"dangling CNAME nothing\n"
		"txt TXT \"only\"\n"
		"null MX 0 .\n",
		false },
	{ "signed.test", "ns A 127.0.0.1\nmail A 192.0.2.9\n@ MX 1 mail\n", true },
	{ "2.0.192.in-addr.arpa",
		"1 PTR mail.example.test.\n"
		"3 PTR mail.example.test.\n"
		"4 PTR wrong.example.test.\n4 PTR four.example.test.\n"
		"5 PTR host.broken.test.\n",
		false },
	{ "broken.test", NULL, false },
};
static struct nsd nsd;

/* Once for all tests: they fork from here. */
static inline bool start_server(void)
{
	return nsd_start(&nsd, zones, sizeof zones / sizeof *zones);
}

/* ---- a question and its answer ------------------------------------------------------------ */

static struct {
	int count;
	enum dns_status status;
	bool exists, secure;
	uint32_t ttl;
	char records[8][256];
	size_t lengths[8], found;
	char why[512], canonical[256];
} got;

static inline void note(void *ctx, const struct dns_answer *answer)
{
	must(ctx == &got);
	must(loop_current() == loop);
	got.count++;
	got.status = answer->status;
	got.exists = answer->exists;
	got.secure = answer->secure;
	got.ttl = answer->ttl;
	got.found = answer->count;
	for (size_t i = 0; i < answer->count && i < 8; i++) {
		got.lengths[i] = answer->records[i].len;
		memcpy(got.records[i], answer->records[i].data, answer->records[i].len);
	}
	snprintf(got.why, sizeof got.why, "%.*s", STR_ARG(answer->why));
	snprintf(got.canonical, sizeof got.canonical, "%.*s", STR_ARG(answer->canonical));
}

static inline void set_up_with(const char *server, const char *anchor, int64_t timeout)
{
	struct dns_settings settings = {
		.servers = &server, .server_count = 1, .trust_anchor = anchor, .timeout = timeout
	};
	struct why why;

	loop_set_up();
	ck_assert_msg(dns_start(&settings, &why), "%s", why.text);
}

static inline void set_up(void)
{
	set_up_with(nsd.server, NULL, 30000);
}

static inline void tear_down(void)
{
	dns_stop();
	loop_free(&loop);
}

static inline void ask(const char *name, enum dns_type type)
{
	int before = got.count;

	ck_assert_ptr_nonnull(dns_ask(loop, str_c(name), type, note, &got));
	ck_assert_int_eq(got.count, before);
	LOOP_UNTIL(got.count == before + 1);
}

/* Skipped where there is no name server to ask. */
static inline int names_main(const char *name, const TTest *const *tests, size_t count)
{
	int result;

	if (!start_server())
		return test_skip_all(name, "nsd and ldnsutils are not installed");
	result = test_run(name, tests, count);
	nsd_stop(&nsd);
	return result;
}

#define NAMES_MAIN(name, ...)                                                                      \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = { __VA_ARGS__ };                                      \
		return names_main(name, tests, sizeof tests / sizeof *tests);                      \
	}

#endif
