/* SPDX-License-Identifier: MIT
 *
 * What a recipient of the queue is said to be.
 */
#include "admin/words.h"

#include "tests/lib/test.h"

START_TEST(times_are_utc_and_none_is_empty)
{
	char text[WORDS_TIME];

	words_time(INT64_C(1769860800000000), text);
	ck_assert_str_eq(text, "2026-01-31T12:00:00Z");
	words_time(999999, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
	words_time(0, text);
	ck_assert_str_eq(text, "");
	words_time(-1, text);
	ck_assert_str_eq(text, "");
	words_time(INT64_MAX, text); /* and has its place */
	ck_assert_str_eq(text, "294247-01-10T04:00:54Z");
}
END_TEST

START_TEST(what_is_empty_is_no_value)
{
	ck_assert_ptr_null(words_str("").data);
	ck_assert_uint_eq(words_str("ab").len, 2);
	ck_assert_uint_eq(words_sender((struct tmail_str){ NULL, 0 }).len, 2);
	ck_assert_uint_eq(words_sender((struct tmail_str){ "a@b", 3 }).len, 3);
}
END_TEST

START_TEST(states_and_ends_have_words)
{
	static const struct {
		uint32_t fate;
		enum queue_state state;
		const char *words;
		bool next;
	} cases[] = {
		{ TMAIL_FATE_PENDING, QUEUE_ACTIVE, "Delivery in progress", false },
		{ TMAIL_FATE_DEFERRED, QUEUE_ACTIVE, "Delivery in progress", false },
		{ TMAIL_FATE_PENDING, QUEUE_WAITING, "Scheduled", true },
		{ TMAIL_FATE_DEFERRED, QUEUE_DEFERRED, "Scheduled", true },
		{ TMAIL_FATE_PENDING, QUEUE_HELD, "Held", false },
		{ TMAIL_FATE_DELIVERED, QUEUE_DEFERRED, "Delivered", false },
		{ TMAIL_FATE_DELIVERED, QUEUE_HELD, "Delivered", false },
		{ TMAIL_FATE_BOUNCED, QUEUE_DEFERRED, "Bounced", false },
		{ TMAIL_FATE_EXPIRED, QUEUE_DEFERRED, "Expired", false },
		{ TMAIL_FATE_DISCARDED, QUEUE_DEFERRED, "Discarded", false },
		{ 77, QUEUE_DEFERRED, "Unknown", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct tmail_queue_entry e = { .fate = cases[i].fate, .due = 5 };

		ck_assert_str_eq(words_state(&e, cases[i].state), cases[i].words);
		ck_assert_int_eq(words_next(&e, cases[i].state), cases[i].next ? 5 : 0);
	}
}
END_TEST

START_TEST(the_reason_of_a_hold_comes_before_last_words)
{
	struct tmail_queue_entry e = { .reply = TMAIL_STR("450 busy"), .hold = TMAIL_STR("look") };

	ck_assert(str_equal(words_why(&e), STR("450 busy")));
	e.held = 1;
	ck_assert(str_equal(words_why(&e), STR("look")));
}
END_TEST

START_TEST(the_host_is_known_from_what_it_said)
{
	static const struct {
		const char *reply, *host, *said;
	} cases[] = {
		{ "mx.a.org[192.0.2.1:25]: 450 4.2.1 busy", "mx.a.org[192.0.2.1:25]",
			"450 4.2.1 busy" },
		{ "mx.a.org[[2001:db8::1]:25]: busy: later", "mx.a.org[[2001:db8::1]:25]",
			"busy: later" },
		{ "mx.a.org: 421 4.7.0 go: away", "mx.a.org", "421 4.7.0 go: away" },
		{ "450 4.2.1 busy", "", "450 4.2.1 busy" },
		{ "450 mx.a.org[192.0.2.1:25]: x", "", "450 mx.a.org[192.0.2.1:25]: x" },
		{ "mx.a.org:25: 192.0.2.1:25: refused", "mx.a.org:25", "192.0.2.1:25: refused" },
		{ "127.0.0.1:25: Connection refused", "127.0.0.1:25", "Connection refused" },
		{ "[2001:db8::1]:25: timed out", "[2001:db8::1]:25", "timed out" },
		{ "std::x: no", "", "std::x: no" },
		{ ":25: no", "", ":25: no" },
		{ "error: no", "", "error: no" },
		{ "mx.a.org[192.0.2.1:25]:", "", "mx.a.org[192.0.2.1:25]:" },
		{ "[x]: 450", "[x]", "450" },
		{ ":", "", ":" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct tmail_str reply = { cases[i].reply, strlen(cases[i].reply) };

		ck_assert_msg(str_equal(words_host(reply), str_c(cases[i].host)), "%s: %.*s",
			cases[i].reply, STR_ARG(words_host(reply)));
		ck_assert_msg(str_equal(words_without_host(reply), str_c(cases[i].said)),
			"%s: %.*s", cases[i].reply, STR_ARG(words_without_host(reply)));
	}
}
END_TEST

TEST_MAIN("admin/words", times_are_utc_and_none_is_empty, what_is_empty_is_no_value,
	states_and_ends_have_words, the_reason_of_a_hold_comes_before_last_words,
	the_host_is_known_from_what_it_said)
