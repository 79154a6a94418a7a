/* SPDX-License-Identifier: MIT
 *
 * The fake host. Each ask has a call of its own; memory of all calls hangs on the host.
 */
#include "tests/lib/fake_host.h"

#include "base/fail.h"
#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_memory {
	struct fake_memory *next;
	_Alignas(16) char octets[];
};
struct fake_call {
	struct tmail_call call; /* first */
	struct fake_host *f;
	bool resumed;
	int value;
};

static struct fake_call *mine(struct tmail_call *call)
{
	return (struct fake_call *)(void *)call;
}

static struct str text_of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

/* ---- what a module may call ---------------------------------------------------------------- */

static void host_log(struct tmail_call *call, enum tmail_level level, const char *event,
	const struct tmail_field *fields, uint32_t n)
{
	struct fake_host *f = mine(call)->f;

	(void)level;
	pthread_mutex_lock(&f->lock);
	buf_add_c(&f->log, event);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(&f->log, " %s=%.*s", fields[i].name, STR_ARG(text_of(fields[i].value)));
	buf_add_char(&f->log, '\n');
	pthread_mutex_unlock(&f->lock);
}

static void host_count(struct tmail_call *call, uint32_t metric, uint64_t n)
{
	struct fake_host *f = mine(call)->f;

	must(metric < f->module->metrics.count && metric < 64);
	pthread_mutex_lock(&f->lock);
	f->counted[metric] += n;
	pthread_mutex_unlock(&f->lock);
}

static void *host_alloc(struct tmail_call *call, size_t size, enum tmail_scope scope)
{
	struct fake_host *f = mine(call)->f;
	struct fake_memory *memory = must_alloc(sizeof *memory + size);

	(void)scope;
	pthread_mutex_lock(&f->lock);
	memory->next = f->memory;
	f->memory = memory;
	pthread_mutex_unlock(&f->lock);
	return memory->octets;
}

static void say_line(struct fake_host *f, struct buf *to, const char *format, va_list args)
{
	pthread_mutex_lock(&f->lock);
	buf_vprintf(to, format, args);
	pthread_mutex_unlock(&f->lock);
}

__attribute__((format(printf, 4, 5))) static int host_reply(
	struct tmail_call *call, uint32_t code, const char *enhanced, const char *format, ...)
{
	struct fake_host *f = mine(call)->f;
	va_list args;

	(void)code;
	(void)enhanced;
	pthread_mutex_lock(&f->lock);
	buf_clear(&f->reply);
	pthread_mutex_unlock(&f->lock);
	va_start(args, format);
	say_line(f, &f->reply, format, args);
	va_end(args);
	return TMAIL_OK;
}

static int host_resume(struct tmail_call *call, int value)
{
	struct fake_call *c = mine(call);

	pthread_mutex_lock(&c->f->lock);
	c->resumed = true;
	c->value = value;
	pthread_cond_broadcast(&c->f->resumed);
	pthread_mutex_unlock(&c->f->lock);
	return TMAIL_OK;
}

static const char *host_base(struct tmail_call *call)
{
	return mine(call)->f->base;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int emit_columns(struct tmail_call *call, const char *const *names, uint32_t n)
{
	(void)call;
	(void)names;
	(void)n;
	return TMAIL_OK;
}

static int emit_row(struct tmail_call *call, const struct tmail_str *values, uint32_t n)
{
	struct fake_host *f = mine(call)->f;

	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(&f->emitted, "%s%.*s", i ? "\t" : "", STR_ARG(text_of(values[i])));
	buf_add_char(&f->emitted, '\n');
	pthread_mutex_unlock(&f->lock);
	return TMAIL_OK;
}

__attribute__((format(printf, 2, 3))) static int emit_say(
	struct tmail_call *call, const char *format, ...)
{
	struct fake_host *f = mine(call)->f;
	va_list args;

	va_start(args, format);
	say_line(f, &f->emitted, format, args);
	va_end(args);
	pthread_mutex_lock(&f->lock);
	buf_add_char(&f->emitted, '\n');
	pthread_mutex_unlock(&f->lock);
	return TMAIL_OK;
}

static int emit_progress(struct tmail_call *call, uint64_t done, uint64_t of)
{
	(void)call;
	(void)done;
	(void)of;
	return TMAIL_OK;
}

static const struct tmail_emit emit = { sizeof emit, emit_columns, emit_row, emit_say, emit_say,
	emit_progress };

/* ---- settings ------------------------------------------------------------------------------- */

static struct tmail_str kept(const char *value)
{
	struct str copy = str_make(str_dup_c(str_c(value)), strlen(value));

	return (struct tmail_str){ copy.data, copy.len };
}

static int32_t choice_of(const char *choices, struct str value)
{
	struct str rest = str_c(choices), word;
	int32_t place = 0;

	while (str_word(&rest, &word)) {
		if (str_equal(word, value))
			return place;
		place++;
	}
	must(false);
	return -1;
}

static void option_set(void *conf, const struct tmail_option *o, const char *value)
{
	char *at = (char *)conf + o->offset;
	int64_t number = 0;
	bool yes;

	switch ((enum tmail_type)o->type) {
	case TMAIL_TYPE_BOOL:
		must(num_bool(str_c(value), &yes));
		*(int32_t *)(void *)at = yes;
		return;
	case TMAIL_TYPE_CHOICE:
		*(int32_t *)(void *)at = choice_of(o->choices, str_c(value));
		return;
	case TMAIL_TYPE_STRING:
	case TMAIL_TYPE_FILE:
	case TMAIL_TYPE_SECRET:
		free((void *)(uintptr_t)((struct tmail_str *)(void *)at)->data);
		*(struct tmail_str *)(void *)at = kept(value);
		return;
	case TMAIL_TYPE_INT:
		must(num_i64(str_c(value), &number));
		break;
	case TMAIL_TYPE_DURATION:
		must(num_duration(str_c(value), &number));
		break;
	case TMAIL_TYPE_SIZE:
		must(num_size(str_c(value), &number));
		break;
	case TMAIL_TYPE_STRINGS:
	case TMAIL_TYPE_GROUPS:
		must(false);
	}
	must(o->min == o->max || (number >= o->min && number <= o->max));
	*(int64_t *)(void *)at = number;
}

void fake_set(struct fake_host *f, const char *option, const char *value)
{
	TMAIL_EACH(struct tmail_option, o, f->module->options) {
		if (strcmp(o->name, option) != 0)
			continue;
		option_set(f->conf, o, value);
		return;
	}
	must(false);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct fake_host *fake_host_new(const struct tmail_module *module, const char *base)
{
	struct fake_host *f = must_alloc(sizeof *f);

	f->module = module;
	f->conf = must_alloc(module->conf_size + 1);
	f->self = must_alloc(module->self_size + 1);
	snprintf(f->base, sizeof f->base, "%s", base);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->resumed, NULL);
	f->host = (struct tmail_host){ .size = sizeof f->host,
		.abi_major = TMAIL_ABI_MAJOR,
		.abi_minor = TMAIL_ABI_MINOR,
		.log = host_log,
		.count = host_count,
		.alloc = host_alloc,
		.reply = host_reply,
		.resume = host_resume,
		.emit = &emit,
		.base = host_base };
	TMAIL_EACH(struct tmail_option, o, module->options)
		if (o->fallback)
			option_set(f->conf, o, o->fallback);
	return f;
}

void fake_host_free(struct fake_host **f)
{
	TMAIL_EACH(struct tmail_option, o, (*f)->module->options) {
		struct tmail_str *text = (void *)((char *)(*f)->conf + o->offset);

		if (o->type == TMAIL_TYPE_STRING || o->type == TMAIL_TYPE_FILE ||
			o->type == TMAIL_TYPE_SECRET)
			free((void *)(uintptr_t)text->data);
	}
	fake_forget(*f);
	buf_free(&(*f)->log);
	buf_free(&(*f)->reply);
	buf_free(&(*f)->emitted);
	pthread_mutex_destroy(&(*f)->lock);
	pthread_cond_destroy(&(*f)->resumed);
	free((*f)->conf);
	free((*f)->self);
	free(*f);
	*f = NULL;
}

static struct fake_call call_of(struct fake_host *f)
{
	return (struct fake_call){ .call = { .size = sizeof(struct tmail_call),
					   .point = TMAIL_POINTS,
					   .host = &f->host,
					   .conf = f->conf,
					   .self = f->self },
		.f = f };
}

int fake_start(struct fake_host *f)
{
	struct fake_call call = call_of(f);
	int status = TMAIL_OK;

	memset(f->self, 0, f->module->self_size);
	if (f->module->check)
		status = f->module->check(&call.call);
	if (status == TMAIL_OK && f->module->start)
		status = f->module->start(&call.call);
	f->started = status == TMAIL_OK;
	return status;
}

void fake_stop(struct fake_host *f)
{
	struct fake_call call = call_of(f);

	if (f->started && f->module->stop)
		f->module->stop(&call.call);
	f->started = false;
}

const char *fake_said(struct fake_host *f)
{
	return buf_c(&f->reply);
}

void fake_forget(struct fake_host *f)
{
	while (f->memory) {
		struct fake_memory *memory = f->memory;

		f->memory = memory->next;
		free(memory);
	}
}

unsigned fake_logged(struct fake_host *f, const char *event)
{
	struct str rest, line, wanted = str_c(event);
	unsigned count = 0;

	pthread_mutex_lock(&f->lock);
	rest = buf_str(&f->log);
	while (str_split(&rest, '\n', &line))
		count += str_starts(line, wanted) &&
			(line.len == wanted.len || line.data[wanted.len] == ' ');
	pthread_mutex_unlock(&f->lock);
	return count;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static tmail_operation_function operation_find(
	const struct tmail_module *m, const char *service, uint32_t op)
{
	TMAIL_EACH(struct tmail_service, s, m->services) {
		if (strcmp(s->name, service) != 0)
			continue;
		TMAIL_EACH(struct tmail_operation, o, s->operations)
			if (o->op == op)
				return o->run;
	}
	return NULL;
}

int fake_ask(
	struct fake_host *f, const char *service, uint32_t op, const void *question, void *answer)
{
	tmail_operation_function run = operation_find(f->module, service, op);
	struct fake_call call = call_of(f);
	int status;

	if (!run)
		return TMAIL_UNSUPPORTED;
	status = run(&call.call, question, answer);
	if (status != TMAIL_PENDING)
		return status;
	pthread_mutex_lock(&f->lock);
	while (!call.resumed)
		pthread_cond_wait(&f->resumed, &f->lock);
	pthread_mutex_unlock(&f->lock);
	return call.value;
}

int fake_verb(struct fake_host *f, const char *name)
{
	struct fake_call call = call_of(f);
	struct tmail_list none = { NULL, 0, sizeof(struct tmail_value) };

	buf_clear(&f->emitted);
	TMAIL_EACH(struct tmail_verb, verb, f->module->verbs)
		if (strcmp(verb->name, name) == 0)
			return verb->run(&call.call, &none);
	return TMAIL_UNSUPPORTED;
}
