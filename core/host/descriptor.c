/* SPDX-License-Identifier: MIT
 *
 * What a module says of itself, checked to the last list before a function of it is called. A
 * module compiled against another minor of the contract has structs of other sizes: all is
 * copied to the core's own, with zero for what an older module does not have and without what a
 * newer one has more. Nothing here opens files (module.c) or reads settings (floor conf).
 */
#include "host/module.h"

#include <inttypes.h>

enum { STATE_MAX = 16 * 1024 * 1024, ELEMENTS_MAX = 4096, GROUPS_DEEP = 3, METRIC_NAME_MAX = 64 };

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* A list that a module shows: how large its elements were in the first release, which is what
 * they must have, and are now. */
struct shape {
	const char *what;
	size_t least, now;
};
#define SHAPE(what, type, member)                                                                  \
	{                                                                                          \
		what, END_OF(type, member), sizeof(type)                                           \
	}
static const struct shape shape_option = SHAPE("options", struct tmail_option, stride);
static const struct shape shape_hook = SHAPE("hooks", struct tmail_hook, run);
static const struct shape shape_service = SHAPE("services", struct tmail_service, operations);
static const struct shape shape_operation = SHAPE("operations", struct tmail_operation, run);
static const struct shape shape_migration = SHAPE("migrations", struct tmail_migration, sql);
static const struct shape shape_verb = SHAPE("verbs", struct tmail_verb, run);
static const struct shape shape_argument = SHAPE("arguments", struct tmail_argument, summary);
static const struct shape shape_metric = SHAPE("metrics", struct tmail_metric, summary);

struct check {
	struct arena *arena;
	struct why *why;
	struct tmail_module *m;
	bool newer; /* compiled for a later minor: what is unknown is left out, not refused */
};

/* The list again, its elements of the core's size. False with why. */
static bool list_take(struct check *c, const struct shape *shape, struct tmail_list *list)
{
	size_t copy = list->stride < shape->now ? list->stride : shape->now;
	char *items;

	if (list->count == 0) {
		*list = (struct tmail_list){ NULL, 0, (uint32_t)shape->now };
		return true;
	}
	if (!list->item)
		return why_set(
			c->why, "%s: %" PRIu32 " of them, but no list", shape->what, list->count);
	if (list->count > ELEMENTS_MAX)
		return why_set(
			c->why, "%s: %" PRIu32 " of them are too many", shape->what, list->count);
	if (list->stride < shape->least || list->stride % _Alignof(void *) != 0)
		return why_set(c->why,
			"%s: elements of %" PRIu32 " octets, at least %zu are needed", shape->what,
			list->stride, shape->least);
	items = arena_array(c->arena, shape->now, list->count);
	for (uint32_t i = 0; i < list->count; i++)
		memcpy(items + i * shape->now, (const char *)list->item + (size_t)i * list->stride,
			copy);
	*list = (struct tmail_list){ items, list->count, (uint32_t)shape->now };
	return true;
}

static bool word_valid(const char *word, const char *more)
{
	if (!word || !*word)
		return false;
	for (const char *p = word; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && !strchr(more, *p))
			return false;
	return true;
}

static bool summary_valid(struct check *c, const char *what, const char *name, const char *summary)
{
	if (summary && *summary)
		return true;
	return why_set(c->why, "%s '%s' has no summary: it is its manual", what, name);
}

/* ---- options --------------------------------------------------------------------------- */

static const struct {
	size_t size, align;
} type_place[] = {
#define PLACE(type)                                                                                \
	{                                                                                          \
		sizeof(type), _Alignof(type)                                                       \
	}
	[TMAIL_TYPE_BOOL] = PLACE(int32_t),
	[TMAIL_TYPE_INT] = PLACE(int64_t),
	[TMAIL_TYPE_STRING] = PLACE(struct tmail_str),
	[TMAIL_TYPE_DURATION] = PLACE(int64_t),
	[TMAIL_TYPE_SIZE] = PLACE(int64_t),
	[TMAIL_TYPE_FILE] = PLACE(struct tmail_str),
	[TMAIL_TYPE_STRINGS] = PLACE(struct tmail_list),
	[TMAIL_TYPE_CHOICE] = PLACE(int32_t),
	[TMAIL_TYPE_SECRET] = PLACE(struct tmail_str),
	[TMAIL_TYPE_GROUPS] = PLACE(struct tmail_list),
#undef PLACE
};
enum { TYPES = sizeof type_place / sizeof *type_place };

static bool options_check(struct check *c, struct tmail_list *options, size_t size, int depth);

static bool option_check(struct check *c, struct tmail_option *o, size_t size, int depth)
{
	if (!word_valid(o->name, "_"))
		return why_set(c->why, "an option has the name '%s': a-z, 0-9 and _ are allowed",
			o->name ? o->name : "");
	if (o->type >= TYPES)
		return why_set(
			c->why, "option '%s' has the unknown type %" PRIu32, o->name, o->type);
	if (o->offset > size || size - o->offset < type_place[o->type].size)
		return why_set(c->why,
			"option '%s' lies outside of conf (offset %zu of %zu octets)", o->name,
			o->offset, size);
	if (o->offset % type_place[o->type].align != 0)
		return why_set(c->why, "option '%s' is not aligned in conf", o->name);
	if (o->min > o->max)
		return why_set(c->why, "option '%s' has a minimum above its maximum", o->name);
	if (o->type == TMAIL_TYPE_CHOICE && !(o->choices && *o->choices))
		return why_set(c->why, "option '%s' has no choices", o->name);
	if (o->type == TMAIL_TYPE_GROUPS) {
		if (depth == GROUPS_DEEP)
			return why_set(c->why, "option '%s' is nested too deep", o->name);
		if (o->stride == 0 || o->stride > STATE_MAX)
			return why_set(
				c->why, "option '%s' has groups of %zu octets", o->name, o->stride);
		if (!options_check(c, &o->options, o->stride, depth + 1))
			return why_prefix(c->why, "option '%s'", o->name);
	}
	return summary_valid(c, "option", o->name, o->summary);
}

static bool options_check(struct check *c, struct tmail_list *options, size_t size, int depth)
{
	struct tmail_option *all;

	if (!list_take(c, &shape_option, options))
		return false;
	all = (struct tmail_option *)(uintptr_t)options->item;
	for (uint32_t i = 0; i < options->count; i++) {
		if (!option_check(c, &all[i], size, depth))
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(all[i].name, all[j].name) == 0)
				return why_set(c->why, "option '%s' is there twice", all[i].name);
	}
	return true;
}

/* ---- hooks ----------------------------------------------------------------------------- */

enum {
	HOOK_FLAGS =
		TMAIL_FIRST | TMAIL_LAST | TMAIL_BLOCKING | TMAIL_STREAM | TMAIL_DRY | TMAIL_WAITS
};

static bool point_is_content(uint32_t point)
{
	return point >= TMAIL_POINT_HEADER && point <= TMAIL_POINT_EOM;
}

static bool hook_check(struct check *c, const struct tmail_hook *h)
{
	bool text = h->point == TMAIL_POINT_HEADER || h->point == TMAIL_POINT_BODY;

	if (!h->run)
		return why_set(c->why, "the hook of point %" PRIu32 " has no function", h->point);
	if (h->flags & ~(uint32_t)HOOK_FLAGS && !c->newer)
		return why_set(c->why, "the hook of point %" PRIu32 " has unknown flags", h->point);
	if (text && h->flags & TMAIL_BLOCKING)
		return why_set(c->why,
			"a hook of HEADER or BODY cannot be TMAIL_BLOCKING: collect "
			"there, and wait at EOM");
	if (h->flags & TMAIL_BLOCKING && h->flags & TMAIL_WAITS)
		return why_set(c->why, "a hook is TMAIL_BLOCKING or TMAIL_WAITS, not both");
	if (h->flags & TMAIL_STREAM && !(point_is_content(h->point)))
		return why_set(c->why, "TMAIL_STREAM is for the points HEADER to EOM");
	if (h->flags & TMAIL_STREAM && h->flags & (TMAIL_BLOCKING | TMAIL_WAITS))
		return why_set(c->why, "a TMAIL_STREAM hook cannot wait");
	if (h->flags & TMAIL_WAITS && h->point >= TMAIL_POINT_TICK)
		return why_set(c->why,
			"a notice of the process has no loop to wait on: mark it "
			"TMAIL_BLOCKING");
	if (point_is_content(h->point) && h->point != TMAIL_POINT_EOM &&
		!(c->m->capabilities & (TMAIL_CAN_READ | TMAIL_CAN_EDIT)))
		return why_set(c->why, "hooks of HEADER, EOH and BODY need TMAIL_CAN_READ");
	return true;
}

/* What streams cannot be held back until a notice to the same module is over. */
static bool stream_check(struct check *c)
{
	bool stream = false, waits = false;

	TMAIL_EACH(struct tmail_hook, h, c->m->hooks) {
		stream = stream || h->flags & TMAIL_STREAM;
		waits = waits || h->flags & (TMAIL_BLOCKING | TMAIL_WAITS);
	}
	if (!stream || !waits)
		return true;
	return why_set(c->why, "a module with TMAIL_STREAM hooks cannot have others that wait");
}

/* Points of a later core are left out. */
static bool hooks_check(struct check *c)
{
	struct tmail_list *hooks = &c->m->hooks;
	struct tmail_hook *all;
	uint32_t kept = 0;

	if (!list_take(c, &shape_hook, hooks))
		return false;
	all = (struct tmail_hook *)(uintptr_t)hooks->item;
	for (uint32_t i = 0; i < hooks->count; i++) {
		if (all[i].point >= TMAIL_POINTS) {
			if (c->newer)
				continue;
			return why_set(
				c->why, "a hook has the unknown point %" PRIu32, all[i].point);
		}
		if (!hook_check(c, &all[i]))
			return false;
		for (uint32_t j = 0; j < kept; j++)
			if (all[j].point == all[i].point)
				return why_set(c->why, "two hooks of point %" PRIu32, all[i].point);
		all[kept++] = all[i];
	}
	hooks->count = kept;
	return true;
}

/* ---- services, migrations, verbs, metrics ------------------------------------------------ */

static bool operations_check(struct check *c, struct tmail_service *s)
{
	if (!list_take(c, &shape_operation, &s->operations))
		return false;
	TMAIL_EACH(struct tmail_operation, o, s->operations) {
		if (!o->run)
			return why_set(c->why, "operation %" PRIu32 " has no function", o->op);
		if (o->flags & TMAIL_BLOCKING && o->flags & TMAIL_WAITS)
			return why_set(c->why,
				"operation %" PRIu32 " is TMAIL_BLOCKING and TMAIL_WAITS", o->op);
		for (const struct tmail_operation *p = s->operations.item; p < o; p++)
			if (p->op == o->op)
				return why_set(
					c->why, "operation %" PRIu32 " is there twice", o->op);
	}
	return true;
}

static bool services_check(struct check *c)
{
	struct tmail_service *all;

	if (!list_take(c, &shape_service, &c->m->services))
		return false;
	all = (struct tmail_service *)(uintptr_t)c->m->services.item;
	for (uint32_t i = 0; i < c->m->services.count; i++) {
		if (!word_valid(all[i].name, "_-"))
			return why_set(c->why, "a service has the name '%s'",
				all[i].name ? all[i].name : "");
		if (!operations_check(c, &all[i]))
			return why_prefix(c->why, "service '%s'", all[i].name);
	}
	return true;
}

static bool migrations_check(struct check *c)
{
	uint32_t before = 0;

	if (!list_take(c, &shape_migration, &c->m->migrations))
		return false;
	if (c->m->migrations.count && !(c->m->capabilities & TMAIL_CAN_SQL))
		return why_set(c->why, "migrations need TMAIL_CAN_SQL");
	TMAIL_EACH(struct tmail_migration, step, c->m->migrations) {
		if (step->number <= before)
			return why_set(c->why,
				"migration %" PRIu32 " comes after %" PRIu32
				": they start at 1 and rise",
				step->number, before);
		if (!step->sql || !*step->sql)
			return why_set(c->why, "migration %" PRIu32 " is empty", step->number);
		before = step->number;
	}
	return true;
}

static bool arguments_check(struct check *c, struct tmail_verb *v)
{
	if (!list_take(c, &shape_argument, &v->arguments))
		return false;
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		if (!a->name || !*a->name)
			return why_set(c->why, "an argument has no name");
		if (a->type != TMAIL_TYPE_BOOL && a->type != TMAIL_TYPE_INT &&
			a->type != TMAIL_TYPE_STRING && a->type != TMAIL_TYPE_SECRET)
			return why_set(
				c->why, "argument '%s' has the type %" PRIu32, a->name, a->type);
		if (!summary_valid(c, "argument", a->name, a->summary))
			return false;
	}
	return true;
}

static bool verbs_check(struct check *c)
{
	struct tmail_verb *all;

	if (!list_take(c, &shape_verb, &c->m->verbs))
		return false;
	all = (struct tmail_verb *)(uintptr_t)c->m->verbs.item;
	for (uint32_t i = 0; i < c->m->verbs.count; i++) {
		struct tmail_verb *v = &all[i];

		if (!word_valid(v->name, " -"))
			return why_set(c->why, "a verb has the name '%s'", v->name ? v->name : "");
		if (!v->run)
			return why_set(c->why, "verb '%s' has no function", v->name);
		if (v->role > TMAIL_ROLE_ADMIN)
			return why_set(c->why, "verb '%s' has the role %" PRIu32, v->name, v->role);
		if (!summary_valid(c, "verb", v->name, v->summary))
			return false;
		if (!arguments_check(c, v))
			return why_prefix(c->why, "verb '%s'", v->name);
	}
	return true;
}

static bool metrics_check(struct check *c)
{
	if (!list_take(c, &shape_metric, &c->m->metrics))
		return false;
	TMAIL_EACH(struct tmail_metric, m, c->m->metrics) {
		if (!word_valid(m->name, "_") || strlen(m->name) > METRIC_NAME_MAX)
			return why_set(
				c->why, "a metric has the name '%s'", m->name ? m->name : "");
		if (m->kind > TMAIL_GAUGE)
			return why_set(
				c->why, "metric '%s' has the kind %" PRIu32, m->name, m->kind);
		if (!summary_valid(c, "metric", m->name, m->summary))
			return false;
	}
	return true;
}

/* ---- the whole ------------------------------------------------------------------------- */

static bool abi_check(const struct tmail_module *raw, struct why *why)
{
	if (raw->magic != TMAIL_MAGIC)
		return why_set(why, "this is no module of tmail (its magic number is wrong)");
	if (raw->abi_major != TMAIL_ABI_MAJOR)
		return why_set(why, "it is made for abi %u.%u, core has %d.%d", raw->abi_major,
			raw->abi_minor, TMAIL_ABI_MAJOR, TMAIL_ABI_MINOR);
	if (raw->abi_needs > TMAIL_ABI_MINOR)
		return why_set(why, "needs abi %u.%u, core has %d.%d", raw->abi_major,
			raw->abi_needs, TMAIL_ABI_MAJOR, TMAIL_ABI_MINOR);
	if (raw->size < END_OF(struct tmail_module, stop) || raw->size > 65536)
		return why_set(why,
			"its descriptor has %" PRIu32 " octets, at least %zu are needed", raw->size,
			END_OF(struct tmail_module, stop));
	return true;
}

static bool module_check(struct check *c, const char *name)
{
	struct tmail_module *m = c->m;

	if (!m->name || strcmp(m->name, name) != 0)
		return why_set(c->why, "it calls itself '%s', but was asked for as '%s'",
			m->name ? m->name : "", name);
	if (!m->version || !m->summary || !*m->summary)
		return why_set(c->why, "it has no version or no summary");
	if (m->conf_size > STATE_MAX || m->self_size > STATE_MAX || m->loop_size > STATE_MAX ||
		m->session_size > STATE_MAX || m->message_size > STATE_MAX)
		return why_set(c->why, "its state is larger than %d octets", STATE_MAX);
	if (m->session_end && !m->session_size)
		return why_set(
			c->why, "session_end without session_size: it would never be called");
	if (m->message_end && !m->message_size)
		return why_set(
			c->why, "message_end without message_size: it would never be called");
	if (m->loop_end && !m->loop_size)
		return why_set(c->why, "loop_end without loop_size: it would never be called");
	return true;
}

const struct tmail_module *descriptor_check(
	const struct tmail_module *raw, const char *name, struct arena *arena, struct why *why)
{
	struct tmail_module *m = ARENA_NEW(arena, struct tmail_module);
	struct check c = { arena, why, m, false };

	if (!abi_check(raw, why))
		return NULL;
	memcpy(m, raw, raw->size < sizeof *m ? raw->size : sizeof *m);
	c.newer = raw->abi_minor > TMAIL_ABI_MINOR;
	if (!module_check(&c, name) || !options_check(&c, &m->options, m->conf_size, 0) ||
		!hooks_check(&c) || !stream_check(&c) || !services_check(&c) ||
		!migrations_check(&c) || !verbs_check(&c) || !metrics_check(&c))
		return NULL;
	return m;
}
