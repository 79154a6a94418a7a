/* SPDX-License-Identifier: MIT
 *
 * A conversation of the client with a scripted server: one loop on the test's own thread, one
 * connection, one transaction at a time.
 */
#ifndef TESTS_SMTP_CLIENT_TALK_H
#define TESTS_SMTP_CLIENT_TALK_H

#include "smtp/client.h"
#include "tests/lib/peer.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TALK_RECIPIENTS = 8 };

struct talk {
	struct loop *loop;
	struct peer *peer;
	struct endpoint endpoint;
	struct client_settings settings;
	struct client_open *open;
	struct client *client;
	struct client_outcome opened;
	char opened_text[512];
	struct client_transaction t;
	struct client_recipient r[TALK_RECIPIENTS];
	struct str late; /* what more() answers, the second time it is asked */
	unsigned asked;
	bool done, usable, lost, to_lost;
	char text[TALK_RECIPIENTS][128]; /* of outcomes */
	struct task task;
	struct deadline silence;
};

static inline void talk_start(struct talk *t, const char *const *script)
{
	struct why why;

	*t = (struct talk){ .settings = { .helo = STR_INIT("me.example"),
				    .timeouts = { 30000, 30000, 30000, 30000, 30000, 30000, 30000,
					    30000, 30000 } } };
	t->loop = loop_new(0, &why);
	ck_assert_ptr_nonnull(t->loop);
	t->peer = peer_script(script);
	ck_assert(ip_parse(STR("127.0.0.1"), &t->endpoint.ip));
	t->endpoint.port = (uint16_t)peer_port(t->peer);
	t->t.sender = STR("s@example.com");
	t->t.recipients = t->r;
	t->t.ctx = t;
}

/* Addresses, NULL at the end. */
static inline void talk_recipients(struct talk *t, ...)
{
	const char *address;
	va_list args;

	va_start(args, t);
	while ((address = va_arg(args, const char *))) {
		ck_assert_uint_lt(t->t.count, TALK_RECIPIENTS);
		t->r[t->t.count++].address = str_c(address);
	}
	va_end(args);
}

static inline void talk_content(struct talk *t, const char *content)
{
	t->t.pieces[0] = str_c(content);
	t->t.piece_count = 1;
	t->t.size = strlen(content);
}

static inline void talk_there(struct task *task)
{
	struct talk *t = (struct talk *)(void *)((char *)task - offsetof(struct talk, task));

	client_more(t->client);
}

static inline int talk_ask_more(void *ctx, struct str *octets)
{
	struct talk *t = ctx;

	if (t->asked++ == 0) { /* not yet */
		t->task.run = talk_there;
		loop_post(t->loop, &t->task);
		return -1;
	}
	*octets = t->late;
	t->late.len = 0;
	return octets->len > 0;
}

static inline void talk_more(struct talk *t, const char *content)
{
	t->late = str_c(content);
	t->t.more = talk_ask_more;
}

static inline void talk_is_lost(void *ctx, struct client *c)
{
	struct talk *t = ctx;

	ck_assert_ptr_eq(c, t->client);
	t->lost = true;
	if (t->to_lost)
		loop_stop(t->loop);
}

static inline void talk_done(void *ctx, struct client *c, bool usable)
{
	struct talk *t = ctx;

	ck_assert(!t->done);
	t->done = true;
	t->usable = usable;
	for (size_t i = 0; i < t->t.count; i++) { /* texts go with the client */
		struct str text = str_slice(t->r[i].outcome.text, 0, sizeof t->text[i] - 1);

		memset(t->text[i], 0, sizeof t->text[i]);
		if (text.len)
			memcpy(t->text[i], text.data, text.len);
	}
	if (usable)
		client_watch(c, talk_is_lost, t);
	loop_stop(t->loop);
}

static inline void talk_opened(void *ctx, struct client *c, const struct client_outcome *outcome)
{
	struct talk *t = ctx;

	t->open = NULL;
	t->client = c;
	t->opened = *outcome;
	snprintf(t->opened_text, sizeof t->opened_text, "%.*s", STR_ARG(outcome->text));
	if (c) {
		t->t.done = talk_done;
		client_send(c, &t->t);
	} else {
		loop_stop(t->loop);
	}
}

/* Until the transaction has ended, or there is no connection. */
static inline void talk_run(struct talk *t)
{
	t->open = client_connect(t->loop, &t->endpoint, 1, NULL, 0, &t->settings, talk_opened, t);
	loop_run(t->loop);
}

static inline void talk_again(struct talk *t)
{
	t->done = false;
	client_send(t->client, &t->t);
	loop_run(t->loop);
}

static inline void talk_wait_lost(struct talk *t)
{
	t->to_lost = true;
	if (!t->lost)
		loop_run(t->loop);
}

static inline void talk_silent(struct deadline *d)
{
	struct talk *t = (struct talk *)(void *)((char *)d - offsetof(struct talk, silence));
	char *seen = peer_seen(t->peer);

	if (strstr(seen, "DATA\r\n"))
		loop_stop(t->loop);
	else
		deadline_set(&t->silence, 1);
	free(seen);
}

/* Until the envelope has arrived; for servers that say no more. */
static inline void talk_run_until_silent(struct talk *t)
{
	deadline_init(&t->silence, t->loop, talk_silent);
	deadline_set(&t->silence, 1);
	talk_run(t);
}

static inline void talk_quit(struct talk *t)
{
	char *seen;

	client_close(&t->client);
	ck_assert_ptr_null(t->client);
	for (bool there = false; !there;) { /* the loop goes on until the server has heard it */
		deadline_init(&t->silence, t->loop, talk_silent);
		deadline_set(&t->silence, 1);
		loop_run(t->loop);
		seen = peer_seen(t->peer);
		there = strstr(seen, "QUIT\r\n") != NULL;
		free(seen);
	}
}

static inline void talk_saw(struct talk *t, const char *text)
{
	char *seen = peer_seen(t->peer);

	ck_assert_msg(strstr(seen, text) != NULL, "not seen: %s\nseen: %.2000s", text, seen);
	free(seen);
}

static inline void talk_saw_not(struct talk *t, const char *text)
{
	char *seen = peer_seen(t->peer);

	ck_assert_msg(strstr(seen, text) == NULL, "seen: %.2000s", seen);
	free(seen);
}

static inline void talk_text_is(struct talk *t, size_t i, const char *text)
{
	ck_assert_str_eq(t->text[i], text);
}

static inline void talk_end(struct talk *t)
{
	client_connect_cancel(&t->open);
	client_abort(&t->client);
	deadline_clear(&t->silence);
	loop_free(&t->loop);
	peer_end(&t->peer);
}

#endif
