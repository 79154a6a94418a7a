/* SPDX-License-Identifier: MIT
 *
 * The trace field: what it tells, what it leaves out, and what no client can make of it.
 */
#include "mail/header.h"

#include "tests/mail/expect.h"

static const int64_t sunday = 1795341600 * INT64_C(1000000);

static void expect_received(const struct received *r, struct str want)
{
	struct buf out = { 0 };

	received_write(&out, r);
	expect_str(r->by, buf_str(&out), want);
	buf_free(&out);
}

START_TEST(all_that_is_known_is_told)
{
	const struct received r = {
		.helo = STR_INIT("mail.example"),
		.reverse_name = STR_INIT("host.example"),
		.address = STR_INIT("2001:db8::1"),
		.ipv6 = true,
		.by = STR_INIT("mx.example"),
		.with = STR_INIT("ESMTPSA"),
		.tls_version = STR_INIT("TLSv1.3"),
		.tls_cipher = STR_INIT("TLS_AES_256_GCM_SHA384"),
		.login = STR_INIT("user@example"),
		.id = STR_INIT("06a1b2c3d4e5f6g7h8i9j0k1l2"),
		.recipient = STR_INIT("ok@example.com"),
		.date = sunday,
	};

	expect_received(&r,
		STR("Received: from mail.example (host.example [IPv6:2001:db8::1])\r\n"
		    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
		    "\t(authenticated as user@example)\r\n"
		    "\tby mx.example with ESMTPSA id 06a1b2c3d4e5f6g7h8i9j0k1l2\r\n"
		    "\tfor <ok@example.com>;\r\n"
		    "\tSun, 22 Nov 2026 10:00:00 +0000\r\n"));
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
	const struct received clear = { .helo = STR_INIT("[192.0.2.1]"),
		.address = STR_INIT("192.0.2.1"),
		.by = STR_INIT("mx.example"),
		.with = STR_INIT("SMTP"),
		.id = STR_INIT("1"),
		.date = sunday };
	const struct received silent = {
		.address = STR_INIT("192.0.2.1"), .by = STR_INIT("mx.example"), .date = sunday
	};
	const struct received ours = {
		.by = STR_INIT("mx.example"), .with = STR_INIT("HTTP"), .date = sunday
	};

	expect_received(&clear,
		STR("Received: from [192.0.2.1] ([192.0.2.1])\r\n"
		    "\tby mx.example with SMTP id 1;\r\n\tSun, 22 Nov 2026 10:00:00 +0000\r\n"));
	expect_received(&silent,
		STR("Received: from unknown ([192.0.2.1])\r\n"
		    "\tby mx.example;\r\n\tSun, 22 Nov 2026 10:00:00 +0000\r\n"));
	expect_received(&ours,
		STR("Received: by mx.example with HTTP;\r\n"
		    "\tSun, 22 Nov 2026 10:00:00 +0000\r\n"));
}
END_TEST

START_TEST(a_liar_cannot_write_our_trace)
{
	const struct received r = {
		.helo = STR_INIT("good.example (good.example [192.0.2.9])\r\n\tby x; Thu\0<>"),
		.reverse_name = STR_INIT("a) b"),
		.address = STR_INIT("192.0.2.1"),
		.by = STR_INIT("mx.example"),
		.with = STR_INIT("ESMTPS"),
		.tls_version = STR_INIT("TLS(1"),
		.tls_cipher = STR_INIT("a)b\\"),
		.login = STR_INIT("x)\r\nX-Evil: y (\xc3\xbcz"),
		.recipient = STR_INIT("\"a\nb\"@c\x7f\xff\xce\xb4"),
		.date = sunday,
	};

	expect_received(&r,
		STR("Received: from good.example??good.example?[192.0.2.9]????by?x??Thu??? "
		    "(a??b [192.0.2.1])\r\n"
		    "\t(using TLS?1 with cipher a?b?)\r\n"
		    "\t(authenticated as x???X-Evil: y ???z)\r\n"
		    "\tby mx.example with ESMTPS\r\n"
		    "\tfor <\"a?b\"@c??\xce\xb4>;\r\n"
		    "\tSun, 22 Nov 2026 10:00:00 +0000\r\n"));
}
END_TEST

START_TEST(whatever_the_client_said_it_is_one_field_of_short_lines)
{
	static char noise[2000];
	uint64_t state = 5;

	for (int round = 0; round < 500; round++) {
		struct received r = { .date = sunday, .by = STR("mx.example") };
		struct str *const said[] = { &r.helo, &r.reverse_name, &r.address, &r.tls_version,
			&r.tls_cipher, &r.login, &r.with, &r.id };
		struct header_field field;
		struct buf out = { 0 };
		struct str rest, line;

		for (size_t i = 0; i < sizeof noise; i++)
			noise[i] = (char)chance(&state);
		for (size_t i = 0; i < sizeof said / sizeof *said; i++)
			*said[i] = str_make(noise, chance(&state) % sizeof noise);
		r.recipient = str_make(noise, chance(&state) % 254);
		received_write(&out, &r);
		rest = buf_str(&out);
		ck_assert(header_next(&rest, &field));
		ck_assert_uint_eq(rest.len, 0);
		ck_assert_uint_eq(header_count(buf_str(&out), STR("Received")), 1);
		for (rest = buf_str(&out); str_split(&rest, '\n', &line) && rest.data;)
			ck_assert_uint_le(line.len, 999);
		buf_free(&out);
	}
}
END_TEST

TEST_MAIN("mail/received", all_that_is_known_is_told, what_is_not_known_is_left_out,
	a_liar_cannot_write_our_trace, whatever_the_client_said_it_is_one_field_of_short_lines)
