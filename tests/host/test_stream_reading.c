/* SPDX-License-Identifier: MIT
 *
 * A message shown while it arrives: the same whatever the pieces it comes in.
 */
#include "tests/host/world.h"

static struct world world;
static char saw[512];
static enum tmail_verdict at_header, at_body;

static enum tmail_verdict see(struct tmail_call *call, const union tmail_event *event)
{
	size_t len = strlen(saw);
	char *to = saw + len;

	ck_assert_ptr_null(call->host->edit);
	*(int *)call->message += 1;
	switch (call->point) {
	case TMAIL_POINT_HEADER:
		snprintf(to, sizeof saw - len, "%.*s=%.*s|", (int)event->header.name.len,
			event->header.name.data, (int)event->header.value.len,
			event->header.value.data);
		return at_header;
	case TMAIL_POINT_EOH:
		snprintf(to, sizeof saw - len, "EOH|");
		return TMAIL_CONTINUE;
	case TMAIL_POINT_BODY:
		snprintf(to, sizeof saw - len, "%.*s", (int)event->body.chunk.len,
			event->body.chunk.data);
		return at_body;
	default:
		snprintf(to, sizeof saw - len, "|EOM");
		return TMAIL_CONTINUE;
	}
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_HEADER, TMAIL_STREAM, see },
	{ TMAIL_POINT_EOH, TMAIL_STREAM, see }, { TMAIL_POINT_BODY, TMAIL_STREAM, see },
	{ TMAIL_POINT_EOM, TMAIL_STREAM, see } };
MODULE(module, "test/stream", .capabilities = TMAIL_CAN_READ | TMAIL_CAN_EDIT,
	.message_size = sizeof(int), .hooks = TMAIL_LIST(hooks));

#define CONTENT "A: 1\r\nB: 2\r\n 3\r\n\r\nbody\r\n"
#define SEEN "A= 1|B= 2\r\n 3|EOH|body\r\n|EOM"

static size_t piece;
static const char *content = CONTENT;
static bool objected;
static int after;

static void stream(struct world *w)
{
	struct str rest = str_c(content);

	objected = false;
	while (rest.len) {
		struct str next = str_slice(rest, 0, piece);

		if (objected)
			after++;
		if (!chain_stream(&w->subject, next, &w->answer))
			objected = true;
		rest = str_slice(rest, next.len, rest.len);
	}
	world_over(w);
}

static void begin(void)
{
	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/stream\"; });");
}

START_TEST(any_pieces_are_the_same_message)
{
	begin();
	for (piece = 1; piece <= strlen(CONTENT); piece++) {
		saw[0] = '\0';
		world_message(&world, CONTENT);
		world_run(&world, stream);
		world_content(&world);
		ck_assert_str_eq(saw, SEEN);
		message_free(&world.subject.message);
		subject_message_end(&world.subject);
	}
	world_end(&world);
}
END_TEST

START_TEST(who_objects_is_heard_once_and_nobody_is_asked_any_more)
{
	begin();
	piece = 1;
	at_header = TMAIL_REJECT;
	world_message(&world, "");
	world_run(&world, stream);
	ck_assert(objected);
	ck_assert_int_gt(after, 0);
	ck_assert_str_eq(saw, "A= 1|");
	ck_assert_int_eq(world.answer.verdict, TMAIL_CONTINUE); /* of those after it */
	world_end(&world);
}
END_TEST

START_TEST(who_accepts_sees_no_more_of_it)
{
	begin();
	piece = 3;
	at_body = TMAIL_ACCEPT;
	world_message(&world, "");
	world_run(&world, stream);
	ck_assert(!objected);
	world_content(&world);
	ck_assert_ptr_null(strstr(saw, "EOM"));
	world_end(&world);
}
END_TEST

START_TEST(who_failed_and_is_passed_by_sees_no_more_of_it)
{
	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/stream\"; on_error = \"continue\"; });");
	piece = 3;
	at_header = (enum tmail_verdict)99;
	world_message(&world, "");
	world_run(&world, stream);
	ck_assert(!objected);
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(saw, "A= 1|");
	world_end(&world);
}
END_TEST

START_TEST(a_header_without_a_body_is_shown_at_the_end)
{
	begin();
	piece = 100;
	content = "A: 1\r\n";
	world_message(&world, content);
	world_run(&world, stream);
	ck_assert_str_eq(saw, "");
	ck_assert_int_eq(world_content(&world)->verdict, TMAIL_CONTINUE);
	ck_assert_str_eq(saw, "A= 1|EOH||EOM");
	world_end(&world);
}
END_TEST

TEST_MAIN("host/stream_reading", any_pieces_are_the_same_message,
	who_objects_is_heard_once_and_nobody_is_asked_any_more, who_accepts_sees_no_more_of_it,
	who_failed_and_is_passed_by_sees_no_more_of_it, a_header_without_a_body_is_shown_at_the_end)
