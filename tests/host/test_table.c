/* SPDX-License-Identifier: MIT
 *
 * Tables that move: what another node wrote is seen by the poll of their generations.
 */
#include "tests/host/world.h"

#include "host/table.h"

#include <tmail/service/sql.h>

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int64_t generation_rcpthost = 5, generation_alias = 1;
static bool database_down;
static int polls, changes;
static char changed_table[32];

static int query(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_sql_query *q = question;
	struct tmail_sql_result *result = answer;
	struct tmail_sql_value row[2] = { { .type = TMAIL_SQL_TEXT },
		{ .type = TMAIL_SQL_INTEGER } };
	int status = TMAIL_OK;

	(void)call;
	ASSERT_STR(str_tm(q->sql), "select name, value from generation");
	pthread_mutex_lock(&lock);
	if (database_down) {
		result->why = tm_str(STR("gone"));
		status = TMAIL_TRY_LATER;
	} else {
		row[0].text = tm_str(STR("rcpthost"));
		row[1].integer = generation_rcpthost;
		ck_assert_int_eq(q->row(q->ctx, row, 2), 0);
		row[0].text = tm_str(STR("alias"));
		row[1].integer = generation_alias;
		ck_assert_int_eq(q->row(q->ctx, row, 2), 0);
	}
	polls++;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
	return status;
}
static enum tmail_verdict changed(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	pthread_mutex_lock(&lock);
	snprintf(changed_table, sizeof changed_table, "%.*s", (int)event->changed.table.len,
		event->changed.table.data);
	changes++;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
	return TMAIL_CONTINUE;
}
static const struct tmail_operation operations[] = { { TMAIL_SQL_QUERY, TMAIL_BLOCKING, query } };
static const struct tmail_service services[] = { { TMAIL_SQL, NULL, TMAIL_LIST(operations) } };
static const struct tmail_hook hooks[] = { { TMAIL_POINT_CHANGED, 0, changed } };
MODULE(module, "test/sql", .services = TMAIL_LIST(services), .hooks = TMAIL_LIST(hooks));

static struct world world;

static void begin(void)
{
	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/sql\"; });");
	generation_install(generation_ref(world.generation));
	table_poll_start(1, 60000);
}
static void finish(void)
{
	table_poll_stop();
	generation_install(NULL);
	world_end(&world);
}
/* Until the database was asked n times more: what the one before them found is done then. */
static void wait_polls(int n)
{
	pthread_mutex_lock(&lock);
	for (int until = polls + n; polls < until;)
		pthread_cond_wait(&wake, &lock);
	pthread_mutex_unlock(&lock);
}

START_TEST(what_another_node_changed_is_told_once)
{
	struct table *rcpthost = table_of("rcpthost"), *alias = table_of("alias");
	uint64_t before, other;

	begin();
	wait_polls(3);
	ck_assert_int_eq(changes, 0); /* what is first read is no change */
	before = table_moved(rcpthost);
	other = table_moved(alias);
	pthread_mutex_lock(&lock);
	generation_rcpthost = 6;
	pthread_mutex_unlock(&lock);
	wait_polls(3);
	pthread_mutex_lock(&lock);
	ck_assert_int_eq(changes, 1);
	ck_assert_str_eq(changed_table, "rcpthost");
	pthread_mutex_unlock(&lock);
	ck_assert_uint_eq(table_moved(rcpthost), before + 1);
	ck_assert_uint_eq(table_moved(alias), other);
	finish();
}
END_TEST

START_TEST(a_change_while_the_database_was_away_is_seen_when_it_is_back)
{
	begin();
	wait_polls(2);
	pthread_mutex_lock(&lock);
	database_down = true;
	pthread_mutex_unlock(&lock);
	wait_polls(2);
	pthread_mutex_lock(&lock);
	database_down = false;
	generation_alias = 9;
	pthread_mutex_unlock(&lock);
	wait_polls(3);
	pthread_mutex_lock(&lock);
	ck_assert_int_eq(changes, 1);
	ck_assert_str_eq(changed_table, "alias");
	pthread_mutex_unlock(&lock);
	finish();
}
END_TEST

START_TEST(without_a_database_there_is_nothing_to_poll)
{
	struct world w;

	world_begin(&w, "");
	generation_install(generation_ref(w.generation));
	table_poll_start(1, 60000);
	table_changed(w.generation, "x");
	table_poll_stop();
	table_poll_stop();
	generation_install(NULL);
	world_end(&w);
}
END_TEST

TEST_MAIN("host/table", what_another_node_changed_is_told_once,
	a_change_while_the_database_was_away_is_seen_when_it_is_back,
	without_a_database_there_is_nothing_to_poll)
