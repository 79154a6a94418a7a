/* SPDX-License-Identifier: MIT
 *
 * A fresh folder for a test, and its removal.
 */
#ifndef TESTS_LIB_FOLDER_H
#define TESTS_LIB_FOLDER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEST_FOLDER = 64 };

static inline void test_folder_make(char path[TEST_FOLDER])
{
	snprintf(path, TEST_FOLDER, "%s/tmail-test-XXXXXX", P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(path));
}

static inline int test_folder_entry(
	const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void test_folder_remove(const char *path)
{
	nftw(path, test_folder_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
