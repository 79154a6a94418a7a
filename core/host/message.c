/* SPDX-License-Identifier: MIT
 *
 * Messages: facts in an arena that goes with them, content in buffers. What must hold: the list
 * of the envelope always shows the recipients as they are; strings once put in the arena never
 * move or change, so that a worker may read them while the owner adds more; the process's budget
 * holds exactly what `charged` of all messages adds up to.
 */
#include "host/message.h"

#include "base/fail.h"

#include <stdlib.h>

enum { MESSAGE_ARENA = 1024, RECIPIENTS_FIRST = 4 };

static _Atomic size_t budget_used;

struct message *message_new(struct id id, int64_t now)
{
	struct message *m = must_alloc(sizeof *m);

	m->refs = 1;
	m->arena = arena_new(MESSAGE_ARENA);
	m->envelope.size = sizeof m->envelope;
	m->envelope.id = tm_id(id);
	m->envelope.received = now;
	m->envelope.recipients.stride = sizeof *m->recipients;
	return m;
}

struct message *message_ref(struct message *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void message_free(struct message **mp)
{
	struct message *m = *mp;

	if (!m)
		return;
	*mp = NULL;
	if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1)
		return;
	message_uncharge(m);
	buf_free(&m->prefix);
	buf_free(&m->data);
	free(m->recipients);
	arena_free(&m->arena);
	free(m);
}

/* ---- recipients ------------------------------------------------------------------------ */

static void recipients_show(struct message *m)
{
	m->envelope.recipients.item = m->recipients;
	m->envelope.recipients.count = (uint32_t)m->recipient_count;
}

struct tmail_recipient *message_add_recipient(
	struct message *m, struct str address, struct str original, uint32_t notify)
{
	struct tmail_recipient *r;

	must(m->recipient_count < UINT32_MAX);
	if (m->recipient_count == m->recipient_cap) {
		m->recipient_cap = m->recipient_cap ? m->recipient_cap * 2 : RECIPIENTS_FIRST;
		m->recipients =
			must_realloc(m->recipients, m->recipient_cap * sizeof *m->recipients);
	}
	r = &m->recipients[m->recipient_count];
	*r = (struct tmail_recipient){ .index = (uint32_t)m->recipient_count,
		.notify = notify,
		.address = tm_str(arena_str(m->arena, address)),
		.original = tm_str(original.len ? arena_str(m->arena, original) : original) };
	m->recipient_count++;
	recipients_show(m);
	return r;
}

void message_remove_recipient(struct message *m, uint32_t index)
{
	must(index < m->recipient_count);
	m->recipient_count--;
	for (size_t i = index; i < m->recipient_count; i++) {
		m->recipients[i] = m->recipients[i + 1];
		m->recipients[i].index = (uint32_t)i;
	}
	recipients_show(m);
}

void message_remove_recipients(struct message *m, const bool *gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->recipient_count; i++) {
		if (gone[i])
			continue;
		m->recipients[kept] = m->recipients[i];
		m->recipients[kept].index = (uint32_t)kept;
		kept++;
	}
	m->recipient_count = kept;
	recipients_show(m);
}

static bool address_same(struct str a, struct str b)
{
	ptrdiff_t at = str_find_last(a, '@');

	if (a.len != b.len)
		return false;
	if (at < 0)
		return str_equal(a, b);
	return str_equal(str_slice(a, 0, (size_t)at), str_slice(b, 0, (size_t)at)) &&
		str_equal_case(str_slice(a, (size_t)at, a.len), str_slice(b, (size_t)at, b.len));
}

ptrdiff_t message_find_recipient(const struct message *m, struct str address)
{
	for (size_t i = 0; i < m->recipient_count; i++)
		if (address_same(str_tm(m->recipients[i].address), address))
			return (ptrdiff_t)i;
	return -1;
}

bool message_has_recipient(const struct message *m, struct str address)
{
	return message_find_recipient(m, address) >= 0;
}

/* ---- content --------------------------------------------------------------------------- */

uint64_t message_size(const struct message *m)
{
	return (uint64_t)m->prefix.len + m->data.len + m->spool_size;
}

size_t message_pieces(const struct message *m, struct str pieces[2])
{
	size_t n = 0;

	if (m->prefix.len)
		pieces[n++] = buf_str(&m->prefix);
	if (m->data.len)
		pieces[n++] = buf_str(&m->data);
	return n;
}

bool message_charge(struct message *m)
{
	size_t now = m->prefix.len + m->data.len;
	size_t used = atomic_load_explicit(&budget_used, memory_order_relaxed);

	if (now <= m->charged) {
		atomic_fetch_sub_explicit(&budget_used, m->charged - now, memory_order_relaxed);
		m->charged = now;
		return true;
	}
	do {
		if (now - m->charged > MESSAGE_BUDGET - used)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&budget_used, &used,
		used + now - m->charged, memory_order_relaxed, memory_order_relaxed));
	m->charged = now;
	return true;
}

void message_uncharge(struct message *m)
{
	atomic_fetch_sub_explicit(&budget_used, m->charged, memory_order_relaxed);
	m->charged = 0;
}

size_t message_budget_used(void)
{
	return atomic_load_explicit(&budget_used, memory_order_relaxed);
}

/* ---- notes ----------------------------------------------------------------------------- */

void message_note_set(struct message *m, struct str name, struct str value)
{
	struct note *note = ARENA_NEW(m->arena, struct note);

	note->name = tm_str(arena_str(m->arena, name));
	note->value = tm_str(arena_str(m->arena, value));
	note->next = m->notes;
	m->notes = note;
}

bool note_find(const struct note *notes, struct str name, struct str *value)
{
	for (; notes; notes = notes->next)
		if (str_equal(str_tm(notes->name), name)) {
			*value = str_tm(notes->value);
			return true;
		}
	return false;
}

bool message_note_get(const struct message *m, struct str name, struct str *value)
{
	return note_find(m->notes, name, value);
}

/* ---- the core's words for the store ------------------------------------------------------
 *
 * A version, then pieces: a tag and a string. Tags a later version adds are passed by. */

enum { OPAQUE_VERSION = 1 };
enum opaque_tag {
	OPAQUE_NOTE = 1, /* name and value, each with its length */
	OPAQUE_HOLD = 2,
	OPAQUE_FLAGS = 3,
	OPAQUE_CLIENT_ADDRESS = 4,
	OPAQUE_CLIENT_HELO = 5,
	OPAQUE_CLIENT_NAME = 6,
	OPAQUE_SESSION = 7
};
enum { OPAQUE_RELAY = 1, OPAQUE_DISCARD = 2 };

static void piece_write(struct buf *out, enum opaque_tag tag, struct tmail_str s)
{
	if (!s.data)
		return;
	buf_add_u8(out, (uint8_t)tag);
	buf_add_lstr(out, str_tm(s));
}

static bool note_is_hidden(const struct message *m, const struct note *note)
{
	for (const struct note *n = m->notes; n != note; n = n->next)
		if (str_equal(str_tm(n->name), str_tm(note->name)))
			return true;
	return false;
}

static void note_write(struct buf *out, const struct note *note)
{
	buf_add_u8(out, OPAQUE_NOTE);
	buf_add_u32(out, (uint32_t)(8 + note->name.len + note->value.len));
	buf_add_lstr(out, str_tm(note->name));
	buf_add_lstr(out, str_tm(note->value));
}

void message_opaque_write(struct buf *out, const struct message *m)
{
	buf_add_u8(out, OPAQUE_VERSION);
	buf_add_u8(out, OPAQUE_FLAGS);
	buf_add_u32(out, 2);
	buf_add_u8(
		out, (uint8_t)((m->relay ? OPAQUE_RELAY : 0) | (m->discard ? OPAQUE_DISCARD : 0)));
	buf_add_u8(out, m->client_kind);
	piece_write(out, OPAQUE_HOLD, m->hold);
	piece_write(out, OPAQUE_CLIENT_ADDRESS, m->client_address);
	piece_write(out, OPAQUE_CLIENT_HELO, m->client_helo);
	piece_write(out, OPAQUE_CLIENT_NAME, m->client_name);
	buf_add_u8(out, OPAQUE_SESSION);
	buf_add_u32(out, 16);
	buf_add_u64(out, m->session.hi);
	buf_add_u64(out, m->session.lo);
	for (const struct note *n = m->notes; n; n = n->next)
		if (!note_is_hidden(m, n))
			note_write(out, n);
}

static struct tmail_str kept(struct message *m, struct str s)
{
	return tm_str(arena_str(m->arena, s));
}

static bool piece_read(struct message *m, uint8_t tag, struct str s)
{
	struct reader r = reader_of(s);
	struct str name, value;
	struct tmail_id id;
	uint8_t flags, kind;

	switch (tag) {
	case OPAQUE_NOTE:
		if (!read_lstr(&r, &name) || !read_lstr(&r, &value))
			return false;
		message_note_set(m, name, value);
		return true;
	case OPAQUE_FLAGS:
		if (!read_u8(&r, &flags) || !read_u8(&r, &kind))
			return false;
		m->relay = flags & OPAQUE_RELAY;
		m->discard = flags & OPAQUE_DISCARD;
		m->client_kind = kind;
		return true;
	case OPAQUE_SESSION:
		if (!read_u64(&r, &id.hi) || !read_u64(&r, &id.lo))
			return false;
		m->session = id;
		return true;
	case OPAQUE_HOLD:
		m->hold = kept(m, s);
		return true;
	case OPAQUE_CLIENT_ADDRESS:
		m->client_address = kept(m, s);
		return true;
	case OPAQUE_CLIENT_HELO:
		m->client_helo = kept(m, s);
		return true;
	case OPAQUE_CLIENT_NAME:
		m->client_name = kept(m, s);
		return true;
	default:
		return true;
	}
}

bool message_opaque_read(struct message *m, struct str in)
{
	struct reader r = reader_of(in);
	uint8_t version, tag;
	struct str s;

	if (!read_u8(&r, &version) || version != OPAQUE_VERSION)
		return false;
	while (r.at < r.end)
		if (!read_u8(&r, &tag) || !read_lstr(&r, &s) || !piece_read(m, tag, s))
			return false;
	return true;
}
