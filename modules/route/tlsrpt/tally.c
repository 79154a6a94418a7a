/* SPDX-License-Identifier: MIT
 *
 * A map by what makes sessions alike, each text with its length in front.
 */
#include "tally.h"

#include "base/fail.h"

#include <stdlib.h>

static void key_make(const struct str field[FIELDS], struct buf *key)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (i != FIELD_DETAILS)
			buf_add_lstr(key, field[i]);
}

static char *text_put(char *at, struct str *to, struct str from)
{
	if (from.len > 0)
		memcpy(at, from.data, from.len);
	*to = str_make(at, from.len);
	return at + from.len;
}

static struct count *count_new(const struct str field[FIELDS], struct str key)
{
	size_t size = sizeof(struct count) + key.len;
	struct count *c;
	char *at;

	for (size_t i = 0; i < FIELDS; i++)
		size += field[i].len;
	c = must_alloc(size);
	at = text_put(c->octets, &c->key, key);
	for (size_t i = 0; i < FIELDS; i++)
		at = text_put(at, &c->field[i], field[i]);
	return c;
}

bool tally_add(struct tally *t, const struct str field[FIELDS], int64_t sessions)
{
	struct buf key = { 0 };
	struct count *c;

	key_make(field, &key);
	c = map_get(&t->counts, buf_str(&key));
	if (!c && t->counts.count < t->most) {
		c = count_new(field, buf_str(&key));
		map_put(&t->counts, c->key, c);
	}
	buf_free(&key);
	if (c)
		c->sessions += sessions;
	return c != NULL;
}

void tally_take(struct tally *t, struct tally *to)
{
	*to = *t;
	t->counts = (struct map){ 0 };
}

int64_t tally_give_back(struct tally *t, struct tally *from)
{
	int64_t lost = 0;
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(&from->counts, &at, &key, &value)) {
		struct count *c = value;

		if (!tally_add(t, c->field, c->sessions))
			lost += c->sessions;
	}
	tally_free(from);
	return lost;
}

void tally_free(struct tally *t)
{
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(&t->counts, &at, &key, &value)) {
		map_remove(&t->counts, key);
		free(value);
	}
	map_free(&t->counts);
}
