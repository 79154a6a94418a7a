/* SPDX-License-Identifier: MIT
 *
 * What calls see that may last longer than the subject: the memory modules have for a session
 * or a message (scopes), and copies of facts and events. What must hold: a scope ends on its
 * loop, once, when neither the subject nor any call refers to it, and only then are the end
 * functions of modules called; so they never overlap a call that still runs somewhere.
 */
#include "host/call.h"

#include <stdlib.h>

enum { SCOPE_ARENA = 512, FACTS_ARENA = 512 };

/* ---- scopes ---------------------------------------------------------------------------- */

static struct scope *scope_new(struct subject *s, bool message)
{
	struct scope *scope = must_alloc(sizeof *scope);

	scope->refs = 1;
	scope->message = message;
	scope->loop = s->loop;
	scope->generation = generation_ref(s->generation);
	must(pthread_mutex_init(&scope->lock, NULL) == 0);
	list_init(&scope->telling);
	return scope;
}

struct scope *scope_session(struct subject *s)
{
	if (!s->session_scope)
		s->session_scope = scope_new(s, false);
	return s->session_scope;
}

struct scope *scope_message(struct subject *s)
{
	if (!s->message_scope && s->message)
		s->message_scope = scope_new(s, true);
	return s->message_scope;
}

struct scope *scope_ref(struct scope *s)
{
	s->refs++;
	return s;
}

static void state_end(struct scope *s, unsigned position)
{
	struct instance *i = s->generation->instances[position];
	void (*end)(struct tmail_call *) =
		s->message ? i->descriptor->message_end : i->descriptor->session_end;
	struct call *c;

	if (!s->states[position] || !end)
		return;
	c = call_take(s->generation, i, position, NULL, s->loop, TMAIL_POINTS, 0);
	if (!c)
		return;
	if (s->message)
		c->public.message = s->states[position];
	else
		c->public.session = s->states[position];
	call_last(c, end);
	call_drop(&c);
}

void scope_unref(struct scope **sp)
{
	struct scope *s = *sp;

	*sp = NULL;
	if (!s || --s->refs > 0)
		return;
	must(list_empty(&s->telling));
	for (unsigned i = 0; s->states && i < s->generation->count; i++)
		state_end(s, i);
	free(s->states);
	arena_free(&s->arena);
	pthread_mutex_destroy(&s->lock);
	generation_unref(&s->generation);
	free(s);
}

void *scope_alloc(struct scope *s, size_t size)
{
	void *memory;

	pthread_mutex_lock(&s->lock);
	if (!s->arena)
		s->arena = arena_new(SCOPE_ARENA);
	memory = arena_alloc(s->arena, size);
	pthread_mutex_unlock(&s->lock);
	return memory;
}

void *scope_state(struct scope *s, unsigned position, size_t size)
{
	if (!s->states)
		s->states = must_alloc(s->generation->count * sizeof *s->states);
	if (!s->states[position])
		s->states[position] = scope_alloc(s, size);
	return s->states[position];
}

/* ---- facts ----------------------------------------------------------------------------- */

static void copy(struct arena *a, struct tmail_str *s)
{
	if (s->len)
		s->data = arena_c(a, str_tm(*s));
}

static void client_copy(struct arena *a, struct tmail_client *c)
{
	copy(a, &c->address);
	copy(a, &c->local_address);
	copy(a, &c->reverse_name);
	copy(a, &c->helo);
	copy(a, &c->listener);
	copy(a, &c->login);
	copy(a, &c->tls_version);
	copy(a, &c->tls_cipher);
	copy(a, &c->certificate);
	copy(a, &c->hostname);
	copy(a, &c->mechanism);
}

/* The array only: the strings are in the message's arena, which the reference keeps. */
static void recipients_copy(struct arena *a, struct tmail_list *list)
{
	struct tmail_recipient *all = ARENA_ARRAY(a, struct tmail_recipient, list->count);

	memcpy(all, list->item, list->count * sizeof *all);
	list->item = all;
}

static void parameters_copy(struct arena *a, struct tmail_list *list)
{
	struct tmail_parameter *all = ARENA_ARRAY(a, struct tmail_parameter, list->count), *p = all;

	TMAIL_EACH(struct tmail_parameter, parameter, *list) {
		*p = *parameter;
		copy(a, &p->name);
		copy(a, &p->value);
		p++;
	}
	list->item = all;
	list->stride = sizeof *all;
}

static void recipient_copy(struct arena *a, const struct tmail_recipient **recipient)
{
	struct tmail_recipient *r = ARENA_NEW(a, struct tmail_recipient);

	*r = **recipient;
	copy(a, &r->address);
	copy(a, &r->original);
	*recipient = r;
}

static void event_copy(struct arena *a, enum tmail_point point, union tmail_event *e)
{
	switch (point) {
	case TMAIL_POINT_HELO:
		copy(a, &e->helo.name);
		break;
	case TMAIL_POINT_AUTH:
		copy(a, &e->auth.mechanism);
		copy(a, &e->auth.login);
		break;
	case TMAIL_POINT_MAIL:
		copy(a, &e->mail.sender);
		parameters_copy(a, &e->mail.parameters);
		break;
	case TMAIL_POINT_RCPT:
		recipient_copy(a, &e->rcpt.recipient);
		parameters_copy(a, &e->rcpt.parameters);
		break;
	case TMAIL_POINT_HEADER:
		copy(a, &e->header.name);
		copy(a, &e->header.value);
		break;
	case TMAIL_POINT_BODY:
		copy(a, &e->body.chunk);
		break;
	case TMAIL_POINT_UNKNOWN:
		copy(a, &e->unknown.verb);
		copy(a, &e->unknown.argument);
		break;
	case TMAIL_POINT_DISCONNECT:
		copy(a, &e->disconnect.reason);
		break;
	case TMAIL_POINT_PREDELIVER:
		recipient_copy(a, &e->predeliver.recipient);
		break;
	case TMAIL_POINT_DELIVERED:
	case TMAIL_POINT_DEFERRED:
	case TMAIL_POINT_BOUNCED:
		recipient_copy(a, &e->outcome.recipient);
		copy(a, &e->outcome.host);
		copy(a, &e->outcome.reply);
		break;
	case TMAIL_POINT_CHANGED:
		copy(a, &e->changed.table);
		break;
	default: /* nothing outside the event */
		break;
	}
}

struct facts *facts_new(
	const struct subject *s, enum tmail_point point, const union tmail_event *event)
{
	struct arena *arena = arena_new(FACTS_ARENA);
	struct facts *f = ARENA_NEW(arena, struct facts);

	f->refs = 1;
	f->arena = arena;
	if (s) {
		f->has_client = true;
		f->client = s->client;
		client_copy(arena, &f->client);
	}
	if (s && s->message) {
		f->message = message_ref(s->message);
		f->envelope = s->message->envelope;
		f->notes = s->message->notes;
		if (f->envelope.recipients.count)
			recipients_copy(arena, &f->envelope.recipients);
	}
	if (event) {
		f->event = *event;
		event_copy(arena, point, &f->event);
	}
	return f;
}

struct facts *facts_ref(struct facts *f)
{
	f->refs++;
	return f;
}

void facts_unref(struct facts **fp)
{
	struct facts *f = *fp;
	struct arena *arena;

	*fp = NULL;
	if (!f || --f->refs > 0)
		return;
	arena = f->arena; /* f lies in it */
	message_free(&f->message);
	arena_free(&arena);
}
