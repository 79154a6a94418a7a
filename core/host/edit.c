/* SPDX-License-Identifier: MIT
 *
 * Edits of a message. The module's side notes them in the call's memory; the core's side makes
 * them. What must hold: strings that were shown to somebody stay as they are (the arena keeps
 * them), and the number of a recipient is its place.
 */
#include "host/edit.h"

#include "base/log.h"
#include "host/verdict.h"
#include "mail/address.h"
#include "mail/header.h"

#include <stdlib.h>

enum { EDITS_SIZE_MAX = MESSAGE_BUDGET };

/* ---- noted ----------------------------------------------------------------------------- */

static struct str kept(struct call *c, struct tmail_str s)
{
	return s.data ? arena_str(call_arena(c), str_tm(s)) : str_make(NULL, 0);
}

static bool edit_allowed(const struct tmail_call *call, struct call *c)
{
	return call->point == TMAIL_POINT_EOM && call_at_home(c) &&
		arena_size(call_arena(c)) <= EDITS_SIZE_MAX;
}

static struct edit *edit_note(struct tmail_call *call, enum edit_kind kind)
{
	struct call *c = call_of(call);
	struct edit *e;

	if (!edit_allowed(call, c))
		return NULL;
	e = ARENA_NEW(call_arena(c), struct edit);
	e->kind = kind;
	*c->edit_last = e;
	c->edit_last = &e->next;
	return e;
}

static int note_header(struct tmail_call *call, enum edit_kind kind, uint32_t index,
	struct tmail_str name, struct tmail_str value)
{
	struct edit *e = header_name_valid(str_tm(name)) ? edit_note(call, kind) : NULL;

	if (!e)
		return TMAIL_REFUSED;
	e->index = index;
	e->name = kept(call_of(call), name);
	e->value = kept(call_of(call), value);
	return TMAIL_OK;
}

static int edit_header_add(struct tmail_call *call, struct tmail_str name, struct tmail_str value)
{
	return note_header(call, EDIT_HEADER_ADD, 0, name, value);
}

static int edit_header_insert(
	struct tmail_call *call, uint32_t index, struct tmail_str name, struct tmail_str value)
{
	return note_header(call, EDIT_HEADER_INSERT, index, name, value);
}

static int edit_header_change(
	struct tmail_call *call, struct tmail_str name, uint32_t n, struct tmail_str value)
{
	return note_header(call, EDIT_HEADER_CHANGE, n, name, value);
}

static int note_value(struct tmail_call *call, enum edit_kind kind, struct tmail_str value)
{
	struct edit *e = edit_note(call, kind);

	if (!e)
		return TMAIL_REFUSED;
	e->value = kept(call_of(call), value);
	return TMAIL_OK;
}

static int edit_body_replace(struct tmail_call *call, struct tmail_str chunk)
{
	return note_value(call, EDIT_BODY, chunk);
}

/* As canonical as those that came over SMTP: the queue writes it into commands of its own. */
static int note_address(
	struct tmail_call *call, enum edit_kind kind, struct tmail_str text, unsigned flags)
{
	struct call *c = call_of(call);
	struct address address;

	if (!edit_allowed(call, c) ||
		address_parse(str_tm(text), flags, call_arena(c), &address) != ADDRESS_OK)
		return TMAIL_REFUSED;
	return note_value(call, kind, tm_str(address.text));
}

static int edit_sender_change(struct tmail_call *call, struct tmail_str sender)
{
	return note_address(call, EDIT_SENDER, sender, ADDRESS_UTF8 | ADDRESS_NULL);
}

static int edit_recipient_add(struct tmail_call *call, struct tmail_str address)
{
	return note_address(call, EDIT_RECIPIENT_ADD, address, ADDRESS_UTF8);
}

static int edit_recipient_remove(struct tmail_call *call, struct tmail_str address)
{
	return note_value(call, EDIT_RECIPIENT_REMOVE, address);
}

static int edit_recipient_verdict(struct tmail_call *call, uint32_t index,
	enum tmail_verdict verdict, uint32_t code, struct tmail_str enhanced, struct tmail_str text)
{
	struct edit *e;

	if (verdict != TMAIL_REJECT && verdict != TMAIL_TEMPFAIL && verdict != TMAIL_DISCARD)
		return TMAIL_REFUSED;
	e = edit_note(call, EDIT_RECIPIENT_VERDICT);
	if (!e)
		return TMAIL_REFUSED;
	e->index = index;
	e->verdict = verdict;
	e->code = code;
	e->enhanced = kept(call_of(call), enhanced);
	e->value = kept(call_of(call), text);
	return TMAIL_OK;
}

const struct tmail_edit host_edit = { sizeof host_edit, edit_header_add, edit_header_insert,
	edit_header_change, edit_body_replace, edit_sender_change, edit_recipient_add,
	edit_recipient_remove, edit_recipient_verdict };

/* ---- header and body --------------------------------------------------------------------- */

struct field {
	struct str name, whole; /* whole: with its CRLF */
};
struct rewriting {
	struct arena *arena;
	struct field *fields;
	size_t count, cap;
	struct buf body; /* of EDIT_BODY */
	bool body_new;
};

static void field_put(struct rewriting *w, size_t at, struct field field)
{
	if (w->count == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 32;
		w->fields = must_realloc(w->fields, w->cap * sizeof *w->fields);
	}
	if (at > w->count)
		at = w->count;
	memmove(w->fields + at + 1, w->fields + at, (w->count - at) * sizeof *w->fields);
	w->fields[at] = field;
	w->count++;
}

static struct field field_written(struct rewriting *w, struct str name, struct str value)
{
	struct buf line = { 0 };
	struct field f = { .name = name };

	header_write(&line, name, value);
	f.whole = arena_str(w->arena, buf_str(&line));
	buf_free(&line);
	return f;
}

static void field_change(struct rewriting *w, const struct edit *e)
{
	uint32_t n = e->index;

	for (size_t i = 0; i < w->count; i++) {
		if (!str_equal_case(w->fields[i].name, e->name) || n-- > 0)
			continue;
		if (e->value.data) {
			w->fields[i] = field_written(w, w->fields[i].name, e->value);
			return;
		}
		w->count--;
		memmove(w->fields + i, w->fields + i + 1, (w->count - i) * sizeof *w->fields);
		return;
	}
	/* There are not so many: a value is one more, as milters expect. */
	if (e->value.data)
		field_put(w, w->count, field_written(w, e->name, e->value));
}

static bool content_edit(struct rewriting *w, const struct edit *e)
{
	switch (e->kind) {
	case EDIT_HEADER_ADD:
		field_put(w, w->count, field_written(w, e->name, e->value));
		return true;
	case EDIT_HEADER_INSERT:
		field_put(w, e->index, field_written(w, e->name, e->value));
		return true;
	case EDIT_HEADER_CHANGE:
		field_change(w, e);
		return true;
	case EDIT_BODY:
		w->body_new = true;
		buf_add(&w->body, e->value);
		return true;
	default:
		return false;
	}
}

/* The message's data again: fields, the empty line, the body that is in memory. */
static void content_write(struct message *m, struct rewriting *w, struct str body, bool separated)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < w->count; i++)
		buf_add(&out, w->fields[i].whole);
	if (separated || w->count > 0)
		buf_add(&out, STR("\r\n"));
	m->header_length = out.len;
	buf_add(&out, w->body_new ? buf_str(&w->body) : body);
	buf_free(&m->data);
	m->data = out;
	if (w->body_new && m->spool_size) {
		m->spool_size = 0;
		m->spool_stale = true;
	}
	message_charge(m);
}

static void content_edits_make(struct message *m, const struct edit *edits)
{
	struct rewriting w = { .arena = arena_new(1024) };
	struct str rest = buf_str(&m->data), body;
	size_t end = header_end(rest), fields_end = 0;
	struct header_field field;
	bool any = false;

	rest.len = end;
	while (header_next(&rest, &field)) {
		fields_end = (size_t)(field.whole.data - m->data.data) + field.whole.len;
		field_put(&w, w.count, (struct field){ field.name, field.whole });
	}
	body = str_slice(buf_str(&m->data), end, m->data.len);
	for (const struct edit *e = edits; e; e = e->next)
		any = content_edit(&w, e) || any;
	if (any)
		content_write(m, &w, body, end > fields_end);
	free(w.fields);
	buf_free(&w.body);
	arena_free(&w.arena);
}

/* ---- envelope -------------------------------------------------------------------------- */

static void recipient_add(struct message *m, struct str address)
{
	if (!message_has_recipient(m, address) && m->recipient_count < UINT32_MAX)
		message_add_recipient(m, address, STR(""), 0);
}

/* Verdicts about those behind it move up with them. */
static void recipient_remove(struct subject *s, uint32_t index)
{
	struct recipient_verdict **v = &s->verdicts;

	message_remove_recipient(s->message, index);
	while (*v) {
		if ((*v)->index == index) {
			*v = (*v)->next;
			continue;
		}
		if ((*v)->index > index)
			(*v)->index--;
		v = &(*v)->next;
	}
	s->verdict_last = v;
}

static bool recipient_decided(const struct subject *s, uint32_t index)
{
	const struct recipient_verdict *v = s->verdicts;

	while (v && v->index != index)
		v = v->next;
	return v != NULL;
}

/* The first word about a recipient stands. */
static void recipient_decide(struct subject *s, const struct edit *e)
{
	struct recipient_verdict *v;

	if (e->index >= s->message->recipient_count || recipient_decided(s, e->index))
		return;
	v = ARENA_NEW(s->message->arena, struct recipient_verdict);
	v->index = e->index;
	v->verdict = e->verdict;
	/* What does not fit the verdict is replaced by the core's own. */
	reply_take(TMAIL_POINT_RCPT, e->verdict, e->code, e->enhanced, &v->code, v->enhanced);
	v->text = reply_text(s->message->arena, e->value.len ? e->value : STR("Refused"));
	*s->verdict_last = v;
	s->verdict_last = &v->next;
}

static void recipients_discard(struct subject *s)
{
	const struct message *m = s->message;

	for (const struct recipient_verdict *v = s->verdicts; v; v = v->next) {
		if (v->verdict != TMAIL_DISCARD)
			continue;
		log_event(LEVEL_INFO, s->log, "recipient_discarded",
			LOG_ID("id", id_tm(m->envelope.id)),
			LOG_STR("to", str_tm(m->recipients[v->index].address)));
		recipient_remove(s, v->index); /* v too, whose memory is the message's */
	}
}

static void envelope_edit(struct subject *s, const struct edit *e)
{
	struct message *m = s->message;
	ptrdiff_t at;

	if (e->kind == EDIT_SENDER) {
		m->envelope.sender = tm_str(arena_str(m->arena, e->value));
	} else if (e->kind == EDIT_RECIPIENT_ADD) {
		recipient_add(m, e->value);
	} else if (e->kind == EDIT_RECIPIENT_REMOVE) {
		at = message_find_recipient(m, e->value);
		if (at >= 0)
			recipient_remove(s, (uint32_t)at);
	}
}

void edits_make(struct subject *s, const struct edit *edits)
{
	if (!edits || !s->message)
		return;
	content_edits_make(s->message, edits);
	/* Decided by the numbers that the module saw: before anybody moves. */
	for (const struct edit *e = edits; e; e = e->next)
		if (e->kind == EDIT_RECIPIENT_VERDICT)
			recipient_decide(s, e);
	for (const struct edit *e = edits; e; e = e->next)
		envelope_edit(s, e);
	recipients_discard(s);
}
