/* SPDX-License-Identifier: MIT
 *
 * The writer. A call runs batch by batch: begin a file if there is none, stage copies of what must
 * leave the oldest file, stage operations until the batch is full, commit. Staged means: its record
 * is in the batch. Applied means: durable, and the table knows. Nothing is applied that is not
 * durable, and nothing is answered "durable" that is not applied.
 */
#include "writer.h"

#include "reclaim.h"
#include "space.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct staged {
	uint32_t op;     /* its place in the call; COPY for a copy */
	uint32_t offset; /* of the record in the batch */
	uint32_t length;
	int64_t due;
	struct tmail_id id; /* of a copy */
};
enum { COPY = UINT32_MAX };
enum { ODD_MOST = 4096 /* recipients whose numbers are not their places */ };

/* How far an operation got. */
enum admission { STAGED, ANSWERED, NO_ROOM };

void writer_free(struct writer *w)
{
	batch_free(&w->batch);
	free(w->staged);
	*w = (struct writer){ 0 };
}

/* ---- results ----------------------------------------------------------------------------- */

static void answer(const struct tmail_queue_write *q, uint32_t op, enum tmail_queue_result result,
	const char *why, bool full)
{
	q->results[op] =
		(struct tmail_queue_verdict){ result, full, { why, why ? strlen(why) : 0 } };
}

static enum admission refuse(const struct tmail_queue_write *q, uint32_t op, const char *why)
{
	answer(q, op, TMAIL_QUEUE_NEVER, why, false);
	return ANSWERED;
}

static enum admission accept(const struct tmail_queue_write *q, uint32_t op)
{
	answer(q, op, TMAIL_QUEUE_DURABLE, NULL, false);
	return ANSWERED;
}

/* ---- staging ----------------------------------------------------------------------------- */

static void stage(struct writer *w, struct staged staged)
{
	if (w->staged_count == w->staged_cap) {
		w->staged_cap = w->staged_cap ? w->staged_cap * 2 : 64;
		w->staged = must_realloc(w->staged, w->staged_cap * sizeof *w->staged);
	}
	w->staged[w->staged_count++] = staged;
}

char *writer_reserve(struct writer *w, uint64_t size)
{
	return batch_reserve(&w->batch, size);
}

void writer_stage_copy(struct writer *w, const char *record, uint64_t size, struct tmail_id id)
{
	size_t offset = batch_add(&w->batch, record, size);

	stage(w, (struct staged){ COPY, (uint32_t)offset, (uint32_t)size, 0, id });
}

static const struct tmail_queue_op *op_at(const struct tmail_queue_write *q, uint32_t at)
{
	return TMAIL_AT(struct tmail_queue_op, q->ops, at);
}

/* An ADD of the same call, which the table does not know yet. */
static bool added_here(
	const struct writer *w, const struct tmail_queue_write *q, struct tmail_id id)
{
	for (size_t i = w->staged_count; i-- > 0;) {
		const struct tmail_queue_op *op;

		if (w->staged[i].op == COPY)
			return false;
		op = op_at(q, w->staged[i].op);
		if (op->change == TMAIL_QUEUE_ADD && tmail_id_compare(op->id, id) == 0)
			return true;
	}
	return false;
}

static bool recipients_good(const struct tmail_envelope *e)
{
	uint32_t place = 0;
	bool in_order = true;

	if (e->recipients.count == 0)
		return false;
	TMAIL_EACH(struct tmail_recipient, r, e->recipients)
		in_order = r->index == place++ && in_order;
	if (in_order || e->recipients.count > ODD_MOST)
		return in_order;
	TMAIL_EACH(struct tmail_recipient, a, e->recipients) {
		uint32_t same = 0;

		TMAIL_EACH(struct tmail_recipient, b, e->recipients)
			same += a->index == b->index;
		if (same != 1)
			return false;
	}
	return true;
}

static bool add_known(struct store *store, struct tmail_id id)
{
	bool known;

	pthread_mutex_lock(&store->lock);
	known = table_find(&store->table, id) || ended_has(&store->table.ended, id);
	pthread_mutex_unlock(&store->lock);
	return known;
}

static enum admission add_admit(
	struct store *store, const struct tmail_queue_write *q, uint32_t at, uint32_t *check)
{
	const struct tmail_queue_op *op = op_at(q, at);

	if (op->id.hi == 0 && op->id.lo == 0)
		return refuse(q, at, "a message without an id");
	if (!op->envelope || !recipients_good(op->envelope))
		return refuse(q, at, "an envelope without recipients, or with two of one number");
	if (add_known(store, op->id) || added_here(&store->writer, q, op->id)) {
		spool_added(store, op->id);
		return accept(q, at);
	}
	if (op->spooled && !spool_ready(store, op->id, op->spool_size, check))
		return refuse(q, at, "its spool is not there");
	if (!space_for_add(store, &store->writer.full)) {
		note_count(&store->notes, METRIC_REFUSED_FULL, 1);
		answer(q, at, TMAIL_QUEUE_NO, store->writer.full.text, true);
		return ANSWERED;
	}
	return STAGED;
}

/* Is there what the operation is about? */
static enum admission change_admit(
	struct store *store, const struct tmail_queue_write *q, uint32_t at)
{
	const struct tmail_queue_op *op = op_at(q, at);
	enum admission admission = STAGED;
	const struct state *state = NULL;
	struct living *m;
	struct state copy;

	pthread_mutex_lock(&store->lock);
	m = table_find(&store->table, op->id);
	if (m && op->change == TMAIL_QUEUE_OUTCOME) {
		state = living_state(m, op->recipient);
		if (state)
			copy = *state;
	}
	pthread_mutex_unlock(&store->lock);
	if (!m && !added_here(&store->writer, q, op->id)) {
		if (op->change == TMAIL_QUEUE_END) /* nothing of that id lives: so be it */
			return accept(q, at);
		return refuse(q, at, "no living message of that id");
	}
	if (op->change != TMAIL_QUEUE_OUTCOME)
		return admission;
	if (op->fate > TMAIL_FATE_DISCARDED || op->note > 15)
		return refuse(q, at, "no such fate");
	if (!m)
		return admission;
	if (!state)
		return refuse(q, at, "no such recipient");
	if (fate_lives(copy.fate))
		return admission;
	/* The last word was said. Said again it changes nothing. */
	return copy.fate == op->fate ? accept(q, at) : refuse(q, at, "the recipient has its end");
}

static int64_t op_due(const struct store *store, const struct tmail_queue_op *op)
{
	if (op->change == TMAIL_QUEUE_FREE && op->due == 0)
		return store->settings.now();
	return op->due;
}

static enum admission op_stage(struct store *store, const struct tmail_queue_write *q, uint32_t at)
{
	const struct tmail_queue_op *op = op_at(q, at);
	struct writer *w = &store->writer;
	enum admission admission;
	struct extent extent;
	uint32_t check = 0;
	int64_t due;
	char *to;

	if (op->change > TMAIL_QUEUE_DUE)
		return refuse(q, at, "no such change");
	admission = op->change == TMAIL_QUEUE_ADD ? add_admit(store, q, at, &check)
						  : change_admit(store, q, at);
	if (admission != STAGED)
		return admission;
	if (!record_measure(op, &extent) || BATCH_HEAD + extent_size(extent) > w->active->capacity)
		return refuse(q, at, "longer than a file of the journal (segment_size)");
	to = batch_reserve(&w->batch, extent_size(extent));
	if (!to)
		return NO_ROOM;
	due = op_due(store, op);
	record_write(to, op, extent, check, due);
	stage(w,
		(struct staged){ at, (uint32_t)batch_add(&w->batch, to, extent_size(extent)),
			(uint32_t)extent_size(extent), due, op->id });
	return STAGED;
}

/* ---- applying ---------------------------------------------------------------------------- */

static void add_apply(struct store *store, const struct tmail_queue_op *op, uint64_t lsn,
	const struct staged *staged)
{
	const struct tmail_envelope *e = op->envelope;
	struct living *m = table_new(&store->table, e->recipients.count);
	struct state *states = living_states(m);
	uint32_t place = 0;

	m->id = op->id;
	m->lsn = m->as_of = lsn;
	m->length = staged->length;
	for (uint32_t i = 0; i < op->content_count; i++)
		m->octets += op->content[i].len;
	if (op->spooled) {
		m->octets += op->spool_size;
		m->flags |= LIVING_SPOOLED;
	}
	if (op->reply.len) {
		m->hold = lsn;
		m->flags |= LIVING_WANTED;
	}
	TMAIL_EACH(struct tmail_recipient, r, e->recipients) {
		/* Who holds it does not deliver it: it is claimed by nobody then. */
		states[place++] = (struct state){ .due = staged->due ? staged->due : e->received,
			.words = lsn,
			.index = r->index,
			.claimed = staged->due == 0 && !op->reply.len };
	}
	table_insert(&store->table, m);
	space_given_back(store, m->octets);
}

static void op_apply(struct store *store, const struct tmail_queue_op *op, uint64_t lsn,
	const struct staged *staged)
{
	struct table *t = &store->table;
	struct living *m = table_find(t, op->id);

	if (op->change == TMAIL_QUEUE_ADD) {
		if (!m)
			add_apply(store, op, lsn, staged);
		return;
	}
	if (!m)
		return;
	switch ((enum tmail_queue_change)op->change) {
	case TMAIL_QUEUE_ADD:
		break;
	case TMAIL_QUEUE_OUTCOME:
		table_outcome(t, m, op->recipient,
			state_of(op->fate, op->note, op->attempts, staged->due), lsn);
		break;
	case TMAIL_QUEUE_END:
		table_end(t, m, lsn);
		break;
	case TMAIL_QUEUE_HOLD:
		table_hold(t, m, lsn);
		break;
	case TMAIL_QUEUE_FREE:
		table_free_hold(t, m, staged->due, lsn);
		break;
	case TMAIL_QUEUE_DUE:
		table_due(t, m, staged->due, lsn);
		break;
	}
}

static void batch_apply(
	struct store *store, const struct tmail_queue_write *q, const struct batch_head *head)
{
	struct writer *w = &store->writer;
	uint64_t added = 0, copied = 0;

	pthread_mutex_lock(&store->lock);
	w->end = head->lsn + block_up(head->length);
	w->first = head->first;
	for (size_t i = 0; i < w->staged_count; i++) {
		const struct staged *staged = &w->staged[i];
		uint64_t lsn = head->lsn + staged->offset;
		struct living *m;

		if (staged->op != COPY) {
			op_apply(store, op_at(q, staged->op), lsn, staged);
			continue;
		}
		m = table_find(&store->table, staged->id);
		if (m)
			table_copied(&store->table, m, lsn, staged->length, NULL, false);
		copied++;
	}
	if (store->table.dirty_count || store->table.spool_count ||
		table_first(&store->table, w->active->base) > store->segments.used[0]->base)
		store_wake(store);
	pthread_mutex_unlock(&store->lock);
	for (size_t i = 0; i < w->staged_count; i++) {
		if (w->staged[i].op == COPY)
			continue;
		accept(q, w->staged[i].op);
		if (op_at(q, w->staged[i].op)->change != TMAIL_QUEUE_ADD)
			continue;
		added++;
		if (op_at(q, w->staged[i].op)->spooled)
			spool_added(store, w->staged[i].id);
	}
	note_count(&store->notes, METRIC_BATCHES, 1);
	note_count(&store->notes, METRIC_MESSAGES, added);
	if (copied)
		note_count(&store->notes, METRIC_COPIED, copied);
}

/* ---- files ------------------------------------------------------------------------------- */

/* What lies below is not needed any more: not by the journal, and not by the index either. */
static uint64_t first_now(struct store *store)
{
	uint64_t first;

	pthread_mutex_lock(&store->lock);
	first = table_first(&store->table,
		store->writer.active ? store->writer.active->base : store->writer.end);
	if (store->mark < first)
		first = store->mark;
	if (first < store->writer.first)
		first = store->writer.first;
	pthread_mutex_unlock(&store->lock);
	return first;
}

/* Begins the next file. Until its header is durable nothing is accepted. */
static bool file_begin(struct store *store, bool *full)
{
	struct writer *w = &store->writer;
	struct segment *segment;
	uint64_t first = first_now(store);

	segment = space_take_file(store, full, &w->why);
	if (!segment)
		return false;
	/* The new header closes the old file, also when nobody knows whether it became durable. */
	if (w->active)
		segment_settle(&store->segments, w->active);
	pthread_mutex_lock(&store->lock);
	w->active = NULL;
	pthread_mutex_unlock(&store->lock);
	if (!segment_begin(&store->segments, segment, w->end, first, &w->why)) {
		note_count(&store->notes, METRIC_FLUSH_FAILURES, 1);
		note(&store->notes, TMAIL_ERROR, "journal_file_lost", "%s", w->why.text);
		segment_close(&store->segments, &segment); /* found again at the next start */
		return false;
	}
	pthread_mutex_lock(&store->lock);
	segments_add_used(&store->segments, segment);
	w->active = segment;
	w->end = segment->base;
	w->first = first;
	w->unsettled = false;
	store_wake(store);
	pthread_mutex_unlock(&store->lock);
	return true;
}

/* The file gets nothing any more. */
static void file_dead(struct store *store, int error)
{
	struct writer *w = &store->writer;

	why_set(&w->why, "segment-%08" PRIu32 " cannot be written: %s", w->active->number,
		strerror(-error));
	note_count(&store->notes, METRIC_FLUSH_FAILURES, 1);
	note(&store->notes, TMAIL_ERROR, "journal_file_dead",
		"%s; it ends at %" PRIu64 ", the next write begins another", w->why.text, w->end);
	segment_settle(&store->segments, w->active);
	pthread_mutex_lock(&store->lock);
	w->active->dead = true;
	w->active = NULL;
	w->unsettled = true;
	pthread_mutex_unlock(&store->lock);
}

static void staged_answer(struct store *store, const struct tmail_queue_write *q,
	enum tmail_queue_result result, bool full)
{
	struct writer *w = &store->writer;
	uint64_t messages = 0;

	for (size_t i = 0; i < w->staged_count; i++) {
		if (w->staged[i].op == COPY)
			continue;
		answer(q, w->staged[i].op, result, w->why.text, full);
		messages += op_at(q, w->staged[i].op)->change == TMAIL_QUEUE_ADD;
	}
	if (result == TMAIL_QUEUE_UNKNOWN)
		note_count(&store->notes, METRIC_UNSETTLED, messages);
	if (full)
		note_count(&store->notes, METRIC_REFUSED_FULL, messages);
}

/* Writes, flushes and applies the batch, and answers its operations. After a failure they are
 * refused if the next file says where this one ends; else nobody knows. */
static void batch_commit(struct store *store, const struct tmail_queue_write *q)
{
	struct writer *w = &store->writer;
	struct batch_head head = { .lsn = w->end, .flushed = w->end, .first = first_now(store) };
	size_t size = batch_end(&w->batch, &store->segments.id, &head);
	struct why failed;
	bool full = false;
	int error;

	error = segment_write(&store->segments, w->active, w->end, w->batch.data, size);
	if (error == 0)
		error = store->files->flush(store->files, w->active->fd);
	w->written = size;
	if (error == 0) {
		batch_apply(store, q, &head);
		return;
	}
	file_dead(store, error);
	failed = w->why;
	if (file_begin(store, &full)) {
		w->why = failed;
		full = error == -ENOSPC || error == -EDQUOT;
		staged_answer(store, q, TMAIL_QUEUE_NO, full);
	} else {
		staged_answer(store, q, TMAIL_QUEUE_UNKNOWN, false);
	}
}

/* ---- the call ---------------------------------------------------------------------------- */

static uint64_t room_left(const struct writer *w)
{
	return w->active ? segment_end(w->active) - w->end : 0;
}

/* One batch of operations from *at on. False: there is no file to write to. */
static bool batch_run(
	struct store *store, const struct tmail_queue_write *q, uint32_t *at, bool *copied)
{
	struct writer *w = &store->writer;
	bool full = false, stuck = false;

	if (room_left(w) < BLOCK && !file_begin(store, &full)) {
		for (; *at < q->count; ++*at)
			answer(q, *at, TMAIL_QUEUE_NO, w->why.text, full);
		return false;
	}
	w->staged_count = 0;
	batch_begin(&w->batch, room_left(w));
	if (!*copied)
		reclaim_stage(store);
	*copied = true;
	for (; *at < q->count; ++*at) {
		stuck = op_stage(store, q, *at) == NO_ROOM;
		if (stuck)
			break;
	}
	if (w->staged_count)
		batch_commit(store, q);
	else if (stuck && !file_begin(store, &full)) { /* the rest of the file is too short */
		answer(q, *at, TMAIL_QUEUE_NO, w->why.text, full);
		++*at;
	}
	return true;
}

void store_write(struct store *store, const struct tmail_queue_write *q)
{
	uint32_t at = 0;
	bool copied = false;

	pthread_mutex_lock(&store->writing);
	while (at < q->count && batch_run(store, q, &at, &copied))
		;
	pthread_mutex_unlock(&store->writing);
}
