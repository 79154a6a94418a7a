/* SPDX-License-Identifier: MIT
 *
 * One writer and several others at the same time, on real files with the tending thread: for the
 * thread sanitizer, and for what must hold whatever the order is.
 */
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include "modules/store/journal/find.h"
#include "modules/store/journal/read.h"
#include "modules/store/journal/space.h"
#include "modules/store/journal/store.h"

#include <stdatomic.h>
#include <string.h>

enum { CALLS = 400, CALL = 10, WORKERS = 3 };

struct rig {
	char folder[TEST_FOLDER], index[TEST_FOLDER + 16];
	struct files *files;
	struct store *store;
	atomic_uint claimed[CALLS * CALL];
	atomic_uint living; /* highest number that was added */
	atomic_bool over;
};

static int64_t clock_one(void)
{
	return 1;
}

static void rig_begin(struct rig *rig)
{
	struct store_settings settings = { .segment_size = 256 * 1024,
		.interval = 1,
		.background = true,
		.index_path = rig->index,
		.now = clock_one };
	struct why why;

	test_folder_make(rig->folder);
	snprintf(rig->index, sizeof rig->index, "%s/index.db", rig->folder);
	rig->files = files_open(rig->folder, &why);
	rig->store = store_open(rig->files, &settings, &why);
	ck_assert_ptr_nonnull(rig->store);
}

static void rig_end(struct rig *rig)
{
	store_close(&rig->store);
	files_close(&rig->files);
	test_folder_remove(rig->folder);
}

static void write_ops(struct rig *rig, struct tmail_queue_op *ops, uint32_t count)
{
	static struct tmail_queue_verdict results[3 * CALL];
	struct tmail_queue_write q = { sizeof q, count, { ops, count, sizeof *ops }, results };

	store_write(rig->store, &q);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_uint_eq(results[i].result, TMAIL_QUEUE_DURABLE);
}

/* Adds ten, due at once; defers some, ends those of some calls ago. */
static void writer_call(struct rig *rig, uint64_t n)
{
	static struct tmail_queue_op ops[3 * CALL];
	struct tmail_recipient recipient = { .address = TMAIL_STR("r@example.com") };
	struct tmail_envelope e = { .size = sizeof e,
		.sender = TMAIL_STR("s@example.com"),
		.received = 1,
		.recipients = { &recipient, 1, sizeof recipient } };
	static char body[1500];
	struct tmail_str content = { body, sizeof body };
	uint32_t count = 0;

	for (uint64_t i = 0; i < CALL; i++)
		ops[count++] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_ADD,
			.id = { 7, n + i },
			.envelope = &e,
			.content = &content,
			.content_count = 1,
			.due = 1 };
	for (uint64_t i = 0; i < CALL && n >= 20 * CALL; i += 3)
		ops[count++] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
			.id = { 7, n - 10 * CALL + i },
			.fate = TMAIL_FATE_DEFERRED,
			.due = INT64_MAX,
			.reply = TMAIL_STR("450 later") };
	for (uint64_t i = 0; i < CALL && n >= 20 * CALL; i++)
		ops[count++] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_END,
			.id = { 7, n - 20 * CALL + i } };
	write_ops(rig, ops, count);
	atomic_store(&rig->living, (unsigned)(n + CALL));
}

static int entry_seen(void *ctx, const struct tmail_queue_entry *e)
{
	struct tmail_id *last = ctx;

	ck_assert_uint_gt(e->id.lo + 1, last->lo);
	last->lo = e->id.lo;
	return 0;
}

static void worker_turn(struct rig *rig, unsigned turn, struct arena *arena)
{
	struct memory memory = { .arena = arena };
	struct tmail_queue_claim claim = { sizeof claim, 7, 1 };
	struct tmail_queue_claimed claimed = { .size = sizeof claimed };
	struct tmail_queue_content content = { .size = sizeof content };
	struct tmail_queue_read read = { .size = sizeof read, .limit = 10000 };
	struct tmail_queue_reserve room = { .size = sizeof room, .octets = 1000 };
	struct tmail_queue_counts counts = { .size = sizeof counts };
	struct tmail_queue_given_back back;
	struct tmail_queue_release release = { sizeof release, { &back, 1, sizeof back } };
	struct tmail_id last = { 0, 0 };
	struct tmail_queue_find find = {
		.size = sizeof find, .limit = 50, .found = entry_seen, .ctx = &last
	};
	struct why why;

	ck_assert_int_eq(store_claim(rig->store, &claim, &memory, &claimed), TMAIL_OK);
	TMAIL_EACH(struct tmail_queue_entry, e, claimed.entries) {
		atomic_fetch_add(&rig->claimed[e->id.lo], 1);
		if (turn % 3 == 0) { /* so that nobody has it again */
			back = (struct tmail_queue_given_back){ e->id, e->recipient, INT64_MAX };
			store_release(rig->store, &release);
		}
		read.id = e->id;
		if (store_read(rig->store, &read, &memory, &content) == TMAIL_OK)
			ck_assert_uint_eq(content.total, 1500);
	}
	if (turn % 8 == 0)
		ck_assert_int_eq(store_find(rig->store, &find), TMAIL_OK);
	ck_assert_int_eq(space_reserve(rig->store, &room, &why), TMAIL_OK);
	room.give_back = 1;
	space_reserve(rig->store, &room, &why);
	store_count(rig->store, &counts);
	ck_assert_uint_eq(counts.recipients, counts.pending + counts.deferred);
	arena_reset(arena);
}

static void *worker_run(void *ctx)
{
	struct arena *arena = arena_new(4096);

	for (unsigned turn = 0; !atomic_load(&((struct rig *)ctx)->over); turn++)
		worker_turn(ctx, turn, arena);
	arena_free(&arena);
	return NULL;
}

static void *spooler_run(void *ctx)
{
	struct rig *rig = ctx;
	static char octets[70000];
	bool full;
	struct why why;

	for (uint64_t n = 0; !atomic_load(&rig->over); n++) {
		struct tmail_queue_spool q = { .size = sizeof q,
			.id = { 8, n },
			.last = n % 2,
			.octets = { octets, sizeof octets } };

		ck_assert_int_eq(spool_write(rig->store, &q, &full, &why), TMAIL_OK);
		q.last = 2;
		ck_assert_int_eq(spool_write(rig->store, &q, &full, &why), TMAIL_OK);
	}
	return NULL;
}

START_TEST(many_threads_agree)
{
	struct rig *rig = must_alloc(sizeof *rig);
	pthread_t workers[WORKERS], spooler;

	rig_begin(rig);
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, worker_run, rig);
	pthread_create(&spooler, NULL, spooler_run, rig);
	for (uint64_t n = 0; n < CALLS; n++)
		writer_call(rig, n * CALL);
	atomic_store(&rig->over, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	pthread_join(spooler, NULL);
	for (int i = 0; i < CALLS * CALL; i++)
		ck_assert_uint_le(atomic_load(&rig->claimed[i]), 1);
	rig_end(rig);
	free(rig);
}
END_TEST

TEST_MAIN("modules/store/journal/threads", many_threads_agree)
