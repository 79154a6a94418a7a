/* SPDX-License-Identifier: MIT
 *
 * A control socket with its server, whose loop runs on a thread of its own, as the main thread's
 * would; commands that the tests ask for; and clients, proper and raw.
 */
#ifndef TESTS_ADMIN_CONTROL_H
#define TESTS_ADMIN_CONTROL_H

#include "tests/admin/collect.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include "base/num.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char control_folder[TEST_FOLDER], control_path[TEST_FOLDER + 20];
static int control_fd = -1;
static struct loop *control_loop;
static struct control *control;
static pthread_t control_thread;

/* ---- commands ----------------------------------------------------------------------------- */

static atomic_uint control_inside, control_inside_most; /* of verbs at a gate */
static sem_t control_entered, control_gate; /* `gate` posts the one, waits for the other */
static _Atomic uint64_t control_emitted;    /* rows, of the last `rows` */

static inline enum verb_result control_rows(struct output *o, uint64_t rows)
{
	static const char *const names[] = { "n", "text" };
	const struct tmail_str row[] = { TMAIL_STR("x"), TMAIL_STR("yyyy\"\n") };

	o->columns(o, names, 2);
	for (uint64_t i = 0; i < rows; i++) {
		o->row(o, row, 2);
		o->progress(o, i, rows);
		control_emitted = i + 1;
	}
	return VERB_OK;
}

static inline enum verb_result control_secret(struct output *o)
{
	struct buf secret = { 0 };
	struct why why;
	bool ok = o->secret(o, "PASSWORD", &secret, &why);

	if (ok)
		o->say(o, buf_str(&secret));
	else
		output_fail(o, "%s", why.text);
	buf_free(&secret);
	return ok ? VERB_OK : VERB_FAILED;
}

static inline enum verb_result control_wait(void)
{
	unsigned inside = atomic_fetch_add(&control_inside, 1) + 1;

	if (inside > control_inside_most)
		control_inside_most = inside;
	sem_post(&control_entered);
	while (sem_wait(&control_gate) != 0)
		;
	atomic_fetch_sub(&control_inside, 1);
	return VERB_OK;
}

/* echo WORDS, rows N, secret, gate. */
static inline enum verb_result control_verb(const struct str *words, size_t count, struct output *o)
{
	uint64_t rows = 0;

	if (count == 0) {
		output_fail(o, "no words");
		return VERB_USAGE;
	}
	if (str_equal(words[0], STR("echo"))) {
		for (size_t i = 1; i < count; i++)
			o->say(o, words[i]);
		return VERB_OK;
	}
	if (str_equal(words[0], STR("secret")))
		return control_secret(o);
	if (str_equal(words[0], STR("gate")))
		return control_wait();
	if (str_equal(words[0], STR("rows")) && count > 1 && num_u64(words[1], &rows))
		return control_rows(o, rows);
	output_fail(o, "what?");
	return VERB_FAILED;
}

/* ---- the server --------------------------------------------------------------------------- */

static struct task control_to_stop;

static inline void control_stop_run(struct task *task)
{
	(void)task;
	loop_stop(control_loop);
}

static inline void *control_serve(void *arg)
{
	loop_run(control_loop);
	control_stop(&control);
	return arg;
}

static inline void control_place(void)
{
	test_folder_make(control_folder);
	snprintf(control_path, sizeof control_path, "%s/control.sock", control_folder);
}

static inline void control_begin(void)
{
	struct why why;

	control_place();
	sem_init(&control_entered, 0, 0);
	sem_init(&control_gate, 0, 0);
	control_inside = control_inside_most = 0;
	control_fd = control_listen(control_path, &why);
	ck_assert_msg(control_fd >= 0, "%s", why.text);
	control_loop = loop_new(0, &why);
	ck_assert_ptr_nonnull(control_loop);
	control = control_start(control_fd, control_loop, control_verb, &why);
	ck_assert_ptr_nonnull(control);
	ck_assert_int_eq(pthread_create(&control_thread, NULL, control_serve, NULL), 0);
}

static inline void control_end(void)
{
	control_to_stop.run = control_stop_run;
	loop_post(control_loop, &control_to_stop);
	pthread_join(control_thread, NULL);
	loop_free(&control_loop);
	close(control_fd);
	sem_destroy(&control_entered);
	sem_destroy(&control_gate);
	test_folder_remove(control_folder);
}

static inline void control_wait_entered(unsigned n)
{
	while (n--)
		while (sem_wait(&control_entered) != 0)
			;
}

static inline void control_open_gate(unsigned n)
{
	while (n--)
		sem_post(&control_gate);
}

/* ---- clients ------------------------------------------------------------------------------ */

/* As a command asks: what came is in `c`, to be freed. */
static inline int control_command(struct collect *c, const char *line, struct why *why)
{
	struct str words[64], rest = str_c(line), word;
	size_t n = 0;

	collect_init(c);
	while (str_word(&rest, &word))
		words[n++] = word;
	return control_ask(control_path, words, n, &c->output, why);
}

/* It answers `echo`. */
static inline void control_check_alive(void)
{
	struct collect c;
	struct why why;
	int answer = control_command(&c, "echo alive", &why);

	ck_assert_msg(answer == VERB_OK, "%s", answer < 0 ? why.text : buf_c(&c.text));
	ck_assert_str_eq(buf_c(&c.text), "say alive\n");
	buf_free(&c.text);
}

static inline struct sockaddr_un control_address(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", control_path);
	return address;
}

static inline int raw_open(void)
{
	struct sockaddr_un address = control_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* As much as the server takes: it may have closed. */
static inline void raw_send(int fd, struct str octets)
{
	while (octets.len) {
		ssize_t n = send(fd, octets.data, octets.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		octets = str_slice(octets, (size_t)n, octets.len);
	}
}

/* Adds what comes until `text` is in it; true when it came before the end. NULL: to the end. */
static inline bool raw_wait(int fd, struct buf *answer, const char *text)
{
	while (!text || !strstr(buf_c(answer), text)) {
		ssize_t n = recv(fd, buf_reserve(answer, 65536), 65536, 0);

		if (n <= 0)
			return false;
		answer->len += (size_t)n;
	}
	return true;
}

#endif
