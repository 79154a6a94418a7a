/* SPDX-License-Identifier: MIT
 *
 * A table with an option of every type, and how the tests read by it.
 */
#ifndef TESTS_CONF_OPTIONS_H
#define TESTS_CONF_OPTIONS_H

#include "tests/conf/load.h"

struct place {
	struct tmail_str address;
	int64_t port;
};

struct every {
	int32_t enabled, mode;
	int64_t count, wait, limit;
	struct tmail_str name, file, password;
	struct tmail_list words, places;
};

static const struct tmail_option place_options[] = {
	{ .name = "address",
		.type = TMAIL_TYPE_STRING,
		.flags = TMAIL_REQUIRED,
		.offset = offsetof(struct place, address),
		.summary = "Where to listen." },
	TMAIL_INT(struct place, port, "port", "25", 1, 65535, "Which port."),
};

static const struct tmail_option every_options[] = {
	TMAIL_BOOL(struct every, enabled, "enabled", "true", "Whether it is on."),
	TMAIL_CHOICE(struct every, mode, "mode", "reject", "off reject defer", "What it does."),
	TMAIL_INT(struct every, count, "count", "7", 1, 100, "How many."),
	TMAIL_DURATION(struct every, wait, "wait", "30s", 1000, 3600000, "How long."),
	TMAIL_SIZE(struct every, limit, "limit", "10M", 0, INT64_MAX, "How large."),
	TMAIL_STRING(struct every, name, "name", "a \"b\" ${c}", "What it is called."),
	TMAIL_FILE(struct every, file, "file", "store/x", "Where it is."),
	TMAIL_SECRET(struct every, password, "password", NULL, "What nobody may see."),
	TMAIL_STRINGS(struct every, words, "words", "one two", "Which of them."),
	{ .name = "places",
		.type = TMAIL_TYPE_GROUPS,
		.offset = offsetof(struct every, places),
		.summary = "Places to be at.",
		.options = TMAIL_LIST(place_options),
		.stride = sizeof(struct place) },
};

/* Reads the root of a text into *out, which is filled with rubbish before. */
static inline bool read_text(const char *text, struct every *out, struct problems *p,
	const char *const *also, struct conf **c)
{
	struct conf_table table = { TMAIL_LIST(every_options), out };

	memset(out, 0xa5, sizeof *out);
	*c = conf_parse(str_c(text), "/t/t.conf", p);
	conf_base_set(*c, "/base");
	return conf_read(*c, conf_root(*c), &table, 1, also, p);
}

static inline void expect_defaults(const struct every *e)
{
	ck_assert_int_eq(e->enabled, 1);
	ck_assert_int_eq(e->mode, 1);
	ck_assert_int_eq(e->count, 7);
	ck_assert_int_eq(e->wait, 30000);
	ck_assert_int_eq(e->limit, 10 << 20);
	expect_text(e->name, "a \"b\" ${c}");
	expect_text(e->file, "/base/store/x");
	expect_text(e->password, "");
	ck_assert_uint_eq(e->words.count, 2);
	expect_text(*TMAIL_AT(struct tmail_str, e->words, 1), "two");
	ck_assert_uint_eq(e->places.count, 0);
}

#endif
