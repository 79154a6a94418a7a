/* SPDX-License-Identifier: MIT
 *
 * Which routes hold: a row is filed under its user, sender and host, and a question tries the
 * kinds from the most specific on until one is filed. This neither draws between equal routes
 * (the core does, by priority and weight) nor knows of MX.
 */
#include "routes.h"

#include "../common/names.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/map.h"

#include <stdlib.h>

struct group { /* rows of one user, sender and host */
	struct str key;
	struct route *first;
};

struct routes {
	struct arena *arena;
	struct map groups; /* struct group, by key */
	size_t count;
	bool by_user_or_sender; /* some row looks at more than the domain */
};

/* 0x01 stands in no address or domain that the core accepts. All three are folded. */
static void key_write(struct buf *out, struct str user, struct str sender, struct str host)
{
	buf_clear(out);
	buf_add(out, user);
	buf_add_char(out, 1);
	buf_add(out, sender);
	buf_add_char(out, 1);
	buf_add(out, host);
}

static struct str folded(struct arena *arena, struct str s)
{
	struct buf text = { 0 };
	struct str copy;

	address_fold(s, &text);
	copy = arena_str(arena, buf_str(&text));
	buf_free(&text);
	return copy;
}

/* "example.com", ".example.com", "*" */
static struct str host_folded(struct arena *arena, struct str host)
{
	if (host.len == 0)
		return STR("*");
	if (host.data[0] != '.')
		return folded(arena, host);
	host = folded(arena, str_slice(host, 1, host.len));
	return arena_printf(arena, ".%.*s", STR_ARG(host));
}

struct routes *routes_new(void)
{
	struct routes *r = must_alloc(sizeof *r);

	r->arena = arena_new(1024);
	return r;
}

/* A row that is there n times is one way that weighs n: when it fails it has failed. */
static bool same_way(const struct route *a, const struct route *b)
{
	return a->priority == b->priority && a->port == b->port &&
		a->connections == b->connections && a->messages == b->messages &&
		a->login_clear == b->login_clear &&
		str_equal_case(a->remote_host, b->remote_host) &&
		str_equal(a->local_ip, b->local_ip) && str_equal(a->login, b->login) &&
		str_equal(a->password, b->password) && str_equal_case(a->tls, b->tls) &&
		str_equal(a->rate, b->rate);
}

static void group_add(struct group *group, struct route *route)
{
	struct route **at = &group->first;

	for (; *at; at = &(*at)->next) {
		if (same_way(*at, route)) {
			(*at)->weight++;
			return;
		}
	}
	*at = route;
}

void routes_add(struct routes *r, const struct route *route)
{
	struct route *copy = ARENA_NEW(r->arena, struct route);
	struct buf key = { 0 };
	struct group *group;

	*copy = *route;
	copy->weight = 1;
	copy->next = NULL;
	copy->user = folded(r->arena, route->user);
	copy->sender = folded(r->arena, route->sender);
	copy->host = host_folded(r->arena, route->host);
	copy->remote_host = arena_str(r->arena, route->remote_host);
	copy->local_ip = arena_str(r->arena, route->local_ip);
	copy->login = arena_str(r->arena, route->login);
	copy->password = arena_str(r->arena, route->password);
	copy->tls = arena_str(r->arena, route->tls);
	copy->rate = arena_str(r->arena, route->rate);
	if (copy->user.len > 0 || copy->sender.len > 0)
		r->by_user_or_sender = true;
	key_write(&key, copy->user, copy->sender, copy->host);
	group = map_get(&r->groups, buf_str(&key));
	if (!group) {
		group = ARENA_NEW(r->arena, struct group);
		group->key = arena_str(r->arena, buf_str(&key));
		map_put(&r->groups, group->key, group);
	}
	group_add(group, copy);
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
	const char *name;
};

/* Within a kind the full login goes before its domain, and a host before its parents. */
static const struct kind kinds[] = {
	{ WHOLE, WHOLE, EXACT, "user+sender+host" },
	{ DOMAIN, WHOLE, EXACT, "user-domain+sender+host" },
	{ WHOLE, WHOLE, PARENTS, "user+sender+parent" },
	{ DOMAIN, WHOLE, PARENTS, "user-domain+sender+parent" },
	{ WHOLE, DOMAIN, EXACT, "user+sender-domain+host" },
	{ DOMAIN, DOMAIN, EXACT, "user-domain+sender-domain+host" },
	{ WHOLE, DOMAIN, PARENTS, "user+sender-domain+parent" },
	{ DOMAIN, DOMAIN, PARENTS, "user-domain+sender-domain+parent" },
	{ WHOLE, NONE, EXACT, "user+host" },
	{ DOMAIN, NONE, EXACT, "user-domain+host" },
	{ WHOLE, NONE, PARENTS, "user+parent" },
	{ DOMAIN, NONE, PARENTS, "user-domain+parent" },
	{ WHOLE, WHOLE, ANY, "user+sender" },
	{ DOMAIN, WHOLE, ANY, "user-domain+sender" },
	{ WHOLE, DOMAIN, ANY, "user+sender-domain" },
	{ DOMAIN, DOMAIN, ANY, "user-domain+sender-domain" },
	{ WHOLE, NONE, ANY, "user" },
	{ DOMAIN, NONE, ANY, "user-domain" },
	{ NONE, WHOLE, EXACT, "sender+host" },
	{ NONE, WHOLE, PARENTS, "sender+parent" },
	{ NONE, DOMAIN, EXACT, "sender-domain+host" },
	{ NONE, DOMAIN, PARENTS, "sender-domain+parent" },
	{ NONE, WHOLE, ANY, "sender" },
	{ NONE, DOMAIN, ANY, "sender-domain" },
	{ NONE, NONE, EXACT, "host" },
	{ NONE, NONE, PARENTS, "parent" },
	{ NONE, NONE, ANY, "*" },
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
	const struct routes *r, const struct route_question *question, struct route_match *match)
{
	struct arena *arena = arena_new(512);
	const struct route_question q = { folded(arena, question->login),
		folded(arena, question->sender), folded(arena, question->domain) };
	const struct route *found = NULL;
	struct buf key = { 0 };

	*match = (struct route_match){ .any_sender = !r->by_user_or_sender };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !found; i++) {
		if (match->any_sender && (kinds[i].user != NONE || kinds[i].sender != NONE))
			continue;
		found = kind_find(r, &kinds[i], &key, &q);
		if (found)
			match->kind = kinds[i].name;
	}
	buf_free(&key);
	arena_free(&arena);
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
