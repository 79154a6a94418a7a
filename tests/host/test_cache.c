/* SPDX-License-Identifier: MIT
 *
 * Cached tables on a loop: hits, misses asked once, changes in force at once, nothing stale.
 */
#include "tests/host/world.h"

#include "sys/clock.h"

#include <tmail/service/table.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct world world;
static _Atomic int gets, second_gets, changes;
static _Atomic int status_next = TMAIL_OK;
static char value_next[32] = "local";
static char key_seen[64];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int get(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	size_t len;
	char *text;

	pthread_mutex_lock(&gate);
	gets++;
	len = strlen(value_next);
	text = call->host->alloc(call, len, TMAIL_SCOPE_CALL);
	memcpy(text, value_next, len);
	snprintf(key_seen, sizeof key_seen, "%.*s", (int)get->key.len, get->key.data);
	got->value.data = text;
	got->value.len = len;
	pthread_mutex_unlock(&gate);
	return status_next;
}
static int get_second(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	(void)question;
	(void)answer;
	second_gets++;
	return TMAIL_NOT_FOUND;
}
static enum tmail_verdict changed(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	ASSERT_STR(str_tm(event->changed.table), "rcpthost");
	changes++;
	return TMAIL_CONTINUE;
}
static const struct tmail_operation operations[] = { { TMAIL_TABLE_GET, TMAIL_BLOCKING, get } };
static const struct tmail_operation quick[] = { { TMAIL_TABLE_GET, 0, get_second } };
static const struct tmail_service services[] = { { TMAIL_TABLE, "rcpthost",
	TMAIL_LIST(operations) } };
static const struct tmail_service second[] = { { TMAIL_TABLE, "rcpthost", TMAIL_LIST(quick) },
	{ TMAIL_TABLE, "quick", TMAIL_LIST(quick) } };
static const struct tmail_hook hooks[] = { { TMAIL_POINT_CHANGED, 0, changed } };
MODULE(module, "test/table", .services = TMAIL_LIST(services), .hooks = TMAIL_LIST(hooks));
MODULE(module_second, "test/second", .services = TMAIL_LIST(second));

/* A module that looks up. */
static char looked_up[64];
static void looked(struct tmail_call *call, void *ctx, int status, struct tmail_str value)
{
	snprintf(looked_up, sizeof looked_up, "%d %.*s", status, (int)value.len, value.data);
	if (ctx)
		call->host->resume(call, TMAIL_CONTINUE);
}
static enum tmail_verdict looks(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_str key = { "A.example", 9 };
	bool waits = call->point == TMAIL_POINT_MAIL;
	int status;

	(void)event;
	looked_up[0] = '\0';
	status = call->host->lookup(call, "rcpthost", key, looked, waits ? &world : NULL);
	if (status != TMAIL_PENDING) {
		ck_assert_str_ne(looked_up, "");
		return waits ? TMAIL_WAIT : TMAIL_CONTINUE; /* resumed already, or never waited */
	}
	return waits ? TMAIL_WAIT : TMAIL_CONTINUE;
}
static const struct tmail_hook looking[] = { { TMAIL_POINT_MAIL, TMAIL_WAITS, looks },
	{ TMAIL_POINT_DATA, TMAIL_BLOCKING, looks }, { TMAIL_POINT_HELO, 0, looks } };
MODULE(module_looks, "test/looks", .hooks = TMAIL_LIST(looking));

static void begin(void)
{
	module_preload(&module);
	module_preload(&module_second);
	module_preload(&module_looks);
	world_begin(&world,
		"modules = ({ module = \"test/table\"; }, { module = \"test/second\"; },"
		" { module = \"test/looks\"; });");
}

static struct str key = STR_INIT("A.Example"), value;
static const char *table = "rcpthost";
static bool exists;
static char copied[64];

static void done(void *ctx, int status, struct str got)
{
	struct world *w = ctx;

	w->status = status;
	w->answers++;
	snprintf(copied, sizeof copied, "%.*s", STR_ARG(got));
	world_over(w);
}

static void look(struct world *w)
{
	w->status = table_lookup(&w->subject, table, key, &value, &exists, done, w);
	if (w->status == TMAIL_PENDING)
		return;
	snprintf(copied, sizeof copied, "%.*s", STR_ARG(value));
	world_over(w);
}

static int lookup(void)
{
	world.answers = 0;
	copied[0] = '\0';
	world_run(&world, look);
	return world.status;
}

START_TEST(a_miss_is_asked_of_the_module_and_a_hit_is_not)
{
	begin();
	ck_assert_int_eq(lookup(), TMAIL_OK);
	ck_assert_int_eq(world.answers, 1);
	ck_assert_str_eq(copied, "local");
	ck_assert_str_eq(key_seen, "a.example");
	ck_assert(exists);
	key = STR("a.EXAMPLE");
	ck_assert_int_eq(lookup(), TMAIL_OK);
	ck_assert_int_eq(world.answers, 0);
	ck_assert_str_eq(copied, "local");
	ck_assert_int_eq(gets, 1);
	world_end(&world);
}
END_TEST

START_TEST(not_found_is_kept_and_try_later_never_is)
{
	begin();
	status_next = TMAIL_NOT_FOUND;
	ck_assert_int_eq(lookup(), TMAIL_NOT_FOUND);
	ck_assert_int_eq(second_gets, 1); /* the next module that has the table was asked, too */
	ck_assert_int_eq(lookup(), TMAIL_NOT_FOUND);
	ck_assert_int_eq(gets, 1);
	key = STR("b.example");
	status_next = TMAIL_TRY_LATER;
	ck_assert_int_eq(lookup(), TMAIL_TRY_LATER);
	status_next = TMAIL_OK;
	ck_assert_int_eq(lookup(), TMAIL_OK);
	ck_assert_int_eq(gets, 3);
	world_end(&world);
}
END_TEST

START_TEST(what_no_module_has_is_not_found_and_does_not_exist)
{
	begin();
	table = "mailbox";
	ck_assert_int_eq(lookup(), TMAIL_NOT_FOUND);
	ck_assert(!exists);
	table = "quick"; /* answered at once */
	ck_assert_int_eq(lookup(), TMAIL_NOT_FOUND);
	ck_assert(exists);
	ck_assert_int_eq(world.answers, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_change_is_in_force_at_once_and_told)
{
	begin();
	lookup();
	snprintf(value_next, sizeof value_next, "remote");
	ck_assert_int_eq(lookup(), TMAIL_OK);
	ck_assert_str_eq(copied, "local");
	table_changed(world.generation, "rcpthost");
	ck_assert_int_eq(changes, 1);
	ck_assert_int_eq(lookup(), TMAIL_OK);
	ck_assert_str_eq(copied, "remote");
	ck_assert_int_eq(gets, 2);
	/* A reload may have put another module in its place. */
	generation_install(generation_ref(world.generation));
	lookup();
	ck_assert_int_eq(gets, 3);
	generation_install(NULL);
	world_end(&world);
}
END_TEST

static int64_t fake_now = 1000000;
static int64_t mono(void)
{
	return fake_now;
}

START_TEST(nothing_is_kept_for_longer_than_the_time_to_keep)
{
	begin();
	table_poll_start(3600000, 5000);
	table_poll_stop();
	clock_replace(NULL, mono);
	lookup();
	fake_now += 4999999;
	lookup();
	ck_assert_int_eq(gets, 1);
	fake_now += 2;
	lookup();
	ck_assert_int_eq(gets, 2);
	clock_replace(NULL, NULL);
	world_end(&world);
}
END_TEST

/* ---- many at once, changes meanwhile, those who leave -------------------------------------- */

static struct subject subjects[10];
static int heard, heard_new;

static void heard_done(void *ctx, int status, struct str got)
{
	(void)ctx;
	ck_assert_int_eq(status, TMAIL_OK);
	heard++;
	heard_new += str_equal(got, STR("remote"));
	if (heard == 8)
		world_over(&world);
}

static void ask_many(struct world *w)
{
	struct str got;

	pthread_mutex_lock(&gate); /* the worker is asked, and waits */
	for (int i = 0; i < 10; i++) {
		subject_init(&subjects[i], w->loop, w->generation);
		if (i == 5) { /* a change: those who ask from here on must hear of it */
			snprintf(value_next, sizeof value_next, "remote");
			table_changed(w->generation, "rcpthost");
		}
		ck_assert_int_eq(table_lookup(&subjects[i], table, key, &got, &exists, heard_done,
					 &subjects[i]),
			TMAIL_PENDING);
	}
	subject_cancel(&subjects[0]);
	subject_end(&subjects[9]);
	pthread_mutex_unlock(&gate);
}

static void end_many(struct world *w)
{
	for (int i = 0; i < 9; i++)
		subject_end(&subjects[i]);
	world_over(w);
}

START_TEST(what_many_ask_at_once_is_asked_once_and_again_after_a_change)
{
	begin();
	world_run(&world, ask_many);
	ck_assert_int_eq(heard, 8);
	ck_assert_int_eq(gets, 2);
	ck_assert_int_ge(heard_new, 4);
	lookup();
	ck_assert_str_eq(copied, "remote");
	ck_assert_int_eq(gets, 2);
	world_run(&world, end_many);
	world_end(&world);
}
END_TEST

START_TEST(the_cache_is_bounded)
{
	char text[32];

	begin();
	table = "quick";
	for (int i = 0; i < 20000; i++) {
		key = str_make(text, (size_t)snprintf(text, sizeof text, "k%d", i));
		lookup();
	}
	ck_assert_int_eq(second_gets, 20000);
	lookup(); /* the last is there */
	ck_assert_int_eq(second_gets, 20000);
	key = STR("k0"); /* the first is not */
	lookup();
	ck_assert_int_eq(second_gets, 20001);
	world_end(&world);
}
END_TEST

/* ---- by modules -------------------------------------------------------------------------- */

START_TEST(a_module_looks_up_on_a_loop_or_a_worker)
{
	begin();
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(looked_up, "0 local");
	world_ask(&world, TMAIL_POINT_HELO); /* a hit is answered at once */
	ck_assert_str_eq(looked_up, "0 local");
	ck_assert_int_eq(gets, 1);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(gets, 1);
	world_ask(&world, TMAIL_POINT_DATA);
	ck_assert_str_eq(looked_up, "0 local");
	ck_assert_int_eq(gets, 2); /* a worker has no cache */
	world_end(&world);
}
END_TEST

START_TEST(a_call_that_ends_hears_no_more_of_its_look_up)
{
	begin();
	world_ask(&world, TMAIL_POINT_HELO); /* a miss, and the hook does not wait for it */
	ck_assert_str_eq(looked_up, "");
	world_end(&world);
	ck_assert_str_eq(looked_up, "");
}
END_TEST

TEST_MAIN("host/cache", a_miss_is_asked_of_the_module_and_a_hit_is_not,
	not_found_is_kept_and_try_later_never_is,
	what_no_module_has_is_not_found_and_does_not_exist, a_change_is_in_force_at_once_and_told,
	nothing_is_kept_for_longer_than_the_time_to_keep,
	what_many_ask_at_once_is_asked_once_and_again_after_a_change, the_cache_is_bounded,
	a_module_looks_up_on_a_loop_or_a_worker, a_call_that_ends_hears_no_more_of_its_look_up)
