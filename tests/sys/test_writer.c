/* SPDX-License-Identifier: MIT
 *
 * The writer: pieces whole and in order, or counted; a flush that is one; nobody who waits.
 */
#include "sys/writer.h"

#include "base/buf.h"
#include "tests/lib/test.h"

enum { HALF = 4096 };

static struct buf written;
static _Atomic unsigned calls;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: the disk hangs */
static struct why why;

static uint64_t write_pieces(struct writer *w, struct str pieces)
{
	(void)w;
	pthread_mutex_lock(&gate);
	buf_add(&written, pieces);
	pthread_mutex_unlock(&gate);
	return 0;
}

static void be_called(struct writer *w)
{
	(void)w;
	calls++;
}

static struct writer writer = { .half = HALF,
	.doze = 1000,
	.prompt = HALF / 2,
	.write = write_pieces,
	.called = be_called,
	WRITER_INIT };

static bool put(const char *head, const char *rest)
{
	return writer_put(&writer, str_c(head), str_c(rest));
}

START_TEST(a_flush_waits_for_what_was_put_down_before)
{
	ck_assert(!put("too ", "early"));
	ck_assert(writer_start(&writer, "test", &why));
	for (int i = 0; i < 50; i++) {
		buf_clear(&written); /* the thread sleeps or dozes: nothing is there to write */
		ck_assert(put("a", "b"));
		ck_assert(put("", "c"));
		writer_flush(&writer);
		ck_assert_str_eq(buf_c(&written), "abc");
	}
	ck_assert(writer_stop(&writer));
	ck_assert(!writer_stop(&writer));
	writer_flush(&writer); /* harmless */
	ck_assert(!put("too ", "late"));
	buf_free(&written);
}
END_TEST

START_TEST(what_finds_no_room_is_counted_and_nobody_waits)
{
	static char piece[1000];
	uint64_t put_down = 0, room;

	memset(piece, 'p', sizeof piece - 1);
	ck_assert(writer_start(&writer, "test", &why));
	pthread_mutex_lock(&gate);
	while (writer_dropped(&writer) < 5) {
		ck_assert(put("", piece));
		put_down++;
	}
	pthread_mutex_unlock(&gate);
	ck_assert(writer_stop(&writer));
	room = put_down - writer_dropped(&writer);
	ck_assert_uint_le(room, 2 * (HALF / strlen(piece)));
	ck_assert_uint_eq(written.len, room * strlen(piece));
	buf_free(&written);
}
END_TEST

START_TEST(who_calls_is_heard_on_its_thread_and_what_is_left_is_written_at_the_end)
{
	ck_assert(writer_start(&writer, "test", &why));
	writer_call(&writer);
	while (calls == 0)
		writer_flush(&writer);
	ck_assert(put("", "last"));
	ck_assert(writer_stop(&writer));
	ck_assert_str_eq(buf_c(&written), "last");
	writer_call(&writer);
	ck_assert_uint_eq(calls, 1);
	buf_free(&written);
}
END_TEST

TEST_MAIN("sys/writer", a_flush_waits_for_what_was_put_down_before,
	what_finds_no_room_is_counted_and_nobody_waits,
	who_calls_is_heard_on_its_thread_and_what_is_left_is_written_at_the_end)
