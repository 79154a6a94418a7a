/* SPDX-License-Identifier: MIT
 *
 * A library to preload: the k-th call of a kind fails, once or from then on. What is to fail is
 * said in the file $FAULT_PLAN, which is mapped, so that the test arms it when it likes and reads
 * how many calls there were. Files count when they are below $FAULT_FOLDER.
 */
#include "preload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { DESCRIPTORS = 65536 };

/* The order is sweep.py's too. */
enum kind { OPEN, WRITE, FLUSH, ALLOCATE, TRUNCATE, RENAME, UNLINK, MKDIR, ACCEPT, SOCKET, KINDS };

struct plan {
	_Atomic uint32_t armed;
	uint32_t kind, error, stays;
	uint64_t at;
	_Atomic uint64_t struck;
	_Atomic uint64_t calls[KINDS]; /* since it was armed */
};

static struct plan *plan;
static unsigned char ours[DESCRIPTORS];

__attribute__((constructor)) static void plan_open(void)
{
	const char *path = getenv("FAULT_PLAN");
	int fd = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		abort();
	plan = map;
	REAL(close)(fd);
}

/* Does this call fail? Then errno is set. */
static int fails(enum kind kind)
{
	uint64_t n;

	if (!plan || !plan->armed)
		return 0;
	n = ++plan->calls[kind];
	if (kind != plan->kind || plan->at == 0 || (plan->stays ? n < plan->at : n != plan->at))
		return 0;
	plan->struck++;
	errno = (int)plan->error;
	return 1;
}

static int is_ours(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS && ours[fd];
}

static int open_at(int folder, const char *path, int flags, unsigned mode)
{
	char room[PATH_MAX];
	int below = is_below("FAULT_FOLDER", whole_path(folder, path, room)), fd;

	if (below && fails(OPEN))
		return -1;
	fd = REAL(openat)(folder, path, flags, mode);
	if (fd >= 0 && fd < DESCRIPTORS)
		ours[fd] = (unsigned char)below;
	return fd;
}
PRELOAD_OPEN(open)
PRELOAD_OPEN(open64)
PRELOAD_OPENAT(openat)
PRELOAD_OPENAT(openat64)

int close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		ours[fd] = 0;
	return REAL(close)(fd);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
	return is_ours(fd) && fails(WRITE) ? -1 : REAL(pwrite)(fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
	return pwrite(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length)
{
	return is_ours(fd) && fails(WRITE) ? -1 : REAL(write)(fd, data, length);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return is_ours(fd) && fails(WRITE) ? -1 : REAL(pwritev)(fd, parts, count, offset);
}

int fsync(int fd)
{
	return is_ours(fd) && fails(FLUSH) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return is_ours(fd) && fails(FLUSH) ? -1 : REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t length)
{
	return is_ours(fd) && fails(TRUNCATE) ? -1 : REAL(ftruncate)(fd, length);
}

int ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return is_ours(fd) && fails(ALLOCATE) ? -1 : REAL(fallocate)(fd, mode, offset, length);
}

/* Answers its error, and leaves errno alone. */
int posix_fallocate(int fd, off_t offset, off_t length)
{
	int saved = errno, failed = is_ours(fd) && fails(ALLOCATE);

	errno = saved;
	return failed ? (int)plan->error : REAL(posix_fallocate)(fd, offset, length);
}

static int fails_below(enum kind kind, int folder, const char *path)
{
	char room[PATH_MAX];

	return is_below("FAULT_FOLDER", whole_path(folder, path, room)) && fails(kind);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return fails_below(RENAME, to_folder, to)
		? -1
		: REAL(renameat)(from_folder, from, to_folder, to);
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int folder, const char *path, int flags)
{
	return fails_below(UNLINK, folder, path) ? -1 : REAL(unlinkat)(folder, path, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
	return fails_below(MKDIR, folder, path) ? -1 : REAL(mkdirat)(folder, path, mode);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return fails(ACCEPT) ? -1 : REAL(accept4)(fd, address, length, flags);
}

int socket(int family, int type, int protocol)
{
	return fails(SOCKET) ? -1 : REAL(socket)(family, type, protocol);
}
