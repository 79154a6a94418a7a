/* SPDX-License-Identifier: MIT
 *
 * Copies of what is damaged, one file a place, named by LSN or id, so that the next start does not
 * make another. Nothing is thrown away before its copy is flushed.
 */
#include "quarantine.h"

#include "base/id.h"
#include "store.h"
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char folder[] = "quarantine";

enum { NAME_SIZE = 64, PIECE = 1024 * 1024 };

/* 0 or -errno. What cannot be read from the damaged place is zeros in the copy. */
static int range_copy(
	struct store *store, const struct segment *segment, uint64_t lsn, uint64_t length, int fd)
{
	char *data = must_alloc(PIECE);
	int error = 0;

	for (uint64_t at = 0; at < length && error == 0; at += PIECE) {
		size_t len = length - at < PIECE ? (size_t)(length - at) : PIECE;

		if (segment_read(&store->segments, segment, lsn + at, data, len) < 0)
			memset(data, 0, len);
		error = file_write_all(store->files, fd, data, len, at);
	}
	free(data);
	if (error == 0)
		error = store->files->flush(store->files, fd);
	if (error == 0)
		error = store->files->flush_folder(store->files, folder);
	return error;
}

static int range_keep(struct store *store, const struct segment *segment, uint64_t lsn,
	uint64_t length, const char *name)
{
	struct files *f = store->files;
	int error = f->make_folder(f, folder);
	int fd = error < 0 ? error : f->open(f, name, FILE_NEW);

	if (fd == -EEXIST)
		return 0;
	if (fd < 0)
		return fd;
	error = range_copy(store, segment, lsn, length, fd);
	f->close(f, fd);
	if (error < 0)
		f->remove(f, name);
	return error;
}

bool quarantine_range(struct store *store, const struct segment *segment, uint64_t lsn,
	uint64_t length, const char *what)
{
	char name[NAME_SIZE];
	int error;

	snprintf(name, sizeof name, "%s/lsn-%020" PRIu64, folder, lsn);
	error = range_keep(store, segment, lsn, length, name);
	note_count(&store->notes, METRIC_DAMAGED, 1);
	note(&store->notes, TMAIL_ERROR, "journal_damaged",
		"%s at %" PRIu64 ", %" PRIu64 " octets of segment-%08" PRIu32 "; %s%s%s", what, lsn,
		length, segment->number, error ? "no copy could be kept: " : "kept in ",
		error ? strerror(-error) : name, error ? "" : "; all else is served");
	return error == 0;
}

bool quarantine_spool(struct store *store, struct tmail_id id)
{
	struct files *f = store->files;
	char text[ID_TEXT + 1], from[NAME_SIZE], to[NAME_SIZE];
	int error = f->make_folder(f, folder);

	id_text((struct id){ id.hi, id.lo }, text);
	snprintf(from, sizeof from, SPOOL_FOLDER "/%s", text);
	snprintf(to, sizeof to, "%s/%s.spool", folder, text);
	if (error == 0)
		error = f->rename(f, from, to);
	if (error == 0)
		error = f->flush_folder(f, folder);
	return error == 0 || error == -ENOENT;
}

void quarantine_message(struct store *store, const struct snapshot *snap)
{
	char text[ID_TEXT + 1], what[NAME_SIZE];
	struct living *m;
	bool kept;

	id_text((struct id){ snap->id.hi, snap->id.lo }, text);
	snprintf(what, sizeof what, "message %s", text);
	kept = snap->pinned && quarantine_range(store, snap->pinned, snap->lsn, snap->length, what);
	if (kept && snap->flags & LIVING_SPOOLED)
		kept = quarantine_spool(store, snap->id);
	pthread_mutex_lock(&store->lock);
	m = table_find(&store->table, snap->id);
	if (m && m->lsn == snap->lsn) {
		if (kept)
			table_drop(&store->table, m);
		else
			table_damaged(&store->table, m);
	}
	pthread_mutex_unlock(&store->lock);
}
