/* SPDX-License-Identifier: MIT
 *
 * Verbs while the server is stopped, and `check`. The configuration is first read and checked
 * with nothing started; then a generation for administration starts what the verb needs: its
 * own module, or the one that has the service it works on, and the database. The store's own
 * lock keeps a server and a command apart; who has it says the store.
 */
#include "daemon/daemon.h"
#include "daemon/privileges.h"
#include "daemon/settings.h"

#include "base/list.h"
#include "host/trail.h"

#include <tmail/service/queue.h>
#include <tmail/service/router.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place { /* what every step needs */
	const char *file;
	struct identity identity;
	const char *const *folders;
	struct loop *loop; /* of a verb that needs one */
	struct problems problems;
};

static struct admin_calls calls;

static enum verb_result problems_fail(struct problems *problems, struct output *o)
{
	for (size_t i = 0; i < problems->count; i++)
		o->fail(o, str_c(problems->text[i]));
	if (problems->count == 0)
		o->fail(o, STR("the configuration cannot be used"));
	problems_free(problems);
	return VERB_FAILED;
}

static struct generation *place_generation(
	struct place *place, enum purpose purpose, const char *const *only)
{
	struct conf *conf = conf_load(place->file, &place->problems);
	const struct settings *settings = settings_read(conf, place->file, &place->problems);
	const struct generation_setup setup = { .purpose = purpose,
		.conf = conf,
		.module_dirs = place->folders,
		.only = only,
		.loops = &place->loop,
		.loop_count = place->loop ? 1 : 0,
		.trusted_uid = place->identity.uid,
		.create = settings->store.create,
		.settings = settings };

	if (purpose != PURPOSE_CHECK && place->problems.count) {
		conf_free(&conf);
		return NULL;
	}
	return generation_new(&setup, NULL, &place->problems);
}

/* Reads who to be and where modules are, and becomes it. files: those of TLS, which then may be out
 * of reach; NULL: nobody wants them. */
static bool place_settle(struct place *place, struct tls_files *files, struct why *why)
{
	struct problems problems = { 0 };
	struct conf *conf;
	const struct settings *settings;
	bool ok;

	if (access(place->file, R_OK) != 0)
		return why_errno(why, "%s", place->file);
	conf = conf_load(place->file, &problems);
	settings = settings_read(conf, place->file, &problems);
	if (files)
		tls_files_open(files, &settings->tls);
	ok = identity_of(settings_user(settings), &place->identity, why) &&
		privileges_drop(&place->identity, why);
	umask(077);
	place->folders = module_folders(str_tm(settings->top.module_path));
	conf_free(&conf);
	problems_free(&problems); /* the check finds them again */
	return ok;
}

/* ---- what a verb needs ----------------------------------------------------------------------- */

static bool module_offers(const struct tmail_module *m, const char *service)
{
	TMAIL_EACH(struct tmail_service, s, m->services) {
		if (!strcmp(s->name, service))
			return true;
	}
	return false;
}

/* Names of the instances the verb needs; copies, NULL at the end. */
static char **needed_of(const struct generation *g, const struct verb *v)
{
	char **names = must_alloc((instance_count(g) + 2) * sizeof *names);
	size_t n = 0;

	if (v->instance)
		names[n++] = str_dup_c(str_c(instance_name(v->instance)));
	for (size_t i = 0; v->service && i < instance_count(g); i++)
		if (module_offers(instance_module(instance_at(g, i)), v->service))
			names[n++] = str_dup_c(str_c(instance_name(instance_at(g, i))));
	return names;
}

static void needed_free(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}

/* What it does to messages is kept for `trace`, as the server would. */
static enum verb_result verb_beside(struct generation *g, const struct verb *v,
	const struct str *words, size_t count, struct output *o)
{
	const struct settings *settings = settings_of(g);
	enum verb_result result;
	struct why why;

	calls.trace_file = settings->trace_file;
	if (v->service && !settings_trail_start(settings, &why))
		log_event(LEVEL_WARNING, NULL, "trace_unusable", LOG_C("why", why.text));
	result = verb_command(g, words, count, true, o);
	trail_stop();
	return result;
}

/* ---- a verb that needs a loop ---------------------------------------------------------------- */

static bool loop_begin(struct place *place, struct why *why)
{
	place->loop = loop_new(0, why);
	return place->loop && loop_start(place->loop, "command", why);
}

/* Names as the server would look them up, and its own addresses as it would have them. */
static bool names_begin(struct generation *g, struct why *why)
{
	const struct settings *settings = settings_of(g);
	const struct dns_settings dns = settings_dns(settings, generation_conf(g));
	struct endpoint *own = must_alloc((settings->listen_count + 1) * sizeof *own);
	size_t count = 0;

	for (size_t i = 0; i < settings->listen_count; i++)
		count += endpoint_parse(str_tm(settings->listen[i].address),
			(uint16_t)settings->listen[i].port, &own[count]);
	queue_listens(own, count);
	free(own);
	return dns_start(&dns, why);
}

static void loop_finish(struct place *place)
{
	if (!place->loop)
		return;
	dns_stop();
	loop_stop(place->loop);
	loop_join(place->loop);
	loop_free(&place->loop);
}

/* ---- run ------------------------------------------------------------------------------------- */

/* With the modules that it needs started. */
static enum verb_result run_started(struct place *place, const struct verb *v, char **needed,
	const struct str *words, size_t count, struct output *o)
{
	struct generation *g = NULL;
	enum verb_result result = VERB_FAILED;
	struct why why;
	bool ok = !(v->flags & VERB_LOOP) || loop_begin(place, &why);

	if (ok)
		g = place_generation(place, PURPOSE_ADMIN, (const char *const *)needed);
	if (g && v->flags & VERB_LOOP)
		ok = names_begin(g, &why);
	if (!ok)
		o->fail(o, str_c(why.text));
	else
		result =
			g ? verb_beside(g, v, words, count, o) : problems_fail(&place->problems, o);
	generation_unref(&g);
	loop_finish(place);
	return result;
}

/* Runs with nothing started: usage errors, help, and verbs that only read descriptors. */
static bool runs_at_once(const struct verb *v, const struct str *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(words[i], STR("--help")) || str_equal(words[i], STR("-h")))
			return true;
	return !v || (v->flags & VERB_LOCAL) || !(v->flags & TMAIL_OFFLINE);
}

enum verb_result offline_run(
	const char *file, const struct str *words, size_t count, struct output *o)
{
	struct place place = { .file = file };
	struct generation *g;
	struct verb *verbs;
	const struct verb *v;
	struct why why;
	size_t verb_count, used;
	char **needed;
	enum verb_result result;

	if (!place_settle(&place, NULL, &why)) {
		o->fail(o, str_c(why.text));
		return VERB_FAILED;
	}
	calls = (struct admin_calls){ .module_dirs = place.folders,
		.trusted_uid = place.identity.uid };
	admin_setup(&calls);
	g = place_generation(&place, PURPOSE_CHECK, NULL);
	verbs = verbs_of(g, &verb_count);
	v = verb_of_words(verbs, verb_count, words, count, &used, &why);
	if (!v && !g) {
		result = problems_fail(
			&place.problems, o); /* it may be of a module that is missing */
		goto end;
	}
	if (runs_at_once(v, words, count)) {
		problems_free(&place.problems);
		result = verb_command(g, words, count, true, o);
		goto end;
	}
	if (!g) {
		result = problems_fail(&place.problems, o);
		goto end;
	}
	needed = needed_of(g, v);
	generation_unref(&g);
	result = run_started(&place, v, needed, words, count, o);
	needed_free(needed);
	problems_free(&place.problems);
end:
	free(verbs);
	if (g)
		generation_unref(&g);
	return result;
}

static bool generation_offers(const struct generation *g, const char *service)
{
	for (size_t i = 0; i < instance_count(g); i++)
		if (module_offers(instance_module(instance_at(g, i)), service))
			return true;
	return false;
}

/* What is no mistake, and hardly what anybody wants. */
static void check_warn(const struct generation *g, struct output *o)
{
	static const char *const names[] = { "level", "text" };
	static const struct {
		const char *service;
		struct tmail_str text;
	} wanted[] = {
		{ TMAIL_QUEUE,
			TMAIL_STR("no module keeps the queue, such as store/journal: mail is "
				  "answered 451") },
		{ TMAIL_ROUTER,
			TMAIL_STR("no module knows where mail goes, such as route/mx: what is "
				  "accepted waits") },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		const struct tmail_str row[] = { TMAIL_STR("warning"), wanted[i].text };

		if (generation_offers(g, wanted[i].service))
			continue;
		if (!any)
			o->columns(o, names, 2);
		any = true;
		o->row(o, row, 2);
	}
}

static void check_report(const struct generation *g, struct output *o)
{
	output_say(o, "The configuration is good: %zu modules.", instance_count(g));
	for (size_t i = 0; i < instance_count(g); i++)
		if (instance_may_relay(instance_at(g, i)))
			output_say(o, "%s may grant relay.", instance_name(instance_at(g, i)));
	check_warn(g, o);
}

static void certificates_check(
	struct place *place, const struct tls_files *files, const struct generation *g)
{
	const struct conf_group *root = conf_root(generation_conf(g));
	struct tls *tls;
	struct why why;

	if (!certificates_load(&settings_of(g)->tls, files, true, &tls, &why))
		problem_add(&place->problems, conf_group_of(root, "tls"), NULL, "%s", why.text);
	tls_drop(&tls);
}

enum verb_result check_run(const char *file, struct output *o)
{
	struct place place = { .file = file };
	struct tls_files files = { 0 };
	struct generation *g;
	struct why why;

	if (!place_settle(&place, &files, &why)) {
		o->fail(o, str_c(why.text));
		return VERB_FAILED;
	}
	g = place_generation(&place, PURPOSE_CHECK, NULL);
	if (g)
		certificates_check(&place, &files, g);
	tls_files_free(&files);
	if (!g || place.problems.count) {
		if (g)
			generation_unref(&g);
		return problems_fail(&place.problems, o);
	}
	check_report(g, o);
	generation_unref(&g);
	return VERB_OK;
}

bool help_run(const char *file, struct str group)
{
	struct place place = { .file = file };
	struct generation *g = NULL;
	struct verb *verbs;
	struct buf text = { 0 };
	struct why why;
	size_t count;
	bool some;

	if (place_settle(&place, NULL, &why))
		g = place_generation(&place, PURPOSE_CHECK, NULL);
	verbs = verbs_of(g, &count);
	if (group.len == 0)
		help_print(&text, verbs, count);
	else
		verbs_print(&text, verbs, count, group);
	some = text.len > 0;
	if (some)
		fwrite(text.data, 1, text.len, stdout);
	buf_free(&text);
	free(verbs);
	if (g)
		generation_unref(&g);
	problems_free(&place.problems);
	return some;
}
