/* SPDX-License-Identifier: MIT
 *
 * Who is let through, and in which order. All of it on a loop that only this thread runs.
 */
#include "smtp/turnstile.h"
#include "tests/lib/test.h"

#include <stdio.h>

enum { MOST = 1200 };

struct guest {
	struct ticket *ticket;
	int said; /* -1: nothing yet, 0: turned away, else when it was let through */
};
static struct guest guests[MOST];
static struct loop *loop;
static int passed_count;

static void told(void *ctx, bool passed)
{
	struct guest *g = ctx;

	g->ticket = NULL;
	g->said = passed ? ++passed_count : 0;
}

static bool known; /* who comes next */

static enum turnstile come_at(unsigned who, const struct ip *ip, unsigned failures)
{
	const struct turnstile_asked asked = { loop, ip, known, failures, 2, told, &guests[who] };

	guests[who] = (struct guest){ .said = -1 };
	return turnstile_enter(&asked, &guests[who].ticket);
}

static enum turnstile come(unsigned who, const char *address, unsigned failures)
{
	struct ip ip;

	ck_assert(ip_parse(str_c(address), &ip));
	return come_at(who, &ip, failures);
}

static void go_on(struct task *task)
{
	(void)task;
	loop_stop(loop);
}

/* What was posted runs. */
static void turn(void)
{
	struct task task = { .run = go_on };
	struct why why;

	loop_post(loop, &task);
	must(loop_start(loop, "test", &why));
	loop_join(loop);
}

static void open_gate(void)
{
	struct why why;

	passed_count = 0;
	loop = loop_new(0, &why);
	must(loop);
	/* Two are inside. */
	ck_assert_int_eq(come(0, "192.0.2.200", 0), TURNSTILE_PASS);
	ck_assert_int_eq(come(1, "192.0.2.201", 0), TURNSTILE_PASS);
}

/* Those who waited leave in turn, until nobody is inside. */
static void close_gate(unsigned waiting)
{
	for (unsigned i = 0; i < waiting + 2; i++)
		turnstile_leave(false);
	turn();
	loop_free(&loop);
}

START_TEST(those_with_failures_wait_behind_those_without)
{
	open_gate();
	ck_assert_int_eq(come(2, "192.0.2.1", 5), TURNSTILE_WAITS);
	ck_assert_int_eq(come(3, "192.0.2.2", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(4, "192.0.2.3", 1), TURNSTILE_WAITS);
	ck_assert_int_eq(come(5, "192.0.2.4", 0), TURNSTILE_WAITS);
	close_gate(4);
	ck_assert_int_eq(guests[3].said, 1);
	ck_assert_int_eq(guests[5].said, 2);
	ck_assert_int_eq(guests[4].said, 3);
	ck_assert_int_eq(guests[2].said, 4);
}
END_TEST

START_TEST(addresses_take_turns)
{
	open_gate();
	for (unsigned i = 2; i < 6; i++)
		ck_assert_int_eq(come(i, "2001:db8::1", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(6, "192.0.2.2", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(7, "2001:db8::2", 0), TURNSTILE_WAITS); /* the same network */
	close_gate(6);
	ck_assert_int_eq(guests[2].said, 1);
	ck_assert_int_eq(guests[6].said, 2);
	ck_assert_int_eq(guests[3].said, 3);
	ck_assert_int_eq(guests[7].said, 6);
}
END_TEST

START_TEST(only_so_many_of_one_address_wait)
{
	open_gate();
	for (unsigned i = 2; i < 18; i++)
		ck_assert_int_eq(come(i, "192.0.2.1", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(18, "192.0.2.1", 0), TURNSTILE_FULL);
	ck_assert_int_eq(come(18, "192.0.2.2", 0), TURNSTILE_WAITS);
	for (unsigned i = 19; i < 60; i++) /* of this host: many people */
		ck_assert_int_eq(come(i, "127.0.0.1", 0), TURNSTILE_WAITS);
	close_gate(58);
}
END_TEST

START_TEST(a_full_house_has_room_for_those_without_failures)
{
	open_gate();
	for (unsigned i = 0; i < 1024; i++) {
		struct ip ip = { .family = 4, .bytes = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		ck_assert_int_eq(come_at(2 + i, &ip, 1 + (i == 500)), TURNSTILE_WAITS);
	}
	ck_assert_int_eq(come(1100, "192.0.2.1", 2), TURNSTILE_FULL);
	ck_assert_int_eq(come(1100, "192.0.2.1", 0), TURNSTILE_WAITS);
	turn();
	ck_assert_int_eq(guests[502].said, 0); /* who stood last */
	close_gate(1024);
	ck_assert_int_eq(guests[1100].said, 1);
}
END_TEST

START_TEST(who_does_not_wait_any_more_holds_no_place)
{
	open_gate();
	ck_assert_int_eq(come(2, "192.0.2.1", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(3, "192.0.2.2", 0), TURNSTILE_WAITS);
	ck_assert_int_eq(come(4, "192.0.2.3", 0), TURNSTILE_WAITS);
	turnstile_cancel(&guests[2].ticket);
	turnstile_leave(false); /* 3 is let in, and does not know yet */
	turnstile_cancel(&guests[3].ticket);
	turn(); /* gives its place to 4 */
	turn();
	ck_assert_int_eq(guests[2].said, -1);
	ck_assert_int_eq(guests[3].said, -1);
	ck_assert_int_eq(guests[4].said, 1);
	close_gate(0);
}
END_TEST

START_TEST(those_who_are_known_wait_for_no_stranger)
{
	open_gate();
	ck_assert_int_eq(come(2, "192.0.2.1", 0), TURNSTILE_WAITS);
	known = true;
	ck_assert_int_eq(come(3, "192.0.2.2", 0), TURNSTILE_PASS);
	ck_assert_int_eq(come(4, "192.0.2.3", 0), TURNSTILE_PASS);
	ck_assert_int_eq(come(5, "192.0.2.4", 0), TURNSTILE_WAITS);
	known = false;
	turnstile_leave(true); /* is no place for a stranger */
	turn();
	ck_assert_int_eq(guests[2].said, -1);
	ck_assert_int_eq(guests[5].said, 1);
	turnstile_leave(true);
	turnstile_leave(true);
	close_gate(1);
	ck_assert_int_eq(guests[2].said, 2);
}
END_TEST

TEST_MAIN("smtp/turnstile", those_with_failures_wait_behind_those_without, addresses_take_turns,
	only_so_many_of_one_address_wait, a_full_house_has_room_for_those_without_failures,
	who_does_not_wait_any_more_holds_no_place, those_who_are_known_wait_for_no_stranger)
