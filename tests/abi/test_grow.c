/* SPDX-License-Identifier: MIT
 *
 * The contract grows: a module compiled against an older header runs on this core, one compiled
 * against a newer header that says it can live with this minor runs, too, and one that cannot is
 * refused with both numbers. The other headers are made here from ours.
 */
#include "tests/host/build.h"
#include "tests/host/world.h"

#include "host/metrics.h"

static char *folder, *header;
static struct problems problems;

/* ---- other headers ------------------------------------------------------------------------- */

static void replace(const char *from, const char *to)
{
	char *at = strstr(header, from);
	struct buf out = { 0 };

	ck_assert_msg(at != NULL, "the header has no '%s'", from);
	buf_add(&out, str_make(header, (size_t)(at - header)));
	buf_add_c(&out, to);
	buf_add_c(&out, at + strlen(from));
	free(header);
	header = str_dup_c(buf_str(&out));
	buf_free(&out);
}

/* The struct's closing line gets something in front of it. */
static void grow(const char *name, const char *member)
{
	struct buf old = { 0 }, grown = { 0 };
	char *at, *end;

	buf_printf(&old, "struct %s {", name);
	at = strstr(header, buf_c(&old));
	ck_assert_msg(at != NULL, "the header has no struct %s", name);
	end = strstr(at, "\n};");
	buf_clear(&old);
	buf_add(&old, str_make(at, (size_t)(end - at)));
	buf_printf(&grown, "%s\n\t%s", buf_c(&old), member);
	replace(buf_c(&old), buf_c(&grown));
	buf_free(&old);
	buf_free(&grown);
}

static void header_read(void)
{
	struct buf path = { 0 }, text = { 0 };

	buf_printf(&path, "%s/core/include/tmail/module.h", build_top());
	ck_assert(file_read(buf_c(&path), 1 << 20, &text, NULL));
	header = str_dup_c(buf_str(&text));
	buf_free(&path);
	buf_free(&text);
}

/* A core to come: every struct has something more at its end. */
static void header_newer(void)
{
	static const char *const structs[] = { "tmail_client", "tmail_parameter", "tmail_recipient",
		"tmail_envelope", "tmail_answer", "tmail_call", "tmail_edit", "tmail_dns_answer",
		"tmail_net", "tmail_emit", "tmail_host", "tmail_hook", "tmail_operation",
		"tmail_service", "tmail_option", "tmail_migration", "tmail_argument", "tmail_verb",
		"tmail_metric", "tmail_module" };

	header_read();
	for (size_t i = 0; i < sizeof structs / sizeof *structs; i++)
		grow(structs[i], "uint64_t to_come, and_more;");
	/* the macros that fill an option's members by place */
	replace("{ NULL, 0, 0 }, 0, NULL }", "{ NULL, 0, 0 }, 0, NULL, 7, 7 }");
	replace("#define TMAIL_ABI_MINOR 1", "#define TMAIL_ABI_MINOR 2");
}

/* A core of before: what came last is not there yet. */
static void header_older(void)
{
	header_read();
	replace("\tconst char *sample; /* what the printed sample shows in place of the default, "
		"or NULL */\n",
		"");
	replace("{ NULL, 0, 0 }, 0, NULL }", "{ NULL, 0, 0 }, 0 }");
	replace("\tint (*loop_start)(struct tmail_call *);\n\tvoid (*loop_end)(struct tmail_call "
		"*);\n"
		"\tvoid (*session_end)(struct tmail_call *);\n\tvoid (*message_end)(struct "
		"tmail_call *);\n",
		"");
	replace("#define TMAIL_ABI_MINOR 1", "#define TMAIL_ABI_MINOR 0");
}

static void build(const char *needs)
{
	struct buf path = { 0 }, flags = { 0 };

	buf_printf(&path, "%s/tmail", folder);
	ck_assert(folder_make(buf_c(&path), NULL));
	buf_add_c(&path, "/module.h");
	ck_assert(file_write(buf_c(&path), str_c(header), 0644, NULL));
	buf_printf(&flags, "-DNEEDS=%s -I'%s' -Wno-missing-field-initializers", needs, folder);
	build_module(folder, "test/grown.so", "tests/abi/grown.c", buf_c(&flags));
	buf_free(&path);
	buf_free(&flags);
	free(header);
}

/* ---- run by this core ------------------------------------------------------------------------ */

static struct generation *load(struct world *w)
{
	const char *const dirs[] = { folder, NULL };
	const struct generation_setup setup = { .purpose = PURPOSE_SERVE,
		.conf = conf_parse(
			STR("modules = ({ module = \"test/grown\"; text = \"words\"; });"),
			"test.conf", &problems),
		.module_dirs = dirs,
		.loops = w->loops,
		.loop_count = 1,
		.trusted_uid = geteuid() };

	return generation_new(&setup, NULL, &problems);
}

static int64_t counted;
static void each(void *ctx, const char *name, const char *summary, int64_t value)
{
	(void)ctx;
	(void)summary;
	if (strcmp(name, "grown_one") == 0)
		counted = value;
}

static void ask_services(struct generation *g)
{
	int question = 1, answer = 0;
	struct service *two = service_find(g, "two", NULL, 0);

	ck_assert_ptr_nonnull(two);
	ck_assert(service_has(two, 2));
	ck_assert_int_eq(service_ask_wait(two, 2, &question, &answer, NULL), TMAIL_OK);
	ck_assert_int_eq(answer, 2);
}

static void check_it_works(void)
{
	const struct tmail_parameter parameters[] = { { TMAIL_STR("BODY"), TMAIL_STR("7BIT") },
		{ TMAIL_STR("SIZE"), TMAIL_STR("1") } };
	struct world w;
	const struct chain_answer *answer;

	world_begin(&w, "");
	world_run(&w, world_over);
	subject_end(&w.subject);
	generation_unref(&w.generation);
	w.generation = load(&w);
	ck_assert_msg(w.generation != NULL, "%s", problems.count ? problems.text[0] : "");
	subject_init(&w.subject, w.loop, w.generation);
	message_add_recipient(world_message(&w, ""), STR("x@example.com"), STR(""), 0);
	message_add_recipient(w.subject.message, STR("a@example.com"), STR(""), 0);
	world_event.mail.parameters = (struct tmail_list)TMAIL_LIST(parameters);
	answer = world_ask(&w, TMAIL_POINT_MAIL);
	ck_assert_int_eq(answer->verdict, TMAIL_REJECT);
	ASSERT_STR(answer->text, "1 words 1 1");
	metrics_each(each, NULL);
	ck_assert_int_eq(counted, 5);
	ask_services(w.generation);
	world_end(&w);
}

static void finish(void)
{
	problems_free(&problems);
	build_folder_end(folder);
}

START_TEST(a_module_of_the_same_minor_runs)
{
	folder = build_folder();
	header_read();
	build("TMAIL_ABI_MINOR");
	check_it_works();
	finish();
}
END_TEST

START_TEST(a_module_compiled_against_an_older_header_runs)
{
	folder = build_folder();
	header_older();
	build("TMAIL_ABI_MINOR");
	check_it_works();
	finish();
}
END_TEST

START_TEST(a_module_compiled_against_a_newer_header_runs_when_it_says_that_it_can)
{
	folder = build_folder();
	header_newer();
	build("1");
	check_it_works();
	finish();
}
END_TEST

START_TEST(a_module_that_needs_a_newer_core_is_refused_with_both_numbers)
{
	struct world w = { 0 };

	folder = build_folder();
	header_newer();
	build("TMAIL_ABI_MINOR");
	ck_assert_ptr_null(load(&w));
	ASSERT_HAS(problems.text[0], "needs abi 0.2, core has 0.1");
	finish();
}
END_TEST

/* ---- each header by itself ------------------------------------------------------------------- */

static void compiles(const char *compiler, const char *name)
{
	struct buf command = { 0 };

	buf_printf(&command,
		"printf '#include <tmail/%s>\\nint main(void) { return 0; }\\n' |"
		" %s -Wall -Wextra -pedantic -Werror -I'%s/core/include' -fsyntax-only -",
		name, compiler, build_top());
	ck_assert_msg(build_run(buf_c(&command)) == 0, "%s: %s", name, compiler);
	buf_free(&command);
}

START_TEST(each_header_compiles_alone_as_c_and_as_cxx)
{
	static const char *const names[] = { "module.h", "service/auth.h", "service/queue.h",
		"service/router.h", "service/sql.h", "service/table.h" };
	bool cxx = build_run("c++ --version >/dev/null 2>&1") == 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		compiles("cc -std=c11 -x c", names[i]);
		if (cxx)
			compiles("c++ -std=c++17 -x c++", names[i]);
	}
}
END_TEST

TEST_MAIN("abi/grow", a_module_of_the_same_minor_runs,
	a_module_compiled_against_an_older_header_runs,
	a_module_compiled_against_a_newer_header_runs_when_it_says_that_it_can,
	a_module_that_needs_a_newer_core_is_refused_with_both_numbers,
	each_header_compiles_alone_as_c_and_as_cxx)
