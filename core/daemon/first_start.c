/* SPDX-License-Identifier: MIT
 *
 * The question of the first start. The database is opened for administration only: nothing
 * else of the configuration runs while a person thinks.
 */
#include "daemon/first_start.h"

#include "admin/verbs.h"
#include "host/service.h"

#include <tmail/service/sql.h>

#include <unistd.h>

static const char *fallback_of(struct tmail_list options, const char *name)
{
	TMAIL_EACH(struct tmail_option, o, options) {
		if (!strcmp(o->name, name))
			return o->fallback;
	}
	return NULL;
}

/* "driver: sqlite, source: /var/lib/tmail/tmail.db" */
static void database_describe(struct buf *out, struct generation *g)
{
	struct service *sql = service_find(g, TMAIL_SQL, NULL, 0);
	const struct tmail_module *m = instance_module(service_instance(sql));
	const struct conf_group *root = conf_root(generation_conf(g));
	const char *slash = strrchr(m->name, '/');
	struct str source = str_c(fallback_of(m->options, "file"));

	for (size_t i = 0; i < conf_list_count(root, "modules"); i++) {
		const struct conf_group *group = conf_list_at(root, "modules", i);
		struct str file = conf_string(group, "file");

		if (str_equal(conf_string(group, "module"), str_c(m->name)) && file.len)
			source = file;
	}
	buf_printf(out, "driver: %s, source: %.*s", slash ? slash + 1 : m->name, STR_ARG(source));
}

static bool somebody_there(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Until the first letter is y or n; no more input is n. */
static bool ask(const char *database)
{
	char line[128];

	for (;;) {
		printf("Database '%s' misses some tables.\nShould i create them ? (y/n): ",
			database);
		fflush(stdout);
		if (!fgets(line, sizeof line, stdin) || *line == 'n' || *line == 'N')
			return false;
		if (*line == 'y' || *line == 'Y')
			return true;
	}
}

static bool tables_ask(struct generation *g, bool *declined, struct why *why)
{
	struct buf database = { 0 };
	unsigned missing;
	bool ok;

	if (!db_migrate(g, false, &missing, NULL, NULL, why))
		return false;
	if (missing == 0)
		return true;
	database_describe(&database, g);
	*declined = !ask(buf_c(&database));
	ok = *declined ? why_set(why, "See you soon...")
		       : db_migrate(g, true, &missing, NULL, NULL, why);
	buf_free(&database);
	return ok;
}

static bool tables_settle(
	const char *const *folders, unsigned uid, const char *file, bool *declined, struct why *why)
{
	static const char *const nothing[] = { NULL };
	struct problems problems = { 0 };
	struct conf *conf = conf_load(file, &problems);
	const struct settings *settings = settings_read(conf, file, &problems);
	const struct generation_setup setup = { .purpose = PURPOSE_ADMIN,
		.conf = conf,
		.module_dirs = folders,
		.only = nothing,
		.trusted_uid = uid,
		.settings = settings };
	struct generation *g;
	bool ok;

	if (settings->store.create) {
		conf_free(&conf);
		problems_free(&problems);
		return true;
	}
	g = generation_new(&setup, NULL, &problems);
	if (!g) {
		why_set(why, "%s", problems.count ? problems.text[0] : "the database");
		problems_free(&problems);
		return false;
	}
	ok = tables_ask(g, declined, why);
	generation_unref(&g);
	problems_free(&problems);
	return ok;
}

/* Otherwise the start itself makes them, or says that it misses them. */
bool tables_ready(
	const char *const *folders, unsigned uid, const char *file, bool *declined, struct why *why)
{
	*declined = false;
	return !somebody_there() || tables_settle(folders, uid, file, declined, why);
}
