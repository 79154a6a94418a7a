/* SPDX-License-Identifier: MIT
 *
 * The module: settings, the lock, what it says and counts, its commands, and the real files.
 */
#include "tests/lib/fake_host.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include "modules/store/journal/file.h"
#include "modules/store/journal/lock.h"
#include "modules/store/journal/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <tmail/service/queue.h>

extern const struct tmail_module journal_LTX_tmail_module;

struct rig {
	char folder[TEST_FOLDER];
	struct fake_host *f;
};

static void rig_begin(struct rig *rig)
{
	test_folder_make(rig->folder);
	rig->f = fake_host_new(&journal_LTX_tmail_module, rig->folder);
	fake_set(rig->f, "segment_size", "256K");
	fake_set(rig->f, "keep_free", "0");
	fake_set(rig->f, "index_interval", "10ms");
}

static void rig_end(struct rig *rig)
{
	fake_stop(rig->f);
	fake_host_free(&rig->f);
	test_folder_remove(rig->folder);
}

static void add(struct rig *rig, uint64_t n)
{
	struct tmail_recipient recipient = { .address = TMAIL_STR("r@example.com") };
	struct tmail_envelope e = { .size = sizeof e,
		.sender = TMAIL_STR("s@example.com"),
		.received = 7,
		.recipients = { &recipient, 1, sizeof recipient } };
	struct tmail_str content = TMAIL_STR("body of the message");
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_ADD,
		.id = { 1, n },
		.envelope = &e,
		.content = &content,
		.content_count = 1 };
	struct tmail_queue_verdict result;
	struct tmail_queue_write q = { sizeof q, 1, { &op, 1, sizeof op }, &result };

	ck_assert_int_eq(fake_ask(rig->f, TMAIL_QUEUE, TMAIL_QUEUE_WRITE, &q, NULL), TMAIL_OK);
	ck_assert_uint_eq(result.result, TMAIL_QUEUE_DURABLE);
}

START_TEST(two_cannot_have_the_same_store)
{
	struct rig rig;
	struct fake_host *second;

	rig_begin(&rig);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	second = fake_host_new(&journal_LTX_tmail_module, rig.folder);
	ck_assert_int_eq(fake_start(second), TMAIL_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(fake_said(second), "in use by process "));
	fake_stop(rig.f);
	ck_assert_int_eq(fake_start(second), TMAIL_OK);
	fake_stop(second);
	fake_host_free(&second);
	rig_end(&rig);
}
END_TEST

START_TEST(the_lock_goes_with_its_process)
{
	char folder[TEST_FOLDER];
	int fd, status, ready[2];
	struct why why;
	bool taken;
	pid_t child;
	char octet;

	test_folder_make(folder);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		fd = lock_take(folder, &taken, &why);
		(void)!write(ready[1], fd >= 0 ? "y" : "n", 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &octet, 1), 1);
	ck_assert_int_eq(octet, 'y');
	ck_assert_int_eq(lock_take(folder, &taken, &why), -1);
	ck_assert(taken);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	fd = lock_take(folder, &taken, &why);
	ck_assert_int_ge(fd, 0);
	lock_drop(&fd);
	ck_assert_int_eq(fd, -1);
	test_folder_remove(folder);
}
END_TEST

START_TEST(a_folder_that_cannot_be_had_is_named)
{
	struct rig rig;

	rig_begin(&rig);
	fake_set(rig.f, "directory", "/proc/no/such");
	ck_assert_int_eq(fake_start(rig.f), TMAIL_REFUSED);
	ck_assert_ptr_nonnull(strstr(fake_said(rig.f), "/proc/no/such"));
	rig_end(&rig);
}
END_TEST

START_TEST(an_odd_segment_size_is_refused)
{
	struct rig rig;

	rig_begin(&rig);
	fake_set(rig.f, "segment_size", "100001");
	ck_assert_int_eq(fake_start(rig.f), TMAIL_REFUSED);
	ck_assert_ptr_nonnull(strstr(fake_said(rig.f), "segment_size"));
	rig_end(&rig);
}
END_TEST

START_TEST(messages_and_batches_are_counted)
{
	struct rig rig;

	rig_begin(&rig);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	add(&rig, 1);
	add(&rig, 2);
	ck_assert_uint_eq(rig.f->counted[METRIC_MESSAGES], 2);
	ck_assert_uint_eq(rig.f->counted[METRIC_BATCHES], 2);
	rig_end(&rig);
}
END_TEST

START_TEST(list_prints_what_would_be_delivered)
{
	struct rig rig;

	rig_begin(&rig);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	add(&rig, 1);
	fake_stop(rig.f);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	ck_assert_int_eq(fake_verb(rig.f, "journal list"), TMAIL_OK);
	ck_assert_str_eq(buf_c(&rig.f->emitted),
		"0000000000000g000000000001\t19\ts@example.com\tr@example.com\n");
	rig_end(&rig);
}
END_TEST

/* Turns an octet of the content over. */
static void content_hurt(const char *folder)
{
	char name[TEST_FOLDER + 32], data[64 * 1024];
	char *at;
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "%s/store/segment-00000001", folder);
	fd = open(name, O_RDWR);
	n = pread(fd, data, sizeof data, 0);
	ck_assert_int_gt(n, 0);
	at = memmem(data, (size_t)n, "body of the", 11);
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(pwrite(fd, "B", 1, at - data), 1);
	close(fd);
}

START_TEST(check_reads_every_message)
{
	struct rig rig;

	rig_begin(&rig);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	add(&rig, 1);
	add(&rig, 2);
	ck_assert_int_eq(fake_verb(rig.f, "journal check"), TMAIL_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&rig.f->emitted), "2 messages, 0 of them"));
	content_hurt(rig.folder);
	ck_assert_int_eq(fake_verb(rig.f, "journal check"), TMAIL_REFUSED);
	ck_assert_ptr_nonnull(strstr(buf_c(&rig.f->emitted), "2 messages, 1 of them"));
	ck_assert_uint_eq(fake_logged(rig.f, "journal_damaged"), 1);
	ck_assert_uint_eq(rig.f->counted[METRIC_DAMAGED], 1);
	rig_end(&rig);
}
END_TEST

START_TEST(nobody_else_may_read_the_files)
{
	struct rig rig;
	static const char *const names[] = { "store/index.db", "store/lock",
		"store/segment-00000001" };

	rig_begin(&rig);
	ck_assert_int_eq(fake_start(rig.f), TMAIL_OK);
	add(&rig, 1);
	for (size_t i = 0; i < 3; i++) {
		char name[TEST_FOLDER + 32];
		struct stat st;

		snprintf(name, sizeof name, "%s/%s", rig.folder, names[i]);
		ck_assert_int_eq(stat(name, &st), 0);
		ck_assert_int_eq(st.st_mode & 077, 0);
	}
	rig_end(&rig);
}
END_TEST

/* ---- the real files ---------------------------------------------------------------------- */

static void count_name(void *ctx, const char *name)
{
	ck_assert_int_ne(name[0], '.');
	++*(unsigned *)ctx;
}

START_TEST(real_files_answer_with_errors_as_numbers)
{
	char folder[TEST_FOLDER], data[10] = "";
	struct files *f;
	unsigned count = 0;
	struct why why;
	int fd;

	test_folder_make(folder);
	f = files_open(folder, &why);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(f->open(f, "a", FILE_OLD), -ENOENT);
	fd = f->open(f, "a", FILE_NEW);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(f->open(f, "a", FILE_NEW), -EEXIST);
	ck_assert_int_eq(f->allocate(f, fd, 8192), 0);
	ck_assert_int_eq(f->size(f, fd), 8192);
	ck_assert_int_eq(file_write_all(f, fd, "hello", 5, 8190), 0);
	ck_assert_int_eq(f->flush(f, fd), 0);
	ck_assert_int_eq(file_read_all(f, fd, data, 5, 8190), 0);
	ck_assert_str_eq(data, "hello");
	ck_assert_int_eq(file_read_all(f, fd, data, 6, 8190), -ENODATA);
	f->close(f, fd);
	ck_assert_int_eq(f->make_folder(f, "sub"), 0);
	ck_assert_int_eq(f->make_folder(f, "sub"), 0);
	ck_assert_int_eq(f->rename(f, "a", "sub/b"), 0);
	ck_assert_int_eq(f->flush_folder(f, "sub"), 0);
	ck_assert_int_eq(f->flush_folder(f, "none"), -ENOENT);
	ck_assert_int_eq(f->list(f, "sub", count_name, &count), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(f->remove(f, "sub/b"), 0);
	ck_assert_int_eq(f->remove(f, "sub/b"), -ENOENT);
	ck_assert_int_gt(f->room(f), 0);
	files_close(&f);
	test_folder_remove(folder);
}
END_TEST

START_TEST(lines_beyond_the_limit_are_counted)
{
	struct note_line line;
	struct notes n;
	unsigned count = 0;

	notes_init(&n);
	ck_assert(!notes_take(&n, &line));
	for (int i = 0; i < NOTES_MOST + 3; i++)
		note(&n, TMAIL_INFO, "event", "%d", i);
	while (notes_take(&n, &line) && strcmp(line.event, "event") == 0)
		count++;
	ck_assert_uint_eq(count, NOTES_MOST);
	ck_assert_str_eq(line.event, "journal_lines_lost");
	ck_assert_str_eq(line.text, "3");
	notes_free(&n);
}
END_TEST

TEST_MAIN("modules/store/journal/journal", two_cannot_have_the_same_store,
	the_lock_goes_with_its_process, a_folder_that_cannot_be_had_is_named,
	an_odd_segment_size_is_refused, messages_and_batches_are_counted,
	list_prints_what_would_be_delivered, check_reads_every_message,
	nobody_else_may_read_the_files, real_files_answer_with_errors_as_numbers,
	lines_beyond_the_limit_are_counted)
