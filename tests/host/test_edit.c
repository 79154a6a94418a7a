/* SPDX-License-Identifier: MIT
 *
 * Edits of a message: what may be noted, and what comes of it, of content and of recipients.
 */
#include "tests/host/world.h"

static struct world world;
static void (*edits)(struct tmail_call *call, const struct tmail_edit *edit);

static struct tmail_str text(const char *c)
{
	return (struct tmail_str){ c, c ? strlen(c) : 0 };
}

static enum tmail_verdict edit(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	edits(call, call->host->edit);
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_EOM, 0, edit } };
MODULE(module, "test/edit", .capabilities = TMAIL_CAN_EDIT, .hooks = TMAIL_LIST(hooks));

static void begin(const char *content)
{
	struct message *m;

	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/edit\"; });");
	m = world_message(&world, content);
	message_add_recipient(m, STR("a@example.org"), STR(""), 0);
	message_add_recipient(m, STR("b@example.org"), STR(""), 0);
	message_add_recipient(m, STR("c@example.org"), STR(""), 0);
}

static void make(void (*wanted)(struct tmail_call *call, const struct tmail_edit *edit))
{
	edits = wanted;
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
}

/* ---- header ------------------------------------------------------------------------------ */

enum header_edit { ADD, INSERT, CHANGE, REMOVE };
struct header_row {
	enum header_edit edit;
	uint32_t n;
	const char *name, *value;
	const char *content; /* what comes of it */
};
static const struct header_row *row;

static void edit_header(struct tmail_call *call, const struct tmail_edit *e)
{
	int status = row->edit == ADD ? e->header_add(call, text(row->name), text(row->value))
		: row->edit == INSERT
		? e->header_insert(call, row->n, text(row->name), text(row->value))
		: e->header_change(call, text(row->name), row->n,
			  row->edit == CHANGE ? text(row->value) : text(NULL));

	ck_assert_int_eq(status, row->content ? TMAIL_OK : TMAIL_REFUSED);
}

#define A "A: 1\r\n"
#define B "B: 2\r\n folded\r\n"
#define C "a:3\r\n"
#define BODY "\r\nbody\r\n"
static const struct header_row rows[] = {
	{ ADD, 0, "X", "v", A B C "X: v\r\n" BODY },
	{ INSERT, 0, "X", "v", "X: v\r\n" A B C BODY },
	{ INSERT, 1, "X", "v", A "X: v\r\n" B C BODY },
	{ INSERT, 3, "X", "v", A B C "X: v\r\n" BODY },
	{ INSERT, 4, "X", "v", A B C "X: v\r\n" BODY },
	{ INSERT, UINT32_MAX, "X", "v", A B C "X: v\r\n" BODY },
	{ CHANGE, 0, "a", "v", "A: v\r\n" B C BODY },
	{ CHANGE, 1, "A", "v", A B "a: v\r\n" BODY },
	{ CHANGE, 2, "A", "v", A B C "A: v\r\n" BODY }, /* one more */
	{ CHANGE, 0, "b", "", A "B:\r\n" C BODY },
	{ REMOVE, 0, "A", NULL, B C BODY },
	{ REMOVE, 1, "A", NULL, A B BODY },
	{ REMOVE, 2, "A", NULL, A B C BODY },
	{ REMOVE, 0, "None", NULL, A B C BODY },
	{ ADD, 0, "X", "  kept", A B C "X:  kept\r\n" BODY },
	/* a value never ends its field */
	{ ADD, 0, "X", "v\r\nEvil: 1", A B C "X: v\r\n Evil: 1\r\n" BODY },
	{ ADD, 0, "X", "v\nEvil: 1", A B C "X: v\r\n Evil: 1\r\n" BODY },
	{ ADD, 0, "X", "v\r\n\r\nevil", A B C "X: v\r\n evil\r\n" BODY },
	{ CHANGE, 0, "A", "\r\n\r\nevil", "A: evil\r\n" B C BODY },
	/* what is no name */
	{ ADD, 0, "", "v", NULL },
	{ ADD, 0, "X Y", "v", NULL },
	{ ADD, 0, "X:", "v", NULL },
	{ ADD, 0, "X\r\nEvil", "v", NULL },
	{ ADD, 0, "X\t", "v", NULL },
	{ ADD, 0, "X\x7f", "v", NULL },
	{ ADD, 0, "\xc3\xa9", "v", NULL },
	{ INSERT, 0, "X Y", "v", NULL },
	{ CHANGE, 0, "X Y", "v", NULL },
	{ REMOVE, 0, "", NULL, NULL },
};

START_TEST(a_field_is_added_put_changed_and_removed_where_it_was_said)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message *m;

		begin(A B C BODY);
		row = &rows[i];
		make(edit_header);
		m = world.subject.message;
		ck_assert_msg(
			strcmp(buf_c(&m->data), row->content ? row->content : A B C BODY) == 0,
			"row %zu: %s", i, buf_c(&m->data));
		ck_assert_uint_eq(m->header_length, m->data.len - strlen("body\r\n"));
		world_end(&world);
	}
}
END_TEST

static void several(struct tmail_call *call, const struct tmail_edit *e)
{
	e->header_insert(call, 0, text("Two"), text("2"));
	e->header_insert(call, 0, text("One"), text("1"));
	e->header_change(call, text("two"), 0, text(NULL));
	e->header_add(call, text("A"), text("again"));
	e->header_change(call, text("A"), 2, text("third"));
}

START_TEST(edits_are_made_in_their_order_each_over_the_one_before)
{
	begin(A C BODY);
	make(several);
	ck_assert_str_eq(buf_c(&world.subject.message->data), "One: 1\r\n" A C "A: third\r\n" BODY);
	world_end(&world);
}
END_TEST

static void add_one(struct tmail_call *call, const struct tmail_edit *e)
{
	ck_assert_int_eq(e->header_insert(call, 0, text("X"), text("v")), TMAIL_OK);
}

START_TEST(a_message_without_a_header_gets_one_and_keeps_its_body)
{
	static const struct {
		const char *content, *then;
	} messages[] = {
		{ "\r\nbody\r\n", "X: v\r\n\r\nbody\r\n" },
		{ "no field\r\nbody\r\n", "X: v\r\n\r\nno field\r\nbody\r\n" },
		{ "A: 1\r\n", "X: v\r\nA: 1\r\n\r\n" },
		{ "A: 1\r\n\r\n", "X: v\r\nA: 1\r\n\r\n" },
		{ "", "X: v\r\n\r\n" },
	};

	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		begin(messages[i].content);
		make(add_one);
		ck_assert_str_eq(buf_c(&world.subject.message->data), messages[i].then);
		world_end(&world);
	}
}
END_TEST

/* ---- body -------------------------------------------------------------------------------- */

static void empty_body(struct tmail_call *call, const struct tmail_edit *e)
{
	ck_assert_int_eq(e->body_replace(call, text("")), TMAIL_OK);
}

START_TEST(a_body_may_be_taken_away_altogether)
{
	begin(A BODY);
	make(empty_body);
	ck_assert_str_eq(buf_c(&world.subject.message->data), A "\r\n");
	ck_assert(!world.subject.message->spool_stale); /* nothing was spooled */
	world_end(&world);
}
END_TEST

START_TEST(a_body_that_was_spooled_stays_when_the_header_changes)
{
	begin(A BODY);
	world.subject.message->spool_size = 100;
	make(add_one);
	ck_assert_str_eq(buf_c(&world.subject.message->data), "X: v\r\n" A BODY);
	ck_assert_uint_eq(world.subject.message->spool_size, 100);
	ck_assert(!world.subject.message->spool_stale);
	world_end(&world);
}
END_TEST

enum { PIECE = 1024 * 1024 };
static int taken;
static void body_without_end(struct tmail_call *call, const struct tmail_edit *e)
{
	char *piece = must_alloc(PIECE);

	for (taken = 0; taken < 1000; taken++)
		if (e->body_replace(call, (struct tmail_str){ piece, PIECE }) != TMAIL_OK)
			break;
	ck_assert_int_eq(e->header_add(call, text("X"), text("v")), TMAIL_REFUSED);
	free(piece);
}

START_TEST(edits_take_no_more_memory_than_all_messages_may)
{
	begin(A BODY);
	make(body_without_end);
	ck_assert_int_ge(taken, MESSAGE_BUDGET / PIECE);
	ck_assert_int_le(taken, MESSAGE_BUDGET / PIECE + 1);
	world_end(&world);
}
END_TEST

/* ---- where it may not be ----------------------------------------------------------------- */

static const struct tmail_edit *edit_seen;
static enum tmail_verdict keep_edit(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point == TMAIL_POINT_EOM) {
		edit_seen = call->host->edit;
		return TMAIL_CONTINUE;
	}
	ck_assert_ptr_null(call->host->edit);
	if (!edit_seen)
		return TMAIL_CONTINUE;
	/* Who kept the table may not use it elsewhere. */
	ck_assert_int_eq(edit_seen->header_add(call, text("X"), text("v")), TMAIL_REFUSED);
	ck_assert_int_eq(edit_seen->body_replace(call, text("x")), TMAIL_REFUSED);
	ck_assert_int_eq(edit_seen->sender_change(call, text("")), TMAIL_REFUSED);
	ck_assert_int_eq(edit_seen->recipient_add(call, text("x@example.org")), TMAIL_REFUSED);
	ck_assert_int_eq(edit_seen->recipient_remove(call, text("a@example.org")), TMAIL_REFUSED);
	ck_assert_int_eq(edit_seen->recipient_verdict(call, 0, TMAIL_REJECT, 0, text(""), text("")),
		TMAIL_REFUSED);
	taken++;
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_keep[] = { { TMAIL_POINT_HEADER, 0, keep_edit },
	{ TMAIL_POINT_EOH, 0, keep_edit }, { TMAIL_POINT_BODY, 0, keep_edit },
	{ TMAIL_POINT_EOM, 0, keep_edit }, { TMAIL_POINT_MAIL, 0, keep_edit } };
MODULE(module_keep, "test/keep", .capabilities = TMAIL_CAN_EDIT, .hooks = TMAIL_LIST(hooks_keep));

START_TEST(nothing_is_edited_but_at_the_end_of_the_message)
{
	module_preload(&module_keep);
	world_begin(&world, "modules = ({ module = \"test/keep\"; });");
	message_add_recipient(world_message(&world, A BODY), STR("a@example.org"), STR(""), 0);
	world_content(&world);
	ck_assert_ptr_nonnull(edit_seen);
	world_content(&world);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(taken, 4);
	ck_assert_str_eq(buf_c(&world.subject.message->data), A BODY);
	ck_assert_uint_eq(world.subject.message->recipient_count, 1);
	world_end(&world);
}
END_TEST

/* ---- envelope ---------------------------------------------------------------------------- */

static const struct {
	const char *address, *canonical; /* NULL: refused */
} addresses[] = {
	{ "New.One@EXAMPLE.org", "New.One@example.org" },
	{ "\"plain\"@example.org", "plain@example.org" },
	{ "\"a b\"@example.org", "\"a b\"@example.org" },
	{ "x@[192.0.2.1]", "x@[192.0.2.1]" },
	{ "\xc3\xa9@example.org", "\xc3\xa9@example.org" },
	{ "x", NULL },
	{ "x@", NULL },
	{ "@example.org", NULL },
	{ "<x@example.org>", NULL },
	{ "x@example.org> NOTIFY=NEVER", NULL },
	{ "x@example.org>\r\nRCPT TO:<y@example.org", NULL },
	{ "a b@example.org", NULL },
	{ " x@example.org", NULL },
	{ "\xc0\xaf@example.org", NULL },
};
static size_t at;

static void change_addresses(struct tmail_call *call, const struct tmail_edit *e)
{
	int status = addresses[at].canonical ? TMAIL_OK : TMAIL_REFUSED;

	ck_assert_msg(e->sender_change(call, text(addresses[at].address)) == status, "%s",
		addresses[at].address);
	ck_assert_msg(e->recipient_add(call, text(addresses[at].address)) == status, "%s",
		addresses[at].address);
}

START_TEST(addresses_are_those_of_the_one_grammar)
{
	for (at = 0; at < sizeof addresses / sizeof *addresses; at++) {
		struct message *m;

		begin(A BODY);
		make(change_addresses);
		m = world.subject.message;
		ASSERT_STR(str_tm(m->envelope.sender),
			addresses[at].canonical ? addresses[at].canonical : "sender@example.com");
		ck_assert_uint_eq(m->recipient_count, addresses[at].canonical ? 4 : 3);
		if (addresses[at].canonical)
			ASSERT_STR(str_tm(m->recipients[3].address), addresses[at].canonical);
		world_end(&world);
	}
}
END_TEST

static void null_sender(struct tmail_call *call, const struct tmail_edit *e)
{
	ck_assert_int_eq(e->sender_change(call, text("")), TMAIL_OK);
	ck_assert_int_eq(e->recipient_add(call, text("")), TMAIL_REFUSED);
}

START_TEST(a_sender_may_be_nobody_a_recipient_not)
{
	begin(A BODY);
	make(null_sender);
	ck_assert_uint_eq(world.subject.message->envelope.sender.len, 0);
	ck_assert_uint_eq(world.subject.message->recipient_count, 3);
	world_end(&world);
}
END_TEST

static void move_recipients(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_add(call, text("b@EXAMPLE.org")); /* there already */
	e->recipient_remove(call, text("a@EXAMPLE.org"));
	e->recipient_remove(call, text("B@example.org")); /* another local part */
	e->recipient_remove(call, text("nobody@example.org"));
	e->recipient_remove(call, text("\r\n"));
	e->recipient_add(call, text("d@example.org"));
	e->recipient_add(call, text("d@example.org"));
}

static void assert_recipients(const char *expected)
{
	const struct message *m = world.subject.message;
	struct buf all = { 0 };

	for (size_t i = 0; i < m->recipient_count; i++) {
		ck_assert_uint_eq(m->recipients[i].index, i);
		buf_printf(&all, "%s%.*s", i ? " " : "", STR_ARG(str_tm(m->recipients[i].address)));
	}
	ck_assert_str_eq(buf_c(&all), expected);
	buf_free(&all);
}

START_TEST(recipients_come_and_go_by_their_address)
{
	begin(A BODY);
	make(move_recipients);
	assert_recipients("b@example.org c@example.org d@example.org");
	world_end(&world);
}
END_TEST

/* ---- recipients apart -------------------------------------------------------------------- */

static void decide(struct tmail_call *call, const struct tmail_edit *e)
{
	ck_assert_int_eq(e->recipient_verdict(
				 call, 1, TMAIL_REJECT, 552, text("5.2.2"), text("Mailbox full")),
		TMAIL_OK);
	ck_assert_int_eq(
		e->recipient_verdict(call, 0, TMAIL_TEMPFAIL, 552, text("5.2.2"), text("")),
		TMAIL_OK);
	ck_assert_int_eq(
		e->recipient_verdict(call, 0, TMAIL_HOLD, 0, text(""), text("")), TMAIL_REFUSED);
	e->recipient_verdict(call, 99, TMAIL_REJECT, 0, text(""), text(""));
}

START_TEST(single_recipients_are_decided_apart)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(decide);
	v = message_verdicts(&world.subject);
	ck_assert_uint_eq(v->index, 1);
	ck_assert_uint_eq(v->code, 552);
	ck_assert_str_eq(v->enhanced, "5.2.2");
	ASSERT_STR(v->text, "Mailbox full");
	v = v->next;
	ck_assert_int_eq(v->verdict, TMAIL_TEMPFAIL);
	ck_assert_uint_eq(v->code / 100, 4); /* what does not fit becomes the core's own */
	ck_assert_ptr_null(v->next);
	world_end(&world);
}
END_TEST

static void decide_then_remove(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_verdict(call, 0, TMAIL_REJECT, 0, text(""), text("gone"));
	e->recipient_verdict(call, 1, TMAIL_REJECT, 552, text("5.2.2"), text("full"));
	e->recipient_remove(call, text("a@example.org"));
}

START_TEST(what_was_decided_about_a_recipient_moves_with_it)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(decide_then_remove);
	ASSERT_STR(str_tm(world.subject.message->recipients[0].address), "b@example.org");
	v = message_verdicts(&world.subject);
	ck_assert_uint_eq(v->index, 0);
	ASSERT_STR(v->text, "full");
	ck_assert_ptr_null(v->next); /* that about the one who went is gone */
	world_end(&world);
}
END_TEST

static void remove_then_decide(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_remove(call, text("a@example.org"));
	e->recipient_verdict(call, 2, TMAIL_REJECT, 0, text(""), text("c is gone"));
	e->recipient_verdict(call, 0, TMAIL_REJECT, 0, text(""), text("a is gone"));
}

START_TEST(a_recipient_has_the_number_that_the_module_saw)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(remove_then_decide);
	assert_recipients("b@example.org c@example.org");
	v = message_verdicts(&world.subject);
	ck_assert_uint_eq(v->index, 1);
	ASSERT_STR(v->text, "c is gone");
	ck_assert_ptr_null(v->next);
	world_end(&world);
}
END_TEST

static void discard_two(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_verdict(call, 2, TMAIL_DISCARD, 0, text(""), text(""));
	e->recipient_verdict(call, 1, TMAIL_REJECT, 0, text(""), text("b"));
	e->recipient_verdict(call, 0, TMAIL_DISCARD, 0, text(""), text(""));
	e->recipient_add(call, text("d@example.org"));
}

START_TEST(who_is_discarded_is_gone_without_a_word)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(discard_two);
	assert_recipients("b@example.org d@example.org");
	v = message_verdicts(&world.subject);
	ck_assert_uint_eq(v->index, 0);
	ck_assert_int_eq(v->verdict, TMAIL_REJECT);
	ck_assert_ptr_null(v->next);
	world_end(&world);
}
END_TEST

static void discard_last(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_verdict(call, 1, TMAIL_REJECT, 0, text(""), text("b"));
	e->recipient_verdict(call, 2, TMAIL_DISCARD, 0, text(""), text(""));
}

static void decide_first(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_verdict(call, 0, TMAIL_REJECT, 0, text(""), text("a"));
}

START_TEST(another_module_s_word_comes_behind_what_is_left)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(discard_last);
	make(decide_first);
	v = message_verdicts(&world.subject);
	ASSERT_STR(v->text, "b");
	ck_assert_ptr_nonnull(v->next);
	ASSERT_STR(v->next->text, "a");
	ck_assert_ptr_null(v->next->next);
	world_end(&world);
}
END_TEST

static void decide_twice(struct tmail_call *call, const struct tmail_edit *e)
{
	e->recipient_verdict(call, 0, TMAIL_TEMPFAIL, 0, text(""), text("first"));
	e->recipient_verdict(call, 0, TMAIL_REJECT, 0, text(""), text("second"));
	e->recipient_verdict(call, 0, TMAIL_DISCARD, 0, text(""), text(""));
}

START_TEST(the_first_word_about_a_recipient_stands)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(decide_twice);
	make(decide_twice); /* and so it does when another module speaks */
	assert_recipients("a@example.org b@example.org c@example.org");
	v = message_verdicts(&world.subject);
	ck_assert_int_eq(v->verdict, TMAIL_TEMPFAIL);
	ASSERT_STR(v->text, "first");
	ck_assert_ptr_null(v->next);
	world_end(&world);
}
END_TEST

static void decide_badly(struct tmail_call *call, const struct tmail_edit *e)
{
	static const enum tmail_verdict none[] = { TMAIL_CONTINUE, TMAIL_ACCEPT, TMAIL_HOLD,
		TMAIL_WAIT, (enum tmail_verdict)99 };

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_int_eq(e->recipient_verdict(call, 0, none[i], 0, text(""), text("")),
			TMAIL_REFUSED);
	ck_assert_int_eq(
		e->recipient_verdict(call, 3, TMAIL_REJECT, 0, text(""), text("")), TMAIL_OK);
	ck_assert_int_eq(
		e->recipient_verdict(call, UINT32_MAX, TMAIL_DISCARD, 0, text(""), text("")),
		TMAIL_OK);
	ck_assert_int_eq(
		e->recipient_verdict(call, 2, TMAIL_REJECT, 451, text("4.0.0"), text("a\r\nb")),
		TMAIL_OK);
}

START_TEST(nonsense_about_a_recipient_is_refused_or_made_sense_of)
{
	const struct recipient_verdict *v;

	begin(A BODY);
	make(decide_badly);
	assert_recipients("a@example.org b@example.org c@example.org");
	v = message_verdicts(&world.subject);
	ck_assert_uint_eq(v->index, 2);
	ck_assert_uint_eq(v->code, 550);
	ck_assert_str_eq(v->enhanced, "5.7.1");
	ASSERT_STR(v->text, "a  b");
	ck_assert_ptr_null(v->next); /* nobody has the other numbers */
	world_end(&world);
}
END_TEST

TEST_MAIN("host/edit", a_field_is_added_put_changed_and_removed_where_it_was_said,
	edits_are_made_in_their_order_each_over_the_one_before,
	a_message_without_a_header_gets_one_and_keeps_its_body, a_body_may_be_taken_away_altogether,
	a_body_that_was_spooled_stays_when_the_header_changes,
	edits_take_no_more_memory_than_all_messages_may,
	nothing_is_edited_but_at_the_end_of_the_message, addresses_are_those_of_the_one_grammar,
	a_sender_may_be_nobody_a_recipient_not, recipients_come_and_go_by_their_address,
	single_recipients_are_decided_apart, what_was_decided_about_a_recipient_moves_with_it,
	a_recipient_has_the_number_that_the_module_saw, who_is_discarded_is_gone_without_a_word,
	another_module_s_word_comes_behind_what_is_left, the_first_word_about_a_recipient_stands,
	nonsense_about_a_recipient_is_refused_or_made_sense_of)
