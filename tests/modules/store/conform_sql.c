/* SPDX-License-Identifier: MIT */
#include "tests/modules/store/conform_sql.h"

#include "tests/lib/folder.h"
#include "tests/lib/test.h"

static const struct tmail_migration first[] = {
	{ 1,
		"create table thing (id ${serial}, name varchar(255) not null unique, size integer,"
		" data ${blob}); create index idx_thing_size on thing (size)" },
};
static const struct tmail_migration second[] = {
	{ 1,
		"create table thing (id ${serial}, name varchar(255) not null unique, size integer,"
		" data ${blob}); create index idx_thing_size on thing (size)" },
	{ 2, "alter table thing add column extra varchar(20)" },
};
static const struct tmail_migration broken[] = {
	{ 1, "create table half (id ${serial}); create tabel wrong (id integer)" },
};

struct sql_world {
	const struct conform_sql *c;
	struct fake_host *h;
	char folder[TEST_FOLDER];
};

/* Rows of a query as text: a line a row, columns between commas, NULL as -. */
static int row_write(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct buf *out = ctx;

	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (columns[i].type == TMAIL_SQL_NULL)
			buf_add_char(out, '-');
		else if (columns[i].type == TMAIL_SQL_INTEGER)
			buf_printf(out, "%lld", (long long)columns[i].integer);
		else
			buf_add(out, str_make(columns[i].text.data, columns[i].text.len));
	}
	buf_add_char(out, '\n');
	return 0;
}

static int query(struct fake_host *h, const char *sql, const struct tmail_sql_value *values,
	uint32_t count, struct buf *rows, struct tmail_sql_result *result)
{
	struct tmail_sql_query q = { .size = sizeof q,
		.count = count,
		.sql = { sql, strlen(sql) },
		.parameters = values,
		.row = rows ? row_write : NULL,
		.ctx = rows };

	*result = (struct tmail_sql_result){ .size = sizeof *result };
	return fake_ask(h, TMAIL_SQL, TMAIL_SQL_QUERY, &q, result);
}

static int migrate(
	struct fake_host *h, const struct tmail_migration *steps, uint32_t count, int apply)
{
	struct tmail_sql_migrate m = { sizeof m, (uint32_t)apply, "test/conform",
		{ steps, count, sizeof *steps } };
	struct tmail_sql_result result = { .size = sizeof result };

	return fake_ask(h, TMAIL_SQL, TMAIL_SQL_MIGRATE, &m, &result);
}

static struct tmail_sql_value text(const char *s)
{
	return tmail_sql_text((struct tmail_str){ s, strlen(s) });
}

static void rows_are(struct fake_host *h, const char *sql, const char *expected)
{
	struct buf rows = { 0 };
	struct tmail_sql_result result;

	ck_assert_int_eq(query(h, sql, NULL, 0, &rows, &result), TMAIL_OK);
	ck_assert_str_eq(buf_c(&rows), expected);
	buf_free(&rows);
}

static int insert(
	struct fake_host *h, const char *name, int64_t size, struct tmail_sql_result *result)
{
	struct tmail_sql_value values[] = { text(name), tmail_sql_integer(size) };

	return query(h, "insert into thing (name, size) values (?, ?)", values, 2, NULL, result);
}

static void world_start(struct sql_world *w)
{
	w->h = fake_host_new(w->c->module, w->folder);
	w->c->set(w->h, w->folder);
	ck_assert_msg(fake_start(w->h) == TMAIL_OK, "%s", fake_said(w->h));
}

/* ---- what is asked of it ----------------------------------------------------------------- */

static void steps_run_once_and_in_order(struct sql_world *w)
{
	struct fake_host *h = w->h;
	ck_assert_int_eq(migrate(h, first, 1, 0), TMAIL_NOT_FOUND);
	ck_assert_int_eq(migrate(h, first, 1, 1), TMAIL_OK);
	ck_assert_int_eq(migrate(h, first, 1, 0), TMAIL_OK);
	ck_assert_int_eq(migrate(h, second, 2, 0), TMAIL_NOT_FOUND);
	ck_assert_int_eq(migrate(h, second, 2, 1), TMAIL_OK);
	ck_assert_int_eq(migrate(h, second, 2, 1), TMAIL_OK);
	rows_are(h, "select count(*) from thing where extra is null", "0\n");
}

static void a_step_that_fails_leaves_nothing(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_migrate m = { sizeof m, 1, "test/broken", TMAIL_LIST(broken) };
	struct tmail_sql_result result = { .size = sizeof result };

	ck_assert_int_ne(fake_ask(h, TMAIL_SQL, TMAIL_SQL_MIGRATE, &m, &result), TMAIL_OK);
	ck_assert_uint_gt(result.why.len, 0);
	ck_assert_int_eq(
		query(h, "select count(*) from half", NULL, 0, NULL, &result), TMAIL_TRY_LATER);
}

static void values_come_back_as_they_went_in(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_value values[] = { text("o'neil; drop table thing --"),
		tmail_sql_integer(INT64_MIN),
		{ .type = TMAIL_SQL_BLOB, .text = { "a\0b\xff", 4 } } };
	struct tmail_sql_result result;
	struct buf rows = { 0 };

	ck_assert_int_eq(query(h, "insert into thing (name, size, data) values (?, ?, ?)", values,
				 3, NULL, &result),
		TMAIL_OK);
	ck_assert_int_eq(result.changed, 1);
	ck_assert_int_gt(result.inserted, 0);
	ck_assert_int_eq(query(h, "select name, size, data, extra from thing where name = ?",
				 values, 1, &rows, &result),
		TMAIL_OK);
	ck_assert(str_equal(buf_str(&rows),
		STR("o'neil; drop table thing --,-9223372036854775808,a\0b\xff,-\n")));
	buf_free(&rows);
	ck_assert_int_eq(query(h, "delete from thing", NULL, 0, NULL, &result), TMAIL_OK);
	ck_assert_int_eq(result.changed, 1);
}

static void an_empty_text_is_not_null(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_value empty = text(""), null = { .type = TMAIL_SQL_NULL };
	struct tmail_sql_result result;

	query(h, "insert into thing (name, extra) values ('e', ?)", &empty, 1, NULL, &result);
	query(h, "insert into thing (name, extra) values ('n', ?)", &null, 1, NULL, &result);
	rows_are(h, "select name from thing where extra is null order by name", "n\n");
	rows_are(h, "select name from thing where extra = '' order by name", "e\n");
}

static void what_the_data_forbids_is_refused_as_a_duplicate(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_result result;

	ck_assert_int_eq(insert(h, "once", 1, &result), TMAIL_OK);
	ck_assert_int_eq(insert(h, "once", 2, &result), TMAIL_REFUSED);
	ck_assert_uint_eq(result.duplicate, 1);
	ck_assert_int_eq(query(h, "insert into thing (size) values (1)", NULL, 0, NULL, &result),
		TMAIL_REFUSED);
	ck_assert_uint_eq(result.duplicate, 0);
	rows_are(h, "select size from thing", "1\n");
}

static void what_is_wrong_here_is_try_later_and_never_not_found(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_result result;

	ck_assert_int_eq(
		query(h, "select * from no_such_table", NULL, 0, NULL, &result), TMAIL_TRY_LATER);
	ck_assert_uint_gt(result.why.len, 0);
	ck_assert_int_eq(query(h, "selec", NULL, 0, NULL, &result), TMAIL_TRY_LATER);
	ck_assert_int_eq(
		query(h, "select * from thing where name = 'none'", NULL, 0, NULL, &result),
		TMAIL_OK);
}

static int transaction(
	struct fake_host *h, const char *const *sql, uint32_t count, const char *table)
{
	struct tmail_sql_query queries[4] = { { 0 } };
	struct tmail_sql_transaction t = { sizeof t, count, queries, table };
	struct tmail_sql_result result = { .size = sizeof result };

	for (uint32_t i = 0; i < count; i++) {
		queries[i].size = sizeof queries[i];
		queries[i].sql = (struct tmail_str){ sql[i], strlen(sql[i]) };
	}
	return fake_ask(h, TMAIL_SQL, TMAIL_SQL_TRANSACTION, &t, &result);
}

static void a_transaction_is_all_or_nothing(struct sql_world *w)
{
	struct fake_host *h = w->h;
	static const char *const good[] = { "insert into thing (name, size) values ('a', 1)",
		"update thing set size = 2 where name = 'a'" };
	static const char *const bad[] = { "insert into thing (name, size) values ('b', 1)",
		"insert into thing (name, size) values ('a', 1)" };

	ck_assert_int_eq(transaction(h, good, 2, "things"), TMAIL_OK);
	rows_are(h, "select value from generation where name = 'things'", "1\n");
	ck_assert_int_eq(transaction(h, bad, 2, "things"), TMAIL_REFUSED);
	rows_are(h, "select name, size from thing", "a,2\n");
	rows_are(h, "select value from generation where name = 'things'", "1\n");
	ck_assert_int_eq(transaction(h, good + 1, 1, "things"), TMAIL_OK);
	rows_are(h, "select value from generation where name = 'things'", "2\n");
}

static int stop_at_two(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	(void)columns;
	(void)n;
	return ++*(int *)ctx == 2;
}

static void rows_end_when_enough_were_taken(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_result result;
	int taken = 0;
	struct tmail_sql_query q = { .size = sizeof q,
		.sql = TMAIL_STR("select name from thing"),
		.row = stop_at_two,
		.ctx = &taken };

	for (int i = 0; i < 5; i++) {
		char name[16];
		snprintf(name, sizeof name, "r%d", i);
		insert(h, name, i, &result);
	}
	ck_assert_int_eq(fake_ask(h, TMAIL_SQL, TMAIL_SQL_QUERY, &q, &result), TMAIL_OK);
	ck_assert_int_eq(taken, 2);
	/* What was left open would block this. */
	ck_assert_int_eq(query(h, "delete from thing", NULL, 0, NULL, &result), TMAIL_OK);
	ck_assert_int_eq(result.changed, 5);
}

enum { WRITERS = 4, EACH = 100 };

static void *writer(void *ctx)
{
	static const char *const sql[] = {
		"update thing set size = size + 1 where name = 'shared'"
	};

	for (int i = 0; i < EACH; i++)
		if (transaction(ctx, sql, 1, NULL) != TMAIL_OK)
			return ctx;
	return NULL;
}

static void many_threads_lose_no_change(struct sql_world *w)
{
	struct fake_host *h = w->h;
	pthread_t threads[WRITERS];
	struct tmail_sql_result result;
	void *failed;

	insert(h, "shared", 0, &result);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, h), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	rows_are(h, "select size from thing where name = 'shared'", "400\n");
}

static void what_was_said_is_there_after_a_restart(struct sql_world *w)
{
	struct tmail_sql_result result;

	ck_assert_int_eq(insert(w->h, "kept", 400, &result), TMAIL_OK);
	fake_stop(w->h);
	fake_host_free(&w->h);
	world_start(w);
	ck_assert_int_eq(migrate(w->h, second, 2, 0), TMAIL_OK);
	rows_are(w->h, "select size from thing where name = 'kept'", "400\n");
}

static void a_database_held_by_others_is_try_later(struct sql_world *w)
{
	struct fake_host *h = w->h;
	struct tmail_sql_result result;
	void *held;

	if (!w->c->lock)
		return;
	held = w->c->lock(w->folder);
	ck_assert_int_eq(insert(h, "held", 1, &result), TMAIL_TRY_LATER);
	ck_assert_uint_gt(result.why.len, 0);
	w->c->unlock(held);
	ck_assert_int_eq(insert(h, "held", 1, &result), TMAIL_OK);
}

static void (*const rules[])(struct sql_world *) = { steps_run_once_and_in_order,
	a_step_that_fails_leaves_nothing, values_come_back_as_they_went_in,
	an_empty_text_is_not_null, what_the_data_forbids_is_refused_as_a_duplicate,
	what_is_wrong_here_is_try_later_and_never_not_found, a_transaction_is_all_or_nothing,
	rows_end_when_enough_were_taken, many_threads_lose_no_change,
	what_was_said_is_there_after_a_restart, a_database_held_by_others_is_try_later };
const unsigned conform_sql_count = sizeof rules / sizeof *rules;

void conform_sql_run(const struct conform_sql *c, unsigned place)
{
	struct sql_world w = { .c = c };

	test_folder_make(w.folder);
	world_start(&w);
	if (rules[place] != steps_run_once_and_in_order)
		ck_assert_int_eq(migrate(w.h, second, 2, 1), TMAIL_OK);
	rules[place](&w);
	fake_stop(w.h);
	fake_host_free(&w.h);
	test_folder_remove(w.folder);
}
