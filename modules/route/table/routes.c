/* SPDX-License-Identifier: MIT
 *
 * Which routes hold: a row is filed under its user, sender and host, and a question tries the
 * kinds from the most specific on until one is filed. This neither draws between equal routes
 * (the core does, by priority and weight) nor knows of MX.
 */
#include "routes.h"

#include "base/buf.h"
#include "base/ip.h"
#include "base/map.h"

#include <stdlib.h>

struct group { /* rows of one user, sender and host */
	struct str key;
	struct route *first, *last;
};

struct routes {
	struct arena *arena;
	struct map groups; /* struct group, by key */
	size_t count;
	bool by_user_or_sender; /* some row looks at more than the domain */
};

/* 0x01 stands in no address or domain that the core accepts. */
static void key_write(struct buf *out, struct str user, struct str sender, struct str host)
{
	buf_clear(out);
	buf_add(out, user);
	buf_add_char(out, 1);
	buf_add(out, sender);
	buf_add_char(out, 1);
	buf_add(out, host);
	ascii_lower_all(out->data, out->len);
}

struct routes *routes_new(void)
{
	struct routes *r = must_alloc(sizeof *r);

	r->arena = arena_new(1024);
	return r;
}

void routes_add(struct routes *r, const struct route *route)
{
	struct route *copy = ARENA_NEW(r->arena, struct route);
	struct buf key = { 0 };
	struct group *group;

	*copy = *route;
	copy->next = NULL;
	copy->user = arena_str_lower(r->arena, route->user);
	copy->sender = arena_str_lower(r->arena, route->sender);
	copy->host = arena_str_lower(r->arena, route->host.len > 0 ? route->host : STR("*"));
	copy->remote_host = arena_str(r->arena, route->remote_host);
	copy->local_ip = arena_str(r->arena, route->local_ip);
	copy->login = arena_str(r->arena, route->login);
	copy->password = arena_str(r->arena, route->password);
	copy->tls = arena_str(r->arena, route->tls);
	if (copy->user.len > 0 || copy->sender.len > 0)
		r->by_user_or_sender = true;
	key_write(&key, copy->user, copy->sender, copy->host);
	group = map_get(&r->groups, buf_str(&key));
	if (!group) {
		group = ARENA_NEW(r->arena, struct group);
		group->key = arena_str(r->arena, buf_str(&key));
		group->first = group->last = copy;
		map_put(&r->groups, group->key, group);
	} else {
		group->last->next = copy;
		group->last = copy;
	}
	r->count++;
	buf_free(&key);
}

size_t routes_count(const struct routes *r)
{
	return r->count;
}

void routes_free(struct routes **r)
{
	if (!*r)
		return;
	map_free(&(*r)->groups);
	arena_free(&(*r)->arena);
	free(*r);
	*r = NULL;
}

static struct str domain_of(struct str address)
{
	ptrdiff_t at = str_find_last(address, '@');

	return at < 0 ? STR("") : str_slice(address, (size_t)at + 1, address.len);
}

/* ---- the kinds, the most specific first ------------------------------------------------ */

enum part { NONE, WHOLE, DOMAIN }; /* of the user and the sender */
enum host { EXACT, PARENTS, ANY }; /* "example.com", ".example.com", "*" */
struct kind {
	enum part user, sender;
	enum host host;
};

/* Within a kind the full login goes before its domain, and a host before its parents. */
static const struct kind kinds[] = {
	{ WHOLE, WHOLE, EXACT },
	{ DOMAIN, WHOLE, EXACT },
	{ WHOLE, WHOLE, PARENTS },
	{ DOMAIN, WHOLE, PARENTS },
	{ WHOLE, DOMAIN, EXACT },
	{ DOMAIN, DOMAIN, EXACT },
	{ WHOLE, DOMAIN, PARENTS },
	{ DOMAIN, DOMAIN, PARENTS },
	{ WHOLE, NONE, EXACT },
	{ DOMAIN, NONE, EXACT },
	{ WHOLE, NONE, PARENTS },
	{ DOMAIN, NONE, PARENTS },
	{ WHOLE, WHOLE, ANY },
	{ DOMAIN, WHOLE, ANY },
	{ WHOLE, DOMAIN, ANY },
	{ DOMAIN, DOMAIN, ANY },
	{ WHOLE, NONE, ANY },
	{ DOMAIN, NONE, ANY },
	{ NONE, WHOLE, EXACT },
	{ NONE, WHOLE, PARENTS },
	{ NONE, DOMAIN, EXACT },
	{ NONE, DOMAIN, PARENTS },
	{ NONE, WHOLE, ANY },
	{ NONE, DOMAIN, ANY },
	{ NONE, NONE, EXACT },
	{ NONE, NONE, PARENTS },
	{ NONE, NONE, ANY },
};

static struct str part_of(enum part part, struct str whole)
{
	return part == WHOLE ? whole : part == DOMAIN ? domain_of(whole) : STR("");
}

static const struct route *group_first(const struct routes *r, struct buf *key, struct str user,
	struct str sender, struct str host)
{
	const struct group *group;

	key_write(key, user, sender, host);
	group = map_get(&r->groups, buf_str(key));
	return group ? group->first : NULL;
}

static const struct route *kind_find(const struct routes *r, const struct kind *kind,
	struct buf *key, const struct route_question *q)
{
	struct str user = part_of(kind->user, q->login);
	struct str sender = part_of(kind->sender, q->sender);
	const struct route *found = NULL;

	if ((kind->user != NONE && user.len == 0) || (kind->sender != NONE && sender.len == 0))
		return NULL;
	if (kind->host == EXACT)
		return group_first(r, key, user, sender, q->domain);
	if (kind->host == ANY)
		return group_first(r, key, user, sender, STR("*"));
	for (size_t at = 1; at < q->domain.len && !found; at++)
		if (q->domain.data[at] == '.')
			found = group_first(
				r, key, user, sender, str_slice(q->domain, at, q->domain.len));
	return found;
}

const struct route *routes_find(
	const struct routes *r, const struct route_question *question, bool *any_sender)
{
	const struct route *found = NULL;
	struct buf key = { 0 };

	*any_sender = !r->by_user_or_sender;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !found; i++) {
		if (*any_sender && (kinds[i].user != NONE || kinds[i].sender != NONE))
			continue;
		found = kind_find(r, &kinds[i], &key, question);
	}
	buf_free(&key);
	return found;
}

bool route_local_ip_valid(struct str s, struct why *why)
{
	bool both = str_find(s, '&') >= 0 && str_find(s, '|') >= 0;
	char c = str_find(s, '|') >= 0 ? '|' : '&';
	struct str piece;

	if (both)
		return why_set(why, "mixed & and | are not allowed in routes");
	while (str_split(&s, c, &piece)) {
		struct ip ip;
		struct str text = str_trim(piece);

		if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
			text = str_slice(text, 1, text.len - 2);
		if (!ip_parse(text, &ip))
			return why_set(why, "invalid local IP '%.*s'", STR_ARG(piece));
	}
	return true;
}
