/* SPDX-License-Identifier: MIT
 *
 * Asking. What memory knows is taken under the lock, what the disk knows is read without it.
 */
#include "read.h"

#include "base/id.h"
#include "quarantine.h"
#include "store.h"
#include "view.h"

#include <string.h>

enum { AGAIN = 60 * 1000000 /* after a disk that did not answer: microseconds */ };

/* ---- READ -------------------------------------------------------------------------------- */

/* Octets [offset, offset + len) of the content: first what is in the record, then the spool. */
static int content_read(
	struct store *store, const struct view *view, uint64_t offset, char *to, uint64_t len)
{
	struct str inside = view->record.content;
	struct why why;
	int status;

	if (offset < inside.len) {
		size_t part = len < inside.len - offset ? (size_t)len : inside.len - (size_t)offset;

		memcpy(to, inside.data + offset, part);
		to += part;
		len -= part;
		offset += part;
	}
	if (len == 0)
		return TMAIL_OK;
	status = spool_read(store, view->envelope.id, view->meta.spool_size, view->meta.spool_check,
		offset - inside.len, to, (size_t)len, &why);
	if (status != TMAIL_OK)
		note(&store->notes, TMAIL_ERROR, "journal_spool", "%s", why.text);
	return status;
}

static int read_octets(struct store *store, const struct tmail_queue_read *q,
	const struct view *view, const struct memory *memory, struct tmail_str *octets)
{
	uint64_t total = view->meta.octets;
	uint64_t len = q->offset < total ? total - q->offset : 0;
	char *data;

	if (len > q->limit)
		len = q->limit;
	*octets = (struct tmail_str){ NULL, 0 };
	if (len == 0)
		return TMAIL_OK;
	if (q->offset == 0 && len == view->record.content.len) { /* no need to move it */
		*octets = (struct tmail_str){ view->record.content.data, (size_t)len };
		return TMAIL_OK;
	}
	data = memory_take(memory, (size_t)len);
	if (!data)
		return TMAIL_TRY_LATER;
	*octets = (struct tmail_str){ data, (size_t)len };
	return content_read(store, view, q->offset, data, len);
}

int store_read(struct store *store, const struct tmail_queue_read *q, const struct memory *memory,
	struct tmail_queue_content *answer)
{
	enum view_part part = q->limit ? VIEW_CONTENT : VIEW_ENVELOPE;
	struct view *view = memory_take(memory, sizeof *view);
	struct tmail_str octets;
	struct snapshot snap;
	int status;

	if (!view)
		return TMAIL_TRY_LATER;
	status = view_message(store, q->id, part, memory, view, &snap);
	if (status != TMAIL_OK)
		return status;
	status = read_octets(store, q, view, memory, &octets);
	if (status == TMAIL_REFUSED) {
		quarantine_message(store, &snap);
		status = TMAIL_NOT_FOUND;
	}
	snapshot_drop(store, &snap);
	if (status != TMAIL_OK)
		return status;
	answer->envelope = &view->envelope;
	answer->opaque = (struct tmail_str){ view->meta.opaque.data, view->meta.opaque.len };
	answer->states = (struct tmail_list){ view->entries, snap.count, sizeof *view->entries };
	answer->octets = octets;
	answer->total = view->meta.octets;
	return TMAIL_OK;
}

int store_unspool(struct store *store, const struct tmail_queue_read *q,
	const struct memory *memory, struct tmail_queue_content *answer)
{
	struct tmail_str octets;
	struct snapshot snap;
	struct view view;
	struct why why;
	uint64_t total, len;
	char *data;
	int status = spool_read_open(store, q, memory, &octets, &total);

	if (status == TMAIL_OK) {
		answer->octets = octets;
		answer->total = total;
	}
	if (status != TMAIL_NOT_FOUND)
		return status;
	status = view_message(store, q->id, VIEW_ENVELOPE, memory, &view, &snap);
	if (status != TMAIL_OK)
		return status;
	total = view.meta.spool_size;
	len = q->offset < total ? total - q->offset : 0;
	if (len > q->limit)
		len = q->limit;
	data = memory_take(memory, (size_t)len);
	status = data ? spool_read(store, q->id, total, view.meta.spool_check, q->offset, data,
				(size_t)len, &why)
		      : TMAIL_TRY_LATER;
	if (status == TMAIL_REFUSED) {
		quarantine_message(store, &snap);
		status = TMAIL_NOT_FOUND;
	}
	snapshot_drop(store, &snap);
	if (status == TMAIL_OK) {
		answer->octets = (struct tmail_str){ data, (size_t)len };
		answer->total = total;
	}
	return status;
}

/* ---- CHECK, COUNT ------------------------------------------------------------------------ */

int store_check(struct store *store, const struct tmail_queue_check *q)
{
	int status = TMAIL_NOT_FOUND;

	pthread_mutex_lock(&store->lock);
	if (table_find(&store->table, q->id) || ended_has(&store->table.ended, q->id))
		status = TMAIL_OK;
	else if (store->writer.unsettled) /* it may be in a flush that failed */
		status = TMAIL_TRY_LATER;
	pthread_mutex_unlock(&store->lock);
	return status;
}

void store_count(struct store *store, struct tmail_queue_counts *answer)
{
	uint32_t size = answer->size;

	pthread_mutex_lock(&store->lock);
	*answer = store->table.counts;
	pthread_mutex_unlock(&store->lock);
	answer->size = size;
}

/* ---- CLAIM, RELEASE ---------------------------------------------------------------------- */

/* Takes from the heap what is due, with its states as they were before the claim. */
static uint32_t claim_take(struct store *store, const struct tmail_queue_claim *q,
	const struct memory *memory, struct snapshot *snaps, uint64_t *entries, int64_t *next)
{
	struct table *t = &store->table;
	struct heap_node *node;
	uint32_t count = 0;

	pthread_mutex_lock(&store->lock);
	while (count < q->limit && (node = heap_first(&t->due)) != NULL && node->due <= q->now) {
		struct living *m = container_of(node, struct living, due);

		if (!snapshot_of(store, m, memory, &snaps[count]))
			break;
		*entries += m->count;
		count++;
		table_claim(t, m, q->now);
	}
	node = heap_first(&t->due);
	*next = node ? node->due : 0;
	pthread_mutex_unlock(&store->lock);
	return count;
}

/* Was it due and free when its message was claimed? */
static bool claim_has(const struct state *s, int64_t now)
{
	return fate_lives(s->fate) && !s->claimed && s->due <= now;
}

static uint32_t claim_entries(const struct snapshot *snap, const struct view *view, int64_t now,
	struct tmail_queue_entry *to)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < snap->count; i++)
		if (claim_has(&snap->states[i], now))
			to[count++] = view->entries[i];
	return count;
}

/* Gives a claim back that nobody has heard of, due 0: as it was. */
static void claim_undo(struct store *store, const struct snapshot *snap, int64_t now, int64_t due)
{
	struct living *m;

	pthread_mutex_lock(&store->lock);
	m = table_find(&store->table, snap->id);
	for (uint32_t i = 0; m && i < snap->count; i++)
		if (claim_has(&snap->states[i], now))
			table_release(&store->table, m, snap->states[i].index, due);
	pthread_mutex_unlock(&store->lock);
}

/* Reads one claimed message; what cannot be read is given back. */
static uint32_t claim_read(struct store *store, struct snapshot *snap, const struct memory *memory,
	int64_t now, struct tmail_queue_entry *to)
{
	struct view view;
	uint32_t count = 0;
	int status = view_read(store, snap, VIEW_ENVELOPE, memory, &view);

	if (status == TMAIL_OK)
		count = claim_entries(snap, &view, now, to);
	else if (status == TMAIL_REFUSED)
		quarantine_message(store, snap);
	else
		claim_undo(store, snap, now, now + AGAIN);
	snapshot_drop(store, snap);
	return count;
}

int store_claim(struct store *store, const struct tmail_queue_claim *q, const struct memory *memory,
	struct tmail_queue_claimed *answer)
{
	struct arena *arena = arena_new(16 * 1024);
	struct memory scratch = { .arena = arena };
	struct snapshot *snaps;
	struct tmail_queue_entry *entries;
	struct tmail_queue_claim some = *q;
	uint64_t most = 0;
	uint32_t count, given = 0;
	int64_t next;

	pthread_mutex_lock(&store->lock);
	if (some.limit > store->table.due.count)
		some.limit = (uint32_t)store->table.due.count;
	pthread_mutex_unlock(&store->lock);
	snaps = ARENA_ARRAY(arena, struct snapshot, some.limit + 1);
	count = claim_take(store, &some, &scratch, snaps, &most, &next);
	entries = memory_take(memory, (size_t)most * sizeof *entries);
	for (uint32_t i = 0; i < count; i++) {
		if (!entries) {
			claim_undo(store, &snaps[i], q->now, 0);
			snapshot_drop(store, &snaps[i]);
			continue;
		}
		given += claim_read(store, &snaps[i], memory, q->now, entries + given);
	}
	arena_free(&arena);
	if (!entries)
		return TMAIL_TRY_LATER;
	answer->entries = (struct tmail_list){ entries, given, sizeof *entries };
	answer->next = next;
	return TMAIL_OK;
}

void store_release(struct store *store, const struct tmail_queue_release *q)
{
	pthread_mutex_lock(&store->lock);
	TMAIL_EACH(struct tmail_queue_given_back, g, q->claims) {
		struct living *m = table_find(&store->table, g->id);

		if (m)
			table_release(&store->table, m, g->recipient, g->due);
	}
	pthread_mutex_unlock(&store->lock);
}
