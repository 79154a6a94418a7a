/* SPDX-License-Identifier: MIT
 *
 * Where modules are looked for. Made once: the folders are part of what the process is.
 */
#include "daemon/settings.h"

#include "sys/file.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDERS_AT_MOST = 16 };

static char *folders[FOLDERS_AT_MOST + 1];
static size_t folder_count;

static void folder_add(char *path)
{
	if (folder_count < FOLDERS_AT_MOST)
		folders[folder_count++] = path;
	else
		free(path);
}

/* Relative ones start where the command does: this is for people at a shell. */
static void folders_add_path(struct str path)
{
	char here[PATH_MAX];
	struct str piece;

	if (!getcwd(here, sizeof here))
		snprintf(here, sizeof here, "/");
	while (str_split(&path, ':', &piece))
		if (piece.len)
			folder_add(path_join(here, piece));
}

/* "modules" beside the executable: the tree tmail was built in. */
static void folder_add_beside(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);
	ptrdiff_t slash;
	char *beside;

	if (n <= 0 || (size_t)n >= sizeof path)
		return;
	slash = str_find_last(str_make(path, (size_t)n), '/');
	path[slash] = '\0';
	beside = path_join(path, STR("modules"));
	if (file_exists(beside))
		folder_add(beside);
	else
		free(beside);
}

const char *const *module_folders(struct str module_path)
{
	if (folder_count)
		return (const char *const *)folders;
	folders_add_path(module_path.len ? module_path : str_c(getenv("TMAIL_MODULES")));
	folder_add_beside();
	folder_add(str_dup_c(str_c(TMAIL_MODULEDIR)));
	return (const char *const *)folders;
}
