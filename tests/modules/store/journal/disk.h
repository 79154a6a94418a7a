/* SPDX-License-Identifier: MIT
 *
 * A disk that forgets, below the store's files: what was not flushed is kept, lost or torn at a
 * crash; folder entries that were not flushed vanish; a failed flush drops what was to be flushed,
 * as Linux does. It can fail at the n-th call, write short, fill up, and lose power in the
 * middle. All of it in memory, by a seeded chance. One thread.
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include "modules/store/journal/file.h"

#include <stdbool.h>
#include <stddef.h>

enum disk_call {
	DISK_OPEN,
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,
	DISK_FLUSH_FOLDER,
	DISK_ALLOCATE,
	DISK_REMOVE,
	DISK_RENAME,
	DISK_CALLS
};

/* What becomes of blocks that were not flushed. */
enum disk_crash { CRASH_NOTHING, CRASH_ALL, CRASH_WRITES, CRASH_SECTORS, CRASH_MODES };

enum { DISK_FILES = 512, DISK_NAME = 64, DISK_OPS = 1024, SECTOR = 512 };

struct disk_inode {
	char *now, *kept;     /* what is read; what a crash leaves */
	unsigned char *dirty; /* of each sector: written since the last flush */
	size_t size, kept_size;
	bool used;
};
struct disk_entry {
	char name[DISK_NAME];
	int inode;
};
struct disk_change { /* of names, not yet flushed */
	char name[DISK_NAME];
	int inode; /* -1: removed */
};
struct disk {
	struct files files; /* first */
	uint64_t random;
	struct disk_inode inodes[DISK_FILES]; /* descriptor is inode + 100, */
	/* and DISK_FILES more of one that is written directly */
	struct disk_entry now[DISK_FILES], kept[DISK_FILES];
	size_t now_count, kept_count;
	struct disk_change changes[DISK_OPS];
	size_t change_count;
	uint64_t capacity; /* octets; 0: any */
	size_t block;      /* what direct writes must be whole blocks of; 0: there are none */
	uint64_t direct;   /* writes past the cache */
	bool off;          /* no power: every call fails */
	uint64_t calls[DISK_CALLS], total;
	/* The plan: at the n-th call of a kind (DISK_CALLS: of any) that error. */
	enum disk_call fail_kind;
	uint64_t fail_at; /* 0: no plan */
	int fail_error;   /* -EIO, -ENOSPC; 0: the power goes */
	bool fail_short;  /* a write writes a part first */
	bool fail_stays;  /* that kind fails from then on */
	uint64_t failed;  /* how often the plan struck */
};

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk **d);
/* All that was flushed, on a disk of its own. */
struct disk *disk_copy(const struct disk *d);
/* A file becomes shorter, or is gone: by somebody's hand, durably. */
void disk_cut(struct disk *d, const char *name, size_t size);
void disk_lose(struct disk *d, const char *name);
/* Power off and on: only what was kept is there. */
void disk_crash(struct disk *d, enum disk_crash mode);
uint64_t disk_random(struct disk *d);
bool disk_has(const struct disk *d, const char *name);
size_t disk_count(const struct disk *d, const char *prefix);
/* For damage: a file's octets; NULL: no such file. Changes are flushed changes. */
struct disk_inode *disk_file(struct disk *d, const char *name);
void disk_flip(struct disk_inode *file, size_t at, unsigned char bits);
/* Plan a failure, counted from now. */
void disk_fail(struct disk *d, enum disk_call kind, uint64_t in, int error);

#endif
