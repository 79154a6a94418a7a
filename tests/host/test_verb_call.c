/* SPDX-License-Identifier: MIT
 *
 * A module's verb: on a worker, with its rows going to who called.
 */
#include "tests/host/world.h"

#include "host/verb_call.h"

static char out[512];

static void say(const char *what)
{
	strncat(out, what, sizeof out - strlen(out) - 1);
}
static void columns(void *ctx, const char *const *names, uint32_t n)
{
	ck_assert_ptr_eq(ctx, out);
	for (uint32_t i = 0; i < n; i++)
		say(names[i]);
	say("\n");
}
static void row(void *ctx, const struct tmail_str *values, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		strncat(out, values[i].data, values[i].len);
	say("\n");
}
static void line(void *ctx, struct str text)
{
	(void)ctx;
	strncat(out, text.data, text.len);
	say("\n");
}
static void progress(void *ctx, uint64_t done, uint64_t of)
{
	(void)ctx;
	ck_assert_uint_le(done, of);
	say("...\n");
}
static const struct verb_emit emit = { columns, row, line, line, progress, out };

static int other(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	*(int *)answer = *(const int *)question * 2;
	return TMAIL_OK;
}
static const struct tmail_operation operations[] = { { 1, 0, other } };
static const struct tmail_service services[] = { { "twice", NULL, TMAIL_LIST(operations) } };

static int run(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "a", "b" };
	struct tmail_str given = tmail_value(values, "NAME"), cells[2] = { given, given };
	const struct tmail_emit *e = call->host->emit;
	int question = 21, answer = 0;

	ck_assert_ptr_null(loop_current());
	ck_assert_ptr_null(call->answer);
	ck_assert_int_eq(call->host->reply(call, 250, NULL, "x"), TMAIL_REFUSED);
	e->columns(call, names, 2);
	e->row(call, cells, 2);
	e->progress(call, 1, 2);
	ck_assert_int_eq(call->host->ask(call, "twice", 1, &question, &answer), TMAIL_OK);
	e->say(call, "%d", answer);
	if (tmail_value(values, "fail").data)
		return e->fail(call, "no %s", "luck");
	return TMAIL_OK;
}
static const struct tmail_verb verbs[] = { { "test run", "Runs.", TMAIL_ROLE_READ, 0,
	{ NULL, 0, 0 }, run } };
MODULE(module, "test/verb", .verbs = TMAIL_LIST(verbs), .services = TMAIL_LIST(services));

START_TEST(rows_and_words_go_to_who_called)
{
	const struct tmail_value given[] = { { TMAIL_STR("NAME"), TMAIL_STR("x") },
		{ TMAIL_STR("fail"), TMAIL_STR("1") } };
	struct tmail_list values = { given, 1, sizeof *given };
	struct instance *i;
	struct world w;

	module_preload(&module);
	world_begin(&w, "modules = ({ module = \"test/verb\"; });");
	i = instance_at(w.generation, 0);
	ck_assert_int_eq(verb_call(i, &verbs[0], &values, &emit), TMAIL_OK);
	ck_assert_str_eq(out, "ab\nxx\n...\n42\n");
	values.count = 2;
	out[0] = '\0';
	ck_assert_int_eq(verb_call(i, &verbs[0], &values, &emit), TMAIL_REFUSED);
	ck_assert_str_eq(out, "ab\nxx\n...\n42\nno luck\n");
	world_end(&w);
}
END_TEST

START_TEST(a_module_that_is_not_started_has_no_verbs_to_run)
{
	struct world w = { 0 };

	module_preload(&module);
	w.generation = world_generation(
		&w, "modules = ({ module = \"test/verb\"; });", PURPOSE_CHECK, NULL);
	ck_assert_int_eq(verb_call(instance_at(w.generation, 0), &verbs[0],
				 &(struct tmail_list){ NULL, 0, 0 }, &emit),
		TMAIL_TRY_LATER);
	generation_unref(&w.generation);
	problems_free(&w.problems);
}
END_TEST

TEST_MAIN("host/verb_call", rows_and_words_go_to_who_called,
	a_module_that_is_not_started_has_no_verbs_to_run)
