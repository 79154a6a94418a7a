/* SPDX-License-Identifier: MIT
 *
 * Lines: whose turn it is, and who must go when there are too many.
 */
#include "queue/line.h"

#include "tests/lib/test.h"

#include <stdio.h>

static struct line line;
static struct route *route;

static struct parcel *comes_as(const char *sender, const char *login)
{
	struct message *m = message_new(id_make(1, 1, 1), 1);
	struct work *w = ARENA_NEW(m->arena, struct work);
	struct parcel *p;

	m->envelope.sender = tm_str(str_c(sender));
	m->envelope.login = tm_str(str_c(login));
	w->m = m;
	p = parcel_new(w, route, 1);
	line_add(&line, p);
	return p;
}

static struct parcel *comes(const char *sender)
{
	return comes_as(sender, "");
}

static void goes(struct parcel *p)
{
	struct message *m = p->work->m;

	parcel_free(&p);
	message_free(&m);
}

static struct str serve(void)
{
	static char sender[64];
	struct parcel *p = line_first(&line);

	ck_assert_ptr_nonnull(p);
	snprintf(sender, sizeof sender, "%.*s", STR_ARG(str_tm(p->work->m->envelope.sender)));
	line_remove(&line, p, true);
	goes(p);
	return str_c(sender);
}

static void serves(const char *sender)
{
	ck_assert_str_eq(serve().data, sender);
}

static void set_up(void)
{
	route = route_direct(STR("192.0.2.1"), STR(""), STR("example.com"));
	line_init(&line);
}

static void tear_down(void)
{
	while (line.count > 0)
		serve();
	ck_assert_uint_eq(line.senders.count, 0);
	ck_assert_ptr_null(line_first(&line));
	line_end(&line);
	route_unref(&route);
}

START_TEST(senders_take_turns)
{
	set_up();
	for (int i = 0; i < 1000; i++)
		comes("many@x.org");
	comes("one@x.org");
	comes("two@y.org");
	serves("many@x.org");
	serves("one@x.org");
	serves("two@y.org");
	serves("many@x.org");
	comes("one@x.org");
	serves("many@x.org");
	serves("one@x.org");
	ck_assert_uint_eq(line.count, 997);
	tear_down();
}
END_TEST

START_TEST(what_one_sender_sent_keeps_its_order)
{
	struct parcel *first, *second;

	set_up();
	first = comes("a@x.org");
	second = comes("A@X.ORG");
	ck_assert_uint_eq(line.senders.count, 1);
	ck_assert_ptr_eq(line_first(&line), first);
	ck_assert_ptr_eq(line_next(&line, first), second);
	ck_assert_ptr_null(line_next(&line, second));
	tear_down();
}
END_TEST

START_TEST(a_list_that_gives_each_message_a_sender_is_one_sender)
{
	char sender[64];

	set_up();
	for (int i = 0; i < 50; i++) {
		snprintf(sender, sizeof sender, "bounces+%d=you@list.org", i);
		comes(sender);
		snprintf(sender, sizeof sender, "bounces-%d@list.org", i);
		comes(sender);
	}
	comes("one@x.org");
	comes("bounces@other.org");
	comes("");
	ck_assert_uint_eq(line.senders.count, 4);
	serve();
	serves("one@x.org");
	serves("bounces@other.org");
	serves("");
	tear_down();
}
END_TEST

START_TEST(who_has_logged_in_is_told_by_that)
{
	set_up();
	comes_as("a@x.org", "me@x.org");
	comes_as("b@x.org", "me@x.org");
	comes_as("a@x.org", "you@x.org");
	ck_assert_uint_eq(line.senders.count, 2);
	tear_down();
}
END_TEST

START_TEST(what_is_put_back_comes_before_all_others)
{
	struct parcel *p;

	set_up();
	comes("a@x.org");
	comes("b@x.org");
	p = comes("c@x.org");
	comes("c@x.org");
	line_remove(&line, p, true);
	line_put_back(&line, p);
	ck_assert_ptr_eq(line_first(&line), p);
	tear_down();
}
END_TEST

START_TEST(a_walk_sees_each_once_and_may_remove_it)
{
	unsigned seen = 0;
	struct parcel *next;

	set_up();
	for (int i = 0; i < 10; i++) {
		comes(i % 3 ? "a@x.org" : "b@x.org");
		comes("c@x.org");
	}
	for (struct parcel *p = line_first(&line); p; p = next, seen++) {
		next = line_next(&line, p);
		line_remove(&line, p, false);
		goes(p);
	}
	ck_assert_uint_eq(seen, 20);
	tear_down();
}
END_TEST

START_TEST(too_many_are_too_many_of_who_has_most)
{
	struct parcel *p = NULL, *newest = NULL;

	set_up();
	for (int i = 0; i < 10; i++)
		newest = p = comes("many@x.org");
	ck_assert_ptr_null(line_excess(&line, p, 10));
	/* His own newest. */
	p = comes("many@x.org");
	ck_assert_ptr_eq(line_excess(&line, p, 10), p);
	line_remove(&line, p, false);
	goes(p);
	/* Another comes in, and one of those of many gives his place up. */
	p = comes("one@x.org");
	ck_assert_ptr_eq(line_excess(&line, p, 10), newest);
	/* Who was at a host already stays. */
	newest->hosts_tried = 1;
	ck_assert_ptr_null(line_excess(&line, p, 10));
	tear_down();
}
END_TEST

START_TEST(with_more_senders_than_places_the_last_goes)
{
	char sender[32];
	struct parcel *p = NULL;

	set_up();
	for (int i = 0; i < 8; i++) {
		snprintf(sender, sizeof sender, "s%d@x.org", i);
		p = comes(sender);
	}
	ck_assert_ptr_eq(line_excess(&line, p, 4), p);
	tear_down();
}
END_TEST

TEST_MAIN("queue/line", senders_take_turns, what_one_sender_sent_keeps_its_order,
	a_list_that_gives_each_message_a_sender_is_one_sender, who_has_logged_in_is_told_by_that,
	what_is_put_back_comes_before_all_others, a_walk_sees_each_once_and_may_remove_it,
	too_many_are_too_many_of_who_has_most, with_more_senders_than_places_the_last_goes)
