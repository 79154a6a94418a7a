/* SPDX-License-Identifier: MIT
 *
 * The table of verbs: the core's and, for a generation, its modules'. Finds the verb of a
 * command line and runs it. How words become values is in values.c; what a verb does is in
 * verbs_*.c and the modules.
 */
#include "admin/verb.h"
#include "admin/verbs.h"

#include "host/verb_call.h"
#include "sys/file.h"

#include <stdlib.h>

enum { WORDS_OF_A_NAME = 3 };

static const struct verb_table *const core_tables[] = { &verbs_status, &verbs_queue, &verbs_act,
	&verbs_db, &verbs_trace, &verbs_explain };
static const struct admin_calls stopped;
static const struct admin_calls *calls = &stopped;

void admin_setup(const struct admin_calls *given)
{
	calls = given ? given : &stopped;
}

const struct admin_calls *admin_calls(void)
{
	return calls;
}

static int verb_compare(const void *a, const void *b)
{
	return strcmp(((const struct verb *)a)->name, ((const struct verb *)b)->name);
}

static size_t verbs_bound(const struct generation *g)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof core_tables / sizeof *core_tables; i++)
		n += core_tables[i]->count;
	for (size_t i = 0; g && i < instance_count(g); i++)
		n += instance_module(instance_at(g, i))->verbs.count;
	return n;
}

static bool verbs_have(const struct verb *verbs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(verbs[i].name, name))
			return true;
	return false;
}

struct verb *verbs_of(struct generation *g, size_t *count)
{
	struct verb *verbs = must_alloc((verbs_bound(g) + 1) * sizeof *verbs);
	size_t n = 0;

	for (size_t i = 0; i < sizeof core_tables / sizeof *core_tables; i++)
		for (size_t j = 0; j < core_tables[i]->count; j++)
			verbs[n++] = core_tables[i]->item[j];
	for (size_t i = 0; g && i < instance_count(g); i++) {
		struct instance *instance = instance_at(g, i);

		TMAIL_EACH(struct tmail_verb, v, instance_module(instance)->verbs) {
			if (verbs_have(verbs, n, v->name))
				continue;
			verbs[n++] = (struct verb){ .name = v->name,
				.summary = v->summary,
				.role = v->role,
				.flags = v->flags & ~(uint32_t)(VERB_LOCAL | VERB_LOOP),
				.arguments = v->arguments,
				.module_verb = v,
				.instance = instance };
		}
	}
	qsort(verbs, n, sizeof *verbs, verb_compare);
	*count = n;
	return verbs;
}

const struct verb *verb_named(const struct verb *verbs, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(str_c(verbs[i].name), name))
			return &verbs[i];
	return NULL;
}

/* Joins the first n words with single blanks. */
static struct str name_of_words(struct buf *name, const struct str *words, size_t n)
{
	buf_clear(name);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_char(name, ' ');
		buf_add(name, words[i]);
	}
	return buf_str(name);
}

/* "queue" alone, or with a second word nobody knows: what there is of that group. */
static void group_members(struct buf *out, const struct verb *verbs, size_t count, struct str group)
{
	for (size_t i = 0; i < count; i++) {
		struct str name = str_c(verbs[i].name);

		if (name.len <= group.len || name.data[group.len] != ' ' ||
			!str_starts(name, group))
			continue;
		buf_add_c(out, out->len ? ", " : "");
		buf_add(out, str_slice(name, group.len + 1, name.len));
	}
}

/* Has the module a verb of these words, or (group) one that begins with the first of them? */
static bool module_has_verb(
	const struct tmail_module *m, const struct str *words, size_t word_count, bool group)
{
	struct buf name = { 0 };
	bool has = false;

	TMAIL_EACH(struct tmail_verb, v, m->verbs) {
		struct str rest = str_c(v->name), first;

		has |= group && str_word(&rest, &first) && str_equal(first, words[0]);
		for (size_t n = 1; n <= word_count && n <= WORDS_OF_A_NAME; n++)
			has |= str_equal(str_c(v->name), name_of_words(&name, words, n));
	}
	buf_free(&name);
	return has;
}

/* True: the module that would have it is installed, and not in the configuration. */
static bool why_not_configured(struct why *why, const struct verb *verbs, size_t count,
	const struct str *words, size_t word_count)
{
	const char *const *dirs = calls->module_dirs;
	char **names = dirs ? module_list(dirs) : NULL;
	struct buf members = { 0 };
	bool group, found = false;
	struct why unused;

	group_members(&members, verbs, count, words[0]);
	group = members.len == 0;
	buf_free(&members);
	for (char **name = names; name && *name && !found; name++) {
		const struct tmail_module *m =
			module_read(*name, dirs, calls->trusted_uid, &unused);

		found = m && module_has_verb(m, words, word_count, group);
		if (found)
			why_set(why, "%.*s: module %s is not in the configuration",
				STR_ARG(words[0]), *name);
	}
	folder_free(names);
	return found;
}

static bool why_no_verb(struct why *why, const struct verb *verbs, size_t count,
	const struct str *words, size_t word_count)
{
	struct buf members = { 0 }, text = { 0 };
	const char **names = must_alloc((count + 1) * sizeof *names);
	const char *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = verbs[i].name;
	group_members(&members, verbs, count, words[0]);
	nearest = conf_nearest(
		name_of_words(&text, words, word_count < 2 || !members.len ? 1 : 2), names, count);
	if (members.len && word_count < 2)
		why_set(why, "%.*s: one of %s is missing", STR_ARG(words[0]), buf_c(&members));
	else if (nearest)
		why_set(why, "there is no command '%s', did you mean '%s'?", buf_c(&text), nearest);
	else if (members.len)
		why_set(why, "there is no command '%s'; there are: %s", buf_c(&text),
			buf_c(&members));
	else
		why_set(why, "there is no command '%s'; see tmail help", buf_c(&text));
	free(names);
	buf_free(&members);
	buf_free(&text);
	return false;
}

const struct verb *verb_of_words(const struct verb *verbs, size_t count, const struct str *words,
	size_t word_count, size_t *used, struct why *why)
{
	const struct verb *v = NULL;
	struct buf name = { 0 };

	if (word_count == 0) {
		why_set(why, "a command is missing; see tmail help");
		return NULL;
	}
	for (size_t n = word_count < WORDS_OF_A_NAME ? word_count : WORDS_OF_A_NAME; n && !v; n--) {
		v = verb_named(verbs, count, name_of_words(&name, words, n));
		*used = n;
	}
	buf_free(&name);
	if (!v && !why_not_configured(why, verbs, count, words, word_count))
		why_no_verb(why, verbs, count, words, word_count);
	return v;
}

/* ---- a module's verb: what it emits goes on to the output -------------------------------- */

struct emission {
	struct output *output;
	bool failed;
};

static void emit_columns(void *ctx, const char *const *names, uint32_t n)
{
	struct output *o = ((struct emission *)ctx)->output;

	o->columns(o, names, n);
}

static void emit_row(void *ctx, const struct tmail_str *values, uint32_t n)
{
	struct output *o = ((struct emission *)ctx)->output;

	o->row(o, values, n);
}

static void emit_say(void *ctx, struct str line)
{
	struct output *o = ((struct emission *)ctx)->output;

	o->say(o, line);
}

static void emit_fail(void *ctx, struct str text)
{
	struct emission *e = ctx;

	e->failed = true;
	e->output->fail(e->output, text);
}

static void emit_progress(void *ctx, uint64_t done, uint64_t of)
{
	struct output *o = ((struct emission *)ctx)->output;

	o->progress(o, done, of);
}

/* A verb that ends badly without a word still gets one. */
static const char *status_words(int status)
{
	switch (status) {
	case TMAIL_NOT_FOUND:
		return "there is no such thing";
	case TMAIL_TRY_LATER:
		return "this cannot be done now, try later; the log says why";
	case TMAIL_UNSUPPORTED:
		return "this is not supported here";
	default:
		return "this was refused";
	}
}

enum verb_result verb_run(
	const struct verb *v, struct generation *g, const struct values *values, struct output *o)
{
	struct emission emission = { o, false };
	const struct verb_emit emit = { emit_columns, emit_row, emit_say, emit_fail, emit_progress,
		&emission };
	int status;

	if (v->run)
		return v->run(g, values, o);
	status = verb_call(v->instance, v->module_verb, &values->list, &emit);
	if (status != TMAIL_OK && !emission.failed)
		output_fail(o, "%s: %s", v->name, status_words(status));
	return status == TMAIL_OK && !emission.failed ? VERB_OK : VERB_FAILED;
}

/* ---- a whole command line ---------------------------------------------------------------- */

/* What was given as "-" and is secret is asked for: it has no place on a command line. */
static bool secrets_ask(const struct verb *v, struct values *values, struct arena *arena,
	struct output *o, struct why *why)
{
	struct buf answer = { 0 };
	bool ok = true;

	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		for (size_t i = 0; ok && a->type == TMAIL_TYPE_SECRET && i < values->count; i++) {
			struct tmail_value *value = &values->item[i];
			struct str secret;

			if (value->name.data != a->name || value->value.len != 1 ||
				*value->value.data != '-')
				continue;
			buf_clear(&answer);
			ok = o->secret(o, a->name, &answer, why);
			secret = arena_str(arena, buf_str(&answer));
			value->value = (struct tmail_str){ secret.data, secret.len };
		}
	}
	buf_free_secret(&answer);
	return ok;
}

static enum verb_result command_run(const struct verb *v, struct generation *g,
	const struct str *words, size_t count, bool offline, struct arena *arena, struct output *o)
{
	struct values values = { 0 };
	struct why why;
	bool help = false;

	if (values_parse(v, words, count, arena, &values, &help, &why) != VERB_OK) {
		output_fail(o, "%s: %s; see tmail %s --help", v->name, why.text, v->name);
		return VERB_USAGE;
	}
	if (help) {
		struct buf usage = { 0 };

		verb_usage(&usage, v);
		o->say(o, str_trim_line(buf_str(&usage)));
		buf_free(&usage);
		return VERB_OK;
	}
	if (offline && !(v->flags & (TMAIL_OFFLINE | VERB_LOCAL))) {
		output_fail(o, "%s: the server is stopped", v->name);
		return VERB_FAILED;
	}
	if (!secrets_ask(v, &values, arena, o, &why)) {
		output_fail(o, "%s: %s", v->name, why.text);
		return VERB_FAILED;
	}
	return verb_run(v, g, &values, o);
}

enum verb_result verb_command(
	struct generation *g, const struct str *words, size_t count, bool offline, struct output *o)
{
	size_t verb_count, used = 0;
	struct verb *verbs = verbs_of(g, &verb_count);
	struct arena *arena = arena_new(1024);
	struct why why;
	const struct verb *v = verb_of_words(verbs, verb_count, words, count, &used, &why);
	enum verb_result result;

	if (!v) {
		output_fail(o, "%s", why.text);
		result = VERB_USAGE;
	} else {
		result = command_run(v, g, words + used, count - used, offline, arena, o);
	}
	arena_free(&arena);
	free(verbs);
	return result;
}
