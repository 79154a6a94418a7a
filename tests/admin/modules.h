/* SPDX-License-Identifier: MIT
 *
 * Two modules built into a test: store/fake, a database that only remembers which modules were
 * migrated, and route/fake, which has tables and verbs.
 */
#ifndef TESTS_ADMIN_MODULES_H
#define TESTS_ADMIN_MODULES_H

#include "host/generation.h"

#include <tmail/service/sql.h>

static char fake_migrated[256]; /* "route/fake" */
/* What the database says instead of an answer: to all, or only when it is to make tables. */
__attribute__((unused)) static const char *fake_trouble, *fake_apply_trouble;

static inline void fake_forget(void)
{
	fake_migrated[0] = '\0';
	fake_trouble = fake_apply_trouble = NULL;
}

static inline int fake_migrate(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_sql_migrate *q = question;
	const char *trouble = fake_trouble ? fake_trouble : q->apply ? fake_apply_trouble : NULL;

	(void)call;
	if (trouble) {
		((struct tmail_sql_result *)answer)->why =
			(struct tmail_str){ trouble, strlen(trouble) };
		return TMAIL_TRY_LATER;
	}
	if (strstr(fake_migrated, q->module))
		return TMAIL_OK;
	if (!q->apply)
		return TMAIL_NOT_FOUND;
	strncat(fake_migrated, q->module, sizeof fake_migrated - strlen(fake_migrated) - 1);
	return TMAIL_OK;
}

static const struct tmail_operation fake_sql[] = {
	{ TMAIL_SQL_MIGRATE, TMAIL_BLOCKING, fake_migrate },
};
static const struct tmail_service fake_services[] = {
	{ TMAIL_SQL, NULL, TMAIL_LIST(fake_sql) },
};
struct fake_store_conf {
	struct tmail_str file;
};
static const struct tmail_option fake_store_options[] = {
	TMAIL_STRING(struct fake_store_conf, file, "file", "fake.db", "Where nothing is kept."),
};
static const struct tmail_module fake_store = { .magic = TMAIL_MAGIC,
	.abi_major = TMAIL_ABI_MAJOR,
	.abi_minor = TMAIL_ABI_MINOR,
	.abi_needs = TMAIL_ABI_MINOR,
	.size = sizeof(struct tmail_module),
	.name = "store/fake",
	.version = "1",
	.summary = "Remembers nothing.",
	.conf_size = sizeof(struct fake_store_conf),
	.options = TMAIL_LIST(fake_store_options),
	.services = TMAIL_LIST(fake_services) };

static inline struct tmail_str fake_str(const char *text)
{
	return (struct tmail_str){ text, strlen(text) };
}

/* One row a value: its name and itself. */
static inline int fake_show(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "name", "value" };

	call->host->emit->columns(call, names, 2);
	TMAIL_EACH(struct tmail_value, v, *values) {
		const struct tmail_str row[] = { v->name, v->value };
		call->host->emit->row(call, row, 2);
	}
	call->host->emit->say(call, "%u values", (unsigned)values->count);
	call->host->emit->progress(call, 1, 2);
	return TMAIL_OK;
}

static inline int fake_refuse(struct tmail_call *call, const struct tmail_list *values)
{
	(void)values;
	call->host->emit->fail(call, "there is no %s", "such thing");
	return TMAIL_REFUSED;
}

static inline int fake_silent(struct tmail_call *call, const struct tmail_list *values)
{
	(void)call;
	(void)values;
	return TMAIL_TRY_LATER;
}

static inline int fake_status(struct tmail_call *call, const struct tmail_list *values)
{
	(void)values;
	call->host->emit->say(call, "never reached: the core has a status");
	return TMAIL_OK;
}

static const struct tmail_argument fake_arguments[] = {
	{ "level", "l", TMAIL_TYPE_INT, 0, "a number" },
	{ "NAME", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REQUIRED, "a name" },
	{ "PASSWORD", NULL, TMAIL_TYPE_SECRET, TMAIL_POSITIONAL, "a secret; - asks" },
};
static const struct tmail_verb fake_verbs[] = {
	{ "fake show", "Shows what it was given.", TMAIL_ROLE_READ, TMAIL_OFFLINE,
		TMAIL_LIST(fake_arguments), fake_show },
	{ "fake refuse", "Refuses.", TMAIL_ROLE_READ, TMAIL_OFFLINE, { NULL, 0, 0 }, fake_refuse },
	{ "fake silent", "Fails, silently.", TMAIL_ROLE_READ, TMAIL_OFFLINE, { NULL, 0, 0 },
		fake_silent },
	{ "fake running", "Needs the server.", TMAIL_ROLE_READ, 0, { NULL, 0, 0 }, fake_show },
	{ "queue fake", "Is of the core's group.", TMAIL_ROLE_READ, 0, { NULL, 0, 0 },
		fake_silent },
	{ "status", "Is the core's.", TMAIL_ROLE_READ, 0, { NULL, 0, 0 }, fake_status },
};
static const struct tmail_migration fake_migrations[] = {
	{ 1, "CREATE TABLE fake (id ${serial})" },
};
static inline enum tmail_verdict fake_hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	return TMAIL_CONTINUE;
}

static const struct tmail_hook fake_hooks[] = {
	{ TMAIL_POINT_RCPT, 0, fake_hook },
	{ TMAIL_POINT_EOM, TMAIL_BLOCKING, fake_hook },
};
static const struct tmail_metric fake_metrics[] = {
	{ "fake_lookups", TMAIL_COUNTER, "Lookups." },
};
struct fake_conf {
	struct tmail_str word;
};
static const struct tmail_option fake_options[] = {
	TMAIL_STRING(struct fake_conf, word, "word", "none", "A word."),
};
static const struct tmail_module fake_route = { .magic = TMAIL_MAGIC,
	.abi_major = TMAIL_ABI_MAJOR,
	.abi_minor = TMAIL_ABI_MINOR,
	.abi_needs = TMAIL_ABI_MINOR,
	.size = sizeof(struct tmail_module),
	.capabilities = TMAIL_CAN_SQL,
	.name = "route/fake",
	.version = "2",
	.summary = "Has commands.",
	.conf_size = sizeof(struct fake_conf),
	.options = TMAIL_LIST(fake_options),
	.hooks = TMAIL_LIST(fake_hooks),
	.metrics = TMAIL_LIST(fake_metrics),
	.migrations = TMAIL_LIST(fake_migrations),
	.verbs = TMAIL_LIST(fake_verbs) };

static const char *const fake_folders[] = { "/nonexistent", NULL };
#define FAKE_MODULES "modules = ( { module = \"store/fake\"; }, { module = \"route/fake\"; } );\n"

static inline void fake_modules_load(void)
{
	module_preload(&fake_store);
	module_preload(&fake_route);
	fake_forget();
}

#endif
