/* SPDX-License-Identifier: MIT
 *
 * The store's folder and how its files are reached: a small table, so that a test can put a disk
 * below it that tears writes, fills up and forgets. Names are relative to the folder. Numbers are
 * 0 or more on success and -errno on failure. Any thread.
 */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include "base/fail.h"

#include <stdint.h>
#include <sys/types.h>

enum file_mode {
	FILE_OLD,
	FILE_NEW,   /* must not exist yet */
	FILE_DIRECT /* is there, to be written past the system's cache: whole blocks, from memory
	               that is aligned to one. Not every file system has it; what its blocks are
	               larger than is answered -EINVAL */
};

struct files {
	int (*open)(struct files *f, const char *name, enum file_mode mode); /* descriptor */
	void (*close)(struct files *f, int fd);
	ssize_t (*read_at)(struct files *f, int fd, void *to, size_t len, uint64_t at);
	ssize_t (*write_at)(struct files *f, int fd, const void *from, size_t len, uint64_t at);
	int (*flush)(struct files *f, int fd);                    /* fdatasync */
	int (*flush_folder)(struct files *f, const char *folder); /* ".": the store's own */
	int (*allocate)(struct files *f, int fd, uint64_t size);  /* of that size, space promised */
	int64_t (*size)(struct files *f, int fd);
	int (*remove)(struct files *f, const char *name);
	int (*rename)(struct files *f, const char *from, const char *to);
	int (*make_folder)(struct files *f, const char *name); /* fine if it is there */
	int (*list)(struct files *f, const char *folder, void (*found)(void *ctx, const char *name),
		void *ctx);
	int64_t (*room)(struct files *f); /* octets free on the file system */
};

/* The real ones. Makes the folder (0700) if its parent is there. NULL and why. */
struct files *files_open(const char *path, struct why *why);
void files_close(struct files **f);

/* All of it, through short reads and writes and EINTR: 0 or -errno; -ENODATA: the file ends. */
int file_read_all(struct files *f, int fd, void *to, size_t len, uint64_t at);
int file_write_all(struct files *f, int fd, const void *from, size_t len, uint64_t at);

#endif
