/* SPDX-License-Identifier: MIT
 *
 * store/journal keeps the contract of a queue: with files of the usual size, and with files so
 * small that every few messages begin one.
 */
#include "tests/lib/folder.h"
#include "tests/lib/test.h"
#include "tests/modules/store/conform_queue.h"

extern const struct tmail_module journal_LTX_tmail_module;

struct place {
	char folder[TEST_FOLDER];
	const char *segment_size;
};

static struct fake_host *begin(void *ctx)
{
	struct place *place = ctx;
	struct fake_host *f;

	test_folder_make(place->folder);
	f = fake_host_new(&journal_LTX_tmail_module, place->folder);
	fake_set(f, "directory", "store");
	fake_set(f, "segment_size", place->segment_size);
	fake_set(f, "index_interval", "10ms");
	fake_set(f, "keep_free", "0");
	return f;
}

static void end(void *ctx, struct fake_host *f)
{
	struct place *place = ctx;

	fake_host_free(&f);
	test_folder_remove(place->folder);
}

static void run_all(const char *segment_size)
{
	struct place place = { .segment_size = segment_size };
	struct conform c = { &journal_LTX_tmail_module, begin, end, &place };

	for (unsigned i = 0; i < conform_queue_count; i++)
		conform_queue_run(&c, i);
}

START_TEST(the_journal_keeps_the_contract_of_a_queue)
{
	run_all("4M");
}
END_TEST

START_TEST(the_journal_keeps_it_with_the_smallest_files)
{
	run_all("64K");
}
END_TEST

TEST_MAIN("modules/store/journal/conform", the_journal_keeps_the_contract_of_a_queue,
	the_journal_keeps_it_with_the_smallest_files)
