/* SPDX-License-Identifier: MIT
 *
 * ${name} in the text of a bounce.
 */
#include "mail/dsn.h"

#include "tests/mail/expect.h"

START_TEST(known_names_are_replaced_once_and_others_stay)
{
	static const struct str pairs[] = { STR_INIT("host"), STR_INIT("mx.example"),
		STR_INIT("why"), STR_INIT("${host} ${why}"), STR_INIT("empty"), STR_INIT("") };
	static const struct {
		struct str text, out;
	} cases[] = {
		{ STR_INIT(""), STR_INIT("") },
		{ STR_INIT("no names"), STR_INIT("no names") },
		{ STR_INIT("${host}"), STR_INIT("mx.example") },
		{ STR_INIT("at ${host}, ${host}."), STR_INIT("at mx.example, mx.example.") },
		{ STR_INIT("<${why}>"), STR_INIT("<${host} ${why}>") },
		{ STR_INIT("<${empty}>"), STR_INIT("<>") },
		{ STR_INIT("${nobody} ${HOST} ${}"), STR_INIT("${nobody} ${HOST} ${}") },
		{ STR_INIT("$host $$ $"), STR_INIT("$host $$ $") },
		{ STR_INIT("${host"), STR_INIT("${host") },
		{ STR_INIT("${${host}}"), STR_INIT("${mx.example}") },
		{ STR_INIT("$${host}"), STR_INIT("$mx.example") },
		{ STR_INIT("a\0${host}"), STR_INIT("a\0mx.example") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = { 0 };

		template_expand(&out, cases[i].text, pairs, 3);
		expect_str(cases[i].text, buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}
END_TEST

TEST_MAIN("mail/template", known_names_are_replaced_once_and_others_stay)
