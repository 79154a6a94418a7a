/* SPDX-License-Identifier: MIT
 *
 * Replay. One rule decides what a bad batch is: if anything says that what lies beyond it was
 * durable, it is damage, kept aside and skipped; else it is where the journal ends.
 */
#include "replay.h"

#include "quarantine.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 1024 * 1024 };

/* The octets of one file, read in large pieces. */
struct window {
	struct segments *segments;
	struct segment *segment;
	char *data;
	size_t len, cap;
	uint64_t lsn; /* of data[0] */
};

/* Octets [lsn, lsn + len); data NULL: they cannot be read. */
static struct str window_get(struct window *w, uint64_t lsn, size_t len)
{
	size_t want = len > WINDOW ? len : WINDOW;

	if (lsn >= w->lsn && lsn - w->lsn <= w->len && len <= w->len - (lsn - w->lsn))
		return str_make(w->data + (lsn - w->lsn), len);
	if (lsn + len > segment_end(w->segment))
		return str_make(NULL, 0);
	if (lsn + want > segment_end(w->segment))
		want = (size_t)(segment_end(w->segment) - lsn);
	if (want > w->cap) {
		w->cap = want > WINDOW ? want : WINDOW;
		w->data = must_realloc(w->data, w->cap);
	}
	w->lsn = lsn;
	w->len = 0;
	if (segment_read(w->segments, w->segment, lsn, w->data, want) == 0)
		w->len = want;
	else if (segment_read(w->segments, w->segment, lsn, w->data, len) == 0)
		w->len = len;
	return w->len ? str_make(w->data, len) : str_make(NULL, 0);
}

/* The batch at an LSN, checked. */
static enum batch_state batch_at(
	struct window *w, uint64_t lsn, struct batch_head *head, struct str *batch)
{
	struct str in = window_get(w, lsn, BATCH_HEAD);

	if (!in.data || !batch_peek(in, &w->segments->id, lsn, head) ||
		head->length > segment_end(w->segment) - lsn)
		return BATCH_BAD;
	*batch = window_get(w, lsn, head->length);
	return batch->data ? batch_check(*batch, head) : BATCH_BAD;
}

/* ---- what a record does to the table ----------------------------------------------------- */

struct apply {
	struct store *store;
	struct replayed *replayed;
	uint64_t last; /* LSN of the last batch of the file */
};

static void states_read(
	const struct record *r, const struct meta *meta, struct state *states, uint64_t lsn)
{
	struct reader recipients = reader_of(meta->recipients), words = reader_of(meta->states);
	int64_t due = meta->due ? meta->due : meta->received;

	for (uint32_t i = 0; i < meta->count; i++) {
		struct state_words s = { .due = due, .reply = STR("") };
		struct tmail_recipient recipient;

		must(meta_recipient(&recipients, &recipient));
		if (r->flags & RECORD_STATES)
			must(meta_state(&words, &s));
		states[i] = state_of(s.fate, s.note, s.attempts, s.due);
		states[i].words = lsn;
		states[i].index = recipient.index;
	}
}

static void message_apply(struct table *t, struct living *known, const struct record *r,
	const struct meta *meta, uint64_t lsn)
{
	struct extent extent = { (uint32_t)r->meta.len, (uint32_t)r->content.len };
	struct living *m;

	if (known && (r->type == RECORD_ADD || lsn <= known->as_of || known->count != meta->count))
		return;
	m = table_new(t, meta->count);
	states_read(r, meta, living_states(m), lsn);
	m->id = r->id;
	m->lsn = m->as_of = lsn;
	m->length = (uint32_t)extent_size(extent);
	m->octets = meta->octets;
	m->hold = r->flags & RECORD_HELD ? lsn : 0;
	m->flags = (r->flags & RECORD_SPOOLED ? LIVING_SPOOLED : 0u) |
		(r->flags & RECORD_LISTED ? LIVING_WANTED : 0u);
	if (!known) {
		table_insert(t, m);
		return;
	}
	table_copied(t, known, lsn, m->length, living_states(m), m->hold != 0);
	table_forget(t, m);
}

static bool record_apply(struct table *t, const struct record *r, uint64_t lsn)
{
	struct living *m = table_find(t, r->id);
	struct outcome outcome;
	struct meta meta;
	int64_t due;

	switch ((enum record_type)r->type) {
	case RECORD_ADD:
	case RECORD_COPY:
		if (!meta_read(r, &meta))
			return false;
		message_apply(t, m, r, &meta, lsn);
		return true;
	case RECORD_OUTCOME:
		if (!outcome_read(r, &outcome))
			return false;
		if (m)
			table_outcome(t, m, outcome.recipient,
				state_of(outcome.words.fate, outcome.words.note,
					outcome.words.attempts, outcome.words.due),
				lsn);
		return true;
	case RECORD_END:
		if (m)
			table_end(t, m, lsn);
		else
			ended_add(&t->ended, r->id);
		return true;
	case RECORD_HOLD:
		if (m)
			table_hold(t, m, lsn);
		return true;
	case RECORD_FREE:
	case RECORD_DUE:
		if (!due_read(r, &due))
			return false;
		if (m && r->type == RECORD_FREE)
			table_free_hold(t, m, due, lsn);
		else if (m)
			table_due(t, m, due, lsn);
		return true;
	}
	return false;
}

static void record_damaged(
	struct apply *a, const struct window *w, const struct record *r, uint64_t lsn)
{
	struct extent extent = { (uint32_t)r->meta.len, (uint32_t)r->content.len };

	a->replayed->damaged++;
	quarantine_range(a->store, w->segment, lsn, extent_size(extent),
		r->type == RECORD_ADD || r->type == RECORD_COPY ? "a message" : "a change");
	if (r->flags & RECORD_SPOOLED)
		quarantine_spool(a->store, r->id);
}

static void batch_apply(
	struct apply *a, const struct window *w, struct str batch, const struct batch_head *head)
{
	size_t at = BATCH_HEAD, offset;
	struct record r;

	while (batch_next(batch, &at, &r, &offset)) {
		uint64_t lsn = head->lsn + offset;

		if (!record_meta_good(&r) || !record_content_good(&r) ||
			!record_apply(&a->store->table, &r, lsn))
			record_damaged(a, w, &r, lsn);
	}
	if (head->first > a->replayed->first)
		a->replayed->first = head->first;
}

/* ---- the files --------------------------------------------------------------------------- */

/* What is known of a file before it is read. */
struct bounds {
	uint64_t limit; /* nothing from here on is part of the journal */
	uint64_t sure;  /* all up to here was durable */
};

static struct bounds bounds_of(const struct segments *s, size_t place, uint64_t sure)
{
	const struct segment *segment = s->used[place];
	struct bounds b = { segment_end(segment), 0 };

	for (size_t i = place + 1; i < s->used_count; i++) {
		const struct segment *later = s->used[i];

		if (!later->headless && later->previous_end < b.limit)
			b.limit = later->previous_end;
		if (!later->headless && i == place + 1)
			b.sure = later->previous_end;
	}
	if (sure > b.sure)
		b.sure = sure;
	return b;
}

/* The next good batch behind a bad one whose `flushed` lies beyond that. 0: none. */
static uint64_t batch_after(struct window *w, uint64_t bad, uint64_t limit)
{
	struct batch_head head;
	struct str batch;

	for (uint64_t lsn = bad + BLOCK; lsn + BATCH_HEAD <= limit; lsn += BLOCK)
		if (batch_at(w, lsn, &head, &batch) != BATCH_BAD && head.flushed > bad)
			return lsn;
	return 0;
}

/* Reads one file from its base on; answers where it ends. */
static uint64_t file_replay(struct apply *a, struct window *w, struct bounds b, uint64_t closed)
{
	uint64_t lsn = w->segment->base;

	a->last = lsn;
	while (lsn < b.limit) {
		struct batch_head head;
		struct str batch;
		enum batch_state state = batch_at(w, lsn, &head, &batch);
		uint64_t next;

		if (state == BATCH_GOOD || (state == BATCH_HURT && lsn < b.sure)) {
			batch_apply(a, w, batch, &head);
			a->last = lsn;
			lsn += block_up(head.length);
			continue;
		}
		if (lsn == closed)
			break;
		next = batch_after(w, lsn, b.limit);
		if (state == BATCH_HURT && next) {
			b.sure = next;
			continue; /* its good records are taken now */
		}
		if (!next && lsn >= b.sure)
			break;
		if (!next)
			next = b.sure < b.limit ? b.sure : b.limit;
		a->replayed->damaged++;
		quarantine_range(a->store, w->segment, lsn, next - lsn, "a damaged batch");
		lsn = next;
	}
	return lsn;
}

static void files_check(struct apply *a)
{
	const struct segments *s = &a->store->segments;

	for (size_t i = 0; i < s->used_count; i++) {
		const struct segment *segment = s->used[i];

		if (segment->headless) {
			a->replayed->damaged++;
			note(&a->store->notes, TMAIL_WARNING, "journal_header_lost",
				"segment-%08" PRIu32 " has a damaged header; its records are read",
				segment->number);
		} else if (i > 0 && !s->used[i - 1]->headless &&
			segment->previous_end > segment_end(s->used[i - 1])) {
			a->replayed->damaged++;
			note(&a->store->notes, TMAIL_ERROR, "journal_file_missing",
				"a file with the positions %" PRIu64 " to %" PRIu64 " is not there",
				segment_end(s->used[i - 1]), segment->previous_end);
		}
	}
}

/* Nobody knows whether the last batch, or the header of a file without one, was ever flushed: a
 * killed process leaves it in the page cache, and a failed flush leaves it there marked as clean,
 * so that flushing again would do nothing and say it went well. Written again it is flushed, or an
 * error is heard. */
static bool tail_keep(struct apply *a, struct window *w, uint64_t end, struct why *why)
{
	struct store *store = a->store;
	int error = 0;

	if (end > a->last) {
		struct str tail = window_get(w, a->last, (size_t)(end - a->last));
		error = tail.data
			? segment_write(&store->segments, w->segment, a->last, tail.data, tail.len)
			: -EIO;
	} else if (!w->segment->headless) {
		error = segment_header(&store->segments, w->segment);
	}
	if (error == 0)
		error = store->files->flush(store->files, w->segment->fd);
	return error == 0 ||
		why_set(why, "the end of segment-%08" PRIu32 " cannot be flushed: %s",
			w->segment->number, strerror(-error));
}

bool replay(struct store *store, uint64_t from, uint64_t sure, struct replayed *replayed,
	struct why *why)
{
	struct segments *s = &store->segments;
	struct apply a = { .store = store, .replayed = replayed };
	struct window w = { .segments = s };
	bool good = true;

	*replayed = (struct replayed){ .end = s->next_base, .first = s->first };
	files_check(&a);
	for (size_t i = 0; i < s->used_count; i++) {
		struct segment *segment = s->used[i];
		bool ours = sure > segment->base && sure <= segment_end(segment);
		struct bounds b = bounds_of(s, i, ours ? sure : 0);

		if (segment_end(segment) <= from && i + 1 < s->used_count)
			continue;
		w.segment = segment;
		w.len = 0;
		replayed->end = file_replay(&a, &w, b, i + 1 == s->used_count ? sure : 0);
	}
	if (w.segment && replayed->end != sure)
		good = tail_keep(&a, &w, replayed->end, why);
	free(w.data);
	return good;
}
