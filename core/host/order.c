/* SPDX-License-Identifier: MIT
 *
 * Who is asked: worked out once a generation, so that asking is a walk over an array. Modules
 * come in the order of the configuration; those that say FIRST or LAST before or behind.
 */
#include "host/instance.h"

#include <stdlib.h>

static unsigned rank_of(uint32_t flags)
{
	return flags & TMAIL_FIRST ? 0 : flags & TMAIL_LAST ? 2 : 1;
}

static const struct tmail_hook *hook_of(const struct instance *i, uint32_t point)
{
	TMAIL_EACH(struct tmail_hook, hook, i->descriptor->hooks)
		if (hook->point == point)
			return hook;
	return NULL;
}

static void point_order(struct generation *g, uint32_t point)
{
	struct hooks *hooks = &g->points[point];

	hooks->item = must_alloc((g->count + 1) * sizeof *hooks->item);
	for (unsigned rank = 0; rank < 3; rank++)
		for (unsigned n = 0; n < g->count; n++) {
			const struct tmail_hook *hook = hook_of(g->instances[n], point);

			if (hook && rank_of(hook->flags) == rank)
				hooks->item[hooks->count++] =
					(struct hook){ g->instances[n], n, hook->flags, hook->run };
		}
}

/* The hooks of one instance over content; false when it has none of that kind. */
static bool contents_of(
	struct generation *g, unsigned position, bool stream, struct content_hooks *c)
{
	struct instance *i = g->instances[position];
	bool any = false;

	*c = (struct content_hooks){ .stream = stream };
	for (unsigned n = 0; n < CONTENT_POINTS; n++) {
		const struct tmail_hook *hook = hook_of(i, TMAIL_POINT_HEADER + n);

		c->at[n] = (struct hook){ i, position, 0, NULL };
		if (!hook || !!(hook->flags & TMAIL_STREAM) != stream)
			continue;
		c->at[n].flags = hook->flags;
		c->at[n].run = hook->run;
		any = true;
	}
	return any;
}

static unsigned contents_rank(const struct content_hooks *c)
{
	uint32_t flags = 0;

	for (unsigned n = 0; n < CONTENT_POINTS; n++)
		flags |= c->at[n].flags;
	return rank_of(flags);
}

/* Those that stream are put first: they have seen it all when the others begin. */
static void contents_order(struct generation *g)
{
	g->contents = must_alloc((2 * g->count + 1) * sizeof *g->contents);
	for (int stream = 1; stream >= 0; stream--) {
		for (unsigned rank = 0; rank < 3; rank++)
			for (unsigned n = 0; n < g->count; n++) {
				struct content_hooks c;

				if (contents_of(g, n, stream, &c) && contents_rank(&c) == rank)
					g->contents[g->content_count++] = c;
			}
		if (stream)
			g->stream_count = g->content_count;
	}
}

static unsigned service_rank(const struct tmail_service *s)
{
	uint32_t flags = 0;

	TMAIL_EACH(struct tmail_operation, operation, s->operations)
		flags |= operation->flags;
	return rank_of(flags);
}

static void services_order(struct generation *g)
{
	size_t count = 0;

	for (unsigned n = 0; n < g->count; n++)
		count += g->instances[n]->descriptor->services.count;
	g->services = must_alloc((count + 1) * sizeof *g->services);
	for (unsigned rank = 0; rank < 3; rank++)
		for (unsigned n = 0; n < g->count; n++)
			TMAIL_EACH(struct tmail_service, declared,
				g->instances[n]->descriptor->services)
				if (service_rank(declared) == rank)
					g->services[g->service_count++] =
						(struct service){ declared, g->instances[n], n, g };
}

void generation_order(struct generation *g)
{
	for (uint32_t point = 0; point < TMAIL_POINTS; point++)
		point_order(g, point);
	contents_order(g);
	services_order(g);
}

void generation_order_free(struct generation *g)
{
	for (uint32_t point = 0; point < TMAIL_POINTS; point++)
		free(g->points[point].item);
	free(g->contents);
	free(g->services);
}
