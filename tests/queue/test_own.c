/* SPDX-License-Identifier: MIT
 *
 * Which addresses are this server's own.
 */
#include "queue/own.h"
#include "queue/queue.h"
#include "tests/lib/test.h"

static bool own(const char *text)
{
	struct endpoint e;

	ck_assert(endpoint_parse(str_c(text), 25, &e));
	return endpoint_is_own(&e);
}

static void listens(const char *a, const char *b)
{
	struct endpoint list[2];

	ck_assert(endpoint_parse(str_c(a), 25, &list[0]));
	ck_assert(endpoint_parse(str_c(b), 25, &list[1]));
	queue_listens(list, 2);
}

START_TEST(an_address_is_own_with_its_port)
{
	listens("192.0.2.1:25", "[2001:db8::1]:2525");
	ck_assert(own("192.0.2.1:25"));
	ck_assert(!own("192.0.2.1:26"));
	ck_assert(!own("192.0.2.2:25"));
	ck_assert(own("[2001:db8::1]:2525"));
	queue_listens(NULL, 0);
	ck_assert(!own("192.0.2.1:25"));
}
END_TEST

START_TEST(any_address_stands_for_all_of_this_host)
{
	listens("*:25", "0.0.0.0:26");
	ck_assert(own("127.0.0.1:25"));
	ck_assert(own("[::1]:25"));
	ck_assert(own("127.0.0.1:26"));
	ck_assert(!own("192.0.2.1:25"));
	ck_assert(!own("127.0.0.1:24"));
	queue_listens(NULL, 0);
}
END_TEST

START_TEST(a_socket_is_own_by_its_path)
{
	listens("/run/tmail/lmtp", "127.0.0.1:25");
	ck_assert(own("/run/tmail/lmtp"));
	ck_assert(!own("/run/dovecot/lmtp"));
	queue_listens(NULL, 0);
}
END_TEST

TEST_MAIN("queue/own", an_address_is_own_with_its_port, any_address_stands_for_all_of_this_host,
	a_socket_is_own_by_its_path)
