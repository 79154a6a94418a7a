/* SPDX-License-Identifier: MIT
 *
 * One line, one thing that happens: a table names them all. The loop runs while an answer is
 * waited for, and no longer. docs/modules.md has the manual.
 */
#include "tools/module-test/script.h"

#include "host/notice.h"
#include "host/record.h"
#include "host/service.h"
#include "host/verb_call.h"
#include "sys/clock.h"

#include <stdlib.h>

enum { WORDS_MAX = 32 };

struct script {
	struct loop *loop;
	struct subject subject;
	struct arena *arena; /* of the session */
	struct task task;
	unsigned line, failures;
	const char *name;
	/* what is asked, and what came of it */
	enum tmail_point point;
	union tmail_event event;
	bool content;
	struct chain_answer answer;
	char result[512];
	bool over;
	struct str table, key;
};

struct words {
	struct str item[WORDS_MAX];
	size_t count;
	struct str rest; /* behind the first, as it is */
};

static struct tmail_str text(struct script *s, struct str word)
{
	return tm_str(arena_str(s->arena, word));
}

static void failed(struct script *s, const char *trouble, struct str what)
{
	fprintf(stderr, "%s:%u: %s: %.*s\n", s->name, s->line, trouble, STR_ARG(what));
	s->failures++;
}

/* ---- asked --------------------------------------------------------------------------------- */

static void answer_print(struct script *s, const struct chain_answer *answer)
{
	struct buf out = { 0 };

	buf_add_c(&out, verdict_name(answer->verdict));
	if (answer->code)
		buf_printf(
			&out, " %u %s %.*s", answer->code, answer->enhanced, STR_ARG(answer->text));
	if (answer->relay)
		buf_add_c(&out, " relay");
	if (answer->hold)
		buf_printf(&out, " hold \"%.*s\"", STR_ARG(answer->hold_reason));
	snprintf(s->result, sizeof s->result, "%s", buf_c(&out));
	buf_free(&out);
	s->over = true;
	loop_stop(s->loop);
}

static void answered(void *ctx, const struct chain_answer *answer)
{
	answer_print(ctx, answer);
}

static void ask_now(struct task *task)
{
	struct script *s = container_of(task, struct script, task);
	bool now;

	if (s->content)
		now = chain_content(&s->subject, &s->answer, answered, s);
	else
		now = chain_ask(&s->subject, s->point, &s->event, &s->answer, answered, s);
	if (now)
		answer_print(s, &s->answer);
}

static void tell_now(struct task *task)
{
	struct script *s = container_of(task, struct script, task);

	chain_tell(&s->subject, s->point, &s->event);
	if (s->point == TMAIL_POINT_RESET || s->point == TMAIL_POINT_QUEUED) {
		subject_message_end(&s->subject);
		message_free(&s->subject.message);
	}
	snprintf(s->result, sizeof s->result, "told");
	s->over = true;
	loop_stop(s->loop);
}

static void loop_do(struct script *s, void (*run)(struct task *task))
{
	s->over = false;
	s->task.run = run;
	loop_post(s->loop, &s->task);
	while (!s->over)
		loop_run(s->loop);
}

static void on_loop(struct script *s, void (*run)(struct task *task))
{
	loop_do(s, run);
	printf("%s\n", s->result);
}

static void ask(struct script *s, enum tmail_point point)
{
	s->point = point;
	s->content = false;
	printf("%-10s ", point_name(point));
	on_loop(s, ask_now);
}

static void tell(struct script *s, enum tmail_point point)
{
	s->point = point;
	printf("%-10s ", point_name(point));
	on_loop(s, tell_now);
}

/* ---- what may happen ------------------------------------------------------------------------- */

static struct message *message(struct script *s)
{
	if (!s->subject.message)
		s->subject.message =
			message_new(id_make(clock_wall(), 0, random_u64()), clock_wall());
	return s->subject.message;
}

static void do_client(struct script *s, const struct words *w)
{
	struct tmail_client *c = &s->subject.client;
	const struct {
		const char *name;
		struct tmail_str *at;
	} members[] = { { "address", &c->address }, { "reverse", &c->reverse_name },
		{ "helo", &c->helo }, { "listener", &c->listener }, { "login", &c->login },
		{ "tls", &c->tls_version }, { "hostname", &c->hostname } };

	for (size_t i = 1; i < w->count; i++) {
		struct str value = w->item[i], name;
		size_t n;

		str_split(&value, '=', &name);
		for (n = 0; n < sizeof members / sizeof *members; n++)
			if (str_equal(name, str_c(members[n].name))) {
				*members[n].at = text(s, value);
				break;
			}
		if (n == sizeof members / sizeof *members)
			failed(s, "no fact about a client", name);
	}
	c->flags = TMAIL_CLIENT_ESMTP | (c->tls_version.len ? TMAIL_CLIENT_TLS : 0) |
		(c->login.len ? TMAIL_CLIENT_AUTHENTICATED : 0);
}

static void do_helo(struct script *s, const struct words *w)
{
	s->subject.client.helo = s->event.helo.name = text(s, w->rest);
	s->event.helo.esmtp = 1;
	ask(s, TMAIL_POINT_HELO);
}

static struct tmail_list parameters(struct script *s, const struct words *w)
{
	struct tmail_parameter *all = ARENA_ARRAY(s->arena, struct tmail_parameter, w->count + 1);
	uint32_t n = 0;

	for (size_t i = 2; i < w->count; i++) {
		struct str value = w->item[i], name;

		str_split(&value, '=', &name);
		all[n++] = (struct tmail_parameter){ text(s, name), text(s, value) };
	}
	return (struct tmail_list){ all, n, sizeof *all };
}

static struct str address(const struct words *w)
{
	struct str a = w->count > 1 ? w->item[1] : STR("");

	return a.len >= 2 && a.data[0] == '<' ? str_slice(a, 1, a.len - 2) : a;
}

static void forget_now(struct task *task)
{
	struct script *s = container_of(task, struct script, task);

	subject_message_end(&s->subject);
	message_free(&s->subject.message);
	s->over = true;
	loop_stop(s->loop);
}

/* Begins a message; the one before is over. */
static void do_mail(struct script *s, const struct words *w)
{
	struct message *m;

	loop_do(s, forget_now);
	m = message(s);
	m->envelope.sender = s->event.mail.sender = text(s, address(w));
	s->event.mail.parameters = parameters(s, w);
	ask(s, TMAIL_POINT_MAIL);
}

/* Kept in the envelope when nobody refuses it, as the server does. */
static void do_rcpt(struct script *s, const struct words *w)
{
	struct tmail_recipient r = { .index = (uint32_t)message(s)->recipient_count,
		.address = text(s, address(w)) };

	s->event.rcpt.recipient = &r;
	s->event.rcpt.parameters = parameters(s, w);
	ask(s, TMAIL_POINT_RCPT);
	if (strncmp(s->result, "REJECT", 6) != 0 && strncmp(s->result, "TEMPFAIL", 8) != 0)
		message_add_recipient(message(s), str_tm(r.address), STR(""), 0);
}

static void do_header(struct script *s, const struct words *w)
{
	buf_add(&message(s)->data, w->rest);
	buf_add(&message(s)->data, STR("\r\n"));
}

static void do_body(struct script *s, const struct words *w)
{
	struct buf *data = &message(s)->data;
	size_t end;

	if (!message(s)->header_length) {
		end = data->len;
		buf_add(data, STR("\r\n"));
		message(s)->header_length = end + 2;
	}
	buf_add(data, w->rest);
	buf_add(data, STR("\r\n"));
}

static void do_eom(struct script *s, const struct words *w)
{
	(void)w;
	if (!message(s)->header_length)
		do_body(s, &(struct words){ .count = 0 });
	s->content = true;
	printf("%-10s ", "EOM");
	on_loop(s, ask_now);
}

static void do_show(struct script *s, const struct words *w)
{
	struct message *m = message(s);

	(void)w;
	printf("from <%.*s>\n", STR_ARG(str_tm(m->envelope.sender)));
	for (size_t i = 0; i < m->recipient_count; i++)
		printf("to <%.*s>\n", STR_ARG(str_tm(m->recipients[i].address)));
	printf("%.*s", STR_ARG(buf_str(&m->data)));
}

static void do_outcome(struct script *s, const struct words *w)
{
	static const enum tmail_point points[] = { TMAIL_POINT_DELIVERED, TMAIL_POINT_DEFERRED,
		TMAIL_POINT_BOUNCED };
	struct tmail_recipient r = { .address = text(s, address(w)) };

	s->event.outcome.recipient = &r;
	s->event.outcome.reply = tm_str(STR("250 2.0.0 Ok"));
	for (size_t i = 0; i < 3; i++)
		if (str_equal_case(w->item[0], str_c(point_name(points[i]))))
			tell(s, points[i]);
}

static void do_predeliver(struct script *s, const struct words *w)
{
	struct tmail_recipient r = { .address = text(s, address(w)) };

	s->event.predeliver.recipient = &r;
	ask(s, TMAIL_POINT_PREDELIVER);
}

static void do_tick(struct script *s, const struct words *w)
{
	(void)w;
	s->event.tick.now = clock_wall();
	generation_tell(s->subject.generation, TMAIL_POINT_TICK, &s->event);
}

static void do_changed(struct script *s, const struct words *w)
{
	table_changed(s->subject.generation, arena_c(s->arena, w->rest));
}

static void do_plain(struct script *s, const struct words *w)
{
	static const enum tmail_point points[] = { TMAIL_POINT_CONNECT, TMAIL_POINT_DATA };

	for (size_t i = 0; i < 2; i++)
		if (str_equal_case(w->item[0], str_c(point_name(points[i]))))
			ask(s, points[i]);
}

static void do_notice(struct script *s, const struct words *w)
{
	static const enum tmail_point points[] = { TMAIL_POINT_TLS, TMAIL_POINT_RESET,
		TMAIL_POINT_QUEUED, TMAIL_POINT_DISCONNECT };

	for (size_t i = 0; i < 4; i++)
		if (str_equal_case(w->item[0], str_c(point_name(points[i]))))
			tell(s, points[i]);
}

/* ---- tables and verbs -------------------------------------------------------------------------- */

static void looked_up(void *ctx, int status, struct str value)
{
	static const char *const names[] = { "OK", "NOT_FOUND", "TRY_LATER" };
	struct script *s = ctx;

	snprintf(s->result, sizeof s->result, "%s%s%.*s",
		status >= 0 && status <= TMAIL_TRY_LATER ? names[status] : "?",
		value.len ? " " : "", STR_ARG(value));
	s->over = true;
	loop_stop(s->loop);
}

static void lookup_now(struct task *task)
{
	struct script *s = container_of(task, struct script, task);
	struct str value = STR("");
	bool exists;
	int status =
		table_lookup(&s->subject, s->table.data, s->key, &value, &exists, looked_up, s);

	if (status != TMAIL_PENDING)
		looked_up(s, status, value);
}

static void do_lookup(struct script *s, const struct words *w)
{
	if (w->count != 3) {
		failed(s, "lookup needs TABLE KEY", w->rest);
		return;
	}
	s->table = arena_str(s->arena, w->item[1]);
	s->key = w->item[2];
	printf("%-10s ", "lookup");
	on_loop(s, lookup_now);
}

static void verb_columns(void *ctx, const char *const *names, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		printf("%s%s", names[i], i + 1 < n ? "\t" : "\n");
}

static void verb_row(void *ctx, const struct tmail_str *values, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		printf("%.*s%s", STR_ARG(str_tm(values[i])), i + 1 < n ? "\t" : "\n");
}

static void verb_line(void *ctx, struct str line)
{
	(void)ctx;
	printf("%.*s\n", STR_ARG(line));
}

static void verb_progress(void *ctx, uint64_t done, uint64_t of)
{
	(void)ctx;
	(void)done;
	(void)of;
}

/* verb "rcpthost add" HOSTNAME=example.com local=1 */
static void do_verb(struct script *s, const struct words *w)
{
	static const struct verb_emit emit = { verb_columns, verb_row, verb_line, verb_line,
		verb_progress, NULL };
	struct tmail_value values[WORDS_MAX];
	struct tmail_list list = { values, 0, sizeof *values };
	struct str rest = str_trim(w->rest), name, word;

	if (rest.len && rest.data[0] == '"') {
		rest = str_slice(rest, 1, rest.len);
		str_split(&rest, '"', &name);
	} else if (!str_word(&rest, &name)) {
		name = STR("");
	}
	while (list.count < WORDS_MAX && str_word(&rest, &word)) {
		struct str key;

		str_split(&word, '=', &key);
		values[list.count++] = (struct tmail_value){ tm_str(key), tm_str(word) };
	}
	for (size_t i = 0; i < instance_count(s->subject.generation); i++) {
		struct instance *instance = instance_at(s->subject.generation, i);

		TMAIL_EACH(struct tmail_verb, v, instance_module(instance)->verbs)
			if (str_equal(name, str_c(v->name))) {
				snprintf(s->result, sizeof s->result, "%s",
					verb_call(instance, v, &list, &emit) == TMAIL_OK
						? "OK"
						: "FAILED");
				printf("%-10s %s\n", "verb", s->result);
				return;
			}
	}
	failed(s, "no module has the verb", name);
}

/* The last answer begins with these words. */
static void do_expect(struct script *s, const struct words *w)
{
	if (!str_starts(str_c(s->result), w->rest))
		failed(s, "expected", w->rest);
}

static const struct {
	const char *name;
	void (*run)(struct script *s, const struct words *w);
} commands[] = {
	{ "client", do_client },
	{ "connect", do_plain },
	{ "tls", do_notice },
	{ "helo", do_helo },
	{ "mail", do_mail },
	{ "rcpt", do_rcpt },
	{ "data", do_plain },
	{ "header", do_header },
	{ "body", do_body },
	{ "eom", do_eom },
	{ "show", do_show },
	{ "reset", do_notice },
	{ "queued", do_notice },
	{ "disconnect", do_notice },
	{ "predeliver", do_predeliver },
	{ "delivered", do_outcome },
	{ "deferred", do_outcome },
	{ "bounced", do_outcome },
	{ "tick", do_tick },
	{ "changed", do_changed },
	{ "lookup", do_lookup },
	{ "verb", do_verb },
	{ "expect", do_expect },
};

static void line_play(struct script *s, struct str line)
{
	struct words w = { .count = 0 };
	struct str rest = line;

	while (w.count < WORDS_MAX && str_word(&rest, &w.item[w.count])) {
		if (w.count++ == 0)
			w.rest = str_trim(rest);
	}
	if (w.count == 0 || w.item[0].data[0] == '#')
		return;
	s->event = (union tmail_event){ 0 };
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (str_equal(w.item[0], str_c(commands[i].name))) {
			commands[i].run(s, &w);
			return;
		}
	failed(s, "not known", w.item[0]);
}

unsigned script_play(struct script *s, FILE *in, const char *name)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	s->name = name;
	while ((len = getline(&line, &cap, in)) >= 0) {
		s->line++;
		line_play(s, str_trim_line(str_make(line, (size_t)len)));
	}
	free(line);
	return s->failures;
}

struct script *script_new(struct loop *loop, struct generation *g)
{
	struct script *s = must_alloc(sizeof *s);

	s->loop = loop;
	s->arena = arena_new(1024);
	subject_init(&s->subject, loop, g);
	s->subject.client.listener = tm_str(STR("mx"));
	s->subject.client.address = tm_str(STR("192.0.2.1"));
	return s;
}

static void end_now(struct task *task)
{
	struct script *s = container_of(task, struct script, task);

	subject_end(&s->subject);
	s->over = true;
	loop_stop(s->loop);
}

void script_free(struct script **sp)
{
	struct script *s = *sp;

	*sp = NULL;
	loop_do(s, end_now);
	message_free(&s->subject.message);
	arena_free(&s->arena);
	free(s);
}
