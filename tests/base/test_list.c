/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "tests/base/expect.h"

struct thing {
	char name;
	struct link link;
};

static void expect_order(struct link *head, const char *names)
{
	size_t i = 0;

	LIST_EACH(struct thing, t, head, link)
		ck_assert_int_eq(t->name, names[i++]);
	ck_assert_uint_eq(i, strlen(names));
}

START_TEST(elements_stand_where_they_were_put)
{
	struct thing a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	struct link head;

	list_init(&head);
	ck_assert(list_empty(&head));
	expect_order(&head, "");
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_prepend(&head, &a.link);
	expect_order(&head, "abc");
	list_remove(&b.link);
	expect_order(&head, "ac");
	list_insert_after(&a.link, &b.link);
	expect_order(&head, "abc");
}
END_TEST

START_TEST(a_link_knows_whether_it_is_in_a_list)
{
	struct thing a = { .name = 'a' };
	struct link head;

	list_init(&head);
	ck_assert(!link_in_list(&a.link));
	list_remove(&a.link);
	list_append(&head, &a.link);
	ck_assert(link_in_list(&a.link));
	list_remove(&a.link);
	ck_assert(!link_in_list(&a.link));
	list_remove(&a.link);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(popping_takes_the_first)
{
	struct thing a = { .name = 'a' }, b = { .name = 'b' };
	struct link head;

	list_init(&head);
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	ck_assert_ptr_eq(list_pop(&head), &a.link);
	ck_assert_ptr_eq(list_pop(&head), &b.link);
	ck_assert_ptr_null(list_pop(&head));
}
END_TEST

START_TEST(a_walk_may_free_the_element_it_stands_on)
{
	struct link head;
	size_t count = 0;

	list_init(&head);
	for (int i = 0; i < 10; i++) {
		struct thing *t = calloc(1, sizeof *t);

		list_append(&head, &t->link);
	}
	LIST_EACH(struct thing, t, &head, link) {
		list_remove(&t->link);
		free(t);
		count++;
	}
	ck_assert_uint_eq(count, 10);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(break_and_continue_do_what_they_say)
{
	struct thing things[5];
	struct link head;
	char seen[8] = "";

	list_init(&head);
	for (int i = 0; i < 5; i++) {
		things[i] = (struct thing){ .name = (char)('a' + i) };
		list_append(&head, &things[i].link);
	}
	LIST_EACH(struct thing, t, &head, link) {
		if (t->name == 'b')
			continue;
		if (t->name == 'd')
			break;
		seen[strlen(seen)] = t->name;
	}
	ck_assert_str_eq(seen, "ac");
}
END_TEST

TEST_MAIN("base/list", elements_stand_where_they_were_put, a_link_knows_whether_it_is_in_a_list,
	popping_takes_the_first, a_walk_may_free_the_element_it_stands_on,
	break_and_continue_do_what_they_say)
