/* SPDX-License-Identifier: MIT
 *
 * Lanes: what those that hang leave to others, and which connection makes room for which.
 */
#include "tests/queue/house.h"

#include "queue/share.h"
#include "tests/lib/silent.h"

#include <poll.h>

/* What all lanes say of themselves, and those alone whose destination ends so. */
static struct {
	const char *destination;
	unsigned lanes, open, slow, waiting;
	bool first; /* of these one waits for its first connection */
	bool miscounted;
} seen;

static void look_here(void *ctx)
{
	size_t at = 0;
	struct str key;
	void *value;
	unsigned slow = 0, open = 0;

	(void)ctx;
	while (map_next(&queue_here()->lanes, &at, &key, &value)) {
		const struct send_lane *l = value;

		open += l->open;
		slow += l->pace == LANE_SLOW ? l->open : 0;
		if (!str_ends_case(l->route->destination, str_c(seen.destination)))
			continue;
		seen.lanes++;
		seen.open += l->open;
		seen.waiting += l->line.count;
		LIST_EACH(struct send_lane, other, &queue_here()->waiting, waiting)
			seen.first |= other == l;
	}
	seen.slow += slow;
	seen.miscounted |= slow != queue_here()->slow || open != queue_here()->connections;
}

static void look(void)
{
	const char *destination = seen.destination;

	memset(&seen, 0, sizeof seen);
	seen.destination = destination;
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house_on(i, look_here, NULL);
	ck_assert(!seen.miscounted);
}

#define WAIT_UNTIL(condition)                                                                      \
	for (look(); !(condition); look())                                                         \
	poll(NULL, 0, 1)

/* Whatever is to happen at this time has happened. */
static void settle(void)
{
	for (unsigned i = 0; i < 3; i++)
		look();
}

static void sends_to(unsigned count, const char *domain)
{
	char to[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(to, sizeof to, "a@d%u.%s", i, domain);
		house_sends("s@x.org", to);
	}
}

/* ---- who hangs ---------------------------------------------------------------------------- */

enum { HANG = 24, QUICK = 12, ROUNDS = 3000 };
#define HANGS_US (ATTEMPT_HANGS_MS * 1000LL)

/* A server that takes connections and says nothing, and one for quick.org. */
static struct peer *mute, *quick;

static void open_beside_mute(const char *settings)
{
	static const struct peer_rule silence[] = { { "connect", "", 0 } };

	mute = peer_server(silence, 1, 0);
	quick = peer_server(NULL, 0, 0);
	router_to(peer_port(quick), 0);
	house_routes[0].domain = "quick.org";
	house_routes[1] = house_routes[0];
	house_routes[1].domain = "";
	house_routes[1].port = peer_port(mute);
	seen.destination = "hangs.org";
	house_still = clock_mono();
	house_open(settings, HOUSE_ROUTER);
}

static void close_all(void)
{
	house_over();
	peer_end(&mute);
	peer_end(&quick);
}

/* As often as it takes, but within the time that a greeting is waited for. */
static void hang_until_quick(unsigned messages)
{
	for (unsigned i = 0; peer_messages(quick) < messages; i++) {
		ck_assert_uint_lt(i, ROUNDS);
		house_ahead += HANGS_US;
		look();
		poll(NULL, 0, 2);
	}
}

static void hang_until_ended(unsigned messages)
{
	while (memory_ended() < messages) {
		house_ahead += HANGS_US;
		look();
		poll(NULL, 0, 2);
	}
}

/* Nobody fails for having given way: all who hang have their whole time in the end. */
static void hang_to_the_end(void)
{
	for (look(); seen.lanes > 0; look())
		house_ahead += 60 * 1000000LL;
	for (unsigned i = 0; i < HANG; i++)
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
}

START_TEST(who_hangs_gives_way_to_who_has_no_connection)
{
	int64_t before = metric_get(METRIC_dials);

	/* Four for each loop. */
	open_beside_mute("max_connections = 8; timeout_command = \"1h\"; idle_timeout = \"0\"; "
			 "retry = [\"10d\"];");
	sends_to(HANG, "hangs.org");
	WAIT_UNTIL(seen.lanes == HANG && seen.open == 8);
	sends_to(QUICK, "quick.org");
	house_ahead += HANGS_US - 1;
	settle();
	ck_assert_int_eq(metric_get(METRIC_dials) - before, 8);
	house_ahead += 1;
	hang_until_quick(QUICK);
	/* When all were tried they share half, and the rest is there at once. */
	for (look(); seen.slow < 4 || seen.open > 4; look())
		house_ahead += HANGS_US;
	ck_assert_uint_eq(seen.waiting, HANG);
	sends_to(QUICK, "quick.org");
	peer_wait_messages(quick, 2 * QUICK);
	hang_to_the_end();
	ck_assert_uint_eq(seen.slow, 0);
	close_all();
}
END_TEST

START_TEST(who_hangs_again_has_twice_the_time)
{
	int64_t before = metric_get(METRIC_dials), dials;

	/* One for each loop; those who wait for it take turns. */
	open_beside_mute("max_connections = 2; timeout_command = \"1h\"; retry = [\"10d\"];");
	sends_to(HANG, "hangs.org");
	WAIT_UNTIL(seen.lanes == HANG && seen.open == 2);
	for (unsigned i = 0; i < 300; i++) {
		house_ahead += HANGS_US;
		look();
	}
	/* Some five turns for each in that time, and not a new one each second. */
	dials = metric_get(METRIC_dials) - before;
	ck_assert_int_ge(dials, 2 * HANG);
	ck_assert_int_le(dials, 10 * HANG);
	close_all();
}
END_TEST

START_TEST(who_hangs_stays_while_nobody_waits)
{
	int64_t before = metric_get(METRIC_dials);

	open_beside_mute("max_connections = 80; timeout_command = \"1h\"; retry = [\"10d\"];");
	sends_to(HANG / 2, "hangs.org");
	WAIT_UNTIL(seen.open == HANG / 2);
	house_ahead += 10 * HANGS_US;
	WAIT_UNTIL(seen.slow == HANG / 2);
	settle();
	ck_assert_int_eq(metric_get(METRIC_dials) - before, HANG / 2);
	close_all();
}
END_TEST

static void fails_here(void *ctx)
{
	const struct client_outcome o = { .class = CLASS_NEXT_HOST, .text = STR_INIT("no") };

	host_failed(queue_here(), str_c(ctx), &o);
}

static void failed_lately(unsigned port)
{
	char key[64];

	snprintf(key, sizeof key, "127.0.0.1:%u ", port);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house_on(i, fails_here, key);
	house_ahead += 60 * 1000000LL;
}

START_TEST(who_failed_lately_counts_as_slow_from_the_start)
{
	open_beside_mute("max_connections = 8; host_rest = \"1m\";");
	failed_lately(peer_port(mute));
	sends_to(HANG, "hangs.org");
	WAIT_UNTIL(seen.lanes == HANG);
	settle();
	ck_assert_uint_eq(seen.open, 4);
	ck_assert_uint_eq(seen.slow, 4);
	sends_to(QUICK, "quick.org");
	peer_wait_messages(quick, QUICK);
	close_all();
}
END_TEST

START_TEST(what_was_at_one_host_gives_way_at_the_next_and_comes_back)
{
	static const struct peer_rule later[] = { { "RCPT", "450 4.2.0 later", 0 } };
	struct peer *first = peer_server(later, 1, 0);

	open_beside_mute("max_connections = 4; timeout_command = \"1h\"; idle_timeout = \"0\"; "
			 "retry = [\"10d\"];");
	house_routes[1].port = peer_port(first);
	house_routes[1].port2 = peer_port(mute);
	sends_to(HANG, "hangs.org");
	WAIT_UNTIL(seen.open == 4);
	sends_to(QUICK, "quick.org");
	hang_until_quick(QUICK);
	look();
	ck_assert_uint_eq(seen.lanes, HANG); /* nobody is done */
	peer_rule_set(mute, 0, "220 not mute any more", 0);
	hang_until_ended(HANG + QUICK);
	ck_assert_uint_eq(peer_messages(mute), HANG);
	close_all();
	peer_end(&first);
}
END_TEST

/* How many dials have failed since `before`, when all that can has. */
static int64_t failures(int64_t before)
{
	settle();
	return metric_get(METRIC_dials_failed) - before;
}

START_TEST(a_connection_is_waited_for_a_quarter_while_others_wait)
{
	int64_t before = metric_get(METRIC_dials_failed), dials = metric_get(METRIC_dials);
	struct silent silent;

	silent_make(&silent);
	router_to(silent.where.port, 0);
	seen.destination = "silent.org";
	house_still = clock_mono();
	house_open(
		"max_connections = 2; timeout_connect = \"2s\"; retry = [\"10d\"];", HOUSE_ROUTER);
	sends_to(HANG, "silent.org");
	WAIT_UNTIL(seen.lanes == HANG && seen.open == 2);
	/* The first had nobody behind it when it began, and gives way. */
	house_ahead += HANGS_US;
	WAIT_UNTIL(metric_get(METRIC_dials) - dials == 4);
	ck_assert_int_eq(failures(before), 0);
	house_ahead += 499999;
	ck_assert_int_eq(failures(before), 0);
	house_ahead += 1;
	WAIT_UNTIL(failures(before) == 2);
	house_over();
	silent_free(&silent);
}
END_TEST

/* ---- room for another --------------------------------------------------------------------- */

START_TEST(an_idle_connection_makes_room_for_one_to_the_next_host)
{
	static const struct peer_rule later[] = { { "RCPT", "450 4.2.0 later", 0 } };
	struct peer *first = peer_server(later, 1, 0), *second = peer_server(NULL, 0, 0);

	router_to(peer_port(first), peer_port(second));
	house_open("max_connections_destination = 1; idle_timeout = \"1h\";", HOUSE_ROUTER);
	for (unsigned i = 1; i <= 3; i++) {
		house_sends("s@x.org", "a@example.com");
		memory_wait_ended(i);
	}
	ck_assert_uint_eq(peer_messages(second), 3);
	house_over();
	peer_end(&first);
	peer_end(&second);
}
END_TEST

START_TEST(who_has_no_connection_any_more_comes_before_who_wants_a_second)
{
	static const struct peer_rule greets[] = { { "connect", "220 many", 0 } };
	struct peer *many = peer_server(greets, 1, 0), *few = peer_server(NULL, 0, 0);
	unsigned others = 0;
	char domain[32], to[40];

	/* Two for each loop. many.org is known to be quick; few has a new one for each message. */
	router_to(peer_port(few), 0);
	house_routes[0].domain = "few.org";
	house_routes[1] = house_routes[0];
	house_routes[1].domain = "";
	house_routes[1].port = peer_port(many);
	house_still = clock_mono();
	house_open("max_connections = 4; idle_timeout = \"1h\"; timeout_command = \"1h\"; "
		   "destinations = ( { domain = \".few.org\"; messages = 1; } );",
		HOUSE_ROUTER);
	house_sends("s@x.org", "a@many.org");
	memory_wait_ended(1);
	peer_hold(many);
	peer_hold(few);
	do {
		snprintf(domain, sizeof domain, "d%u.few.org", others++);
		snprintf(to, sizeof to, "a@%s", domain);
		house_sends("s@x.org", to);
		while (loop_with(domain) < 0)
			poll(NULL, 0, 1);
	} while (loop_with(domain) != loop_with("many.org"));
	seen.destination = domain;
	WAIT_UNTIL(seen.open == 1 && seen.waiting == 0);
	/* Both want a second, many.org first. */
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@many.org");
	seen.destination = "many.org";
	WAIT_UNTIL(seen.open == 1 && seen.waiting == 19);
	for (unsigned i = 0; i < 3; i++)
		house_sends("s@x.org", to);
	seen.destination = domain;
	WAIT_UNTIL(seen.waiting == 3);
	peer_rule_set(many, 0, "", 0); /* it would give the second back */
	peer_let_go(few);
	WAIT_UNTIL(seen.open == 0);
	settle();
	ck_assert_uint_eq(seen.waiting, 3);
	ck_assert(seen.first);
	peer_rule_set(many, 0, "220 many", 0);
	peer_let_go(many);
	hang_until_ended(1 + others + 20 + 3);
	house_over();
	peer_end(&many);
	peer_end(&few);
}
END_TEST

TEST_MAIN("queue/lane-hangs", who_hangs_gives_way_to_who_has_no_connection,
	who_hangs_again_has_twice_the_time, who_hangs_stays_while_nobody_waits,
	who_failed_lately_counts_as_slow_from_the_start,
	what_was_at_one_host_gives_way_at_the_next_and_comes_back,
	a_connection_is_waited_for_a_quarter_while_others_wait,
	an_idle_connection_makes_room_for_one_to_the_next_host,
	who_has_no_connection_any_more_comes_before_who_wants_a_second)
