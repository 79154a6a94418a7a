/* SPDX-License-Identifier: MIT
 *
 * What the host does for a call: the functions of struct tmail_host but for the net, the edits
 * and the rows of verbs, which have tables of their own. Every one may be called with anything
 * by any module: what has no place is answered TMAIL_REFUSED and does nothing.
 */
#include "host/call.h"

#include "host/ask.h"
#include "host/table.h"
#include "host/verb_call.h"
#include "host/verdict.h"

#include <tmail/service/queue.h>
#include <tmail/service/sql.h>
#include <tmail/service/table.h>

#include <stdio.h>
#include <stdlib.h>

enum { LOG_FIELDS_MAX = 24, REPLY_MAX_TEXT = 512, ALLOC_MAX = 64 * 1024 * 1024 };

/* ---- log, count, alloc, reply ------------------------------------------------------------ */

/* "default", then enum log_level by one. */
static enum log_level instance_threshold(const struct instance *i)
{
	return i->settings.log_level > 0 ? (enum log_level)(i->settings.log_level - 1)
					 : log_threshold;
}

void call_log(struct call *c, enum log_level level, const char *event,
	const struct log_field *fields, size_t n)
{
	struct log_field about[3] = { LOG_C("module", c->instance->name) };
	struct log_context module = { c->log, about, 1 };
	const struct tmail_client *client = c->public.client;
	const struct tmail_envelope *envelope = c->public.envelope;

	log_listener *heard = level < LEVEL_DEBUG ? log_heard : NULL;

	if (level > instance_threshold(c->instance) && !heard)
		return;
	/* Without the subject's own context, as much of it as the call knows. */
	if (!c->log && client && (client->id.hi || client->id.lo))
		about[module.count++] = LOG_ID("session", id_tm(client->id));
	if (!c->log && envelope)
		about[module.count++] = LOG_ID("message", id_tm(envelope->id));
	if (heard)
		heard(&module, event, fields, n);
	if (level <= instance_threshold(c->instance))
		log_write(level, &module, event, fields, n);
}

static void host_log(struct tmail_call *call, enum tmail_level level, const char *event,
	const struct tmail_field *fields, uint32_t n)
{
	struct log_field out[LOG_FIELDS_MAX];
	uint32_t count = n < LOG_FIELDS_MAX ? n : LOG_FIELDS_MAX;

	if ((unsigned)level > TMAIL_DEBUG)
		level = TMAIL_DEBUG;
	for (uint32_t i = 0; i < count; i++)
		out[i] = LOG_STR(fields[i].name, str_tm(fields[i].value));
	call_log(call_of(call), (enum log_level)level, event, out, count);
}

static void host_count(struct tmail_call *call, uint32_t metric, uint64_t n)
{
	struct module *m = call_of(call)->instance->module;

	if (metric < m->descriptor->metrics.count)
		module_metric_add(m->metrics[metric], n);
}

static struct scope *call_scope(struct call *c, enum tmail_scope scope)
{
	if (c->held)
		return scope == TMAIL_SCOPE_SESSION ? c->session : c->message;
	if (!c->subject)
		return NULL;
	return scope == TMAIL_SCOPE_SESSION ? scope_session(c->subject) : scope_message(c->subject);
}

static void *host_alloc(struct tmail_call *call, size_t size, enum tmail_scope scope)
{
	struct call *c = call_of(call);
	struct scope *s;

	if (size > ALLOC_MAX)
		return NULL;
	if (scope == TMAIL_SCOPE_CALL)
		return arena_alloc(call_arena(c), size);
	s = call_scope(c, scope);
	return s ? scope_alloc(s, size) : NULL;
}

static int host_reply(
	struct tmail_call *call, uint32_t code, const char *enhanced, const char *format, ...)
{
	struct call *c = call_of(call);
	char text[REPLY_MAX_TEXT];
	va_list args;
	int len;

	if (!call->answer)
		return TMAIL_REFUSED;
	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len < 0)
		return TMAIL_REFUSED;
	if ((size_t)len >= sizeof text)
		len = sizeof text - 1;
	c->answer.code = code;
	c->answer.enhanced = tm_str(arena_str(call_arena(c), str_c(enhanced)));
	c->answer.text = tm_str(reply_text(call_arena(c), str_make(text, (size_t)len)));
	return TMAIL_OK;
}

/* ---- waiting --------------------------------------------------------------------------- */

static int host_resume(struct tmail_call *call, int value)
{
	return call_resume(call_of(call), value);
}

static int host_abandoned(
	struct tmail_call *call, int (*gone)(struct tmail_call *, void *ctx), void *ctx)
{
	struct call *c = call_of(call);

	if (!c->held || c->worker || !c->home || !call_at_home(c))
		return TMAIL_REFUSED;
	c->gone = gone;
	c->gone_ctx = ctx;
	return TMAIL_OK;
}

/* ---- notes ----------------------------------------------------------------------------- */

static int host_note_set(struct tmail_call *call, struct tmail_str name, struct tmail_str value)
{
	struct call *c = call_of(call);
	struct note *n;

	if (!c->subject || !c->subject->message || call->dry || !call_at_home(c))
		return TMAIL_REFUSED;
	if (!c->worker) {
		message_note_set(c->subject->message, str_tm(name), str_tm(value));
		return TMAIL_OK;
	}
	n = ARENA_NEW(call_arena(c), struct note);
	n->name = tm_str(arena_str(call_arena(c), str_tm(name)));
	n->value = tm_str(arena_str(call_arena(c), str_tm(value)));
	n->next = c->notes;
	c->notes = n;
	return TMAIL_OK;
}

static int host_note_get(struct tmail_call *call, struct tmail_str name, struct tmail_str *value)
{
	struct call *c = call_of(call);
	struct str found;

	if (!call_at_home(c))
		return TMAIL_REFUSED;
	if (note_find(c->notes, str_tm(name), &found) ||
		(c->facts && note_find(c->facts->notes, str_tm(name), &found)) ||
		(!c->worker && c->subject && c->subject->message &&
			message_note_get(c->subject->message, str_tm(name), &found))) {
		*value = tm_str(found);
		return TMAIL_OK;
	}
	return TMAIL_NOT_FOUND;
}

/* ---- other modules ----------------------------------------------------------------------- */

/* "table:rcpthost" is the service "table" with the key "rcpthost". */
static bool service_allowed(const struct call *c, struct str name)
{
	uint32_t can = c->instance->descriptor->capabilities;

	if (str_equal(name, STR(TMAIL_SQL)))
		return can & TMAIL_CAN_SQL;
	if (str_equal(name, STR(TMAIL_QUEUE)))
		return can & TMAIL_CAN_QUEUE;
	return true;
}

static void arena_drop(void *arena)
{
	struct arena *a = arena;

	arena_free(&a);
}

static void ask_nobody(struct ask *a, int status)
{
	(void)a;
	(void)status;
}

/* On a loop: only what answers at once. */
static int ask_at_once(
	struct call *c, struct service *s, uint32_t op, const void *question, void *answer)
{
	const struct tmail_operation *operation = service_operation(s, op);
	struct ask ask = { .done = ask_nobody };
	int status;

	if (operation && operation->flags & (TMAIL_BLOCKING | TMAIL_WAITS))
		return TMAIL_REFUSED;
	ask.memory = arena_new(512);
	status = ask_start(&ask, s, c->subject, c->home, op, question, answer);
	ask_end(&ask);
	/* What it allocated lives as long as the asking call. */
	if (ask.memory)
		arena_cleanup(call_arena(c), arena_drop, ask.memory);
	return status == TMAIL_PENDING ? TMAIL_REFUSED : status;
}

static int host_ask(struct tmail_call *call, const char *service, uint32_t op, const void *question,
	void *answer)
{
	struct call *c = call_of(call);
	struct str rest = str_c(service), name = rest;
	char text[64];
	const char *key = strchr(service, ':');
	int status = TMAIL_UNSUPPORTED;
	struct generation *g;
	struct service *s;

	str_split(&rest, ':', &name);
	if (name.len >= sizeof text || !service_allowed(c, name))
		return TMAIL_REFUSED;
	snprintf(text, sizeof text, "%.*s", STR_ARG(name));
	if (!call_at_home(c) || !(g = call_generation(c)))
		return TMAIL_REFUSED;
	for (unsigned n = 0; (s = service_find(g, text, key ? key + 1 : NULL, n)); n++) {
		status = loop_current() ? ask_at_once(c, s, op, question, answer)
					: service_ask_wait(s, op, question, answer, call_arena(c));
		if (status != TMAIL_NOT_FOUND && status != TMAIL_UNSUPPORTED)
			break;
	}
	generation_unref(&g);
	return status;
}

static int host_changed(struct tmail_call *call, const char *table)
{
	struct generation *g = call_generation(call_of(call));

	if (!g)
		return TMAIL_REFUSED;
	table_changed(g, table);
	generation_unref(&g);
	return TMAIL_OK;
}

static const char *host_base(struct tmail_call *call)
{
	return conf_base(call_of(call)->instance->share->conf);
}

/* ---- look-ups -------------------------------------------------------------------------- */

typedef void lookup_function(
	struct tmail_call *call, void *ctx, int status, struct tmail_str value);

struct lookup {
	struct handle handle;
	struct call *call;
	struct subject subject; /* a stand-in, so that the look-up can be cancelled alone */
	lookup_function *done;
	void *ctx;
};

static void lookup_end(struct handle *h)
{
	struct lookup *l = container_of(h, struct lookup, handle);

	list_remove(&h->link);
	subject_end(&l->subject);
	free(l);
}

static void lookup_done(void *ctx, int status, struct str value)
{
	struct lookup *l = ctx;
	struct call *c = l->call;
	lookup_function *done = l->done;
	void *done_ctx = l->ctx;
	struct tmail_str copy = tm_str(arena_str(call_arena(c), value));

	lookup_end(&l->handle);
	if (atomic_load(&c->state) != CALL_LIVE)
		return;
	call_enter(c);
	done(&c->public, done_ctx, status, copy);
	call_leave(c);
}

static int lookup_now(
	struct call *c, const char *table, struct str key, lookup_function *done, void *ctx)
{
	struct generation *g = call_generation(c);
	struct str value = STR("");
	int status;

	if (!g)
		return TMAIL_REFUSED;
	status = table_ask_wait(g, table, key, call_arena(c), &value);
	generation_unref(&g);
	done(&c->public, ctx, status, tm_str(value));
	return status;
}

static int host_lookup(struct tmail_call *call, const char *table, struct tmail_str key,
	lookup_function *done, void *ctx)
{
	struct call *c = call_of(call);
	struct str value = STR("");
	struct generation *g;
	struct lookup *l;
	bool exists;
	int status;

	if (!call_at_home(c))
		return TMAIL_REFUSED;
	if (!loop_current())
		return lookup_now(c, table, str_tm(key), done, ctx);
	if (!(g = call_generation(c)))
		return TMAIL_REFUSED;
	l = must_alloc(sizeof *l);
	l->call = c;
	l->done = done;
	l->ctx = ctx;
	l->handle.end = lookup_end;
	list_append(&c->handles, &l->handle.link);
	subject_init(&l->subject, c->home, g);
	generation_unref(&g);
	status = table_lookup(&l->subject, table, str_tm(key), &value, &exists, lookup_done, l);
	if (status == TMAIL_PENDING)
		return status;
	lookup_end(&l->handle);
	done(call, ctx, status, tm_str(arena_str(call_arena(c), value)));
	return status;
}

/* ---- rows of a verb ---------------------------------------------------------------------- */

static int emit_columns(struct tmail_call *call, const char *const *names, uint32_t n)
{
	const struct verb_emit *e = call_of(call)->emit;

	e->columns(e->ctx, names, n);
	return TMAIL_OK;
}

static int emit_row(struct tmail_call *call, const struct tmail_str *values, uint32_t n)
{
	const struct verb_emit *e = call_of(call)->emit;

	e->row(e->ctx, values, n);
	return TMAIL_OK;
}

static int emit_progress(struct tmail_call *call, uint64_t done, uint64_t of)
{
	const struct verb_emit *e = call_of(call)->emit;

	e->progress(e->ctx, done, of);
	return TMAIL_OK;
}

static void emit_text(
	void (*out)(void *ctx, struct str text), void *ctx, const char *format, va_list args)
{
	struct buf text = { 0 };

	buf_vprintf(&text, format, args);
	out(ctx, buf_str(&text));
	buf_free(&text);
}

static int emit_say(struct tmail_call *call, const char *format, ...)
{
	const struct verb_emit *e = call_of(call)->emit;
	va_list args;

	va_start(args, format);
	emit_text(e->say, e->ctx, format, args);
	va_end(args);
	return TMAIL_OK;
}

static int emit_fail(struct tmail_call *call, const char *format, ...)
{
	const struct verb_emit *e = call_of(call)->emit;
	va_list args;

	va_start(args, format);
	emit_text(e->fail, e->ctx, format, args);
	va_end(args);
	return TMAIL_REFUSED;
}

static const struct tmail_emit host_emit = { sizeof host_emit, emit_columns, emit_row, emit_say,
	emit_fail, emit_progress };

/* ---- the tables of an instance ------------------------------------------------------------- */

void host_tables_fill(struct tmail_host hosts[PARTS], uint32_t capabilities)
{
	for (unsigned parts = 0; parts < PARTS; parts++)
		hosts[parts] = (struct tmail_host){
			.size = sizeof *hosts,
			.abi_major = TMAIL_ABI_MAJOR,
			.abi_minor = TMAIL_ABI_MINOR,
			.log = host_log,
			.count = host_count,
			.alloc = host_alloc,
			.reply = host_reply,
			.resume = host_resume,
			.note_set = host_note_set,
			.note_get = host_note_get,
			.ask = host_ask,
			.lookup = host_lookup,
			.changed = host_changed,
			.edit = parts & PART_EDIT && capabilities & TMAIL_CAN_EDIT ? &host_edit
										   : NULL,
			.net = parts & PART_NET && capabilities & TMAIL_CAN_NET ? &host_net : NULL,
			.emit = parts & PART_EMIT ? &host_emit : NULL,
			.base = capabilities & TMAIL_CAN_FILE ? host_base : NULL,
			.abandoned = host_abandoned,
		};
}
