/* SPDX-License-Identifier: MIT
 *
 * The tables of the features: which modules lack some, and making them. The steps are the
 * modules' (numbered migrations); the `sql` service runs them and knows which were run.
 */
#include "admin/verbs.h"

#include "host/service.h"

#include <tmail/service/sql.h>

static unsigned modules_with_tables(const struct generation *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < instance_count(g); i++)
		n += instance_module(instance_at(g, i))->migrations.count > 0;
	return n;
}

/* TMAIL_OK: it has all; TMAIL_NOT_FOUND: it lacks some; else why. */
static int module_migrate(struct service *sql, const struct tmail_module *m, bool apply,
	struct arena *arena, struct why *why)
{
	const struct tmail_sql_migrate question = {
		.size = sizeof question, .apply = apply, .module = m->name, .steps = m->migrations
	};
	struct tmail_sql_result answer = { .size = sizeof answer };
	int status = service_ask_wait(sql, TMAIL_SQL_MIGRATE, &question, &answer, arena);

	if (status != TMAIL_OK && !(status == TMAIL_NOT_FOUND && !apply))
		why_set(why, "tables of %s: %.*s", m->name, (int)answer.why.len,
			answer.why.len ? answer.why.data : "");
	return status;
}

bool db_migrate(struct generation *g, bool apply, unsigned *missing,
	void (*progress)(void *ctx, const char *module, bool missing, unsigned done, unsigned of),
	void *ctx, struct why *why)
{
	struct service *sql = service_find(g, TMAIL_SQL, NULL, 0);
	struct arena *arena;
	unsigned done = 0, of = modules_with_tables(g), lack = 0;
	bool ok = true;

	if (!sql && of)
		return why_set(why, "no module of the configuration offers a database (sql)");
	arena = arena_new(1024);
	for (size_t i = 0; ok && i < instance_count(g); i++) {
		const struct tmail_module *m = instance_module(instance_at(g, i));
		int status;

		if (m->migrations.count == 0)
			continue;
		status = module_migrate(sql, m, false, arena, why);
		lack += status == TMAIL_NOT_FOUND;
		ok = status == TMAIL_OK || status == TMAIL_NOT_FOUND;
		if (ok && apply && status == TMAIL_NOT_FOUND)
			ok = module_migrate(sql, m, true, arena, why) == TMAIL_OK;
		if (ok && progress)
			progress(ctx, m->name, status == TMAIL_NOT_FOUND, ++done, of);
		arena_reset(arena);
	}
	arena_free(&arena);
	if (ok)
		*missing = lack;
	return ok;
}

static void status_row(void *ctx, const char *module, bool missing, unsigned done, unsigned of)
{
	struct output *o = ctx;
	const struct tmail_str row[] = { { module, strlen(module) },
		missing ? (struct tmail_str)TMAIL_STR("missing")
			: (struct tmail_str)TMAIL_STR("ok") };

	(void)done;
	(void)of;
	o->row(o, row, 2);
}

static void init_progress(void *ctx, const char *module, bool missing, unsigned done, unsigned of)
{
	struct output *o = ctx;

	if (missing)
		output_say(o, "The tables of %s are there now.", module);
	o->progress(o, done, of);
}

static enum verb_result db_run(struct generation *g, struct output *o, bool apply)
{
	struct why why;
	unsigned missing;

	if (db_migrate(g, apply, &missing, apply ? init_progress : status_row, o, &why))
		return VERB_OK;
	output_fail(o, "db: %s", why.text);
	return VERB_FAILED;
}

static enum verb_result status_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "module", "tables" };

	(void)values;
	o->columns(o, names, 2);
	return db_run(g, o, false);
}

static enum verb_result init_run(
	struct generation *g, const struct values *values, struct output *o)
{
	(void)values;
	return db_run(g, o, true);
}

static const struct verb table[] = {
	{ .name = "db init",
		.summary = "Makes the tables that the database lacks.",
		.role = TMAIL_ROLE_ADMIN,
		.flags = TMAIL_OFFLINE,
		.run = init_run },
	{ .name = "db status",
		.summary = "Shows which modules' tables the database lacks.",
		.flags = TMAIL_OFFLINE,
		.run = status_run },
};

const struct verb_table verbs_db = { table, sizeof table / sizeof *table };
