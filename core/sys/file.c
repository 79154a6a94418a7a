/* SPDX-License-Identifier: MIT
 *
 * Files as wholes. Writing is: a temporary file beside the old one, flush, rename, flush of the
 * folder; a crash between any two of these leaves the old or the new, and perhaps a temporary
 * file that nobody reads. A flush that failed is final: it is reported, never repeated.
 */
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 256;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit more = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			limit = more;
	}
	return limit.rlim_cur < UINT_MAX ? (unsigned)limit.rlim_cur : UINT_MAX;
}

bool fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool fd_set_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return false;
	return fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) == 0;
}

void fd_close(int *fd)
{
	int error = errno;

	if (*fd >= 0)
		close(*fd); /* never again on EINTR: on Linux the number is free by then */
	*fd = -1;
	errno = error;
}

static int open_retry(const char *path, int flags, unsigned mode)
{
	int fd;

	do {
		fd = open(path, flags | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

/* ---- whole files ------------------------------------------------------------------------- */

bool file_read_fd(int fd, const char *path, size_t limit, struct buf *out, struct why *why)
{
	size_t before = out->len;

	for (;;) {
		/* One octet more than allowed, to see that there is more. */
		size_t left = limit - (out->len - before);
		size_t want = left < 65536 ? left + 1 : 65536;
		ssize_t n = read(fd, buf_reserve(out, want), want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_errno(why, "%s: read", path);
		if (n == 0)
			return true;
		if ((size_t)n > left)
			return why_set(why, "%s: larger than %zu octets", path, limit);
		out->len += (size_t)n;
	}
}

bool file_read(const char *path, size_t limit, struct buf *out, struct why *why)
{
	size_t before = out->len;
	int fd = open_retry(path, O_RDONLY, 0);

	if (fd < 0)
		return why_errno(why, "%s", path);
	bool read_well = file_read_fd(fd, path, limit, out, why);
	if (!read_well)
		out->len = before;
	fd_close(&fd);
	return read_well;
}

static bool write_all(int fd, struct str content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.data, content.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		content = str_slice(content, (size_t)n, SIZE_MAX);
	}
	return true;
}

/* The folder that holds `path`; malloc'd. */
static char *folder_of(const char *path)
{
	struct str s = str_c(path);
	ptrdiff_t slash = str_find_last(s, '/');

	if (slash < 0)
		return str_dup_c(STR("."));
	return str_dup_c(str_slice(s, 0, slash == 0 ? 1 : (size_t)slash));
}

static bool write_temporary(
	const char *temporary, struct str content, unsigned mode, struct why *why)
{
	int fd = open_retry(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);

	if (fd < 0)
		return why_errno(why, "%s", temporary);
	/* The mode as asked for, whatever the mask is. */
	bool written = fchmod(fd, mode) == 0 && write_all(fd, content) && fsync(fd) == 0;
	int error = errno;
	if (close(fd) != 0 && written) {
		written = false;
		error = errno;
	}
	if (written)
		return true;
	unlink(temporary);
	errno = error;
	return why_errno(why, "%s: write", temporary);
}

bool file_write(const char *path, struct str content, unsigned mode, struct why *why)
{
	static _Thread_local unsigned count;
	struct buf name = { 0 };
	char *folder;
	bool done;

	buf_printf(&name, "%s.%ld-%d-%u.new", path, (long)getpid(), gettid(), count++);
	if (!write_temporary(buf_c(&name), content, mode, why)) {
		buf_free(&name);
		return false;
	}
	if (rename(buf_c(&name), path) != 0) {
		why_errno(why, "%s: rename", path);
		unlink(buf_c(&name));
		buf_free(&name);
		return false;
	}
	buf_free(&name);
	folder = folder_of(path);
	done = folder_sync(folder, why);
	free(folder);
	return done;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* ---- folders ----------------------------------------------------------------------------- */

bool folder_sync(const char *path, struct why *why)
{
	int fd = open_retry(path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return why_errno(why, "%s", path);
	bool synced = fsync(fd) == 0;
	if (!synced)
		why_errno(why, "%s: flush of the folder", path);
	fd_close(&fd);
	return synced;
}

static bool folder_make_one(const char *path, struct why *why)
{
	struct stat st;
	char *above;
	bool synced;

	if (mkdir(path, 0700) == 0) {
		above = folder_of(path);
		synced = folder_sync(above, why);
		free(above);
		return synced;
	}
	int error = errno;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	errno = error;
	return why_errno(why, "%s: make folder", path);
}

bool folder_make(const char *path, struct why *why)
{
	char *part = str_dup_c(str_c(path));
	bool made = true;

	for (char *slash = strchr(part + (*part == '/'), '/'); slash && made;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		made = folder_make_one(part, why);
		*slash = '/';
	}
	/* A slash at the end has made it already. */
	if (made && !str_ends_case(str_c(part), STR("/")))
		made = folder_make_one(part, why);
	free(part);
	return made;
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **folder_list(const char *path, const char *suffix, struct why *why)
{
	size_t count = 0, room = 16;
	char **names;
	DIR *dir = opendir(path);

	if (!dir) {
		why_errno(why, "%s", path);
		return NULL;
	}
	names = must_alloc(room * sizeof *names);
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry)
			break;
		struct str name = str_c(entry->d_name), end = str_c(suffix);
		if (str_equal(name, STR(".")) || str_equal(name, STR("..")) || name.len < end.len ||
			!str_equal(str_slice(name, name.len - end.len, end.len), end))
			continue;
		if (count + 1 == room) {
			room *= 2;
			names = must_realloc(names, room * sizeof *names);
		}
		names[count++] = str_dup_c(name);
	}
	int error = errno;
	names[count] = NULL;
	closedir(dir);
	if (error) {
		folder_free(names);
		errno = error;
		why_errno(why, "%s: read folder", path);
		return NULL;
	}
	qsort(names, count, sizeof *names, name_order);
	return names;
}

void folder_free(char **names)
{
	if (!names)
		return;
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}

/* ---- paths ------------------------------------------------------------------------------- */

char *path_join(const char *base, struct str path)
{
	struct buf joined = { 0 };
	char *text;

	if (path.len > 0 && path.data[0] == '/')
		return str_dup_c(path);
	buf_add_c(&joined, base);
	if (joined.len > 0 && joined.data[joined.len - 1] != '/')
		buf_add_char(&joined, '/');
	buf_add(&joined, path);
	text = str_dup_c(buf_str(&joined));
	buf_free(&joined);
	return text;
}

static bool entry_trusted(const char *path, unsigned uid, struct why *why)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return why_errno(why, "%s", path);
	if (st.st_uid != 0 && st.st_uid != uid)
		return why_set(why, "%s: owned by user %u, neither root nor %u", path,
			(unsigned)st.st_uid, uid);
	/* The mode of a link says nothing: its folder decides who may change it. In a sticky folder
	 * of root's (/tmp) others may add entries, not replace those of root or uid on the way. */
	if (S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & S_ISVTX))
		return true;
	if (!S_ISLNK(st.st_mode) && (st.st_mode & (S_IWGRP | S_IWOTH)))
		return why_set(why, "%s: others than its owner may write to it (mode %04o)", path,
			(unsigned)st.st_mode & 07777);
	return true;
}

/* Every folder on the way, and what is at its end. */
static bool way_trusted(char *path, unsigned uid, struct why *why)
{
	if (!entry_trusted("/", uid, why))
		return false;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool trusted = entry_trusted(path, uid, why);
		*slash = '/';
		if (!trusted)
			return false;
	}
	return entry_trusted(path, uid, why);
}

bool path_trusted(const char *path, unsigned uid, struct why *why)
{
	char real[PATH_MAX];

	if (path[0] != '/')
		return why_set(why, "%s: not an absolute path", path);
	if (!realpath(path, real))
		return why_errno(why, "%s", path);
	/* As written, for the links on it; and where they lead. */
	char *written = str_dup_c(str_c(path));
	bool trusted = way_trusted(written, uid, why) && way_trusted(real, uid, why);
	free(written);
	return trusted;
}
