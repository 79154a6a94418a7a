/* SPDX-License-Identifier: MIT
 *
 * Room in the store, and bodies that go there ahead of their message.
 */
#include "tests/queue/house.h"

struct spooling {
	struct subject subject;
	struct message *m;
	bool last, ok;
	sem_t done;
	uint64_t reserved;
	enum commit_result room;
};

static void spooled(void *ctx, bool ok, struct str why)
{
	struct spooling *s = ctx;

	(void)why;
	s->ok = ok;
	sem_post(&s->done);
}

static void spool_begin(void *ctx)
{
	struct spooling *s = ctx;

	subject_init(&s->subject, house.loops[0], house.generation);
	s->subject.message = s->m;
	queue_upcalls.spool(&s->subject, s->last, spooled, s);
}

static void spool_drops(void *ctx)
{
	struct spooling *s = ctx;

	queue_upcalls.drop(s->m);
	message_free(&s->m);
}

static void spool_octets_of(struct spooling *s, struct str octets, bool last)
{
	buf_add(&s->m->data, octets);
	s->last = last;
	sem_init(&s->done, 0, 0);
	house_on(0, spool_begin, s);
	while (sem_wait(&s->done) != 0)
		;
	subject_end(&s->subject);
}

START_TEST(a_large_body_goes_ahead_and_is_delivered_whole)
{
	static char block[70000];
	struct spooling s = { .m = house_message("s@x.org", "z@x.org", STR("Subject: x\r\n\r\n")) };
	struct peer *peer = peer_server(NULL, 0, 0);

	memset(block, 'x', sizeof block);
	for (size_t i = 68; i + 1 < sizeof block; i += 70)
		memcpy(block + i, "\r\n", 2);
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	for (unsigned i = 0; i < 10; i++)
		spool_octets_of(&s, str_make(block, sizeof block), i == 9);
	ck_assert(s.ok);
	ck_assert_uint_eq(s.m->spool_size, 700000);
	ck_assert_uint_eq(s.m->data.len, 14);
	ck_assert_uint_eq(memory_spooled(), 700000);
	ck_assert_int_eq(house_hand_over(s.m).result, COMMIT_DURABLE);
	ck_assert_uint_eq(memory_spooled(), 0);
	peer_wait_messages(peer, 1);
	ck_assert_uint_eq(peer_message(peer, 0)->content.len, 700014);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_spool_that_is_not_needed_is_dropped)
{
	struct spooling s = { .m = house_message("s@x.org", "z@x.org", STR("Subject: x\r\n\r\n")) };

	house_open("", "");
	spool_octets_of(&s, STR("hello\r\n"), false);
	ck_assert_uint_eq(memory_spooled(), 7);
	house_on(0, spool_drops, &s);
	house_close();
	ck_assert_uint_eq(memory_spooled(), 0);
	memory_reset();
}
END_TEST

START_TEST(a_spool_the_store_refuses_is_said_so)
{
	struct spooling s = { .m = house_message("s@x.org", "z@x.org", STR("Subject: x\r\n\r\n")) };

	house_open("", "");
	memory_set(MEMORY_REFUSES);
	spool_octets_of(&s, STR("hello\r\n"), false);
	ck_assert(!s.ok);
	house_on(0, spool_drops, &s);
	house_over();
}
END_TEST

static void reserve(void *ctx)
{
	struct spooling *s = ctx;

	subject_init(&s->subject, house.loops[0], house.generation);
	s->room = queue_upcalls.reserve(&s->subject, s->reserved);
	subject_end(&s->subject);
}

static void unreserve(void *ctx)
{
	struct spooling *s = ctx;

	subject_init(&s->subject, house.loops[0], house.generation);
	queue_upcalls.unreserve(&s->subject, s->reserved);
	subject_end(&s->subject);
}

START_TEST(room_that_was_reserved_is_given_back)
{
	struct spooling s = { .reserved = 5000 };
	struct message *m = house_message("s@x.org", "z@x.org", STR(HOUSE_CONTENT));

	house_open("deliver = false;", "");
	house_on(0, reserve, &s);
	ck_assert_int_eq(s.room, COMMIT_DURABLE);
	ck_assert_uint_eq(memory_reserved(), 5000);
	house_on(0, unreserve, &s);
	ck_assert_uint_eq(memory_reserved(), 0);
	/* By the commit, which took less than what was said. */
	house_on(0, reserve, &s);
	m->reserved = 5000;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	ck_assert_uint_eq(memory_reserved(), 0);
	memory_set(MEMORY_FULL);
	house_on(0, reserve, &s);
	ck_assert_int_eq(s.room, COMMIT_FULL);
	house_over();
}
END_TEST

TEST_MAIN("queue/spool", a_large_body_goes_ahead_and_is_delivered_whole,
	a_spool_that_is_not_needed_is_dropped, a_spool_the_store_refuses_is_said_so,
	room_that_was_reserved_is_given_back)
