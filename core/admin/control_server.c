/* SPDX-License-Identifier: MIT
 *
 * The server's side of the control socket. Accepting, reading and writing happen on the main
 * thread's loop; a verb runs on a worker, one a client at a time. What it emits is put into the
 * client's buffer, which the loop empties into the stream; when that is full the worker waits,
 * so a slow reader holds its own verb and nothing else.
 *
 * A client is freed on the loop, when its stream is closed and no worker has it.
 */
#include "admin/control_wire.h"
#include "admin/verb.h"

#include "base/list.h"
#include "net/stream.h"
#include "sys/file.h"
#include "sys/lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CLIENTS_AT_MOST = 64,
	VERBS_AT_ONCE = 4,
	LINE_AT_MOST = 256 * 1024,
	OUTPUT_AT_MOST = 256 * 1024, /* that a client has not read, before its verb waits */
	ACCEPT_PAUSE = 100,          /* ms */
	LINGER = 1000,               /* ms, for what a client has not read yet */
	STOP_WAIT = 5000             /* ms, for verbs under way */
};

struct control {
	struct loop *loop;
	struct lane *lane;
	control_run run;
	uv_poll_t poll;
	struct deadline pause; /* of accepting, when descriptors ran out */
	int fd;
	bool open;     /* the poll handle */
	bool stopping; /* verbs under way end, no new ones begin */
	unsigned client_count;
	struct link clients;
};

struct client {
	struct output output; /* must be first: the verb's */
	struct link link;
	struct control *control;
	struct stream *stream; /* NULL: it left */
	struct buf in;         /* the line that is not whole yet */
	struct arena *arena;
	struct control_request request;
	struct job job;
	struct task flush;
	enum verb_result result;
	bool busy; /* a verb is under way */
	/* between the loop and the worker */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buf out;
	struct buf answer; /* to what `secret` asked for */
	bool gone, flushing, asking, answered;
};

/* ---- on the worker ------------------------------------------------------------------------ */

/* Takes the line; waits while the client has too much to read. */
static void client_emit(struct client *c, struct buf *line)
{
	pthread_mutex_lock(&c->lock);
	while (!c->gone && c->out.len > OUTPUT_AT_MOST)
		pthread_cond_wait(&c->changed, &c->lock);
	if (!c->gone) {
		buf_add(&c->out, buf_str(line));
		if (!c->flushing) {
			c->flushing = true;
			loop_post(c->control->loop, &c->flush);
		}
	}
	pthread_mutex_unlock(&c->lock);
	buf_free_secret(line);
}

static void client_columns(struct output *o, const char *const *names, uint32_t n)
{
	struct buf line = { 0 };

	wire_columns(&line, names, n);
	client_emit((struct client *)o, &line);
}

static void client_row(struct output *o, const struct tmail_str *values, uint32_t n)
{
	struct buf line = { 0 };

	wire_row(&line, values, n);
	client_emit((struct client *)o, &line);
}

static void client_say(struct output *o, struct str text)
{
	struct buf line = { 0 };

	wire_text(&line, "say", text);
	client_emit((struct client *)o, &line);
}

static void client_fail(struct output *o, struct str text)
{
	struct buf line = { 0 };

	wire_text(&line, "fail", text);
	client_emit((struct client *)o, &line);
}

static void client_progress(struct output *o, uint64_t done, uint64_t of)
{
	struct buf line = { 0 };

	wire_progress(&line, done, of);
	client_emit((struct client *)o, &line);
}

static bool client_secret(struct output *o, const char *name, struct buf *answer, struct why *why)
{
	struct client *c = (struct client *)o;
	struct buf line = { 0 };
	bool ok;

	pthread_mutex_lock(&c->lock);
	c->asking = true;
	c->answered = false;
	pthread_mutex_unlock(&c->lock);
	wire_text(&line, "secret", str_c(name));
	client_emit(c, &line);
	pthread_mutex_lock(&c->lock);
	while (!c->gone && !c->answered)
		pthread_cond_wait(&c->changed, &c->lock);
	ok = c->answered && c->answer.len > 0;
	if (ok)
		buf_add(answer, buf_str(&c->answer));
	c->asking = false;
	buf_free_secret(&c->answer);
	pthread_mutex_unlock(&c->lock);
	return ok || why_set(why, "%s: nothing was given", name);
}

static void client_work(struct job *job)
{
	struct client *c = container_of(job, struct client, job);

	c->result = c->control->run(c->request.words, c->request.count, &c->output);
}

/* ---- on the loop -------------------------------------------------------------------------- */

/* Everybody is gone, and the poll handle too. */
static void control_look(struct control *control)
{
	if (control->stopping && !control->open && list_empty(&control->clients))
		loop_stop(control->loop);
}

static void client_free(struct client *c)
{
	list_remove(&c->link);
	c->control->client_count--;
	control_look(c->control);
	arena_free(&c->arena);
	buf_free_secret(&c->in);
	buf_free_secret(&c->out);
	buf_free_secret(&c->answer);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void client_leave(struct client *c, int64_t linger_ms)
{
	if (c->stream)
		stream_close(&c->stream, linger_ms);
	pthread_mutex_lock(&c->lock);
	c->gone = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (!c->busy)
		client_free(c);
}

/* Moves what the verb emitted to the stream, as far as the client keeps up. */
static void client_drain(struct client *c)
{
	if (!c->stream || stream_unsent(c->stream) > OUTPUT_AT_MOST)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->out.len) {
		stream_write(c->stream, buf_str(&c->out));
		buf_clear(&c->out);
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	stream_flush(c->stream);
}

static void client_input(void *owner, struct stream *s);

static void client_flush(struct task *task)
{
	struct client *c = container_of(task, struct client, flush);

	pthread_mutex_lock(&c->lock);
	c->flushing = false;
	pthread_mutex_unlock(&c->lock);
	client_drain(c);
	if (c->stream) /* the answer to what is asked now may be there already */
		client_input(c, c->stream);
}

static void client_finish(struct client *c)
{
	struct buf line = { 0 };

	wire_result(&line, c->result);
	pthread_mutex_lock(&c->lock);
	buf_add(&c->out, buf_str(&line));
	pthread_mutex_unlock(&c->lock);
	buf_free(&line);
	arena_reset(c->arena);
	client_drain(c);
}

static void client_done(struct job *job)
{
	struct client *c = container_of(job, struct client, job);

	/* A flush that was posted runs before this: tasks keep the order of their thread, and
	 * this one was posted last by the same worker. */
	c->busy = false;
	if (!c->stream) {
		client_free(c);
		return;
	}
	client_finish(c);
	if (c->control->stopping)
		client_leave(c, LINGER);
	else
		client_input(c, c->stream);
}

static void client_refuse(struct client *c, const char *reason)
{
	struct buf line = { 0 };

	wire_text(&line, "fail", str_c(reason));
	wire_result(&line, VERB_FAILED);
	stream_write(c->stream, buf_str(&line));
	buf_free(&line);
	client_leave(c, LINGER);
}

/* An answer to what the verb asked for. */
static bool client_answer(struct client *c, struct str line)
{
	struct buf answer = { 0 };
	bool ok = wire_answer_read(line, &answer);

	pthread_mutex_lock(&c->lock);
	ok = ok && c->asking && !c->answered;
	if (ok) {
		buf_free_secret(&c->answer);
		c->answer = answer;
		c->answered = true;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	if (!ok)
		buf_free_secret(&answer);
	return ok;
}

/* False: the client is gone. */
static bool client_line(struct client *c, struct str line)
{
	struct why why;

	if (c->busy) {
		if (client_answer(c, line))
			return true;
		client_refuse(c, "the command before this one is still running");
		return false;
	}
	if (!wire_request_read(line, c->arena, &c->request, &why)) {
		client_refuse(c, why.text);
		return false;
	}
	c->busy = true;
	c->job.home = c->control->loop;
	c->job.work = client_work;
	c->job.done = client_done;
	if (lane_submit(c->control->lane, &c->job))
		return true;
	c->busy = false;
	client_refuse(c, "too many commands at once, try later");
	return false;
}

/* Whether a line can be taken now: a command when none runs, an answer when one is wanted. */
static bool client_listens(struct client *c)
{
	bool listens;

	pthread_mutex_lock(&c->lock);
	listens = !c->busy || (c->asking && !c->answered);
	pthread_mutex_unlock(&c->lock);
	return listens;
}

/* What comes while a verb runs stays in the stream, which holds back the client. */
static void client_input(void *owner, struct stream *s)
{
	struct client *c = owner;

	while (client_listens(c)) {
		struct str more = stream_input(s);
		ptrdiff_t end = str_find(buf_str(&c->in), '\n');

		if (end >= 0) {
			if (!client_line(c, str_slice(buf_str(&c->in), 0, (size_t)end)))
				return;
			buf_consume(&c->in, (size_t)end + 1);
		} else if (more.len == 0) {
			return;
		} else if (c->in.len + more.len > LINE_AT_MOST) {
			client_refuse(c, "a line that is too long");
			return;
		} else {
			buf_add(&c->in, more);
			stream_take(s, more.len);
		}
	}
}

static void client_drained(void *owner, struct stream *s)
{
	(void)s;
	client_drain(owner);
}

static void client_ended(void *owner, struct stream *s, enum stream_end how)
{
	(void)s;
	(void)how;
	client_leave(owner, 0);
}

static const struct stream_owner client_events = {
	.input = client_input,
	.drained = client_drained,
	.ended = client_ended,
};

static struct client *client_new(struct control *control, int fd)
{
	struct client *c = must_alloc(sizeof *c);

	c->output = (struct output){ client_columns, client_row, client_say, client_fail,
		client_progress, client_secret };
	c->control = control;
	c->flush.run = client_flush;
	c->arena = arena_new(1024);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	list_append(&control->clients, &c->link);
	control->client_count++;
	c->stream = stream_open(control->loop, fd, &client_events, c);
	return c;
}

/* Only the server's own user and root may speak here; the mode of the socket says so too. */
static bool peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
		(peer.uid == 0 || peer.uid == geteuid());
}

static void control_accept(uv_poll_t *poll, int status, int events)
{
	struct control *control = poll->data;
	int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)status;
	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
		uv_poll_stop(poll);
		deadline_set(&control->pause, ACCEPT_PAUSE);
	}
	if (fd < 0)
		return;
	if (!peer_allowed(fd))
		client_refuse(client_new(control, fd), "only root and the server's user may ask");
	else if (control->client_count >= CLIENTS_AT_MOST)
		client_refuse(client_new(control, fd), "too many clients at once, try later");
	else
		client_new(control, fd);
}

static void control_resume(struct deadline *pause)
{
	struct control *control = container_of(pause, struct control, pause);

	uv_poll_start(&control->poll, UV_READABLE, control_accept);
}

struct control *control_start(int fd, struct loop *loop, control_run run, struct why *why)
{
	struct control *control = must_alloc(sizeof *control);
	int error;

	control->fd = fd;
	control->run = run;
	control->loop = loop;
	list_init(&control->clients);
	fd_set_nonblocking(fd);
	error = uv_poll_init(loop_uv(loop), &control->poll, fd);
	if (error) {
		why_set(why, "control socket: %s", uv_strerror(error));
		free(control);
		return NULL;
	}
	deadline_init(&control->pause, loop, control_resume);
	control->poll.data = control;
	control->open = true;
	uv_poll_start(&control->poll, UV_READABLE, control_accept);
	control->lane = lane_new("control", VERBS_AT_ONCE, CLIENTS_AT_MOST);
	return control;
}

static void control_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	control->open = false;
	control_look(control);
}

/* Verbs had their time: who still waits for his client waits no more. */
static void control_abandon(struct deadline *pause)
{
	struct control *control = container_of(pause, struct control, pause);

	LIST_EACH(struct client, client, &control->clients, link) {
		client_leave(client, 0);
	}
}

void control_stop(struct control **control)
{
	struct control *c = *control;

	if (!c)
		return;
	c->stopping = true;
	deadline_clear(&c->pause);
	deadline_init(&c->pause, c->loop, control_abandon);
	deadline_set(&c->pause, STOP_WAIT);
	uv_close((uv_handle_t *)&c->poll, control_closed);
	LIST_EACH(struct client, client, &c->clients, link) {
		if (!client->busy)
			client_leave(client, LINGER);
	}
	while (c->open || !list_empty(&c->clients)) /* others may stop the loop too */
		loop_run(c->loop);
	deadline_clear(&c->pause);
	lane_free(&c->lane);
	free(c);
	*control = NULL;
}
