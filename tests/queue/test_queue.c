/* SPDX-License-Identifier: MIT
 *
 * The end of the queue, and the next start.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"

START_TEST(the_end_waits_for_what_is_under_way)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 1);
	peer_let_go(peer);
	house_close();
	ck_assert_uint_eq(memory_ended() + memory_releases(), 1);
	ck_assert_uint_eq(memory_claimed(), 0);
	memory_reset();
	peer_end(&peer);
}
END_TEST

START_TEST(the_end_does_not_wait_for_ever)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "a@example.com");
	peer_wait_seen(peer, "\r\n.\r\n");
	queue_drain(0);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].fate, TMAIL_FATE_DEFERRED);
	free(m.content);
	peer_let_go(peer);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_waits_at_the_end_is_given_back)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 1);
	queue_drain(0);
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_ge(memory_releases(), 19);
	ck_assert(memory_message(10, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 0);
	free(m.content);
	peer_let_go(peer);
	house_close();
	/* The next start finds them. */
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_all_due();
	memory_wait_ended(20);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- new settings ------------------------------------------------------------------------ */

static int64_t stopped(void)
{
	return 1000;
}

START_TEST(delivering_starts_with_the_settings_that_say_so)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct queue_settings settings;

	router_to(peer_port(peer), 0);
	house_open("deliver = false;", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	clock_replace(house_wall, stopped); /* no timer fires any more */
	settings = house.settings;
	settings.deliver = true;
	house_reload(0, settings);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_new_generation_is_followed_at_once)
{
	static struct queue_settings settings;
	struct generation *new;

	house_open("", HOUSE_ROUTER);
	clock_replace(house_wall, stopped);
	new = house_generation_make("modules = ( " HOUSE_ROUTER "{ module = \"test/memory\"; } );",
		PURPOSE_SERVE, &settings);
	generation_install(generation_ref(new));
	queue_reloaded();
	ck_assert_ptr_eq(house_asked, new);
	clock_replace(house_wall, NULL);
	generation_unref(&new);
	house_over();
}
END_TEST

START_TEST(delivering_stops_with_the_settings_that_say_so)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct queue_settings settings;
	struct memory_message m;
	unsigned tried = 0;

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_seen(peer, "\r\n.\r\n");
	settings = house.settings;
	settings.deliver = false;
	house_reload(0, settings);
	while (memory_claimed() > 1) /* those that waited, for the one under way */
		usleep(1000);
	peer_let_go(peer);
	memory_wait_ended(1);
	house_sends("s@x.org", "b@example.com");
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_eq(memory_messages(), 20);
	for (unsigned i = 0; i < 20; i++) { /* two loops: any of them may have been the first */
		ck_assert(memory_message(i, &m));
		tried += m.recipient[0].attempts > 0;
		free(m.content);
	}
	ck_assert_uint_le(tried, 1);
	house_reload(1, house.settings);
	memory_wait_ended(21);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(new_waits_are_for_what_fails_from_now_on)
{
	static const struct peer_rule rules[] = { { "RCPT", "450 4.2.1 busy", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);
	static const struct tmail_str hour[] = { TMAIL_STR("1h") };
	struct memory_message m[2];
	struct queue_settings settings;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"10m\"];", HOUSE_ROUTER);
	for (unsigned i = 0; i < 2; i++) {
		int64_t now = clock_wall();

		house_sends("s@x.org", "a@example.com");
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
		ck_assert(memory_message(i, &m[i]));
		free(m[i].content);
		ck_assert_int_ge(m[i].recipient[0].due, now + (i ? 3600 : 600) * 1000000LL);
		settings = house.settings;
		settings.retry = (struct tmail_list)TMAIL_LIST(hour);
		house_reload(i, settings);
	}
	ck_assert_int_lt(m[0].recipient[0].due, m[1].recipient[0].due);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- the end, and what is on its way ----------------------------------------------------- */

static sem_t resumed;

static void *predeliver_resume(void *arg)
{
	struct tmail_call *call = arg;

	while (house_routers_wait)
		usleep(1000);
	call->host->resume(call, TMAIL_CONTINUE);
	sem_post(&resumed);
	return NULL;
}

static enum tmail_verdict predeliver_waits(struct tmail_call *call, const union tmail_event *event)
{
	pthread_t thread;

	(void)event;
	if (call->point != TMAIL_POINT_PREDELIVER)
		return TMAIL_CONTINUE;
	house_routed++;
	must(pthread_create(&thread, NULL, predeliver_resume, call) == 0);
	pthread_detach(thread);
	return TMAIL_WAIT;
}

/* Their answers come when the queue is over, and find nobody. */
static void ends_while_asked(const char *modules)
{
	struct memory_message m;

	router_to(house_dead_port(), 0);
	house_routes[0].pending = true;
	house_routers_wait = true;
	house_routed = 0;
	house_open("", modules);
	house_sends("s@x.org", "a@example.com");
	while (house_routed == 0)
		usleep(1000);
	queue_drain(0);
	queue_stop();
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_eq(memory_releases(), 1);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 0);
	free(m.content);
	house_routers_wait = false;
}

START_TEST(a_router_that_does_not_answer_does_not_keep_the_end)
{
	ends_while_asked(HOUSE_ROUTER);
	house_over();
}
END_TEST

START_TEST(a_module_that_does_not_answer_does_not_keep_the_end)
{
	must(sem_init(&resumed, 0, 0) == 0);
	house_hook = predeliver_waits;
	ends_while_asked(HOUSE_ROUTER HOUSE_HOOKS);
	must(sem_wait(&resumed) == 0);
	house_over();
	sem_destroy(&resumed);
}
END_TEST

static void *end(void *arg)
{
	queue_drain(0);
	queue_stop();
	return arg;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

START_TEST(what_is_being_claimed_at_the_end_is_left_to_the_next_start)
{
	pthread_t thread;

	house_open("deliver = false;", HOUSE_ROUTER);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	house_close();
	schedule_lock(); /* the claim waits on its worker */
	house_open("", HOUSE_ROUTER);
	house_on(0, nothing, NULL);
	must(pthread_create(&thread, NULL, end, NULL) == 0);
	while (!queue.draining)
		usleep(1000);
	usleep(100000); /* for an end that does not wait to go wrong */
	schedule_unlock();
	must(pthread_join(thread, NULL) == 0);
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_eq(memory_messages(), 20);
	house_over();
}
END_TEST

TEST_MAIN("queue/queue", the_end_waits_for_what_is_under_way, the_end_does_not_wait_for_ever,
	what_waits_at_the_end_is_given_back, delivering_starts_with_the_settings_that_say_so,
	a_new_generation_is_followed_at_once, delivering_stops_with_the_settings_that_say_so,
	new_waits_are_for_what_fails_from_now_on,
	a_router_that_does_not_answer_does_not_keep_the_end,
	a_module_that_does_not_answer_does_not_keep_the_end,
	what_is_being_claimed_at_the_end_is_left_to_the_next_start)
