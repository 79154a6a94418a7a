/* SPDX-License-Identifier: MIT
 *
 * Records: what is written is measured first, so that it goes straight to its place in the
 * batch and content is copied once. Readers believe no length before they have looked at it.
 */
#include "record.h"

#include "base/encode.h"
#include "base/fail.h"

#include <endian.h>

enum { META_FIXED = 72, RECIPIENT_LEAST = 16 };

/* ---- writing ----------------------------------------------------------------------------- */

static char *put_u32(char *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof v);
	return to + sizeof v;
}

static char *put_u64(char *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof v);
	return to + sizeof v;
}

static char *put_octets(char *to, const char *data, size_t len)
{
	if (len)
		memcpy(to, data, len);
	return to + len;
}

static char *put_text(char *to, const char *data, size_t len)
{
	return put_octets(put_u32(to, (uint32_t)len), data, len);
}

static char *put_str(char *to, struct tmail_str s)
{
	return put_text(to, s.data, s.len);
}

/* Both in one number: the note from bit 8 on. */
static char *put_fate(char *to, uint32_t fate, uint32_t note)
{
	return put_u32(to, fate | note << 8);
}

static bool extent_of(uint64_t meta, uint64_t content, struct extent *extent)
{
	if (meta > UINT32_MAX || content > UINT32_MAX)
		return false;
	*extent = (struct extent){ (uint32_t)meta, (uint32_t)content };
	return true;
}

static uint64_t content_length(const struct tmail_queue_op *op)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < op->content_count; i++)
		length += op->content[i].len;
	return length;
}

static uint64_t kept_length(const struct tmail_queue_op *op)
{
	const struct tmail_envelope *e = op->envelope;
	uint64_t length = META_FIXED + 4 * 4 + (uint64_t)e->sender.len + e->envid.len +
		e->login.len + op->opaque.len;

	TMAIL_EACH(struct tmail_recipient, r, e->recipients)
		length += RECIPIENT_LEAST + (uint64_t)r->address.len + r->original.len;
	return length;
}

bool record_measure(const struct tmail_queue_op *op, struct extent *extent)
{
	switch ((enum tmail_queue_change)op->change) {
	case TMAIL_QUEUE_ADD:
		return extent_of(kept_length(op) + 4 + op->reply.len, content_length(op), extent);
	case TMAIL_QUEUE_OUTCOME:
		return extent_of(28 + (uint64_t)op->reply.len, 0, extent);
	case TMAIL_QUEUE_HOLD:
		return extent_of(4 + (uint64_t)op->reply.len, 0, extent);
	case TMAIL_QUEUE_FREE:
	case TMAIL_QUEUE_DUE:
		return extent_of(8, 0, extent);
	case TMAIL_QUEUE_END:
		return extent_of(0, 0, extent);
	}
	return false;
}

/* The head goes in front when both parts are there; the padding behind. */
static void record_finish(char *to, enum record_type type, unsigned flags, struct tmail_id id,
	struct extent extent, uint32_t content_crc)
{
	char *meta = to + RECORD_HEAD;
	char *end = meta + extent.meta + extent.content;

	to[0] = (char)type;
	to[1] = (char)flags;
	to[2] = to[3] = 0;
	put_u32(to + 4, extent.meta);
	put_u32(to + 8, crc32c(0, meta, extent.meta));
	put_u32(to + 12, extent.content);
	put_u32(to + 16, content_crc);
	put_u32(to + 20, 0);
	put_u64(to + 24, id.hi);
	put_u64(to + 32, id.lo);
	memset(end, 0, extent_size(extent) - (size_t)(end - to));
}

static char *put_kept(char *at, const struct tmail_queue_op *op, uint64_t octets,
	uint32_t spool_check, int64_t due)
{
	const struct tmail_envelope *e = op->envelope;

	at = put_u32(at, (uint32_t)kept_length(op));
	at = put_u32(at, e->recipients.count);
	at = put_u64(at, octets);
	at = put_u64(at, (uint64_t)e->received);
	at = put_u32(at, e->body);
	at = put_u32(at, e->ret);
	at = put_u32(at, e->smtputf8);
	at = put_u32(at, 0);
	at = put_u64(at, e->declared_size);
	at = put_u64(at, (uint64_t)due);
	at = put_u64(at, op->spooled ? op->spool_size : 0);
	at = put_u32(at, spool_check);
	at = put_u32(at, 0);
	at = put_str(at, e->sender);
	at = put_str(at, e->envid);
	at = put_str(at, e->login);
	at = put_str(at, op->opaque);
	TMAIL_EACH(struct tmail_recipient, r, e->recipients) {
		at = put_u32(at, r->index);
		at = put_u32(at, r->notify);
		at = put_str(at, r->address);
		at = put_str(at, r->original);
	}
	return at;
}

static void add_write(char *to, const struct tmail_queue_op *op, struct extent extent,
	uint32_t spool_check, int64_t due)
{
	uint64_t octets = extent.content + (op->spooled ? op->spool_size : 0);
	unsigned flags = (op->spooled ? RECORD_SPOOLED : 0u) |
		(op->reply.len ? RECORD_HELD | RECORD_LISTED : 0u);
	char *at = put_kept(to + RECORD_HEAD, op, octets, spool_check, due);
	char *content;

	content = at = put_str(at, op->reply);
	must(content == to + RECORD_HEAD + extent.meta);
	for (uint32_t i = 0; i < op->content_count; i++)
		at = put_octets(at, op->content[i].data, op->content[i].len);
	record_finish(to, RECORD_ADD, flags, op->id, extent, crc32c(0, content, extent.content));
}

void record_write(char *to, const struct tmail_queue_op *op, struct extent extent,
	uint32_t spool_check, int64_t due)
{
	char *at = to + RECORD_HEAD;

	switch ((enum tmail_queue_change)op->change) {
	case TMAIL_QUEUE_ADD:
		add_write(to, op, extent, spool_check, due);
		break;
	case TMAIL_QUEUE_OUTCOME:
		at = put_u32(at, op->recipient);
		at = put_fate(at, op->fate, op->note);
		at = put_u32(at, op->attempts);
		at = put_u32(at, 0);
		at = put_u64(at, (uint64_t)due);
		put_str(at, op->reply);
		record_finish(to, RECORD_OUTCOME, 0, op->id, extent, 0);
		break;
	case TMAIL_QUEUE_END:
		record_finish(to, RECORD_END, 0, op->id, extent, 0);
		break;
	case TMAIL_QUEUE_HOLD:
		put_str(at, op->reply);
		record_finish(to, RECORD_HOLD, 0, op->id, extent, 0);
		break;
	case TMAIL_QUEUE_FREE:
	case TMAIL_QUEUE_DUE:
		put_u64(at, (uint64_t)due);
		record_finish(to, op->change == TMAIL_QUEUE_FREE ? RECORD_FREE : RECORD_DUE, 0,
			op->id, extent, 0);
		break;
	}
}

bool copy_measure(const struct copy *copy, struct extent *extent)
{
	struct meta meta;
	uint64_t length;

	if (!meta_read(&copy->from, &meta))
		return false;
	length = (uint64_t)meta.kept.len + 4 + copy->hold.len;
	for (uint32_t i = 0; i < copy->count; i++)
		length += 20 + (uint64_t)copy->states[i].reply.len;
	return extent_of(length, copy->from.content.len, extent);
}

void copy_write(char *to, const struct copy *copy, struct extent extent)
{
	unsigned flags = RECORD_STATES | (copy->from.flags & RECORD_SPOOLED) |
		(copy->held ? RECORD_HELD : 0u) | (copy->listed ? RECORD_LISTED : 0u);
	struct meta meta;
	char *at;

	must(meta_read(&copy->from, &meta));
	at = put_octets(to + RECORD_HEAD, meta.kept.data, meta.kept.len);
	at = put_text(at, copy->hold.data, copy->hold.len);
	for (uint32_t i = 0; i < copy->count; i++) {
		const struct state_words *s = &copy->states[i];

		at = put_fate(at, s->fate, s->note);
		at = put_u32(at, s->attempts);
		at = put_u64(at, (uint64_t)s->due);
		at = put_text(at, s->reply.data, s->reply.len);
	}
	must(at == to + RECORD_HEAD + extent.meta);
	put_octets(at, copy->from.content.data, copy->from.content.len);
	record_finish(to, RECORD_COPY, flags, copy->from.id, extent, copy->from.content_crc);
}

/* ---- reading ----------------------------------------------------------------------------- */

static uint32_t get_u32(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return le32toh(v);
}

static uint64_t get_u64(const char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return le64toh(v);
}

void record_read_head(const char *in, struct record *r)
{
	*r = (struct record){ .type = (uint8_t)in[0],
		.flags = (uint8_t)in[1],
		.meta_crc = get_u32(in + 8),
		.content_crc = get_u32(in + 16),
		.id = { get_u64(in + 24), get_u64(in + 32) },
		.meta = { NULL, get_u32(in + 4) },
		.content = { NULL, get_u32(in + 12) } };
}

bool record_read(struct str in, struct record *r)
{
	struct record found;

	if (in.len < RECORD_HEAD)
		return false;
	record_read_head(in.data, &found);
	if ((uint64_t)found.meta.len + found.content.len > in.len - RECORD_HEAD)
		return false;
	found.meta.data = in.data + RECORD_HEAD;
	found.content.data = found.meta.data + found.meta.len;
	*r = found;
	return true;
}

bool record_meta_good(const struct record *r)
{
	return crc32c(0, r->meta.data, r->meta.len) == r->meta_crc;
}

bool record_content_good(const struct record *r)
{
	return crc32c(0, r->content.data, r->content.len) == r->content_crc;
}

static bool read_i64(struct reader *at, int64_t *v)
{
	uint64_t u;

	if (!read_u64(at, &u))
		return false;
	*v = (int64_t)u;
	return true;
}

static bool read_tm_str(struct reader *at, struct tmail_str *s)
{
	struct str found;

	if (!read_lstr(at, &found))
		return false;
	*s = (struct tmail_str){ found.data, found.len };
	return true;
}

static bool read_fate(struct reader *at, struct state_words *s)
{
	uint32_t both;

	if (!read_u32(at, &both))
		return false;
	s->fate = both & 0xff;
	s->note = both >> 8;
	return true;
}

bool meta_recipient(struct reader *at, struct tmail_recipient *r)
{
	return read_u32(at, &r->index) && read_u32(at, &r->notify) &&
		read_tm_str(at, &r->address) && read_tm_str(at, &r->original);
}

bool meta_state(struct reader *at, struct state_words *s)
{
	return read_fate(at, s) && read_u32(at, &s->attempts) && read_i64(at, &s->due) &&
		read_lstr(at, &s->reply);
}

static bool meta_read_fixed(struct reader *at, struct meta *m)
{
	uint32_t zero;

	return read_u32(at, &m->count) && read_u64(at, &m->octets) && read_i64(at, &m->received) &&
		read_u32(at, &m->body) && read_u32(at, &m->ret) && read_u32(at, &m->smtputf8) &&
		read_u32(at, &zero) && read_u64(at, &m->declared) && read_i64(at, &m->due) &&
		read_u64(at, &m->spool_size) && read_u32(at, &m->spool_check) &&
		read_u32(at, &zero) && read_lstr(at, &m->sender) && read_lstr(at, &m->envid) &&
		read_lstr(at, &m->login) && read_lstr(at, &m->opaque);
}

bool meta_read(const struct record *r, struct meta *meta)
{
	struct reader at = reader_of(r->meta), kept;
	struct meta m;
	struct tmail_recipient recipient;
	struct state_words state;
	uint32_t length;

	if (!read_u32(&at, &length) || length > r->meta.len || length < META_FIXED)
		return false;
	m.kept = str_make(r->meta.data, length);
	kept = reader_of(m.kept);
	kept.at += sizeof length;
	if (!meta_read_fixed(&kept, &m))
		return false;
	m.recipients = str_make(kept.at, (size_t)(kept.end - kept.at));
	for (uint32_t i = 0; i < m.count; i++)
		if (!meta_recipient(&kept, &recipient))
			return false;
	at.at = r->meta.data + length;
	if (kept.at != kept.end || !read_lstr(&at, &m.hold))
		return false;
	m.states = str_make(at.at, (size_t)(at.end - at.at));
	for (uint32_t i = 0; i < m.count && r->flags & RECORD_STATES; i++)
		if (!meta_state(&at, &state))
			return false;
	if (at.at != at.end)
		return false;
	*meta = m;
	return true;
}

bool outcome_read(const struct record *r, struct outcome *outcome)
{
	struct reader at = reader_of(r->meta);
	struct outcome o;
	uint32_t zero;

	if (!read_u32(&at, &o.recipient) || !read_fate(&at, &o.words) ||
		!read_u32(&at, &o.words.attempts) || !read_u32(&at, &zero) ||
		!read_i64(&at, &o.words.due) || !read_lstr(&at, &o.words.reply))
		return false;
	*outcome = o;
	return true;
}

bool due_read(const struct record *r, int64_t *due)
{
	struct reader at = reader_of(r->meta);

	return read_i64(&at, due);
}

bool hold_read(const struct record *r, struct str *hold)
{
	struct reader at = reader_of(r->meta);

	return read_lstr(&at, hold);
}
