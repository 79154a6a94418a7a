/* SPDX-License-Identifier: MIT
 *
 * A whole message shown to modules, one after another, each over what the one before left.
 */
#include "tests/host/world.h"

#include <stdatomic.h>

static char saw[1024];
static struct world world;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	size_t len = strlen(saw);
	va_list args;

	va_start(args, format);
	vsnprintf(saw + len, sizeof saw - len, format, args);
	va_end(args);
}

static struct tmail_str text(const char *c)
{
	return (struct tmail_str){ c, c ? strlen(c) : 0 };
}

/* ---- modules --------------------------------------------------------------------------- */

/* Tells what it sees. */
static enum tmail_verdict see(struct tmail_call *call, const union tmail_event *event)
{
	switch (call->point) {
	case TMAIL_POINT_HEADER:
		say("H%u:%.*s=%.*s ", event->header.index, (int)event->header.name.len,
			event->header.name.data, (int)event->header.value.len,
			event->header.value.data);
		break;
	case TMAIL_POINT_EOH:
		say("EOH ");
		break;
	case TMAIL_POINT_BODY:
		say("B%llu:%.*s ", (unsigned long long)event->body.offset,
			(int)event->body.chunk.len, event->body.chunk.data);
		break;
	default:
		say("EOM%llu ", (unsigned long long)event->eom.size);
	}
	ck_assert((call->host->edit != NULL) == false); /* without the capability */
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_see[] = { { TMAIL_POINT_HEADER, 0, see },
	{ TMAIL_POINT_EOH, 0, see }, { TMAIL_POINT_BODY, 0, see }, { TMAIL_POINT_EOM, 0, see } };
MODULE(module_see, "test/see", .capabilities = TMAIL_CAN_READ, .hooks = TMAIL_LIST(hooks_see));

static enum tmail_verdict verdict_edit;
static bool ran_edit;
static void (*edits)(struct tmail_call *call, const struct tmail_edit *edit);
static enum tmail_verdict edit(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ran_edit = true;
	if (edits)
		edits(call, call->host->edit);
	return verdict_edit;
}
static const struct tmail_hook hooks_edit[] = { { TMAIL_POINT_EOM, 0, edit } };
MODULE(module_edit, "test/edit", .capabilities = TMAIL_CAN_EDIT, .hooks = TMAIL_LIST(hooks_edit));
static const struct tmail_hook hooks_work[] = { { TMAIL_POINT_EOM, TMAIL_BLOCKING, edit } };
MODULE(module_work, "test/work", .capabilities = TMAIL_CAN_EDIT, .hooks = TMAIL_LIST(hooks_work));

/* Accepts at the first field it sees. */
static enum tmail_verdict accept_early(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	say("%s ", call->point == TMAIL_POINT_HEADER ? "accept" : "more");
	return TMAIL_ACCEPT;
}
static const struct tmail_hook hooks_accept[] = { { TMAIL_POINT_HEADER, 0, accept_early },
	{ TMAIL_POINT_EOM, 0, accept_early } };
MODULE(module_accept, "test/accept", .capabilities = TMAIL_CAN_READ,
	.hooks = TMAIL_LIST(hooks_accept));

/* Waits at every event for its loop's next turn. */
static void fired(struct tmail_call *call, void *ctx)
{
	(void)ctx;
	call->host->resume(call, TMAIL_CONTINUE);
}
static enum tmail_verdict slow(struct tmail_call *call, const union tmail_event *event)
{
	see(call, event);
	ck_assert_int_eq(call->host->net->timer(call, 1, fired, NULL), TMAIL_OK);
	return TMAIL_WAIT;
}
static const struct tmail_hook hooks_slow[] = { { TMAIL_POINT_HEADER, TMAIL_WAITS, slow },
	{ TMAIL_POINT_BODY, TMAIL_WAITS, slow }, { TMAIL_POINT_EOM, TMAIL_WAITS, slow } };
MODULE(module_slow, "test/slow", .capabilities = TMAIL_CAN_READ | TMAIL_CAN_NET,
	.hooks = TMAIL_LIST(hooks_slow));

#define CONTENT "From: a\r\nSubject: b\r\n c\r\n\r\nHello\r\n"

static void begin(const char *modules)
{
	char conf[256];

	saw[0] = '\0';
	module_preload(&module_see);
	module_preload(&module_edit);
	module_preload(&module_work);
	module_preload(&module_accept);
	module_preload(&module_slow);
	snprintf(conf, sizeof conf, "modules = (%s);", modules);
	world_begin(&world, conf);
	message_add_recipient(world_message(&world, CONTENT), STR("a@example.org"), STR(""), 0);
	message_add_recipient(world.subject.message, STR("b@example.org"), STR(""), 0);
}
#define M(name) "{ module = \"test/" name "\"; }"

START_TEST(fields_end_of_header_chunks_and_end_of_message_in_order)
{
	begin(M("see"));
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(saw, "H0:From= a H1:Subject= b\r\n c EOH B0:Hello\r\n EOM34 ");
	world_end(&world);
}
END_TEST

static void edit_all(struct tmail_call *call, const struct tmail_edit *e)
{
	ck_assert_int_eq(e->header_add(call, text("X-Added"), text("1")), TMAIL_OK);
	ck_assert_int_eq(e->header_insert(call, 0, text("X-Top"), text("0")), TMAIL_OK);
	ck_assert_int_eq(e->header_change(call, text("subject"), 0, text("new")), TMAIL_OK);
	ck_assert_int_eq(
		e->header_change(call, text("From"), 0, (struct tmail_str){ NULL, 0 }), TMAIL_OK);
	ck_assert_int_eq(e->body_replace(call, text("Bye")), TMAIL_OK);
	ck_assert_int_eq(e->body_replace(call, text(" now\r\n")), TMAIL_OK);
	ck_assert_int_eq(e->sender_change(call, text("other@example.com")), TMAIL_OK);
	ck_assert_int_eq(e->recipient_remove(call, text("a@EXAMPLE.org")), TMAIL_OK);
	ck_assert_int_eq(e->recipient_add(call, text("c@EXAMPLE.net")), TMAIL_OK);
	ck_assert_int_eq(e->recipient_add(call, text("b@example.org")), TMAIL_OK);
}

static void check_edited(void)
{
	struct message *m = world.subject.message;

	ck_assert_str_eq(
		buf_c(&m->data), "X-Top: 0\r\nSubject: new\r\nX-Added: 1\r\n\r\nBye now\r\n");
	ck_assert_uint_eq(m->header_length, m->data.len - strlen("Bye now\r\n"));
	ASSERT_STR(str_tm(m->envelope.sender), "other@example.com");
	ck_assert_uint_eq(m->recipient_count, 2);
	ASSERT_STR(str_tm(m->recipients[0].address), "b@example.org");
	ASSERT_STR(str_tm(m->recipients[1].address), "c@example.net");
	ck_assert_uint_eq(m->recipients[0].index, 0);
}

START_TEST(the_next_module_sees_what_the_one_before_left)
{
	begin(M("edit") "," M("see"));
	edits = edit_all;
	world_content(&world);
	check_edited();
	ck_assert_str_eq(
		saw, "H0:X-Top= 0 H1:Subject= new H2:X-Added= 1 EOH B0:Bye now\r\n EOM47 ");
	world_end(&world);
}
END_TEST

START_TEST(edits_of_a_worker_are_made_when_it_has_ended)
{
	begin(M("work") "," M("see"));
	edits = edit_all;
	world_content(&world);
	check_edited();
	world_end(&world);
}
END_TEST

START_TEST(who_refuses_changes_nothing_and_ends_it_for_all)
{
	begin(M("edit") "," M("see"));
	edits = edit_all;
	verdict_edit = TMAIL_REJECT;
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_REJECT);
	ck_assert_uint_eq(world.answer.code, 554);
	ck_assert_str_eq(buf_c(&world.subject.message->data), CONTENT);
	ck_assert_str_eq(saw, "");
	world_end(&world);
}
END_TEST

START_TEST(accept_ends_the_pass_of_one_module_only)
{
	begin(M("accept") "," M("see"));
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_msg(strncmp(saw, "accept H0:From", 14) == 0, "%s", saw);
	ck_assert_ptr_null(strstr(saw, "more"));
	world_end(&world);
}
END_TEST

START_TEST(a_module_may_wait_at_every_event)
{
	begin(M("slow") "," M("edit"));
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(saw, "H0:From= a H1:Subject= b\r\n c B0:Hello\r\n EOM34 ");
	ck_assert(ran_edit);
	world_end(&world);
}
END_TEST

static void leave_in_the_middle(struct world *w)
{
	ck_assert(!chain_content(&w->subject, &w->answer, world_answered, w));
	subject_cancel(&w->subject);
	message_free(&w->subject.message);
	world_over(w);
}

START_TEST(a_client_may_leave_in_the_middle)
{
	begin(M("slow"));
	world_run(&world, leave_in_the_middle);
	ck_assert_int_eq(world.answers, 0);
	world_end(&world);
}
END_TEST

static int fails;
static enum tmail_verdict fail_once(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	fails++;
	return (enum tmail_verdict)99;
}
static const struct tmail_hook hooks_fails[] = { { TMAIL_POINT_HEADER, 0, fail_once },
	{ TMAIL_POINT_EOM, 0, fail_once } };
MODULE(module_fails, "test/fails", .capabilities = TMAIL_CAN_READ,
	.hooks = TMAIL_LIST(hooks_fails));

START_TEST(who_failed_and_is_passed_by_sees_no_more_of_the_message)
{
	module_preload(&module_fails);
	begin("{ module = \"test/fails\"; on_error = \"continue\"; }," M("see"));
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_int_eq(fails, 1);
	ck_assert_ptr_nonnull(strstr(saw, "EOM34"));
	world_end(&world);
}
END_TEST

/* ---- what was spooled -------------------------------------------------------------------- */

enum { SPOOLED = 150000 };
static _Atomic int reads;
static int unspool_status = TMAIL_OK;
static uint64_t spooled_seen;

static int unspool(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out)
{
	ck_assert_uint_eq(id.hi, 7);
	ck_assert_ptr_null(loop_current());
	reads++;
	for (uint64_t i = offset; i < SPOOLED && i < offset + limit; i++)
		buf_add_char(out, (char)('a' + i % 26));
	return unspool_status;
}
static enum tmail_verdict count(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point == TMAIL_POINT_EOM) {
		ck_assert_uint_eq(event->eom.size, strlen(CONTENT) + SPOOLED);
		return TMAIL_CONTINUE;
	}
	ck_assert_uint_eq(event->body.offset, spooled_seen);
	for (size_t i = 0; i < event->body.chunk.len; i++, spooled_seen++)
		if (spooled_seen >= 7)
			ck_assert_int_eq(
				event->body.chunk.data[i], (char)('a' + (spooled_seen - 7) % 26));
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_count[] = { { TMAIL_POINT_BODY, 0, count },
	{ TMAIL_POINT_EOM, 0, count } };
MODULE(module_count, "test/count", .capabilities = TMAIL_CAN_READ,
	.hooks = TMAIL_LIST(hooks_count));

static void begin_spooled(const char *modules)
{
	module_preload(&module_count);
	begin(modules);
	world.subject.message->spool_size = SPOOLED;
	chain_unspool(unspool);
}

START_TEST(what_was_spooled_is_read_back_in_chunks_for_each_module)
{
	begin_spooled(M("count"));
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_uint_eq(spooled_seen, SPOOLED + 7);
	ck_assert_int_eq(reads, 3);
	world_end(&world);
	chain_unspool(NULL);
}
END_TEST

START_TEST(nobody_who_listens_means_nothing_is_read_back)
{
	begin_spooled(M("edit"));
	world_content(&world);
	ck_assert_int_eq(reads, 0);
	world_end(&world);
	chain_unspool(NULL);
}
END_TEST

START_TEST(what_cannot_be_read_back_is_try_later)
{
	begin_spooled(M("count") "," M("see"));
	unspool_status = TMAIL_TRY_LATER;
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_TEMPFAIL);
	ck_assert_uint_eq(world.answer.code, 451);
	ck_assert_str_eq(saw, "");
	world_end(&world);
	chain_unspool(NULL);
}
END_TEST

static void new_body(struct tmail_call *call, const struct tmail_edit *e)
{
	e->body_replace(call, text("short"));
}

START_TEST(a_new_body_takes_the_place_of_what_was_spooled)
{
	begin_spooled(M("edit"));
	edits = new_body;
	world_content(&world);
	ck_assert_uint_eq(world.subject.message->spool_size, 0);
	ck_assert(world.subject.message->spool_stale);
	ck_assert_ptr_nonnull(strstr(buf_c(&world.subject.message->data), "\r\n\r\nshort"));
	world_end(&world);
	chain_unspool(NULL);
}
END_TEST

static void spool_and_leave(struct world *w)
{
	ck_assert(!chain_content(&w->subject, &w->answer, world_answered, w));
	subject_cancel(&w->subject);
	message_free(&w->subject.message);
	world_over(w);
}

START_TEST(a_client_may_leave_while_its_body_is_read_back)
{
	begin_spooled(M("count"));
	world_run(&world, spool_and_leave);
	chain_unspool(NULL); /* the read runs to its end */
	world_end(&world);
}
END_TEST

TEST_MAIN("host/content", fields_end_of_header_chunks_and_end_of_message_in_order,
	the_next_module_sees_what_the_one_before_left, edits_of_a_worker_are_made_when_it_has_ended,
	who_refuses_changes_nothing_and_ends_it_for_all, accept_ends_the_pass_of_one_module_only,
	a_module_may_wait_at_every_event, a_client_may_leave_in_the_middle,
	who_failed_and_is_passed_by_sees_no_more_of_the_message,
	what_was_spooled_is_read_back_in_chunks_for_each_module,
	nobody_who_listens_means_nothing_is_read_back, what_cannot_be_read_back_is_try_later,
	a_new_body_takes_the_place_of_what_was_spooled,
	a_client_may_leave_while_its_body_is_read_back)
