/* SPDX-License-Identifier: MIT
 *
 * Reading back. The record of a message is found by its LSN, the last words to a recipient and the
 * reason of a hold by theirs, which are never below it: so one pin, on the message's file, keeps
 * all of them, because files are freed strictly oldest first.
 */
#include "view.h"

#include "quarantine.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { READ_FIRST = 1024, WORDS_FIRST = 1024 };

bool snapshot_of(struct store *store, const struct living *m, const struct memory *memory,
	struct snapshot *snap)
{
	struct state *states = memory_take(memory, m->count * sizeof *states);

	if (!states)
		return false;
	if (m->count)
		memcpy(states, m->count == 1 ? &m->states.one : m->states.many,
			m->count * sizeof *states);
	*snap = (struct snapshot){ m->id, m->lsn, m->as_of, m->hold, m->octets, m->length, m->count,
		m->flags, states, segments_at(&store->segments, m->lsn) };
	if (snap->pinned)
		snap->pinned->pins++;
	return true;
}

int snapshot_take(
	struct store *store, struct tmail_id id, const struct memory *memory, struct snapshot *snap)
{
	const struct living *m;
	int status = TMAIL_NOT_FOUND;

	pthread_mutex_lock(&store->lock);
	m = table_find(&store->table, id);
	if (m)
		status = snapshot_of(store, m, memory, snap) ? TMAIL_OK : TMAIL_TRY_LATER;
	pthread_mutex_unlock(&store->lock);
	return status;
}

void snapshot_drop(struct store *store, struct snapshot *snap)
{
	if (!snap->pinned)
		return;
	pthread_mutex_lock(&store->lock);
	if (--snap->pinned->pins == 0 && snap->pinned == store->segments.used[0])
		store_wake(store);
	pthread_mutex_unlock(&store->lock);
	snap->pinned = NULL;
}

static struct segment *segment_of(struct store *store, uint64_t lsn)
{
	struct segment *segment;

	pthread_mutex_lock(&store->lock);
	segment = segments_at(&store->segments, lsn);
	pthread_mutex_unlock(&store->lock);
	return segment;
}

/* Reads the record at an LSN, the parts asked for, `first` octets at first. OK, TRY_LATER, or
 * REFUSED: what is there is no such record. */
static int record_fetch(struct store *store, uint64_t lsn, size_t first, enum view_part part,
	const struct memory *memory, struct record *r)
{
	struct segment *segment = segment_of(store, lsn);
	uint64_t most, need;
	char *data, *more;
	int error;

	if (!segment || segment_end(segment) - lsn < RECORD_HEAD)
		return TMAIL_REFUSED;
	most = segment_end(segment) - lsn;
	if (first > most)
		first = (size_t)most;
	data = memory_take(memory, first);
	if (!data)
		return TMAIL_TRY_LATER;
	error = segment_read(&store->segments, segment, lsn, data, first);
	if (error)
		return error == -ENODATA ? TMAIL_REFUSED : TMAIL_TRY_LATER;
	record_read_head(data, r);
	need = RECORD_HEAD + (uint64_t)r->meta.len + (part == VIEW_CONTENT ? r->content.len : 0);
	if (need > most)
		return TMAIL_REFUSED;
	if (need > first) {
		more = memory_take(memory, (size_t)need);
		if (!more)
			return TMAIL_TRY_LATER;
		memcpy(more, data, first);
		error = segment_read(
			&store->segments, segment, lsn + first, more + first, (size_t)need - first);
		if (error)
			return error == -ENODATA ? TMAIL_REFUSED : TMAIL_TRY_LATER;
		data = more;
	}
	r->meta.data = data + RECORD_HEAD;
	if (!record_meta_good(r))
		return TMAIL_REFUSED;
	if (part != VIEW_CONTENT)
		return TMAIL_OK;
	r->content.data = r->meta.data + r->meta.len;
	return record_content_good(r) ? TMAIL_OK : TMAIL_REFUSED;
}

/* The last words to a recipient, which an OUTCOME holds. What is damaged is empty: words are not
 * worth a message. OK or TRY_LATER. */
static int words_fetch(struct store *store, const struct snapshot *snap, const struct state *state,
	const struct memory *memory, struct str *words)
{
	struct record r;
	struct outcome outcome;
	int status = record_fetch(store, state->words, WORDS_FIRST, VIEW_ENVELOPE, memory, &r);

	*words = STR("");
	if (status == TMAIL_TRY_LATER)
		return status;
	if (status == TMAIL_OK && r.type == RECORD_OUTCOME &&
		tmail_id_compare(r.id, snap->id) == 0 && outcome_read(&r, &outcome))
		*words = outcome.words.reply;
	else
		note(&store->notes, TMAIL_WARNING, "journal_words_lost",
			"the last reply to a recipient, at %" PRIu64 ", is damaged", state->words);
	return TMAIL_OK;
}

static int hold_fetch(struct store *store, const struct snapshot *snap, const struct meta *meta,
	const struct memory *memory, struct str *hold)
{
	struct record r;
	int status;

	*hold = snap->hold ? meta->hold : STR("");
	if (!snap->hold || snap->hold == snap->lsn)
		return TMAIL_OK;
	*hold = STR("");
	status = record_fetch(store, snap->hold, WORDS_FIRST, VIEW_ENVELOPE, memory, &r);
	if (status == TMAIL_TRY_LATER)
		return status;
	if (status != TMAIL_OK || r.type != RECORD_HOLD || !hold_read(&r, hold))
		note(&store->notes, TMAIL_WARNING, "journal_words_lost",
			"the reason of a hold, at %" PRIu64 ", is damaged", snap->hold);
	return TMAIL_OK;
}

static struct tmail_str tm(struct str s)
{
	return (struct tmail_str){ s.data, s.len };
}

static int view_entries(struct store *store, const struct snapshot *snap,
	const struct tmail_recipient *recipients, const struct memory *memory, struct view *view)
{
	struct reader own = reader_of(view->meta.states);

	view->entries = memory_take(memory, snap->count * sizeof *view->entries);
	if (!view->entries)
		return TMAIL_TRY_LATER;
	for (uint32_t i = 0; i < snap->count; i++) {
		const struct state *s = &snap->states[i];
		struct state_words words = { .reply = STR("") };
		int status = TMAIL_OK;

		meta_state(&own, &words); /* a copy has them, an ADD has none */
		if (s->words != snap->lsn)
			status = words_fetch(store, snap, s, memory, &words.reply);
		if (status != TMAIL_OK)
			return status;
		view->entries[i] = (struct tmail_queue_entry){ .id = snap->id,
			.recipient = s->index,
			.fate = s->fate,
			.attempts = s->attempts,
			.held = snap->hold != 0,
			.due = s->due,
			.received = view->meta.received,
			.octets = snap->octets,
			.sender = tm(view->meta.sender),
			.address = recipients[i].address,
			.reply = tm(words.reply),
			.hold = tm(view->hold),
			.note = s->note };
	}
	return TMAIL_OK;
}

int view_read(struct store *store, const struct snapshot *snap, enum view_part part,
	const struct memory *memory, struct view *view)
{
	size_t first =
		part == VIEW_CONTENT || snap->length < READ_FIRST ? snap->length : READ_FIRST;
	struct tmail_recipient *recipients;
	struct reader at;
	int status = record_fetch(store, snap->lsn, first, part, memory, &view->record);

	if (status != TMAIL_OK)
		return status;
	if (tmail_id_compare(view->record.id, snap->id) != 0 ||
		!meta_read(&view->record, &view->meta) || view->meta.count != snap->count)
		return TMAIL_REFUSED;
	recipients = memory_take(memory, snap->count * sizeof *recipients);
	if (!recipients)
		return TMAIL_TRY_LATER;
	at = reader_of(view->meta.recipients);
	for (uint32_t i = 0; i < snap->count; i++)
		must(meta_recipient(&at, &recipients[i]));
	status = hold_fetch(store, snap, &view->meta, memory, &view->hold);
	if (status != TMAIL_OK)
		return status;
	view->envelope = (struct tmail_envelope){ .size = sizeof view->envelope,
		.body = view->meta.body,
		.ret = view->meta.ret,
		.smtputf8 = view->meta.smtputf8,
		.id = snap->id,
		.received = view->meta.received,
		.declared_size = view->meta.declared,
		.sender = tm(view->meta.sender),
		.envid = tm(view->meta.envid),
		.login = tm(view->meta.login),
		.recipients = { recipients, snap->count, sizeof *recipients } };
	return view_entries(store, snap, recipients, memory, view);
}

int view_message(struct store *store, struct tmail_id id, enum view_part part,
	const struct memory *memory, struct view *view, struct snapshot *keep)
{
	struct snapshot snap;
	int status = snapshot_take(store, id, memory, &snap);

	if (status != TMAIL_OK)
		return status;
	if (snap.flags & LIVING_DAMAGED)
		status = TMAIL_REFUSED;
	else
		status = view_read(store, &snap, part, memory, view);
	if (status == TMAIL_REFUSED) {
		quarantine_message(store, &snap);
		status = TMAIL_NOT_FOUND;
	}
	if (status == TMAIL_OK && keep)
		*keep = snap;
	else
		snapshot_drop(store, &snap);
	return status;
}
