/* SPDX-License-Identifier: MIT
 *
 * The order of starting: who keeps rows first, then everybody's tables, then everybody else in
 * the order of the configuration. On the main thread, which may wait.
 */
#include "host/startup.h"

#include "host/service.h"

#include <tmail/service/queue.h>
#include <tmail/service/sql.h>

bool instance_provides(const struct instance *i, const char *service)
{
	TMAIL_EACH(struct tmail_service, s, i->descriptor->services)
		if (strcmp(s->name, service) == 0)
			return true;
	return false;
}

/* ---- what must hold between them --------------------------------------------------------- */

static bool only_one(struct generation *g, const char *service, struct problems *problems)
{
	const struct instance *first = NULL;
	bool good = true;

	for (size_t n = 0; n < g->count; n++) {
		const struct instance *i = g->instances[n];

		if (!instance_provides(i, service))
			continue;
		if (first)
			problem_add(problems, NULL, NULL,
				"%s: module '%s' provides the service '%s', and so does '%s' (%s): "
				"there can be one",
				i->place, i->name, service, first->name, first->place);
		good = good && !first;
		if (!first)
			first = i;
	}
	return good;
}

static bool names_differ(struct generation *g, struct problems *problems)
{
	bool good = true;

	for (size_t n = 0; n < g->count; n++)
		for (size_t m = 0; m < n; m++) {
			if (strcmp(g->instances[n]->name, g->instances[m]->name) != 0)
				continue;
			problem_add(problems, NULL, NULL,
				"%s: module '%s' is there already (%s): give one another `name`",
				g->instances[n]->place, g->instances[n]->name,
				g->instances[m]->place);
			good = false;
		}
	return good;
}

static bool sql_is_there(struct generation *g, struct problems *problems)
{
	bool good = true;

	for (size_t n = 0; n < g->count; n++)
		if (instance_provides(g->instances[n], TMAIL_SQL))
			return true;
	for (size_t n = 0; n < g->count; n++) {
		const struct instance *i = g->instances[n];

		if (i->descriptor->migrations.count == 0)
			continue;
		problem_add(problems, NULL, NULL,
			"%s: module '%s' keeps rows in a database, but no module provides the "
			"service 'sql': add { module = \"store/sqlite\"; } or another",
			i->place, i->name);
		good = false;
	}
	return good;
}

bool generation_consistent(struct generation *g, struct problems *problems)
{
	bool good = names_differ(g, problems);

	good = only_one(g, TMAIL_QUEUE, problems) && good;
	good = only_one(g, TMAIL_SQL, problems) && good;
	return sql_is_there(g, problems) && good;
}

/* ---- started --------------------------------------------------------------------------- */

static bool named(const char *const *only, const char *name)
{
	for (; only && *only; only++)
		if (strcmp(*only, name) == 0)
			return true;
	return false;
}

static bool to_start(const struct instance *i, const struct generation_setup *setup)
{
	return setup->purpose == PURPOSE_SERVE || instance_provides(i, TMAIL_SQL) ||
		named(setup->only, i->name);
}

static bool migrate(
	struct generation *g, struct instance *i, bool create, struct problems *problems)
{
	struct service *sql = service_find(g, TMAIL_SQL, NULL, 0);
	struct arena *arena = arena_new(512);
	struct tmail_sql_migrate ask = { .size = sizeof ask,
		.apply = create,
		.module = i->descriptor->name,
		.steps = i->descriptor->migrations };
	struct tmail_sql_result result = { .size = sizeof result };
	int status = service_ask_wait(sql, TMAIL_SQL_MIGRATE, &ask, &result, arena);

	if (status == TMAIL_NOT_FOUND)
		problem_add(problems, NULL, NULL,
			"%s: the tables of module '%s' are not in the database, or older than the "
			"module: run `tmail db init`, or set store.create = true",
			i->place, i->name);
	else if (status != TMAIL_OK)
		problem_add(problems, NULL, NULL,
			"%s: the tables of module '%s' cannot be made or checked: %.*s", i->place,
			i->name,
			STR_ARG(result.why.len ? str_tm(result.why) : STR("no reason given")));
	arena_free(&arena);
	return status == TMAIL_OK;
}

static bool start_one(struct generation *g, struct instance *i, struct problems *problems)
{
	struct why why;

	if (i->started || instance_start(i, g, &why))
		return true;
	problem_add(problems, NULL, NULL, "%s: module '%s' cannot start: %s", i->place, i->name,
		why.text);
	return false;
}

static bool start_all(
	struct generation *g, const struct generation_setup *setup, struct problems *problems)
{
	bool good = true;

	for (size_t n = 0; n < g->count; n++)
		if (instance_provides(g->instances[n], TMAIL_SQL) &&
			!start_one(g, g->instances[n], problems))
			return false;
	for (size_t n = 0; n < g->count; n++)
		/* All tables at once: a verb may look at those of its module's neighbours. */
		if (g->instances[n]->descriptor->migrations.count &&
			(setup->create || to_start(g->instances[n], setup)) &&
			!migrate(g, g->instances[n], setup->create, problems))
			good = false;
	for (size_t n = 0; good && n < g->count; n++)
		if (to_start(g->instances[n], setup))
			good = start_one(g, g->instances[n], problems);
	return good;
}

bool generation_start(
	struct generation *g, const struct generation_setup *setup, struct problems *problems)
{
	return start_all(g, setup, problems);
}
