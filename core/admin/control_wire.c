/* SPDX-License-Identifier: MIT
 *
 * The lines of the control socket, written by hand and read by Jansson. Neither side trusts the
 * other's line: what is not one of the objects of control_wire.h is refused whole.
 */
#include "admin/control_wire.h"

#include "base/encode.h"

#include <jansson.h>
#include <stdlib.h>

enum { WORDS_AT_MOST = 4096, COLUMNS_AT_MOST = 256 };

void wire_request(struct buf *out, const struct str *words, size_t count)
{
	buf_add_c(out, "{\"words\":[");
	for (size_t i = 0; i < count; i++) {
		buf_add_c(out, i ? "," : "");
		json_quote(out, words[i]);
	}
	buf_add_c(out, "]}\n");
}

void wire_answer(struct buf *out, struct str answer)
{
	wire_text(out, "answer", answer);
}

void wire_columns(struct buf *out, const char *const *names, uint32_t n)
{
	buf_add_c(out, "{\"columns\":[");
	for (uint32_t i = 0; i < n; i++) {
		buf_add_c(out, i ? "," : "");
		json_quote(out, str_c(names[i]));
	}
	buf_add_c(out, "]}\n");
}

void wire_row(struct buf *out, const struct tmail_str *values, uint32_t n)
{
	buf_add_c(out, "{\"row\":[");
	for (uint32_t i = 0; i < n; i++) {
		buf_add_c(out, i ? "," : "");
		if (values[i].data)
			json_quote(out, str_make(values[i].data, values[i].len));
		else
			buf_add_c(out, "null");
	}
	buf_add_c(out, "]}\n");
}

void wire_text(struct buf *out, const char *key, struct str text)
{
	buf_printf(out, "{\"%s\":", key);
	json_quote(out, text);
	buf_add_c(out, "}\n");
}

void wire_progress(struct buf *out, uint64_t done, uint64_t of)
{
	buf_printf(out, "{\"progress\":[%llu,%llu]}\n", (unsigned long long)done,
		(unsigned long long)of);
}

void wire_result(struct buf *out, enum verb_result result)
{
	buf_printf(out, "{\"result\":%d}\n", (int)result);
}

static json_t *line_load(struct str line)
{
	return json_loadb(line.data ? line.data : "", line.len, JSON_ALLOW_NUL, NULL);
}

static struct str json_str(const json_t *string)
{
	return str_make(json_string_value(string), json_string_length(string));
}

/* The value of an object that has this key and no other, or NULL. */
static json_t *only(const json_t *object, const char *key)
{
	return json_object_size(object) == 1 ? json_object_get(object, key) : NULL;
}

bool wire_request_read(
	struct str line, struct arena *arena, struct control_request *request, struct why *why)
{
	json_t *object = line_load(line), *words = only(object, "words");
	size_t count = json_array_size(words);
	bool ok = json_is_array(words) && count <= WORDS_AT_MOST;
	struct str *word = ARENA_ARRAY(arena, struct str, count + 1);

	for (size_t i = 0; ok && i < count; i++) {
		const json_t *w = json_array_get(words, i);

		ok = json_is_string(w);
		if (ok)
			word[i] = arena_str(arena, json_str(w));
	}
	json_decref(object);
	if (!ok)
		return why_set(why, "a line that is no command");
	request->words = word;
	request->count = count;
	return true;
}

bool wire_answer_read(struct str line, struct buf *answer)
{
	json_t *object = line_load(line), *text = only(object, "answer");
	bool ok = json_is_string(text);

	if (ok)
		buf_add(answer, json_str(text));
	json_decref(object);
	return ok;
}

/* The strings of an array; NULL when it is none, or has something else in it (nulls: but null).
 * malloc'd. */
static struct tmail_str *strings_of(const json_t *array, bool nulls, uint32_t *count)
{
	size_t n = json_array_size(array);
	struct tmail_str *strings;

	if (!json_is_array(array) || n > COLUMNS_AT_MOST)
		return NULL;
	strings = must_alloc((n + 1) * sizeof *strings);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(array, i);

		if (json_is_string(value)) {
			strings[i] = (struct tmail_str){ json_string_value(value),
				json_string_length(value) };
		} else if (!nulls || !json_is_null(value)) {
			free(strings);
			return NULL;
		}
	}
	*count = (uint32_t)n;
	return strings;
}

static bool reply_columns(const json_t *array, struct output *o)
{
	const char *names[COLUMNS_AT_MOST];
	uint32_t n;
	struct tmail_str *strings = strings_of(array, false, &n);

	if (!strings)
		return false;
	for (uint32_t i = 0; i < n; i++)
		names[i] = strings[i].data; /* Jansson's end with a NUL */
	o->columns(o, names, n);
	free(strings);
	return true;
}

static bool reply_row(const json_t *array, struct output *o)
{
	uint32_t n;
	struct tmail_str *strings = strings_of(array, true, &n);

	if (strings)
		o->row(o, strings, n);
	free(strings);
	return strings != NULL;
}

static bool reply_progress(const json_t *array, struct output *o)
{
	const json_t *done = json_array_get(array, 0), *of = json_array_get(array, 1);

	if (!json_is_integer(done) || !json_is_integer(of) || json_array_size(array) != 2 ||
		json_integer_value(done) < 0 || json_integer_value(of) < 0)
		return false;
	o->progress(o, (uint64_t)json_integer_value(done), (uint64_t)json_integer_value(of));
	return true;
}

static enum wire_reply reply_one(const char *key, const json_t *value, struct output *o,
	enum verb_result *result, struct buf *name)
{
	bool text = json_is_string(value), ok = false;

	if (!strcmp(key, "columns")) {
		ok = reply_columns(value, o);
	} else if (!strcmp(key, "row")) {
		ok = reply_row(value, o);
	} else if (!strcmp(key, "progress")) {
		ok = reply_progress(value, o);
	} else if (!strcmp(key, "say") && text) {
		o->say(o, json_str(value));
		ok = true;
	} else if (!strcmp(key, "fail") && text) {
		o->fail(o, json_str(value));
		ok = true;
	} else if (!strcmp(key, "secret") && text) {
		buf_add(name, json_str(value));
		return WIRE_SECRET;
	} else if (!strcmp(key, "result") && json_is_integer(value)) {
		*result = json_integer_value(value) == 0 ? VERB_OK
			: json_integer_value(value) == 2 ? VERB_USAGE
							 : VERB_FAILED;
		return WIRE_RESULT;
	}
	return ok ? WIRE_MORE : WIRE_BAD;
}

enum wire_reply wire_reply_read(
	struct str line, struct output *o, enum verb_result *result, struct buf *name)
{
	json_t *object = line_load(line);
	void *first = json_object_size(object) == 1 ? json_object_iter(object) : NULL;
	enum wire_reply reply = first ? reply_one(json_object_iter_key(first),
						json_object_iter_value(first), o, result, name)
				      : WIRE_BAD;

	json_decref(object);
	return reply;
}
