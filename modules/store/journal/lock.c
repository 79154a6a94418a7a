/* SPDX-License-Identifier: MIT
 *
 * flock on a file in the folder: it goes with the process, whatever way that ends. What the file
 * says is for people; only the lock counts.
 */
#include "lock.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { WORDS = 128 };

static void lock_holder(int fd, char words[WORDS])
{
	ssize_t n = pread(fd, words, WORDS - 1, 0);
	struct str text = str_trim_line(str_make(words, n > 0 ? (size_t)n : 0));

	for (size_t i = 0; i < text.len; i++)
		words[i] = text.data[i] >= ' ' && text.data[i] < 0x7f ? text.data[i] : '?';
	words[text.len] = '\0';
	if (text.len == 0)
		snprintf(words, WORDS, "another process");
}

int lock_take(const char *folder, bool *taken, struct why *why)
{
	size_t size = strlen(folder) + sizeof "/lock";
	char *name = must_alloc(size), words[WORDS];
	int fd;

	*taken = false;
	snprintf(name, size, "%s/lock", folder);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	free(name);
	if (fd < 0) {
		why_errno(why, "the lock of the store %s cannot be opened", folder);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*taken = errno == EWOULDBLOCK;
		lock_holder(fd, words);
		if (*taken)
			why_set(why, "the store %s is in use by %s", folder, words);
		else
			why_errno(why, "the store %s cannot be locked", folder);
		close(fd);
		return -1;
	}
	snprintf(words, sizeof words, "process %ld\n", (long)getpid());
	if (pwrite(fd, words, strlen(words), 0) < 0 || ftruncate(fd, (off_t)strlen(words)) < 0) {
		/* The lock is held all the same; only its words are missing. */
	}
	return fd;
}

void lock_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
