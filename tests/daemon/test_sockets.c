/* SPDX-License-Identifier: MIT
 *
 * What is listened on, bound and kept.
 */
#include "daemon/sockets.h"

#include "tests/lib/test.h"

#include <sys/socket.h>
#include <unistd.h>

static struct listen_settings listen_at[4];
static struct settings settings;
static struct why why;

/* Addresses, NULL at the end; the port is the kernel's choice. */
static void want(const char *const *addresses)
{
	size_t n = 0;

	for (; addresses[n]; n++)
		listen_at[n] = (struct listen_settings){ .address = { addresses[n],
								 strlen(addresses[n]) } };
	settings.listen = listen_at;
	settings.listen_count = n;
}

static unsigned port_of(const struct listening *l)
{
	struct endpoint e = { 0 };

	ck_assert(endpoint_of_socket(l->fd, false, &e));
	return e.port;
}

static const char *const one[] = { "127.0.0.1", NULL };
static const char *const two[] = { "127.0.0.1", "127.0.0.1", NULL };
static const char *const other[] = { "::1", "127.0.0.1", NULL };
static const char *const bad[] = { "127.0.0.1", "192.0.2.1", NULL };

START_TEST(what_is_bound_already_is_kept)
{
	struct sockets none = { 0 }, first, second;
	unsigned port;

	want(one);
	ck_assert_msg(sockets_bind(&first, &settings, &none, &why), "%s", why.text);
	ck_assert_uint_eq(first.count, 1);
	ck_assert_str_eq(first.item[0].address, "127.0.0.1:0");
	port = port_of(&first.item[0]);
	want(other);
	ck_assert_msg(sockets_bind(&second, &settings, &first, &why), "%s", why.text);
	ck_assert_int_eq(first.item[0].fd, -1);
	ck_assert_str_eq(second.item[0].address, "[::1]:0");
	ck_assert_uint_eq(port_of(&second.item[1]), port);
	sockets_free(&first);
	sockets_free(&second);
}
END_TEST

START_TEST(two_of_one_address_are_told_apart_by_their_order)
{
	struct sockets none = { 0 }, first, second;
	unsigned a, b;

	want(two);
	ck_assert(sockets_bind(&first, &settings, &none, &why));
	a = port_of(&first.item[0]);
	b = port_of(&first.item[1]);
	ck_assert_uint_ne(a, b);
	ck_assert(sockets_bind(&second, &settings, &first, &why));
	ck_assert_uint_eq(port_of(&second.item[0]), a);
	ck_assert_uint_eq(port_of(&second.item[1]), b);
	sockets_free(&first);
	sockets_free(&second);
}
END_TEST

START_TEST(a_failure_leaves_everything_as_it_was)
{
	struct sockets none = { 0 }, first, second;
	unsigned port;

	want(one);
	ck_assert(sockets_bind(&first, &settings, &none, &why));
	port = port_of(&first.item[0]);
	want(bad); /* TEST-NET: nobody has that address */
	ck_assert(!sockets_bind(&second, &settings, &first, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "192.0.2.1"));
	ck_assert_uint_eq(port_of(&first.item[0]), port);
	ck_assert_uint_eq(second.count, 0);
	sockets_free(&first);
}
END_TEST

START_TEST(taking_back_closes_only_what_is_new)
{
	struct sockets none = { 0 }, first, second;
	unsigned port;

	want(one);
	ck_assert(sockets_bind(&first, &settings, &none, &why));
	port = port_of(&first.item[0]);
	want(other);
	ck_assert(sockets_bind(&second, &settings, &first, &why));
	sockets_undo(&second, &first);
	ck_assert_uint_eq(port_of(&first.item[0]), port);
	ck_assert_uint_eq(second.count, 0);
	sockets_free(&first);
}
END_TEST

START_TEST(nothing_is_inherited_that_is_meant_for_another_process)
{
	struct sockets got;

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "3", 1);
	ck_assert_uint_eq(sockets_inherit(&got), 0);
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	sockets_free(&got);
}
END_TEST

TEST_MAIN("daemon/sockets", what_is_bound_already_is_kept,
	two_of_one_address_are_told_apart_by_their_order, a_failure_leaves_everything_as_it_was,
	taking_back_closes_only_what_is_new, nothing_is_inherited_that_is_meant_for_another_process)
