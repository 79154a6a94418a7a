/* SPDX-License-Identifier: MIT
 *
 * The writer of the log: nothing lost without being counted, order kept, callers never waiting.
 */
#include "sys/logger.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/thread.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
static struct buf out;

static void set_up(void)
{
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/log", folder);
}

static void tear_down(void)
{
	buf_free(&out);
	test_folder_remove(folder);
}

static void start(void)
{
	struct why why;

	ck_assert_msg(logger_start(LOGGER_FILE, path, LEVEL_INFO, LOG_TEXT, &why), "%s", why.text);
}

static const char *written(void)
{
	struct why why;

	buf_clear(&out);
	ck_assert(file_read(path, 64 << 20, &out, &why));
	return buf_c(&out);
}

/* The number behind "n=" in the next line with that event; false at the end. */
static bool next_number(struct str *rest, const char *event, uint64_t *n)
{
	struct str line, word;

	while (str_split(rest, '\n', &line)) {
		if (str_search_case(line, str_c(event)) < 0)
			continue;
		while (str_word(&line, &word))
			if (str_starts(word, STR("n=")))
				return num_u64(str_slice(word, 2, 99), n);
	}
	return false;
}

START_TEST(lines_are_there_when_the_logger_has_stopped)
{
	set_up();
	start();
	log_event(LEVEL_INFO, NULL, "first", LOG_NUM("n", 1));
	log_event(LEVEL_DEBUG, NULL, "below_the_threshold", LOG_NUM("n", 2));
	log_event(LEVEL_ERROR, NULL, "last", LOG_C("text", "a b"));
	logger_stop();
	const char *text = written();
	ck_assert_ptr_nonnull(strstr(text, " info first n=1\n"));
	ck_assert_ptr_nonnull(strstr(text, " error last text=\"a b\"\n"));
	ck_assert_ptr_null(strstr(text, "below"));
	tear_down();
}
END_TEST

START_TEST(it_can_be_started_again)
{
	set_up();
	start();
	log_event(LEVEL_INFO, NULL, "first");
	logger_stop();
	logger_stop(); /* harmless */
	start();
	log_event(LEVEL_INFO, NULL, "second");
	logger_stop();
	ck_assert_ptr_nonnull(strstr(written(), "first\n"));
	ck_assert_ptr_nonnull(strstr(written(), "second\n"));
	tear_down();
}
END_TEST

/* Line by line, each awaited: the writer is asleep or dozing each time. */
START_TEST(a_line_is_written_without_another_behind_it)
{
	char expected[32];

	set_up();
	start();
	for (int i = 0; i < 20; i++) {
		log_event(LEVEL_INFO, NULL, "single", LOG_NUM("n", i));
		snprintf(expected, sizeof expected, "single n=%d\n", i);
		while (!strstr(written(), expected))
			usleep(100);
	}
	logger_stop();
	tear_down();
}
END_TEST

enum { WRITERS = 4, LINES = 5000 };

static void *write_lines(void *arg)
{
	const char *event = arg;

	for (int i = 0; i < LINES; i++)
		log_event(LEVEL_INFO, NULL, event, LOG_NUM("n", i));
	return NULL;
}

START_TEST(lines_of_many_threads_keep_their_order_and_are_written_or_counted)
{
	static const char *const events[WRITERS] = { "event_a", "event_b", "event_c", "event_d" };
	pthread_t threads[WRITERS];
	uint64_t found = 0, dropped = logger_dropped();
	struct why why;

	set_up();
	start();
	for (int i = 0; i < WRITERS; i++)
		ck_assert(thread_start(
			&threads[i], "writer", write_lines, (void *)(uintptr_t)events[i], &why));
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	logger_stop();
	written();
	for (int i = 0; i < WRITERS; i++) {
		struct str rest = buf_str(&out);
		uint64_t n, before = 0;
		for (bool first = true; next_number(&rest, events[i], &n); first = false) {
			ck_assert(first || n > before);
			before = n;
			found++;
		}
	}
	ck_assert_uint_eq(found + logger_dropped() - dropped, WRITERS * LINES);
	tear_down();
}
END_TEST

START_TEST(a_full_ring_drops_counts_and_says_so_and_nobody_waits)
{
	static char text[4000];
	uint64_t lines = 0;
	int ends[2], old = dup(STDERR_FILENO);
	struct why why;
	struct buf seen = { 0 };

	/* Nobody reads: the ring fills, and this thread goes on. */
	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	memset(text, 'x', sizeof text);
	bool started = logger_start(LOGGER_STDERR, NULL, LEVEL_INFO, LOG_TEXT, &why);
	while (started && logger_dropped() == 0) {
		log_event(LEVEL_INFO, NULL, "long", LOG_STR("text", str_make(text, sizeof text)));
		lines++;
	}
	/* Now somebody reads: what was dropped is told. */
	while (started && !strstr(buf_c(&seen), "log_lines_dropped count=1\n")) {
		ssize_t n = read(ends[0], buf_reserve(&seen, 65536), 65536);
		if (n <= 0)
			break;
		seen.len += (size_t)n;
	}
	logger_stop();
	dup2(old, STDERR_FILENO);
	ck_assert(started);
	ck_assert_ptr_nonnull(strstr(buf_c(&seen), " warning log_lines_dropped count=1\n"));
	ck_assert_uint_gt(lines, 120); /* half a mebibyte at least was kept */
	buf_free(&seen);
}
END_TEST

START_TEST(a_reopened_log_goes_on_in_a_new_file)
{
	char moved[sizeof path + 4];

	set_up();
	snprintf(moved, sizeof moved, "%s.1", path);
	start();
	log_event(LEVEL_INFO, NULL, "before");
	while (!strstr(written(), "before"))
		usleep(100);
	ck_assert_int_eq(rename(path, moved), 0);
	logger_reopen();
	while (!file_exists(path))
		usleep(100);
	log_event(LEVEL_INFO, NULL, "after");
	logger_stop();
	ck_assert_ptr_nonnull(strstr(written(), "after"));
	ck_assert_ptr_null(strstr(written(), "before"));
	logger_reopen(); /* harmless */
	tear_down();
}
END_TEST

START_TEST(after_the_stop_lines_go_to_stderr_at_once)
{
	int ends[2], old = dup(STDERR_FILENO);
	char text[256] = { 0 };

	set_up();
	start();
	logger_stop();
	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_event(LEVEL_INFO, NULL, "late");
	dup2(old, STDERR_FILENO);
	ck_assert_int_gt(read(ends[0], text, sizeof text - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, " info late\n"));
	tear_down();
}
END_TEST

START_TEST(a_discarded_log_is_nowhere)
{
	int ends[2], old = dup(STDERR_FILENO);
	char c;
	struct why why;

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	bool started = logger_start(LOGGER_DISCARD, NULL, LEVEL_INFO, LOG_TEXT, &why);
	log_event(LEVEL_INFO, NULL, "unheard");
	logger_stop();
	dup2(old, STDERR_FILENO);
	ck_assert(started);
	ck_assert_int_eq(read(ends[0], &c, 1), -1);
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_fails_to_start)
{
	struct why why;

	set_up();
	ck_assert(!logger_start(LOGGER_FILE, folder, LEVEL_INFO, LOG_TEXT, &why));
	ck_assert_ptr_nonnull(strstr(why.text, folder));
	tear_down();
}
END_TEST

TEST_MAIN("sys/logger", lines_are_there_when_the_logger_has_stopped, it_can_be_started_again,
	a_line_is_written_without_another_behind_it,
	lines_of_many_threads_keep_their_order_and_are_written_or_counted,
	a_full_ring_drops_counts_and_says_so_and_nobody_waits, a_reopened_log_goes_on_in_a_new_file,
	after_the_stop_lines_go_to_stderr_at_once, a_discarded_log_is_nowhere,
	a_log_that_cannot_be_opened_fails_to_start)
