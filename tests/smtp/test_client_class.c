/* SPDX-License-Identifier: MIT
 *
 * The table of what replies mean, asked about every code at every stage.
 */
#include "smtp/client_state.h"

#include "tests/lib/test.h"

/* What it must say of codes without an enhanced one, as the RFC tells it. */
static struct client_meaning as_told(enum client_stage stage, unsigned code)
{
	bool opening = stage == STAGE_GREETING || stage == STAGE_EHLO;
	unsigned good = stage == STAGE_GREETING ? 220 : stage == STAGE_DATA ? 354 : 250;
	bool yes = opening || stage == STAGE_DATA ? code == good
						  : code / 100 == 2 && stage != STAGE_CONTENT;
	struct client_meaning m = { .class = CLASS_TEMPORARY };

	if (yes) {
		m.class = CLASS_OK;
	} else if (opening || code == 421) {
		m.class = CLASS_NEXT_HOST;
		m.ends = true;
	} else if (code < 400) {
		m.ends = true;
	} else if (stage == STAGE_RCPT && (code == 452 || code == 552)) {
		m.crowded = true;
	} else if (code >= 500) {
		m.class = CLASS_PERMANENT;
	}
	return m;
}

START_TEST(every_code_means_something_at_every_stage)
{
	for (int stage = STAGE_GREETING; stage <= STAGE_DOT; stage++)
		for (unsigned code = 200; code <= 599; code++) {
			struct client_meaning got = client_meaning(stage, code, "");
			struct client_meaning want = as_told(stage, code);

			ck_assert_msg(got.class == want.class && got.ends == want.ends &&
					got.crowded == want.crowded,
				"%u at stage %d: class %d ends %d", code, stage, got.class,
				got.ends);
		}
}
END_TEST

START_TEST(what_has_another_reason_is_not_too_many_recipients)
{
	static const struct {
		unsigned code;
		const char *enhanced;
		enum client_class class;
		bool crowded;
	} cases[] = {
		{ 452, "", CLASS_TEMPORARY, true },
		{ 452, "4.5.3", CLASS_TEMPORARY, true },
		{ 452, "4.2.2", CLASS_TEMPORARY, false },
		{ 452, "4.3.1", CLASS_TEMPORARY, false },
		{ 552, "", CLASS_TEMPORARY, true },
		{ 552, "5.5.3", CLASS_TEMPORARY, true },
		{ 552, "5.2.2", CLASS_PERMANENT, false },
		{ 450, "4.5.3", CLASS_TEMPORARY, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_meaning m =
			client_meaning(STAGE_RCPT, cases[i].code, cases[i].enhanced);

		ck_assert_int_eq(m.class, cases[i].class);
		ck_assert_int_eq(m.crowded, cases[i].crowded);
	}
	ck_assert(!client_meaning(STAGE_MAIL, 452, "").crowded);
	ck_assert(!client_meaning(STAGE_DOT, 552, "").crowded);
}
END_TEST

/* Class and enhanced code agree, whatever was said. */
START_TEST(every_outcome_has_a_status_of_its_class)
{
	for (int stage = STAGE_GREETING; stage <= STAGE_DOT; stage++)
		for (unsigned code = 200; code <= 599; code++) {
			struct client_outcome o = { .stage = stage, .code = code };
			unsigned digit;
			char status[16];

			o.class = client_meaning(stage, code, "").class;
			digit = o.class == CLASS_OK ? 2 : o.class == CLASS_PERMANENT ? 5 : 4;
			client_status(&o, status);
			ck_assert_msg(
				enhanced_valid(str_c(status), digit * 100), "%u: %s", code, status);
		}
}
END_TEST

START_TEST(a_status_says_what_the_code_says)
{
	static const struct {
		enum client_stage stage;
		unsigned code;
		const char *enhanced, *status;
	} cases[] = {
		{ STAGE_RCPT, 550, "5.7.1", "5.7.1" },
		{ STAGE_RCPT, 550, "", "5.1.0" },
		{ STAGE_MAIL, 550, "", "5.0.0" },
		{ STAGE_RCPT, 551, "", "5.1.6" },
		{ STAGE_RCPT, 553, "", "5.1.3" },
		{ STAGE_MAIL, 553, "", "5.1.7" },
		{ STAGE_RCPT, 452, "", "4.5.3" },
		{ STAGE_RCPT, 552, "", "4.5.3" },
		{ STAGE_DOT, 452, "", "4.3.1" },
		{ STAGE_DOT, 552, "", "5.3.4" },
		{ STAGE_DOT, 554, "", "5.0.0" },
		{ STAGE_MAIL, 421, "", "4.3.2" },
		{ STAGE_MAIL, 501, "", "5.5.4" },
		{ STAGE_GREETING, 554, "", "4.3.2" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_outcome o = { .stage = cases[i].stage, .code = cases[i].code };
		char status[16];

		o.class = client_meaning(o.stage, o.code, "").class;
		memcpy(o.enhanced, cases[i].enhanced, strlen(cases[i].enhanced) + 1);
		client_status(&o, status);
		ck_assert_str_eq(status, cases[i].status);
	}
}
END_TEST

START_TEST(our_own_words_have_a_status_too)
{
	static const struct {
		enum client_class class;
		enum client_stage stage;
		const char *status;
	} cases[] = {
		{ CLASS_TEMPORARY, STAGE_CONNECT, "4.4.1" },
		{ CLASS_NEXT_HOST, STAGE_CONNECT, "4.4.1" },
		{ CLASS_TEMPORARY, STAGE_RCPT, "4.4.2" },
		{ CLASS_UNKNOWN, STAGE_DOT, "4.4.2" },
		{ CLASS_PERMANENT, STAGE_CONNECT, "5.0.0" },
		{ CLASS_OK, STAGE_DONE, "2.0.0" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_outcome o = { .class = cases[i].class, .stage = cases[i].stage };
		char status[16];

		client_status(&o, status);
		ck_assert_str_eq(status, cases[i].status);
	}
}
END_TEST

TEST_MAIN("smtp/client_class", every_code_means_something_at_every_stage,
	what_has_another_reason_is_not_too_many_recipients, every_outcome_has_a_status_of_its_class,
	a_status_says_what_the_code_says, our_own_words_have_a_status_too)
