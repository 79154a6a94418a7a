/* SPDX-License-Identifier: MIT
 *
 * The end of a server: no new clients, idle ones are sent away, transactions and deliveries
 * under way may finish for stop_timeout; then what is left gets 421. Sessions are watched on the
 * main loop, the queue is waited for on a lane, so that a command can still ask how it goes.
 * What was accepted is in the store by then, whatever happens.
 */
#include "daemon/server.h"

#include "base/list.h"
#include "host/trail.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/lane.h"

#include <stdlib.h>

enum { LOOK = 10, LAST_WORDS = 2000 }; /* ms */

static struct {
	struct deadline look;
	struct job drain;
	int64_t until;    /* clock_mono: sessions are ended */
	int64_t patience; /* ms, of the queue */
	bool ended;       /* smtp_sessions_end was called */
	bool drained;     /* the queue is */
} stop;

static void drain_work(struct job *job)
{
	(void)job;
	queue_drain(stop.patience);
}

static void drain_done(struct job *job)
{
	(void)job;
	stop.drained = true;
}

static void stop_look(struct deadline *look)
{
	int64_t now = clock_mono();

	if (smtp_sessions() && !stop.ended && now >= stop.until) {
		log_event(LEVEL_WARNING, NULL, "sessions_ended",
			LOG_NUM("sessions", smtp_sessions()));
		smtp_sessions_end();
		stop.ended = true;
	}
	if (stop.drained && (!smtp_sessions() || now >= stop.until + LAST_WORDS * 1000)) {
		server.phase = SERVER_OVER;
		loop_stop(server.main);
	} else {
		deadline_set(look, LOOK);
	}
}

/* On the main loop, so that the queue's end comes back to it. */
static void stop_begin(struct deadline *look)
{
	listeners_drain();
	server.drain = lane_new("drain", 1, 1);
	stop.drain = (struct job){ .work = drain_work, .done = drain_done };
	if (!lane_submit(server.drain, &stop.drain))
		stop.drained = true;
	deadline_init(look, server.main, stop_look);
	deadline_set(look, 0);
}

void server_stop(bool now)
{
	struct generation *g;

	if (server.phase >= SERVER_STOPPING) {
		if (now)
			stop.until = clock_mono();
		return;
	}
	g = generation_current();
	stop.patience = now ? 0 : settings_of(g)->top.stop_timeout;
	stop.until = clock_mono() + stop.patience * 1000;
	generation_unref(&g);
	log_event(LEVEL_INFO, NULL, "stopping", LOG_NUM("sessions", smtp_sessions()));
	server.phase = SERVER_STOPPING;
	deadline_init(&stop.look, server.main, stop_begin);
	deadline_set(&stop.look, 0);
}

static void signal_closed(uv_handle_t *handle)
{
	(void)handle;
}

void server_close(void)
{
	main_calls_refuse();
	control_stop(&server.control);
	lane_free(&server.drain);
	for (size_t i = 0; i < sizeof server.signals / sizeof *server.signals; i++)
		uv_close((uv_handle_t *)&server.signals[i], signal_closed);
	uv_close((uv_handle_t *)&server.channel_poll, signal_closed);
	table_poll_stop();
	queue_stop();
	generation_on_main(NULL);
	generation_install(NULL);
	if (!generation_wait_gone(LAST_WORDS))
		log_event(LEVEL_WARNING, NULL, "modules_still_busy");
	for (unsigned i = 0; i < server.loop_count; i++)
		loop_stop(server.loops[i]);
	for (unsigned i = 0; i < server.loop_count; i++)
		loop_join(server.loops[i]);
	listeners_free();
	dns_stop();
	for (unsigned i = 0; i < server.loop_count; i++)
		loop_free(&server.loops[i]);
	loop_free(&server.main);
	free(server.loops);
	sockets_free(&server.given);
	fd_close(&server.control_fd);
	fd_close(&server.lock_fd);
	log_event(LEVEL_INFO, NULL, "stopped");
	trail_stop();
	logger_stop();
}
