/* SPDX-License-Identifier: MIT
 *
 * The kit. Content is made from the number of the message, so that any of it can be checked.
 */
#include "kit.h"

#include "modules/store/journal/find.h"
#include "modules/store/journal/read.h"

#include <inttypes.h>
#include <string.h>

static bool was_full;

static int64_t clock_one(void)
{
	return 1;
}

void kit_begin(struct kit *k)
{
	k->disk = disk_new(42);
	k->disk->block = BLOCK;
	if (!k->segment_size)
		k->segment_size = KIT_SEGMENT;
	test_folder_make(k->folder);
	snprintf(k->index, sizeof k->index, "%s/index.db", k->folder);
	ck_assert_msg(kit_open(k), "%s", k->why.text);
}

void kit_end(struct kit *k)
{
	kit_close(k);
	disk_free(&k->disk);
	test_folder_remove(k->folder);
}

bool kit_open(struct kit *k)
{
	struct store_settings settings = { .segment_size = k->segment_size,
		.index_path = k->no_index ? NULL : k->index,
		.interval = 1,
		.now = clock_one,
		.keep_free = k->keep_free };

	k->store = store_open(&k->disk->files, &settings, &k->why);
	return k->store != NULL;
}

void kit_close(struct kit *k)
{
	store_close(&k->store);
}

void kit_crash(struct kit *k, enum disk_crash mode)
{
	k->disk->off = true;
	index_close(&k->store->index);
	store_close(&k->store);
	disk_crash(k->disk, mode);
}

void kit_reopen(struct kit *k)
{
	kit_close(k);
	ck_assert_msg(kit_open(k), "%s", k->why.text);
}

void kit_tend(struct kit *k)
{
	while (store_tend(k->store))
		;
}

struct tmail_id kit_id(uint64_t n)
{
	return (struct tmail_id){ 1000, n };
}

static void octets_make(uint64_t n, size_t from, char *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (char)('a' + (n * 31 + (from + i) * 7 + (from + i) / 1000) % 26);
}

static uint32_t write_ops(struct kit *k, struct tmail_queue_op *ops, uint32_t count)
{
	struct tmail_queue_verdict results[4];
	struct tmail_queue_write q = { sizeof q, count, { ops, count, sizeof *ops }, results };

	store_write(k->store, &q);
	was_full = results[0].result == TMAIL_QUEUE_NO && results[0].full;
	return results[0].result;
}

static uint32_t add_op(struct kit *k, uint64_t n, size_t octets, size_t spooled)
{
	struct tmail_recipient recipient = { .address = TMAIL_STR("r@example.com") };
	struct tmail_envelope envelope = { .size = sizeof envelope,
		.id = kit_id(n),
		.received = 5,
		.sender = TMAIL_STR("s@example.com"),
		.recipients = { &recipient, 1, sizeof recipient } };
	char *data = must_alloc(octets + 1);
	struct tmail_str content = { data, octets };
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_ADD,
		.id = kit_id(n),
		.envelope = &envelope,
		.content = &content,
		.content_count = 1,
		.spooled = spooled > 0,
		.spool_size = spooled };
	uint32_t result;

	octets_make(n, 0, data, octets);
	result = write_ops(k, &op, 1);
	free(data);
	return result;
}

uint32_t kit_add(struct kit *k, uint64_t n, size_t octets)
{
	return add_op(k, n, octets, 0);
}

bool kit_spool(struct kit *k, uint64_t n, size_t octets)
{
	struct tmail_queue_spool q = { .size = sizeof q, .id = kit_id(n), .last = 1 };
	char *data = must_alloc(octets + 1);
	struct why why;
	bool full, good;

	octets_make(n, 0, data, octets);
	q.octets = (struct tmail_str){ data, octets };
	good = spool_write(k->store, &q, &full, &why) == TMAIL_OK;
	free(data);
	return good;
}

uint32_t kit_add_spooled(struct kit *k, uint64_t n, size_t octets)
{
	return add_op(k, n, 0, octets);
}

bool kit_full(void)
{
	return was_full;
}

static struct tmail_queue_op outcome_op(uint64_t n, uint32_t fate, const char *reply)
{
	return (struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
		.id = kit_id(n),
		.fate = fate,
		.attempts = 1,
		.due = 500,
		.reply = { reply, strlen(reply) } };
}

uint32_t kit_defer(struct kit *k, uint64_t n, const char *reply)
{
	struct tmail_queue_op op = outcome_op(n, TMAIL_FATE_DEFERRED, reply);

	return write_ops(k, &op, 1);
}

uint32_t kit_deliver(struct kit *k, uint64_t n)
{
	struct tmail_queue_op ops[2] = { outcome_op(n, TMAIL_FATE_DELIVERED, "250 ok"),
		{ .change = TMAIL_QUEUE_END, .id = kit_id(n) } };

	return write_ops(k, ops, 2);
}

uint32_t kit_hold(struct kit *k, uint64_t n, const char *reason)
{
	struct tmail_queue_op op = {
		.change = TMAIL_QUEUE_HOLD, .id = kit_id(n), .reply = { reason, strlen(reason) }
	};

	return write_ops(k, &op, 1);
}

uint64_t kit_count(struct kit *k)
{
	struct tmail_queue_counts counts = { .size = sizeof counts };

	store_count(k->store, &counts);
	return counts.messages;
}

int kit_read(struct kit *k, uint64_t n)
{
	struct arena *arena = arena_new(4096);
	struct memory memory = { .arena = arena };
	struct tmail_queue_read q = { .size = sizeof q, .id = kit_id(n), .limit = UINT64_MAX };
	struct tmail_queue_content content = { .size = sizeof content };
	int status = store_read(k->store, &q, &memory, &content);

	if (status == TMAIL_OK) {
		char *data = must_alloc(content.octets.len + 1);

		octets_make(n, 0, data, content.octets.len);
		ck_assert_uint_eq(content.total, content.octets.len);
		if (content.octets.len)
			ck_assert_mem_eq(content.octets.data, data, content.octets.len);
		free(data);
	}
	arena_free(&arena);
	return status;
}

int kit_check(struct kit *k, uint64_t n)
{
	struct tmail_queue_check q = { .size = sizeof q, .id = kit_id(n) };

	return store_check(k->store, &q);
}

unsigned kit_said(struct kit *k, const char *event)
{
	struct note_line line;
	unsigned count = 0;

	while (notes_take(&k->store->notes, &line))
		count += strcmp(line.event, event) == 0;
	return count;
}

static int print_entry(void *ctx, const struct tmail_queue_entry *e)
{
	buf_printf(ctx,
		"%" PRIu64 "/%" PRIu32 " fate=%" PRIu32 " attempts=%" PRIu32 " due=%" PRId64
		" octets=%" PRIu64 " reply=%.*s hold=%.*s\n",
		e->id.lo, e->recipient, e->fate, e->attempts, e->due, e->octets, (int)e->reply.len,
		e->reply.len ? e->reply.data : "", (int)e->hold.len,
		e->hold.len ? e->hold.data : "");
	return 0;
}

void kit_print(struct kit *k, struct buf *out)
{
	struct tmail_queue_find q = {
		.size = sizeof q, .fates = 0x3f, .found = print_entry, .ctx = out
	};

	buf_clear(out);
	ck_assert_int_eq(store_find(k->store, &q), TMAIL_OK);
}
