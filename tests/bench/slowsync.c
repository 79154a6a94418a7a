/* SPDX-License-Identifier: MIT
 *
 * A disk whose flush takes two milliseconds longer, to be preloaded into a server. Flushes of
 * several threads wait side by side, which a real disk would make wait in line: good for servers
 * that flush a file a message. It counts in a file that all processes of the server share, so that
 * a server it did not reach is not taken for a fast one.
 *
 *   LD_PRELOAD=slowsync.so SLOWSYNC_COUNT=FILE      FILE has 8 octets; /slowsync.count by default
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LONGER_NS = 2000000 };

static _Atomic uint64_t *count;

__attribute__((constructor)) static void count_open(void)
{
	const char *path = getenv("SLOWSYNC_COUNT");
	int fd = open(path ? path : "/slowsync.count", O_RDWR | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		count = page;
	close(fd);
}

static int slowly(const char *name, int fd)
{
	int (*real)(int);
	int answer;

	*(void **)&real = dlsym(RTLD_NEXT, name);
	answer = real(fd);
	nanosleep(&(struct timespec){ 0, LONGER_NS }, NULL);
	if (count)
		atomic_fetch_add(count, 1);
	return answer;
}

int fsync(int fd)
{
	return slowly("fsync", fd);
}

int fdatasync(int fd)
{
	return slowly("fdatasync", fd);
}
