/* SPDX-License-Identifier: MIT
 *
 * New settings for a running server, all or nothing, and a new server in its place. The parent is
 * a thread that answers as the case wants it to.
 */
#include "tests/daemon/serving.h"

#define ONE "hostname = \"one.test\";\nlisten = ( { address = \"127.0.0.1\"; port = 0; } );\n"
#define OTHER "hostname = \"two.test\";\nlisten = ( { address = \"127.0.0.1\"; port = 0; } );\n"

/* ---- the parent --------------------------------------------------------------------------- */

enum answer { GIVES, GIVES_ANOTHER, SAYS_NO, SAYS_STOP, SAYS_OTHER_THINGS, DIES };

static struct parent {
	pthread_t thread;
	enum answer answer;
	struct sockets sockets; /* those that the server has, once more */
	unsigned more;          /* reloads, behind the first, before it goes */
	char heard[200];        /* "reloading listen ready" */
} parent;

static void parent_heard(const char *word)
{
	size_t n = strlen(parent.heard);

	snprintf(parent.heard + n, sizeof parent.heard - n, "%s%s", n ? " " : "", word);
}

static void parent_say(enum packet_type type, const char *text)
{
	ck_assert(channel_send(serving_parent, type, text, -1));
}

static void parent_gives(void)
{
	for (size_t i = 0; i < parent.sockets.count; i++)
		channel_send(serving_parent, PACKET_SOCKET,
			parent.answer == GIVES_ANOTHER ? "127.0.0.9:9"
						       : parent.sockets.item[i].address,
			parent.sockets.item[i].fd);
	parent_say(PACKET_LISTEN_DONE, NULL);
}

static void parent_listen(void)
{
	switch (parent.answer) {
	case SAYS_NO:
		parent_say(PACKET_NO, "port 25: in use");
		break;
	case SAYS_STOP:
		parent_say(PACKET_STOP, NULL);
		parent_gives();
		break;
	case SAYS_OTHER_THINGS:
		parent_say(PACKET_RELOAD, NULL);
		parent_say(PACKET_REOPEN, NULL);
		channel_send(serving_parent, PACKET_LOCK, NULL, 0); /* with a descriptor */
		parent_gives();
		break;
	case DIES:
		shutdown(serving_parent, SHUT_RDWR);
		break;
	default:
		parent_gives();
	}
}

/* To the end of a reload, or of the channel. */
static void *parent_run(void *arg)
{
	struct packet packet;

	while (channel_receive(serving_parent, &packet, -1) == CHANNEL_PACKET) {
		if (packet.type == PACKET_RELOADING) {
			parent_heard("reloading");
		} else if (packet.type == PACKET_LISTEN) {
			parent_heard("listen");
			parent_listen();
		} else {
			parent_heard(packet.type == PACKET_READY     ? "ready"
					: packet.type == PACKET_KEPT ? "kept"
								     : "?");
			if (parent.more-- == 0)
				break;
			parent.answer = GIVES;
		}
	}
	return arg;
}

/* ---- the server --------------------------------------------------------------------------- */

static void begin(enum answer answer)
{
	serving_begin(ONE);
	serving_listen();
	parent = (struct parent){ .answer = answer, .more = answer == SAYS_OTHER_THINGS };
	for (size_t i = 0; i < server.served_count; i++)
		sockets_add(&parent.sockets, server.served[i].socket.address,
			dup(server.served[i].socket.fd));
	ck_assert_int_eq(pthread_create(&parent.thread, NULL, parent_run, NULL), 0);
}

static void end(void)
{
	shutdown(serving_parent, SHUT_RDWR);
	pthread_join(parent.thread, NULL);
	sockets_free(&parent.sockets);
	serving_end();
}

/* A command on a worker, while this is the main thread. */
struct command {
	pthread_t thread;
	bool (*ask)(struct why *why);
	_Atomic bool over;
	bool ok;
	struct why why;
};

static void *command_thread(void *arg)
{
	struct command *c = arg;

	c->ok = c->ask(&c->why);
	c->over = true;
	loop_stop(server.main);
	return NULL;
}

static struct command asked(bool (*ask)(struct why *why))
{
	struct command c = { .ask = ask };

	ck_assert_int_eq(pthread_create(&c.thread, NULL, command_thread, &c), 0);
	while (!c.over) {
		loop_run(server.main);
		reload_if_wanted();
	}
	pthread_join(c.thread, NULL);
	return c;
}

static const char *hostname_now(void)
{
	static char name[64];
	struct generation *g = generation_current();

	snprintf(name, sizeof name, "%.*s", STR_ARG(str_tm(settings_of(g)->top.hostname)));
	generation_unref(&g);
	return name;
}

/* ---- reload ------------------------------------------------------------------------------- */

START_TEST(new_settings_are_in_force_when_all_went_well)
{
	struct command c;
	struct smtp_server *before;

	begin(GIVES);
	before = server.served[0].smtp;
	place_settings(OTHER);
	c = asked(reload_ask);
	ck_assert_msg(c.ok, "%s", c.why.text);
	ck_assert_str_eq(hostname_now(), "two.test");
	ck_assert_ptr_eq(server.served[0].smtp, before); /* as it was: it goes on */
	pthread_join(parent.thread, NULL);
	ck_assert_str_eq(parent.heard, "reloading listen ready");
	ck_assert_int_eq(pthread_create(&parent.thread, NULL, parent_run, NULL), 0);
	end();
}
END_TEST

static void check_refused(const struct command *c, const char *why, const char *heard)
{
	ck_assert(!c->ok);
	ck_assert_msg(strstr(c->why.text, why), "%s", c->why.text);
	ck_assert_str_eq(hostname_now(), "one.test");
	ck_assert_uint_eq(server.served_count, 1);
	ck_assert(!server.served[0].leaving);
	pthread_join(parent.thread, NULL);
	ck_assert_str_eq(parent.heard, heard);
	ck_assert_int_eq(pthread_create(&parent.thread, NULL, parent_run, NULL), 0);
}

START_TEST(a_configuration_with_mistakes_changes_nothing_and_asks_for_nothing)
{
	struct command c;

	begin(GIVES);
	place_settings(OTHER "nonsense = 1;\n");
	c = asked(reload_ask);
	check_refused(&c, "unknown setting 'nonsense'", "reloading kept");
	ck_assert_ptr_null(strstr(c.why.text, "more mistakes"));
	end();
}
END_TEST

START_TEST(of_many_mistakes_the_first_is_said_and_how_many_more)
{
	struct command c;

	begin(GIVES);
	place_settings(OTHER "nonsense = 1;\nrubbish = 2;\ntrash = 3;\n");
	c = asked(reload_ask);
	check_refused(&c, "(and 2 more mistakes: tmail check)", "reloading kept");
	end();
}
END_TEST

START_TEST(a_module_that_cannot_start_changes_nothing)
{
	struct command c;

	begin(GIVES);
	place_settings(OTHER "modules = ( { module = \"route/none\"; } );\n");
	c = asked(reload_ask);
	check_refused(&c, "route/none", "reloading kept");
	end();
}
END_TEST

START_TEST(a_file_that_is_gone_changes_nothing)
{
	struct command c;

	begin(GIVES);
	ck_assert_int_eq(unlink(place_conf), 0);
	c = asked(reload_ask);
	check_refused(&c, "tmail.conf", "reloading kept");
	end();
}
END_TEST

START_TEST(sockets_that_the_parent_cannot_give_change_nothing)
{
	struct command c;

	begin(SAYS_NO);
	place_settings(OTHER);
	c = asked(reload_ask);
	check_refused(&c, "port 25: in use", "reloading listen kept");
	end();
}
END_TEST

START_TEST(sockets_of_yet_another_configuration_change_nothing)
{
	struct command c;

	begin(GIVES_ANOTHER);
	place_settings(OTHER);
	c = asked(reload_ask);
	check_refused(&c, "changed while it was read", "reloading listen kept");
	end();
}
END_TEST

START_TEST(a_parent_that_dies_meanwhile_changes_nothing)
{
	struct command c;

	begin(DIES);
	place_settings(OTHER);
	c = asked(reload_ask);
	check_refused(&c, "the parent process does not answer", "reloading listen");
	end();
}
END_TEST

START_TEST(a_stop_that_comes_meanwhile_is_obeyed_after_it)
{
	struct command c;

	begin(SAYS_STOP);
	place_settings(OTHER);
	c = asked(reload_ask);
	ck_assert_msg(c.ok, "%s", c.why.text);
	ck_assert_str_eq(hostname_now(), "two.test");
	while (server.phase != SERVER_OVER)
		loop_run(server.main);
	lane_free(&server.drain);
	end();
}
END_TEST

START_TEST(what_else_the_parent_says_meanwhile_is_not_lost)
{
	struct command c;

	begin(SAYS_OTHER_THINGS);
	place_settings(OTHER);
	c = asked(reload_ask);
	ck_assert_msg(c.ok, "%s", c.why.text);
	reload_if_wanted(); /* it changed once more, as the parent said */
	pthread_join(parent.thread, NULL);
	ck_assert_str_eq(parent.heard, "reloading listen ready reloading listen ready");
	ck_assert_int_eq(pthread_create(&parent.thread, NULL, parent_run, NULL), 0);
	end();
}
END_TEST

START_TEST(nothing_is_done_that_nobody_wants)
{
	begin(GIVES);
	place_settings(OTHER);
	reload_if_wanted();
	ck_assert_str_eq(hostname_now(), "one.test");
	end();
	ck_assert_str_eq(parent.heard, "");
}
END_TEST

START_TEST(a_server_that_stops_reloads_nothing)
{
	struct command c;

	begin(GIVES);
	server.phase = SERVER_STOPPING;
	place_settings(OTHER);
	c = asked(reload_ask);
	ck_assert(!c.ok);
	ck_assert_str_eq(c.why.text, "the server is stopping");
	ck_assert_str_eq(hostname_now(), "one.test");
	end();
	ck_assert_str_eq(parent.heard, "");
}
END_TEST

/* ---- restart ------------------------------------------------------------------------------ */

static void *restart_thread(void *arg)
{
	struct command *c = arg;

	c->ok = restart_ask(&c->why);
	c->over = true;
	loop_stop(server.main);
	return NULL;
}

static struct task turned;

static void turn_over(struct task *task)
{
	(void)task;
	loop_stop(server.main);
}

/* What the main loop has to do by now. */
static void loop_turn(void)
{
	turned.run = turn_over;
	loop_post(server.main, &turned);
	loop_run(server.main);
}

/* Until the parent was asked. */
static void restart_begin(struct command *c)
{
	struct packet packet;

	c->over = false;
	ck_assert_int_eq(pthread_create(&c->thread, NULL, restart_thread, c), 0);
	while (channel_receive(serving_parent, &packet, 0) == CHANNEL_EMPTY)
		loop_turn();
	ck_assert_uint_eq(packet.type, PACKET_RESTART);
}

static void restart_end(struct command *c, const char *why_not)
{
	restart_answered(why_not);
	pthread_join(c->thread, NULL);
}

START_TEST(a_restart_is_answered_by_the_parent)
{
	struct command c = { .ok = false };

	serving_begin(ONE);
	restart_begin(&c);
	restart_end(&c, NULL);
	ck_assert_msg(c.ok, "%s", c.why.text);
	restart_begin(&c);
	restart_end(&c, "the new one cannot start");
	ck_assert(!c.ok);
	ck_assert_str_eq(c.why.text, "the new one cannot start");
	restart_answered("nobody waits for this");
	serving_end();
}
END_TEST

START_TEST(while_a_restart_is_under_way_there_is_no_other_and_no_reload)
{
	struct command c = { .ok = false }, second;

	serving_begin(ONE);
	restart_begin(&c);
	second = asked(restart_ask);
	ck_assert(!second.ok);
	ck_assert_str_eq(second.why.text, "a stop or restart is under way already");
	second = asked(reload_ask);
	ck_assert(!second.ok);
	ck_assert_ptr_nonnull(strstr(second.why.text, "a restart is under way"));
	restart_end(&c, NULL);
	ck_assert(c.ok);
	serving_end();
}
END_TEST

START_TEST(without_a_parent_there_is_no_restart)
{
	struct command c;

	serving_begin(ONE);
	close(serving_parent);
	serving_parent = -1;
	c = asked(restart_ask);
	ck_assert(!c.ok);
	ck_assert_str_eq(c.why.text, "the parent process is gone");
	server.phase = SERVER_STOPPING;
	c = asked(restart_ask);
	ck_assert_str_eq(c.why.text, "a stop or restart is under way already");
	serving_end();
}
END_TEST

TEST_MAIN("daemon/reload", new_settings_are_in_force_when_all_went_well,
	a_configuration_with_mistakes_changes_nothing_and_asks_for_nothing,
	of_many_mistakes_the_first_is_said_and_how_many_more,
	a_module_that_cannot_start_changes_nothing, a_file_that_is_gone_changes_nothing,
	sockets_that_the_parent_cannot_give_change_nothing,
	sockets_of_yet_another_configuration_change_nothing,
	a_parent_that_dies_meanwhile_changes_nothing,
	a_stop_that_comes_meanwhile_is_obeyed_after_it,
	what_else_the_parent_says_meanwhile_is_not_lost, nothing_is_done_that_nobody_wants,
	a_server_that_stops_reloads_nothing, a_restart_is_answered_by_the_parent,
	while_a_restart_is_under_way_there_is_no_other_and_no_reload,
	without_a_parent_there_is_no_restart)
