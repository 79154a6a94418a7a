/* SPDX-License-Identifier: MIT
 *
 * Prints a module's descriptor. Nothing of the module is called.
 */
#include "tools/module-test/page.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "host/record.h"

#include <stdio.h>

struct named {
	uint32_t bit;
	const char *name;
};

static void bits_print(const char *title, uint32_t bits, const struct named *names, size_t count)
{
	if (title)
		printf("%s", title);
	for (size_t i = 0; i < count; i++)
		if (bits & names[i].bit)
			printf(" %s", names[i].name);
	printf("\n");
}

static void hooks_print(const struct tmail_module *m)
{
	static const struct named flags[] = { { TMAIL_FIRST, "first" }, { TMAIL_LAST, "last" },
		{ TMAIL_BLOCKING, "blocking" }, { TMAIL_STREAM, "stream" }, { TMAIL_DRY, "dry" },
		{ TMAIL_WAITS, "waits" } };

	TMAIL_EACH(struct tmail_hook, h, m->hooks) {
		printf("hook        %s", point_name((enum tmail_point)h->point));
		bits_print(NULL, h->flags, flags, sizeof flags / sizeof *flags);
	}
}

static void services_print(const struct tmail_module *m)
{
	TMAIL_EACH(struct tmail_service, s, m->services) {
		printf("service     %s%s%s, operations", s->name, s->key ? ":" : "",
			s->key ? s->key : "");
		TMAIL_EACH(struct tmail_operation, o, s->operations)
			printf(" %u%s", o->op, o->flags & TMAIL_BLOCKING ? " (blocking)" : "");
		printf("\n");
	}
}

static void options_print(const struct tmail_module *m)
{
	const struct conf_section section = { m->name, m->summary, m->options, CONF_OF_MODULE };
	struct buf out = { 0 };

	conf_print_sample(&out, &section);
	printf("\n%s", buf_c(&out));
	buf_free(&out);
}

void page_print(const struct tmail_module *m)
{
	static const struct named capabilities[] = { { TMAIL_CAN_READ, "READ" },
		{ TMAIL_CAN_EDIT, "EDIT" }, { TMAIL_CAN_SECRET, "SECRET" },
		{ TMAIL_CAN_NET, "NET" }, { TMAIL_CAN_FILE, "FILE" }, { TMAIL_CAN_EXEC, "EXEC" },
		{ TMAIL_CAN_QUEUE, "QUEUE" }, { TMAIL_CAN_SQL, "SQL" } };

	printf("%s %s\n%s\n\n", m->name, m->version, m->summary);
	printf("abi         %u.%u, needs %u.%u\n", m->abi_major, m->abi_minor, m->abi_major,
		m->abi_needs);
	bits_print("may        ", m->capabilities, capabilities,
		sizeof capabilities / sizeof *capabilities);
	hooks_print(m);
	services_print(m);
	TMAIL_EACH(struct tmail_migration, step, m->migrations)
		printf("migration   %u\n", step->number);
	TMAIL_EACH(struct tmail_verb, v, m->verbs)
		printf("verb        %s: %s\n", v->name, v->summary);
	TMAIL_EACH(struct tmail_metric, metric, m->metrics)
		printf("metric      %s: %s\n", metric->name, metric->summary);
	options_print(m);
}
