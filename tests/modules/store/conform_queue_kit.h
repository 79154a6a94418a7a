/* SPDX-License-Identifier: MIT
 *
 * Short words for the rules of a queue: adding, asking, and what must hold of the answers. Each
 * asserts that the store answers at all.
 */
#ifndef TESTS_CONFORM_QUEUE_KIT_H
#define TESTS_CONFORM_QUEUE_KIT_H

#include "tests/modules/store/conform_queue.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

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

struct found {
	uint32_t count, stop_after;
	struct {
		uint64_t n;
		uint32_t recipient, fate;
	} at[MOST];
	int64_t due[MOST];
	char reply[MOST][64];
};

struct tmail_str tm(const char *text);
struct tmail_id id_of(uint64_t n);
struct tmail_queue_op add_op(const struct mail *m, struct sent *sent);
void write_ops(struct fake_host *f, const struct tmail_queue_op *ops, uint32_t count,
	struct tmail_queue_verdict *results);
uint32_t write_one(struct fake_host *f, struct tmail_queue_op op);
void add(struct fake_host *f, struct mail m);
uint32_t outcome(struct fake_host *f, uint64_t n, uint32_t recipient, uint32_t fate, int64_t due,
	const char *reply);
uint32_t change(struct fake_host *f, uint32_t what, uint64_t n, int64_t due, const char *words);
struct tmail_queue_claimed claim(struct fake_host *f, int64_t now, uint32_t limit);
const struct tmail_queue_entry *entry_at(const struct tmail_queue_claimed *c, uint32_t i);
void release(struct fake_host *f, uint64_t n, uint32_t recipient, int64_t due);
int check_id(struct fake_host *f, uint64_t n);
struct tmail_queue_counts counts(struct fake_host *f);
int read_message(struct fake_host *f, uint64_t n, uint64_t offset, uint64_t limit,
	struct tmail_queue_content *content);
void assert_text(struct tmail_str s, const char *text);
void restart(struct fake_host *f);
bool claims_run_out(struct fake_host *f);
struct found find(struct fake_host *f, struct tmail_queue_find q);

/* The rules. */
void what_is_durable_is_there_after_a_restart(struct fake_host *f);
void an_envelope_is_kept_whole(struct fake_host *f);
void an_id_is_accepted_once(struct fake_host *f);
void an_id_that_has_ended_is_not_accepted_again(struct fake_host *f);
void many_operations_are_answered_one_by_one(struct fake_host *f);
void what_is_about_nothing_is_refused(struct fake_host *f);
void check_knows_what_is_durable(struct fake_host *f);
void outcomes_are_of_one_recipient(struct fake_host *f);
void who_has_an_end_keeps_it(struct fake_host *f);
void the_end_takes_a_message_away(struct fake_host *f);
void who_adds_has_the_claim(struct fake_host *f);
void a_start_gives_claims_back(struct fake_host *f);
void what_is_due_is_claimed_in_its_order(struct fake_host *f);
void a_claim_ends_with_an_outcome(struct fake_host *f);
void a_claim_that_is_given_back_is_due_as_said(struct fake_host *f);
void only_the_claims_that_are_named_are_given_back(struct fake_host *f);
void what_is_not_claimed_is_not_given_back(struct fake_host *f);
void a_note_is_kept_with_its_recipient(struct fake_host *f);
void what_is_held_is_not_claimed(struct fake_host *f);
void who_is_living_can_be_made_due(struct fake_host *f);
void claims_of_several_threads_never_overlap(struct fake_host *f);
void content_is_read_in_pieces(struct fake_host *f);
void what_is_spooled_follows_the_content(struct fake_host *f);
void a_spool_that_is_not_whole_is_not_accepted(struct fake_host *f);
void a_spool_can_be_dropped(struct fake_host *f);
void room_is_reserved_and_given_back(struct fake_host *f);
void the_living_are_found_in_the_order_of_ids(struct fake_host *f);
void every_filter_filters(struct fake_host *f);
void pages_follow_each_other(struct fake_host *f);
void who_has_seen_enough_ends_the_walk(struct fake_host *f);
void counters_say_what_is_there(struct fake_host *f);

#endif
