/* SPDX-License-Identifier: MIT
 *
 * A doubly linked list through a member of its elements. A zeroed link is in no list; a head
 * must be set with list_init.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct link *head)
{
	head->next = head->prev = head;
}
static inline bool list_empty(const struct link *head)
{
	return head->next == head;
}
static inline bool link_in_list(const struct link *l)
{
	return l->next != NULL;
}
static inline void list_insert_after(struct link *where, struct link *l)
{
	l->prev = where;
	l->next = where->next;
	where->next->prev = l;
	where->next = l;
}
static inline void list_prepend(struct link *head, struct link *l)
{
	list_insert_after(head, l);
}
static inline void list_append(struct link *head, struct link *l)
{
	list_insert_after(head->prev, l);
}
/* Harmless on a link that is in no list. */
static inline void list_remove(struct link *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}
/* First element taken off, or NULL. */
static inline struct link *list_pop(struct link *head)
{
	struct link *l = head->next;
	if (l == head)
		return NULL;
	list_remove(l);
	return l;
}
/* The body may remove the element it stands on, `break` and `continue`. */
#define LIST_EACH(type, var, head, member)                                                         \
	for (struct link *var##_link = (head)->next, *var##_next = var##_link->next,               \
			 *var##_done = (head);                                                     \
		var##_done && var##_link != (head); /* done stays NULL after a break */            \
		var##_done ? (void)(var##_link = var##_next, var##_next = var##_link->next)        \
			   : (void)0)                                                              \
		for (type *var = (var##_done = NULL, container_of(var##_link, type, member));      \
			!var##_done; var##_done = (head))

#endif
