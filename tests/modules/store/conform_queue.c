/* SPDX-License-Identifier: MIT
 *
 * The rules of a queue. Each begins with an empty store. Times are small numbers: a store takes
 * "now" from who asks.
 */
#include "tests/modules/store/conform_queue.h"

#include "base/fail.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, THREADS = 4 };

/* ---- a message, and asking ------------------------------------------------------------------ */

struct mail {
	struct tmail_id id;
	const char *sender, *recipients[4], *content, *hold;
	int64_t due, received;
};

struct sent {
	struct tmail_envelope envelope;
	struct tmail_recipient recipients[4];
	struct tmail_str content;
};

static struct tmail_str tm(const char *text)
{
	return (struct tmail_str){ text, text ? strlen(text) : 0 };
}

static struct tmail_id id_of(uint64_t n)
{
	return (struct tmail_id){ 5000 + n, 7 };
}

static struct tmail_queue_op add_op(const struct mail *m, struct sent *sent)
{
	uint32_t count = 0;

	for (; count < 4 && m->recipients[count]; count++)
		sent->recipients[count] = (struct tmail_recipient){ .index = count,
			.address = tm(m->recipients[count]) };
	sent->content = tm(m->content ? m->content : "Subject: x\r\n\r\nbody\r\n");
	sent->envelope = (struct tmail_envelope){ .size = sizeof sent->envelope, .id = m->id,
		.sender = tm(m->sender ? m->sender : "s@example.com"),
		.received = m->received ? m->received : 100,
		.recipients = { sent->recipients, count, sizeof *sent->recipients } };
	return (struct tmail_queue_op){ .change = TMAIL_QUEUE_ADD, .id = m->id,
		.envelope = &sent->envelope, .content = &sent->content, .content_count = 1,
		.opaque = tm("opaque"), .due = m->due, .reply = tm(m->hold) };
}

static void write_ops(struct fake_host *f, const struct tmail_queue_op *ops, uint32_t count,
	struct tmail_queue_verdict *results)
{
	struct tmail_queue_write q = { sizeof q, count, { ops, count, sizeof *ops }, results };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_WRITE, &q, NULL), TMAIL_OK);
}

static uint32_t write_one(struct fake_host *f, struct tmail_queue_op op)
{
	struct tmail_queue_verdict result = { .result = 99 };

	write_ops(f, &op, 1, &result);
	return result.result;
}

static void add(struct fake_host *f, struct mail m)
{
	struct sent sent;

	if (!m.recipients[0])
		m.recipients[0] = "r@example.com";
	ck_assert_uint_eq(write_one(f, add_op(&m, &sent)), TMAIL_QUEUE_DURABLE);
}

static uint32_t outcome(struct fake_host *f, uint64_t n, uint32_t recipient, uint32_t fate,
	int64_t due, const char *reply)
{
	return write_one(f,
		(struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME, .id = id_of(n),
			.recipient = recipient, .fate = fate, .due = due, .attempts = 3,
			.reply = tm(reply) });
}

static uint32_t change(struct fake_host *f, uint32_t what, uint64_t n, int64_t due,
	const char *words)
{
	return write_one(f,
		(struct tmail_queue_op){ .change = what, .id = id_of(n), .due = due,
			.reply = tm(words) });
}

static struct tmail_queue_claimed claim(struct fake_host *f, int64_t now, uint32_t limit)
{
	struct tmail_queue_claim q = { sizeof q, limit, now };
	struct tmail_queue_claimed claimed = { .size = sizeof claimed };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_CLAIM, &q, &claimed), TMAIL_OK);
	return claimed;
}

static void release(struct fake_host *f, uint64_t n, int64_t due)
{
	struct tmail_id id = id_of(n);
	struct tmail_queue_release q = { sizeof q, 1, &id, due };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RELEASE, &q, NULL), TMAIL_OK);
}

static const struct tmail_queue_entry *entry_at(const struct tmail_queue_claimed *c, uint32_t i)
{
	ck_assert_uint_lt(i, c->entries.count);
	return TMAIL_AT(struct tmail_queue_entry, c->entries, i);
}

static int check_id(struct fake_host *f, uint64_t n)
{
	struct tmail_queue_check q = { sizeof q, 0, id_of(n) };

	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_CHECK, &q, NULL);
}

static struct tmail_queue_counts counts(struct fake_host *f)
{
	struct tmail_queue_counts c = { .size = sizeof c };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_COUNT, NULL, &c), TMAIL_OK);
	return c;
}

static int read_message(struct fake_host *f, uint64_t n, uint64_t offset, uint64_t limit,
	struct tmail_queue_content *content)
{
	struct tmail_queue_read q = { sizeof q, id_of(n), offset, limit };

	*content = (struct tmail_queue_content){ .size = sizeof *content };
	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_READ, &q, content);
}

static void assert_text(struct tmail_str s, const char *text)
{
	ck_assert_uint_eq(s.len, strlen(text));
	if (s.len)
		ck_assert_mem_eq(s.data, text, s.len);
}

static void restart(struct fake_host *f)
{
	fake_stop(f);
	ck_assert_msg(fake_start(f) == TMAIL_OK, "%s", fake_said(f));
}

/* Claims of a store that several nodes share outlive the node for a while. */
static bool claims_run_out(struct fake_host *f)
{
	struct tmail_queue_renew q = { .size = sizeof q };

	return fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RENEW, &q, NULL) != TMAIL_UNSUPPORTED;
}

struct found {
	uint32_t count, stop_after;
	struct {
		uint64_t n;
		uint32_t recipient, fate;
	} at[MOST];
	int64_t due[MOST];
	char reply[MOST][64];
};

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

static struct found find(struct fake_host *f, struct tmail_queue_find q)
{
	struct found found = { 0 };

	q.size = sizeof q;
	q.found = found_one;
	q.ctx = &found;
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_FIND, &q, NULL), TMAIL_OK);
	return found;
}

/* ---- WRITE, CHECK ----------------------------------------------------------------------------- */

static void what_is_durable_is_there_after_a_restart(struct fake_host *f)
{
	struct tmail_queue_content content;
	struct mail m = { .id = id_of(1), .sender = "", .content = "a\r\nb\r\n",
		.recipients = { "x@one.example", "y@two.example" } };

	add(f, m);
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 1000, &content), TMAIL_OK);
	assert_text(content.octets, "a\r\nb\r\n");
	assert_text(content.opaque, "opaque");
	assert_text(content.envelope->sender, "");
	ck_assert_uint_eq(content.envelope->recipients.count, 2);
	assert_text(TMAIL_AT(struct tmail_recipient, content.envelope->recipients, 1)->address,
		"y@two.example");
	ck_assert_uint_eq(content.envelope->received, 100);
	ck_assert_uint_eq(content.total, 6);
}

static void an_envelope_is_kept_whole(struct fake_host *f)
{
	struct tmail_recipient recipient = { .index = 0, .notify = TMAIL_NOTIFY_DELAY,
		.address = tm("r@example.com"), .original = tm("R=40@example.com") };
	struct tmail_envelope e = { .size = sizeof e, .body = TMAIL_BODY_8BITMIME,
		.ret = TMAIL_RET_HDRS, .smtputf8 = 1, .id = id_of(1), .received = 77,
		.declared_size = 12345, .sender = tm("s@example.com"), .envid = tm("env"),
		.login = tm("me"), .recipients = { &recipient, 1, sizeof recipient } };
	struct tmail_str pieces[3] = { tm("one "), { "\0two", 4 }, tm(" three") };
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_ADD, .id = id_of(1), .envelope = &e,
		.opaque = { "a\0b", 3 }, .content = pieces, .content_count = 3 };
	struct tmail_queue_content content;
	const struct tmail_recipient *kept;

	ck_assert_uint_eq(write_one(f, op), TMAIL_QUEUE_DURABLE);
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 1000, &content), TMAIL_OK);
	ck_assert_uint_eq(content.octets.len, 14);
	ck_assert_mem_eq(content.octets.data, "one \0two three", 14);
	ck_assert_uint_eq(content.opaque.len, 3);
	ck_assert_mem_eq(content.opaque.data, "a\0b", 3);
	kept = TMAIL_AT(struct tmail_recipient, content.envelope->recipients, 0);
	ck_assert_uint_eq(kept->notify, TMAIL_NOTIFY_DELAY);
	assert_text(kept->original, "R=40@example.com");
	ck_assert_uint_eq(content.envelope->body, TMAIL_BODY_8BITMIME);
	ck_assert_uint_eq(content.envelope->ret, TMAIL_RET_HDRS);
	ck_assert_uint_eq(content.envelope->smtputf8, 1);
	ck_assert_int_eq(content.envelope->received, 77);
	ck_assert_uint_eq(content.envelope->declared_size, 12345);
	ck_assert_uint_eq(content.envelope->id.hi, id_of(1).hi);
	assert_text(content.envelope->envid, "env");
	assert_text(content.envelope->login, "me");
}

static void an_id_is_accepted_once(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1), .content = "first" });
	add(f, (struct mail){ .id = id_of(1), .content = "second" });
	ck_assert_uint_eq(counts(f).messages, 1);
	ck_assert_int_eq(read_message(f, 1, 0, 100, &content), TMAIL_OK);
	assert_text(content.octets, "first");
}

static void an_id_that_has_ended_is_not_accepted_again(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(
		outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok"), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_END, 1, 0, NULL), TMAIL_QUEUE_DURABLE);
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(counts(f).messages, 0);
	ck_assert_int_eq(read_message(f, 1, 0, 100, &content), TMAIL_NOT_FOUND);
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
}

static void many_operations_are_answered_one_by_one(struct fake_host *f)
{
	struct mail m = { .id = id_of(1), .recipients = { "r@example.com" } };
	struct tmail_queue_verdict results[4];
	struct tmail_queue_op ops[4];
	struct sent sent[4];

	ops[0] = add_op(&m, &sent[0]);
	m.id = id_of(2);
	ops[1] = add_op(&m, &sent[1]);
	ops[2] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME, .id = id_of(99),
		.fate = TMAIL_FATE_DELIVERED };
	ops[3] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_HOLD, .id = id_of(2),
		.reply = tm("why") };
	write_ops(f, ops, 4, results);
	ck_assert_uint_eq(results[0].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(results[1].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(results[2].result, TMAIL_QUEUE_NO);
	ck_assert_uint_gt(results[2].why.len, 0);
	ck_assert_uint_eq(results[3].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(counts(f).held, 1);
	write_ops(f, ops, 0, results);
}

static void what_is_about_nothing_is_refused(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(
		outcome(f, 2, 0, TMAIL_FATE_DELIVERED, 0, ""), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(
		outcome(f, 1, 9, TMAIL_FATE_DELIVERED, 0, ""), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_HOLD, 2, 0, "x"), TMAIL_QUEUE_NO);
	/* Nothing of that id lives: that is what END wants. */
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_END, 2, 0, NULL), TMAIL_QUEUE_DURABLE);
}

static void check_knows_what_is_durable(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
	ck_assert_int_eq(check_id(f, 2), TMAIL_NOT_FOUND);
	restart(f);
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
}

/* ---- outcomes --------------------------------------------------------------------------------- */

static void outcomes_are_of_one_recipient(struct fake_host *f)
{
	struct tmail_queue_content content;
	const struct tmail_queue_entry *e;

	add(f, (struct mail){ .id = id_of(1),
		       .recipients = { "a@example.com", "b@example.com", "c@example.com" } });
	outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 thanks");
	outcome(f, 1, 2, TMAIL_FATE_DEFERRED, 900, "450 later");
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 0, &content), TMAIL_OK);
	ck_assert_uint_eq(content.octets.len, 0);
	ck_assert_uint_eq(content.states.count, 3);
	e = TMAIL_AT(struct tmail_queue_entry, content.states, 0);
	ck_assert_uint_eq(e->fate, TMAIL_FATE_DELIVERED);
	assert_text(e->reply, "250 thanks");
	e = TMAIL_AT(struct tmail_queue_entry, content.states, 1);
	ck_assert_uint_eq(e->fate, TMAIL_FATE_PENDING);
	ck_assert_uint_eq(e->attempts, 0);
	e = TMAIL_AT(struct tmail_queue_entry, content.states, 2);
	ck_assert_uint_eq(e->fate, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(e->attempts, 3);
	ck_assert_int_eq(e->due, 900);
	assert_text(e->reply, "450 later");
	ck_assert_uint_eq(counts(f).recipients, 2);
}

static void who_has_an_end_keeps_it(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok");
	ck_assert_uint_eq(
		outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok"), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(
		outcome(f, 1, 0, TMAIL_FATE_DEFERRED, 9, "450 no"), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
}

static void the_end_takes_a_message_away(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1) });
	add(f, (struct mail){ .id = id_of(2) });
	outcome(f, 1, 0, TMAIL_FATE_BOUNCED, 0, "550 no");
	change(f, TMAIL_QUEUE_END, 1, 0, NULL);
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 10, &content), TMAIL_NOT_FOUND);
	ck_assert_int_eq(read_message(f, 2, 0, 10, &content), TMAIL_OK);
	ck_assert_uint_eq(counts(f).messages, 1);
}

/* ---- claims ------------------------------------------------------------------------------------ */

static void who_adds_has_the_claim(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
	release(f, 1, 0);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 1);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
}

static void a_start_gives_claims_back(struct fake_host *f)
{
	if (claims_run_out(f))
		return;
	add(f, (struct mail){ .id = id_of(1) });
	restart(f);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 1);
}

static void what_is_due_is_claimed_in_its_order(struct fake_host *f)
{
	struct tmail_queue_claimed c;

	add(f, (struct mail){ .id = id_of(1), .due = 300 });
	add(f, (struct mail){ .id = id_of(2), .due = 100 });
	add(f, (struct mail){ .id = id_of(3), .due = 200 });
	add(f, (struct mail){ .id = id_of(4), .due = 400 });
	c = claim(f, 50, 10);
	ck_assert_uint_eq(c.entries.count, 0);
	ck_assert_int_eq(c.next, 100);
	c = claim(f, 300, 2);
	ck_assert_uint_eq(c.entries.count, 2);
	ck_assert_uint_eq(entry_at(&c, 0)->id.hi, id_of(2).hi);
	ck_assert_uint_eq(entry_at(&c, 1)->id.hi, id_of(3).hi);
	assert_text(entry_at(&c, 0)->address, "r@example.com");
	assert_text(entry_at(&c, 0)->sender, "s@example.com");
	c = claim(f, 300, 10);
	ck_assert_uint_eq(c.entries.count, 1);
	ck_assert_int_eq(c.next, 400);
}

static void a_claim_ends_with_an_outcome(struct fake_host *f)
{
	struct tmail_queue_claimed c;

	add(f, (struct mail){ .id = id_of(1), .due = 100,
		       .recipients = { "a@example.com", "b@example.com" } });
	c = claim(f, 100, 10);
	ck_assert_uint_eq(c.entries.count, 2);
	/* The other is still being tried: only who has his outcome may come again. */
	outcome(f, 1, 0, TMAIL_FATE_DEFERRED, 200, "450 later");
	c = claim(f, 150, 10);
	ck_assert_uint_eq(c.entries.count, 0);
	c = claim(f, 200, 10);
	ck_assert_uint_eq(c.entries.count, 1);
	ck_assert_uint_eq(entry_at(&c, 0)->recipient, 0);
	ck_assert_uint_eq(entry_at(&c, 0)->attempts, 3);
	assert_text(entry_at(&c, 0)->reply, "450 later");
}

static void a_claim_that_is_given_back_is_due_as_said(struct fake_host *f)
{
	struct tmail_queue_claimed c;

	add(f, (struct mail){ .id = id_of(1), .due = 100 });
	claim(f, 100, 10);
	release(f, 1, 500);
	c = claim(f, 499, 10);
	ck_assert_uint_eq(c.entries.count, 0);
	ck_assert_int_eq(c.next, 500);
	ck_assert_uint_eq(claim(f, 500, 10).entries.count, 1);
}

static void what_is_held_is_not_claimed(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1), .hold = "suspicious" });
	add(f, (struct mail){ .id = id_of(2), .due = 100 });
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_HOLD, 2, 0, "by hand"), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
	restart(f);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
	ck_assert_uint_eq(counts(f).held, 2);
	ck_assert_int_eq(read_message(f, 1, 0, 0, &content), TMAIL_OK);
	assert_text(TMAIL_AT(struct tmail_queue_entry, content.states, 0)->hold, "suspicious");
	ck_assert_int_eq(read_message(f, 2, 0, 0, &content), TMAIL_OK);
	assert_text(TMAIL_AT(struct tmail_queue_entry, content.states, 0)->hold, "by hand");
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_FREE, 1, 600, NULL), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_FREE, 2, 600, NULL), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(claim(f, 600, 10).entries.count, 2);
	ck_assert_uint_eq(counts(f).held, 0);
}

static void who_is_living_can_be_made_due(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1), .due = 9000,
		       .recipients = { "a@example.com", "b@example.com" } });
	outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok");
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_DUE, 1, 500, NULL), TMAIL_QUEUE_DURABLE);
	restart(f);
	ck_assert_uint_eq(claim(f, 499, 10).entries.count, 0);
	ck_assert_uint_eq(claim(f, 500, 10).entries.count, 1);
}

struct claimer {
	pthread_t thread;
	struct fake_host *f;
	uint32_t seen[256];
};

static void *claimer_run(void *ctx)
{
	struct claimer *claimer = ctx;

	for (;;) {
		struct tmail_queue_claim q = { sizeof q, 3, 1000 };
		struct tmail_queue_claimed c = { .size = sizeof c };

		if (fake_ask(claimer->f, TMAIL_QUEUE, TMAIL_QUEUE_CLAIM, &q, &c) != TMAIL_OK ||
			c.entries.count == 0)
			return NULL;
		TMAIL_EACH (struct tmail_queue_entry, e, c.entries)
			claimer->seen[e->id.hi - 5000]++;
	}
}

static void claims_of_several_threads_never_overlap(struct fake_host *f)
{
	enum { MESSAGES = 200 };
	struct claimer *claimers = must_alloc(THREADS * sizeof *claimers);

	for (uint64_t i = 0; i < MESSAGES; i++)
		add(f, (struct mail){ .id = id_of(i), .due = 100 });
	for (int i = 0; i < THREADS; i++) {
		claimers[i].f = f;
		pthread_create(&claimers[i].thread, NULL, claimer_run, &claimers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(claimers[i].thread, NULL);
	for (int n = 0; n < MESSAGES; n++) {
		uint32_t times = 0;

		for (int i = 0; i < THREADS; i++)
			times += claimers[i].seen[n];
		ck_assert_uint_eq(times, 1);
	}
	free(claimers);
}

/* ---- READ, spool ------------------------------------------------------------------------------- */

static void content_is_read_in_pieces(struct fake_host *f)
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

static void what_is_spooled_follows_the_content(struct fake_host *f)
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

static void a_spool_that_is_not_whole_is_not_accepted(struct fake_host *f)
{
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NO);
	ck_assert_int_eq(spool(f, 1, 0, "01234", 5, 0), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NO);
	ck_assert_int_eq(spool(f, 1, 9, "x", 1, 0), TMAIL_REFUSED);
	ck_assert_int_eq(spool(f, 1, 5, NULL, 0, 1), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 4), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_DURABLE);
}

static void a_spool_can_be_dropped(struct fake_host *f)
{
	struct tmail_queue_content content;

	ck_assert_int_eq(spool(f, 1, 0, "01234", 5, 1), TMAIL_OK);
	ck_assert_int_eq(spool(f, 1, 0, NULL, 0, 2), TMAIL_OK);
	ck_assert_int_eq(unspool(f, 1, 0, 5, &content), TMAIL_NOT_FOUND);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 5), TMAIL_QUEUE_NO);
	ck_assert_int_eq(spool(f, 1, 0, "abc", 3, 1), TMAIL_OK);
	ck_assert_uint_eq(add_spooled(f, 1, "front", 3), TMAIL_QUEUE_DURABLE);
}

static void room_is_reserved_and_given_back(struct fake_host *f)
{
	struct tmail_queue_reserve some = { .size = sizeof some, .octets = 1000 };
	struct tmail_queue_reserve all = { .size = sizeof all, .octets = UINT64_MAX / 2 };

	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &some, NULL), TMAIL_OK);
	ck_assert_int_eq(
		fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &all, NULL), TMAIL_TRY_LATER);
	some.give_back = 1;
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RESERVE, &some, NULL), TMAIL_OK);
}

/* ---- FIND, COUNT -------------------------------------------------------------------------------- */

/* 1: pending; 2: deferred twice; 3: held; 4: one delivered, one pending. */
static void four_messages(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(2), .sender = "Second@B.example", .received = 200,
		       .recipients = { "x@one.example", "y@two.example" } });
	add(f, (struct mail){ .id = id_of(1), .sender = "first@a.example", .received = 100,
		       .due = 5000 });
	add(f, (struct mail){ .id = id_of(4), .sender = "", .received = 400,
		       .recipients = { "u@one.example", "v@two.example" } });
	add(f, (struct mail){ .id = id_of(3), .sender = "third@b.example", .received = 300,
		       .hold = "why" });
	outcome(f, 2, 0, TMAIL_FATE_DEFERRED, 700, "450 mailbox FULL");
	outcome(f, 2, 1, TMAIL_FATE_DEFERRED, 800, "451 greylisted");
	outcome(f, 4, 0, TMAIL_FATE_DELIVERED, 0, "250 ok");
}

static void the_living_are_found_in_the_order_of_ids(struct fake_host *f)
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

static void every_filter_filters(struct fake_host *f)
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

static void pages_follow_each_other(struct fake_host *f)
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

static void who_has_seen_enough_ends_the_walk(struct fake_host *f)
{
	int count = 0;
	struct tmail_queue_find q = { .size = sizeof q, .found = found_stop, .ctx = &count };

	four_messages(f);
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_FIND, &q, NULL), TMAIL_OK);
	ck_assert_int_eq(count, 1);
}

static void counters_say_what_is_there(struct fake_host *f)
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

/* ---- all of them --------------------------------------------------------------------------------- */

#define RULE(rule) { #rule, rule }
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
