/* SPDX-License-Identifier: MIT
 *
 * Feeds files to a fuzzer without libFuzzer, so that any compiler can replay what was found: the
 * files and folders that are named or, with none, the fuzzer's own corpus, which is in
 * $srcdir/tests/fuzz/corpus under the program's name without "fuzz_".
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_ROOM = 4096 };

static unsigned replayed;

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

/* A block of exactly its size, so that a sanitizer sees the first octet read behind it. */
static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
		fseek(file, 0, SEEK_SET) != 0)
		fail(path);
	data = malloc((size_t)size);
	if (size > 0 && (!data || fread(data, 1, (size_t)size, file) != (size_t)size))
		fail(path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[PATH_ROOM];

	if (!folder) {
		if (errno != ENOTDIR)
			fail(path);
		replay_file(path);
		return;
	}
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		replay_file(name);
	}
	closedir(folder);
}

int main(int argc, char **argv)
{
	const char *top = getenv("srcdir"), *name = strstr(argv[0], "fuzz_");
	char path[PATH_ROOM];

	/* The last "fuzz_" of the path: folders may be called so as well. */
	for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
		name = next;
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1 && name) {
		snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name + 5);
		replay(path);
	}
	printf("%s: %u replayed\n", name ? name : argv[0], replayed);
	return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
