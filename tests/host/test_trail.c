/* SPDX-License-Identifier: MIT
 *
 * The trail of an id: what is told of it and of what it has to do with, and nothing else.
 */
#include "tests/host/world.h"

#include "host/metrics.h"
#include "host/trail.h"
#include "sys/clock.h"
#include "sys/ring.h"
#include "sys/thread.h"
#include "tests/lib/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
static struct why why;
static struct trail_kept kept;
static struct buf told; /* names of the events, each behind a blank */
static uint64_t lost, names, longest;
static struct buf got; /* the last event as text, ids as # */

static void set_up(void)
{
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/trail", folder);
	log_threshold = LEVEL_ERROR;
	ck_assert_msg(trail_start(path, 1 << 20, &why), "%s", why.text);
}

static void tear_down(void)
{
	trail_stop();
	buf_free(&told);
	buf_free(&got);
	test_folder_remove(folder);
}

static struct id made(void)
{
	return id_make(clock_wall(), 0, 7);
}

static void tell(void *ctx, const struct trail_event *e)
{
	(void)ctx;
	lost += e->lost;
	if (e->lost)
		return;
	names++;
	longest = strlen(e->name) > longest ? strlen(e->name) : longest;
	buf_add_char(&told, ' ');
	buf_add_c(&told, e->name);
}

static enum trail_found trail_of(struct id id)
{
	buf_clear(&told);
	lost = names = 0;
	trail_flush();
	return trail_read(path, id, tell, NULL, &kept, &why);
}

START_TEST(a_message_has_its_own_events_and_those_of_its_session_and_connections)
{
	struct id session, other, connection, message, second;

	set_up();
	session = made(), other = made(), connection = made();
	const struct log_field fields[] = { LOG_ID("session", session) };
	const struct log_context of_session = { NULL, fields, 1 };

	log_event(LEVEL_DEBUG, &of_session, "opened");
	log_event(LEVEL_DEBUG, NULL, "stranger", LOG_ID("session", other));
	log_event(LEVEL_DEBUG, NULL, "connected", LOG_ID("connection", connection));
	message = made(), second = made();
	log_event(LEVEL_INFO, &of_session, "accepted", LOG_ID("id", message));
	log_event(LEVEL_INFO, &of_session, "accepted_2", LOG_ID("id", second));
	log_event(LEVEL_INFO, NULL, "delivered", LOG_ID("id", message),
		LOG_ID("connection", connection));
	log_event(LEVEL_INFO, NULL, "delivered_2", LOG_ID("id", second));
	log_event(LEVEL_DEBUG, &of_session, "closed");
	log_event(LEVEL_INFO, NULL, "about_nobody", LOG_NUM("n", 1));
	ck_assert_int_eq(trail_of(message), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " opened connected accepted delivered closed");
	ck_assert_int_eq(trail_of(second), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " opened accepted_2 delivered_2 closed");
	ck_assert_int_eq(trail_of(session), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " opened accepted accepted_2 closed");
	tear_down();
}
END_TEST

static struct id busy, late;

/* While it is read the message goes on, over a connection that nobody has heard of. */
static void tell_and_write(void *ctx, const struct trail_event *e)
{
	if (told.len == 0) {
		log_event(LEVEL_DEBUG, NULL, "connected", LOG_ID("connection", late));
		log_event(LEVEL_DEBUG, NULL, "sending", LOG_ID("id", busy),
			LOG_ID("connection", late));
		log_event(LEVEL_INFO, NULL, "delivered", LOG_ID("id", busy));
		trail_flush();
	}
	tell(ctx, e);
}

START_TEST(what_is_written_meanwhile_is_told_whole_or_not_at_all)
{
	static const char noise[1000];

	set_up();
	busy = made(), late = made();
	log_event(LEVEL_INFO, NULL, "accepted", LOG_ID("id", busy));
	for (int i = 0; i < 200; i++) { /* more than is read at once */
		log_event(LEVEL_INFO, NULL, "noise", LOG_ID("id", made()),
			LOG_STR("text", str_make(noise, sizeof noise)));
		trail_flush();
	}
	ck_assert_int_eq(trail_read(path, busy, tell_and_write, NULL, &kept, &why), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " accepted");
	ck_assert_int_eq(trail_of(busy), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " accepted connected sending delivered");
	tear_down();
}
END_TEST

static int64_t got_at;

static void keep(void *ctx, const struct trail_event *e)
{
	(void)ctx;
	got_at = e->time;
	buf_clear(&got);
	buf_add_c(&got, e->name);
	for (size_t i = 0; i < e->count; i++) {
		const struct log_field *f = &e->fields[i];

		buf_printf(&got, " %s=", f->name);
		if (f->kind == LOG_KIND_NUM)
			buf_printf(&got, "%lld", (long long)f->num);
		else
			buf_add(&got, f->kind == LOG_KIND_STR ? f->str : STR("#"));
	}
}

static const char *last_of(struct id id)
{
	trail_flush();
	ck_assert_int_eq(trail_read(path, id, keep, NULL, &kept, &why), TRAIL_FOUND);
	return buf_c(&got);
}

START_TEST(fields_come_back_as_they_were_and_ids_first)
{
	struct id id;
	int64_t before = clock_wall();
	static char text[9000];

	set_up();
	id = made();
	memset(text, 'y', sizeof text - 1);
	log_event(LEVEL_INFO, NULL, "step", LOG_STR("text", STR("a\nb\"c")), LOG_NUM("n", -7),
		LOG_IF(false, LOG_NUM("absent", 1)), LOG_ID("id", id));
	ck_assert_str_eq(last_of(id), "step id=# text=a\nb\"c n=-7");
	ck_assert_int_ge(got_at, before);
	ck_assert_int_le(got_at, clock_wall());
	ck_assert_int_ge(kept.since, before);
	/* too long for a record: cut, and readable */
	log_event(LEVEL_INFO, NULL, "long", LOG_C("a", text), LOG_C("b", text), LOG_C("c", text),
		LOG_C("d", text), LOG_C("e", text), LOG_C("f", text), LOG_ID("id", id));
	ck_assert_uint_lt(strlen(last_of(id)), RING_RECORD_MAX);
	ck_assert_ptr_nonnull(strstr(buf_c(&got), "long id=# a=yyy"));
	ck_assert_ptr_nonnull(strstr(buf_c(&got), "y d=yyy"));
	tear_down();
}
END_TEST

START_TEST(what_is_not_found_is_too_old_or_unknown)
{
	struct id old, id;

	set_up();
	log_event(LEVEL_INFO, NULL, "about_nobody", LOG_NUM("n", 1));
	ck_assert_int_eq(trail_of(made()), TRAIL_UNKNOWN);
	ck_assert_int_eq(kept.since, 0);
	old = (struct id){ (uint64_t)clock_wall() - 5000000, 1 };
	id = made();
	log_event(LEVEL_INFO, NULL, "step", LOG_ID("id", id));
	ck_assert_int_eq(trail_of(old), TRAIL_TOO_OLD);
	ck_assert_int_gt(kept.since, (int64_t)old.hi);
	ck_assert_int_eq(trail_of(made()), TRAIL_UNKNOWN);
	ck_assert_int_eq(trail_of((struct id){ UINT64_MAX, 1 }), TRAIL_UNKNOWN);
	ck_assert_int_eq(
		trail_read("/nonexistent/trail", id, tell, NULL, &kept, &why), TRAIL_UNREADABLE);
	tear_down();
}
END_TEST

START_TEST(it_goes_on_after_a_restart_and_forgets_what_is_overwritten)
{
	struct id first, last = { 0 };

	set_up();
	first = made();
	log_event(LEVEL_INFO, NULL, "before", LOG_ID("id", first));
	trail_stop();
	ck_assert(trail_start(path, 1 << 20, &why));
	log_event(LEVEL_INFO, NULL, "after", LOG_ID("id", first));
	ck_assert_int_eq(trail_of(first), TRAIL_FOUND);
	ck_assert_str_eq(buf_c(&told), " before after");
	for (int i = 0; i < 40000; i++) {
		last = made();
		log_event(LEVEL_INFO, NULL, "many", LOG_ID("id", last), LOG_C("text", "words"));
		if (i % 1000 == 0)
			trail_flush();
	}
	ck_assert_int_eq(trail_of(last), TRAIL_FOUND);
	ck_assert_int_eq(trail_of(first), TRAIL_TOO_OLD);
	tear_down();
}
END_TEST

/* More at once than there is room for: each is there, or missing and counted. */
enum { TELLERS = 4, TOLD = 40000 };
static struct id common;

static void *tell_much(void *arg)
{
	char text[200];

	memset(text, 'z', sizeof text);
	for (int i = 0; i < TOLD; i++)
		log_event(LEVEL_INFO, NULL, "much", LOG_ID("id", common),
			LOG_STR("text", str_make(text, sizeof text)));
	return arg;
}

START_TEST(what_finds_no_room_is_counted_where_it_is_missing)
{
	pthread_t threads[TELLERS];

	set_up();
	trail_stop();
	ck_assert(trail_start(path, 128 << 20, &why));
	common = made();
	for (int i = 0; i < TELLERS; i++)
		ck_assert(thread_start(&threads[i], "teller", tell_much, NULL, &why));
	for (int i = 0; i < TELLERS; i++)
		pthread_join(threads[i], NULL);
	trail_flush(); /* so that there is room for the one behind the loss */
	log_event(LEVEL_INFO, NULL, "last", LOG_ID("id", common));
	ck_assert_int_eq(trail_of(common), TRAIL_FOUND);
	ck_assert_uint_eq(kept.lost, lost);
	ck_assert_int_eq(metric_get(METRIC_trace_lost), (int64_t)lost);
	ck_assert_uint_eq(names + lost, TELLERS * TOLD + 1);
	tear_down();
}
END_TEST

/* Blocks whose sums are right and whose records are nonsense. */
START_TEST(a_made_up_file_does_no_harm)
{
	struct ring *r;
	struct id id;
	char good[RING_RECORD_MAX], bad[RING_RECORD_MAX];
	size_t length = 0;
	struct ring_reader *reader;
	struct ring_found found;

	set_up();
	id = made();
	log_event(LEVEL_INFO, NULL, "step", LOG_ID("id", id), LOG_C("text", "some words"),
		LOG_NUM("n", 5));
	trail_stop();
	reader = ring_read(path, &why);
	ck_assert_int_eq(ring_next(reader, &found), RING_RECORD);
	length = RING_HEAD + found.octets.len;
	ring_head(good, length, found.time);
	memcpy(good + RING_HEAD, found.octets.data, found.octets.len);
	ring_read_end(&reader);
	r = ring_open(path, 1 << 20, &why);
	for (size_t i = RING_HEAD; i < length; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, good, length);
			bad[i] = (char)(bad[i] ^ 1 << bit);
			ring_append(r, str_make(bad, length), 0);
		}
	for (size_t cut = RING_HEAD; cut < length; cut++) {
		memcpy(bad, good, cut);
		ring_head(bad, cut, found.time);
		ring_append(r, str_make(bad, cut), 0);
	}
	ring_close(&r);
	ck_assert_int_eq(trail_read(path, id, tell, NULL, &kept, &why), TRAIL_FOUND);
	ck_assert_uint_gt(names, 1);
	ck_assert_uint_eq(longest, strlen("step"));
	buf_free(&told);
	test_folder_remove(folder);
}
END_TEST

/* ---- verdicts ---------------------------------------------------------------------------- */

static struct world world;

static enum tmail_verdict refuse(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	call->host->reply(call, 571, "5.7.1", "because");
	return TMAIL_REJECT;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, 0, refuse } };
MODULE(module_refuse, "test/refuse", .hooks = TMAIL_LIST(hooks));

START_TEST(every_verdict_is_told_with_its_point_and_its_words)
{
	struct id session;

	module_preload(&module_refuse);
	world_begin(&world, "modules = ({ module = \"test/refuse\"; });");
	set_up();
	session = made();
	const struct log_field fields[] = { LOG_ID("session", session) };
	const struct log_context of_session = { NULL, fields, 1 };

	world.subject.log = &of_session;
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_ptr_eq(strstr(last_of(session),
				 "verdict session=# point=MAIL module=test/refuse "
				 "verdict=REJECT code=571 text=because us="),
		buf_c(&got));
	world.subject.log = NULL;
	tear_down();
	world_end(&world);
}
END_TEST

TEST_MAIN("host/trail", a_message_has_its_own_events_and_those_of_its_session_and_connections,
	what_is_written_meanwhile_is_told_whole_or_not_at_all,
	fields_come_back_as_they_were_and_ids_first, what_is_not_found_is_too_old_or_unknown,
	it_goes_on_after_a_restart_and_forgets_what_is_overwritten,
	what_finds_no_room_is_counted_where_it_is_missing, a_made_up_file_does_no_harm,
	every_verdict_is_told_with_its_point_and_its_words)
