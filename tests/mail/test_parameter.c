/* SPDX-License-Identifier: MIT
 *
 * The parameters of MAIL and RCPT: their syntax, then what each may say.
 */
#include "mail/command.h"

#include "tests/mail/expect.h"

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X500 X100 X100 X100 X100 X100

/* ---- syntax ------------------------------------------------------------------------------ */

START_TEST(parameters_are_cut_at_blanks)
{
	struct parameters p;
	struct str bad;

	ck_assert(parameters_parse(STR(""), &p, &bad));
	ck_assert_uint_eq(p.count, 0);
	ck_assert(parameters_parse(STR("  "), &p, &bad));
	ck_assert_uint_eq(p.count, 0);
	ck_assert(parameters_parse(STR(" SIZE=100  smtputf8\tX-9=<>,;\"+ "), &p, &bad));
	ck_assert_uint_eq(p.count, 3);
	expect_str(STR("first"), p.item[0].name, STR("SIZE"));
	expect_str(STR("first"), p.item[0].value, STR("100"));
	expect_str(STR("second"), p.item[1].name, STR("smtputf8"));
	ck_assert(p.item[0].has_value && !p.item[1].has_value && p.item[2].has_value);
	expect_str(STR("third"), p.item[2].value, STR("<>,;\"+"));
	ck_assert(!p.utf8);
}
END_TEST

START_TEST(what_is_no_parameter_is_named)
{
	static const struct {
		struct str in, bad;
	} cases[] = {
		{ STR_INIT("SIZE=1"), STR_INIT("SIZE=1") }, /* no blank before it */
		{ STR_INIT(" SIZE="), STR_INIT("SIZE=") },
		{ STR_INIT(" ="), STR_INIT("=") },
		{ STR_INIT(" =1"), STR_INIT("=1") },
		{ STR_INIT(" A=b=c"), STR_INIT("A=b=c") },
		{ STR_INIT(" -A=1"), STR_INIT("-A=1") },
		{ STR_INIT(" A_B=1"), STR_INIT("A_B=1") },
		{ STR_INIT(" A.B"), STR_INIT("A.B") },
		{ STR_INIT(" <x@y.example>"), STR_INIT("<x@y.example>") },
		{ STR_INIT(" OK=1 \"x\""), STR_INIT("\"x\"") },
		{ STR_INIT(" A=\0"), STR_INIT("A=\0") },
		{ STR_INIT(" A=a\nb"), STR_INIT("A=a\nb") },
		{ STR_INIT(" A=a\rb"), STR_INIT("A=a\rb") },
		{ STR_INIT(" A=\x7f"), STR_INIT("A=\x7f") },
		{ STR_INIT(" \xc3\xbc=1"), STR_INIT("\xc3\xbc=1") },
		{ STR_INIT(" A=\xc3"), STR_INIT("A=\xc3") },
		{ STR_INIT(" A=\xc0\xae"), STR_INIT("A=\xc0\xae") },
		{ STR_INIT(" RET=HDRS ret=FULL"), STR_INIT("ret=FULL") },
		{ STR_INIT(" A A=1"), STR_INIT("A=1") },
		{ STR_INIT(" A B C D E F G H I J K L M N O P Q R S T U V W X Y"), STR_INIT("Y") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parameters p;
		struct str bad = STR("");

		ck_assert_msg(!parameters_parse(cases[i].in, &p, &bad), "case %zu", i);
		expect_str(cases[i].in, bad, cases[i].bad);
	}
}
END_TEST

/* ---- MAIL -------------------------------------------------------------------------------- */

static enum parameter_result read_mail(
	struct str in, struct arena *arena, struct mail_parameters *out)
{
	struct parameters p;
	struct str bad = STR("");
	enum parameter_result result;

	ck_assert_msg(parameters_parse(in, &p, &bad), "%s", in.data);
	result = mail_parameters_read(&p, arena, out, &bad);
	ck_assert_int_eq(result == PARAMETER_OK, bad.len == 0);
	return result;
}

START_TEST(mail_parameters_are_understood)
{
	struct arena *arena = arena_new(1024);
	struct mail_parameters m;

	ck_assert_int_eq(read_mail(STR(""), arena, &m), PARAMETER_OK);
	ck_assert(!m.has_size && !m.smtputf8 && !m.has_auth && !m.body && !m.ret);
	ck_assert_int_eq(read_mail(STR(" size=1000 Body=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B+20x "
				       "AUTH=e+3Dmc2@example.com"),
				 arena, &m),
		PARAMETER_OK);
	ck_assert(m.has_size && m.size == 1000 && m.body == 1 && m.smtputf8 && m.ret == 2);
	ck_assert(m.has_auth);
	expect_str(STR("ENVID"), m.envid, STR("QQ+ x"));
	expect_str(STR("AUTH"), m.auth, STR("e=mc2@example.com"));
	ck_assert_int_eq(
		read_mail(STR(" BODY=7BIT RET=FULL AUTH=<> SIZE=0"), arena, &m), PARAMETER_OK);
	ck_assert(m.has_size && m.size == 0 && m.body == 0 && m.ret == 1);
	expect_str(STR("AUTH"), m.auth, STR("<>"));
	arena_free(&arena);
}
END_TEST

START_TEST(sizes_never_wrap)
{
	static const struct {
		struct str in;
		uint64_t size;
	} cases[] = {
		{ STR_INIT(" SIZE=4294967301"), 4294967301u },
		{ STR_INIT(" SIZE=9223372036854775808"), 9223372036854775808u },
		{ STR_INIT(" SIZE=18446744073709551615"), UINT64_MAX },
		{ STR_INIT(" SIZE=18446744073709551616"), UINT64_MAX },
		{ STR_INIT(" SIZE=99999999999999999999"), UINT64_MAX },
		{ STR_INIT(" SIZE=00000000000000000001"), 1 },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail_parameters m;

		ck_assert_int_eq(read_mail(cases[i].in, arena, &m), PARAMETER_OK);
		ck_assert_uint_eq(m.size, cases[i].size);
	}
	arena_free(&arena);
}
END_TEST

START_TEST(mail_parameters_that_are_wrong_are_refused)
{
	static const struct {
		struct str in;
		enum parameter_result result;
	} cases[] = {
		{ STR_INIT(" SIZE"), PARAMETER_BAD },
		{ STR_INIT(" SIZE=-1"), PARAMETER_BAD },
		{ STR_INIT(" SIZE=1K"), PARAMETER_BAD },
		{ STR_INIT(" SIZE=0x10"), PARAMETER_BAD },
		{ STR_INIT(" SIZE=000000000000000000001"), PARAMETER_BAD },
		{ STR_INIT(" BODY"), PARAMETER_BAD },
		{ STR_INIT(" BODY=FOO"), PARAMETER_BAD },
		{ STR_INIT(" BODY=BINARYMIME"), PARAMETER_BAD },
		{ STR_INIT(" SMTPUTF8=yes"), PARAMETER_BAD },
		{ STR_INIT(" RET"), PARAMETER_BAD },
		{ STR_INIT(" RET=ALL"), PARAMETER_BAD },
		{ STR_INIT(" ENVID"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+00b"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+0D+0Ab"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+7F"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+C3+BC"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+ZZ"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=a+"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=" X100), PARAMETER_OK },
		{ STR_INIT(" ENVID=x" X100), PARAMETER_BAD },
		{ STR_INIT(" ENVID=\xc3\xbc"), PARAMETER_BAD },
		{ STR_INIT(" ENVID=\xc3\xbc SMTPUTF8"), PARAMETER_BAD },
		{ STR_INIT(" AUTH"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=user"), PARAMETER_OK },
		{ STR_INIT(" AUTH=Raven+0AReyes"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=a+00@b"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=<a@b>"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=a..b@c"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=+C3+BC@b"), PARAMETER_BAD },
		{ STR_INIT(" AUTH=+C3+BC@b SMTPUTF8"), PARAMETER_OK },
		{ STR_INIT(" AUTH=+FF@b SMTPUTF8"), PARAMETER_BAD },
		{ STR_INIT(" FROB=1"), PARAMETER_UNKNOWN },
		{ STR_INIT(" MT-PRIORITY=99"), PARAMETER_UNKNOWN },
		{ STR_INIT(" HOLDFOR=999999999"), PARAMETER_UNKNOWN },
		{ STR_INIT(" NOTIFY=NEVER"), PARAMETER_UNKNOWN },
		{ STR_INIT(" SIZ=1"), PARAMETER_UNKNOWN },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail_parameters m;

		ck_assert_msg(read_mail(cases[i].in, arena, &m) == cases[i].result, "%s",
			cases[i].in.data);
	}
	arena_free(&arena);
}
END_TEST

/* ---- RCPT -------------------------------------------------------------------------------- */

static enum parameter_result read_rcpt(
	struct str in, bool utf8, struct arena *arena, struct rcpt_parameters *out)
{
	struct parameters p;
	struct str bad = STR("");
	enum parameter_result result;

	ck_assert_msg(parameters_parse(in, &p, &bad), "%s", in.data);
	p.utf8 = utf8;
	result = rcpt_parameters_read(&p, arena, out, &bad);
	ck_assert_int_eq(result == PARAMETER_OK, bad.len == 0);
	return result;
}

START_TEST(never_stands_alone_and_nothing_is_said_twice)
{
	static const struct {
		struct str in;
		enum parameter_result result;
		unsigned notify;
	} cases[] = {
		{ STR_INIT(""), PARAMETER_OK, 0 },
		{ STR_INIT(" NOTIFY=NEVER"), PARAMETER_OK, 1 },
		{ STR_INIT(" notify=success"), PARAMETER_OK, 2 },
		{ STR_INIT(" NOTIFY=FAILURE"), PARAMETER_OK, 4 },
		{ STR_INIT(" NOTIFY=DELAY"), PARAMETER_OK, 8 },
		{ STR_INIT(" NOTIFY=DELAY,SUCCESS,FAILURE"), PARAMETER_OK, 14 },
		{ STR_INIT(" NOTIFY=NEVER,SUCCESS"), PARAMETER_CONFLICT, 0 },
		{ STR_INIT(" NOTIFY=DELAY,NEVER"), PARAMETER_CONFLICT, 0 },
		{ STR_INIT(" NOTIFY"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=FOO"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=SUCCESS,"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=,SUCCESS"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=,"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=SUCCESS,SUCCESS"), PARAMETER_BAD, 0 },
		{ STR_INIT(" NOTIFY=NEVER,NEVER"), PARAMETER_BAD, 0 },
		{ STR_INIT(" SIZE=1"), PARAMETER_UNKNOWN, 0 },
		{ STR_INIT(" FROB=1"), PARAMETER_UNKNOWN, 0 },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rcpt_parameters r = { 0 };

		ck_assert_msg(read_rcpt(cases[i].in, false, arena, &r) == cases[i].result, "%s",
			cases[i].in.data);
		ck_assert_uint_eq(r.notify, cases[i].notify);
	}
	arena_free(&arena);
}
END_TEST

START_TEST(original_recipients_are_decoded_and_clean)
{
	static const struct {
		struct str in;
		bool utf8;
		struct str original; /* empty: bad */
	} cases[] = {
		{ STR_INIT(" ORCPT=rfc822;a@c.example"), false, STR_INIT("rfc822;a@c.example") },
		{ STR_INIT(" orcpt=RFC822;a+2Bb@c"), false, STR_INIT("RFC822;a+b@c") },
		{ STR_INIT(" ORCPT=rfc822;\"a+20b\"@c"), false, STR_INIT("rfc822;\"a b\"@c") },
		{ STR_INIT(" ORCPT=x-400;;weird;"), false, STR_INIT("x-400;;weird;") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{3B4}@c"), false, STR_INIT("utf-8;a\xce\xb4@c") },
		{ STR_INIT(" ORCPT=UTF-8;a\\x{2B}\\x{5C}\\x{1F4E7}@c"), false,
			STR_INIT("UTF-8;a+\\\xf0\x9f\x93\xa7@c") },
		{ STR_INIT(" ORCPT=utf-8;\xce\xb4@c"), true, STR_INIT("utf-8;\xce\xb4@c") },
		{ STR_INIT(" ORCPT=utf-8;\xce\xb4@c"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=a@c.example"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=;a@c.example"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc<822;a@c"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;a+G0@c.example"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;a+0D+0AX-Inject:+20y@c"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;a+00b@c.example"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;a+7F@c"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;+CE+B4@c"), true, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;\xce\xb4@c"), true, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a+2B@c"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\b"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{3B4"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{GG}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{0000041}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{0A}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{00}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{9B}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{D800}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=utf-8;a\\x{110000}"), false, STR_INIT("") },
		{ STR_INIT(" ORCPT=rfc822;" X500), false, STR_INIT("") },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rcpt_parameters r = { 0 };
		bool good = read_rcpt(cases[i].in, cases[i].utf8, arena, &r) == PARAMETER_OK;

		ck_assert_msg(good == (cases[i].original.len > 0), "%s", cases[i].in.data);
		expect_str(cases[i].in, r.original, cases[i].original);
	}
	arena_free(&arena);
}
END_TEST

TEST_MAIN("mail/parameter", parameters_are_cut_at_blanks, what_is_no_parameter_is_named,
	mail_parameters_are_understood, sizes_never_wrap,
	mail_parameters_that_are_wrong_are_refused, never_stands_alone_and_nothing_is_said_twice,
	original_recipients_are_decoded_and_clean)
