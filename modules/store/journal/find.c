/* SPDX-License-Identifier: MIT
 *
 * Finding. Two sources are merged page by page: the tree of messages that the index does not know,
 * taken first, then the rows of the index. A message that moves from one to the other meanwhile is
 * then in both and given once. A row that is older than memory is read from the journal instead.
 */
#include "find.h"

#include "base/arena.h"
#include "indexer.h"
#include "store.h"
#include "view.h"

#include <stdlib.h>

enum { PAGE = 128 };

/* ---- filters ----------------------------------------------------------------------------- */

static struct str str_of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

/* A whole address, or "@domain". */
static bool address_matches(struct tmail_str wanted, struct tmail_str address)
{
	struct str w = str_of(wanted), a = str_of(address);

	if (w.len == 0)
		return true;
	return w.data[0] == '@' ? str_ends_case(a, w) : str_equal_case(a, w);
}

bool find_matches(const struct tmail_queue_find *q, const struct tmail_queue_entry *entry)
{
	bool fate = q->fates ? entry->fate < 32 && q->fates & 1u << entry->fate
			     : fate_lives(entry->fate);

	return fate && (q->held == 0 || (q->held == 1) == (entry->held != 0)) &&
		(q->before == 0 || entry->received < q->before) &&
		address_matches(q->sender, entry->sender) &&
		address_matches(q->recipient, entry->address) &&
		(q->reason.len == 0 ||
			str_search_case(str_of(entry->reply), str_of(q->reason)) >= 0);
}

/* ---- sources ----------------------------------------------------------------------------- */

struct page {
	struct arena *arena;
	struct tmail_id fresh[PAGE];
	struct index_row rows[PAGE];
	unsigned fresh_count, row_count;
	bool more;               /* one of the sources had more than its page */
	struct tmail_id horizon; /* up to here the page is whole */
};

static const struct tmail_id id_last = { UINT64_MAX, UINT64_MAX };

static unsigned tree_page(
	struct living *tree, struct tmail_id after, unsigned most, struct tmail_id *ids)
{
	const struct living *m;
	unsigned count = 0;

	while (count < most && (m = tree_after(tree, after)) != NULL)
		ids[count++] = after = m->id;
	return count;
}

static unsigned rows_fetch(
	struct store *store, struct tmail_id after, unsigned most, struct page *page)
{
	int count = -1;

	pthread_mutex_lock(&store->indexing);
	if (store->index) {
		count = index_page(store->index, after, most, page->arena, page->rows);
		if (count < 0)
			indexer_give_up(store, &(struct why){ "index.db: is not sound" });
	}
	if (count < 0) { /* the messages are there all the same; as_of 0: read the journal */
		struct tmail_id ids[PAGE];

		arena_reset(page->arena);
		pthread_mutex_lock(&store->lock);
		count = (int)tree_page(store->table.listed, after, most, ids);
		pthread_mutex_unlock(&store->lock);
		for (int i = 0; i < count; i++)
			page->rows[i] = (struct index_row){ .id = ids[i] };
	}
	pthread_mutex_unlock(&store->indexing);
	return (unsigned)count;
}

static void page_fetch(struct store *store, struct tmail_id after, unsigned most, struct page *page)
{
	arena_reset(page->arena);
	pthread_mutex_lock(&store->lock);
	page->fresh_count = tree_page(store->table.fresh, after, most, page->fresh);
	pthread_mutex_unlock(&store->lock);
	page->row_count = rows_fetch(store, after, most, page);
	page->more = page->fresh_count == most || page->row_count == most;
	page->horizon = id_last;
	if (page->fresh_count == most)
		page->horizon = page->fresh[most - 1];
	if (page->row_count == most && tmail_id_compare(page->rows[most - 1].id, page->horizon) < 0)
		page->horizon = page->rows[most - 1].id;
}

/* ---- the walk ---------------------------------------------------------------------------- */

struct walk {
	struct store *store;
	const struct tmail_queue_find *q;
	struct page page;
	struct arena *scratch;
	uint32_t given;
	bool over;
	int status;
};

/* Gives out what matches of one message. */
static void walk_give(struct walk *walk, const struct tmail_queue_entry *entries, uint32_t count)
{
	uint32_t matching = 0;

	for (uint32_t i = 0; i < count && walk->q->limit; i++)
		matching += find_matches(walk->q, &entries[i]);
	if (walk->given && walk->given + matching > walk->q->limit && walk->q->limit) {
		walk->over = true;
		return;
	}
	for (uint32_t i = 0; i < count && !walk->over; i++) {
		if (!find_matches(walk->q, &entries[i]))
			continue;
		walk->given++;
		walk->over = walk->q->found(walk->q->ctx, &entries[i]) != 0;
	}
	if (walk->q->limit && walk->given >= walk->q->limit)
		walk->over = true;
}

static void walk_journal(struct walk *walk, struct tmail_id id)
{
	struct memory memory = { .arena = walk->scratch };
	struct snapshot snap;
	struct view view;
	int status = view_message(walk->store, id, VIEW_ENVELOPE, &memory, &view, &snap);

	if (status == TMAIL_OK) {
		snapshot_drop(walk->store, &snap);
		walk_give(walk, view.entries, snap.count);
	} else if (status == TMAIL_TRY_LATER) {
		walk->status = status;
	}
	arena_reset(walk->scratch);
}

static void walk_row(struct walk *walk, const struct index_row *row)
{
	const struct living *m;
	bool lives, same;

	pthread_mutex_lock(&walk->store->lock);
	m = table_find(&walk->store->table, row->id);
	lives = m != NULL;
	same = m && m->as_of == row->as_of && !(m->flags & LIVING_DAMAGED);
	pthread_mutex_unlock(&walk->store->lock);
	if (same)
		walk_give(walk, row->entries, row->count);
	else if (lives)
		walk_journal(walk, row->id);
}

static void walk_page(struct walk *walk)
{
	const struct page *page = &walk->page;
	unsigned fresh = 0, row = 0;

	while (!walk->over && (fresh < page->fresh_count || row < page->row_count)) {
		int order = fresh == page->fresh_count ? 1
			: row == page->row_count
			? -1
			: tmail_id_compare(page->fresh[fresh], page->rows[row].id);
		struct tmail_id id = order <= 0 ? page->fresh[fresh] : page->rows[row].id;

		if (tmail_id_compare(id, page->horizon) > 0)
			return;
		if (order <= 0)
			walk_journal(walk, id);
		else
			walk_row(walk, &page->rows[row]);
		fresh += order <= 0;
		row += order >= 0;
	}
}

static int find_one(struct walk *walk)
{
	if (tmail_id_compare(walk->q->id, walk->q->after) > 0)
		walk_journal(walk, walk->q->id);
	return walk->status;
}

int store_find(struct store *store, const struct tmail_queue_find *q)
{
	struct walk *walk = must_alloc(sizeof *walk);
	unsigned most = q->limit && q->limit < PAGE ? q->limit : PAGE;
	struct tmail_id after = q->after;
	int status;

	walk->store = store;
	walk->q = q;
	walk->status = TMAIL_OK;
	walk->scratch = arena_new(4096);
	walk->page.arena = arena_new(16 * 1024);
	if (q->id.hi || q->id.lo) {
		status = find_one(walk);
	} else {
		do {
			page_fetch(store, after, most, &walk->page);
			walk_page(walk);
			after = walk->page.horizon;
		} while (walk->page.more && !walk->over);
		status = walk->status;
	}
	arena_free(&walk->scratch);
	arena_free(&walk->page.arena);
	free(walk);
	return status;
}
