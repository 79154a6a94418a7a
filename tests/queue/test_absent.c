/* SPDX-License-Identifier: MIT
 *
 * A server whose configuration keeps no queue: there is room for nothing, and that is all it is
 * ever asked.
 */
#include "tests/queue/house.h"

START_TEST(there_is_room_for_nothing_and_nothing_to_forget)
{
	const struct smtp_upcalls *u = &queue_absent_upcalls;
	struct message *m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT));

	ck_assert_int_eq(u->reserve(NULL, 0), COMMIT_TRY_LATER);
	ck_assert_int_eq(u->reserve(NULL, 1000), COMMIT_TRY_LATER);
	u->unreserve(NULL, 1000);
	u->forget(m);
	u->drop(m);
	message_free(&m);
}
END_TEST

/* A caller of the table must find a function wherever the real one has one. */
START_TEST(nothing_of_the_table_is_missing)
{
	void (*const *real)(void) = (void *)&queue_upcalls;
	void (*const *absent)(void) = (void *)&queue_absent_upcalls;

	for (size_t i = 0; i < sizeof queue_upcalls / sizeof *real; i++)
		ck_assert_int_eq(!real[i], !absent[i]);
}
END_TEST

START_TEST(whether_a_queue_is_kept_is_the_configurations_to_say)
{
	struct why why;

	house_preload();
	house_generation("", "", PURPOSE_ADMIN);
	ck_assert(queue_present(house.generation));
	house_end_generation();

	house_generation_of("modules = ();", PURPOSE_ADMIN);
	ck_assert(!queue_present(house.generation));
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house.loops[i] = loop_new(i, &why);
	ck_assert(!queue_start(house.loops, HOUSE_LOOPS, &why));
	ck_assert_msg(strstr(why.text, "no module keeps the queue") != NULL, "%s", why.text);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		loop_free(&house.loops[i]);
	house_end_generation();
}
END_TEST

TEST_MAIN("queue/absent", there_is_room_for_nothing_and_nothing_to_forget,
	nothing_of_the_table_is_missing, whether_a_queue_is_kept_is_the_configurations_to_say)
