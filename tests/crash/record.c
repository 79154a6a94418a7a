/* SPDX-License-Identifier: MIT
 *
 * A library to preload: every change to files below $RECORD_FOLDER is written to the file
 * $RECORD_LOG in the order in which it was done, with its octets; flushes too. From it power.py
 * builds what a disk could hold after a power cut at any moment. A record is written after its
 * call has come back, so whoever acts on a flush finds that flush in the log.
 *
 * With $RECORD_FAIL=k every k-th flush of such a file fails with EIO, those of the index excepted:
 * it is a cache, and another test is about it. As on a real system, what was written stays to be
 * read, nobody says which of it has reached the disk, and the next flush says that all is well.
 */
#include "preload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { DESCRIPTORS = 65536 };

/* Fixed size; `length` octets follow: a path, "old\0new", or what was written. */
struct record {
	uint32_t magic, kind;
	uint64_t file; /* inode */
	uint64_t offset, length;
};
enum {
	MAGIC = 0x7ec07d,
	CREATE = 1,
	WRITE = 2,
	FLUSH = 3,
	RENAME = 4,
	UNLINK = 5,
	TRUNCATE = 6,
	FLUSH_FOLDER = 7,
	FLUSH_FAILED = 8
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static uint64_t inodes[DESCRIPTORS]; /* 0: not one of ours */
static unsigned char folders[DESCRIPTORS], caches[DESCRIPTORS];
static atomic_ulong flushes;

static void put(uint32_t kind, uint64_t file, uint64_t offset, const void *data, uint64_t length)
{
	struct record r = { MAGIC, kind, file, offset, length };
	struct iovec parts[2] = { { &r, sizeof r }, { (void *)(uintptr_t)data, length } };
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (log_fd < 0 && getenv("RECORD_LOG"))
		log_fd = REAL(open)(
			getenv("RECORD_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0 || REAL(writev)(log_fd, parts, 2) != (ssize_t)(sizeof r + length))
		abort();
	pthread_mutex_unlock(&lock);
	errno = saved;
}

static uint64_t inode_of(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? inodes[fd] : 0;
}

static int opened(int fd, const char *path, int flags, int existed)
{
	struct stat s;

	if (fd < 0 || fd >= DESCRIPTORS || !is_below("RECORD_FOLDER", path) || fstat(fd, &s) < 0)
		return fd;
	folders[fd] = S_ISDIR(s.st_mode);
	caches[fd] = strstr(path, "/index.db") != NULL;
	inodes[fd] = s.st_ino;
	if (folders[fd])
		return fd;
	if (!existed)
		put(CREATE, s.st_ino, 0, path, strlen(path));
	else if (flags & O_TRUNC)
		put(TRUNCATE, s.st_ino, 0, NULL, 0);
	return fd;
}

static int open_at(int folder_fd, const char *path, int flags, unsigned mode)
{
	char room[PATH_MAX];
	const char *whole = whole_path(folder_fd, path, room);
	int existed = !(flags & O_CREAT) || access(whole, F_OK) == 0;

	return opened(REAL(openat)(folder_fd, path, flags, mode), whole, flags, existed);
}

PRELOAD_OPEN(open)
PRELOAD_OPEN(open64)
PRELOAD_OPENAT(openat)
PRELOAD_OPENAT(openat64)

int close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		inodes[fd] = 0;
	return REAL(close)(fd);
}

static ssize_t wrote(int fd, const void *data, ssize_t n, off_t offset)
{
	if (n > 0 && inode_of(fd))
		put(WRITE, inode_of(fd), (uint64_t)offset, data, (uint64_t)n);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
	return wrote(fd, data, REAL(pwrite)(fd, data, length, offset), offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
	return wrote(fd, data, REAL(pwrite)(fd, data, length, offset), offset);
}

ssize_t write(int fd, const void *data, size_t length)
{
	off_t offset = inode_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;

	return wrote(fd, data, REAL(write)(fd, data, length), offset);
}

static ssize_t pieces(int fd, const struct iovec *parts, int count, ssize_t n, off_t offset)
{
	for (ssize_t left = n; count > 0 && left > 0; parts++, count--) {
		ssize_t piece = left < (ssize_t)parts->iov_len ? left : (ssize_t)parts->iov_len;

		wrote(fd, parts->iov_base, piece, offset);
		offset += piece;
		left -= piece;
	}
	return n;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pieces(fd, parts, count, REAL(pwritev)(fd, parts, count, offset), offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pwritev(fd, parts, count, offset);
}

static int flushed(int fd, int result)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (result != 0 || !inode_of(fd))
		return result;
	if (!folders[fd]) {
		put(FLUSH, inode_of(fd), 0, NULL, 0);
		return result;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path);
	put(FLUSH_FOLDER, inode_of(fd), 0, path, n > 0 ? (uint64_t)n : 0);
	return result;
}

/* Is this one that is to fail? Then errno is set. */
static int fails(int fd)
{
	const char *every = getenv("RECORD_FAIL");

	if (!every || !inode_of(fd) || folders[fd] || caches[fd] ||
		++flushes % strtoul(every, NULL, 10) != 0)
		return 0;
	put(FLUSH_FAILED, inode_of(fd), 0, NULL, 0);
	errno = EIO;
	return 1;
}

int fsync(int fd)
{
	return fails(fd) ? -1 : flushed(fd, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
	return fails(fd) ? -1 : flushed(fd, REAL(fdatasync)(fd));
}

static int truncated(int fd, off_t length, int result)
{
	if (result == 0 && inode_of(fd))
		put(TRUNCATE, inode_of(fd), (uint64_t)length, NULL, 0);
	return result;
}

int ftruncate(int fd, off_t length)
{
	return truncated(fd, length, REAL(ftruncate)(fd, length));
}

int ftruncate64(int fd, off_t length)
{
	return truncated(fd, length, REAL(ftruncate)(fd, length));
}

static int allocated(int fd, int mode, off_t offset, off_t length, int result)
{
	struct stat s;

	if (result == 0 && mode == 0 && inode_of(fd) && fstat(fd, &s) == 0 &&
		s.st_size == offset + length)
		put(TRUNCATE, inode_of(fd), (uint64_t)s.st_size, NULL, 0);
	return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return allocated(fd, mode, offset, length, REAL(fallocate)(fd, mode, offset, length));
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
	return allocated(fd, 0, offset, length, REAL(posix_fallocate)(fd, offset, length));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	char both[2 * PATH_MAX], from_room[PATH_MAX], to_room[PATH_MAX];
	const char *from_path = whole_path(from_folder, from, from_room),
		   *to_path = whole_path(to_folder, to, to_room);
	int result = REAL(renameat)(from_folder, from, to_folder, to);

	if (result == 0 && is_below("RECORD_FOLDER", to_path)) {
		int n = snprintf(both, sizeof both, "%s%c%s", from_path, 0, to_path);
		put(RENAME, 0, 0, both, (uint64_t)n);
	}
	return result;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int folder_fd, const char *path, int flags)
{
	char room[PATH_MAX];
	const char *whole = whole_path(folder_fd, path, room);
	int result = REAL(unlinkat)(folder_fd, path, flags);

	if (result == 0 && is_below("RECORD_FOLDER", whole))
		put(UNLINK, 0, 0, whole, strlen(whole));
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}
