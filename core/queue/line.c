/* SPDX-License-Identifier: MIT
 *
 * A ring of senders, each with a list of parcels. What must hold: a sender is in the ring and in
 * the map exactly while a parcel of his waits.
 */
#include "queue/line.h"

#include <stdlib.h>

struct line_sender {
	struct str name;
	struct link turn;
	struct link parcels;
	unsigned count;
	char text[];
};

static struct line_sender *sender_at(const struct link *turn)
{
	return container_of(turn, struct line_sender, turn);
}

static struct parcel *parcel_at(const struct link *link)
{
	return container_of(link, struct parcel, link);
}

static struct str sender_name(const struct parcel *p)
{
	const struct tmail_envelope *e = &p->work->m->envelope;
	struct str sender = str_tm(e->sender);
	ptrdiff_t at = str_find_last(sender, '@');
	size_t local = at < 0 ? sender.len : (size_t)at, i = 0;

	if (e->login.len > 0)
		return str_tm(e->login);
	while (i < local && sender.data[i] != '+' && sender.data[i] != '-' && sender.data[i] != '=')
		i++;
	if (i == local)
		return sender;
	return arena_printf(p->arena, "%.*s%.*s", STR_ARG(str_slice(sender, 0, i)),
		STR_ARG(str_slice(sender, local, sender.len)));
}

static struct line_sender *sender_of(struct line *l, const struct parcel *p)
{
	struct str name = sender_name(p);
	struct line_sender *s = map_get(&l->senders, name);

	if (s)
		return s;
	s = must_alloc(sizeof *s + name.len);
	memcpy(s->text, name.data ? name.data : "", name.len);
	s->name = str_make(s->text, name.len);
	list_init(&s->parcels);
	list_append(&l->turns, &s->turn);
	map_put(&l->senders, s->name, s);
	return s;
}

void line_init(struct line *l)
{
	*l = (struct line){ .senders.fold = true };
	list_init(&l->turns);
}

void line_end(struct line *l)
{
	must(l->count == 0);
	map_free(&l->senders);
}

static void count_in(struct line *l, struct parcel *p, struct line_sender *s)
{
	p->in_line = s;
	s->count++;
	l->count++;
}

void line_add(struct line *l, struct parcel *p)
{
	struct line_sender *s = sender_of(l, p);

	list_append(&s->parcels, &p->link);
	count_in(l, p, s);
}

void line_put_back(struct line *l, struct parcel *p)
{
	struct line_sender *s = sender_of(l, p);

	list_remove(&s->turn);
	list_prepend(&l->turns, &s->turn);
	list_prepend(&s->parcels, &p->link);
	count_in(l, p, s);
}

void line_remove(struct line *l, struct parcel *p, bool served)
{
	struct line_sender *s = p->in_line;

	must(s && s->count > 0);
	p->in_line = NULL;
	list_remove(&p->link);
	l->count--;
	if (--s->count == 0) {
		list_remove(&s->turn);
		map_remove(&l->senders, s->name);
		free(s);
	} else if (served) {
		list_remove(&s->turn);
		list_append(&l->turns, &s->turn);
	}
}

struct parcel *line_first(const struct line *l)
{
	return list_empty(&l->turns) ? NULL : parcel_at(sender_at(l->turns.next)->parcels.next);
}

struct parcel *line_next(const struct line *l, const struct parcel *p)
{
	const struct line_sender *s = p->in_line;

	if (p->link.next != &s->parcels)
		return parcel_at(p->link.next);
	return s->turn.next == &l->turns ? NULL : parcel_at(sender_at(s->turn.next)->parcels.next);
}

struct parcel *line_excess(const struct line *l, const struct parcel *p, unsigned most)
{
	unsigned share = most / (unsigned)l->senders.count;
	const struct line_sender *s = p->in_line;
	struct parcel *newest;

	if (l->count <= most)
		return NULL;
	for (const struct link *turn = l->turns.next; s->count <= share; turn = turn->next)
		s = sender_at(turn);
	newest = parcel_at(s->parcels.prev);
	return newest->hosts_tried == 0 ? newest : NULL;
}
