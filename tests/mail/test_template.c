/* SPDX-License-Identifier: MIT
 *
 * ${name} and sections in the text of a report: what is expanded, and what is objected to.
 */
#include "mail/template.h"

#include "tests/mail/expect.h"

static const struct str sections[] = { STR_INIT("failure"), STR_INIT("delay") };
static const struct str names[] = { STR_INIT("host"), STR_INIT("why"), STR_INIT("empty") };
static const struct template_words words = { sections, names, 2, 3 };

START_TEST(known_names_are_replaced_once_and_others_stay)
{
	static const struct str values[] = { STR_INIT("mx.example"),
		STR_INIT("${host} {{.why}}\n[delay]"), STR_INIT("") };
	static const struct {
		struct str text, out;
	} cases[] = {
		{ STR_INIT(""), STR_INIT("") },
		{ STR_INIT("no names"), STR_INIT("no names") },
		{ STR_INIT("${host}"), STR_INIT("mx.example") },
		{ STR_INIT("at ${host}, ${host}."), STR_INIT("at mx.example, mx.example.") },
		{ STR_INIT("<${why}>"), STR_INIT("<${host} {{.why}}\n[delay]>") },
		{ STR_INIT("<${empty}>"), STR_INIT("<>") },
		{ STR_INIT("${nobody} ${HOST} ${}"), STR_INIT("${nobody} ${HOST} ${}") },
		{ STR_INIT("$host $$ $"), STR_INIT("$host $$ $") },
		{ STR_INIT("${host"), STR_INIT("${host") },
		{ STR_INIT("${${host}}"), STR_INIT("${mx.example}") },
		{ STR_INIT("$${host}"), STR_INIT("$mx.example") },
		{ STR_INIT("a\0${host}"), STR_INIT("a\0mx.example") },
		{ STR_INIT("<{{.host}}> {{ .host }}"), STR_INIT("<mx.example> mx.example") },
		{ STR_INIT("{{host}} {{.host} {{.host"), STR_INIT("{{host}} {{.host} {{.host") },
		{ STR_INIT("{{{.host}}}"), STR_INIT("{mx.example}") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = { 0 };

		template_expand(&out, cases[i].text, &words, values);
		expect_str(cases[i].text, buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}
END_TEST

START_TEST(each_section_has_its_text)
{
	static const struct {
		struct str text, failure, delay;
	} cases[] = {
		{ STR_INIT(""), { NULL, 0 }, { NULL, 0 } },
		{ STR_INIT("all\nof it"), STR_INIT("all\nof it"), { NULL, 0 } },
		{ STR_INIT("[failure]\na\n\nb\n[delay]\nc"), STR_INIT("a\n\nb\n"), STR_INIT("c") },
		{ STR_INIT("a\n[delay]\nc\n"), STR_INIT("a\n"), STR_INIT("c\n") },
		{ STR_INIT("\n [delay] \r\nc\n[failure]\na"), STR_INIT("a"), STR_INIT("c\n") },
		{ STR_INIT("[delay]\nsee [1] and\n[a b]\n"), { NULL, 0 },
			STR_INIT("see [1] and\n[a b]\n") },
		{ STR_INIT("[delay]\n[failure]\na"), STR_INIT("a"), STR_INIT("") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str failure = template_section(cases[i].text, &words, sections[0]);
		struct str delay = template_section(cases[i].text, &words, sections[1]);

		expect_str(cases[i].text, failure, cases[i].failure);
		expect_str(cases[i].text, delay, cases[i].delay);
		ck_assert_int_eq(!failure.data, !cases[i].failure.data);
		ck_assert_int_eq(!delay.data, !cases[i].delay.data);
	}
}
END_TEST

START_TEST(what_is_wrong_is_named_with_its_line)
{
	static const struct {
		struct str text;
		const char *why; /* NULL: nothing is wrong */
	} cases[] = {
		{ STR_INIT("a $5 {b} {{.host}}\n[delay]\n${why}${empty}"), NULL },
		{ STR_INIT("a\n${hots}\n"),
			"line 2: there is no name 'hots', but host, why, empty" },
		{ STR_INIT("a\n\n[late]\n"),
			"line 3: there is no section 'late', but failure, delay" },
		{ STR_INIT("[delay]\r\n[delay]\r\n"), "line 2: section 'delay' comes twice" },
		{ STR_INIT("x ${host\n}"), "line 1: '${host' is not ${NAME}" },
		{ STR_INIT("{{if .host}}y{{end}}"),
			"line 1: '{{if .host}}y{{end}}' is not ${NAME}" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct why why = { "" };

		ck_assert_int_eq(template_check(cases[i].text, &words, &why), !cases[i].why);
		ck_assert_str_eq(why.text, cases[i].why ? cases[i].why : "");
	}
}
END_TEST

TEST_MAIN("mail/template", known_names_are_replaced_once_and_others_stay, each_section_has_its_text,
	what_is_wrong_is_named_with_its_line)
