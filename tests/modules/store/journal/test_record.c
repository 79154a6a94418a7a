/* SPDX-License-Identifier: MIT
 *
 * Records: what is written is read again, and octets that are cut or changed anywhere are never
 * read beyond their end.
 */
#include "modules/store/journal/record.h"

#include "base/fail.h"
#include "tests/lib/test.h"

#include <string.h>

static const struct tmail_recipient recipients[2] = {
	{ .index = 0, .notify = 3, .address = TMAIL_STR("a@example.com") },
	{ .index = 1, .address = TMAIL_STR("b@example.com"), .original = TMAIL_STR("B") },
};
static const struct tmail_envelope envelope = { .size = sizeof envelope,
	.body = 1,
	.ret = 2,
	.smtputf8 = 1,
	.received = 12,
	.declared_size = 99,
	.sender = TMAIL_STR("s@example.com"),
	.envid = TMAIL_STR("e"),
	.login = TMAIL_STR("l"),
	.recipients = TMAIL_LIST(recipients) };
static const struct tmail_str content[2] = { TMAIL_STR("one "), TMAIL_STR("two") };

/* malloc'd, exactly as long as it says, so that a sanitizer sees every step too far. */
static struct str written(const struct tmail_queue_op *op, int64_t due)
{
	struct extent extent;
	char *data;

	ck_assert(record_measure(op, &extent));
	data = must_alloc(extent_size(extent));
	record_write(data, op, extent, 77, due);
	return str_make(data, extent_size(extent));
}

static struct tmail_queue_op add_op(void)
{
	return (struct tmail_queue_op){ .change = TMAIL_QUEUE_ADD,
		.id = { 1, 2 },
		.envelope = &envelope,
		.opaque = TMAIL_STR("o"),
		.content = content,
		.content_count = 2,
		.spooled = 1,
		.spool_size = 1000,
		.reply = TMAIL_STR("hold") };
}

static void free_str(struct str s)
{
	free((void *)(uintptr_t)s.data);
}

START_TEST(a_message_is_read_as_it_was_written)
{
	struct tmail_queue_op op = add_op();
	struct str data = written(&op, 55);
	struct tmail_recipient recipient;
	struct reader at;
	struct record r;
	struct meta m;

	ck_assert(record_read(data, &r));
	ck_assert(record_meta_good(&r) && record_content_good(&r));
	ck_assert_uint_eq(r.type, RECORD_ADD);
	ck_assert_uint_eq(r.flags, RECORD_SPOOLED | RECORD_HELD | RECORD_LISTED);
	ck_assert(str_equal(r.content, STR("one two")));
	ck_assert(meta_read(&r, &m));
	ck_assert_uint_eq(m.octets, 1007);
	ck_assert_int_eq(m.due, 55);
	ck_assert_int_eq(m.received, 12);
	ck_assert_uint_eq(m.spool_size, 1000);
	ck_assert_uint_eq(m.spool_check, 77);
	ck_assert(str_equal(m.hold, STR("hold")));
	ck_assert(str_equal(m.opaque, STR("o")));
	at = reader_of(m.recipients);
	ck_assert(meta_recipient(&at, &recipient) && meta_recipient(&at, &recipient));
	ck_assert_uint_eq(recipient.index, 1);
	ck_assert_uint_eq(recipient.original.len, 1);
	ck_assert(!meta_recipient(&at, &recipient));
	free_str(data);
}
END_TEST

START_TEST(a_copy_says_the_same_and_the_states)
{
	struct tmail_queue_op op = add_op();
	struct str data = written(&op, 0), copied;
	struct state_words states[2] = { { 1, 9, 5, 100, STR("450 later") },
		{ 2, 0, 1, 0, STR("") } };
	struct copy copy = {
		.held = true, .listed = true, .hold = STR("other"), .states = states, .count = 2
	};
	struct state_words state;
	struct extent extent;
	struct reader at;
	struct record r;
	struct meta m;

	ck_assert(record_read(data, &copy.from));
	for (int twice = 0; twice < 2; twice++) { /* a copy of a copy, too */
		char *to;

		ck_assert(copy_measure(&copy, &extent));
		to = must_alloc(extent_size(extent));
		copy_write(to, &copy, extent);
		copied = str_make(to, extent_size(extent));
		ck_assert(record_read(copied, &r) && meta_read(&r, &m));
		ck_assert(record_meta_good(&r) && record_content_good(&r));
		ck_assert_uint_eq(r.type, RECORD_COPY);
		ck_assert(str_equal(r.content, STR("one two")));
		ck_assert(str_equal(m.hold, STR("other")));
		ck_assert_uint_eq(m.octets, 1007);
		at = reader_of(m.states);
		ck_assert(meta_state(&at, &state));
		ck_assert_uint_eq(state.attempts, 5);
		ck_assert_uint_eq(state.fate, 1);
		ck_assert_uint_eq(state.note, 9);
		ck_assert(str_equal(state.reply, STR("450 later")));
		ck_assert(meta_state(&at, &state) && !meta_state(&at, &state));
		if (twice == 0) {
			free_str(data);
			data = copied;
			copy.from = r;
		}
	}
	free_str(copied);
	free_str(data);
}
END_TEST

START_TEST(changes_are_read_as_they_were_written)
{
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_OUTCOME,
		.id = { 3, 4 },
		.recipient = 7,
		.fate = 1,
		.attempts = 9,
		.note = 15,
		.reply = TMAIL_STR("450") };
	struct outcome outcome;
	struct record r;
	struct str data = written(&op, -5), hold;
	int64_t due;

	ck_assert(record_read(data, &r) && outcome_read(&r, &outcome));
	ck_assert_uint_eq(r.id.lo, 4);
	ck_assert_uint_eq(outcome.recipient, 7);
	ck_assert_uint_eq(outcome.words.fate, 1);
	ck_assert_uint_eq(outcome.words.attempts, 9);
	ck_assert_uint_eq(outcome.words.note, 15);
	ck_assert_int_eq(outcome.words.due, -5);
	ck_assert(str_equal(outcome.words.reply, STR("450")));
	free_str(data);
	op.change = TMAIL_QUEUE_HOLD;
	data = written(&op, 0);
	ck_assert(record_read(data, &r) && hold_read(&r, &hold) && str_equal(hold, STR("450")));
	free_str(data);
	op.change = TMAIL_QUEUE_FREE;
	data = written(&op, 88);
	ck_assert(record_read(data, &r) && due_read(&r, &due) && due == 88);
	ck_assert_uint_eq(r.type, RECORD_FREE);
	free_str(data);
	op.change = TMAIL_QUEUE_END;
	data = written(&op, 0);
	ck_assert(record_read(data, &r) && r.type == RECORD_END && r.meta.len == 0);
	ck_assert_uint_eq(data.len, RECORD_HEAD);
	free_str(data);
}
END_TEST

/* Cut anywhere, and with any octet made large: an answer, never a step over the end. */
START_TEST(what_is_not_well_formed_is_refused)
{
	struct tmail_queue_op op = add_op();
	struct str data = written(&op, 0);

	for (size_t len = 0; len < data.len; len++) {
		char *cut = must_alloc(len ? len : 1);
		struct record r;
		struct meta m;

		memcpy(cut, data.data, len);
		if (record_read(str_make(cut, len), &r))
			(void)(meta_read(&r, &m) && record_content_good(&r));
		free(cut);
	}
	for (size_t i = 0; i < data.len; i++) {
		char *changed = must_alloc(data.len);
		struct tmail_recipient recipient;
		struct record r;
		struct meta m;

		memcpy(changed, data.data, data.len);
		changed[i] = (char)0xff;
		if (record_read(str_make(changed, data.len), &r) && meta_read(&r, &m)) {
			struct reader at = reader_of(m.recipients);

			for (uint32_t n = 0; n < m.count; n++)
				ck_assert(meta_recipient(&at, &recipient));
		}
		free(changed);
	}
	free_str(data);
}
END_TEST

START_TEST(a_flipped_bit_is_seen)
{
	struct tmail_queue_op op = add_op();
	struct str data = written(&op, 0);
	char *octets = (char *)(uintptr_t)data.data;
	struct record r;

	octets[RECORD_HEAD + 10] ^= 1;
	ck_assert(record_read(data, &r) && !record_meta_good(&r) && record_content_good(&r));
	octets[RECORD_HEAD + 10] ^= 1;
	octets[RECORD_HEAD + r.meta.len] ^= 1;
	ck_assert(record_read(data, &r) && record_meta_good(&r) && !record_content_good(&r));
	free_str(data);
}
END_TEST

TEST_MAIN("modules/store/journal/record", a_message_is_read_as_it_was_written,
	a_copy_says_the_same_and_the_states, changes_are_read_as_they_were_written,
	what_is_not_well_formed_is_refused, a_flipped_bit_is_seen)
