/* SPDX-License-Identifier: MIT
 *
 * A queue with the server stopped: the store in memory (tests/lib/memory_queue.h), what is put
 * into it, and command lines over it.
 */
#ifndef TESTS_ADMIN_QUEUED_H
#define TESTS_ADMIN_QUEUED_H

#include "tests/admin/command.h"
#include "tests/lib/memory_queue.h"

#include "base/log.h"
#include "host/service.h"
#include "queue/queue.h"
#include "sys/clock.h"

#include <stdio.h>

/* Noon of 2026-01-31, when all of it happens; as microseconds since 1970. */
#define NOON INT64_C(1769860800000000)
#define MINUTES INT64_C(60000000)

static int64_t queued_now = NOON;

static inline int64_t queued_clock(void)
{
	return queued_now;
}

static inline const struct queue_settings *queued_settings(const struct generation *g)
{
	static const struct queue_settings settings = { .hostname = TMAIL_STR("mx.example"),
		.bounce_size = 1000 };

	(void)g;
	return &settings;
}

static inline void queued_begin(void)
{
	static const char *const only[] = { "test/memory", NULL };

	module_preload(&memory_queue);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	clock_replace(queued_clock, NULL);
	queued_now = NOON;
	queue_setup(queued_settings);
	command_begin("modules = ( { module = \"test/memory\"; } );\n", only);
}

static inline void queued_end(void)
{
	command_end();
	memory_reset();
	clock_replace(NULL, NULL);
}

static inline void queued_write(const struct tmail_queue_op *op)
{
	struct tmail_queue_verdict verdict = { .result = TMAIL_QUEUE_NO };
	const struct tmail_queue_write write = {
		.size = sizeof write, .count = 1, .ops = { op, 1, sizeof *op }, .results = &verdict
	};
	struct arena *arena = arena_new(256);

	ck_assert_int_eq(service_ask_wait(service_find(generation, TMAIL_QUEUE, NULL, 0),
				 TMAIL_QUEUE_WRITE, &write, NULL, arena),
		TMAIL_OK);
	ck_assert_uint_eq(verdict.result, TMAIL_QUEUE_DURABLE);
	arena_free(&arena);
}

/* The n-th message has the id n; it came that many minutes ago. Recipients are parted by blanks. */
static inline void queued_add(unsigned n, const char *sender, const char *recipients, int minutes)
{
	const struct tmail_str content = TMAIL_STR("Subject: x\r\n\r\nhello\r\n");
	struct tmail_recipient list[8];
	struct tmail_envelope envelope = { .size = sizeof envelope,
		.id = { (uint64_t)(NOON - minutes * MINUTES), n },
		.received = NOON - minutes * MINUTES,
		.sender = { sender, strlen(sender) },
		.recipients = { list, 0, sizeof *list } };
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_ADD,
		.id = envelope.id,
		.envelope = &envelope,
		.content = &content,
		.content_count = 1,
		.due = envelope.received };
	struct str rest = str_c(recipients), word;

	while (str_word(&rest, &word)) {
		ck_assert_uint_lt(envelope.recipients.count, 8);
		list[envelope.recipients.count] =
			(struct tmail_recipient){ .index = envelope.recipients.count,
				.address = { word.data, word.len } };
		envelope.recipients.count++;
	}
	queued_write(&op);
}

/* Recipient `index` of it was tried, and is to be again. */
static inline void queued_defer(unsigned n, int minutes, uint32_t index, const char *reply)
{
	queued_write(&(struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
		.id = { (uint64_t)(NOON - minutes * MINUTES), n },
		.recipient = index,
		.fate = TMAIL_FATE_DEFERRED,
		.attempts = 3,
		.due = NOON + 10 * MINUTES,
		.reply = { reply, strlen(reply) } });
}

static inline const char *queued_id(unsigned n, int minutes)
{
	static char text[4][ID_TEXT + 1];
	static unsigned turn;
	char *one = text[turn++ % 4];

	id_text((struct id){ (uint64_t)(NOON - minutes * MINUTES), n }, one);
	return one;
}

/* A command line with ids in it: "queue hold %s". */
#define printed_of(result, ...)                                                                    \
	printed((snprintf(queued_line, sizeof queued_line, __VA_ARGS__), queued_line), result)
__attribute__((unused)) static char queued_line[400];

#endif
