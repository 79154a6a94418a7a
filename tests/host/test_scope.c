/* SPDX-License-Identifier: MIT
 *
 * What calls see that may outlive the subject: memory of a session or message, copies of facts.
 */
#include "tests/host/world.h"

#include "host/call.h"

#include <pthread.h>

static struct world world;
static char order[64];

static void said(const char *what)
{
	strncat(order, what, sizeof order - strlen(order) - 1);
}

/* ---- memory ------------------------------------------------------------------------------ */

struct state {
	int count;
	const char *kept; /* of host->alloc */
};

static enum tmail_verdict count(struct tmail_call *call, const union tmail_event *event)
{
	struct state *session = call->session, *message = call->message;

	(void)event;
	ck_assert_ptr_nonnull(session);
	if (!session->kept) {
		char *kept = call->host->alloc(call, 8, TMAIL_SCOPE_SESSION);

		ck_assert_int_eq(kept[0], 0);
		memcpy(kept, "session", 8);
		session->kept = kept;
	}
	session->count++;
	ck_assert_int_eq(!!message, !!call->envelope);
	if (!message)
		return TMAIL_CONTINUE;
	if (!message->kept) {
		char *kept = call->host->alloc(call, 8, TMAIL_SCOPE_MESSAGE);

		memcpy(kept, "message", 8);
		message->kept = kept;
	}
	message->count++;
	return TMAIL_CONTINUE;
}
static void message_end(struct tmail_call *call)
{
	const struct state *s = call->message;
	char text[8];

	ck_assert_str_eq(s->kept, "message");
	snprintf(text, sizeof text, "m%d", s->count);
	said(text);
}
static void session_end(struct tmail_call *call)
{
	const struct state *s = call->session;
	char text[8];

	ck_assert_str_eq(s->kept, "session");
	snprintf(text, sizeof text, "s%d", s->count);
	said(text);
}
static const struct tmail_hook hooks_a[] = { { TMAIL_POINT_MAIL, 0, count } };
static const struct tmail_hook hooks_b[] = { { TMAIL_POINT_RCPT, 0, count } };
#define STATES                                                                                     \
	.session_size = sizeof(struct state), .message_size = sizeof(struct state),                \
	.session_end = session_end, .message_end = message_end
MODULE(module_a, "test/a", .hooks = TMAIL_LIST(hooks_a), STATES);
MODULE(module_b, "test/b", .hooks = TMAIL_LIST(hooks_b), STATES);

static void begin(void)
{
	module_preload(&module_a);
	module_preload(&module_b);
	world_begin(&world, "modules = ({ module = \"test/a\"; }, { module = \"test/b\"; });");
}

static void message_over(void)
{
	message_free(&world.subject.message);
	subject_message_end(&world.subject);
}

START_TEST(modules_have_memory_of_their_own_from_the_first_call_to_the_end)
{
	begin();
	world_ask(&world, TMAIL_POINT_MAIL); /* without a message */
	ck_assert_str_eq(order, "");
	world_message(&world, "");
	world_ask(&world, TMAIL_POINT_MAIL);
	world_ask(&world, TMAIL_POINT_MAIL);
	world_ask(&world, TMAIL_POINT_RCPT);
	message_over();
	ck_assert_str_eq(order, "m2m1");
	world_message(&world, "");
	world_ask(&world, TMAIL_POINT_MAIL); /* b has seen nothing of this one */
	message_over();
	ck_assert_str_eq(order, "m2m1m1");
	world_end(&world);
	ck_assert_str_eq(order, "m2m1m1s4s1");
}
END_TEST

START_TEST(who_was_never_asked_has_no_end)
{
	begin();
	world_message(&world, "");
	world_end(&world);
	ck_assert_str_eq(order, "");
}
END_TEST

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int *shared;
static enum tmail_verdict work(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	*(int *)call->message += 1; /* is there though the client has left */
	*(int *)call->session += 1;
	*shared = 1;
	return TMAIL_CONTINUE;
}
static void work_ended(struct tmail_call *call)
{
	ck_assert_int_eq(*shared, 1);
	said(call->message ? "m" : "s");
}
static const struct tmail_hook hooks_work[] = { { TMAIL_POINT_MAIL, TMAIL_BLOCKING, work } };
MODULE(module_work, "test/work", .hooks = TMAIL_LIST(hooks_work), .session_size = sizeof(int),
	.message_size = sizeof(int), .session_end = work_ended, .message_end = work_ended);

static void ask_and_leave(struct world *w)
{
	union tmail_event event = { 0 };

	pthread_mutex_lock(&gate);
	ck_assert(!chain_ask(&w->subject, TMAIL_POINT_MAIL, &event, &w->answer, world_answered, w));
	message_over();
	subject_end(&w->subject);
	ck_assert_str_eq(order, "");
	pthread_mutex_unlock(&gate);
	world_over(w);
}

START_TEST(the_end_waits_for_the_last_call_that_still_runs)
{
	shared = must_alloc(sizeof *shared);
	module_preload(&module_work);
	world_begin(&world, "modules = ({ module = \"test/work\"; });");
	world_message(&world, "");
	world_run(&world, ask_and_leave);
	subject_init(&world.subject, world.loop, world.generation); /* for world_end */
	world_end(&world);
	ck_assert(strcmp(order, "sm") == 0 || strcmp(order, "ms") == 0);
	ck_assert_int_eq(world.answers, 0);
	free(shared);
}
END_TEST

/* ---- facts ------------------------------------------------------------------------------- */

/* Memory that is written over: what is read afterwards must be a copy. */
static _Alignas(16) char passing[4096];
static size_t passing_used;

static void *pass(size_t size)
{
	void *memory = passing + passing_used;

	passing_used += (size + 15) / 16 * 16;
	ck_assert_uint_le(passing_used, sizeof passing);
	return memset(memory, 0, size);
}

static struct tmail_str text(const char *c)
{
	return (struct tmail_str){ memcpy(pass(strlen(c)), c, strlen(c)), strlen(c) };
}

static void passed(void)
{
	memset(passing, 'x', sizeof passing);
	passing_used = 0;
}

#define CLIENT(X)                                                                                  \
	X(address)                                                                                 \
	X(local_address)                                                                           \
	X(reverse_name)                                                                            \
	X(helo) X(listener) X(login) X(tls_version) X(tls_cipher) X(hostname) X(mechanism)

START_TEST(all_that_is_known_of_a_client_is_copied)
{
	struct facts *f;

	begin();
	world.subject.client.port = 99;
	world.subject.client.flags = TMAIL_CLIENT_RELAY;
#define X(member) world.subject.client.member = text(#member);
	CLIENT(X)
#undef X
	f = facts_new(&world.subject, TMAIL_POINT_CONNECT, NULL);
	passed();
	ck_assert(f->has_client);
	ck_assert_uint_eq(f->client.port, 99);
	ck_assert_uint_eq(f->client.flags, TMAIL_CLIENT_RELAY);
#define X(member) ASSERT_STR(str_tm(f->client.member), #member);
	CLIENT(X)
#undef X
	facts_unref(&f);
	ck_assert_ptr_null(f);
	world.subject.client = (struct tmail_client){ 0 };
	world_end(&world);
}
END_TEST

START_TEST(a_message_is_kept_and_its_recipients_are_those_it_had)
{
	struct message *m;
	struct facts *f, *second;
	struct str value;

	begin();
	m = world_message(&world, "");
	message_add_recipient(m, STR("a@example.org"), STR(""), 0);
	message_note_set(m, STR("test.note"), STR("before"));
	f = facts_new(&world.subject, TMAIL_POINT_MAIL, NULL);
	second = facts_ref(f);
	ck_assert_uint_eq(m->refs, 2); /* for its strings */
	for (int i = 0; i < 100; i++) {
		char address[32];

		snprintf(address, sizeof address, "b%d@example.org", i);
		message_add_recipient(m, str_c(address), STR(""), 0);
	}
	message_note_set(m, STR("test.note"), STR("after"));
	message_over();
	ck_assert_uint_eq(f->envelope.recipients.count, 1);
	ASSERT_STR(str_tm(TMAIL_AT(struct tmail_recipient, f->envelope.recipients, 0)->address),
		"a@example.org");
	ASSERT_STR(str_tm(f->envelope.sender), "sender@example.com");
	ck_assert(note_find(f->notes, STR("test.note"), &value));
	ASSERT_STR(value, "before");
	facts_unref(&f);
	ck_assert_uint_eq(second->envelope.recipients.count, 1); /* the other one's still */
	facts_unref(&second);
	world_end(&world);
}
END_TEST

START_TEST(facts_may_be_of_nobody)
{
	struct facts *f = facts_new(NULL, TMAIL_POINT_TICK, NULL);

	ck_assert(!f->has_client);
	ck_assert_ptr_null(f->message);
	facts_unref(&f);
}
END_TEST

/* Of each event what lies outside it: strings, a recipient, parameters. */
#define AT(member) offsetof(union tmail_event, member)
enum { NONE = 0xffff, STRINGS = 3 };
static const struct {
	enum tmail_point point;
	size_t strings[STRINGS], recipient, parameters;
} events[] = {
	{ TMAIL_POINT_HELO, { AT(helo.name), NONE, NONE }, NONE, NONE },
	{ TMAIL_POINT_AUTH, { AT(auth.mechanism), AT(auth.login), NONE }, NONE, NONE },
	{ TMAIL_POINT_MAIL, { AT(mail.sender), NONE, NONE }, NONE, AT(mail.parameters) },
	{ TMAIL_POINT_RCPT, { NONE, NONE, NONE }, AT(rcpt.recipient), AT(rcpt.parameters) },
	{ TMAIL_POINT_HEADER, { AT(header.name), AT(header.value), NONE }, NONE, NONE },
	{ TMAIL_POINT_BODY, { AT(body.chunk), NONE, NONE }, NONE, NONE },
	{ TMAIL_POINT_UNKNOWN, { AT(unknown.verb), AT(unknown.argument), NONE }, NONE, NONE },
	{ TMAIL_POINT_DISCONNECT, { AT(disconnect.reason), NONE, NONE }, NONE, NONE },
	{ TMAIL_POINT_PREDELIVER, { NONE, NONE, NONE }, AT(predeliver.recipient), NONE },
	{ TMAIL_POINT_DELIVERED, { AT(outcome.host), AT(outcome.reply), NONE },
		AT(outcome.recipient), NONE },
	{ TMAIL_POINT_DEFERRED, { AT(outcome.host), AT(outcome.reply), NONE },
		AT(outcome.recipient), NONE },
	{ TMAIL_POINT_BOUNCED, { AT(outcome.host), AT(outcome.reply), NONE }, AT(outcome.recipient),
		NONE },
	{ TMAIL_POINT_CHANGED, { AT(changed.table), NONE, NONE }, NONE, NONE },
};

static void *member(union tmail_event *e, size_t at)
{
	return (char *)e + at;
}

START_TEST(all_that_an_event_points_to_is_copied)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		union tmail_event event = { 0 };
		struct tmail_recipient *r;
		struct tmail_parameter *p;
		struct facts *f;

		for (size_t s = 0; s < STRINGS; s++)
			if (events[i].strings[s] != NONE)
				*(struct tmail_str *)member(&event, events[i].strings[s]) =
					text(s ? "second" : "first");
		if (events[i].recipient != NONE) {
			r = pass(sizeof *r);
			r->index = 5;
			r->address = text("to@example.org");
			r->original = text("rfc822;o");
			*(const struct tmail_recipient **)member(&event, events[i].recipient) = r;
		}
		if (events[i].parameters != NONE) {
			p = pass(2 * sizeof *p);
			p[0] = (struct tmail_parameter){ text("SIZE"), text("7") };
			p[1] = (struct tmail_parameter){ text("BODY"), text("8BITMIME") };
			*(struct tmail_list *)member(&event, events[i].parameters) =
				(struct tmail_list){ p, 2, sizeof *p };
		}
		f = facts_new(NULL, events[i].point, &event);
		passed();
		for (size_t s = 0; s < STRINGS; s++)
			if (events[i].strings[s] != NONE)
				ASSERT_STR(str_tm(*(struct tmail_str *)member(
						   &f->event, events[i].strings[s])),
					s ? "second" : "first");
		if (events[i].recipient != NONE) {
			const struct tmail_recipient *copy =
				*(const struct tmail_recipient **)member(
					&f->event, events[i].recipient);

			ck_assert_uint_eq(copy->index, 5);
			ASSERT_STR(str_tm(copy->address), "to@example.org");
			ASSERT_STR(str_tm(copy->original), "rfc822;o");
		}
		if (events[i].parameters != NONE) {
			const struct tmail_list *copy = member(&f->event, events[i].parameters);

			ck_assert_uint_eq(copy->count, 2);
			ASSERT_STR(
				str_tm(TMAIL_AT(struct tmail_parameter, *copy, 1)->name), "BODY");
			ASSERT_STR(str_tm(TMAIL_AT(struct tmail_parameter, *copy, 1)->value),
				"8BITMIME");
		}
		facts_unref(&f);
	}
}
END_TEST

TEST_MAIN("host/scope", modules_have_memory_of_their_own_from_the_first_call_to_the_end,
	who_was_never_asked_has_no_end, the_end_waits_for_the_last_call_that_still_runs,
	all_that_is_known_of_a_client_is_copied,
	a_message_is_kept_and_its_recipients_are_those_it_had, facts_may_be_of_nobody,
	all_that_an_event_points_to_is_copied)
