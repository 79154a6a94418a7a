/* SPDX-License-Identifier: MIT
 *
 * Endpoints as text and addresses, and listening.
 */
#include "net/socket.h"

#include "tests/lib/folder.h"
#include "tests/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static void ck_text(const char *in, const char *expected)
{
	struct endpoint e;
	char text[ENDPOINT_TEXT];

	ck_assert_msg(endpoint_parse(str_c(in), 25, &e), "%s", in);
	endpoint_text(&e, text);
	ck_assert_str_eq(text, expected);
}

START_TEST(endpoints_are_read_and_written)
{
	ck_text("192.0.2.1:587", "192.0.2.1:587");
	ck_text("192.0.2.1", "192.0.2.1:25");
	ck_text("[2001:db8::1]:587", "[2001:db8::1]:587");
	ck_text("[2001:db8::1]", "[2001:db8::1]:25");
	ck_text("2001:db8::1", "[2001:db8::1]:25");
	ck_text("*:25", "*:25");
	ck_text("*", "*:25");
	ck_text("[::]:25", "[::]:25");
	ck_text("127.0.0.1:0", "127.0.0.1:0");
	ck_text("127.0.0.1:65535", "127.0.0.1:65535");
	ck_text("/run/x.sock", "/run/x.sock");
	ck_text("[::ffff:192.0.2.1]:25", "192.0.2.1:25");
}
END_TEST

START_TEST(what_is_no_endpoint_is_refused)
{
	static const char *const bad[] = { "", ":25", "192.0.2.1:", "192.0.2.1:x",
		"192.0.2.1:65536", "192.0.2.1:-1", "host:25", "[192.0.2.1]:25", "[2001:db8::1",
		"[2001:db8::1]25", "[2001:db8::1]:", "[]:25", "*:x", "192.0.2.256:25",
		"[fe80::1%eth0]:25", "192.0.2.1:25 ", "run/x.sock" };
	struct endpoint e = { .port = 4711 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!endpoint_parse(str_c(bad[i]), 25, &e), "%s", bad[i]);
	ck_assert(!endpoint_parse(STR("/run/x\0y"), 25, &e));
	ck_assert_uint_eq(e.port, 4711); /* nothing was set */
}
END_TEST

START_TEST(a_path_that_no_socket_can_have_is_refused)
{
	char path[200];
	struct endpoint e;

	memset(path, 'x', sizeof path);
	path[0] = '/';
	ck_assert(endpoint_parse(str_make(path, 107), 25, &e));
	ck_assert(!endpoint_parse(str_make(path, 108), 25, &e));
}
END_TEST

START_TEST(endpoints_go_to_socket_addresses_and_back)
{
	static const char *const texts[] = { "192.0.2.1:587", "[2001:db8::1]:25", "/run/x.sock" };
	struct sockaddr_storage address;

	for (size_t i = 0; i < 3; i++) {
		struct endpoint e = endpoint_of(texts[i]), back;
		ck_assert_uint_gt(endpoint_sockaddr(&e, &address), 0);
		ck_assert(endpoint_of_sockaddr((struct sockaddr *)&address, &back));
		ck_assert(endpoint_equal(&e, &back));
	}
	address.ss_family = AF_UNSPEC;
	struct endpoint e;
	ck_assert(!endpoint_of_sockaddr((struct sockaddr *)&address, &e));
}
END_TEST

START_TEST(endpoints_differ_in_address_port_and_path)
{
	struct endpoint a = endpoint_of("192.0.2.1:25"), b = endpoint_of("192.0.2.1:26"),
			c = endpoint_of("192.0.2.2:25"), p = endpoint_of("/a"),
			q = endpoint_of("/b");

	ck_assert(endpoint_equal(&a, &a));
	ck_assert(!endpoint_equal(&a, &b));
	ck_assert(!endpoint_equal(&a, &c));
	ck_assert(!endpoint_equal(&a, &p));
	ck_assert(!endpoint_equal(&p, &q));
}
END_TEST

START_TEST(a_listening_socket_is_ready_for_the_loop)
{
	struct endpoint where;
	int fd = listen_on("127.0.0.1:0", &where);

	ck_assert_uint_ne(where.port, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	fd_close(&fd);
}
END_TEST

START_TEST(both_families_can_have_the_same_port)
{
	struct endpoint four, six;
	struct why why;
	int fd = listen_on("127.0.0.1:0", &four), fd6;

	six = endpoint_of("[::]:0");
	six.port = four.port;
	fd6 = socket_listen(&six, 5, &why);
	ck_assert_msg(fd6 >= 0, "%s", why.text);
	fd_close(&fd);
	fd_close(&fd6);
}
END_TEST

START_TEST(a_star_listens_to_both_families)
{
	struct endpoint where, six = endpoint_of("[::1]:0"), four = endpoint_of("127.0.0.1:0"),
			       peer;
	int fd = listen_on("*:0", &where), server;

	six.port = four.port = where.port;
	int client6 = connect_to(&six), client4 = connect_to(&four);
	server = accept(fd, NULL, NULL);
	ck_assert(endpoint_of_socket(server, true, &peer));
	ck_assert_uint_eq(peer.ip.family, 6);
	fd_close(&server);
	server = accept(fd, NULL, NULL);
	ck_assert(endpoint_of_socket(server, true, &peer));
	ck_assert_uint_eq(peer.ip.family, 4); /* not ::ffff: */
	fd_close(&server);
	fd_close(&client4);
	fd_close(&client6);
	fd_close(&fd);
}
END_TEST

START_TEST(a_port_in_use_says_where_and_why)
{
	struct endpoint where;
	struct why why;
	char text[ENDPOINT_TEXT];
	int fd = listen_on("127.0.0.1:0", &where);

	ck_assert_int_eq(socket_listen(&where, 5, &why), -1);
	endpoint_text(&where, text);
	ck_assert_ptr_nonnull(strstr(why.text, text));
	ck_assert_ptr_nonnull(strstr(why.text, strerror(EADDRINUSE)));
	fd_close(&fd);
}
END_TEST

START_TEST(a_unix_socket_left_by_a_crash_is_replaced_and_one_in_use_is_not)
{
	char folder[TEST_FOLDER], path[TEST_FOLDER + 8];
	struct endpoint where, back;
	struct why why;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/s", folder);
	int fd = listen_on(path, &where);
	ck_assert_str_eq(where.path, path);
	struct endpoint e = endpoint_of(path);
	ck_assert_int_eq(socket_listen(&e, 5, &why), -1);
	int client = connect_to(&where);
	ck_assert(endpoint_of_socket(client, true, &back));
	ck_assert_str_eq(back.path, path);
	/* Its backlog is full, so that nobody can connect: in use all the same. */
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(socket_listen(&e, 5, &why), -1);
	ck_assert(file_exists(path));
	fd_close(&client);
	fd_close(&fd); /* the file stays */
	fd = socket_listen(&e, 5, &why);
	ck_assert_int_ge(fd, 0);
	fd_close(&fd);
	unlink(path);
	ck_assert(file_write(path, STR("precious"), 0600, &why));
	ck_assert_int_eq(socket_listen(&e, 5, &why), -1);
	ck_assert(file_exists(path));
	test_folder_remove(folder);
}
END_TEST

TEST_MAIN("net/socket", endpoints_are_read_and_written, what_is_no_endpoint_is_refused,
	a_path_that_no_socket_can_have_is_refused, endpoints_go_to_socket_addresses_and_back,
	endpoints_differ_in_address_port_and_path, a_listening_socket_is_ready_for_the_loop,
	both_families_can_have_the_same_port, a_star_listens_to_both_families,
	a_port_in_use_says_where_and_why,
	a_unix_socket_left_by_a_crash_is_replaced_and_one_in_use_is_not)
