/* SPDX-License-Identifier: MIT
 *
 * The rules of a queue: their table, and the words they are written in. Each begins with an empty
 * store. Times are small numbers: a store takes "now" from who asks.
 */
#include "tests/modules/store/conform_queue_kit.h"

#include <stdio.h>

/* ---- a message, and asking --------------------------------------------------------------- */

struct tmail_str tm(const char *text)
{
	return (struct tmail_str){ text, text ? strlen(text) : 0 };
}

struct tmail_id id_of(uint64_t n)
{
	return (struct tmail_id){ 5000 + n, 7 };
}

struct tmail_queue_op add_op(const struct mail *m, struct sent *sent)
{
	uint32_t count = 0;

	for (; count < 4 && m->recipients[count]; count++)
		sent->recipients[count] = (struct tmail_recipient){ .index = count,
			.address = tm(m->recipients[count]) };
	sent->content = tm(m->content ? m->content : "Subject: x\r\n\r\nbody\r\n");
	sent->envelope = (struct tmail_envelope){ .size = sizeof sent->envelope,
		.id = m->id,
		.sender = tm(m->sender ? m->sender : "s@example.com"),
		.received = m->received ? m->received : 100,
		.recipients = { sent->recipients, count, sizeof *sent->recipients } };
	return (struct tmail_queue_op){ .change = TMAIL_QUEUE_ADD,
		.id = m->id,
		.envelope = &sent->envelope,
		.content = &sent->content,
		.content_count = 1,
		.opaque = tm("opaque"),
		.due = m->due,
		.reply = tm(m->hold) };
}

void write_ops(struct fake_host *f, const struct tmail_queue_op *ops, uint32_t count,
	struct tmail_queue_verdict *results)
{
	struct tmail_queue_write q = { sizeof q, count, { ops, count, sizeof *ops }, results };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_WRITE, &q, NULL), TMAIL_OK);
}

uint32_t write_one(struct fake_host *f, struct tmail_queue_op op)
{
	struct tmail_queue_verdict result = { .result = 99 };

	write_ops(f, &op, 1, &result);
	return result.result;
}

void add(struct fake_host *f, struct mail m)
{
	struct sent sent;

	if (!m.recipients[0])
		m.recipients[0] = "r@example.com";
	ck_assert_uint_eq(write_one(f, add_op(&m, &sent)), TMAIL_QUEUE_DURABLE);
}

uint32_t outcome(struct fake_host *f, uint64_t n, uint32_t recipient, uint32_t fate, int64_t due,
	const char *reply)
{
	return write_one(f,
		(struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
			.id = id_of(n),
			.recipient = recipient,
			.fate = fate,
			.due = due,
			.attempts = 3,
			.reply = tm(reply) });
}

uint32_t change(struct fake_host *f, uint32_t what, uint64_t n, int64_t due, const char *words)
{
	return write_one(f,
		(struct tmail_queue_op){
			.change = what, .id = id_of(n), .due = due, .reply = tm(words) });
}

struct tmail_queue_claimed claim(struct fake_host *f, int64_t now, uint32_t limit)
{
	struct tmail_queue_claim q = { sizeof q, limit, now };
	struct tmail_queue_claimed claimed = { .size = sizeof claimed };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_CLAIM, &q, &claimed), TMAIL_OK);
	return claimed;
}

void release(struct fake_host *f, uint64_t n, uint32_t recipient, int64_t due)
{
	struct tmail_queue_given_back one = { id_of(n), recipient, due };
	struct tmail_queue_release q = { sizeof q, { &one, 1, sizeof one } };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RELEASE, &q, NULL), TMAIL_OK);
}

const struct tmail_queue_entry *entry_at(const struct tmail_queue_claimed *c, uint32_t i)
{
	ck_assert_uint_lt(i, c->entries.count);
	return TMAIL_AT(struct tmail_queue_entry, c->entries, i);
}

int check_id(struct fake_host *f, uint64_t n)
{
	struct tmail_queue_check q = { sizeof q, 0, id_of(n) };

	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_CHECK, &q, NULL);
}

struct tmail_queue_counts counts(struct fake_host *f)
{
	struct tmail_queue_counts c = { .size = sizeof c };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_COUNT, NULL, &c), TMAIL_OK);
	return c;
}

int read_message(struct fake_host *f, uint64_t n, uint64_t offset, uint64_t limit,
	struct tmail_queue_content *content)
{
	struct tmail_queue_read q = { sizeof q, id_of(n), offset, limit };

	*content = (struct tmail_queue_content){ .size = sizeof *content };
	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_READ, &q, content);
}

void assert_text(struct tmail_str s, const char *text)
{
	ck_assert_uint_eq(s.len, strlen(text));
	if (s.len)
		ck_assert_mem_eq(s.data, text, s.len);
}

void restart(struct fake_host *f)
{
	fake_stop(f);
	ck_assert_msg(fake_start(f) == TMAIL_OK, "%s", fake_said(f));
}

/* Claims of a store that several nodes share outlive the node for a while. */
bool claims_run_out(struct fake_host *f)
{
	struct tmail_queue_renew q = { .size = sizeof q };

	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RENEW, &q, NULL) != TMAIL_UNSUPPORTED;
}

static int found_one(void *ctx, const struct tmail_queue_entry *e)
{
	struct found *found = ctx;

	ck_assert_uint_lt(found->count, MOST);
	found->at[found->count].n = e->id.hi - 5000;
	found->at[found->count].recipient = e->recipient;
	found->at[found->count].fate = e->fate;
	found->due[found->count] = e->due;
	snprintf(found->reply[found->count], sizeof *found->reply, "%.*s", (int)e->reply.len,
		e->reply.data ? e->reply.data : "");
	found->count++;
	return found->count == found->stop_after;
}

struct found find(struct fake_host *f, struct tmail_queue_find q)
{
	struct found found = { 0 };

	q.size = sizeof q;
	q.found = found_one;
	q.ctx = &found;
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_FIND, &q, NULL), TMAIL_OK);
	return found;
}

/* ---- all of them ------------------------------------------------------------------------- */

#define RULE(rule)                                                                                 \
	{                                                                                          \
#rule, rule                                                                        \
	}
const struct conform_rule conform_queue_rules[] = {
	RULE(what_is_durable_is_there_after_a_restart),
	RULE(an_envelope_is_kept_whole),
	RULE(an_id_is_accepted_once),
	RULE(an_id_that_has_ended_is_not_accepted_again),
	RULE(many_operations_are_answered_one_by_one),
	RULE(what_is_about_nothing_is_refused),
	RULE(check_knows_what_is_durable),
	RULE(outcomes_are_of_one_recipient),
	RULE(who_has_an_end_keeps_it),
	RULE(the_end_takes_a_message_away),
	RULE(who_adds_has_the_claim),
	RULE(a_start_gives_claims_back),
	RULE(what_is_due_is_claimed_in_its_order),
	RULE(a_claim_ends_with_an_outcome),
	RULE(a_claim_that_is_given_back_is_due_as_said),
	RULE(only_the_claims_that_are_named_are_given_back),
	RULE(what_is_not_claimed_is_not_given_back),
	RULE(a_note_is_kept_with_its_recipient),
	RULE(what_is_held_is_not_claimed),
	RULE(who_is_living_can_be_made_due),
	RULE(claims_of_several_threads_never_overlap),
	RULE(content_is_read_in_pieces),
	RULE(what_is_spooled_follows_the_content),
	RULE(a_spool_that_is_not_whole_is_not_accepted),
	RULE(a_spool_can_be_dropped),
	RULE(room_is_reserved_and_given_back),
	RULE(the_living_are_found_in_the_order_of_ids),
	RULE(every_filter_filters),
	RULE(pages_follow_each_other),
	RULE(who_has_seen_enough_ends_the_walk),
	RULE(counters_say_what_is_there),
};
const unsigned conform_queue_count = sizeof conform_queue_rules / sizeof *conform_queue_rules;

void conform_queue_run(const struct conform *c, unsigned place)
{
	struct fake_host *f = c->begin(c->ctx);

	ck_assert_msg(fake_start(f) == TMAIL_OK, "%s", fake_said(f));
	printf("%s: %s\n", c->module->name, conform_queue_rules[place].name);
	fflush(stdout);
	conform_queue_rules[place].run(f);
	fake_stop(f);
	c->end(c->ctx, f);
}
