/* SPDX-License-Identifier: MIT
 *
 * The plan of retries, and the words of outcomes.
 */
#include "queue/outcome.h"
#include "tests/lib/test.h"

static uint64_t chance;

static uint64_t no_chance(void)
{
	return chance;
}

START_TEST(waits_double_between_their_bounds)
{
	const struct queue_settings s = { .retry_min = 60000, .retry_max = 3600000 };
	const int64_t usual[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };

	random_replace(no_chance);
	for (uint32_t i = 0; i < 8; i++)
		for (chance = 0; chance < 1000000; chance += 99991) {
			int64_t ms = retry_delay(&s, i + 1);

			ck_assert_int_ge(ms, usual[i] * 800);
			ck_assert_int_le(ms, usual[i] * 1200);
			ck_assert_int_ge(ms, s.retry_min);
			ck_assert_int_le(ms, s.retry_max);
		}
	ck_assert_int_gt(retry_delay(&s, UINT32_MAX), 3600 * 799);
}
END_TEST

START_TEST(bounds_that_are_near_leave_no_room_for_chance)
{
	const struct queue_settings alike = { .retry_min = 60000, .retry_max = 60000 };
	const struct queue_settings near = { .retry_min = 60000, .retry_max = 66000 };

	random_replace(no_chance);
	for (chance = 0; chance < 100000; chance += 9973)
		for (uint32_t i = 1; i < 4; i++) {
			ck_assert_int_eq(retry_delay(&alike, i), 60000);
			ck_assert_int_ge(retry_delay(&near, i), 60000);
			ck_assert_int_le(retry_delay(&near, i), 66000);
		}
}
END_TEST

START_TEST(what_failed_together_does_not_come_back_together)
{
	const struct queue_settings s = { .retry_min = 60000, .retry_max = 3600000 };
	bool differ = false;

	random_replace(NULL);
	for (unsigned i = 0; i < 20; i++)
		differ |= retry_delay(&s, 5) != retry_delay(&s, 5);
	ck_assert(differ);
}
END_TEST

START_TEST(a_list_of_waits_takes_their_place)
{
	const struct tmail_str list[] = { TMAIL_STR("5m"), TMAIL_STR("1h"), TMAIL_STR("soon") };
	struct queue_settings s = { .retry_min = 60000, .retry_max = 60000 };

	s.retry = (struct tmail_list){ list, 2, sizeof *list };
	ck_assert_int_eq(retry_delay(&s, 1), 300000);
	ck_assert_int_eq(retry_delay(&s, 2), 3600000);
	ck_assert_int_eq(retry_delay(&s, 9), 3600000);
	ck_assert_int_eq(retry_delay(&s, 0), 300000);
	s.retry.count = 3; /* what is not a duration is not used */
	ck_assert_int_le(retry_delay(&s, 3), 72000);
}
END_TEST

TEST_MAIN("queue/outcome", waits_double_between_their_bounds,
	bounds_that_are_near_leave_no_room_for_chance,
	what_failed_together_does_not_come_back_together, a_list_of_waits_takes_their_place)
