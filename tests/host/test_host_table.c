/* SPDX-License-Identifier: MIT
 *
 * What a module may do by its host: log, count, allocate, reply, take notes.
 */
#include "tests/host/world.h"

#include "host/metrics.h"

static struct world world;
static char logged[1024];
static void *memory[3];
static char note[32];

static void sink(enum log_level level, struct str line)
{
	(void)level;
	snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%.*s", STR_ARG(line));
}

static struct tmail_str text(const char *c)
{
	return (struct tmail_str){ c, strlen(c) };
}

static enum tmail_verdict run(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_host *host = call->host;
	struct tmail_field field = { "what", text("a \"b\"") };
	struct tmail_str value;

	(void)event;
	ck_assert_uint_eq(host->size, sizeof *host);
	ck_assert_uint_eq(host->abi_minor, TMAIL_ABI_MINOR);
	host->log(call, TMAIL_INFO, "an_event", &field, 1);
	host->log(call, TMAIL_DEBUG, "a_detail", NULL, 0);
	host->count(call, 0, 2);
	host->count(call, 99, 1); /* there is none: nothing happens */
	for (int scope = TMAIL_SCOPE_CALL; scope <= TMAIL_SCOPE_SESSION; scope++) {
		char *m = host->alloc(call, 100, (enum tmail_scope)scope);

		ck_assert_ptr_nonnull(m);
		ck_assert_int_eq(m[0] | m[99], 0);
		memory[scope] = m;
	}
	ck_assert_ptr_null(host->alloc(call, SIZE_MAX, TMAIL_SCOPE_CALL));
	memcpy(memory[TMAIL_SCOPE_MESSAGE], "message", 8);
	memcpy(memory[TMAIL_SCOPE_SESSION], "session", 8);
	ck_assert_int_eq(host->note_get(call, text("test.n"), &value), TMAIL_NOT_FOUND);
	ck_assert_int_eq(host->note_set(call, text("test.n"), text("one")), TMAIL_OK);
	ck_assert_int_eq(host->note_get(call, text("test.n"), &value), TMAIL_OK);
	snprintf(note, sizeof note, "%.*s", (int)value.len, value.data);
	ck_assert_int_eq(host->reply(call, 450, "4.2.0", "%5000d", 1), TMAIL_OK);
	ck_assert_int_eq(host->resume(call, 0), TMAIL_REFUSED); /* a worker just returns */
	return TMAIL_TEMPFAIL;
}
static const struct tmail_metric metrics[] = { { "test_runs", TMAIL_COUNTER, "Runs." } };

static enum tmail_verdict on_loop(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_host *host = call->host;

	(void)event;
	host->log(call, TMAIL_INFO, "an_event", NULL, 0);
	host->log(call, TMAIL_DEBUG, "a_detail", NULL, 0);
	host->note_set(call, text("loop.n"), text("two"));
	ck_assert_ptr_nonnull(host->base(call));
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, 0, on_loop },
	{ TMAIL_POINT_DATA, TMAIL_BLOCKING, run } };
MODULE(module, "test/host", .capabilities = TMAIL_CAN_FILE, .hooks = TMAIL_LIST(hooks),
	.metrics = TMAIL_LIST(metrics));

static void begin(const char *more)
{
	char conf[100];

	module_preload(&module);
	log_setup(LEVEL_INFO, LOG_TEXT, sink);
	snprintf(conf, sizeof conf, "modules = ({ module = \"test/host\"; %s });", more);
	world_begin(&world, conf);
	world_message(&world, "");
}

static int64_t runs;
static void each(void *ctx, const char *name, const char *summary, int64_t value)
{
	(void)ctx;
	(void)summary;
	if (strcmp(name, "test_runs") == 0)
		runs = value;
}

START_TEST(a_module_logs_counts_allocates_and_notes_from_a_worker)
{
	struct str value;
	const struct chain_answer *answer;

	begin("");
	answer = world_ask(&world, TMAIL_POINT_DATA);
	ck_assert_int_eq(answer->verdict, TMAIL_TEMPFAIL);
	ck_assert_uint_eq(answer->code, 450);
	ck_assert_uint_le(answer->text.len, 400);
	ASSERT_HAS(logged, "an_event module=test/host");
	ASSERT_HAS(logged, "message=");
	ASSERT_HAS(logged, "what=\"a \\\"b\\\"\"");
	ck_assert_ptr_null(strstr(logged, "a_detail"));
	metrics_each(each, NULL);
	ck_assert_int_eq(runs, 2);
	ck_assert_str_eq(memory[TMAIL_SCOPE_MESSAGE], "message"); /* they last longer */
	ck_assert_str_eq(memory[TMAIL_SCOPE_SESSION], "session");
	ck_assert_str_eq(note, "one");
	ck_assert(message_note_get(world.subject.message, STR("test.n"), &value));
	ASSERT_STR(value, "one");
	world_end(&world);
}
END_TEST

START_TEST(the_context_of_the_session_is_on_every_line)
{
	struct log_field fields[] = { LOG_C("session", "S1") };
	struct log_context context = { NULL, fields, 1 };
	struct str value;

	begin("");
	world.subject.log = &context;
	world_ask(&world, TMAIL_POINT_MAIL);
	ASSERT_HAS(logged, "an_event session=S1 module=test/host");
	ck_assert(message_note_get(world.subject.message, STR("loop.n"), &value));
	world_end(&world);
}
END_TEST

START_TEST(an_instance_has_a_log_level_of_its_own)
{
	begin("log_level = \"debug\";");
	world_ask(&world, TMAIL_POINT_MAIL);
	ASSERT_HAS(logged, "an_event");
	ASSERT_HAS(logged, "a_detail");
	world_end(&world);
	logged[0] = '\0';
	world_begin(&world, "modules = ({ module = \"test/host\"; log_level = \"error\"; });");
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(logged, "");
	world_end(&world);
}
END_TEST

TEST_MAIN("host/host_table", a_module_logs_counts_allocates_and_notes_from_a_worker,
	the_context_of_the_session_is_on_every_line, an_instance_has_a_log_level_of_its_own)
