/* SPDX-License-Identifier: MIT
 *
 * Counting in groups. There may be as many as recipients, so there is an end to them: those that
 * come after the first ten thousand are one.
 */
#include "admin/count.h"

#include "admin/words.h"
#include "base/map.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GROUPS_AT_MOST = 10000, KEY_AT_MOST = 200 };

struct group {
	struct str key;
	uint64_t recipients, messages;
	struct tmail_id last;
	int64_t oldest;
	struct buf example; /* of what is grouped by its beginning */
	char text[];
};

typedef struct str key_of(const struct tmail_queue_entry *e, enum queue_state state);
struct count {
	const struct count_by *by;
	struct map groups;
};

/* ---- what they are grouped by --------------------------------------------------------------- */

static struct str key_state(const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)e;
	return str_c(filter_states[state]);
}

static struct str domain_of(struct tmail_str address)
{
	struct str text = str_make(address.data, address.len);
	ptrdiff_t at = str_find_last(text, '@');

	return str_slice(text, (size_t)(at + 1), text.len);
}

static struct str key_domain(const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)state;
	return domain_of(e->address);
}

static struct str key_sender(const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)state;
	return e->sender.len ? domain_of(e->sender) : STR("<>");
}

/* A reply's code, and the one behind it; words that are no reply are the reason as they are. */
static struct str key_reason(const struct tmail_queue_entry *e, enum queue_state state)
{
	struct str reason = state == QUEUE_HELD ? str_make(e->hold.data, e->hold.len)
						: words_without_host(e->reply);
	struct str rest = reason, code, enhanced;
	uint64_t number;

	if (!str_word(&rest, &code) || code.len != 3 || !num_u64(code, &number))
		return reason;
	if (!str_word(&rest, &enhanced) || enhanced.len < 5 || enhanced.data[0] != code.data[0] ||
		enhanced.data[1] != '.')
		return code;
	return str_slice(reason, 0, (size_t)(enhanced.data - reason.data) + enhanced.len);
}

static struct str key_host(const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)state;
	return words_host(e->reply);
}

static const struct count_by {
	const char *name;
	key_of *key;
	bool example; /* the group is named by a part of what it has */
} kinds[] = {
	{ "state", key_state, false },
	{ "domain", key_domain, false },
	{ "sender", key_sender, false },
	{ "reason", key_reason, true },
	{ "host", key_host, false },
};

struct count *count_new(struct str by, struct why *why)
{
	struct count *c;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_equal_case(by, str_c(kinds[i].name))) {
			c = must_alloc(sizeof *c);
			c->by = &kinds[i];
			c->groups.fold = true;
			return c;
		}
	why_set(why, "--by wants state, domain, sender, reason or host, not '%.*s'", STR_ARG(by));
	return NULL;
}

/* ---- counting ----------------------------------------------------------------------------- */

static struct group *group_of(struct count *c, struct str key)
{
	struct group *g;

	key = str_slice(key, 0, KEY_AT_MOST);
	g = map_get(&c->groups, key);
	if (!g && c->groups.count >= GROUPS_AT_MOST) {
		key = STR("(others)");
		g = map_get(&c->groups, key);
	}
	if (g)
		return g;
	g = must_alloc(sizeof *g + key.len);
	memcpy(g->text, key.data ? key.data : "", key.len);
	g->key = str_make(g->text, key.len);
	map_put(&c->groups, g->key, g);
	return g;
}

void count_add(struct count *c, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct group *g = group_of(c, c->by->key(e, state));

	if (g->recipients == 0 || e->received < g->oldest)
		g->oldest = e->received;
	if (g->recipients == 0 && c->by->example)
		buf_add(&g->example, words_why(e)); /* the first's */
	g->recipients++;
	/* those of a message come together */
	g->messages += g->last.hi != e->id.hi || g->last.lo != e->id.lo;
	g->last = e->id;
}

/* ---- telling ------------------------------------------------------------------------------ */

static int group_compare(const void *a, const void *b)
{
	const struct group *one = *(struct group *const *)a, *two = *(struct group *const *)b;

	if (one->recipients != two->recipients)
		return one->recipients < two->recipients ? 1 : -1;
	return str_compare(one->key, two->key);
}

static void group_row(const struct count *c, const struct group *g, struct output *o)
{
	char recipients[24], messages[24], oldest[WORDS_TIME];

	snprintf(recipients, sizeof recipients, "%" PRIu64, g->recipients);
	snprintf(messages, sizeof messages, "%" PRIu64, g->messages);
	words_time(g->oldest, oldest);
	o->row(o,
		(const struct tmail_str[]){ { g->key.data, g->key.len }, words_str(recipients),
			words_str(messages), words_str(oldest),
			{ g->example.data, g->example.len } },
		c->by->example ? 5 : 4);
}

void count_end(struct count **counted, struct output *o)
{
	struct count *c = *counted;
	const char *const names[] = { c->by->name, "recipients:int", "messages:int", "oldest",
		"example" };
	struct group **sorted = must_alloc((c->groups.count + 1) * sizeof *sorted);
	size_t at = 0, n = 0;
	struct str key;
	void *value;

	while (map_next(&c->groups, &at, &key, &value))
		sorted[n++] = value;
	qsort(sorted, n, sizeof *sorted, group_compare);
	if (o)
		o->columns(o, names, c->by->example ? 5 : 4);
	for (size_t i = 0; i < n; i++) {
		if (o)
			group_row(c, sorted[i], o);
		buf_free(&sorted[i]->example);
		free(sorted[i]);
	}
	free(sorted);
	map_free(&c->groups);
	free(c);
	*counted = NULL;
}
