/* SPDX-License-Identifier: MIT
 *
 * Messages that are made here: the same modules, the same commit.
 */
#include "tests/queue/house.h"

struct injected {
	struct message *m;
	enum inject_result result;
	char why[256];
	sem_t done;
};

static void injected(void *ctx, enum inject_result result, struct str why)
{
	struct injected *i = ctx;

	i->result = result;
	snprintf(i->why, sizeof i->why, "%.*s", STR_ARG(why));
	sem_post(&i->done);
}

static void inject_now(void *ctx)
{
	struct injected *i = ctx;

	queue_inject(house.loops[1], i->m, TMAIL_CLIENT_ALIAS, injected, i);
}

static struct injected inject(const char *recipients, const char *content)
{
	struct injected i = { .m = house_message("s@x.org", recipients, str_c(content)) };

	sem_init(&i.done, 0, 0);
	house_on(1, inject_now, &i);
	while (sem_wait(&i.done) != 0)
		;
	sem_destroy(&i.done);
	return i;
}

static atomic_uint points[TMAIL_POINTS];
static enum tmail_point refuse_at;
static enum tmail_verdict refuse_with;
static bool refuse_all; /* the first recipient, by himself */

static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	points[call->point]++;
	if (call->point < TMAIL_POINT_QUEUED)
		ck_assert_uint_eq(call->client->kind, TMAIL_CLIENT_ALIAS);
	if (call->point != refuse_at)
		return TMAIL_CONTINUE;
	if (refuse_all) {
		ck_assert_int_eq(call->host->edit->recipient_verdict(call, 0, TMAIL_REJECT, 550,
					 (struct tmail_str)TMAIL_STR("5.7.1"),
					 (struct tmail_str)TMAIL_STR("nobody may")),
			TMAIL_OK);
		return TMAIL_CONTINUE;
	}
	if (refuse_at == TMAIL_POINT_RCPT && event->rcpt.recipient->address.data[0] != 'b')
		return TMAIL_CONTINUE;
	if (refuse_with != TMAIL_CONTINUE)
		call->host->reply(
			call, refuse_with == TMAIL_TEMPFAIL ? 451 : 550, NULL, "not like this");
	return refuse_with;
}

static void open_hooked(enum tmail_point point, enum tmail_verdict verdict)
{
	memset(points, 0, sizeof points);
	refuse_at = point;
	refuse_with = verdict;
	house_hook = hook;
	house_open("deliver = false;", HOUSE_HOOKS);
}

START_TEST(a_message_meets_all_points_and_gets_its_trace)
{
	struct memory_message m;
	struct injected i;

	open_hooked(TMAIL_POINTS, TMAIL_CONTINUE);
	i = inject("a@one.org b@one.org", HOUSE_CONTENT);
	ck_assert_int_eq(i.result, INJECT_DURABLE);
	ck_assert_uint_eq(points[TMAIL_POINT_MAIL], 1);
	ck_assert_uint_eq(points[TMAIL_POINT_RCPT], 2);
	ck_assert_uint_eq(points[TMAIL_POINT_EOM], 1);
	ck_assert_uint_eq(points[TMAIL_POINT_QUEUED], 1);
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.recipients, "a@one.org b@one.org");
	ck_assert(strncmp(m.content, "Received: ", 10) == 0);
	ck_assert_ptr_nonnull(strstr(m.content, "by me.example"));
	free(m.content);
	house_over();
}
END_TEST

START_TEST(a_refused_message_is_not_kept)
{
	struct injected i;

	open_hooked(TMAIL_POINT_EOM, TMAIL_REJECT);
	i = inject("a@one.org", HOUSE_CONTENT);
	ck_assert_int_eq(i.result, INJECT_REFUSED);
	ck_assert_str_eq(i.why, "not like this");
	house_over();
	open_hooked(TMAIL_POINT_MAIL, TMAIL_TEMPFAIL);
	i = inject("a@one.org", HOUSE_CONTENT);
	ck_assert_int_eq(i.result, INJECT_TRY_LATER);
	ck_assert_uint_eq(memory_adds(), 0);
	house_over();
}
END_TEST

START_TEST(a_refused_recipient_is_left_out)
{
	struct memory_message m;
	struct injected i;

	open_hooked(TMAIL_POINT_RCPT, TMAIL_REJECT);
	i = inject("a@one.org b@one.org c@one.org", HOUSE_CONTENT);
	ck_assert_int_eq(i.result, INJECT_DURABLE);
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.recipients, "a@one.org c@one.org");
	free(m.content);
	i = inject("b@one.org", HOUSE_CONTENT);
	ck_assert_int_eq(i.result, INJECT_REFUSED);
	ck_assert_uint_eq(memory_adds(), 1);
	house_over();
}
END_TEST

START_TEST(content_that_nobody_may_have_is_refused)
{
	struct injected i;

	open_hooked(TMAIL_POINT_EOM, TMAIL_CONTINUE);
	refuse_all = true;
	i = inject("a@one.org", HOUSE_CONTENT);
	refuse_all = false;
	ck_assert_int_eq(i.result, INJECT_REFUSED);
	ck_assert_uint_eq(memory_adds(), 0);
	house_over();
}
END_TEST

START_TEST(a_discarded_message_is_said_yes_to)
{
	open_hooked(TMAIL_POINT_EOM, TMAIL_DISCARD);
	ck_assert_int_eq(inject("a@one.org", HOUSE_CONTENT).result, INJECT_DURABLE);
	ck_assert_uint_eq(memory_adds(), 0);
	house_over();
}
END_TEST

START_TEST(a_store_that_is_full_is_said_so)
{
	house_open("deliver = false;", "");
	memory_set(MEMORY_FULL);
	ck_assert_int_eq(inject("a@one.org", HOUSE_CONTENT).result, INJECT_FULL);
	memory_set(MEMORY_LOSES);
	ck_assert_int_eq(inject("a@one.org", HOUSE_CONTENT).result, INJECT_TRY_LATER);
	house_over();
}
END_TEST

START_TEST(a_message_that_comes_round_for_ever_is_stopped)
{
	struct buf content = { 0 };
	struct injected i;

	for (unsigned n = 0; n < 101; n++)
		buf_add_c(&content, "Received: by me.example; Sun, 22 Nov 2026 10:00:00 +0000\r\n");
	buf_add_c(&content, HOUSE_CONTENT);
	house_open("deliver = false;", "");
	i = inject("a@one.org", buf_c(&content));
	ck_assert_int_eq(i.result, INJECT_REFUSED);
	ck_assert_int_eq(inject("", HOUSE_CONTENT).result, INJECT_REFUSED);
	buf_free(&content);
	house_over();
}
END_TEST

TEST_MAIN("queue/inject", a_message_meets_all_points_and_gets_its_trace,
	a_refused_message_is_not_kept, a_refused_recipient_is_left_out,
	content_that_nobody_may_have_is_refused, a_discarded_message_is_said_yes_to,
	a_store_that_is_full_is_said_so, a_message_that_comes_round_for_ever_is_stopped)
