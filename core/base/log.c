/* SPDX-License-Identifier: MIT
 *
 * Makes a line of an event in a buffer on the stack and hands it on. A busy server writes one
 * for every message, so nothing here allocates, locks, or calls printf for a field. What does
 * not fit into LINE_MAX_SIZE is cut inside a value, and the line says `cut=true` at its end; a
 * JSON line stays well formed even then.
 */
#include "base/log.h"

#include "base/encode.h"

#include <stdatomic.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* TAIL: room kept for what ends a line: a quote, the mark of a cut, a brace, LF. */
enum { LINE_MAX_SIZE = 8192, TAIL = 32, NAME_MAX_SIZE = 64 };

_Atomic(enum log_level) log_threshold = LEVEL_INFO;
_Atomic(log_listener *) log_heard;
static _Atomic(enum log_format) log_format = LOG_TEXT;
static void (*_Atomic log_sink)(enum log_level level, struct str line);
static int64_t (*_Atomic log_now)(void);

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const char hex_digits[] = "0123456789abcdef";

struct line {
	char *at, *end;
	enum log_format format;
	bool cut; /* nothing more goes in */
};

void log_setup(enum log_level threshold, enum log_format format,
	void (*sink)(enum log_level level, struct str line))
{
	log_threshold = threshold;
	log_format = format;
	log_sink = sink;
}

void log_clock(int64_t (*now)(void))
{
	log_now = now;
}

static int64_t now_us(void)
{
	int64_t (*now)(void) = log_now;
	struct timespec ts;

	if (now)
		return now();
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool line_has(struct line *l, size_t size)
{
	if (!l->cut && (size_t)(l->end - l->at) < size)
		l->cut = true;
	return !l->cut;
}

static void put(struct line *l, struct str s)
{
	if (s.len == 0 || !line_has(l, s.len))
		return;
	memcpy(l->at, s.data, s.len);
	l->at += s.len;
}

static void put_u64(struct line *l, uint64_t v)
{
	char text[20], *at = text + sizeof text;

	do
		*--at = (char)('0' + v % 10);
	while (v /= 10);
	put(l, str_make(at, (size_t)(text + sizeof text - at)));
}

static void put_i64(struct line *l, int64_t v)
{
	if (v < 0)
		put(l, STR("-"));
	put_u64(l, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* The part up to the second is made once a second on each thread. */
static void put_time(struct line *l, int64_t us)
{
	static thread_local struct {
		time_t second;
		char text[32];
		size_t len;
	} cache;
	time_t second = (time_t)(us / 1000000);
	unsigned left = (unsigned)(us % 1000000);
	char fraction[8];

	if (us < 0)
		second = 0, left = 0;
	if (second != cache.second || cache.len == 0) {
		struct tm tm = { 0 };

		gmtime_r(&second, &tm);
		cache.len = strftime(cache.text, sizeof cache.text, "%Y-%m-%dT%H:%M:%S", &tm);
		cache.second = second;
	}
	put(l, str_make(cache.text, cache.len));
	fraction[0] = '.';
	for (int i = 6; i >= 1; i--, left /= 10)
		fraction[i] = (char)('0' + left % 10);
	fraction[7] = 'Z';
	put(l, str_make(fraction, sizeof fraction));
}

/* Needs neither quotes nor escapes in a text line: printable, but no blank, quote, '=', '\\'. */
static bool is_plain(char c)
{
	static const bool plain[256] = {
		['!'] = true,
		['#' ... '<'] = true,
		['>' ... '['] = true,
		[']' ... '~'] = true,
	};

	return plain[(unsigned char)c];
}

static size_t plain_len(struct str s)
{
	size_t len = 0;

	while (len < s.len && is_plain(s.data[len]))
		len++;
	return len;
}

/* Names are ours or a module's; whatever a module gives, the line can be taken apart again. */
static void put_name(struct line *l, const char *name)
{
	struct str s = str_make(name, strnlen(name, NAME_MAX_SIZE));

	if (!line_has(l, s.len))
		return;
	for (size_t i = 0; i < s.len; i++)
		*l->at++ = is_plain(s.data[i]) ? s.data[i] : '_';
}

static void put_escaped_octet(struct line *l, char c)
{
	const char json[] = { '\\', 'u', '0', '0', hex_digits[(unsigned char)c >> 4],
		hex_digits[c & 15] };
	const char text[] = { '\\', 'x', json[4], json[5] };

	if (c == '"' || c == '\\') {
		const char pair[] = { '\\', c };

		put(l, str_make(pair, sizeof pair));
	} else if (l->format == LOG_JSON) {
		put(l, str_make(json, sizeof json));
	} else {
		put(l, str_make(text, sizeof text));
	}
}

/* With quotes; TAIL has room for the second one, so a value that is cut still ends in it. */
static void put_quoted(struct line *l, struct str s)
{
	put(l, STR("\""));
	while (s.len && !l->cut) {
		size_t len = plain_len(s);

		if (len && len <= (size_t)(l->end - l->at)) {
			put(l, str_slice(s, 0, len));
		} else if (len) {
			len = (size_t)(l->end - l->at);
			put(l, str_slice(s, 0, len));
			l->cut = true;
		} else if (s.data[0] == ' ' || s.data[0] == '=') {
			put(l, str_slice(s, 0, len = 1));
		} else if (l->format == LOG_JSON && (unsigned char)s.data[0] >= 0x80) {
			len = utf8_char(s);
			put(l, len ? str_slice(s, 0, len) : STR("\xef\xbf\xbd"));
			len = len ? len : 1;
		} else {
			put_escaped_octet(l, s.data[0]);
			len = 1;
		}
		s = str_slice(s, len, s.len);
	}
	*l->at++ = '"';
}

static void put_str(struct line *l, struct str s)
{
	if (l->format == LOG_TEXT && s.len && s.len <= (size_t)(l->end - l->at) &&
		plain_len(s) == s.len)
		put(l, s);
	else
		put_quoted(l, s);
}

static void put_id(struct line *l, struct id id)
{
	char text[ID_TEXT + 1];

	id_text(id, text);
	put_str(l, str_make(text, ID_TEXT));
}

/* Room for all of a field but the text of a string: half of a number would be another number. */
static size_t field_least(const struct log_field *f)
{
	static const size_t most[] = {
		[LOG_KIND_STR] = 1, [LOG_KIND_NUM] = 20, [LOG_KIND_ID] = ID_TEXT + 2
	};

	return sizeof ",\"\":" - 1 + strnlen(f->name, NAME_MAX_SIZE) + most[f->kind];
}

static void put_field(struct line *l, const struct log_field *f)
{
	if (f->kind == LOG_KIND_NONE || !line_has(l, field_least(f)))
		return;
	put(l, l->format == LOG_JSON ? STR(",\"") : STR(" "));
	put_name(l, f->name);
	put(l, l->format == LOG_JSON ? STR("\":") : STR("="));
	if (f->kind == LOG_KIND_NUM)
		put_i64(l, f->num);
	else if (f->kind == LOG_KIND_ID)
		put_id(l, f->id);
	else
		put_str(l, f->str);
}

/* What holds for all comes first. */
static void put_context(struct line *l, const struct log_context *context)
{
	if (!context)
		return;
	put_context(l, context->parent);
	for (size_t i = 0; i < context->count; i++)
		put_field(l, &context->fields[i]);
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
	bool json = l->format == LOG_JSON;

	put(l, json ? STR("{\"time\":\"") : STR(""));
	put_time(l, now_us());
	put(l, json ? STR("\",\"level\":\"") : STR(" "));
	put(l, str_c(level_names[level]));
	put(l, json ? STR("\",\"event\":\"") : STR(" "));
	put_name(l, event);
	put(l, json ? STR("\"") : STR(""));
}

static void put_end(struct line *l)
{
	bool json = l->format == LOG_JSON;

	l->end += TAIL;
	if (l->cut) {
		l->cut = false;
		put(l, json ? STR(",\"cut\":true") : STR(" cut=true"));
	}
	put(l, json ? STR("}\n") : STR("\n"));
}

void log_write(enum log_level level, const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count)
{
	char text[LINE_MAX_SIZE];
	struct line l = { text, text + sizeof text - TAIL, log_format, false };
	void (*sink)(enum log_level, struct str) = log_sink;
	struct str made;

	put_head(&l, level, event);
	put_context(&l, context);
	for (size_t i = 0; i < count; i++)
		put_field(&l, &fields[i]);
	put_end(&l);
	made = str_make(text, (size_t)(l.at - text));
	if (sink) {
		sink(level, made);
	} else {
		ssize_t ignored = write(STDERR_FILENO, made.data, made.len);

		(void)ignored;
	}
}

void log_make(enum log_level level, const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count)
{
	log_listener *heard = log_heard;

	if (heard)
		heard(context, event, fields, count);
	if (level <= log_threshold)
		log_write(level, context, event, fields, count);
}
