/* SPDX-License-Identifier: MIT
 *
 * The net for modules: connections, descriptors and timers of a call, which go with it.
 */
#include "tests/host/world.h"

#include "net/socket.h"
#include "sys/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

static struct world world;
static char address[ENDPOINT_TEXT], heard[512];
static int listening = -1, timers, gone_count;

/* A peer that says "hello" to who connects, on the loop. */
static uv_poll_t peer;
static int peer_fd = -1;

static void peer_accepts(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	peer_fd = accept(listening, NULL, NULL);
	ck_assert_int_ge(peer_fd, 0);
	ck_assert_int_eq(write(peer_fd, "hello", 5), 5);
	uv_poll_stop(poll);
	uv_close((uv_handle_t *)poll, NULL);
}

static void peer_begin(void)
{
	struct endpoint e;

	ck_assert(endpoint_parse(STR("127.0.0.1:0"), 0, &e));
	listening = socket_listen(&e, 5, NULL);
	ck_assert_int_ge(listening, 0);
	ck_assert(endpoint_of_socket(listening, false, &e));
	endpoint_text(&e, address);
	uv_poll_init(loop_uv(world.loop), &peer, listening);
	uv_poll_start(&peer, UV_READABLE, peer_accepts);
}

/* ---- a module that asks a peer --------------------------------------------------------------- */

static int fd_open = -1;

static void readable(struct tmail_call *call, void *ctx, uint32_t events)
{
	ssize_t n = read(fd_open, heard, sizeof heard - 1);

	ck_assert_ptr_eq(ctx, heard);
	ck_assert(events & TMAIL_READABLE);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(call->host->net->watch(call, fd_open, 0, NULL, NULL), TMAIL_OK);
	close(fd_open);
	ck_assert_int_eq(call->host->resume(call, TMAIL_REJECT), TMAIL_OK);
}
static void connected(struct tmail_call *call, void *ctx, int fd, struct tmail_str why)
{
	(void)ctx;
	if (fd < 0) {
		ck_assert_uint_gt(why.len, 0);
		snprintf(heard, sizeof heard, "%.*s", (int)why.len, why.data);
		call->host->resume(call, TMAIL_TEMPFAIL);
		return;
	}
	fd_open = fd;
	ck_assert_int_eq(
		call->host->net->watch(call, fd, TMAIL_READABLE, readable, heard), TMAIL_OK);
}
static enum tmail_verdict asks(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_str where = { address, strlen(address) };

	(void)event;
	ck_assert_int_eq(call->host->net->connect(call, where, 5000, connected, NULL), TMAIL_OK);
	return TMAIL_WAIT;
}

static void never(struct tmail_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
	ck_abort_msg("a timer that was stopped has fired");
}
static void fired(struct tmail_call *call, void *ctx)
{
	ck_assert_ptr_eq(ctx, &timers);
	if (++timers < 3) {
		call->host->net->timer(call, 1, fired, &timers);
		return;
	}
	call->host->resume(call, TMAIL_CONTINUE);
}
static enum tmail_verdict times(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_net *net = call->host->net;

	(void)event;
	ck_assert_int_eq(net->timer(call, 3600000, fired, NULL), TMAIL_OK);
	ck_assert_int_eq(
		net->timer(call, 1, fired, &timers), TMAIL_OK); /* the same one, set anew */
	ck_assert_int_eq(net->timer(call, 1, never, NULL), TMAIL_OK);
	ck_assert_int_eq(net->timer(call, 0, never, NULL), TMAIL_OK);
	return TMAIL_WAIT;
}

/* Waits for what never comes. */
static int pipes[2];
static void ready_never(struct tmail_call *call, void *ctx, uint32_t events)
{
	(void)call;
	(void)ctx;
	(void)events;
	ck_abort_msg("nobody wrote");
}
static int gone(struct tmail_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
	gone_count++;
	close(pipes[0]);
	return 1;
}
static enum tmail_verdict hangs(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	call->host->net->watch(call, pipes[0], TMAIL_READABLE, ready_never, NULL);
	call->host->net->timer(call, 3600000, never, NULL);
	if (call->point == TMAIL_POINT_DATA)
		call->host->abandoned(call, gone, NULL);
	return TMAIL_WAIT;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_CONNECT, TMAIL_WAITS, asks },
	{ TMAIL_POINT_HELO, TMAIL_WAITS, times }, { TMAIL_POINT_MAIL, TMAIL_WAITS, hangs },
	{ TMAIL_POINT_DATA, TMAIL_WAITS, hangs } };
MODULE(module, "test/net", .capabilities = TMAIL_CAN_NET, .hooks = TMAIL_LIST(hooks));

static void begin(const char *more)
{
	char conf[100];

	module_preload(&module);
	snprintf(conf, sizeof conf, "modules = ({ module = \"test/net\"; %s });", more);
	world_begin(&world, conf);
}

START_TEST(a_module_connects_and_reads_what_comes)
{
	begin("");
	peer_begin();
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_CONNECT)->verdict, TMAIL_REJECT);
	ck_assert_str_eq(heard, "hello");
	world_end(&world);
	close(peer_fd);
	close(listening);
}
END_TEST

START_TEST(who_cannot_be_reached_is_told_with_the_reason)
{
	begin("");
	snprintf(address, sizeof address, "/nowhere/at.all");
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_CONNECT)->verdict, TMAIL_TEMPFAIL);
	ASSERT_HAS(heard, "/nowhere/at.all");
	world_end(&world);
}
END_TEST

START_TEST(timers_fire_can_be_set_again_and_stopped)
{
	begin("");
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_HELO)->verdict, TMAIL_CONTINUE);
	ck_assert_int_eq(timers, 3);
	world_end(&world);
}
END_TEST

/* What the descriptor is watched by goes before its owner closes it, in all three ways out. */
static void ask_and_leave(struct world *w)
{
	ck_assert(
		!chain_ask(&w->subject, world_point, &world_event, &w->answer, world_answered, w));
	subject_cancel(&w->subject);
	world_over(w);
}

START_TEST(what_a_call_watches_goes_with_it)
{
	begin("");
	ck_assert_int_eq(pipe(pipes), 0);
	world_point = TMAIL_POINT_MAIL;
	world_run(&world, ask_and_leave);
	world_run(&world, ask_and_leave); /* the same descriptor again */
	world_point = TMAIL_POINT_DATA;
	world_run(&world, ask_and_leave);
	ck_assert_int_eq(gone_count, 1);
	world_end(&world);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(write(pipes[1], "x", 1), -1); /* nobody reads any more */
	ck_assert_int_eq(errno, EPIPE);
	close(pipes[1]);
}
END_TEST

START_TEST(a_call_that_is_late_is_given_back_by_itself)
{
	begin("timeout = \"10ms\";");
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_MAIL)->verdict, TMAIL_TEMPFAIL);
	ck_assert_int_eq(gone_count, 0);
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_DATA)->verdict, TMAIL_TEMPFAIL);
	ck_assert_int_eq(gone_count, 1);
	world_end(&world);
	close(pipes[1]);
}
END_TEST

/* ---- what has no place ---------------------------------------------------------------------- */

static enum tmail_verdict refused(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_net *net = call->host->net;
	struct tmail_str no_port = { "192.0.2.1", 9 }, nonsense = { "a:b:c", 5 };

	(void)event;
	ck_assert_int_eq(net->watch(call, -1, TMAIL_READABLE, ready_never, NULL), TMAIL_REFUSED);
	ck_assert_int_eq(net->watch(call, 9, 0, NULL, NULL), TMAIL_OK);
	ck_assert_int_eq(net->connect(call, no_port, 1, connected, NULL), TMAIL_REFUSED);
	ck_assert_int_eq(net->connect(call, nonsense, 1, connected, NULL), TMAIL_REFUSED);
	ck_assert_int_eq(net->timer(call, UINT64_MAX, never, NULL), TMAIL_REFUSED);
	net->timer(call, 1, never, NULL); /* goes with the call, which ends now */
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_refused[] = { { TMAIL_POINT_MAIL, 0, refused } };
MODULE(module_refused, "test/refused", .capabilities = TMAIL_CAN_NET,
	.hooks = TMAIL_LIST(hooks_refused));

static enum tmail_verdict without(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert_ptr_null(call->host->net);
	ck_assert_ptr_null(call->host->edit);
	ck_assert_ptr_null(call->host->emit);
	ck_assert_ptr_null(call->host->base);
	return TMAIL_CONTINUE;
}
static const struct tmail_hook hooks_without[] = { { TMAIL_POINT_MAIL, 0, without } };
MODULE(module_without, "test/without", .hooks = TMAIL_LIST(hooks_without));

START_TEST(what_has_no_place_is_refused_and_what_is_not_allowed_is_not_there)
{
	module_preload(&module_refused);
	module_preload(&module_without);
	world_begin(&world,
		"modules = ({ module = \"test/refused\"; }, { module = \"test/without\"; });");
	ck_assert_int_eq(world_ask(&world, TMAIL_POINT_MAIL)->verdict, TMAIL_CONTINUE);
	world_end(&world);
}
END_TEST

TEST_MAIN("host/net_table", a_module_connects_and_reads_what_comes,
	who_cannot_be_reached_is_told_with_the_reason, timers_fire_can_be_set_again_and_stopped,
	what_a_call_watches_goes_with_it, a_call_that_is_late_is_given_back_by_itself,
	what_has_no_place_is_refused_and_what_is_not_allowed_is_not_there)
