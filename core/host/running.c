/* SPDX-License-Identifier: MIT
 *
 * Notes of what runs, on a shared page. A slot is taken at a thread's first note and kept to its
 * end; only the thread itself writes it, and readers look when the process is dead.
 */
#include "host/running.h"

#include "base/fail.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static _Atomic(struct running_page *) current;
static _Thread_local struct running_slot *slot;
static _Thread_local struct running_page *slot_page;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;

/* Workers come and go with each reload: their slots are for those that follow. */
static void slot_leave(void *mine)
{
	if (slot_page == atomic_load(&current))
		atomic_store(&((struct running_slot *)mine)->thread, 0);
}

static void thread_end_make(void)
{
	must(pthread_key_create(&thread_end, slot_leave) == 0);
}

void running_setup(struct running_page *page)
{
	pthread_once(&once, thread_end_make);
	atomic_store(&current, page);
}

static struct running_slot *slot_take(struct running_page *page)
{
	for (unsigned i = 0; i < RUNNING_SLOTS; i++) {
		int nobody = 0;

		if (!atomic_compare_exchange_strong(&page->slots[i].thread, &nobody, (int)gettid()))
			continue;
		pthread_setspecific(thread_end, &page->slots[i]);
		return &page->slots[i];
	}
	return NULL;
}

static struct running_slot *slot_mine(void)
{
	struct running_page *page = atomic_load_explicit(&current, memory_order_relaxed);

	if (page != slot_page) {
		slot_page = page;
		slot = page ? slot_take(page) : NULL;
	}
	return slot;
}

void running_enter(const char *instance, uint32_t point, struct id message)
{
	struct running_slot *s = slot_mine();
	size_t length;

	if (!s)
		return;
	length = strnlen(instance, sizeof s->instance - 1);
	memcpy(s->instance, instance, length);
	s->instance[length] = '\0';
	s->message = message;
	atomic_store_explicit(&s->point, point, memory_order_release);
}

void running_leave(void)
{
	struct running_slot *s = slot_mine();

	if (s)
		s->instance[0] = '\0';
}

void running_crashed(int signal)
{
	struct running_page *page = atomic_load(&current);

	if (!page)
		return;
	atomic_store(&page->signal, signal);
	atomic_store(&page->crashed, (int)gettid());
}

void running_said(const char *text)
{
	struct running_page *page = atomic_load(&current);
	size_t length;

	if (!page)
		return;
	length = strnlen(text, sizeof page->said - 1);
	memcpy(page->said, text, length);
	page->said[length] = '\0';
}

const struct running_slot *running_culprit(const struct running_page *page)
{
	int crashed = atomic_load(&page->crashed);

	if (!crashed)
		return NULL;
	for (unsigned i = 0; i < RUNNING_SLOTS; i++) {
		const struct running_slot *s = &page->slots[i];

		if (atomic_load(&s->thread) == crashed)
			return s->instance[0] ? s : NULL;
	}
	return NULL;
}
