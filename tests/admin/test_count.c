/* SPDX-License-Identifier: MIT
 *
 * Counting in groups: by what, in which order, and how many groups there may be.
 */
#include "admin/count.h"

#include "tests/admin/collect.h"
#include "tests/lib/test.h"

#include <stdio.h>

static struct collect out;
static struct count *count;

static void begin(const char *by)
{
	struct why why;

	collect_init(&out);
	count = count_new(str_c(by), &why);
	ck_assert_msg(count, "%s", why.text);
}

static void add(uint64_t id, const char *sender, const char *address, const char *reply)
{
	const struct tmail_queue_entry e = { .id = { id, 0 },
		.fate = TMAIL_FATE_DEFERRED,
		.received = (int64_t)id * 1000000,
		.sender = { sender, strlen(sender) },
		.address = { address, strlen(address) },
		.reply = { reply, strlen(reply) } };

	count_add(count, &e, QUEUE_DEFERRED);
}

static const char *end(void)
{
	count_end(&count, &out.output);
	ck_assert_ptr_null(count);
	return buf_c(&out.text);
}

START_TEST(the_largest_group_is_first_and_equal_ones_by_name)
{
	begin("domain");
	add(3, "", "x@c.org", "");
	add(1, "", "x@b.org", "");
	add(2, "", "y@B.org", "");
	add(2, "", "z@b.org", "");
	add(4, "", "x@a.org", "");
	ck_assert_str_eq(end(),
		"columns domain|recipients:int|messages:int|oldest\n"
		"row b.org|3|2|1970-01-01T00:00:01Z\n"
		"row a.org|1|1|1970-01-01T00:00:04Z\n"
		"row c.org|1|1|1970-01-01T00:00:03Z\n");
	buf_free(&out.text);
}
END_TEST

START_TEST(states_and_senders_and_hosts_are_groups)
{
	const struct tmail_queue_entry held = { .id = { 9, 9 }, .held = 1, .received = 1000000 };

	begin("State");
	add(1, "", "a@b", "");
	count_add(count, &held, QUEUE_HELD);
	count_add(count, &held, QUEUE_ACTIVE);
	count_add(count, &held, QUEUE_WAITING);
	ck_assert_ptr_nonnull(strstr(end(), "row active|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row deferred|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row held|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row waiting|1|1|"));
	buf_free(&out.text);

	begin("sender");
	add(1, "s@x.org", "a@b", "");
	add(2, "", "a@b", "");
	add(3, "no-at", "a@b", "");
	ck_assert_ptr_nonnull(strstr(end(), "row <>|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row x.org|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row no-at|1|1|"));
	buf_free(&out.text);

	begin("host");
	add(1, "", "a@b", "mx[192.0.2.1:25]: 450 x");
	add(2, "", "a@b", "450 nobody known");
	ck_assert_ptr_nonnull(strstr(end(), "row mx[192.0.2.1:25]|1|1|"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row |1|1|"));
	buf_free(&out.text);
}
END_TEST

START_TEST(reasons_are_codes_with_an_example)
{
	static const struct {
		const char *reply, *reason;
	} cases[] = {
		{ "450 4.2.1 <a@b> is busy", "450 4.2.1" },
		{ "mx[192.0.2.1:25]: 450 4.2.1 busy", "450 4.2.1" },
		{ "450 busy", "450" },
		{ "450", "450" },
		{ "450 5.2.1 not of this code", "450" },
		{ "450 4.2 short", "450" },
		{ "4500 x", "4500 x" },
		{ "Connection refused", "Connection refused" },
	};
	char row[100];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin("reason");
		add(1, "", "a@b", cases[i].reply);
		add(2, "", "a@b", cases[i].reply);
		snprintf(row, sizeof row, "\nrow %s|2|2|1970-01-01T00:00:01Z|%s\n", cases[i].reason,
			cases[i].reply);
		ck_assert_msg(strstr(end(), row), "%s: %s", row, buf_c(&out.text));
		buf_free(&out.text);
	}
}
END_TEST

START_TEST(what_is_held_is_grouped_by_the_reason_of_that)
{
	const struct tmail_queue_entry e = { .held = 1,
		.hold = TMAIL_STR("look"),
		.reply = TMAIL_STR("450 busy"),
		.received = 1000000 };

	begin("reason");
	count_add(count, &e, QUEUE_HELD);
	ck_assert_ptr_nonnull(strstr(end(), "\nrow look|1|"));
	buf_free(&out.text);
}
END_TEST

START_TEST(groups_do_not_grow_without_end)
{
	enum { GROUPS = 10000, MORE = 50 };
	char address[400];
	struct str rest, line;
	size_t rows = 0;

	begin("domain");
	for (unsigned i = 0; i < GROUPS + MORE; i++) {
		snprintf(address, sizeof address, "a@%u.org", i);
		add(i + 1, "", address, "");
	}
	add(1, "", "a@0.org", "");
	ck_assert(str_starts(str_c(end()),
		STR("columns domain|recipients:int|messages:int|oldest\nrow (others)|50|50|")));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "\nrow 0.org|2|"));
	rest = buf_str(&out.text);
	while (str_split(&rest, '\n', &line))
		rows += str_starts(line, STR("row "));
	ck_assert_uint_eq(rows, GROUPS + 1);
	buf_free(&out.text);

	begin("domain"); /* nor do their names */
	memset(address, 'x', sizeof address);
	memcpy(address, "a@", 2);
	address[sizeof address - 1] = '\0';
	add(1, "", address, "");
	end();
	ck_assert_uint_lt(out.text.len, 300);
	buf_free(&out.text);
}
END_TEST

START_TEST(nothing_counted_is_no_rows_and_may_be_told_to_nobody)
{
	struct why why;

	begin("state");
	ck_assert_str_eq(end(), "columns state|recipients:int|messages:int|oldest\n");
	buf_free(&out.text);
	begin("reason");
	add(1, "", "a@b", "450 x");
	count_end(&count, NULL);
	ck_assert_ptr_null(count_new(STR("colour"), &why));
	ck_assert_str_eq(
		why.text, "--by wants state, domain, sender, reason or host, not 'colour'");
}
END_TEST

TEST_MAIN("admin/count", the_largest_group_is_first_and_equal_ones_by_name,
	states_and_senders_and_hosts_are_groups, reasons_are_codes_with_an_example,
	what_is_held_is_grouped_by_the_reason_of_that, groups_do_not_grow_without_end,
	nothing_counted_is_no_rows_and_may_be_told_to_nobody)
