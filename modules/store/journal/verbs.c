/* SPDX-License-Identifier: MIT
 *
 * Commands for people and for tests of crashes: what would this store deliver, and can all of
 * it be read?
 */
#include "verbs.h"

#include "base/arena.h"
#include "base/id.h"
#include "find.h"
#include "read.h"
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids of living messages, gathered first: the walk itself holds nothing up. */
struct ids {
	struct tmail_id *ids;
	size_t count, cap;
};

static int ids_found(void *ctx, const struct tmail_queue_entry *entry)
{
	struct ids *ids = ctx;

	if (ids->count && tmail_id_compare(ids->ids[ids->count - 1], entry->id) == 0)
		return 0;
	if (ids->count == ids->cap) {
		ids->cap = ids->cap ? ids->cap * 2 : 64;
		ids->ids = must_realloc(ids->ids, ids->cap * sizeof *ids->ids);
	}
	ids->ids[ids->count++] = entry->id;
	return 0;
}

static int ids_gather(struct store *store, struct ids *ids)
{
	struct tmail_queue_find q = { .size = sizeof q, .found = ids_found, .ctx = ids };

	return store_find(store, &q);
}

/* The addresses of those who still wait, separated by blanks. */
static struct str living_addresses(const struct tmail_queue_content *content, struct buf *out)
{
	buf_clear(out);
	TMAIL_EACH(struct tmail_queue_entry, entry, content->states) {
		if (!fate_lives(entry->fate))
			continue;
		if (out->len)
			buf_add_char(out, ' ');
		buf_add(out, str_make(entry->address.data, entry->address.len));
	}
	return buf_str(out);
}

static void list_row(struct tmail_call *call, struct tmail_id id,
	const struct tmail_queue_content *content, struct buf *addresses)
{
	char text[ID_TEXT + 1], octets[24];
	struct str recipients = living_addresses(content, addresses);
	struct tmail_str row[4];

	id_text((struct id){ id.hi, id.lo }, text);
	snprintf(octets, sizeof octets, "%" PRIu64, content->total);
	row[0] = (struct tmail_str){ text, ID_TEXT };
	row[1] = (struct tmail_str){ octets, strlen(octets) };
	row[2] = content->envelope->sender;
	row[3] = (struct tmail_str){ recipients.data, recipients.len };
	call->host->emit->row(call, row, 4);
}

static int list_run(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const columns[] = { "id", "octets:int", "sender", "recipients" };
	struct store *store = journal_store(call);
	struct arena *arena = arena_new(64 * 1024);
	struct buf addresses = { 0 };
	struct ids ids = { 0 };
	int status = ids_gather(store, &ids);

	(void)values;
	call->host->emit->columns(call, columns, 4);
	for (size_t i = 0; i < ids.count && status == TMAIL_OK; i++) {
		struct tmail_queue_read q = { .size = sizeof q, .id = ids.ids[i] };
		struct tmail_queue_content content = { .size = sizeof content };
		struct memory memory = { .arena = arena };

		if (store_read(store, &q, &memory, &content) == TMAIL_OK)
			list_row(call, ids.ids[i], &content, &addresses);
		arena_reset(arena);
	}
	free(ids.ids);
	buf_free(&addresses);
	arena_free(&arena);
	notes_tell(&store->notes, call);
	if (status != TMAIL_OK)
		call->host->emit->fail(call, "the store cannot be read");
	return status == TMAIL_OK ? TMAIL_OK : TMAIL_REFUSED;
}

/* Reads all of a message, piece by piece. */
static int message_check(struct store *store, struct tmail_id id, struct arena *arena)
{
	enum { PIECE = 1024 * 1024 };
	struct tmail_queue_content content = { .size = sizeof content };
	struct memory memory = { .arena = arena };
	uint64_t offset = 0;
	int status;

	do {
		struct tmail_queue_read q = {
			.size = sizeof q, .id = id, .offset = offset, .limit = PIECE
		};

		arena_reset(arena);
		status = store_read(store, &q, &memory, &content);
		offset += content.octets.len;
	} while (status == TMAIL_OK && offset < content.total);
	return status;
}

static int check_run(struct tmail_call *call, const struct tmail_list *values)
{
	struct store *store = journal_store(call);
	struct arena *arena = arena_new(64 * 1024);
	struct ids ids = { 0 };
	size_t bad = 0;
	int status = ids_gather(store, &ids);

	(void)values;
	for (size_t i = 0; i < ids.count; i++) {
		char text[ID_TEXT + 1];
		int found = message_check(store, ids.ids[i], arena);

		call->host->emit->progress(call, i + 1, ids.count);
		if (found == TMAIL_OK)
			continue;
		bad++;
		id_text((struct id){ ids.ids[i].hi, ids.ids[i].lo }, text);
		call->host->emit->say(call, "%s cannot be read", text);
	}
	notes_tell(&store->notes, call);
	call->host->emit->say(call, "%zu messages, %zu of them cannot be read", ids.count, bad);
	free(ids.ids);
	arena_free(&arena);
	if (status == TMAIL_OK && bad == 0)
		return TMAIL_OK;
	call->host->emit->fail(
		call, "the store is damaged; docs/journal.md says what is kept where");
	return TMAIL_REFUSED;
}

const struct tmail_verb journal_verbs[JOURNAL_VERBS] = {
	{ "journal list", "Prints id, size, sender and waiting recipients of what the store holds.",
		TMAIL_ROLE_READ, TMAIL_BLOCKING | TMAIL_OFFLINE, { NULL, 0, 0 }, list_run },
	{ "journal check", "Reads every message in the store and its checksums.", TMAIL_ROLE_READ,
		TMAIL_BLOCKING | TMAIL_OFFLINE, { NULL, 0, 0 }, check_run },
};
