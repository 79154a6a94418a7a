/* SPDX-License-Identifier: MIT
 *
 * tmail-module-test: one module (and those it needs) without a server. Prints its page, or
 * plays it a script of events.
 */
#include "host/generation.h"
#include "tools/module-test/page.h"
#include "tools/module-test/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int usage(void)
{
	fputs("usage: tmail-module-test [-c SETTINGS] [-f SCRIPT] FILE.so...\n"
	      "  prints the page of the last module, or plays a script to all (-f -: stdin)\n"
	      "  -c  settings of the last one, as in its entry: -c 'limit = 3;'\n",
		stderr);
	return 2;
}

static int problems_print(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "%s\n", problems->text[i]);
	problems_free(problems);
	return 1;
}

/* Until every call has let go of the modules. */
static struct loop *ending;
static void gone(void)
{
	loop_stop(ending);
}
struct last {
	struct task task;
	struct generation *generation;
};
static void last_run(struct task *task)
{
	generation_unref(&container_of(task, struct last, task)->generation);
}
static void generation_end(struct loop *loop, struct generation *g)
{
	struct last last = { { NULL, last_run }, g };

	ending = loop;
	generation_on_main(gone);
	loop_post(loop, &last.task);
	loop_run(loop);
	generation_reap();
}

static int play(struct buf *conf, const char *script)
{
	static const char *const nowhere[] = { NULL };
	struct problems problems = { 0 };
	struct loop *loop = loop_new(0, NULL);
	struct loop *loops[] = { loop };
	const struct generation_setup setup = { .purpose = PURPOSE_SERVE,
		.conf = conf_parse(buf_str(conf), "settings", &problems),
		.module_dirs = nowhere,
		.loops = loops,
		.loop_count = 1,
		.trusted_uid = geteuid(),
		.create = true };
	struct generation *g = generation_new(&setup, NULL, &problems);
	FILE *in = strcmp(script, "-") == 0 ? stdin : fopen(script, "r");
	unsigned failures = 1;
	struct script *s;

	if (!in)
		perror(script);
	if (g && in) {
		s = script_new(loop, g);
		failures = script_play(s, in, script);
		script_free(&s);
	}
	if (in && in != stdin)
		fclose(in);
	if (g)
		generation_end(loop, g);
	loop_free(&loop);
	return g ? (failures ? 1 : 0) : problems_print(&problems);
}

/* The list `modules` of the files; the name of the last, or NULL. */
static const char *files_take(struct buf *conf, char **files, int count, const char *settings)
{
	const char *name = NULL;
	struct why why;

	buf_add_c(conf, "modules = (");
	for (int i = 0; i < count; i++) {
		char *file = realpath(files[i], NULL);

		name = module_preload_file(file ? file : files[i], &why);
		free(file);
		if (!name) {
			fprintf(stderr, "%s\n", why.text);
			return NULL;
		}
		buf_printf(conf, "%s{ module = \"%s\"; %s }", i ? ", " : "", name,
			i + 1 == count ? settings : "");
	}
	buf_add_c(conf, ");\n");
	return name;
}

static int show(const char *name)
{
	static const char *const nowhere[] = { NULL };
	struct why why;
	const struct tmail_module *m = module_read(name, nowhere, geteuid(), &why);

	if (m)
		page_print(m);
	else
		fprintf(stderr, "%s\n", why.text);
	return m ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *settings = "", *script = NULL, *name;
	struct buf conf = { 0 };
	int option, result = 1;

	while ((option = getopt(argc, argv, "c:f:")) >= 0) {
		if (option == 'c')
			settings = optarg;
		else if (option == 'f')
			script = optarg;
		else
			return usage();
	}
	if (optind == argc)
		return usage();
	name = files_take(&conf, argv + optind, argc - optind, settings);
	if (name)
		result = script ? play(&conf, script) : show(name);
	buf_free(&conf);
	return result;
}
