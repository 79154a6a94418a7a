/* SPDX-License-Identifier: MIT
 *
 * What the tests of this floor share: one loop on the test's own thread, a generation made from
 * text and modules made on the spot, and a subject.
 *
 *   static void first(struct world *w) { ... world_over(w); }
 *   world_begin(&w, "modules = ({ module = \"test/a\"; });");
 *   world_run(&w, first);      until world_over
 *   world_end(&w);
 */
#ifndef TESTS_HOST_WORLD_H
#define TESTS_HOST_WORLD_H

#include "host/generation.h"
#include "host/module.h"
#include "host/notice.h"
#include "host/service.h"
#include "host/subject.h"
#include "tests/lib/test.h"

#include <unistd.h>

#undef fail /* Check's; ours is a member of struct tmail_emit */

/* A module written out: MODULE(name, "test/name", .hooks = TMAIL_LIST(...)). */
#define MODULE(variable, name_, ...)                                                               \
	static const struct tmail_module variable = { .magic = TMAIL_MAGIC,                        \
		.abi_major = TMAIL_ABI_MAJOR,                                                      \
		.abi_minor = TMAIL_ABI_MINOR,                                                      \
		.abi_needs = TMAIL_ABI_MINOR,                                                      \
		.size = sizeof(struct tmail_module),                                               \
		.name = name_,                                                                     \
		.version = "1",                                                                    \
		.summary = "A module of the tests.",                                               \
		__VA_ARGS__ }

/* What a module has to have, and does nothing. */
static inline enum tmail_verdict world_hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	return TMAIL_CONTINUE;
}
static inline int world_operation(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	(void)question;
	(void)answer;
	return TMAIL_OK;
}
static inline int world_verb(struct tmail_call *call, const struct tmail_list *values)
{
	(void)call;
	(void)values;
	return TMAIL_OK;
}

struct world {
	struct loop *loop;
	struct loop *loops[1];
	struct generation *generation;
	struct problems problems;
	struct subject subject;
	struct task task;
	void (*step)(struct world *w);
	/* what the last chain came to */
	struct chain_answer answer;
	int answers;
	int status;
	void *ctx;
};

static inline struct generation *world_generation(
	struct world *w, const char *text, enum purpose purpose, struct generation *old)
{
	static const char *const nowhere[] = { NULL };
	struct conf *conf = conf_parse(str_c(text), "test.conf", &w->problems);
	const struct generation_setup setup = { .purpose = purpose,
		.conf = conf,
		.module_dirs = nowhere,
		.loops = w->loops,
		.loop_count = 1,
		.trusted_uid = geteuid(),
		.create = true };

	return generation_new(&setup, old, &w->problems);
}

static inline const char *world_problem(const struct world *w, size_t i)
{
	return i < w->problems.count ? w->problems.text[i] : "(none)";
}

static inline void world_begin(struct world *w, const char *conf)
{
	*w = (struct world){ 0 };
	w->loop = w->loops[0] = loop_new(0, NULL);
	ck_assert(w->loop != NULL);
	w->generation = world_generation(w, conf, PURPOSE_SERVE, NULL);
	ck_assert_msg(w->generation != NULL, "%s", world_problem(w, 0));
	subject_init(&w->subject, w->loop, w->generation);
	w->subject.client.address = tm_str(STR("192.0.2.1"));
	w->subject.client.helo = tm_str(STR("client.example"));
	w->subject.client.listener = tm_str(STR("mx"));
}

static inline void world_step(struct task *task)
{
	struct world *w = container_of(task, struct world, task);

	w->step(w);
}

static inline void world_over(struct world *w)
{
	loop_stop(w->loop);
}

/* Runs step on the loop, and the loop until world_over. */
static inline void world_run(struct world *w, void (*step)(struct world *w))
{
	w->step = step;
	w->task.run = world_step;
	loop_post(w->loop, &w->task);
	loop_run(w->loop);
}

static struct loop *world_ending;

static inline void world_gone(void)
{
	loop_stop(world_ending);
}

static inline void world_finish(struct world *w)
{
	subject_end(&w->subject);
	generation_unref(&w->generation);
}

/* The loop runs until the last call, wherever it is, has let go of the generation. */
static inline void world_end(struct world *w)
{
	struct message *m = w->subject.message;

	if (w->generation) {
		world_ending = w->loop;
		generation_on_main(world_gone);
		world_run(w, world_finish);
		generation_on_main(NULL);
		generation_reap();
	}
	message_free(&m);
	loop_free(&w->loop);
	problems_free(&w->problems);
}

/* A message in the subject: header and body as they are. */
static inline struct message *world_message(struct world *w, const char *data)
{
	struct message *m = message_new((struct id){ 7, 8 }, 1000);

	m->envelope.sender = tm_str(STR("sender@example.com"));
	buf_add_c(&m->data, data);
	w->subject.message = m;
	return m;
}

/* chain_ask, and the loop until there is an answer: in w->answer. */
static inline void world_answered(void *ctx, const struct chain_answer *answer)
{
	struct world *w = ctx;

	w->answer = *answer;
	w->answers++;
	world_over(w);
}

static union tmail_event world_event;
static enum tmail_point world_point;

static inline void world_ask_step(struct world *w)
{
	if (chain_ask(&w->subject, world_point, &world_event, &w->answer, world_answered, w)) {
		w->answers++;
		world_over(w);
	}
}

static inline const struct chain_answer *world_ask(struct world *w, enum tmail_point point)
{
	world_point = point;
	w->answers = 0;
	world_run(w, world_ask_step);
	ck_assert_int_eq(w->answers, 1);
	return &w->answer;
}

static inline void world_content_step(struct world *w)
{
	if (chain_content(&w->subject, &w->answer, world_answered, w)) {
		w->answers++;
		world_over(w);
	}
}

static inline const struct chain_answer *world_content(struct world *w)
{
	w->answers = 0;
	world_run(w, world_content_step);
	ck_assert_int_eq(w->answers, 1);
	return &w->answer;
}

#define ASSERT_STR(s, text)                                                                        \
	do {                                                                                       \
		struct str assert_str = (s);                                                       \
		ck_assert_msg(str_equal(assert_str, str_c(text)), "'%.*s' is not '%s'",            \
			STR_ARG(assert_str), text);                                                \
	} while (0)
#define ASSERT_HAS(text, part)                                                                     \
	ck_assert_msg(strstr((text), (part)) != NULL, "'%s' does not say '%s'", (text), (part))

#endif
