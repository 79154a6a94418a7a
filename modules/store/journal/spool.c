/* SPDX-License-Identifier: MIT
 *
 * The spool. A file is the content, then one CRC32C for each 64 KiB of it, so that any piece can be
 * read and checked alone; the checksum of that table stands in the record of the message.
 */
#include "spool.h"

#include "base/encode.h"
#include "base/id.h"
#include "quarantine.h"
#include "space.h"
#include "store.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024, NAME_SIZE = sizeof SPOOL_FOLDER + ID_TEXT + 2 };

struct spool {
	struct tmail_id id; /* the key of the map */
	int fd;
	bool ready; /* all is there and flushed */
	uint64_t size;
	uint32_t *sums; /* of the pieces; the last one may grow; little-endian when ready */
	size_t cap;
	uint32_t check; /* of the table */
};

static size_t pieces_of(uint64_t size)
{
	return (size_t)((size + PIECE - 1) / PIECE);
}

static void spool_name(struct tmail_id id, char name[NAME_SIZE])
{
	char text[ID_TEXT + 1];

	id_text((struct id){ id.hi, id.lo }, text);
	snprintf(name, NAME_SIZE, SPOOL_FOLDER "/%s", text);
}

static struct str key_of(const struct tmail_id *id)
{
	return str_make((const char *)id, sizeof *id);
}

void spools_init(struct spools *s)
{
	*s = (struct spools){ 0 };
	pthread_mutex_init(&s->lock, NULL);
}

static void spool_free(struct store *store, struct spool *spool)
{
	store->files->close(store->files, spool->fd);
	free(spool->sums);
	free(spool);
}

void spools_free(struct store *store)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(&store->spools.open, &at, &key, &value);)
		spool_free(store, value);
	map_free(&store->spools.open);
	pthread_mutex_destroy(&store->spools.lock);
}

static struct spool *spool_find(struct store *store, struct tmail_id id)
{
	struct spool *spool;

	pthread_mutex_lock(&store->spools.lock);
	spool = map_get(&store->spools.open, key_of(&id));
	pthread_mutex_unlock(&store->spools.lock);
	return spool;
}

static struct spool *spool_forget(struct store *store, struct tmail_id id)
{
	struct spool *spool;

	pthread_mutex_lock(&store->spools.lock);
	spool = map_remove(&store->spools.open, key_of(&id));
	pthread_mutex_unlock(&store->spools.lock);
	return spool;
}

/* ---- writing ----------------------------------------------------------------------------- */

static int spool_error(int error, bool *full, struct why *why)
{
	*full = error == -ENOSPC || error == -EDQUOT;
	why_set(why, "the spool cannot be written: %s", strerror(-error));
	return TMAIL_TRY_LATER;
}

static int spool_begin(struct store *store, struct tmail_id id, struct spool **made)
{
	struct files *f = store->files;
	char name[NAME_SIZE];
	struct spool *spool;
	bool folder;
	int fd, error;

	pthread_mutex_lock(&store->spools.lock);
	folder = store->spools.folder;
	pthread_mutex_unlock(&store->spools.lock);
	error = folder ? 0 : f->make_folder(f, SPOOL_FOLDER);
	if (error < 0)
		return error;
	spool_name(id, name);
	fd = f->open(f, name, FILE_NEW);
	if (fd < 0)
		return fd;
	spool = must_alloc(sizeof *spool);
	spool->id = id;
	spool->fd = fd;
	pthread_mutex_lock(&store->spools.lock);
	store->spools.folder = true;
	map_put(&store->spools.open, key_of(&spool->id), spool);
	pthread_mutex_unlock(&store->spools.lock);
	*made = spool;
	return 0;
}

/* Carries the checksums of the pieces on over the octets that come next. */
static void spool_sum(struct spool *spool, struct tmail_str octets)
{
	const char *at = octets.data;
	size_t left = octets.len;

	while (pieces_of(spool->size + left) > spool->cap) {
		spool->cap = spool->cap ? spool->cap * 2 : 16;
		spool->sums = must_realloc(spool->sums, spool->cap * sizeof *spool->sums);
	}
	while (left) {
		size_t place = (size_t)(spool->size / PIECE), into = (size_t)(spool->size % PIECE);
		size_t len = left < PIECE - into ? left : PIECE - into;

		spool->sums[place] = crc32c(into ? spool->sums[place] : 0, at, len);
		spool->size += len;
		at += len;
		left -= len;
	}
}

/* Octets and table, the file's flush, the folder's: only then may a record name it. */
static int spool_finish(struct store *store, struct spool *spool)
{
	struct files *f = store->files;
	size_t count = pieces_of(spool->size);
	int error = 0;

	for (size_t i = 0; i < count; i++)
		spool->sums[i] = htole32(spool->sums[i]);
	spool->check = crc32c(0, spool->sums, count * sizeof *spool->sums);
	if (count)
		error = file_write_all(
			f, spool->fd, spool->sums, count * sizeof *spool->sums, spool->size);
	if (error == 0)
		error = f->flush(f, spool->fd);
	if (error == 0)
		error = f->flush_folder(f, SPOOL_FOLDER);
	spool->ready = error == 0;
	return error;
}

static void spool_drop(struct store *store, struct tmail_id id)
{
	struct spool *spool = spool_forget(store, id);

	if (!spool)
		return;
	spool_free(store, spool);
	spool_remove(store, id);
}

int spool_write(struct store *store, const struct tmail_queue_spool *q, bool *full, struct why *why)
{
	struct spool *spool = spool_find(store, q->id);
	int error = 0;

	*full = false;
	if (q->last == 2) {
		spool_drop(store, q->id);
		return TMAIL_OK;
	}
	if (!spool && q->offset == 0)
		error = spool_begin(store, q->id, &spool);
	if (error < 0)
		return spool_error(error, full, why);
	if (!spool || spool->ready || spool->size != q->offset) {
		why_set(why, "octets of a spool that do not follow those before");
		return TMAIL_REFUSED;
	}
	if (q->octets.len && !space_for_spool(store, q->octets.len, why)) {
		*full = true;
		spool_drop(store, q->id);
		return TMAIL_TRY_LATER;
	}
	if (q->octets.len)
		error = file_write_all(
			store->files, spool->fd, q->octets.data, q->octets.len, spool->size);
	if (error == 0) {
		spool_sum(spool, q->octets);
		if (q->last)
			error = spool_finish(store, spool);
	}
	if (error == 0)
		return TMAIL_OK;
	/* A flush that failed is final for this file, and octets after a hole are worth nothing. */
	spool_drop(store, q->id);
	return spool_error(error, full, why);
}

bool spool_ready(struct store *store, struct tmail_id id, uint64_t size, uint32_t *check)
{
	struct spool *spool = spool_find(store, id);

	if (!spool || !spool->ready || spool->size != size)
		return false;
	*check = spool->check;
	return true;
}

void spool_added(struct store *store, struct tmail_id id)
{
	struct spool *spool = spool_forget(store, id);

	if (spool)
		spool_free(store, spool);
}

void spool_remove(struct store *store, struct tmail_id id)
{
	char name[NAME_SIZE];

	spool_name(id, name);
	store->files->remove(store->files, name);
}

/* ---- reading ----------------------------------------------------------------------------- */

int spool_read_open(struct store *store, const struct tmail_queue_read *q,
	const struct memory *memory, struct tmail_str *octets, uint64_t *total)
{
	struct spool *spool = spool_find(store, q->id);
	uint64_t len;
	char *data;

	if (!spool)
		return TMAIL_NOT_FOUND;
	len = q->offset < spool->size ? spool->size - q->offset : 0;
	if (len > q->limit)
		len = q->limit;
	data = memory_take(memory, (size_t)len);
	if (!data || file_read_all(store->files, spool->fd, data, (size_t)len, q->offset) < 0)
		return TMAIL_TRY_LATER;
	*octets = (struct tmail_str){ data, (size_t)len };
	*total = spool->size;
	return TMAIL_OK;
}

/* The table of the checksums, if it is what the record says. */
static int sums_read(struct store *store, int fd, uint64_t total, uint32_t check, uint32_t *sums)
{
	size_t size = pieces_of(total) * sizeof *sums;
	int error = file_read_all(store->files, fd, sums, size, total);

	if (error)
		return error == -ENODATA ? TMAIL_REFUSED : TMAIL_TRY_LATER;
	return crc32c(0, sums, size) == check ? TMAIL_OK : TMAIL_REFUSED;
}

/* Reads piece by piece, since only a whole one can be checked. */
static int pieces_read(struct store *store, int fd, const uint32_t *sums, uint64_t total,
	uint64_t offset, char *to, size_t len)
{
	char *piece = must_alloc(PIECE);
	int status = TMAIL_OK;

	while (len && status == TMAIL_OK) {
		uint64_t start = offset / PIECE * PIECE;
		size_t size = total - start < PIECE ? (size_t)(total - start) : PIECE;
		size_t skip = (size_t)(offset - start),
		       part = size - skip < len ? size - skip : len;
		int error = file_read_all(store->files, fd, piece, size, start);

		if (error)
			status = error == -ENODATA ? TMAIL_REFUSED : TMAIL_TRY_LATER;
		else if (crc32c(0, piece, size) != le32toh(sums[start / PIECE]))
			status = TMAIL_REFUSED;
		memcpy(to, piece + skip, part);
		to += part;
		offset += part;
		len -= part;
	}
	free(piece);
	return status;
}

int spool_read(struct store *store, struct tmail_id id, uint64_t total, uint32_t check,
	uint64_t offset, char *to, size_t len, struct why *why)
{
	char name[NAME_SIZE];
	uint32_t *sums;
	int fd, status;

	spool_name(id, name);
	fd = store->files->open(store->files, name, FILE_OLD);
	if (fd < 0) {
		why_set(why, "%s: %s", name, strerror(-fd));
		return fd == -ENOENT ? TMAIL_REFUSED : TMAIL_TRY_LATER;
	}
	sums = must_alloc((pieces_of(total) + 1) * sizeof *sums);
	status = sums_read(store, fd, total, check, sums);
	if (status == TMAIL_OK)
		status = pieces_read(store, fd, sums, total, offset, to, len);
	free(sums);
	store->files->close(store->files, fd);
	if (status != TMAIL_OK)
		why_set(why, "%s: %s", name,
			status == TMAIL_REFUSED ? "is damaged" : "cannot be read");
	return status;
}

/* ---- at start ---------------------------------------------------------------------------- */

struct sweep {
	struct store *store;
	bool keep;
	unsigned count;
};

static void sweep_found(void *ctx, const char *name)
{
	struct sweep *sweep = ctx;
	struct store *store = sweep->store;
	struct living *m;
	struct id id;

	if (!id_parse(str_c(name), &id))
		return;
	pthread_mutex_lock(&store->lock);
	m = table_find(&store->table, (struct tmail_id){ id.hi, id.lo });
	pthread_mutex_unlock(&store->lock);
	if (m && m->flags & LIVING_SPOOLED)
		return;
	sweep->count++;
	if (sweep->keep)
		quarantine_spool(store, (struct tmail_id){ id.hi, id.lo });
	else
		spool_remove(store, (struct tmail_id){ id.hi, id.lo });
}

void spools_sweep(struct store *store, bool keep)
{
	struct sweep sweep = { .store = store, .keep = keep };

	if (store->files->list(store->files, SPOOL_FOLDER, sweep_found, &sweep) == 0 && sweep.count)
		note(&store->notes, TMAIL_INFO, "journal_spool_swept", "%u files of no message %s",
			sweep.count, keep ? "put into quarantine" : "removed");
}
