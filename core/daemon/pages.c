/* SPDX-License-Identifier: MIT
 *
 * What is printed from the tables: the sample configuration, manual pages, the list of
 * commands. Nothing here says anything that the tables do not.
 */
#include "daemon/daemon.h"
#include "daemon/settings.h"

#include "sys/file.h"

#include <stdlib.h>
#include <unistd.h>

/* Areas in the order in which a configuration names its modules: what others build on first.
 * Others follow, by name. */
static const char *const areas[] = { "store", "auth", "route" };

/* A module that must be asked after its neighbours says so of an operation or hook. */
static bool module_last(const struct tmail_module *m)
{
	TMAIL_EACH(struct tmail_service, s, m->services) {
		TMAIL_EACH(struct tmail_operation, o, s->operations) {
			if (o->flags & TMAIL_LAST)
				return true;
		}
	}
	return false;
}

static unsigned area_rank(const char *name)
{
	unsigned rank = 0;
	size_t length = strcspn(name, "/");

	while (rank < sizeof areas / sizeof *areas &&
		(strlen(areas[rank]) != length || strncmp(areas[rank], name, length)))
		rank++;
	return rank;
}

struct page_module {
	const struct tmail_module *m;
	unsigned rank;
};

static int module_compare(const void *a, const void *b)
{
	const struct page_module *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->m->name, y->m->name);
}

/* All that can be read, in that order; malloc'd. */
static struct page_module *modules_read(const char *const *dirs, unsigned uid, size_t *count)
{
	char **names = module_list(dirs);
	struct page_module *modules;
	struct why why;
	size_t n = 0;

	for (char **name = names; name && *name; name++)
		n++;
	modules = must_alloc((n + 1) * sizeof *modules);
	n = 0;
	for (char **name = names; name && *name; name++) {
		const struct tmail_module *m = module_read(*name, dirs, uid, &why);

		if (m)
			modules[n++] =
				(struct page_module){ m, area_rank(m->name) * 2 + module_last(m) };
		else
			fprintf(stderr, "tmail: %s\n", why.text);
	}
	folder_free(names);
	qsort(modules, n, sizeof *modules, module_compare);
	*count = n;
	return modules;
}

/* ---- the sample --------------------------------------------------------------------------- */

static void sample_modules(struct buf *out, const char *const *dirs, unsigned uid)
{
	size_t count;
	struct page_module *modules = modules_read(dirs, uid, &count);

	buf_add_c(out, "# The modules, in the order in which they are asked.\nmodules = (\n");
	for (size_t i = 0; i < count; i++) {
		const struct conf_section section = { modules[i].m->name, modules[i].m->summary,
			modules[i].m->options, CONF_OF_MODULE };

		conf_print_sample(out, &section);
		buf_add_c(out, i + 1 < count ? ",\n\n" : "\n");
	}
	buf_add_c(out, ");\n");
	free(modules);
}

/* The list `listen` is shown whole in its first entry; the sample has two more, for people's
 * programs. */
static void sample_listeners(struct buf *out, const struct conf_section *section)
{
	static const char end[] = "\n);\n";
	static const char more[] = ",\n"
				   "    {\n"
				   "        # For people's programs, which must log in.\n"
				   "        port = \"${TMAIL_PORT_SUBMISSION:-5877}\";\n"
				   "        role = \"submission\";\n"
				   "    },\n"
				   "    {\n"
				   "        # The same, with TLS from the first octet.\n"
				   "        port = \"${TMAIL_PORT_SMTPS:-4655}\";\n"
				   "        role = \"smtps\";\n"
				   "    }";

	conf_print_sample(out, section);
	must(out->len > sizeof end);
	out->len -= sizeof end - 1;
	buf_add_c(out, more);
	buf_add_c(out, end);
}

void sample_print(struct buf *out, const char *const *dirs, unsigned uid)
{
	struct conf_section sections[SETTINGS_SECTIONS];
	size_t count = settings_sections(sections);

	buf_add_c(out,
		"# tmail.conf: every setting there is. Those behind a # show their defaults.\n"
		"# Printed by `tmail sample`; the manual is tmail.conf(5).\n\n");
	for (size_t i = 0; i < count; i++) {
		if (sections[i].list == CONF_LIST)
			sample_listeners(out, &sections[i]);
		else
			conf_print_sample(out, &sections[i]);
		buf_add_char(out, '\n');
	}
	sample_modules(out, dirs, uid);
}

/* ---- manual pages ------------------------------------------------------------------------- */

/* Text that roff must not take for anything else. */
static void man_text(struct buf *out, const char *text)
{
	bool first = true;

	for (const char *c = text ? text : ""; *c; c++) {
		if (first && (*c == '.' || *c == '\''))
			buf_add_c(out, "\\&");
		if (*c == '\\')
			buf_add_c(out, "\\e");
		else
			buf_add_char(out, *c);
		first = *c == '\n';
	}
	buf_add_char(out, '\n');
}

static void man_head(
	struct buf *out, const char *title, unsigned section, const char *name, const char *summary)
{
	struct buf upper = { 0 };

	for (const char *c = title; *c; c++)
		buf_add_char(&upper, *c >= 'a' && *c <= 'z' ? (char)(*c & ~0x20) : *c);
	buf_printf(out, ".Dd $Mdocdate$\n.Dt %s %u\n.Os tmail\n.Sh NAME\n.Nm %s\n.Nd ",
		buf_c(&upper), section, name);
	man_text(out, summary);
	buf_free(&upper);
}

/* A flag with all its spellings, or a word. */
static void man_argument(struct buf *out, const struct tmail_argument *a)
{
	struct str rest = str_c(a->shorts), word;

	if (a->flags & TMAIL_POSITIONAL) {
		buf_printf(out, ".It Ar %s\n", a->name);
	} else {
		buf_printf(out, ".It Fl -%s", a->name);
		while (a->shorts && str_word(&rest, &word))
			buf_printf(out, " , Fl %.*s", STR_ARG(word));
		buf_add_c(out, a->type == TMAIL_TYPE_BOOL ? "\n" : " Ar value\n");
	}
	man_text(out, a->summary);
}

static void man_verb(
	struct buf *out, const char *name, const char *summary, struct tmail_list arguments)
{
	bool flags = false;

	TMAIL_EACH(struct tmail_argument, a, arguments) {
		flags |= !(a->flags & TMAIL_POSITIONAL);
	}
	buf_printf(out, ".It Cm %s%s", name, flags ? " Oo Ar flags Oc" : "");
	TMAIL_EACH(struct tmail_argument, a, arguments) {
		if (a->flags & TMAIL_POSITIONAL)
			buf_printf(out, a->flags & TMAIL_REQUIRED ? " Ar %s" : " Oo Ar %s Oc",
				a->name);
	}
	buf_add_char(out, '\n');
	man_text(out, summary);
	if (arguments.count)
		buf_add_c(out, ".Bl -tag -width Ds\n");
	TMAIL_EACH(struct tmail_argument, a, arguments) {
		man_argument(out, a);
	}
	buf_add_c(out, arguments.count ? ".El\n" : "");
}

static void man_program(struct buf *out)
{
	size_t count;
	struct verb *verbs = verbs_of(NULL, &count);

	man_head(out, "tmail", 8, "tmail", "mail server made of modules");
	buf_add_c(out,
		".Sh SYNOPSIS\n.Nm\n.Op Fl c Ar file\n.Op Fl -json\n.Op Ar command Op Ar words\n"
		".Sh DESCRIPTION\nWithout a command,\n.Nm\nruns the server in the foreground.\n"
		"Every other command is asked of the running server,\n"
		"or works on the stored data when there is none.\n"
		"Modules bring commands of their own; their pages list them.\n"
		".Bl -tag -width Ds\n");
	commands_man(out);
	for (size_t i = 0; i < count; i++)
		man_verb(out, verbs[i].name, verbs[i].summary, verbs[i].arguments);
	buf_add_c(out,
		".El\n.Sh EXIT STATUS\n0 when all went well, 1 on trouble, 2 on a mistake in the "
		"command line.\n.Sh SEE ALSO\n.Xr tmail.conf 5\n");
	free(verbs);
}

static void man_configuration(struct buf *out)
{
	struct conf_section sections[SETTINGS_SECTIONS];
	const struct conf_section instance = { "modules",
		"What every module has beside its own settings.", instance_options(), CONF_LIST };
	size_t count = settings_sections(sections);

	man_head(out, "tmail.conf", 5, "tmail.conf", "settings of the mail server tmail");
	buf_add_c(out,
		".Sh DESCRIPTION\nThe file is in the format of libconfig.\nFiles in the folder\n"
		".Pa conf.d\nbeside it whose names end with\n.Pa .conf\nare read after it, in the "
		"order of their names.\n.Sh SETTINGS\n");
	for (size_t i = 0; i < count; i++)
		conf_print_man(out, &sections[i]);
	conf_print_man(out, &instance);
	buf_add_c(out, ".Sh SEE ALSO\n.Xr tmail 8\n");
}

static void man_module(struct buf *out, const struct tmail_module *m)
{
	const struct conf_section section = { NULL, NULL, m->options, CONF_OF_MODULE };
	struct buf title = { 0 };

	buf_add_c(&title, "tmail-");
	for (const char *c = m->name; *c; c++)
		buf_add_char(&title, *c == '/' ? '-' : *c);
	man_head(out, buf_c(&title), 5, m->name, m->summary);
	buf_free(&title);
	if (m->options.count) {
		buf_add_c(out, ".Sh SETTINGS\n");
		conf_print_man(out, &section);
	}
	if (m->verbs.count)
		buf_add_c(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	TMAIL_EACH(struct tmail_verb, v, m->verbs) {
		man_verb(out, v->name, v->summary, v->arguments);
	}
	buf_add_c(out, m->verbs.count ? ".El\n" : "");
	buf_add_c(out, ".Sh SEE ALSO\n.Xr tmail.conf 5 ,\n.Xr tmail 8\n");
}

bool man_print(
	struct buf *out, const char *page, const char *const *dirs, unsigned uid, struct why *why)
{
	const struct tmail_module *m;

	if (!strcmp(page, "tmail")) {
		man_program(out);
		return true;
	}
	if (!strcmp(page, "tmail.conf")) {
		man_configuration(out);
		return true;
	}
	m = module_read(page, dirs, uid, why);
	if (m)
		man_module(out, m);
	return m != NULL;
}

/* ---- help --------------------------------------------------------------------------------- */

/* All, or those whose first word that is. */
void verbs_print(struct buf *out, const struct verb *verbs, size_t count, struct str group)
{
	for (size_t i = 0; i < count; i++) {
		struct str name = str_c(verbs[i].name), first;

		if (group.len == 0 ||
			(str_word(&name, &first) && name.len > 0 && str_equal(first, group)))
			buf_printf(out, "  %-20s  %s\n", verbs[i].name,
				verbs[i].summary ? verbs[i].summary : "");
	}
}

void help_print(struct buf *out, const struct verb *verbs, size_t count)
{
	buf_add_c(out,
		"usage: tmail [-c FILE] [--json] [COMMAND [WORDS...]]\n\n"
		"  -c FILE               the configuration; else TMAIL_CONF, else\n"
		"                        " TMAIL_SYSCONFDIR "/tmail/tmail.conf\n"
		"  --json                rows and trouble as JSON\n"
		"  -h, --help            this; behind a command: how that is used\n"
		"  -v, --version         the version\n\n");
	commands_print(out);
	buf_add_char(out, '\n');
	verbs_print(out, verbs, count, STR(""));
}
