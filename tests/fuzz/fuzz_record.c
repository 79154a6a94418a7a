/* SPDX-License-Identifier: MIT
 *
 * What the journal reads at a start. First octet: flags. With 1 the input is a batch as it lies
 * on a disk. Else it is records, each a type, flags, the length of its meta, meta, and content
 * up to a `|`, which are put into a batch as if they had been written: so that what is behind the
 * checksums is met too. What is good is read again as it was written, and one flipped bit (at a
 * place that two octets say) is never good, unless nothing that is read has changed.
 */
#include "base/encode.h"
#include "modules/store/journal/batch.h"
#include "tests/fuzz/fuzz.h"

#include <endian.h>
#include <stdlib.h>

enum { RAW = 1, MOST = 16 * BLOCK };

static const struct store_id ours = { "0123456789abcdef" };

static bool within(struct str in, const char *data, size_t len)
{
	return len == 0 || (data >= in.data && len <= in.len - (size_t)(data - in.data));
}

static void check_message(const struct record *r)
{
	struct meta m;
	struct reader recipients, states;
	struct tmail_recipient recipient;
	struct state_words words;
	uint32_t count = 0, known = 0;

	if (!meta_read(r, &m))
		return;
	must(within(r->meta, m.sender.data, m.sender.len));
	must(within(r->meta, m.opaque.data, m.opaque.len));
	must(within(r->meta, m.hold.data, m.hold.len));
	recipients = reader_of(m.recipients);
	while (meta_recipient(&recipients, &recipient)) {
		must(within(r->meta, recipient.address.data, recipient.address.len));
		must(within(r->meta, recipient.original.data, recipient.original.len));
		count++;
	}
	must(count == m.count);
	states = reader_of(m.states);
	while (meta_state(&states, &words))
		known++;
	must(known == (r->flags & RECORD_STATES ? m.count : 0));
}

static void check_record(const struct record *r)
{
	struct outcome outcome;
	struct str hold;
	int64_t due;

	check_message(r);
	if (outcome_read(r, &outcome))
		must(within(r->meta, outcome.words.reply.data, outcome.words.reply.len));
	if (hold_read(r, &hold))
		must(within(r->meta, hold.data, hold.len));
	if (due_read(r, &due))
		must(r->meta.len >= sizeof due);
}

/* Every record of what is not bad. */
static uint32_t check_walk(struct str batch)
{
	size_t at = BATCH_HEAD, offset;
	struct record r;
	uint32_t count = 0;

	for (; batch_next(batch, &at, &r, &offset); count++) {
		must(within(batch, r.meta.data, r.meta.len));
		must(within(batch, r.content.data, r.content.len));
		check_record(&r);
	}
	return count;
}

static void check_raw(struct str in)
{
	struct batch_head head;
	struct store_id store;
	struct record r;

	if (record_read(in, &r))
		check_record(&r);
	if (!batch_peek_own(in, &store, &head) || head.length > in.len)
		return;
	in = str_slice(in, 0, head.length);
	if (batch_check(in, &head) != BATCH_BAD)
		must(check_walk(in) == head.count);
}

static void put_u32(char *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof v);
}

/* A record of any sort under good checksums. False: there is no room for it. */
static bool put_record(struct batch *b, struct str *in)
{
	char head[RECORD_HEAD] = { (char)fuzz_octet(in), (char)fuzz_octet(in) }, *to;
	size_t cut = fuzz_octet(in);
	struct str piece = fuzz_piece(in, '|'), meta = str_slice(piece, 0, cut),
		   content = str_slice(piece, cut, piece.len);
	uint64_t size = extent_size((struct extent){ (uint32_t)meta.len, (uint32_t)content.len });

	to = batch_reserve(b, size);
	if (!to)
		return false;
	put_u32(head + 4, (uint32_t)meta.len);
	put_u32(head + 8, crc32c(0, meta.data, meta.len));
	put_u32(head + 12, (uint32_t)content.len);
	put_u32(head + 16, crc32c(0, content.data, content.len));
	memset(to, 0, size);
	memcpy(to, head, sizeof head);
	if (piece.len)
		memcpy(to + RECORD_HEAD, piece.data, piece.len);
	batch_add(b, to, size);
	return true;
}

/* Does every record of b read as the one of a? */
static bool same(struct str a, struct str b)
{
	size_t at_a = BATCH_HEAD, at_b = BATCH_HEAD, offset;
	struct record ra, rb;

	while (batch_next(a, &at_a, &ra, &offset))
		if (!batch_next(b, &at_b, &rb, &offset) || ra.type != rb.type ||
			ra.flags != rb.flags || ra.id.hi != rb.id.hi || ra.id.lo != rb.id.lo ||
			!str_equal(ra.meta, rb.meta) || !str_equal(ra.content, rb.content))
			return false;
	return at_a == at_b;
}

static void check_flip(struct str good, const struct batch_head *head, size_t bit)
{
	char *copy = must_alloc(good.len);
	struct batch_head found;
	struct str flipped = str_make(copy, good.len);

	memcpy(copy, good.data, good.len);
	copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
	if (batch_peek(flipped, &ours, head->lsn, &found) && found.length <= good.len &&
		batch_check(str_slice(flipped, 0, found.length), &found) == BATCH_GOOD) {
		must(found.length == head->length && found.flushed == head->flushed);
		must(found.first == head->first && same(good, flipped));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), good;
	uint8_t flags = fuzz_octet(&in);
	struct batch_head head = { .lsn = 3 * BLOCK, .flushed = 2 * BLOCK, .first = BLOCK }, found;
	struct batch b = { 0 };
	size_t bit;

	if (flags & RAW) {
		check_raw(in);
		return 0;
	}
	bit = fuzz_cut(&in, 0xffff);
	batch_begin(&b, MOST);
	while (in.len > 0 && put_record(&b, &in))
		;
	if (b.count == 0) { /* none is ever written */
		batch_free(&b);
		return 0;
	}
	batch_end(&b, &ours, &head);
	good = str_make(b.data, head.length);
	must(batch_peek(good, &ours, head.lsn, &found) && found.count == b.count);
	must(batch_check(good, &found) == BATCH_GOOD);
	must(check_walk(good) == b.count);
	check_flip(good, &head, bit % (8 * good.len));
	batch_free(&b);
	return 0;
}
