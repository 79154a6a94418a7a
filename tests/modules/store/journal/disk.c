/* SPDX-License-Identifier: MIT
 *
 * The disk. Each file has two images: what readers see, and what a crash leaves; a flush makes
 * them equal where it was written. Names have the same two, and a list of changes in between.
 */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTOR = 100 };

static struct disk *disk_of(struct files *f)
{
	return (struct disk *)(void *)f;
}

static bool is_direct(int fd)
{
	return fd >= DESCRIPTOR + DISK_FILES;
}

static struct disk_inode *inode_of(struct disk *d, int fd)
{
	return &d->inodes[fd - DESCRIPTOR - (is_direct(fd) ? DISK_FILES : 0)];
}

uint64_t disk_random(struct disk *d)
{
	uint64_t x = d->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Does this call fail? 0 or -errno. */
static int disk_call(struct disk *d, enum disk_call kind)
{
	d->calls[kind]++;
	d->total++;
	if (d->off)
		return -EIO;
	if (d->fail_at == 0 || (d->fail_kind != DISK_CALLS && d->fail_kind != kind))
		return 0;
	if (d->fail_at > 1) {
		d->fail_at--;
		return 0;
	}
	if (!d->fail_stays)
		d->fail_at = 0;
	d->failed++;
	if (d->fail_error)
		return d->fail_error;
	d->off = true;
	return -EIO;
}

static int entry_find(const struct disk_entry *entries, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(entries[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void entry_set(struct disk_entry *entries, size_t *count, const char *name, int inode)
{
	int at = entry_find(entries, *count, name);

	if (inode < 0) {
		if (at >= 0)
			entries[at] = entries[--*count];
		return;
	}
	if (at < 0) {
		if (*count == DISK_FILES)
			abort();
		at = (int)(*count)++;
		snprintf(entries[at].name, DISK_NAME, "%s", name);
	}
	entries[at].inode = inode;
}

static void name_change(struct disk *d, const char *name, int inode)
{
	entry_set(d->now, &d->now_count, name, inode);
	if (d->change_count == DISK_OPS) { /* the file system wrote some by itself */
		for (size_t i = 0; i < DISK_OPS / 2; i++)
			entry_set(d->kept, &d->kept_count, d->changes[i].name, d->changes[i].inode);
		d->change_count -= DISK_OPS / 2;
		memmove(d->changes, d->changes + DISK_OPS / 2,
			d->change_count * sizeof *d->changes);
	}
	snprintf(d->changes[d->change_count].name, DISK_NAME, "%s", name);
	d->changes[d->change_count++].inode = inode;
}

static void inode_resize(struct disk_inode *inode, size_t size)
{
	size_t sectors = (size + SECTOR - 1) / SECTOR, before = (inode->size + SECTOR - 1) / SECTOR;

	if (size <= inode->size)
		return;
	inode->now = realloc(inode->now, sectors * SECTOR);
	inode->dirty = realloc(inode->dirty, sectors);
	if (!inode->now || !inode->dirty)
		abort();
	memset(inode->now + before * SECTOR, 0, (sectors - before) * SECTOR);
	memset(inode->dirty + before, 0, sectors - before);
	inode->size = size;
}

static void kept_resize(struct disk_inode *inode, size_t size)
{
	size_t sectors = (size + SECTOR - 1) / SECTOR;
	size_t before = (inode->kept_size + SECTOR - 1) / SECTOR;

	if (size <= inode->kept_size)
		return;
	inode->kept = realloc(inode->kept, sectors * SECTOR);
	if (!inode->kept)
		abort();
	memset(inode->kept + before * SECTOR, 0, (sectors - before) * SECTOR);
	inode->kept_size = size;
}

static uint64_t disk_used(const struct disk *d)
{
	uint64_t used = 0;

	for (size_t i = 0; i < d->now_count; i++)
		used += d->inodes[d->now[i].inode].size;
	return used;
}

static void inode_free(struct disk_inode *inode)
{
	free(inode->now);
	free(inode->kept);
	free(inode->dirty);
	*inode = (struct disk_inode){ 0 };
}

static void inodes_mark(bool *named, const struct disk_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		named[entries[i].inode] = true;
}

/* The lowest free one; files whose last name is gone for good are freed now. */
static int inode_new(struct disk *d)
{
	bool named[DISK_FILES] = { false };

	inodes_mark(named, d->now, d->now_count);
	inodes_mark(named, d->kept, d->kept_count);
	for (size_t i = 0; i < d->change_count; i++)
		if (d->changes[i].inode >= 0)
			named[d->changes[i].inode] = true;
	for (int i = 0; i < DISK_FILES; i++) {
		if (named[i])
			continue;
		inode_free(&d->inodes[i]);
		d->inodes[i].used = true;
		return i;
	}
	return -1;
}

static int disk_open(struct files *f, const char *name, enum file_mode mode)
{
	struct disk *d = disk_of(f);
	int error = disk_call(d, DISK_OPEN), at = entry_find(d->now, d->now_count, name);

	if (error)
		return error;
	if (mode == FILE_DIRECT && at >= 0)
		return d->block ? d->now[at].inode + DESCRIPTOR + DISK_FILES : -EINVAL;
	if (mode != FILE_NEW)
		return at < 0 ? -ENOENT : d->now[at].inode + DESCRIPTOR;
	if (at >= 0)
		return -EEXIST;
	at = inode_new(d);
	if (at < 0)
		return -ENOSPC;
	name_change(d, name, at);
	return at + DESCRIPTOR;
}

static void disk_close(struct files *f, int fd)
{
	(void)f;
	(void)fd;
}

static ssize_t disk_read_at(struct files *f, int fd, void *to, size_t len, uint64_t at)
{
	struct disk *d = disk_of(f);
	const struct disk_inode *inode = inode_of(d, fd);
	int error = disk_call(d, DISK_READ);

	if (error)
		return error;
	if (at >= inode->size)
		return 0;
	if (len > inode->size - at)
		len = inode->size - (size_t)at;
	if (len > 1 && disk_random(d) % 8 == 0) /* short reads are usual */
		len = len / 2;
	memcpy(to, inode->now + at, len);
	return (ssize_t)len;
}

static ssize_t disk_write_at(struct files *f, int fd, const void *from, size_t len, uint64_t at)
{
	struct disk *d = disk_of(f);
	struct disk_inode *inode = inode_of(d, fd);
	bool off = d->off;
	int error = disk_call(d, DISK_WRITE);

	if (off)
		return -EIO;
	if (is_direct(fd) && ((uintptr_t)from % d->block || len % d->block || at % d->block))
		return -EINVAL;
	d->direct += is_direct(fd);
	if (error) { /* a part of it may have got through before */
		len = disk_random(d) % (len + 1);
	} else if (len > SECTOR && disk_random(d) % 16 == 0) {
		len = len / SECTOR / 2 * SECTOR + 1; /* short writes are usual, too */
	}
	if (!error && d->capacity && at + len > inode->size &&
		disk_used(d) + (at + len - inode->size) > d->capacity)
		return -ENOSPC;
	if (at + len > inode->size)
		inode_resize(inode, (size_t)(at + len));
	if (len) {
		memcpy(inode->now + at, from, len);
		memset(inode->dirty + at / SECTOR, 1, (at + len - 1) / SECTOR - at / SECTOR + 1);
	}
	return error ? error : (ssize_t)len;
}

/* Sectors that were written go to what is kept, with a chance of `of` out of 256. */
static void inode_keep(struct disk *d, struct disk_inode *inode, unsigned of)
{
	kept_resize(inode, inode->size);
	for (size_t i = 0; i < (inode->size + SECTOR - 1) / SECTOR; i++) {
		if (inode->dirty[i] && (of == 256 || disk_random(d) % 256 < of))
			memcpy(inode->kept + i * SECTOR, inode->now + i * SECTOR, SECTOR);
		inode->dirty[i] = 0;
	}
}

static int disk_flush(struct files *f, int fd)
{
	struct disk *d = disk_of(f);
	struct disk_inode *inode = inode_of(d, fd);
	bool off = d->off;
	int error = disk_call(d, DISK_FLUSH);

	if (error && !off && d->off)
		return error; /* the power went: what is dirty stays so until the crash */
	if (!off)
		inode_keep(d, inode, error ? 128 : 256);
	return error;
}

static bool in_folder(const char *name, const char *folder)
{
	size_t len = strlen(folder);

	if (strcmp(folder, ".") == 0)
		return strchr(name, '/') == NULL;
	return strncmp(name, folder, len) == 0 && name[len] == '/';
}

static int disk_flush_folder(struct files *f, const char *folder)
{
	struct disk *d = disk_of(f);
	int error = disk_call(d, DISK_FLUSH_FOLDER);
	size_t left = 0;

	if (error)
		return error;
	for (size_t i = 0; i < d->change_count; i++) {
		if (in_folder(d->changes[i].name, folder))
			entry_set(d->kept, &d->kept_count, d->changes[i].name, d->changes[i].inode);
		else
			d->changes[left++] = d->changes[i];
	}
	d->change_count = left;
	return 0;
}

static int disk_allocate(struct files *f, int fd, uint64_t size)
{
	struct disk *d = disk_of(f);
	int error = disk_call(d, DISK_ALLOCATE);

	if (error)
		return error;
	if (d->capacity && disk_used(d) + size > d->capacity)
		return -ENOSPC;
	inode_resize(inode_of(d, fd), (size_t)size);
	return 0;
}

static int64_t disk_size(struct files *f, int fd)
{
	return (int64_t)inode_of(disk_of(f), fd)->size;
}

static int disk_remove(struct files *f, const char *name)
{
	struct disk *d = disk_of(f);
	int error = disk_call(d, DISK_REMOVE);

	if (error)
		return error;
	if (entry_find(d->now, d->now_count, name) < 0)
		return -ENOENT;
	name_change(d, name, -1);
	return 0;
}

static int disk_rename(struct files *f, const char *from, const char *to)
{
	struct disk *d = disk_of(f);
	int error = disk_call(d, DISK_RENAME), at = entry_find(d->now, d->now_count, from), inode;

	if (error)
		return error;
	if (at < 0)
		return -ENOENT;
	inode = d->now[at].inode;
	name_change(d, from, -1);
	name_change(d, to, inode);
	return 0;
}

static int disk_make_folder(struct files *f, const char *name)
{
	(void)name;
	return disk_of(f)->off ? -EIO : 0;
}

static int disk_list(
	struct files *f, const char *folder, void (*found)(void *ctx, const char *name), void *ctx)
{
	struct disk *d = disk_of(f);
	char(*names)[DISK_NAME] = calloc(DISK_FILES, DISK_NAME);
	size_t count = 0;

	for (size_t i = 0; i < d->now_count; i++)
		if (in_folder(d->now[i].name, folder)) {
			const char *slash = strchr(d->now[i].name, '/');

			memcpy(names[count++], slash ? slash + 1 : d->now[i].name,
				strlen(slash ? slash + 1 : d->now[i].name) + 1);
		}
	for (size_t i = 0; i < count; i++)
		found(ctx, names[i]);
	free(names);
	return d->off ? -EIO : 0;
}

static int64_t disk_room(struct files *f)
{
	struct disk *d = disk_of(f);
	uint64_t used = disk_used(d);

	if (!d->capacity)
		return (int64_t)1 << 40;
	return used < d->capacity ? (int64_t)(d->capacity - used) : 0;
}

struct disk *disk_new(uint64_t seed)
{
	struct disk *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->random = seed;
	d->files = (struct files){ disk_open, disk_close, disk_read_at, disk_write_at, disk_flush,
		disk_flush_folder, disk_allocate, disk_size, disk_remove, disk_rename,
		disk_make_folder, disk_list, disk_room };
	return d;
}

void disk_free(struct disk **d)
{
	for (int i = 0; i < DISK_FILES; i++)
		inode_free(&(*d)->inodes[i]);
	free(*d);
	*d = NULL;
}

struct disk *disk_copy(const struct disk *d)
{
	struct disk *copy = disk_new(d->random);

	memcpy(copy->kept, d->kept, sizeof copy->kept);
	copy->kept_count = d->kept_count;
	for (size_t i = 0; i < d->kept_count; i++) {
		const struct disk_inode *from = &d->inodes[d->kept[i].inode];
		struct disk_inode *to = &copy->inodes[d->kept[i].inode];

		to->used = true;
		kept_resize(to, from->kept_size);
		inode_resize(to, from->kept_size);
		if (from->kept_size)
			memcpy(to->kept, from->kept, from->kept_size);
	}
	disk_crash(copy, CRASH_NOTHING);
	return copy;
}

void disk_cut(struct disk *d, const char *name, size_t size)
{
	struct disk_inode *file = disk_file(d, name);

	if (size < file->size)
		file->size = size;
	if (size < file->kept_size)
		file->kept_size = size;
}

void disk_lose(struct disk *d, const char *name)
{
	entry_set(d->now, &d->now_count, name, -1);
	entry_set(d->kept, &d->kept_count, name, -1);
}

static void inode_crash(struct disk *d, struct disk_inode *inode, enum disk_crash mode)
{
	unsigned of = mode == CRASH_NOTHING ? 0
		: mode == CRASH_ALL         ? 256
		: mode == CRASH_WRITES      ? (disk_random(d) % 2 ? 256 : 0)
					    : (unsigned)(disk_random(d) % 257);
	bool longer = disk_random(d) % 2;
	size_t sectors = (inode->size + SECTOR - 1) / SECTOR, size;

	/* A size that was not flushed may be the old one. */
	size = inode->kept_size;
	if (inode->size > inode->kept_size && (mode == CRASH_ALL || longer))
		size = inode->size;
	if (inode->size)
		inode_keep(d, inode, of);
	if (size < inode->kept_size) {
		inode->kept_size = size;
	}
	if (sectors)
		memcpy(inode->now, inode->kept, sectors * SECTOR);
	inode->size = size;
	if (size == 0) {
		bool used = inode->used;

		inode_free(inode);
		inode->used = used;
	}
}

void disk_crash(struct disk *d, enum disk_crash mode)
{
	size_t changes = mode == CRASH_NOTHING ? 0
		: mode == CRASH_ALL            ? d->change_count
					       : disk_random(d) % (d->change_count + 1);
	bool named[DISK_FILES] = { false };

	for (size_t i = 0; i < changes; i++)
		entry_set(d->kept, &d->kept_count, d->changes[i].name, d->changes[i].inode);
	d->change_count = 0;
	memcpy(d->now, d->kept, sizeof d->now);
	d->now_count = d->kept_count;
	for (size_t i = 0; i < d->now_count; i++)
		named[d->now[i].inode] = true;
	for (int i = 0; i < DISK_FILES; i++) {
		if (d->inodes[i].used && named[i])
			inode_crash(d, &d->inodes[i], mode);
		else
			inode_free(&d->inodes[i]);
	}
	d->off = false;
	d->fail_at = 0;
	d->fail_stays = false;
}

bool disk_has(const struct disk *d, const char *name)
{
	return entry_find(d->now, d->now_count, name) >= 0;
}

size_t disk_count(const struct disk *d, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < d->now_count; i++)
		count += strncmp(d->now[i].name, prefix, strlen(prefix)) == 0;
	return count;
}

struct disk_inode *disk_file(struct disk *d, const char *name)
{
	int at = entry_find(d->now, d->now_count, name);

	return at < 0 ? NULL : &d->inodes[d->now[at].inode];
}

void disk_flip(struct disk_inode *file, size_t at, unsigned char bits)
{
	file->now[at] = (char)(file->now[at] ^ bits);
	if (at < file->kept_size)
		file->kept[at] = file->now[at];
}

void disk_fail(struct disk *d, enum disk_call kind, uint64_t in, int error)
{
	d->fail_kind = kind;
	d->fail_at = in;
	d->fail_error = error;
	d->fail_stays = false;
	d->failed = 0;
}
