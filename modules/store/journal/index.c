/* SPDX-License-Identifier: MIT
 *
 * SQLite below the index: WAL and synchronous=NORMAL, so a commit costs no flush, and a power cut
 * takes the index back to an earlier commit as a whole, with the mark of that commit.
 */
#include "index.h"

#include "base/encode.h"

#include <endian.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INDEX_VERSION = 2, KEY = 16 };

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS head(one INTEGER PRIMARY KEY, value BLOB);"
	"CREATE TABLE IF NOT EXISTS message(id BLOB PRIMARY KEY, lsn INTEGER, length INTEGER,"
	" as_of INTEGER, hold INTEGER, octets INTEGER, received INTEGER, flags INTEGER,"
	" recipients INTEGER, sum INTEGER, sender BLOB, reason BLOB) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS recipient(id BLOB, place INTEGER, number INTEGER,"
	" fate INTEGER, note INTEGER, attempts INTEGER, due INTEGER, words INTEGER, address BLOB,"
	" reply BLOB,"
	" PRIMARY KEY(id, place)) WITHOUT ROWID;";

enum statement {
	PUT_MESSAGE,
	PUT_RECIPIENT,
	REMOVE_MESSAGE,
	REMOVE_RECIPIENTS,
	PUT_HEAD,
	MESSAGES,
	RECIPIENTS,
	STATEMENTS
};
static const char *const sql[STATEMENTS] = {
	[PUT_MESSAGE] = "REPLACE INTO message VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	[PUT_RECIPIENT] = "REPLACE INTO recipient VALUES(?,?,?,?,?,?,?,?,?,?)",
	[REMOVE_MESSAGE] = "DELETE FROM message WHERE id = ?",
	[REMOVE_RECIPIENTS] = "DELETE FROM recipient WHERE id = ?",
	[PUT_HEAD] = "REPLACE INTO head VALUES(1,?)",
	[MESSAGES] = "SELECT id, lsn, length, as_of, hold, octets, received, flags, recipients,"
		     " sum, sender, reason FROM message WHERE id > ? ORDER BY id",
	[RECIPIENTS] = "SELECT id, place, number, fate, note, attempts, due, words, address, reply"
		       " FROM recipient WHERE id > ? ORDER BY id, place",
};

/* What the one row of the head says. */
struct head {
	struct store_id store;
	uint64_t version;
	uint64_t mark;
	uint64_t rows; /* of messages */
	uint64_t end;  /* of a journal that was closed in order */
};

struct index {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct head head, before; /* before: as the transaction began */
};

static bool index_failed(const struct index *index, struct why *why, const char *what)
{
	return why_set(
		why, "index.db: %s: %s", what, index->db ? sqlite3_errmsg(index->db) : "no memory");
}

static bool index_exec(struct index *index, const char *text, struct why *why)
{
	return sqlite3_exec(index->db, text, NULL, NULL, NULL) == SQLITE_OK ||
		index_failed(index, why, text);
}

/* ---- ids, blobs -------------------------------------------------------------------------- */

/* Big-endian, so that SQLite's order of blobs is the order of ids. */
static void bind_id(sqlite3_stmt *s, int at, struct tmail_id id)
{
	uint64_t words[2] = { htobe64(id.hi), htobe64(id.lo) };

	sqlite3_bind_blob(s, at, words, KEY, SQLITE_TRANSIENT);
}

static struct tmail_id column_id(sqlite3_stmt *s, int at)
{
	uint64_t words[2] = { 0, 0 };

	if (sqlite3_column_bytes(s, at) == KEY)
		memcpy(words, sqlite3_column_blob(s, at), KEY);
	return (struct tmail_id){ be64toh(words[0]), be64toh(words[1]) };
}

static void bind_text(sqlite3_stmt *s, int at, struct tmail_str text)
{
	sqlite3_bind_blob64(s, at, text.len ? text.data : "", text.len, SQLITE_STATIC);
}

static struct tmail_str column_text(sqlite3_stmt *s, int at, struct arena *arena)
{
	struct str text = { sqlite3_column_blob(s, at), (size_t)sqlite3_column_bytes(s, at) };

	text = arena_str(arena, text);
	return (struct tmail_str){ text.data, text.len };
}

static void bind_number(sqlite3_stmt *s, int at, uint64_t number)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)number);
}

static uint64_t column_number(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

/* SQLite has no checksums; what a start believes has one. */
static uint32_t message_sum(const struct living *m, const struct state *states)
{
	uint64_t words[] = { m->id.hi, m->id.lo, m->lsn, m->length, m->as_of, m->hold, m->octets,
		(uint64_t)(m->flags & LIVING_SPOOLED) << 32 | m->count };
	uint32_t sum = crc32c(0, words, sizeof words);

	for (uint32_t i = 0; i < m->count; i++) {
		uint64_t state[] = { (uint64_t)states[i].due, states[i].words,
			(uint64_t)states[i].index << 32 | states[i].attempts << 8 |
				states[i].note << 4 | states[i].fate };

		sum = crc32c(sum, state, sizeof state);
	}
	return sum;
}

/* ---- opening ----------------------------------------------------------------------------- */

enum { HEAD_SIZE = 16 + 4 * 8 + 4 };

static bool head_get(struct index *index, struct head *head)
{
	sqlite3_stmt *s;
	char blob[HEAD_SIZE];
	uint64_t words[4];
	uint32_t sum;
	bool found = false;

	if (sqlite3_prepare_v2(index->db, "SELECT value FROM head", -1, &s, NULL))
		return false;
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == HEAD_SIZE) {
		memcpy(blob, sqlite3_column_blob(s, 0), HEAD_SIZE);
		found = true;
	}
	sqlite3_finalize(s);
	if (!found)
		return false;
	memcpy(head->store.octets, blob, 16);
	memcpy(words, blob + 16, sizeof words);
	memcpy(&sum, blob + HEAD_SIZE - 4, sizeof sum);
	head->version = le64toh(words[0]);
	head->mark = le64toh(words[1]);
	head->rows = le64toh(words[2]);
	head->end = le64toh(words[3]);
	return le32toh(sum) == crc32c(0, blob, HEAD_SIZE - 4);
}

static bool head_put(struct index *index)
{
	const struct head *head = &index->head;
	uint64_t words[4] = { htole64(head->version), htole64(head->mark), htole64(head->rows),
		htole64(head->end) };
	sqlite3_stmt *s = index->statements[PUT_HEAD];
	char blob[HEAD_SIZE];
	uint32_t sum;
	int result;

	memcpy(blob, head->store.octets, 16);
	memcpy(blob + 16, words, sizeof words);
	sum = htole32(crc32c(0, blob, HEAD_SIZE - 4));
	memcpy(blob + HEAD_SIZE - 4, &sum, sizeof sum);
	sqlite3_bind_blob(s, 1, blob, HEAD_SIZE, SQLITE_STATIC);
	result = sqlite3_step(s);
	sqlite3_reset(s);
	return result == SQLITE_DONE;
}

static bool index_connect(struct index *index, const char *path, struct why *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) /* only for its mode: addresses are nobody else's business */
		close(fd);
	if (sqlite3_open_v2(path, &index->db, flags, NULL) != SQLITE_OK)
		return index_failed(index, why, "cannot be opened");
	/* The store's lock is held, so nobody else has business here. A file that is made is not
	 * flushed before it has rows: one that a power cut leaves torn is made anew. */
	if (!index_exec(index, "PRAGMA locking_mode=EXCLUSIVE", why) ||
		!index_exec(index, "PRAGMA synchronous=OFF", why) ||
		!index_exec(index, "PRAGMA journal_mode=WAL", why) ||
		!index_exec(index, "PRAGMA synchronous=NORMAL", why) ||
		!index_exec(index, "PRAGMA wal_autocheckpoint=0", why) ||
		!index_exec(index, "PRAGMA cache_size=-2000", why) ||
		!index_exec(index, schema, why))
		return false;
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(index->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &index->statements[i], NULL) != SQLITE_OK)
			return index_failed(index, why, "has other tables");
	return true;
}

static void index_disconnect(struct index *index)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(index->statements[i]);
		index->statements[i] = NULL;
	}
	sqlite3_close_v2(index->db);
	index->db = NULL;
}

/* A store that has no journal yet is called what its index calls it, if that has seen none. */
static bool index_is_ours(struct index *index, struct store_id *store, bool has_journal)
{
	const struct head *head = &index->head;

	if (!head_get(index, &index->head) || head->version != INDEX_VERSION)
		return false;
	if (!has_journal && head->mark == 0 && head->end <= BLOCK)
		*store = head->store;
	return memcmp(&head->store, store, sizeof *store) == 0;
}

static bool index_found(struct index *index, const struct store_id *store, struct why *why)
{
	index->head = (struct head){ .store = *store, .version = INDEX_VERSION };
	return index_begin(index, why) && index_commit(index, 0, why);
}

static void index_files_remove(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	size_t size = strlen(path) + sizeof "-journal";
	char *name = must_alloc(size);

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		snprintf(name, size, "%s%s", path, suffixes[i]);
		unlink(name);
	}
	free(name);
}

struct index *index_open(
	const char *path, struct store_id *store, bool has_journal, bool *anew, struct why *why)
{
	struct index *index = must_alloc(sizeof *index);

	*anew = false;
	if (index_connect(index, path, NULL) && index_is_ours(index, store, has_journal))
		return index;
	index_disconnect(index);
	index_files_remove(path);
	*anew = true;
	if (index_connect(index, path, why) && index_found(index, store, why))
		return index;
	index_close(&index);
	return NULL;
}

void index_close(struct index **index)
{
	if (!*index)
		return;
	index_disconnect(*index);
	free(*index);
	*index = NULL;
}

bool index_empty(struct index *index, struct why *why)
{
	if (!index_begin(index, why))
		return false;
	index->head.rows = 0;
	return index_exec(index, "DELETE FROM message", why) &&
		index_exec(index, "DELETE FROM recipient", why) && index_commit(index, 0, why);
}

uint64_t index_mark(const struct index *index)
{
	return index->head.mark;
}

/* ---- writing ----------------------------------------------------------------------------- */

bool index_begin(struct index *index, struct why *why)
{
	index->before = index->head;
	return index_exec(index, "BEGIN IMMEDIATE", why);
}

bool index_commit(struct index *index, uint64_t mark, struct why *why)
{
	index->head.mark = mark;
	if (!head_put(index))
		return index_failed(index, why, "the mark cannot be written");
	return index_exec(index, "COMMIT", why);
}

void index_end(struct index *index, uint64_t end)
{
	index->head.end = end;
}

uint64_t index_ended(const struct index *index)
{
	return index->head.end;
}

void index_abort(struct index *index)
{
	if (!sqlite3_get_autocommit(index->db))
		sqlite3_exec(index->db, "ROLLBACK", NULL, NULL, NULL);
	index->head = index->before;
}

bool index_checkpoint(struct index *index, struct why *why)
{
	return sqlite3_wal_checkpoint_v2(index->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
		SQLITE_OK ||
		index_failed(index, why, "checkpoint");
}

static bool index_run(struct index *index, enum statement which, struct why *why)
{
	sqlite3_stmt *s = index->statements[which];
	int result = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return result == SQLITE_DONE || index_failed(index, why, "a row cannot be written");
}

static bool recipient_put(struct index *index, const struct snapshot *snap, const struct view *view,
	uint32_t place, struct why *why)
{
	const struct tmail_queue_entry *entry = &view->entries[place];
	sqlite3_stmt *s = index->statements[PUT_RECIPIENT];

	bind_id(s, 1, snap->id);
	bind_number(s, 2, place);
	bind_number(s, 3, entry->recipient);
	bind_number(s, 4, entry->fate);
	bind_number(s, 5, entry->note);
	bind_number(s, 6, entry->attempts);
	sqlite3_bind_int64(s, 7, entry->due);
	bind_number(s, 8, snap->states[place].words);
	bind_text(s, 9, entry->address);
	bind_text(s, 10, entry->reply);
	return index_run(index, PUT_RECIPIENT, why);
}

bool index_put(
	struct index *index, const struct snapshot *snap, const struct view *view, struct why *why)
{
	sqlite3_stmt *s = index->statements[PUT_MESSAGE];
	struct living m = { .id = snap->id,
		.lsn = snap->lsn,
		.length = snap->length,
		.as_of = snap->as_of,
		.hold = snap->hold,
		.octets = snap->octets,
		.flags = snap->flags,
		.count = snap->count };

	bind_id(s, 1, snap->id);
	bind_number(s, 2, snap->lsn);
	bind_number(s, 3, snap->length);
	bind_number(s, 4, snap->as_of);
	bind_number(s, 5, snap->hold);
	bind_number(s, 6, snap->octets);
	sqlite3_bind_int64(s, 7, view->meta.received);
	bind_number(s, 8, snap->flags & LIVING_SPOOLED);
	bind_number(s, 9, snap->count);
	bind_number(s, 10, message_sum(&m, snap->states));
	bind_text(s, 11, view->envelope.sender);
	bind_text(s, 12, (struct tmail_str){ view->hold.data, view->hold.len });
	if (!index_run(index, PUT_MESSAGE, why))
		return false;
	index->head.rows += !(snap->flags & LIVING_LISTED);
	for (uint32_t i = 0; i < snap->count; i++)
		if (!recipient_put(index, snap, view, i, why))
			return false;
	return true;
}

bool index_remove(struct index *index, struct tmail_id id, struct why *why)
{
	bind_id(index->statements[REMOVE_MESSAGE], 1, id);
	bind_id(index->statements[REMOVE_RECIPIENTS], 1, id);
	if (!index_run(index, REMOVE_MESSAGE, why))
		return false;
	index->head.rows -= (uint64_t)sqlite3_changes(index->db);
	return index_run(index, REMOVE_RECIPIENTS, why);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The next recipient of that message from the second statement, which walks beside the first. */
static bool recipient_is(sqlite3_stmt *s, struct tmail_id id, uint32_t place)
{
	return tmail_id_compare(column_id(s, 0), id) == 0 && column_number(s, 1) == place;
}

static struct living *message_load(struct table *table, sqlite3_stmt *s)
{
	struct living *m = table_new(table, (uint32_t)column_number(s, 8));

	m->id = column_id(s, 0);
	m->lsn = column_number(s, 1);
	m->length = (uint32_t)column_number(s, 2);
	m->as_of = column_number(s, 3);
	m->hold = column_number(s, 4);
	m->octets = column_number(s, 5);
	m->flags = ((uint32_t)column_number(s, 7) & LIVING_SPOOLED) | LIVING_WANTED | LIVING_LISTED;
	return m;
}

static bool states_load(sqlite3_stmt *recipients, struct living *m)
{
	struct state *states = living_states(m);

	for (uint32_t i = 0; i < m->count; i++) {
		if (sqlite3_step(recipients) != SQLITE_ROW || !recipient_is(recipients, m->id, i))
			return false;
		states[i] = state_of((uint32_t)column_number(recipients, 3),
			(uint32_t)column_number(recipients, 4),
			(uint32_t)column_number(recipients, 5),
			sqlite3_column_int64(recipients, 6));
		states[i].words = column_number(recipients, 7);
		states[i].index = (uint32_t)column_number(recipients, 2);
	}
	return true;
}

static bool rows_load(struct index *index, struct table *table)
{
	sqlite3_stmt *messages = index->statements[MESSAGES];
	sqlite3_stmt *recipients = index->statements[RECIPIENTS];
	uint64_t rows = 0;
	int result;

	while ((result = sqlite3_step(messages)) == SQLITE_ROW) {
		uint64_t count = column_number(messages, 8);
		struct living *m;
		bool sound;

		if (count > 1000000)
			return false;
		m = message_load(table, messages);
		sound = states_load(recipients, m) &&
			column_number(messages, 9) == message_sum(m, living_states(m));
		table_insert(table, m);
		if (!sound)
			return false;
		rows++;
	}
	return rows == index->head.rows && result == SQLITE_DONE &&
		sqlite3_step(recipients) == SQLITE_DONE;
}

bool index_load(struct index *index, struct table *table, struct why *why)
{
	struct tmail_id none = { 0, 0 };
	bool sound;

	bind_id(index->statements[MESSAGES], 1, none);
	bind_id(index->statements[RECIPIENTS], 1, none);
	sound = rows_load(index, table);
	sqlite3_reset(index->statements[MESSAGES]);
	sqlite3_reset(index->statements[RECIPIENTS]);
	return sound || index_failed(index, why, "is not sound");
}

static struct tmail_queue_entry *row_entries(sqlite3_stmt *messages, sqlite3_stmt *recipients,
	const struct index_row *row, struct arena *arena)
{
	struct tmail_queue_entry *entries =
		ARENA_ARRAY(arena, struct tmail_queue_entry, row->count ? row->count : 1);
	struct tmail_str sender = column_text(messages, 10, arena);
	struct tmail_str reason = column_text(messages, 11, arena);

	for (uint32_t i = 0; i < row->count; i++) {
		if (sqlite3_step(recipients) != SQLITE_ROW || !recipient_is(recipients, row->id, i))
			return NULL;
		entries[i] = (struct tmail_queue_entry){ .id = row->id,
			.recipient = (uint32_t)column_number(recipients, 2),
			.fate = (uint32_t)column_number(recipients, 3),
			.note = (uint32_t)column_number(recipients, 4),
			.attempts = (uint32_t)column_number(recipients, 5),
			.held = column_number(messages, 4) != 0,
			.due = sqlite3_column_int64(recipients, 6),
			.received = sqlite3_column_int64(messages, 6),
			.octets = column_number(messages, 5),
			.sender = sender,
			.address = column_text(recipients, 8, arena),
			.reply = column_text(recipients, 9, arena),
			.hold = reason };
	}
	return entries;
}

int index_page(struct index *index, struct tmail_id after, unsigned most, struct arena *arena,
	struct index_row *rows)
{
	sqlite3_stmt *messages = index->statements[MESSAGES];
	sqlite3_stmt *recipients = index->statements[RECIPIENTS];
	int result = SQLITE_ROW, count = 0;

	bind_id(messages, 1, after);
	bind_id(recipients, 1, after);
	while ((unsigned)count < most && (result = sqlite3_step(messages)) == SQLITE_ROW) {
		struct index_row *row = &rows[count];

		row->id = column_id(messages, 0);
		row->as_of = column_number(messages, 3);
		row->count = (uint32_t)column_number(messages, 8);
		row->entries = row_entries(messages, recipients, row, arena);
		if (!row->entries) {
			result = SQLITE_CORRUPT;
			break;
		}
		count++;
	}
	sqlite3_reset(messages);
	sqlite3_reset(recipients);
	return result == SQLITE_ROW || result == SQLITE_DONE ? count : -1;
}
