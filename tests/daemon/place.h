/* SPDX-License-Identifier: MIT
 *
 * A folder with a configuration in it, and other files.
 */
#ifndef TESTS_DAEMON_PLACE_H
#define TESTS_DAEMON_PLACE_H

#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include "base/buf.h"
#include "sys/file.h"

static char place_folder[TEST_FOLDER], place_conf[TEST_FOLDER + 20];

static inline void place_put(const char *name, const char *text)
{
	char path[400];
	struct why why;

	snprintf(path, sizeof path, "%s/%s", place_folder, name);
	ck_assert_msg(file_write(path, str_c(text), 0600, &why), "%s", why.text);
}

/* Nobody else is become, whoever runs the test. */
static inline void place_settings(const char *settings)
{
	struct buf text = { 0 };

	buf_printf(&text, "user = \"root\";\n%s", settings);
	place_put("tmail.conf", buf_c(&text));
	buf_free(&text);
}

static inline void place_begin(const char *settings)
{
	test_folder_make(place_folder);
	snprintf(place_conf, sizeof place_conf, "%s/tmail.conf", place_folder);
	place_settings(settings);
}

static inline void place_end(void)
{
	test_folder_remove(place_folder);
}

#endif
