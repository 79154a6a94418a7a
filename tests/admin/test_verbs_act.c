/* SPDX-License-Identifier: MIT
 *
 * Changing the queue: which messages, how many, and what becomes of them. What a server that
 * runs makes of it is queue/manage's.
 */
#include "tests/admin/queued.h"

#define MESSAGES "columns messages:int\nrow "

static void begin(void)
{
	queued_begin();
	queued_add(1, "s@x.org", "a@one.org", 180);
	queued_add(2, "s@x.org", "a@one.org b@two.org", 90);
	queued_add(3, "", "c@three.org", 5);
}

static uint32_t fate(unsigned message, uint32_t recipient)
{
	struct memory_message m;

	ck_assert(memory_message(message - 1, &m));
	free(m.content);
	return m.recipient[recipient].fate;
}

static const char *held(unsigned message)
{
	static struct memory_message m;

	ck_assert(memory_message(message - 1, &m));
	free(m.content);
	return m.held ? m.hold : NULL;
}

/* The number it prints, checked against that of a dry run before, which changes nothing. */
static unsigned acts(const char *line)
{
	char dry[300], text[100];
	unsigned n;

	snprintf(dry, sizeof dry, "%s -n", line);
	printed(dry, VERB_OK);
	snprintf(text, sizeof text, "%s", buf_c(&out.text));
	ck_assert_int_eq(sscanf(text, MESSAGES "%u\n", &n), 1);
	printed(line, VERB_OK);
	ck_assert_msg(
		strstr(buf_c(&out.text), text), "%s: %s, and dry %s", line, buf_c(&out.text), text);
	return n;
}

START_TEST(what_a_dry_run_counts_is_what_is_changed)
{
	begin();
	ck_assert_uint_eq(acts("queue hold --to @one.org"), 2);
	ck_assert_str_eq(held(1), "held by admin");
	ck_assert_uint_eq(acts("queue hold --because looking --older 2h"), 1);
	ck_assert_str_eq(held(1), "looking");
	ck_assert_ptr_null(held(3));
	ck_assert_uint_eq(acts("queue retry --all"), 1); /* who is held is not tried */
	ck_assert_uint_eq(acts("queue release --all"), 2);
	ck_assert_ptr_null(held(1));
	ck_assert_uint_eq(acts("queue release --all"), 0);
	ck_assert_uint_eq(acts("queue flush"), 3);
	ck_assert_uint_eq(acts("queue discard --to b@two.org"), 1);
	ck_assert_uint_eq(fate(2, 1), TMAIL_FATE_DISCARDED);
	ck_assert_uint_eq(fate(2, 0), TMAIL_FATE_PENDING);
	ck_assert_uint_eq(acts("queue discard --from s@x.org"), 2);
	ck_assert_uint_eq(memory_ended(), 2);
	ck_assert_uint_eq(acts("queue bounce --all"), 1); /* nobody to be told */
	ck_assert_uint_eq(memory_adds(), 3);
	ck_assert_uint_eq(memory_messages(), 0);
	queued_end();
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	static const char *const lines[] = { "queue hold -n --all", "queue discard --dry-run --all",
		"queue bounce -n --all", "queue flush -n", "queue retry -n --all",
		"queue discard -n --limit 1 --all" };
	unsigned writes;

	begin();
	writes = memory_writes();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		printed(lines[i], VERB_OK);
	ck_assert_uint_eq(memory_writes(), writes);
	queued_end();
}
END_TEST

START_TEST(what_ends_or_stops_messages_wants_to_know_which)
{
	static const char *const verbs[] = { "discard", "bounce", "hold", "retry", "release" };
	char line[100];
	unsigned writes;

	begin();
	writes = memory_writes();
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		snprintf(line, sizeof line, "queue %s", verbs[i]);
		ck_assert_ptr_nonnull(strstr(printed(line, VERB_USAGE), "which messages?"));
		snprintf(line, sizeof line, "queue %s --limit 5", verbs[i]);
		ck_assert_ptr_nonnull(strstr(printed(line, VERB_USAGE), "which messages?"));
		snprintf(line, sizeof line, "queue %s --older x", verbs[i]);
		printed(line, VERB_FAILED);
	}
	ck_assert_uint_eq(memory_writes(), writes);
	queued_end();
}
END_TEST

START_TEST(ids_that_are_not_there_are_told_and_the_others_done)
{
	const char *one, *three;

	begin();
	one = queued_id(1, 180);
	three = queued_id(3, 5);
	ck_assert_str_eq(printed_of(VERB_OK, "queue hold %s %s", one, three),
		"progress 1/2\nprogress 2/2\n" MESSAGES "2\n");
	ck_assert_str_eq(
		printed_of(VERB_FAILED, "queue release 00000000000000000000000001 %s", one),
		"fail queue release: there is no message '00000000000000000000000001' in the queue "
		"to be released\nprogress 1/2\nprogress 2/2\n" MESSAGES "1\n");
	ck_assert_ptr_null(held(1));
	ck_assert_ptr_nonnull(held(3));
	ck_assert_ptr_nonnull(
		strstr(printed_of(VERB_FAILED, "queue release %s", one), "to be released\n"));
	ck_assert_ptr_null(strstr(buf_c(&out.text), "columns"));
	queued_end();
}
END_TEST

START_TEST(an_id_that_is_none_changes_nothing_of_the_others)
{
	begin();
	ck_assert_str_eq(printed_of(VERB_FAILED, "queue discard %s nonsense", queued_id(1, 180)),
		"fail queue discard: 'nonsense' is no message id\n");
	ck_assert_uint_eq(memory_messages(), 3);
	queued_end();
}
END_TEST

START_TEST(what_is_held_is_not_tried)
{
	begin();
	printed("queue hold --all", VERB_OK);
	ck_assert_ptr_nonnull(strstr(printed("queue flush", VERB_OK), MESSAGES "0\n"));
	ck_assert_ptr_nonnull(strstr(printed("queue retry --held", VERB_OK), MESSAGES "0\n"));
	queued_end();
}
END_TEST

START_TEST(who_sent_it_is_told_why_it_came_back)
{
	struct memory_message m;

	begin();
	ck_assert_uint_eq(acts("queue bounce --text closed --to @one.org"), 2);
	ck_assert_uint_eq(fate(1, 0), TMAIL_FATE_BOUNCED);
	ck_assert_uint_eq(fate(2, 0), TMAIL_FATE_BOUNCED);
	ck_assert_uint_eq(fate(2, 1), TMAIL_FATE_PENDING);
	ck_assert(memory_message(3, &m));
	ck_assert_str_eq(m.recipients, "s@x.org");
	ck_assert_str_eq(m.sender, "");
	ck_assert_ptr_nonnull(memmem(m.content, m.content_len, "closed", 6));
	free(m.content);
	queued_end();
}
END_TEST

START_TEST(what_is_purged_should_have_been_tried_a_day_ago)
{
	enum { DAY = 24 * 60 };

	queued_begin();
	queued_add(1, "", "a@one.org", DAY + 1);
	queued_add(2, "", "a@one.org", DAY - 1);
	queued_add(3, "", "a@one.org b@one.org", DAY + 1);
	queued_defer(3, DAY + 1, 1, "450 busy"); /* and will be in ten minutes */
	queued_add(4, "", "a@one.org", DAY + 1);
	printed_of(VERB_OK, "queue hold %s", queued_id(4, DAY + 1));
	ck_assert_uint_eq(acts("queue purge"), 2);
	ck_assert_uint_eq(fate(1, 0), TMAIL_FATE_DISCARDED);
	ck_assert_uint_eq(fate(2, 0), TMAIL_FATE_PENDING);
	ck_assert_uint_eq(fate(3, 0), TMAIL_FATE_DISCARDED);
	ck_assert_uint_eq(fate(3, 1), TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(fate(4, 0), TMAIL_FATE_PENDING);
	ck_assert_uint_eq(memory_ended(), 1);
	ck_assert_uint_eq(acts("queue purge --to c@one.org"), 0);
	ck_assert_uint_eq(acts("queue purge --held"), 0);
	queued_end();
}
END_TEST

START_TEST(long_work_says_how_far_it_is)
{
	begin();
	ck_assert_str_eq(printed("queue discard --all", VERB_OK), "progress 4/4\n" MESSAGES "3\n");
	queued_end();
}
END_TEST

START_TEST(a_store_that_refuses_is_trouble)
{
	begin();
	memory_outcomes(MEMORY_REFUSES);
	ck_assert_str_eq(printed("queue discard --all", VERB_FAILED),
		"fail queue discard: the store did not take it: so the test wants it\n");
	ck_assert_uint_eq(memory_messages(), 3);
	queued_end();
}
END_TEST

TEST_MAIN("admin/verbs_act", what_a_dry_run_counts_is_what_is_changed, a_dry_run_changes_nothing,
	what_ends_or_stops_messages_wants_to_know_which,
	ids_that_are_not_there_are_told_and_the_others_done,
	an_id_that_is_none_changes_nothing_of_the_others, what_is_held_is_not_tried,
	who_sent_it_is_told_why_it_came_back, what_is_purged_should_have_been_tried_a_day_ago,
	long_work_says_how_far_it_is, a_store_that_refuses_is_trouble)
