/* SPDX-License-Identifier: MIT
 *
 * `trace`: the life of a message or a session, from the trail (host/trail.h). Events come out as
 * they were told; this only puts their fields into columns. The file is read, not the store, so
 * it does not matter whether the server runs, nor whether the message is still there.
 */
#include "admin/verbs.h"

#include "host/message.h"
#include "host/trail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* Columns that fields have to themselves: who did it, and how long it took. */
static const char *const where_names[] = { "module", "host", "client", NULL };
static const struct {
	const char *field, *unit;
} took_names[] = { { "ms", "ms" }, { "us", "us" } };

struct telling {
	struct output *o;
	struct id id; /* that was asked for: it need not be said again */
	uint64_t rows;
	struct buf details;
};

static struct tmail_str text_str(const char *text)
{
	return (struct tmail_str){ text, strlen(text) };
}

static void time_text(int64_t us, char text[40])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	size_t n = 0;

	if (us > 0 && gmtime_r(&seconds, &tm))
		n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 40 - n, ".%06dZ", us > 0 ? (int)(us % 1000000) : 0);
}

/* The first field of these names, which is then in its column; -1: there is none. */
static int field_of(const struct trail_event *e, const char *const *names)
{
	for (; *names; names++)
		for (size_t i = 0; i < e->count; i++)
			if (e->fields[i].kind == LOG_KIND_STR && !strcmp(e->fields[i].name, *names))
				return (int)i;
	return -1;
}

static int took_of(const struct trail_event *e, char text[32])
{
	text[0] = '\0';
	for (size_t k = 0; k < sizeof took_names / sizeof *took_names; k++)
		for (size_t i = 0; i < e->count; i++) {
			const struct log_field *f = &e->fields[i];

			if (f->kind != LOG_KIND_NUM || strcmp(f->name, took_names[k].field) != 0)
				continue;
			snprintf(text, 32, "%" PRId64 " %s", f->num, took_names[k].unit);
			return (int)i;
		}
	return -1;
}

static void detail_add(struct buf *out, const struct trail_event *e, const struct log_field *f)
{
	char text[40];

	buf_printf(out, "%s%s=", out->len ? " " : "", f->name);
	if (f->kind == LOG_KIND_ID) {
		id_text(f->id, text);
		buf_add_c(out, text);
	} else if (f->kind == LOG_KIND_NUM && !strcmp(f->name, "retry")) { /* s from then on */
		time_text(e->time + f->num * 1000000, text);
		buf_add_c(out, text);
	} else if (f->kind == LOG_KIND_NUM) {
		buf_printf(out, "%" PRId64, f->num);
	} else if (f->str.len == 0 || str_find(f->str, ' ') >= 0) {
		buf_printf(out, "\"%.*s\"", STR_ARG(f->str));
	} else {
		buf_add(out, f->str);
	}
}

static void event_row(void *ctx, const struct trail_event *e)
{
	struct telling *t = ctx;
	char time[40], took[32];
	int where = field_of(e, where_names), long_ = took_of(e, took);

	if (t->rows++ == 0)
		t->o->columns(t->o,
			(const char *const[]){ "time", "where", "what", "took", "details" }, 5);
	time_text(e->time, time);
	buf_clear(&t->details);
	if (e->lost)
		buf_printf(&t->details, "%" PRIu64 " events were lost around here", e->lost);
	for (size_t i = 0; i < e->count; i++)
		if ((int)i != where && (int)i != long_ && !id_equal(e->fields[i].id, t->id))
			detail_add(&t->details, e, &e->fields[i]);
	t->o->row(t->o,
		(const struct tmail_str[]){ text_str(time),
			where < 0 ? text_str("") : tm_str(e->fields[where].str),
			text_str(e->lost ? "lost" : e->name), text_str(took),
			tm_str(buf_str(&t->details)) },
		5);
}

static enum verb_result not_found(
	struct output *o, enum trail_found found, struct str id, const struct trail_kept *kept)
{
	char since[40];

	time_text(kept->since, since);
	if (kept->since == 0)
		output_fail(o, "trace: no trace of %.*s: nothing was kept yet", STR_ARG(id));
	else if (found == TRAIL_TOO_OLD)
		output_fail(o, "trace: no trace of %.*s: it is older than what is kept, since %s",
			STR_ARG(id), since);
	else if (kept->lost > 0)
		output_fail(o,
			"trace: no trace of %.*s, but %" PRIu64
			" events were lost since it was made",
			STR_ARG(id), kept->lost);
	else
		output_fail(o, "trace: there was no session or message %.*s", STR_ARG(id));
	return VERB_FAILED;
}

static enum verb_result trace_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct telling telling = { .o = o };
	struct str text = value_of(values, "ID");
	const char *file = admin_calls()->trace_file;
	struct trail_kept kept;
	enum trail_found found;
	struct why why;
	struct id id;

	(void)g;
	if (!id_parse(text, &id)) {
		output_fail(o, "trace: '%.*s' is no id: %d characters of 0-9 and a-v",
			STR_ARG(text), ID_TEXT);
		return VERB_USAGE;
	}
	if (!file) {
		output_fail(o, "trace: nothing is kept, log.trace_size is 0");
		return VERB_FAILED;
	}
	telling.id = id;
	trail_flush();
	found = trail_read(file, id, event_row, &telling, &kept, &why);
	buf_free(&telling.details);
	if (found == TRAIL_FOUND)
		return VERB_OK;
	if (found != TRAIL_UNREADABLE)
		return not_found(o, found, text, &kept);
	output_fail(o, "trace: %s", why.text);
	return VERB_FAILED;
}

static const struct tmail_argument arguments[] = {
	{ "ID", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REQUIRED,
		"of a message, or of a session, as the greeting, the reply or the log has it" },
};

static const struct verb table[] = {
	{ .name = "trace",
		.summary = "Shows the life of a message or a session, step by step.",
		.role = TMAIL_ROLE_READ,
		.flags = TMAIL_OFFLINE,
		.arguments = TMAIL_LIST(arguments),
		.run = trace_run },
};

const struct verb_table verbs_trace = { table, sizeof table / sizeof *table };
