/* SPDX-License-Identifier: MIT
 *
 * The store against a model of a few lines: random operations, power cuts at random calls to the
 * disk, reopenings, an index that is kept, deleted or gone back. After each of these the store
 * must say exactly what the model says; after a power cut, what it said before the last call or
 * after it, since what is in one batch is kept as a whole or not at all.
 *
 * JOURNAL_SEED repeats a run, JOURNAL_ROUNDS (of 1,500 steps) makes it longer, with
 * CK_TIMEOUT_MULTIPLIER when it takes more than 900 seconds.
 */
#include "disk.h"
#include "model.h"

#include "base/arena.h"
#include "base/encode.h"
#include "modules/store/journal/find.h"
#include "modules/store/journal/indexer.h"
#include "modules/store/journal/read.h"
#include "modules/store/journal/space.h"
#include "modules/store/journal/store.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { OPS = 12, CONTENT = 24 * 1024 };
enum { SEGMENT = 128 * 1024, PIECE = 10000 };
/* There is one thread here, with no order of things that another round would change; TSan takes
 * twenty times as long for one, most of it for checksums. */
#ifdef __SANITIZE_THREAD__
enum { ROUNDS = 2 };
#else
enum { ROUNDS = 15 };
#endif

/* ---- the real thing ---------------------------------------------------------------------- */

struct rig {
	struct disk *disk;
	struct store *store;
	struct model model;
	struct m_op ops[OPS]; /* of the last call */
	uint32_t op_count;
	bool maybe; /* the last call was answered "unknown": the ops in `unsure` */
	struct m_op unsure[OPS];
	uint32_t unsure_count;
	uint32_t forgotten; /* messages below may be unknown as ended: the store was opened since */
	int64_t now;
	uint64_t random;
	uint64_t seed, step;
	char folder[TEST_FOLDER], index[TEST_FOLDER + 16];
	uint64_t crashes, refused;
};

static uint64_t chance(struct rig *rig, uint64_t of)
{
	uint64_t x = rig->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % of;
}

static int64_t rig_clock(void)
{
	return 1; /* every FREE of the test says when */
}

static void rig_open(struct rig *rig)
{
	struct store_settings settings = {
		.segment_size = SEGMENT, .index_path = rig->index, .interval = 1, .now = rig_clock
	};
	struct why why = { "" };

	rig->store = store_open(&rig->disk->files, &settings, &why);
	ck_assert_msg(rig->store != NULL, "seed %" PRIu64 " step %" PRIu64 ": %s", rig->seed,
		rig->step, why.text);
	rig->forgotten = rig->model.count;
}

static int print_entry(void *ctx, const struct tmail_queue_entry *e)
{
	struct m_state s = { e->fate, e->note, e->attempts, e->due, false, "" };
	char hold[WORDS] = "";

	if (e->reply.len)
		memcpy(s.reply, e->reply.data, e->reply.len);
	if (e->hold.len)
		memcpy(hold, e->hold.data, e->hold.len);
	print_line(ctx, e->id, e->recipient, &s, hold, (size_t)e->octets);
	return 0;
}

static void rig_print(struct rig *rig, struct buf *out)
{
	struct tmail_queue_find q = {
		.size = sizeof q, .fates = 0x3f, .found = print_entry, .ctx = out
	};

	buf_clear(out);
	ck_assert_int_eq(store_find(rig->store, &q), TMAIL_OK);
}

/* What the store had to say, for who looks for the reason of a failure. */
static void rig_notes(struct rig *rig)
{
	struct note_line line;

	while (notes_take(&rig->store->notes, &line))
		fprintf(stderr, "%s: %s\n", line.event, line.text);
}

/* Aborts with the first line in which they differ. */
static void compare(struct rig *rig, const struct buf *real, const struct buf *model)
{
	struct str r = buf_str(real), m = buf_str(model), of_store = STR(""), of_model = STR("");

	while (str_equal(of_store, of_model)) {
		bool more = str_split(&r, '\n', &of_store);

		if (!str_split(&m, '\n', &of_model) && !more)
			return;
	}
	rig_notes(rig);
	ck_abort_msg("JOURNAL_SEED=%" PRIu64 " step %" PRIu64
		     ": the store says \"%.*s\", the model says \"%.*s\"",
		rig->seed, rig->step, STR_ARG(of_store), STR_ARG(of_model));
}

static void check_counts(struct rig *rig)
{
	struct tmail_queue_counts real = { .size = sizeof real }, model = { .size = sizeof model };

	for (uint32_t i = 0; i < rig->model.count; i++) {
		const struct m_message *message = &rig->model.messages[i];

		if (!message->lives)
			continue;
		model.messages++;
		model.held += message->hold[0] != '\0';
		model.octets += message->octets;
		for (uint32_t r = 0; r < message->count; r++) {
			model.recipients += fate_lives(message->states[r].fate);
			model.pending += message->states[r].fate == TMAIL_FATE_PENDING;
			model.deferred += message->states[r].fate == TMAIL_FATE_DEFERRED;
		}
	}
	store_count(rig->store, &real);
	ck_assert_msg(memcmp(&real, &model, sizeof real) == 0,
		"seed %" PRIu64 " step %" PRIu64 ": counters differ", rig->seed, rig->step);
}

/* Content and envelope of each living message, in pieces that fall anywhere. */
static void check_contents(struct rig *rig)
{
	struct arena *arena = arena_new(4096);
	struct memory memory = { .arena = arena };

	for (uint32_t i = 0; i < rig->model.count; i++) {
		const struct m_message *message = &rig->model.messages[i];
		struct tmail_queue_read q = { .size = sizeof q, .id = message->id, .limit = PIECE };
		struct tmail_queue_content content;
		uint32_t sum = 0;

		if (!message->lives)
			continue;
		do {
			arena_reset(arena);
			ck_assert_int_eq(store_read(rig->store, &q, &memory, &content), TMAIL_OK);
			sum = crc32c(sum, content.octets.data, content.octets.len);
			q.offset += content.octets.len;
		} while (q.offset < content.total);
		ck_assert_uint_eq(content.total, message->octets);
		ck_assert_uint_eq(sum, content_sum(message->id.lo, message->octets));
		ck_assert_uint_eq(content.envelope->recipients.count, message->count);
		ck_assert_uint_eq(content.opaque.len, 6);
		ck_assert_mem_eq(content.opaque.data, "opaque", 6);
	}
	arena_free(&arena);
}

static void check_all(struct rig *rig)
{
	struct buf real = { 0 }, model = { 0 };

	rig_print(rig, &real);
	model_print(&rig->model, &model);
	compare(rig, &real, &model);
	check_counts(rig);
	buf_free(&real);
	buf_free(&model);
}

/* ---- steps ------------------------------------------------------------------------------- */

static uint32_t pick_living(struct rig *rig)
{
	for (int i = 0; i < 20 && rig->model.count; i++) {
		uint32_t at = (uint32_t)chance(rig, rig->model.count);

		if (rig->model.messages[at].lives)
			return at;
	}
	return MESSAGES;
}

static void words_make(struct rig *rig, char words[WORDS], const char *what)
{
	snprintf(words, WORDS, "%s %" PRIu64, what, chance(rig, 1000000));
}

static void op_add(struct rig *rig, struct m_op *op, uint32_t place)
{
	struct m_message *m = &op->add;

	op->change = TMAIL_QUEUE_ADD;
	op->message = place;
	m->id = (struct tmail_id){ 1000, place };
	m->count = 1 + (uint32_t)chance(rig, RECIPIENTS);
	m->octets = chance(rig, 8) == 0 ? chance(rig, CONTENT) : chance(rig, 3000);
	m->spooled = chance(rig, 12) == 0;
	op->due = chance(rig, 4) == 0 ? rig->now + (int64_t)chance(rig, 1000) : 0;
	if (chance(rig, 10) == 0)
		words_make(rig, m->hold, "held");
	for (uint32_t i = 0; i < m->count; i++) {
		m->states[i].due = op->due ? op->due : rig->now;
		m->states[i].claimed = op->due == 0 && !m->hold[0];
	}
}

static void op_make(struct rig *rig, struct m_op *op, uint32_t *next)
{
	uint32_t living = pick_living(rig);

	*op = (struct m_op){ .message = living };
	switch (living == MESSAGES || *next < 8 ? 0 : chance(rig, 10)) {
	case 0:
	case 1:
	case 2:
		if (*next < MESSAGES) {
			op_add(rig, op, (*next)++);
			return;
		}
		break;
	case 3: /* again, one that lives or has ended */
		op->change = TMAIL_QUEUE_ADD;
		if (rig->model.count > rig->forgotten)
			op->message = rig->forgotten +
				(uint32_t)chance(rig, rig->model.count - rig->forgotten);
		op->add = rig->model.messages[op->message];
		if (op->add.count == 0) /* it was refused */
			break;
		return;
	case 4:
	case 5:
	case 6:
		op->change = TMAIL_QUEUE_OUTCOME;
		op->recipient = (uint32_t)chance(rig, rig->model.messages[living].count);
		op->fate = chance(rig, 2) ? TMAIL_FATE_DEFERRED : TMAIL_FATE_DELIVERED;
		if (!fate_lives(rig->model.messages[living].states[op->recipient].fate))
			op->fate = rig->model.messages[living].states[op->recipient].fate;
		op->note = (uint32_t)chance(rig, 16);
		op->attempts = 1 + (uint32_t)chance(rig, 50);
		op->due = rig->now + (int64_t)chance(rig, 1000);
		words_make(rig, op->words, "450 later");
		return;
	case 7:
		op->change = TMAIL_QUEUE_HOLD;
		words_make(rig, op->words, "why");
		return;
	case 8:
		op->change = chance(rig, 2) ? TMAIL_QUEUE_FREE : TMAIL_QUEUE_DUE;
		op->due = rig->now + (int64_t)chance(rig, 100);
		return;
	default:
		break;
	}
	op->change = TMAIL_QUEUE_END;
	if (living == MESSAGES)
		op->message = 0;
}

struct built { /* one call as the store wants it */
	struct tmail_queue_op ops[OPS];
	struct tmail_queue_verdict results[OPS];
	struct tmail_envelope envelopes[OPS];
	struct tmail_recipient recipients[OPS][RECIPIENTS];
	struct tmail_str content[OPS][2];
	char octets[OPS][CONTENT];
};

/* The last part of the content goes to the spool, in two pieces. */
static bool spool_make(struct rig *rig, struct tmail_id id, size_t from, size_t octets)
{
	struct tmail_queue_spool q = { .size = sizeof q, .id = id };
	char *data = malloc(octets + 1);
	size_t half = octets / 2;
	struct why why;
	bool full, good;

	for (size_t i = 0; i < octets; i++)
		data[i] = octet_of(id.lo, from + i);
	q.octets = (struct tmail_str){ data, half };
	good = spool_write(rig->store, &q, &full, &why) == TMAIL_OK;
	q.offset = half;
	q.octets = (struct tmail_str){ data + half, octets - half };
	q.last = 1;
	good = good && spool_write(rig->store, &q, &full, &why) == TMAIL_OK;
	free(data);
	return good;
}

static void build_add(
	struct rig *rig, const struct m_message *m, struct built *b, uint32_t at, int64_t due)
{
	static const struct tmail_str addresses[RECIPIENTS] = { TMAIL_STR("a@one.example"),
		TMAIL_STR("b@two.example"), TMAIL_STR("c@three.example") };
	struct tmail_queue_op *op = &b->ops[at];
	size_t inside = m->spooled ? m->octets / 3 : m->octets, half = inside / 2;

	for (uint32_t i = 0; i < m->count; i++)
		b->recipients[at][i] =
			(struct tmail_recipient){ .index = i, .address = addresses[i] };
	b->envelopes[at] = (struct tmail_envelope){ .size = sizeof *b->envelopes,
		.id = m->id,
		.received = rig->now,
		.sender = TMAIL_STR("s@sender.example"),
		.recipients = { b->recipients[at], m->count, sizeof **b->recipients } };
	for (size_t i = 0; i < inside; i++)
		b->octets[at][i] = octet_of(m->id.lo, i);
	b->content[at][0] = (struct tmail_str){ b->octets[at], half };
	b->content[at][1] = (struct tmail_str){ b->octets[at] + half, inside - half };
	op->envelope = &b->envelopes[at];
	op->opaque = (struct tmail_str)TMAIL_STR("opaque");
	op->content = b->content[at];
	op->content_count = 2;
	op->due = due;
	op->reply = (struct tmail_str){ m->hold, strlen(m->hold) };
	if (m->spooled) {
		op->spooled = 1;
		op->spool_size = m->octets - inside;
		spool_make(rig, m->id, inside, m->octets - inside);
	}
}

static void build(struct rig *rig, const struct m_op *m, struct built *b, uint32_t at)
{
	struct tmail_queue_op *op = &b->ops[at];

	*op = (struct tmail_queue_op){ .change = m->change,
		.recipient = m->recipient,
		.id = { 1000, m->message },
		.due = m->due,
		.fate = m->fate,
		.note = m->note,
		.attempts = m->attempts,
		.reply = { m->words, strlen(m->words) } };
	if (m->change == TMAIL_QUEUE_ADD)
		build_add(rig, &m->add, b, at, m->due);
}

static void spool_drop(struct rig *rig, struct tmail_id id)
{
	struct tmail_queue_spool q = { .size = sizeof q, .id = id, .last = 2 };
	struct why why;
	bool full;

	ck_assert_int_eq(spool_write(rig->store, &q, &full, &why), TMAIL_OK);
}

/* What the answers say, told to the model. */
static void write_settle(struct rig *rig, const struct built *b)
{
	uint32_t unknown = 0;

	for (uint32_t i = 0; i < rig->op_count; i++) {
		const struct tmail_queue_verdict *v = &b->results[i];
		bool trouble = rig->disk->failed || rig->disk->off || rig->disk->capacity;
		const struct m_message *m = &rig->model.messages[rig->ops[i].message];
		bool lives = m->lives && fate_lives(m->states[rig->ops[i].recipient].fate);

		if (v->result == TMAIL_QUEUE_DURABLE) {
			model_apply(&rig->model, &rig->ops[i]);
		} else if (v->result == TMAIL_QUEUE_UNKNOWN) {
			rig->unsure[unknown++] = rig->ops[i];
		} else {
			rig->refused++;
			if (rig->ops[i].add.spooled)
				spool_drop(rig, rig->ops[i].add.id);
		}
		/* What ended earlier in the call may be gone already. */
		trouble = trouble || (rig->ops[i].change != TMAIL_QUEUE_ADD && !lives);
		ck_assert_msg(v->result == TMAIL_QUEUE_DURABLE || trouble,
			"JOURNAL_SEED=%" PRIu64 " step %" PRIu64 ": op %" PRIu32
			" (change %d) was answered %" PRIu32 " without a reason: %.*s",
			rig->seed, rig->step, i, (int)rig->ops[i].change, v->result,
			(int)v->why.len, v->why.data ? v->why.data : "");
	}
	/* A header that became durable settled it: what was unknown is not kept. */
	if (unknown || !rig->store->writer.unsettled)
		rig->unsure_count = rig->store->writer.unsettled ? unknown : 0;
}

static void step_write(struct rig *rig)
{
	struct built *b = calloc(1, sizeof *b);
	uint32_t next = rig->model.count;
	struct tmail_queue_write q = { .size = sizeof q };

	/* Numbers never repeat in one call; one that was not kept may come again. */
	rig->op_count = 1 + (uint32_t)chance(rig, OPS);
	for (uint32_t i = 0; i < rig->op_count; i++) {
		op_make(rig, &rig->ops[i], &next);
		build(rig, &rig->ops[i], b, i);
	}
	q.count = rig->op_count;
	q.ops = (struct tmail_list){ b->ops, rig->op_count, sizeof *b->ops };
	q.results = b->results;
	store_write(rig->store, &q);
	write_settle(rig, b);
	free(b);
}

static void step_claim(struct rig *rig)
{
	struct arena *arena = arena_new(4096);
	struct memory memory = { .arena = arena };
	struct tmail_queue_claim q = { .size = sizeof q, .limit = 1000, .now = rig->now };
	struct tmail_queue_claimed claimed = { .size = sizeof claimed };
	uint32_t expected = 0;
	int64_t last = INT64_MIN;

	if (rig->disk->off)
		return;
	ck_assert_int_eq(store_claim(rig->store, &q, &memory, &claimed), TMAIL_OK);
	for (uint32_t i = 0; i < rig->model.count; i++) {
		struct m_message *m = &rig->model.messages[i];

		for (uint32_t r = 0; r < m->count && m->lives && !m->hold[0]; r++) {
			struct m_state *s = &m->states[r];

			if (!fate_lives(s->fate) || s->claimed || s->due > rig->now)
				continue;
			expected++;
			s->claimed = true;
		}
	}
	ck_assert_msg(claimed.entries.count == expected,
		"JOURNAL_SEED=%" PRIu64 " step %" PRIu64 ": %" PRIu32 " claimed, not %" PRIu32,
		rig->seed, rig->step, claimed.entries.count, expected);
	TMAIL_EACH(struct tmail_queue_entry, e, claimed.entries) {
		if (e->due > last)
			last = e->due;
		ck_assert_int_le(e->due, rig->now);
		ck_assert(rig->model.messages[e->id.lo].states[e->recipient].claimed);
	}
	arena_free(&arena);
}

/* Without a time, which is not written. */
static void step_release(struct rig *rig)
{
	struct tmail_queue_given_back some[RECIPIENTS];
	struct tmail_queue_release q = { .size = sizeof q };
	uint32_t at = pick_living(rig);
	struct m_message *m;

	if (at == MESSAGES)
		return;
	m = &rig->model.messages[at];
	for (uint32_t r = 0; r < m->count; r++) {
		if (chance(rig, 2))
			continue;
		some[q.claims.count++] = (struct tmail_queue_given_back){ m->id, r, 0 };
		m->states[r].claimed = false;
	}
	q.claims.item = some;
	q.claims.stride = sizeof *some;
	store_release(rig->store, &q);
}

/* The index as a killed process leaves it, or worse. */
static void index_crash(struct rig *rig, bool power)
{
	char from[TEST_FOLDER + 32], to[TEST_FOLDER + 32];
	static const char *const suffixes[] = { "", "-wal" };
	bool saved[2] = { false, false };

	for (int i = 0; i < 2; i++) { /* as it is now, before SQLite closes it in order */
		snprintf(from, sizeof from, "%s%s", rig->index, suffixes[i]);
		snprintf(to, sizeof to, "%s.saved%s", rig->index, suffixes[i]);
		saved[i] = link(from, to) == 0;
		if (saved[i]) {
			char command[4096];
			FILE *in = fopen(to, "r"), *out;
			size_t n;

			snprintf(command, sizeof command, "%s.copy%s", rig->index, suffixes[i]);
			out = fopen(command, "w");
			ck_assert(in && out);
			while ((n = fread(command, 1, sizeof command, in)) > 0)
				fwrite(command, 1, n, out);
			fclose(in);
			fclose(out);
			unlink(to);
		}
	}
	index_close(&rig->store->index);
	store_close(&rig->store);
	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof from, "%s%s", rig->index, suffixes[i]);
		unlink(from);
		snprintf(to, sizeof to, "%s.copy%s", rig->index, suffixes[i]);
		/* Without its log the index is what the last checkpoint left. */
		if (saved[i] && (i == 0 || !power || chance(rig, 2)))
			rename(to, from);
		else
			unlink(to);
	}
	snprintf(from, sizeof from, "%s-shm", rig->index);
	unlink(from);
	if (chance(rig, 5) == 0)
		unlink(rig->index);
}

/* Which of the two may it be: without the operations of which nobody knew, or with them? */
static void crash_settle(struct rig *rig)
{
	struct model *with = malloc(sizeof *with);
	struct buf real = { 0 }, print = { 0 };

	*with = rig->model;
	for (uint32_t i = 0; i < rig->unsure_count; i++)
		model_apply(with, &rig->unsure[i]);
	rig->unsure_count = 0;
	model_restart(with);
	model_restart(&rig->model);
	rig_print(rig, &real);
	model_print(with, &print);
	if (str_equal(buf_str(&real), buf_str(&print))) {
		rig->model = *with;
	} else {
		model_print(&rig->model, &print);
		compare(rig, &real, &print);
	}
	free(with);
	rig->forgotten = rig->model.count;
	buf_free(&real);
	buf_free(&print);
}

/* Exactly the spools of living messages are left. */
static void check_spools(struct rig *rig)
{
	size_t spooled = 0;

	for (uint32_t i = 0; i < rig->model.count; i++)
		spooled += rig->model.messages[i].lives && rig->model.messages[i].spooled;
	ck_assert_uint_eq(disk_count(rig->disk, "spool/"), spooled);
}

/* A power cut may take the index back, but never behind what the journal still has. */
static void check_index_believed(struct rig *rig)
{
	struct note_line line;

	while (notes_take(&rig->store->notes, &line))
		ck_assert_msg(line.level != TMAIL_WARNING ||
				strncmp(line.event, "journal_index", 13) != 0,
			"JOURNAL_SEED=%" PRIu64 " step %" PRIu64 ": %s", rig->seed, rig->step,
			line.text);
}

static void step_crash(struct rig *rig)
{
	/* One that was made anew may be behind at first. */
	bool believed = rig->store->mark >= rig->store->writer.first;

	rig->crashes++;
	rig->disk->off = true;
	index_crash(rig, true);
	disk_crash(rig->disk, (enum disk_crash)chance(rig, CRASH_MODES));
	rig->disk->capacity = 0;
	rig_open(rig);
	if (believed)
		check_index_believed(rig);
	crash_settle(rig);
	check_all(rig);
	check_contents(rig);
	check_spools(rig);
}

/* kill -9: what was written is there, flushed or not. */
static void step_kill(struct rig *rig)
{
	rig->disk->fail_at = 0;
	index_crash(rig, false);
	rig_open(rig);
	crash_settle(rig);
	check_all(rig);
}

static void step_reopen(struct rig *rig)
{
	rig->disk->fail_at = 0;
	store_close(&rig->store);
	if (chance(rig, 3) == 0)
		unlink(rig->index);
	rig_open(rig);
	crash_settle(rig);
	check_all(rig);
	check_spools(rig);
}

static void step_fault(struct rig *rig)
{
	static const enum disk_call kinds[] = { DISK_WRITE, DISK_FLUSH, DISK_OPEN, DISK_ALLOCATE,
		DISK_FLUSH_FOLDER };

	disk_fail(rig->disk, kinds[chance(rig, 5)], 1 + chance(rig, 4),
		chance(rig, 3) ? -EIO : -ENOSPC);
	rig->disk->fail_stays = chance(rig, 4) == 0;
}

static void step_power(struct rig *rig)
{
	disk_fail(rig->disk, DISK_CALLS, 1 + chance(rig, 60), 0);
}

static void step(struct rig *rig)
{
	rig->now += (int64_t)chance(rig, 200);
	if (rig->disk->off) {
		step_crash(rig);
		return;
	}
	switch (chance(rig, 40)) {
	case 0:
		step_power(rig);
		break;
	case 1:
		step_fault(rig);
		break;
	case 2:
		step_kill(rig);
		break;
	case 3:
		if (chance(rig, 3) == 0)
			step_reopen(rig);
		break;
	case 4:
		step_crash(rig);
		break;
	case 5:
		if (!rig->disk->fail_at)
			check_all(rig);
		break;
	case 6:
	case 7:
		if (!rig->disk->fail_at)
			step_claim(rig);
		break;
	case 8:
		step_release(rig);
		break;
	case 9:
		if (rig->disk->fail_stays)
			rig->disk->fail_at = 0;
		if (chance(rig, 10) == 0)
			rig->disk->capacity = rig->disk->capacity ? 0 : 5 * SEGMENT;
		break;
	case 10:
		/* The parts of tending in any order. */
		space_turn(rig->store);
		break;
	case 11:
		indexer_turn(rig->store);
		break;
	case 12:
	case 13:
		while (store_tend(rig->store))
			;
		break;
	default:
		step_write(rig);
		break;
	}
}

static void round_run(uint64_t seed, uint64_t steps, uint64_t *crashes, uint64_t *messages)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->seed = rig->random = seed;
	rig->now = 1000000;
	rig->disk = disk_new(seed);
	rig->disk->block = seed % 4 ? BLOCK : 0; /* of one in four nothing goes past the cache */
	test_folder_make(rig->folder);
	snprintf(rig->index, sizeof rig->index, "%s/index.db", rig->folder);
	rig_open(rig);
	for (rig->step = 0; rig->step < steps; rig->step++)
		step(rig);
	if (rig->disk->off)
		step_crash(rig);
	rig->disk->fail_at = 0;
	rig->disk->capacity = 0;
	step_reopen(rig);
	check_contents(rig);
	*crashes += rig->crashes;
	*messages += rig->model.count;
	store_close(&rig->store);
	disk_free(&rig->disk);
	test_folder_remove(rig->folder);
	free(rig);
}

START_TEST(the_store_says_what_the_model_says_through_crashes)
{
	const char *seed_text = getenv("JOURNAL_SEED"), *rounds_text = getenv("JOURNAL_ROUNDS");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
	uint64_t rounds = rounds_text ? strtoull(rounds_text, NULL, 10) : ROUNDS;
	uint64_t crashes = 0, messages = 0;

	printf("JOURNAL_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	for (uint64_t i = 0; i < (seed_text ? 1 : rounds); i++)
		round_run(seed + i, 1500, &crashes, &messages);
	printf("%" PRIu64 " messages through %" PRIu64 " power cuts\n", messages, crashes);
}
END_TEST

TEST_MAIN("modules/store/journal/model", the_store_says_what_the_model_says_through_crashes)
