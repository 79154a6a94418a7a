/* SPDX-License-Identifier: MIT
 *
 * Writing to a database that is a table of tags: what it refuses, what another node wrote before,
 * and what is counted meanwhile.
 */
#include "modules/route/tlsrpt/tlsrpt.h"

#include "tests/lib/test.h"

static struct tlsrpt self;
static struct map rows; /* tag -> a number of sessions, which is malloc'ed */
static struct {
	unsigned transactions, largest, warnings, infos;
	unsigned fails, duplicates; /* so many transactions are answered so */
	uint64_t dropped;
} seen;

static void host_log(struct tmail_call *call, enum tmail_level level, const char *event,
	const struct tmail_field *fields, uint32_t n)
{
	(void)call;
	(void)event;
	(void)fields;
	(void)n;
	seen.warnings += level == TMAIL_WARNING;
	seen.infos += level == TMAIL_INFO;
}

static void host_count(struct tmail_call *call, uint32_t metric, uint64_t n)
{
	(void)call;
	if (metric == METRIC_DROPPED)
		seen.dropped += n;
}

static void row_put(struct str tag, int64_t sessions)
{
	char *key = str_dup_c(tag);
	int64_t *value = malloc(sizeof *value);

	*value = sessions;
	ck_assert_ptr_null(map_put(&rows, str_make(key, tag.len), value));
}

static void query_do(const struct tmail_sql_query *q)
{
	struct str tag = of(q->parameters[1].text);
	int64_t *row = map_get(&rows, tag);

	ck_assert_int_eq(row != NULL, str_starts(of(q->sql), STR("update")));
	if (row)
		*row += q->parameters[0].integer;
	else
		row_put(tag, q->parameters[0].integer);
}

static int transaction(const struct tmail_sql_transaction *t, struct tmail_sql_result *result)
{
	seen.transactions++;
	seen.largest = t->count > seen.largest ? t->count : seen.largest;
	if (seen.duplicates > 0) { /* another node was quicker with the first */
		seen.duplicates--;
		row_put(of(t->queries[0].parameters[1].text), 1000);
		result->duplicate = 1;
		return TMAIL_REFUSED;
	}
	if (seen.fails > 0) {
		seen.fails--;
		return TMAIL_TRY_LATER;
	}
	for (uint32_t i = 0; i < t->count; i++)
		query_do(&t->queries[i]);
	return TMAIL_OK;
}

static int host_ask(struct tmail_call *call, const char *service, uint32_t op, const void *question,
	void *answer)
{
	const struct tmail_sql_query *query = question;

	(void)call;
	ck_assert_str_eq(service, TMAIL_SQL);
	if (op == TMAIL_SQL_TRANSACTION)
		return transaction(question, answer);
	if (map_get(&rows, of(query->parameters[0].text)))
		query->row(query->ctx, query->parameters, 1);
	return TMAIL_OK;
}

static const struct tmail_host host = {
	.size = sizeof host, .log = host_log, .count = host_count, .ask = host_ask
};
static struct tmail_call call = { .size = sizeof call, .host = &host, .self = &self };

static void begin(size_t most)
{
	pthread_mutex_init(&self.lock, NULL);
	pthread_mutex_init(&self.writing, NULL);
	self.tally.most = most;
}

static void add(unsigned n)
{
	char host_name[32];
	struct str field[FIELDS] = { [FIELD_DOMAIN] = STR("y.example") };

	snprintf(host_name, sizeof host_name, "mx%u", n);
	field[FIELD_HOST] = str_c(host_name);
	ck_assert(tally_add(&self.tally, field, 1));
}

static int64_t written(void)
{
	int64_t sum = 0;
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(&rows, &at, &key, &value))
		sum += *(int64_t *)value;
	return sum;
}

static void end(void)
{
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(&rows, &at, &key, &value)) {
		map_remove(&rows, key);
		free(value);
		free((char *)(uintptr_t)key.data);
	}
	map_free(&rows);
	tally_free(&self.tally);
}

START_TEST(what_is_there_is_added_to_and_what_is_not_is_made)
{
	begin(10);
	add(1);
	rows_write(&call);
	add(1);
	add(1);
	add(2);
	rows_write(&call);
	ck_assert_uint_eq(rows.count, 2);
	ck_assert_int_eq(written(), 4);
	ck_assert_uint_eq(self.tally.counts.count, 0);
	end();
}
END_TEST

START_TEST(nothing_counted_asks_nothing)
{
	begin(10);
	rows_write(&call);
	ck_assert_uint_eq(seen.transactions, 0);
	end();
}
END_TEST

START_TEST(many_are_written_in_batches_that_are_bounded)
{
	begin(1000);
	for (unsigned i = 0; i < 500; i++)
		add(i);
	rows_write(&call);
	ck_assert_uint_eq(rows.count, 500);
	ck_assert_int_eq(written(), 500);
	ck_assert_uint_le(seen.largest, 64);
	end();
}
END_TEST

START_TEST(what_could_not_be_written_is_written_later_and_once)
{
	begin(1000);
	for (unsigned i = 0; i < 100; i++)
		add(i);
	seen.fails = 2;
	rows_write(&call);
	rows_write(&call);
	ck_assert_uint_eq(rows.count, 0);
	ck_assert_uint_eq(self.tally.counts.count, 100);
	ck_assert_uint_eq(seen.warnings, 1);
	add(7);
	rows_write(&call);
	ck_assert_int_eq(written(), 101);
	ck_assert_uint_eq(seen.warnings, 1);
	ck_assert_uint_eq(seen.infos, 1);
	ck_assert_uint_eq(seen.dropped, 0);
	end();
}
END_TEST

START_TEST(a_row_that_another_node_made_meanwhile_is_added_to)
{
	begin(10);
	add(1);
	add(2);
	seen.duplicates = 1;
	rows_write(&call);
	ck_assert_uint_eq(rows.count, 2);
	ck_assert_int_eq(written(), 1002);
	ck_assert_uint_eq(seen.warnings, 0);
	end();
}
END_TEST

TEST_MAIN("modules/route/tlsrpt/rows", what_is_there_is_added_to_and_what_is_not_is_made,
	nothing_counted_asks_nothing, many_are_written_in_batches_that_are_bounded,
	what_could_not_be_written_is_written_later_and_once,
	a_row_that_another_node_made_meanwhile_is_added_to)
