/* SPDX-License-Identifier: MIT
 *
 * A configuration file, read by a table with every type of option. What is wrong is said with a
 * file and a line; what is right is in its range, ends with a NUL, and is the same the second time.
 */
#include "conf/conf.h"
#include "tests/fuzz/fuzz.h"

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
	TMAIL_STRING(struct every, name, "name", "nobody", "What it is called."),
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

/* libconfig 1.5 forgets strings when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static void check_str(struct tmail_str s)
{
	must(s.data && s.data[s.len] == '\0');
}

static void check_every(const struct every *e)
{
	must((e->enabled == 0 || e->enabled == 1) && e->mode >= 0 && e->mode <= 2);
	must(e->count >= 1 && e->count <= 100);
	must(e->wait >= 1000 && e->wait <= 3600000 && e->limit >= 0);
	check_str(e->name);
	check_str(e->file);
	must(e->file.len == 0 || e->file.data[0] == '/');
	check_str(e->password);
	TMAIL_EACH(struct tmail_str, word, e->words)
		check_str(*word);
	TMAIL_EACH(struct place, place, e->places) {
		check_str(place->address);
		must(place->port >= 1 && place->port <= 65535);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = fuzz_input(data, size);
	struct problems problems = { 0 }, again = { 0 };
	struct conf *c = conf_parse(text, "f.conf", &problems),
		    *second = conf_parse(text, "f.conf", &again);
	struct every e;
	struct conf_table table = { TMAIL_LIST(every_options), &e };

	must(conf_hash(conf_root(c)) == conf_hash(conf_root(second)));
	must(problems.count == again.count);
	conf_base_set(c, "/base");
	conf_read(c, conf_root(c), &table, 1, NULL, &problems);
	check_every(&e);
	for (size_t i = 0; i < problems.count; i++)
		must(strncmp(problems.text[i], "f.conf:", 7) == 0);
	problems_free(&problems);
	problems_free(&again);
	conf_free(&c);
	conf_free(&second);
	return 0;
}
