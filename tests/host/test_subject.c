/* SPDX-License-Identifier: MIT
 *
 * Subjects: what is parked with them is cancelled, what belongs to a message ends with it.
 */
#include "tests/host/world.h"

#include "host/call.h"
#include "host/record.h"

static struct world world;

START_TEST(a_subject_begins_with_nothing_and_holds_its_generation)
{
	const struct subject *s = &world.subject;

	world_begin(&world, "");
	ck_assert_ptr_eq(s->loop, world.loop);
	ck_assert_uint_eq(s->client.size, sizeof s->client);
	ck_assert(list_empty(&s->parked));
	ck_assert_ptr_null(message_verdicts(s));
	ck_assert_uint_eq(world.generation->refs, 2);
	world_end(&world);
}
END_TEST

/* ---- what is parked ---------------------------------------------------------------------- */

struct waiting {
	struct parked parked;
	struct waiting *also; /* goes when this one does */
	int cancelled;
};

static void cancel(struct parked *parked)
{
	struct waiting *w = container_of(parked, struct waiting, parked);

	w->cancelled++;
	list_remove(&w->parked.link);
	if (w->also)
		cancel(&w->also->parked);
}

static void park(struct waiting *w)
{
	w->parked.cancel = cancel;
	list_append(&world.subject.parked, &w->parked.link);
}

START_TEST(whatever_is_parked_is_cancelled_once)
{
	struct waiting some[4] = { { .cancelled = 0 } };

	world_begin(&world, "");
	for (int i = 0; i < 4; i++)
		park(&some[i]);
	some[0].also = &some[2]; /* the list changes under the walk */
	subject_cancel(&world.subject);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(some[i].cancelled, 1);
	ck_assert(list_empty(&world.subject.parked));
	subject_cancel(&world.subject);
	ck_assert_int_eq(some[0].cancelled, 1);
	world_end(&world);
}
END_TEST

START_TEST(the_end_of_a_message_cancels_and_so_does_that_of_the_subject)
{
	struct waiting one = { .cancelled = 0 };

	world_begin(&world, "");
	park(&one);
	subject_message_end(&world.subject);
	ck_assert_int_eq(one.cancelled, 1);
	park(&one);
	world_end(&world);
	ck_assert_int_eq(one.cancelled, 2);
}
END_TEST

/* ---- ends -------------------------------------------------------------------------------- */

static char order[32];
static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->host->edit)
		call->host->edit->recipient_verdict(call, 0, TMAIL_REJECT, 0,
			(struct tmail_str){ NULL, 0 }, (struct tmail_str){ NULL, 0 });
	call->host->reply(call, 0, NULL, "words");
	return call->point == TMAIL_POINT_MAIL ? TMAIL_REJECT : TMAIL_CONTINUE;
}
static void message_end(struct tmail_call *call)
{
	(void)call;
	strncat(order, "m", 2);
}
static void session_end(struct tmail_call *call)
{
	(void)call;
	strncat(order, "s", 2);
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, TMAIL_DRY, hook },
	{ TMAIL_POINT_EOM, 0, hook } };
MODULE(module, "test/module", .capabilities = TMAIL_CAN_EDIT, .session_size = 1, .message_size = 1,
	.message_end = message_end, .session_end = session_end, .hooks = TMAIL_LIST(hooks));

static void begin(void)
{
	module_preload(&module);
	world_begin(&world, "modules = ({ module = \"test/module\"; });");
	message_add_recipient(world_message(&world, ""), STR("a@example.org"), STR(""), 0);
}

START_TEST(a_message_leaves_nothing_for_the_next_one)
{
	begin();
	world_content(&world);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_ptr_nonnull(message_verdicts(&world.subject));
	ck_assert_ptr_nonnull(world.subject.answers);
	message_free(&world.subject.message);
	subject_message_end(&world.subject);
	ck_assert_str_eq(order, "m");
	ck_assert_ptr_null(message_verdicts(&world.subject));
	ck_assert_ptr_null(world.subject.answers);
	ck_assert_ptr_null(world.subject.message_scope);
	subject_message_end(&world.subject); /* harmless */
	ck_assert_str_eq(order, "m");
	/* and the list is one to append to again */
	message_add_recipient(world_message(&world, ""), STR("b@example.org"), STR(""), 0);
	world_content(&world);
	ck_assert_uint_eq(message_verdicts(&world.subject)->index, 0);
	ck_assert_ptr_null(message_verdicts(&world.subject)->next);
	world_end(&world);
	ck_assert_str_eq(order, "mms");
}
END_TEST

START_TEST(a_subject_ends_with_all_that_it_has)
{
	begin();
	world.subject.dry = true;
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_ptr_nonnull(record_of(&world.subject));
	world_end(&world);
	ck_assert_str_eq(order, "ms");
	ck_assert_ptr_null(record_of(&world.subject));
	ck_assert_ptr_null(world.subject.generation);
}
END_TEST

TEST_MAIN("host/subject", a_subject_begins_with_nothing_and_holds_its_generation,
	whatever_is_parked_is_cancelled_once,
	the_end_of_a_message_cancels_and_so_does_that_of_the_subject,
	a_message_leaves_nothing_for_the_next_one, a_subject_ends_with_all_that_it_has)
