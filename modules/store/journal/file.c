/* SPDX-License-Identifier: MIT
 *
 * The real files of a store: pread, pwrite and fdatasync below one folder that is held open, so
 * that what is done later does not depend on the way to it.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct real {
	struct files files; /* first: a struct files * is one of these */
	int folder;
};

static int folder_of(struct files *f)
{
	return ((struct real *)(void *)f)->folder;
}

static int answer(long result)
{
	return result < 0 ? -errno : (int)result;
}

static int real_open(struct files *f, const char *name, enum file_mode mode)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;

	if (mode == FILE_NEW)
		flags |= O_CREAT | O_EXCL;
	if (mode == FILE_DIRECT)
		flags |= O_DIRECT;
	return answer(openat(folder_of(f), name, flags, 0600));
}

static void real_close(struct files *f, int fd)
{
	(void)f;
	close(fd);
}

static ssize_t real_read_at(struct files *f, int fd, void *to, size_t len, uint64_t at)
{
	ssize_t n = pread(fd, to, len, (off_t)at);

	(void)f;
	return n < 0 ? -errno : n;
}

static ssize_t real_write_at(struct files *f, int fd, const void *from, size_t len, uint64_t at)
{
	ssize_t n = pwrite(fd, from, len, (off_t)at);

	(void)f;
	return n < 0 ? -errno : n;
}

static int real_flush(struct files *f, int fd)
{
	(void)f;
	return answer(fdatasync(fd));
}

static int real_flush_folder(struct files *f, const char *folder)
{
	int fd = openat(folder_of(f), folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = answer(fsync(fd));
	close(fd);
	return result;
}

static int real_allocate(struct files *f, int fd, uint64_t size)
{
	(void)f;
	if (fallocate(fd, 0, 0, (off_t)size) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return answer(ftruncate(fd, (off_t)size)); /* space is found out when it is written */
}

static int64_t real_size(struct files *f, int fd)
{
	struct stat st;

	(void)f;
	return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int real_remove(struct files *f, const char *name)
{
	return answer(unlinkat(folder_of(f), name, 0));
}

static int real_rename(struct files *f, const char *from, const char *to)
{
	return answer(renameat(folder_of(f), from, folder_of(f), to));
}

static int real_make_folder(struct files *f, const char *name)
{
	if (mkdirat(folder_of(f), name, 0700) == 0)
		return real_flush_folder(f, ".");
	return errno == EEXIST ? 0 : -errno;
}

static int real_list(
	struct files *f, const char *folder, void (*found)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(folder_of(f), folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int error;

	if (!dir) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	for (struct dirent *entry; errno = 0, (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			found(ctx, entry->d_name);
	error = -errno;
	closedir(dir);
	return error;
}

static int64_t real_room(struct files *f)
{
	struct statvfs st;

	if (fstatvfs(folder_of(f), &st) < 0)
		return -errno;
	return (int64_t)(st.f_bavail * st.f_frsize);
}

struct files *files_open(const char *path, struct why *why)
{
	struct real *real;
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		why_errno(why, "the store's folder %s cannot be made", path);
		return NULL;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		why_errno(why, "the store's folder %s cannot be opened", path);
		return NULL;
	}
	real = must_alloc(sizeof *real);
	real->folder = fd;
	real->files = (struct files){ real_open, real_close, real_read_at, real_write_at,
		real_flush, real_flush_folder, real_allocate, real_size, real_remove, real_rename,
		real_make_folder, real_list, real_room };
	return &real->files;
}

void files_close(struct files **f)
{
	if (!*f)
		return;
	close(folder_of(*f));
	free(*f);
	*f = NULL;
}

int file_read_all(struct files *f, int fd, void *to, size_t len, uint64_t at)
{
	char *next = to;

	while (len) {
		ssize_t n = f->read_at(f, fd, next, len, at);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		next += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_all(struct files *f, int fd, const void *from, size_t len, uint64_t at)
{
	const char *next = from;

	while (len) {
		ssize_t n = f->write_at(f, fd, next, len, at);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		next += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}
