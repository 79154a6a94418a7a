/* SPDX-License-Identifier: MIT
 *
 * Messages: recipients, budget, notes, and the core's words for the store.
 */
#include "host/message.h"
#include "tests/lib/test.h"

static struct message *fresh(void)
{
	return message_new((struct id){ 1, 2 }, 3);
}

START_TEST(recipients_are_numbered_and_shown_in_the_envelope)
{
	struct message *m = fresh();
	unsigned seen = 0;

	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(
			message_add_recipient(m, STR("a@example.com"), STR(""), 0)->index, i);
	TMAIL_EACH(struct tmail_recipient, r, m->envelope.recipients)
		ck_assert_uint_eq(r->index, seen++);
	ck_assert_uint_eq(seen, 100);
	ck_assert(m->recipients[0].original.len == 0);
	message_free(&m);
	ck_assert_ptr_null(m);
}
END_TEST

START_TEST(a_removed_recipient_leaves_no_gap)
{
	struct message *m = fresh();

	message_add_recipient(m, STR("a@example.com"), STR(""), 0);
	message_add_recipient(m, STR("b@example.com"), STR(""), TMAIL_NOTIFY_NEVER);
	message_add_recipient(m, STR("c@example.com"), STR("rfc822;x"), 0);
	message_remove_recipient(m, 0);
	ck_assert_uint_eq(m->envelope.recipients.count, 2);
	ck_assert_uint_eq(m->recipients[0].index, 0);
	ck_assert_uint_eq(m->recipients[0].notify, TMAIL_NOTIFY_NEVER);
	ck_assert_uint_eq(m->recipients[1].index, 1);
	ck_assert(str_equal(str_tm(m->recipients[1].original), STR("rfc822;x")));
	message_remove_recipient(m, 1);
	ck_assert_uint_eq(m->envelope.recipients.count, 1);
	message_free(&m);
}
END_TEST

START_TEST(many_are_removed_at_once)
{
	const bool gone[] = { true, false, true, false }, all[] = { true, true };
	struct message *m = fresh();

	message_add_recipient(m, STR("a@example.com"), STR(""), 0);
	message_add_recipient(m, STR("b@example.com"), STR(""), TMAIL_NOTIFY_NEVER);
	message_add_recipient(m, STR("c@example.com"), STR(""), 0);
	message_add_recipient(m, STR("d@example.com"), STR(""), 0);
	message_remove_recipients(m, gone);
	ck_assert_uint_eq(m->envelope.recipients.count, 2);
	ck_assert(str_equal(str_tm(m->recipients[0].address), STR("b@example.com")));
	ck_assert_uint_eq(m->recipients[0].index, 0);
	ck_assert_uint_eq(m->recipients[0].notify, TMAIL_NOTIFY_NEVER);
	ck_assert(str_equal(str_tm(m->recipients[1].address), STR("d@example.com")));
	ck_assert_uint_eq(m->recipients[1].index, 1);
	message_remove_recipients(m, all);
	ck_assert_uint_eq(m->envelope.recipients.count, 0);
	message_free(&m);
}
END_TEST

START_TEST(an_address_is_the_same_whatever_the_case_of_its_domain)
{
	struct message *m = fresh();

	message_add_recipient(m, STR("Ann@example.com"), STR(""), 0);
	message_add_recipient(m, STR("postmaster"), STR(""), 0);
	ck_assert(message_has_recipient(m, STR("Ann@EXAMPLE.com")));
	ck_assert(!message_has_recipient(m, STR("ann@example.com")));
	ck_assert(!message_has_recipient(m, STR("Ann@example.co")));
	ck_assert(message_has_recipient(m, STR("postmaster")));
	ck_assert_int_eq(message_find_recipient(m, STR("postmaster")), 1);
	ck_assert_int_eq(message_find_recipient(m, STR("")), -1);
	message_free(&m);
}
END_TEST

START_TEST(facts_outlive_the_owner_while_somebody_refers_to_them)
{
	struct message *m = fresh(), *other = message_ref(m), *kept = m;

	message_add_recipient(m, STR("a@example.com"), STR(""), 0);
	message_free(&m);
	ck_assert(str_equal(str_tm(kept->recipients[0].address), STR("a@example.com")));
	message_free(&other);
}
END_TEST

START_TEST(the_budget_counts_what_is_in_memory_and_nothing_twice)
{
	struct message *m = fresh(), *big = fresh();

	buf_add(&m->data, STR("0123456789"));
	buf_add(&m->prefix, STR("ab"));
	m->spool_size = 1000;
	ck_assert_uint_eq(message_size(m), 1012);
	ck_assert(message_charge(m));
	ck_assert(message_charge(m));
	ck_assert_uint_eq(message_budget_used(), 12);
	buf_consume(&m->data, 5);
	ck_assert(message_charge(m));
	ck_assert_uint_eq(message_budget_used(), 7);
	buf_reserve(&big->data, MESSAGE_BUDGET);
	big->data.len = MESSAGE_BUDGET;
	ck_assert(!message_charge(big));
	ck_assert_uint_eq(message_budget_used(), 7);
	big->data.len = MESSAGE_BUDGET - 7;
	ck_assert(message_charge(big));
	ck_assert_uint_eq(message_budget_used(), MESSAGE_BUDGET);
	message_free(&big);
	message_uncharge(m);
	ck_assert_uint_eq(message_budget_used(), 0);
	message_free(&m);
	ck_assert_uint_eq(message_budget_used(), 0);
}
END_TEST

START_TEST(pieces_are_what_is_in_memory)
{
	struct message *m = fresh();
	struct str pieces[2];

	ck_assert_uint_eq(message_pieces(m, pieces), 0);
	buf_add(&m->data, STR("data"));
	ck_assert_uint_eq(message_pieces(m, pieces), 1);
	buf_add(&m->prefix, STR("prefix"));
	ck_assert_uint_eq(message_pieces(m, pieces), 2);
	ck_assert(str_equal(pieces[0], STR("prefix")));
	ck_assert(str_equal(pieces[1], STR("data")));
	message_free(&m);
}
END_TEST

START_TEST(the_newest_note_of_a_name_is_the_one_that_is_read)
{
	struct message *m = fresh();
	struct str value;

	ck_assert(!message_note_get(m, STR("a.b"), &value));
	message_note_set(m, STR("a.b"), STR("old"));
	message_note_set(m, STR("a.c"), str_make("n\0l", 3));
	message_note_set(m, STR("a.b"), STR("new"));
	ck_assert(message_note_get(m, STR("a.b"), &value));
	ck_assert(str_equal(value, STR("new")));
	ck_assert(message_note_get(m, STR("a.c"), &value));
	ck_assert(str_equal(value, str_make("n\0l", 3)));
	message_free(&m);
}
END_TEST

static struct message *full(void)
{
	struct message *m = fresh();

	message_note_set(m, STR("spam.score"), STR("1"));
	message_note_set(m, STR("spam.score"), STR("2"));
	message_note_set(m, STR("x.y"), STR(""));
	m->hold = tm_str(STR("because"));
	m->relay = true;
	m->client_kind = TMAIL_CLIENT_INJECT;
	m->client_address = tm_str(STR("192.0.2.1"));
	m->client_helo = tm_str(STR("helo"));
	m->session = (struct tmail_id){ 5, 6 };
	return m;
}

START_TEST(the_words_for_the_store_come_back_the_same)
{
	struct message *m = full(), *back = fresh();
	struct buf out = { 0 }, again = { 0 };
	struct str value;

	message_opaque_write(&out, m);
	ck_assert(message_opaque_read(back, buf_str(&out)));
	ck_assert(message_note_get(back, STR("spam.score"), &value));
	ck_assert(str_equal(value, STR("2")));
	ck_assert(message_note_get(back, STR("x.y"), &value));
	ck_assert(str_equal(str_tm(back->hold), STR("because")));
	ck_assert(back->relay && !back->discard);
	ck_assert_uint_eq(back->client_kind, TMAIL_CLIENT_INJECT);
	ck_assert(str_equal(str_tm(back->client_helo), STR("helo")));
	ck_assert_ptr_null(back->client_name.data);
	ck_assert_uint_eq(back->session.lo, 6);
	message_opaque_write(&again, back);
	ck_assert_uint_eq(again.len, out.len);
	buf_free(&out);
	buf_free(&again);
	message_free(&m);
	message_free(&back);
}
END_TEST

START_TEST(no_prefix_of_the_words_harms)
{
	struct message *m = full();
	struct buf out = { 0 };

	message_opaque_write(&out, m);
	for (size_t len = 0; len < out.len; len++) {
		struct message *back = fresh();
		/* of its own size, so that reading on is seen */
		char *cut = str_dup_c(str_slice(buf_str(&out), 0, len));

		message_opaque_read(back, str_make(cut, len));
		message_free(&back);
		free(cut);
	}
	out.data[0] = 99;
	ck_assert(!message_opaque_read(m, buf_str(&out)));
	buf_free(&out);
	message_free(&m);
}
END_TEST

START_TEST(words_of_a_later_version_of_the_same_format_are_passed_by)
{
	struct message *m = fresh();
	struct buf out = { 0 };

	message_opaque_write(&out, m);
	buf_add_u8(&out, 200);
	buf_add_lstr(&out, STR("what is this"));
	buf_add_u8(&out, 2);
	buf_add_lstr(&out, STR("held"));
	ck_assert(message_opaque_read(m, buf_str(&out)));
	ck_assert(str_equal(str_tm(m->hold), STR("held")));
	buf_free(&out);
	message_free(&m);
}
END_TEST

TEST_MAIN("host/message", recipients_are_numbered_and_shown_in_the_envelope,
	a_removed_recipient_leaves_no_gap, many_are_removed_at_once,
	an_address_is_the_same_whatever_the_case_of_its_domain,
	facts_outlive_the_owner_while_somebody_refers_to_them,
	the_budget_counts_what_is_in_memory_and_nothing_twice, pieces_are_what_is_in_memory,
	the_newest_note_of_a_name_is_the_one_that_is_read,
	the_words_for_the_store_come_back_the_same, no_prefix_of_the_words_harms,
	words_of_a_later_version_of_the_same_format_are_passed_by)
