/* SPDX-License-Identifier: MIT
 *
 * Rules of a queue: what WRITE keeps, what outcomes do, who has a claim.
 */
#include "tests/modules/store/conform_queue_kit.h"

#include "base/fail.h"

#include <pthread.h>

enum { THREADS = 4 };

/* ---- WRITE, CHECK ------------------------------------------------------------------------ */

void what_is_durable_is_there_after_a_restart(struct fake_host *f)
{
	struct tmail_queue_content content;
	struct mail m = { .id = id_of(1),
		.sender = "",
		.content = "a\r\nb\r\n",
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

void an_envelope_is_kept_whole(struct fake_host *f)
{
	struct tmail_recipient recipient = { .index = 0,
		.notify = TMAIL_NOTIFY_DELAY,
		.address = tm("r@example.com"),
		.original = tm("R=40@example.com") };
	struct tmail_envelope e = { .size = sizeof e,
		.body = TMAIL_BODY_8BITMIME,
		.ret = TMAIL_RET_HDRS,
		.smtputf8 = 1,
		.id = id_of(1),
		.received = 77,
		.declared_size = 12345,
		.sender = tm("s@example.com"),
		.envid = tm("env"),
		.login = tm("me"),
		.recipients = { &recipient, 1, sizeof recipient } };
	struct tmail_str pieces[3] = { tm("one "), { "\0two", 4 }, tm(" three") };
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_ADD,
		.id = id_of(1),
		.envelope = &e,
		.opaque = { "a\0b", 3 },
		.content = pieces,
		.content_count = 3 };
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

void an_id_is_accepted_once(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1), .content = "first" });
	add(f, (struct mail){ .id = id_of(1), .content = "second" });
	ck_assert_uint_eq(counts(f).messages, 1);
	ck_assert_int_eq(read_message(f, 1, 0, 100, &content), TMAIL_OK);
	assert_text(content.octets, "first");
}

void an_id_that_has_ended_is_not_accepted_again(struct fake_host *f)
{
	struct tmail_queue_content content;

	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok"), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_END, 1, 0, NULL), TMAIL_QUEUE_DURABLE);
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(counts(f).messages, 0);
	ck_assert_int_eq(read_message(f, 1, 0, 100, &content), TMAIL_NOT_FOUND);
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
}

void many_operations_are_answered_one_by_one(struct fake_host *f)
{
	struct mail m = { .id = id_of(1), .recipients = { "r@example.com" } };
	struct tmail_queue_verdict results[4];
	struct tmail_queue_op ops[4];
	struct sent sent[4];

	ops[0] = add_op(&m, &sent[0]);
	m.id = id_of(2);
	ops[1] = add_op(&m, &sent[1]);
	ops[2] = (struct tmail_queue_op){
		.change = TMAIL_QUEUE_OUTCOME, .id = id_of(99), .fate = TMAIL_FATE_DELIVERED
	};
	ops[3] = (struct tmail_queue_op){
		.change = TMAIL_QUEUE_HOLD, .id = id_of(2), .reply = tm("why")
	};
	write_ops(f, ops, 4, results);
	ck_assert_uint_eq(results[0].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(results[1].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(results[2].result, TMAIL_QUEUE_NEVER);
	ck_assert_uint_gt(results[2].why.len, 0);
	ck_assert_uint_eq(results[3].result, TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(counts(f).held, 1);
	write_ops(f, ops, 0, results);
}

void what_is_about_nothing_is_refused(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(outcome(f, 2, 0, TMAIL_FATE_DELIVERED, 0, ""), TMAIL_QUEUE_NEVER);
	ck_assert_uint_eq(outcome(f, 1, 9, TMAIL_FATE_DELIVERED, 0, ""), TMAIL_QUEUE_NEVER);
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_HOLD, 2, 0, "x"), TMAIL_QUEUE_NEVER);
	/* Nothing of that id lives: that is what END wants. */
	ck_assert_uint_eq(change(f, TMAIL_QUEUE_END, 2, 0, NULL), TMAIL_QUEUE_DURABLE);
}

void check_knows_what_is_durable(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
	ck_assert_int_eq(check_id(f, 2), TMAIL_NOT_FOUND);
	restart(f);
	ck_assert_int_eq(check_id(f, 1), TMAIL_OK);
}

/* ---- outcomes ---------------------------------------------------------------------------- */

void outcomes_are_of_one_recipient(struct fake_host *f)
{
	struct tmail_queue_content content;
	const struct tmail_queue_entry *e;

	add(f,
		(struct mail){ .id = id_of(1),
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

void who_has_an_end_keeps_it(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok");
	ck_assert_uint_eq(outcome(f, 1, 0, TMAIL_FATE_DELIVERED, 0, "250 ok"), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(outcome(f, 1, 0, TMAIL_FATE_DEFERRED, 9, "450 no"), TMAIL_QUEUE_NEVER);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
}

void the_end_takes_a_message_away(struct fake_host *f)
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

/* ---- claims ------------------------------------------------------------------------------ */

void who_adds_has_the_claim(struct fake_host *f)
{
	add(f, (struct mail){ .id = id_of(1) });
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
	release(f, 1, 0, 0);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 1);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
}

void a_start_gives_claims_back(struct fake_host *f)
{
	if (claims_run_out(f))
		return;
	add(f, (struct mail){ .id = id_of(1) });
	restart(f);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 1);
}

void what_is_due_is_claimed_in_its_order(struct fake_host *f)
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

void a_claim_ends_with_an_outcome(struct fake_host *f)
{
	struct tmail_queue_claimed c;

	add(f,
		(struct mail){ .id = id_of(1),
			.due = 100,
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

void a_claim_that_is_given_back_is_due_as_said(struct fake_host *f)
{
	struct tmail_queue_claimed c;

	add(f, (struct mail){ .id = id_of(1), .due = 100 });
	claim(f, 100, 10);
	release(f, 1, 0, 500);
	c = claim(f, 499, 10);
	ck_assert_uint_eq(c.entries.count, 0);
	ck_assert_int_eq(c.next, 500);
	ck_assert_uint_eq(claim(f, 500, 10).entries.count, 1);
}

void only_the_claims_that_are_named_are_given_back(struct fake_host *f)
{
	struct tmail_queue_given_back two[] = { { id_of(2), 0, 0 }, { id_of(1), 1, 150 } };
	struct tmail_queue_release q = { sizeof q, TMAIL_LIST(two) };
	struct tmail_queue_claimed c;

	add(f,
		(struct mail){ .id = id_of(1),
			.due = 100,
			.recipients = { "a@example.com", "b@example.com", "c@example.com" } });
	add(f, (struct mail){ .id = id_of(2), .due = 100 });
	ck_assert_uint_eq(claim(f, 100, 10).entries.count, 4);
	outcome(f, 1, 0, TMAIL_FATE_DEFERRED, 120, "450 later");
	ck_assert_uint_eq(claim(f, 120, 10).entries.count, 1); /* it is being tried again ... */
	ck_assert_int_eq(fake_ask(f, TMAIL_QUEUE, TMAIL_QUEUE_RELEASE, &q, NULL), TMAIL_OK);
	c = claim(f, 149, 10); /* ... and nobody else may have it now */
	ck_assert_uint_eq(c.entries.count, 1);
	ck_assert_uint_eq(entry_at(&c, 0)->id.hi, id_of(2).hi);
	ck_assert_int_eq(c.next, 150);
	c = claim(f, 150, 10);
	ck_assert_uint_eq(c.entries.count, 1);
	ck_assert_uint_eq(entry_at(&c, 0)->recipient, 1);
	ck_assert_uint_eq(claim(f, 1000000, 10).entries.count, 0);
}

void what_is_not_claimed_is_not_given_back(struct fake_host *f)
{
	add(f,
		(struct mail){ .id = id_of(1),
			.due = 100,
			.recipients = { "a@example.com", "b@example.com" } });
	claim(f, 100, 10);
	outcome(f, 1, 0, TMAIL_FATE_DEFERRED, 300, "450 later");
	outcome(f, 1, 1, TMAIL_FATE_DELIVERED, 0, "250 ok");
	release(f, 1, 0, 200);
	release(f, 1, 1, 200);
	release(f, 1, 9, 200);
	release(f, 2, 0, 200);
	ck_assert_uint_eq(claim(f, 299, 10).entries.count, 0);
	ck_assert_uint_eq(claim(f, 300, 10).entries.count, 1);
}

void a_note_is_kept_with_its_recipient(struct fake_host *f)
{
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_OUTCOME,
		.id = id_of(1),
		.recipient = 1,
		.fate = TMAIL_FATE_DEFERRED,
		.due = 100,
		.note = 15 };
	struct tmail_queue_content content;
	struct tmail_queue_claimed c;

	add(f,
		(struct mail){ .id = id_of(1),
			.due = 100,
			.recipients = { "a@example.com", "b@example.com" } });
	ck_assert_uint_eq(write_one(f, op), TMAIL_QUEUE_DURABLE);
	restart(f);
	ck_assert_int_eq(read_message(f, 1, 0, 0, &content), TMAIL_OK);
	ck_assert_uint_eq(TMAIL_AT(struct tmail_queue_entry, content.states, 0)->note, 0);
	ck_assert_uint_eq(TMAIL_AT(struct tmail_queue_entry, content.states, 1)->note, 15);
	c = claim(f, 100, 10);
	ck_assert_uint_eq(entry_at(&c, 1)->note, 15);
	outcome(f, 1, 1, TMAIL_FATE_DEFERRED, 200, "450 later");
	c = claim(f, 200, 10);
	ck_assert_uint_eq(entry_at(&c, 0)->note, 0);
}

void what_is_held_is_not_claimed(struct fake_host *f)
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

void who_is_living_can_be_made_due(struct fake_host *f)
{
	add(f,
		(struct mail){ .id = id_of(1),
			.due = 9000,
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
		TMAIL_EACH(struct tmail_queue_entry, e, c.entries)
			claimer->seen[e->id.hi - 5000]++;
	}
}

void claims_of_several_threads_never_overlap(struct fake_host *f)
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
