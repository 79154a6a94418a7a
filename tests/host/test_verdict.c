/* SPDX-License-Identifier: MIT
 *
 * What a verdict means: at every point, with every code, and what a failure comes to.
 */
#include "tests/host/world.h"

#include "host/record.h"
#include "host/verdict.h"

static struct world world;

/* ---- what may be said where -------------------------------------------------------------- */

/* C continue, A accept, R reject, T tempfail, D discard, H hold; the codes without a module's. */
static const struct {
	const char *legal;
	unsigned reject, tempfail;
	const char *reject_enhanced, *tempfail_enhanced;
} rules[TMAIL_POINTS] = {
	[TMAIL_POINT_CONNECT] = { "CART", 554, 421, "5.7.1", "4.7.1" },
	[TMAIL_POINT_HELO] = { "CART", 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_AUTH] = { "CART", 535, 454, "5.7.8", "4.7.0" },
	[TMAIL_POINT_MAIL] = { "CARTDH", 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_RCPT] = { "CARTDH", 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_DATA] = { "CARTDH", 550, 450, "5.7.1", "4.7.1" },
	[TMAIL_POINT_HEADER] = { "CARTDH", 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_EOH] = { "CARTDH", 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_BODY] = { "CARTDH", 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_EOM] = { "CARTDH", 554, 451, "5.7.1", "4.7.1" },
	[TMAIL_POINT_UNKNOWN] = { "CART", 500, 451, "5.5.1", "4.7.1" },
	[TMAIL_POINT_PREDELIVER] = { "CARTH", 550, 451, "5.7.1", "4.7.1" },
};
static const char letters[] = "CARTDHW"; /* enum tmail_verdict */

static bool legal(unsigned point, unsigned verdict)
{
	return rules[point].legal && letters[verdict] &&
		strchr(rules[point].legal, letters[verdict]);
}

START_TEST(each_point_has_its_verdicts_and_notices_none)
{
	for (unsigned point = 0; point < TMAIL_POINTS; point++) {
		for (unsigned v = 0; v <= TMAIL_WAIT; v++)
			ck_assert_msg(verdict_legal((enum tmail_point)point,
					      (enum tmail_verdict)v) == legal(point, v),
				"%s %c", point_name((enum tmail_point)point), letters[v]);
		ck_assert(!verdict_legal((enum tmail_point)point, (enum tmail_verdict)7));
		ck_assert(!verdict_legal((enum tmail_point)point, (enum tmail_verdict)32));
		ck_assert(!verdict_legal((enum tmail_point)point, (enum tmail_verdict)INT32_MAX));
	}
}
END_TEST

START_TEST(each_point_has_codes_of_its_own)
{
	unsigned code;
	char enhanced[16];

	for (unsigned point = 0; point < TMAIL_POINTS; point++) {
		if (!rules[point].legal)
			continue;
		ck_assert(reply_take(
			(enum tmail_point)point, TMAIL_REJECT, 0, STR(""), &code, enhanced));
		ck_assert_uint_eq(code, rules[point].reject);
		ck_assert_str_eq(enhanced, rules[point].reject_enhanced);
		ck_assert(reply_take(
			(enum tmail_point)point, TMAIL_TEMPFAIL, 0, STR(""), &code, enhanced));
		ck_assert_uint_eq(code, rules[point].tempfail);
		ck_assert_str_eq(enhanced, rules[point].tempfail_enhanced);
	}
}
END_TEST

static const struct {
	enum tmail_verdict verdict;
	unsigned said;
	const char *enhanced_said;
	bool fits;
	unsigned code;
	const char *enhanced;
} replies[] = {
	{ TMAIL_REJECT, 500, "", true, 500, "5.7.1" },
	{ TMAIL_REJECT, 599, "", true, 599, "5.7.1" },
	{ TMAIL_REJECT, 600, "", false, 550, "5.7.1" },
	{ TMAIL_REJECT, 499, "", false, 550, "5.7.1" },
	{ TMAIL_REJECT, 250, "", false, 550, "5.7.1" },
	{ TMAIL_REJECT, 5, "", false, 550, "5.7.1" },
	{ TMAIL_REJECT, 5500, "", false, 550, "5.7.1" },
	{ TMAIL_TEMPFAIL, 400, "", true, 400, "4.7.1" },
	{ TMAIL_TEMPFAIL, 499, "", true, 499, "4.7.1" },
	{ TMAIL_TEMPFAIL, 500, "", false, 450, "4.7.1" },
	{ TMAIL_TEMPFAIL, 399, "", false, 450, "4.7.1" },
	{ TMAIL_REJECT, 0, "5.1.1", true, 550, "5.1.1" },
	{ TMAIL_REJECT, 552, "5.2.2", true, 552, "5.2.2" },
	{ TMAIL_REJECT, 552, "5.999.999", true, 552, "5.999.999" },
	{ TMAIL_REJECT, 552, "5.1000.1", false, 552, "5.7.1" },
	{ TMAIL_REJECT, 552, "4.2.2", false, 552, "5.7.1" },
	{ TMAIL_REJECT, 552, "5.2", false, 552, "5.7.1" },
	{ TMAIL_REJECT, 552, "5.2.2 and more", false, 552, "5.7.1" },
	{ TMAIL_REJECT, 552, "5.7.1\r\n250 ok", false, 552, "5.7.1" },
	{ TMAIL_REJECT, 552, "5.22222222222222222222.1", false, 552, "5.7.1" },
	{ TMAIL_TEMPFAIL, 0, "5.2.2", false, 450, "4.7.1" },
	{ TMAIL_TEMPFAIL, 452, "4.2.2", true, 452, "4.2.2" },
};

START_TEST(a_code_is_of_its_verdict_s_class_or_the_core_s_own)
{
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		char enhanced[16];
		unsigned code;
		bool fits = reply_take(TMAIL_POINT_RCPT, replies[i].verdict, replies[i].said,
			str_c(replies[i].enhanced_said), &code, enhanced);

		ck_assert_msg(fits == replies[i].fits && code == replies[i].code &&
				strcmp(enhanced, replies[i].enhanced) == 0,
			"row %zu: %d %u %s", i, fits, code, enhanced);
	}
}
END_TEST

START_TEST(words_have_an_end_and_end_no_line)
{
	struct arena *a = arena_new(512);
	char words[500];

	memset(words, 'x', sizeof words);
	ck_assert_uint_eq(reply_text(a, str_make(words, 400)).len, 400);
	ck_assert_uint_eq(reply_text(a, str_make(words, 401)).len, 400);
	ck_assert_uint_eq(reply_text(a, str_make(NULL, 0)).len, 0);
	for (int octet = 0; octet < 256; octet++) {
		char one = (char)octet;
		struct str clean = reply_text(a, str_make(&one, 1));

		ck_assert_uint_eq(clean.len, 1);
		ck_assert_int_eq(clean.data[0], octet < ' ' || octet == 0x7f ? ' ' : one);
	}
	arena_free(&a);
}
END_TEST

/* ---- said by a module -------------------------------------------------------------------- */

static struct {
	enum tmail_verdict verdict;
	unsigned code;
	uint32_t relay;
	const char *enhanced, *text, *hold, *next_hop, *source, *sender;
} say[2]; /* of the first and the second module */

static enum tmail_verdict speak(struct tmail_call *call, int who)
{
	struct tmail_answer *a = call->answer;

	a->code = say[who].code;
	a->relay = say[who].relay;
	a->enhanced = tm_str(str_c(say[who].enhanced));
	a->text = tm_str(str_c(say[who].text));
	a->hold = tm_str(str_c(say[who].hold));
	a->next_hop = tm_str(str_c(say[who].next_hop));
	a->source = tm_str(str_c(say[who].source));
	a->sender = tm_str(str_c(say[who].sender));
	return say[who].verdict;
}
static int asked;
static enum tmail_verdict first(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	return speak(call, 0);
}
static enum tmail_verdict second(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	asked++;
	return speak(call, 1);
}
/* Every point that decides but those of content, which have no chain of their own. */
#define HOOKS(function)                                                                            \
	{                                                                                          \
		{ TMAIL_POINT_CONNECT, 0, function }, { TMAIL_POINT_HELO, 0, function },           \
			{ TMAIL_POINT_AUTH, 0, function }, { TMAIL_POINT_MAIL, 0, function },      \
			{ TMAIL_POINT_RCPT, 0, function }, { TMAIL_POINT_DATA, 0, function },      \
			{ TMAIL_POINT_UNKNOWN, 0, function },                                      \
			{ TMAIL_POINT_PREDELIVER, 0, function },                                   \
	}
static const struct tmail_hook hooks_first[] = HOOKS(first), hooks_second[] = HOOKS(second);
MODULE(module_first, "test/first", .hooks = TMAIL_LIST(hooks_first));
MODULE(module_second, "test/second", .hooks = TMAIL_LIST(hooks_second));

static struct record_entry recorded;
static char words[128];
static void record(const struct subject *s, const struct record_entry *entry)
{
	(void)s;
	if (strcmp(instance_name(entry->instance), "test/first") != 0)
		return;
	recorded = *entry;
	snprintf(words, sizeof words, "%.*s", STR_ARG(entry->words));
}

static void begin(const char *more)
{
	char conf[256];

	module_preload(&module_first);
	module_preload(&module_second);
	snprintf(conf, sizeof conf,
		"modules = ({ module = \"test/first\"; %s }, { module = \"test/second\"; });",
		more);
	world_begin(&world, conf);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	record_sink(record);
	memset(say, 0, sizeof say);
	asked = 0;
}

static const struct chain_answer *ask(enum tmail_point point)
{
	const struct chain_answer *answer = world_ask(&world, point);

	asked = asked ? 1 : 0;
	return answer;
}

static void end(void)
{
	record_sink(NULL);
	world_end(&world);
}

START_TEST(each_verdict_at_each_point_ends_it_or_goes_on)
{
	begin("");
	for (size_t h = 0; h < sizeof hooks_first / sizeof *hooks_first; h++)
		for (unsigned v = 0; v <= TMAIL_WAIT + 1; v++) {
			enum tmail_point point = (enum tmail_point)hooks_first[h].point;
			bool fits = v <= TMAIL_WAIT && legal(point, v);
			bool goes_on = fits && (v == TMAIL_CONTINUE || v == TMAIL_HOLD);
			unsigned end_verdict = fits ? v : TMAIL_TEMPFAIL;
			const struct chain_answer *a;

			say[0].verdict = (enum tmail_verdict)v;
			asked = 0;
			a = ask(point);
			ck_assert_int_eq(asked, goes_on);
			ck_assert_int_eq(a->verdict, goes_on ? TMAIL_CONTINUE : end_verdict);
			ck_assert_int_eq(a->hold, fits && v == TMAIL_HOLD);
			ck_assert_msg(!!a->by == !goes_on, "%s %u", point_name(point), v);
			ck_assert_int_eq(recorded.verdict, fits ? (int)v : RECORD_FAILED);
			if (!fits) {
				ck_assert_uint_eq(a->code, rules[point].tempfail);
				ck_assert_str_eq(a->enhanced, "4.3.0");
				ASSERT_STR(a->text, "Temporary failure, try again later");
			} else if (v == TMAIL_REJECT) {
				ck_assert_uint_eq(a->code, rules[point].reject);
				ASSERT_STR(a->text, "Refused");
			} else if (v == TMAIL_TEMPFAIL) {
				ck_assert_uint_eq(a->code, rules[point].tempfail);
				ck_assert_str_eq(a->enhanced, rules[point].tempfail_enhanced);
			}
		}
	end();
}
END_TEST

START_TEST(a_failure_refuses_for_now_or_is_passed_by)
{
	static const struct {
		enum tmail_verdict verdict;
		unsigned code;
		const char *enhanced, *why;
	} failures[] = {
		{ (enum tmail_verdict)7, 0, "", "gave a verdict that has no place at this point" },
		{ TMAIL_REJECT, 450, "", "gave a reply code that does not fit its verdict" },
		{ TMAIL_TEMPFAIL, 550, "", "gave a reply code that does not fit its verdict" },
		{ TMAIL_REJECT, 550, "4.1.1", "gave a reply code that does not fit its verdict" },
		{ TMAIL_WAIT, 0, "", "answered WAIT; its hook is not marked TMAIL_WAITS" },
	};

	for (size_t i = 0; i < 2 * (sizeof failures / sizeof *failures); i++) {
		const struct chain_answer *a;

		begin(i % 2 ? "on_error = \"continue\";" : "");
		say[0].verdict = failures[i / 2].verdict;
		say[0].code = failures[i / 2].code;
		say[0].enhanced = failures[i / 2].enhanced;
		a = ask(TMAIL_POINT_RCPT);
		ck_assert_int_eq(a->verdict, i % 2 ? TMAIL_CONTINUE : TMAIL_TEMPFAIL);
		ck_assert_int_eq(asked, i % 2);
		ck_assert_uint_eq(a->code, i % 2 ? 0 : 450);
		ck_assert_int_eq(recorded.verdict, RECORD_FAILED);
		ck_assert_str_eq(words, failures[i / 2].why);
		end();
	}
}
END_TEST

START_TEST(relay_is_granted_at_rcpt_by_who_may)
{
	for (int may = 0; may < 2; may++) {
		begin(may ? "may_relay = true;" : "");
		say[0].relay = 1;
		ck_assert_int_eq(ask(TMAIL_POINT_RCPT)->relay, may);
		ck_assert(!ask(TMAIL_POINT_MAIL)->relay);
		ck_assert(!ask(TMAIL_POINT_DATA)->relay);
		say[0].verdict = TMAIL_ACCEPT;
		ck_assert_int_eq(ask(TMAIL_POINT_RCPT)->relay, may);
		say[0].relay = 0;
		ck_assert(!ask(TMAIL_POINT_RCPT)->relay);
		/* of a verdict that is none, nothing is taken */
		say[0].relay = 1;
		say[0].verdict = (enum tmail_verdict)7;
		ck_assert(!ask(TMAIL_POINT_RCPT)->relay);
		end();
	}
}
END_TEST

START_TEST(the_first_hold_gives_the_reason_and_who_has_none_its_name)
{
	begin("");
	world_message(&world, "");
	say[0].verdict = TMAIL_HOLD;
	say[1].verdict = TMAIL_HOLD;
	say[1].hold = "second\r\nline";
	ASSERT_STR(ask(TMAIL_POINT_MAIL)->hold_reason, "test/first");
	ASSERT_STR(str_tm(world.subject.message->hold), "test/first");
	say[0].verdict = TMAIL_CONTINUE;
	ASSERT_STR(ask(TMAIL_POINT_MAIL)->hold_reason, "second  line");
	ASSERT_STR(str_tm(world.subject.message->hold), "test/first"); /* as it was */
	end();
}
END_TEST

START_TEST(a_way_is_given_before_delivery_only_and_by_the_first_who_does)
{
	const struct chain_answer *a;

	begin("");
	say[0].next_hop = "[192.0.2.1]:25";
	say[1].next_hop = "[192.0.2.2]:25";
	say[1].source = "192.0.2.9";
	say[0].sender = "";
	say[1].sender = "b@example.org";
	a = ask(TMAIL_POINT_PREDELIVER);
	ASSERT_STR(a->next_hop, "[192.0.2.1]:25");
	ASSERT_STR(a->source, "192.0.2.9");
	ck_assert(a->sender.data && a->sender.len == 0);
	a = ask(TMAIL_POINT_MAIL);
	ck_assert_uint_eq(a->next_hop.len + a->source.len, 0);
	ck_assert_ptr_null(a->sender.data);
	end();
}
END_TEST

START_TEST(who_accepts_may_have_said_it_in_words)
{
	const struct chain_answer *a;

	begin("");
	say[0].verdict = TMAIL_ACCEPT;
	say[0].code = 220;
	say[0].enhanced = "2.7.0";
	say[0].text = "go\non";
	a = ask(TMAIL_POINT_UNKNOWN);
	ck_assert_uint_eq(a->code, 220);
	ck_assert_str_eq(a->enhanced, "2.7.0");
	ASSERT_STR(a->text, "go on");
	say[0].enhanced = "5.7.0"; /* of another class */
	ck_assert_str_eq(ask(TMAIL_POINT_UNKNOWN)->enhanced, "");
	say[0].enhanced = "2.777777777777777777.0";
	ck_assert_str_eq(ask(TMAIL_POINT_UNKNOWN)->enhanced, "");
	end();
}
END_TEST

START_TEST(who_is_not_asked_in_a_dry_run_is_written_down)
{
	const struct record_entry *e;

	begin("");
	world.subject.dry = true;
	ask(TMAIL_POINT_MAIL);
	e = record_of(&world.subject);
	for (int i = 0; i < 2; i++, e = e->next) {
		ck_assert_ptr_eq(e->instance, instance_at(world.generation, (size_t)i));
		ck_assert_int_eq(e->verdict, RECORD_NOT_ASKED);
		ASSERT_STR(e->words, "does not honour dry questions");
	}
	ck_assert_ptr_null(e);
	ck_assert_int_eq(asked, 0);
	end();
}
END_TEST

TEST_MAIN("host/verdict", each_point_has_its_verdicts_and_notices_none,
	each_point_has_codes_of_its_own, a_code_is_of_its_verdict_s_class_or_the_core_s_own,
	words_have_an_end_and_end_no_line, each_verdict_at_each_point_ends_it_or_goes_on,
	a_failure_refuses_for_now_or_is_passed_by, relay_is_granted_at_rcpt_by_who_may,
	the_first_hold_gives_the_reason_and_who_has_none_its_name,
	a_way_is_given_before_delivery_only_and_by_the_first_who_does,
	who_accepts_may_have_said_it_in_words, who_is_not_asked_in_a_dry_run_is_written_down)
