/* SPDX-License-Identifier: MIT
 *
 * Rules of a queue: content and spool, room, what is found and counted.
 */
#include "tests/modules/store/conform_queue_kit.h"

#include "base/fail.h"

/* ---- READ, spool ------------------------------------------------------------------------- */

void content_is_read_in_pieces(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1), .content = "0123456789" });
	ck_assert_int_eq(read_message(f, 1, 3, 4, &content), TMAIL_OK);
	assert_text(content.octets, "3456");
	ck_assert_uint_eq(content.total, 10);
	ck_assert_int_eq(read_message(f, 1, 8, 100, &content), TMAIL_OK);
	assert_text(content.octets, "89");
	ck_assert_int_eq(read_message(f, 1, 10, 100, &content), TMAIL_OK);
	assert_text(content.octets, "");
	ck_assert_int_eq(read_message(f, 1, 1000, 100, &content), TMAIL_OK);
	assert_text(content.octets, "");
	ck_assert_int_eq(read_message(f, 2, 0, 1, &content), TMAIL_NOT_FOUND);
}

static int spool(struct fake_host *f, uint64_t n, uint64_t offset, const char *data, size_t len,
	uint32_t last)
{
	struct tmail_queue_spool q = { sizeof q, last, id_of(n), offset, { data, len } };

	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_SPOOL, &q, NULL);
}

static int unspool(struct fake_host *f, uint64_t n, uint64_t offset, uint64_t limit,
	struct tmail_queue_content *content)
{
	struct tmail_queue_read q = { sizeof q, id_of(n), offset, limit };

	*content = (struct tmail_queue_content){ .size = sizeof *content };
	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_UNSPOOL, &q, content);
}

enum { LARGE = 300000 };

static char *large_make(void)
{
	char *data = must_alloc(LARGE);

	for (int i = 0; i < LARGE; i++)
		data[i] = (char)(i * 7 + i / 997);
	return data;
}

static uint32_t add_spooled(struct fake_host *f, uint64_t n, const char *front, uint64_t size)
{
	struct mail m = { .id = id_of(n), .recipients = { "r@example.com" }, .content = front };
	struct sent sent;
	struct tmail_queue_op op = add_op(&m, &sent);

	op.spooled = 1;
	op.spool_size = size;
	return write_one(f, op);
}

void what_is_spooled_follows_the_content(struct fake_host *f)
{
	char *data = large_make();
	struct tmail_queue_content content;

	ck_assert_int_eq(spool(f, 1, 0, data, 100000, 0), TMAIL_OK);
	ck_assert_int_eq(spool(f, 1, 100000, data + 100000, LARGE - 100000, 0), TMAIL_OK);
	ck_assert_int_eq(unspool(f, 1, 65000, 50000, &content), TMAIL_OK);
	ck_assert_uint_eq(content.octets.len, 50000);
	ck_assert_mem_eq(content.octets.data, data + 65000, 50000);
	ck_assert_int_eq(spool(f, 1, LARGE, NULL, 0, 1), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", LARGE), TMAIL_QUEUE_DURABLE);
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 1000000, &content), TMAIL_OK);
	ck_assert_uint_eq(content.total, LARGE + 5);
	ck_assert_uint_eq(content.octets.len, LARGE + 5);
	ck_assert_mem_eq(content.octets.data, "front", 5);
	ck_assert_mem_eq(content.octets.data + 5, data, LARGE);
	ck_assert_int_eq(read_message(f, 1, 65536 + 4, 3, &content), TMAIL_OK);
	ck_assert_mem_eq(content.octets.data, data + 65535, 3);
	ck_assert_int_eq(unspool(f, 1, 65535, 3, &content), TMAIL_OK);
	ck_assert_mem_eq(content.octets.data, data + 65535, 3);
	ck_assert_uint_eq(counts(f).octets, LARGE + 5);
	free(data);
}

void a_spool_that_is_not_whole_is_not_accepted(struct fake_host *f)
{
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NEVER);
	ck_assert_int_eq(spool(f, 1, 0, "01234", 5, 0), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NEVER);
	ck_assert_int_eq(spool(f, 1, 9, "x", 1, 0), TMAIL_REFUSED);
	ck_assert_int_eq(spool(f, 1, 5, NULL, 0, 1), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 4), TMAIL_QUEUE_NEVER);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_DURABLE);
}

void a_spool_can_be_dropped(struct fake_host *f)
{
	struct tmail_queue_content content;

	ck_assert_int_eq(spool(f, 1, 0, "01234", 5, 1), TMAIL_OK);
	ck_assert_int_eq(spool(f, 1, 0, NULL, 0, 2), TMAIL_OK);
	ck_assert_int_eq(unspool(f, 1, 0, 5, &content), TMAIL_NOT_FOUND);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NEVER);
	ck_assert_int_eq(spool(f, 1, 0, "abc", 3, 1), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 3), TMAIL_QUEUE_DURABLE);
}

void room_is_reserved_and_given_back(struct fake_host *f)
{
	struct tmail_queue_reserve some = { .size = sizeof some, .octets = 1000 };
	struct tmail_queue_reserve all = { .size = sizeof all, .octets = UINT64_MAX / 2 };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &some, NULL), TMAIL_OK);
	ck_assert_int_eq(
		fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &all, NULL), TMAIL_TRY_LATER);
	some.give_back = 1;
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &some, NULL), TMAIL_OK);
}

/* ---- FIND, COUNT ------------------------------------------------------------------------- */

/* 1: pending; 2: deferred twice; 3: held; 4: one delivered, one pending. */
static void four_messages(struct fake_host *f)
{
	add(f,
		(struct mail){ .id = id_of(2),
			.sender = "Second@B.example",
			.received = 200,
			.recipients = { "x@one.example", "y@two.example" } });
	add(f,
		(struct mail){ .id = id_of(1),
			.sender = "first@a.example",
			.received = 100,
			.due = 5000 });
	add(f,
		(struct mail){ .id = id_of(4),
			.sender = "",
			.received = 400,
			.recipients = { "u@one.example", "v@two.example" } });
	add(f,
		(struct mail){ .id = id_of(3),
			.sender = "third@b.example",
			.received = 300,
			.hold = "why" });
	outcome(f, 2, 0, TMAIL_FATE_DEFERRED, 700, "450 mailbox FULL");
	outcome(f, 2, 1, TMAIL_FATE_DEFERRED, 800, "451 greylisted");
	outcome(f, 4, 0, TMAIL_FATE_DELIVERED, 0, "250 ok");
}

void the_living_are_found_in_the_order_of_ids(struct fake_host *f)
{
	for (int again = 0; again < 2; again++) {
		struct found found;

		if (!again)
			four_messages(f);
		else
			restart(f);
		found = find(f, (struct tmail_queue_find){ 0 });
		ck_assert_uint_eq(found.count, 5);
		ck_assert_uint_eq(found.at[0].n, 1);
		ck_assert_uint_eq(found.at[1].n, 2);
		ck_assert_uint_eq(found.at[2].n, 2);
		ck_assert_uint_eq(found.at[2].recipient, 1);
		ck_assert_uint_eq(found.at[3].n, 3);
		ck_assert_uint_eq(found.at[4].n, 4);
		ck_assert_uint_eq(found.at[4].recipient, 1);
		ck_assert_int_eq(found.due[0], 5000);
		ck_assert_int_eq(found.due[1], 700);
		ck_assert_str_eq(found.reply[1], "450 mailbox FULL");
	}
}

void every_filter_filters(struct fake_host *f)
{
	static const struct {
		struct tmail_queue_find q;
		uint32_t count;
		uint64_t first;
	} cases[] = {
		{ { .sender = TMAIL_STR("second@b.EXAMPLE") }, 2, 2 },
		{ { .sender = TMAIL_STR("@b.example") }, 3, 2 },
		{ { .sender = TMAIL_STR("@example") }, 0, 0 },
		{ { .recipient = TMAIL_STR("@two.example") }, 2, 2 },
		{ { .recipient = TMAIL_STR("X@ONE.example") }, 1, 2 },
		{ { .recipient = TMAIL_STR("one.example") }, 0, 0 },
		{ { .reason = TMAIL_STR("full") }, 1, 2 },
		{ { .before = 200 }, 1, 1 },
		{ { .held = 1 }, 1, 3 },
		{ { .held = 2 }, 4, 1 },
		{ { .fates = 1u << TMAIL_FATE_DEFERRED }, 2, 2 },
		{ { .fates = 1u << TMAIL_FATE_DELIVERED }, 1, 4 },
		{ { .id = { 5004, 7 } }, 1, 4 },
		{ { .id = { 5009, 7 } }, 0, 0 },
		{ { .after = { 5002, 7 } }, 2, 3 },
		{ { .sender = TMAIL_STR("@b.example"), .held = 1 }, 1, 3 },
	};

	four_messages(f);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct found found = find(f, cases[i].q);

		ck_assert_msg(found.count == cases[i].count, "filter %zu found %u, not %u", i,
			found.count, cases[i].count);
		if (found.count)
			ck_assert_uint_eq(found.at[0].n, cases[i].first);
	}
}

void pages_follow_each_other(struct fake_host *f)
{
	struct tmail_queue_find q = { .limit = 2 };
	struct found found;
	uint32_t all = 0;

	four_messages(f);
	for (;;) {
		found = find(f, q);
		if (found.count == 0)
			break;
		ck_assert_uint_le(found.count, 2);
		all += found.count;
		q.after = id_of(found.at[found.count - 1].n);
	}
	ck_assert_uint_eq(all, 5);
}

static int found_stop(void *ctx, const struct tmail_queue_entry *e)
{
	(void)e;
	++*(int *)ctx;
	return 1;
}

void who_has_seen_enough_ends_the_walk(struct fake_host *f)
{
	int count = 0;
	struct tmail_queue_find q = { .size = sizeof q, .found = found_stop, .ctx = &count };

	four_messages(f);
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_FIND, &q, NULL), TMAIL_OK);
	ck_assert_int_eq(count, 1);
}

void counters_say_what_is_there(struct fake_host *f)
{
	for (int again = 0; again < 2; again++) {
		struct tmail_queue_counts c;

		if (!again)
			four_messages(f);
		else
			restart(f);
		c = counts(f);
		ck_assert_uint_eq(c.messages, 4);
		ck_assert_uint_eq(c.recipients, 5);
		ck_assert_uint_eq(c.pending, 3);
		ck_assert_uint_eq(c.deferred, 2);
		ck_assert_uint_eq(c.held, 1);
		ck_assert_uint_eq(c.octets, 4 * strlen("Subject: x\r\n\r\nbody\r\n"));
	}
}
