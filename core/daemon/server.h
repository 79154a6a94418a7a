/* SPDX-License-Identifier: MIT
 *
 * The server process: what its files share. All of it belongs to the main thread, but for what
 * says otherwise.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "admin/verb.h"
#include "daemon/channel.h"
#include "daemon/privileges.h"
#include "daemon/sockets.h"

#include <pthread.h>

/* A listener of ours, over a socket that the parent holds too. */
struct served {
	struct listening socket;
	char real[ENDPOINT_TEXT]; /* with the port of the kernel's choice */
	char role[16];
	uint64_t hash; /* of its settings: another one is another listener */
	struct smtp_server *smtp;
	bool leaving; /* no longer in the configuration; its sessions finish */
};

enum server_phase { SERVER_STARTING, SERVER_SERVING, SERVER_STOPPING, SERVER_OVER };

struct server {
	const char *file;
	int channel, control_fd, lock_fd;
	int64_t watchdog; /* ms between two signs of life; 0: none are wanted */
	char crashed[PACKET_TEXT];
	struct sockets given;   /* by the parent, before they are served */
	struct tls_files files; /* by the parent, until they are read */
	struct identity identity;
	const char *const *folders; /* of modules */
	enum server_phase phase;
	int64_t started; /* microseconds since 1970 */
	struct loop *main, **loops;
	unsigned loop_count;
	struct served *served;
	size_t served_count;
	pthread_mutex_t served_lock; /* `status` reads on a worker */
	struct control *control;
	uv_poll_t channel_poll;
	uv_signal_t signals[3];
	struct deadline tick, alive;
	struct lane *drain; /* waits for the queue while the main thread goes on */
};
extern struct server server;

/* ---- the start (server.c) ---- */
/* Reads the file: NULL with problems. The settings live in the conf. */
struct conf *server_conf(const struct settings **settings, struct problems *problems);
struct generation *server_generation(
	enum purpose purpose, bool create, struct generation *old, struct problems *problems);
void server_problems_log(const char *event, const struct problems *problems);

/* What the settings name of TLS, from `files`, which are closed; NULL: nothing. False with why. */
bool server_certificates(const struct settings *settings, struct tls **tls, struct why *why);
/* For handshakes from now on; the reference is taken over. */
void server_certificates_set(struct tls *tls);

/* ---- listeners (listeners.c) ---- */
/* Serves the sockets, in the order of the settings; those that were served as they are stay,
 * others finish. Takes the descriptors out of `given`. */
bool listeners_set(const struct settings *settings, struct sockets *given, struct why *why);
void listeners_drain(void);
void listeners_free(void);
/* Any thread. */
void listeners_each(void (*each)(void *ctx, const char *address, const char *role), void *ctx);

/* ---- reload and restart (reload.c) ---- */
/* A reload is done between two turns of the main loop: nothing on a loop waits. */
void reload_want(void);
void reload_if_wanted(void);
/* For verbs, on workers. */
bool reload_ask(struct why *why);
bool restart_ask(struct why *why);
/* The parent answered a RESTART: NULL is yes. */
void restart_answered(const char *why_not);

/* ---- work of other threads on the main thread (main_call.c) ---- */
/* Runs on the main thread while the caller waits. `run` answers now, or later by
 * main_call_end. False with why also when the server stops meanwhile. */
struct main_call;
bool main_call(void (*run)(struct main_call *call), struct why *why);
void main_call_end(struct main_call *call, bool ok, const char *why);
/* No one is waited for any more. */
void main_calls_refuse(void);

/* ---- stop (stop.c) ---- */
void server_stop(bool now);
/* After the main loop has ended. */
void server_close(void);

#endif
