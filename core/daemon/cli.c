/* SPDX-License-Identifier: MIT
 *
 * The command line: tmail [-c FILE] [--json] [COMMAND [WORDS...]]. A few commands are of the
 * program itself (the table below); every other first word is a verb, asked of the running
 * server, or run here when none is there.
 */
#include "daemon/daemon.h"

#include "daemon/settings.h"
#include "sys/clock.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct command_line {
	const char *file; /* absolute */
	bool json, help, version;
	struct str *words;
	size_t count;
};

/* ---- reading it --------------------------------------------------------------------------- */

static bool word_is(struct str word, const char *name)
{
	return str_equal(word, str_c(name));
}

/* Flags of the program itself: before the command, and --json anywhere. */
static bool flag_take(
	struct command_line *line, int argc, char **argv, int *at, bool before, struct why *why)
{
	struct str word = str_c(argv[*at]);

	if (word_is(word, "--json")) {
		line->json = true;
		return true;
	}
	if (!before)
		return false;
	if (word_is(word, "-h") || word_is(word, "--help")) {
		line->help = true;
	} else if (word_is(word, "-v") || word_is(word, "--version")) {
		line->version = true;
	} else if (word_is(word, "-c")) {
		line->file = ++*at < argc ? argv[*at] : NULL;
		if (!line->file)
			return why_set(why, "-c wants the name of a configuration file behind it");
	} else {
		return why_set(why, "unknown flag '%s'; see tmail help", argv[*at]);
	}
	return true;
}

static bool line_read(struct command_line *line, int argc, char **argv, struct why *why)
{
	bool flags = true;

	line->words = must_alloc((size_t)(argc + 1) * sizeof *line->words);
	for (int i = 1; i < argc; i++) {
		struct str word = str_c(argv[i]);
		bool before = line->count == 0;

		why->text[0] = '\0';
		if (word_is(word, "--"))
			flags = false;
		else if (flags && word.len > 1 && *word.data == '-' &&
			!word_is(word, SERVER_WORD)) {
			if (flag_take(line, argc, argv, &i, before, why))
				continue;
			if (*why->text)
				return false;
		}
		line->words[line->count++] = word;
	}
	return true;
}

/* -c, TMAIL_CONF, or the installed one; absolute, since servers may be elsewhere. */
static const char *file_settle(const char *given)
{
	static char path[PATH_MAX];
	const char *file = given ? given : getenv("TMAIL_CONF");

	if (!file || !*file)
		file = TMAIL_SYSCONFDIR "/tmail/tmail.conf";
	return realpath(file, path) ? path : file;
}

/* ---- commands of the program -------------------------------------------------------------- */

static struct output *output_of(const struct command_line *line)
{
	return line->json ? output_json(STDOUT_FILENO, STDERR_FILENO)
			  : output_table(STDOUT_FILENO, STDERR_FILENO);
}

static int say_end(struct buf *text)
{
	int status = EXIT_GOOD;

	if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
		status = EXIT_TROUBLE;
	buf_free(text);
	return status;
}

static int serve_command(const struct command_line *line)
{
	return parent_main(line->file);
}

static int server_command(const struct command_line *line)
{
	return server_main(line->file);
}

static int version_command(const struct command_line *line)
{
	(void)line;
	puts("tmail version " TMAIL_VERSION);
	return EXIT_GOOD;
}

static int check_command(const struct command_line *line)
{
	struct output *o = output_of(line);
	enum verb_result result = check_run(line->file, o);

	output_end(&o, result);
	return (int)result;
}

/* Modules are found by the configuration when there is one. */
static const char *const *folders_of(const struct command_line *line)
{
	struct problems problems = { 0 };
	struct conf *conf;
	const struct settings *settings;
	const char *const *folders;

	if (access(line->file, R_OK) != 0)
		return module_folders(STR(""));
	conf = conf_load(line->file, &problems);
	settings = settings_read(conf, line->file, &problems);
	folders = module_folders(
		str_make(settings->top.module_path.data, settings->top.module_path.len));
	conf_free(&conf);
	problems_free(&problems);
	return folders;
}

static int sample_command(const struct command_line *line)
{
	struct buf text = { 0 };

	sample_print(&text, folders_of(line), geteuid());
	return say_end(&text);
}

static int man_command(const struct command_line *line)
{
	struct buf text = { 0 };
	struct why why;
	char *page = str_dup_c(line->count > 1 ? line->words[1] : STR("tmail"));
	bool ok = man_print(&text, page, folders_of(line), geteuid(), &why);

	free(page);
	if (ok)
		return say_end(&text);
	fprintf(stderr, "tmail: man: %s\n", why.text);
	return EXIT_TROUBLE;
}

/* The core's verb of the words, by its flags; 0: it is a module's, or none. */
enum { VERB_KNOWN = 1 << 30 };
static uint32_t core_verb_flags(const struct str *words, size_t word_count)
{
	struct why why;
	size_t count, used;
	struct verb *verbs = verbs_of(NULL, &count);
	const struct verb *v = verb_of_words(verbs, count, words, word_count, &used, &why);
	uint32_t flags = v ? v->flags | VERB_KNOWN : 0;

	free(verbs);
	return flags;
}

/* How one verb is used; a module's needs the configuration. */
static int help_verb(const struct command_line *line, const struct str *words, size_t count)
{
	struct output *o = output_of(line);
	enum verb_result result;
	struct str *asked = must_alloc((count + 1) * sizeof *asked);

	memcpy(asked, words, count * sizeof *asked);
	asked[count++] = STR("--help");
	result = core_verb_flags(asked, count) ? verb_command(NULL, asked, count, true, o)
					       : offline_run(line->file, asked, count, o);
	output_end(&o, result);
	free(asked);
	return (int)result;
}

static int help_of(const struct command_line *line, const struct str *words, size_t count);

static int help_command(const struct command_line *line)
{
	return help_of(line, line->words + 1, line->count - 1);
}

static const struct tmail_argument man_arguments[] = {
	{ "PAGE", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL, "Its name; without one: tmail." },
};
static const struct tmail_argument help_arguments[] = {
	{ "COMMAND", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REPEATED,
		"The command, or the first word of some." },
};

static const struct command {
	const char *name, *summary;
	int (*run)(const struct command_line *line);
	struct tmail_list arguments;
} commands[] = {
	{ "serve", "Runs the server in the foreground; the same as no command.", serve_command,
		{ NULL, 0, 0 } },
	{ "check", "Checks the configuration and names every mistake.", check_command,
		{ NULL, 0, 0 } },
	{ "sample", "Prints a sample configuration with every setting.", sample_command,
		{ NULL, 0, 0 } },
	{ "man", "Prints a manual page: tmail, tmail.conf, or a module's name.", man_command,
		TMAIL_LIST(man_arguments) },
	{ "help", "Lists the commands, or says how one is used.", help_command,
		TMAIL_LIST(help_arguments) },
	{ "version", "Prints the version.", version_command, { NULL, 0, 0 } },
	{ SERVER_WORD, NULL, server_command, { NULL, 0, 0 } },
};

void commands_print(struct buf *out)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].summary)
			buf_printf(out, "  %-20s  %s\n", commands[i].name, commands[i].summary);
}

void commands_man(struct buf *out)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].summary)
			buf_printf(out, ".It Cm %s\n%s\n", commands[i].name, commands[i].summary);
}

static const struct command *command_find(struct str name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (word_is(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* Its words are those of a verb. */
static int command_run(const struct command *c, const struct command_line *line)
{
	const struct verb v = { .name = c->name, .summary = c->summary, .arguments = c->arguments };
	struct arena *arena = arena_new(256);
	struct values values = { 0 };
	struct buf usage = { 0 };
	struct why why;
	bool help = false;
	int status;

	if (values_parse(&v, line->words + 1, line->count - 1, arena, &values, &help, &why) !=
		VERB_OK) {
		fprintf(stderr, "tmail: %s: %s; see tmail %s --help\n", c->name, why.text, c->name);
		status = EXIT_USAGE;
	} else if (help) {
		verb_usage(&usage, &v);
		status = say_end(&usage);
	} else {
		status = c->run(line);
	}
	arena_free(&arena);
	return status;
}

static int help_of(const struct command_line *line, const struct str *words, size_t count)
{
	const struct command *c = count > 0 ? command_find(words[0]) : NULL;
	struct str both[2] = { STR(""), STR("--help") };
	const struct command_line help = { .words = both, .count = 2 };

	if (c)
		return command_run(c, &help);
	if (count < 2 && help_run(line->file, count ? words[0] : STR("")))
		return EXIT_GOOD;
	return help_verb(line, words, count);
}

/* ---- verbs -------------------------------------------------------------------------------- */

/* Where the server would listen; false: the configuration does not say it. */
static bool control_path(const char *file, struct buf *path, struct why *why)
{
	struct problems problems = { 0 };
	struct conf *conf;
	const struct settings *settings;

	if (access(file, R_OK) != 0)
		return why_errno(why, "%s", file);
	conf = conf_load(file, &problems);
	settings = settings_read(conf, file, &problems);
	buf_add_c(path, settings->control);
	conf_free(&conf);
	problems_free(&problems); /* who runs the verb finds them again */
	return true;
}

/* The place of -h or --help among the words; else their number. */
static size_t help_place(const struct command_line *line)
{
	size_t i = 0;

	while (i < line->count && !word_is(line->words[i], "--help") &&
		!word_is(line->words[i], "-h"))
		i = word_is(line->words[i], "--") ? line->count : i + 1;
	return i;
}

static enum verb_result verb_ask(const struct command_line *line, struct output *o)
{
	struct buf path = { 0 };
	struct why why;
	int answer;

	if (!control_path(line->file, &path, &why)) {
		o->fail(o, str_c(why.text));
		return VERB_FAILED;
	}
	if (core_verb_flags(line->words, line->count) & VERB_LOCAL)
		answer = -1; /* it runs here, whether there is a server or not */
	else
		answer = control_ask(buf_c(&path), line->words, line->count, o, &why);
	buf_free(&path);
	if (answer == -1)
		return offline_run(line->file, line->words, line->count, o);
	if (answer == -2) {
		o->fail(o, str_c(why.text));
		return VERB_FAILED;
	}
	return (enum verb_result)answer;
}

static int verb_command_line(const struct command_line *line)
{
	struct output *o = output_of(line);
	enum verb_result result = verb_ask(line, o);

	output_end(&o, result);
	return (int)result;
}

static int line_run(const struct command_line *line)
{
	const struct command *command;
	size_t help = help_place(line);

	if (line->version)
		return version_command(line);
	if (line->help)
		return help_of(line, line->words, line->count);
	if (line->count == 0)
		return serve_command(line);
	command = command_find(line->words[0]);
	if (command)
		return command_run(command, line);
	return help < line->count ? help_of(line, line->words, help) : verb_command_line(line);
}

int cli_main(int argc, char **argv)
{
	struct command_line line = { 0 };
	struct why why;
	int status;

	log_clock(clock_wall);
	queue_setup(settings_queue);
	log_threshold =
		LEVEL_WARNING; /* a command's rows are what it says; who serves sets its own */
	if (!line_read(&line, argc, argv, &why)) {
		fprintf(stderr, "tmail: %s\n", why.text);
		free(line.words);
		return EXIT_USAGE;
	}
	line.file = file_settle(line.file);
	status = line_run(&line);
	free(line.words);
	return status;
}
