/* SPDX-License-Identifier: MIT
 *
 * An instance: one entry of the list `modules`, its settings read, its memory, its workers, its
 * start and its stop. Who it is asked by and when is order.c's; the list is generation.c's.
 */
#include "host/call.h"

#include <stdlib.h>

enum { LANE_DEPTH = 4096 };

static const struct tmail_option options[] = {
	TMAIL_STRING(struct instance_settings, module, "module", NULL,
		"Which module this is, such as \"route/rcpthost\"."),
	TMAIL_STRING(struct instance_settings, name, "name", NULL,
		"What the instance is called in logs; the module's name if not given. Needed when "
		"a module is configured more than once."),
	TMAIL_CHOICE(struct instance_settings, on_error, "on_error", "tempfail",
		"tempfail continue",
		"What follows when the module fails or is too late: the client is told to try "
		"again, or the module is passed by."),
	TMAIL_DURATION(struct instance_settings, timeout, "timeout", "30s", 1, 86400000,
		"How long the module may take over one question."),
	TMAIL_INT(struct instance_settings, workers, "workers", "4", 1, 256,
		"How many threads the module may keep busy with work that waits."),
	TMAIL_CHOICE(struct instance_settings, log_level, "log_level", "default",
		"default error warning info debug",
		"What the module may log; by default what the server logs."),
	TMAIL_BOOL(struct instance_settings, may_relay, "may_relay", "false",
		"Whether the module may let clients relay."),
	TMAIL_STRINGS(struct instance_settings, when, "when", NULL,
		"For which clients the module is asked: names of listeners, \"authenticated\", "
		"\"anonymous\". Empty: for all."),
};

struct tmail_list instance_options(void)
{
	return (struct tmail_list)TMAIL_LIST(options);
}

/* ---- the configuration it points into ---------------------------------------------------- */

struct conf_share *share_new(struct conf *conf)
{
	struct conf_share *s = must_alloc(sizeof *s);

	s->refs = 1;
	s->conf = conf;
	return s;
}

struct conf_share *share_ref(struct conf_share *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void share_unref(struct conf_share **sp)
{
	struct conf_share *s = *sp;

	*sp = NULL;
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	conf_free(&s->conf);
	free(s);
}

/* ---- made ------------------------------------------------------------------------------ */

static void when_read(struct instance *i)
{
	struct tmail_str *listeners = ARENA_ARRAY(
		conf_arena(i->share->conf), struct tmail_str, i->settings.when.count + 1u);

	i->when.listeners = listeners;
	TMAIL_EACH(struct tmail_str, word, i->settings.when) {
		if (str_equal(str_tm(*word), STR("authenticated")))
			i->when.authenticated = true;
		else if (str_equal(str_tm(*word), STR("anonymous")))
			i->when.anonymous = true;
		else
			listeners[i->when.listener_count++] = *word;
	}
}

/* The module's own check, of its settings alone. */
static bool settings_check(struct instance *i, struct generation *g, struct why *why)
{
	struct call *c;
	int status;

	if (!i->descriptor->check)
		return true;
	c = call_take(g, i, 0, NULL, NULL, TMAIL_POINTS, 0);
	status = call_step(c, i->descriptor->check);
	if (status != TMAIL_OK)
		why_set(why, "%.*s",
			STR_ARG(c->answer.text.len ? str_tm(c->answer.text)
						   : STR("its settings do not check")));
	call_drop(&c);
	return status == TMAIL_OK;
}

static bool settings_read(struct instance *i, struct generation *g, const struct conf_group *group,
	struct problems *problems)
{
	struct conf_table tables[] = {
		{ instance_options(), &i->settings },
		{ i->descriptor->options, i->conf },
	};
	struct why why;

	if (!conf_read(g->share->conf, group, tables, 2, NULL, problems))
		return false;
	when_read(i);
	if (settings_check(i, g, &why))
		return true;
	problem_add(problems, group, NULL, "module '%s': %s", i->name, why.text);
	return false;
}

/* Whether anything of it runs on workers. */
static bool instance_waits(const struct tmail_module *d)
{
	TMAIL_EACH(struct tmail_hook, hook, d->hooks)
		if (hook->flags & TMAIL_BLOCKING)
			return true;
	TMAIL_EACH(struct tmail_service, service, d->services)
		TMAIL_EACH(struct tmail_operation, operation, service->operations)
			if (operation->flags & TMAIL_BLOCKING)
				return true;
	return d->verbs.count > 0;
}

static void instance_free(struct instance *i)
{
	free(i->conf);
	free(i->self);
	free(i->states);
	share_unref(&i->share);
	free(i);
}

/* For the life of the configuration. */
static const char *instance_called(struct conf *conf, const struct conf_group *group)
{
	struct str name = conf_string(group, "name");

	if (name.len == 0)
		name = conf_string(group, "module");
	return arena_c(conf_arena(conf), name);
}

struct instance *instance_new(struct generation *g, const struct conf_group *group,
	const struct generation_setup *setup, struct problems *problems)
{
	const char *name = instance_called(g->share->conf, group);
	char *module_name = str_dup_c(conf_string(group, "module"));
	struct instance *i = NULL;
	struct module *module = NULL;
	struct why why;

	if (!*module_name)
		problem_add(problems, group, NULL, "an entry of modules needs `module = \"...\"`");
	else if (!(module = module_load(module_name, setup->module_dirs, setup->trusted_uid, &why)))
		problem_add(problems, group, "module", "%s", why.text);
	free(module_name);
	if (!module)
		return NULL;
	i = must_alloc(sizeof *i);
	i->refs = 1;
	i->module = module;
	i->descriptor = module->descriptor;
	i->share = share_ref(g->share);
	i->hash = conf_hash(group);
	i->name = name;
	i->place = arena_c(conf_arena(g->share->conf), str_c(conf_place(group, NULL)));
	i->generation = g;
	if (i->descriptor->conf_size)
		i->conf = must_alloc(i->descriptor->conf_size);
	host_tables_fill(i->hosts, i->descriptor->capabilities);
	if (settings_read(i, g, group, problems))
		return i;
	instance_free(i);
	return NULL;
}

struct instance *instance_ref(struct instance *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

/* ---- started and stopped ----------------------------------------------------------------- */

static void workers_start(struct instance *i, struct generation *g)
{
	i->loops = g->loops;
	i->loop_count = g->loop_count;
	if (i->loop_count && (i->descriptor->loop_size || i->descriptor->loop_start))
		i->states = must_alloc(i->loop_count * sizeof *i->states);
	if (instance_waits(i->descriptor))
		i->lane = lane_new(i->name, (unsigned)i->settings.workers, LANE_DEPTH);
}

static void memory_end(struct instance *i)
{
	lane_free(&i->lane);
	free(i->states);
	free(i->self);
	i->states = NULL;
	i->self = NULL;
}

bool instance_start(struct instance *i, struct generation *g, struct why *why)
{
	struct call *c;
	int status = TMAIL_OK;

	must(!i->started);
	if (i->descriptor->self_size)
		i->self = must_alloc(i->descriptor->self_size);
	workers_start(i, g);
	if (i->descriptor->start) {
		c = call_take(g, i, 0, NULL, NULL, TMAIL_POINTS, 0);
		status = call_step(c, i->descriptor->start);
		if (status != TMAIL_OK)
			why_set(why, "%.*s",
				STR_ARG(c->answer.text.len
						? str_tm(c->answer.text)
						: STR("it did not start and does not say why")));
		call_drop(&c);
	}
	i->started = status == TMAIL_OK;
	if (!i->started)
		memory_end(i);
	return i->started;
}

void instance_stop(struct instance *i, struct generation *g)
{
	struct call *c;

	if (!i->started)
		return;
	instance_loops_end(i, g);
	if (i->descriptor->stop) {
		c = call_take(g, i, 0, NULL, NULL, TMAIL_POINTS, 0);
		call_last(c, i->descriptor->stop);
		call_drop(&c);
	}
	i->started = false;
	memory_end(i);
}

void instance_unref(struct instance **ip, struct generation *g)
{
	struct instance *i = *ip;

	*ip = NULL;
	if (!i || atomic_fetch_sub(&i->refs, 1) > 1)
		return;
	instance_stop(i, g);
	instance_free(i);
}

/* ---- asked ----------------------------------------------------------------------------- */

bool instance_minds(
	const struct instance *i, enum tmail_point point, const struct tmail_client *client)
{
	const struct when *when = &i->when;
	bool known = client->flags & TMAIL_CLIENT_AUTHENTICATED;

	if (i->settings.when.count == 0 || point > TMAIL_POINT_DISCONNECT)
		return true;
	if (when->authenticated != when->anonymous && when->authenticated != known)
		return false;
	for (uint32_t n = 0; n < when->listener_count; n++)
		if (str_equal(str_tm(when->listeners[n]), str_tm(client->listener)))
			return true;
	return when->listener_count == 0;
}

const char *instance_name(const struct instance *i)
{
	return i->name;
}

const struct tmail_module *instance_module(const struct instance *i)
{
	return i->descriptor;
}

const char *instance_file(const struct instance *i)
{
	return i->module->file;
}

bool instance_may_relay(const struct instance *i)
{
	return i->settings.may_relay;
}

struct lane *instance_lane(const struct instance *i)
{
	return i->lane;
}
