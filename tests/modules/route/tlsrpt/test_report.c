/* SPDX-License-Identifier: MIT
 *
 * The JSON of a report, as RFC 8460 4.4 and its appendix B have it.
 */
#include "modules/route/tlsrpt/tlsrpt.h"

#include "tests/lib/test.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *whole;

struct row {
	const char *kind, *policy, *result, *details;
	int64_t sessions;
};

static void make(const struct row *rows, size_t n)
{
	struct report *r = report_new(STR("Company-X"), STR("sts@company-x.example"),
		STR("y.example"), STR("2016-04-01"));
	char *text;

	for (size_t i = 0; i < n; i++)
		report_add(r,
			(struct str[FIELDS]){ STR("2016-04-01"), STR("y.example"),
				str_c(rows[i].kind), str_c(rows[i].policy), STR("mx.y.example"),
				str_c(rows[i].result), STR("192.0.2.1"), STR("192.0.2.2"),
				str_c(rows[i].details) },
			rows[i].sessions);
	text = report_end(&r);
	ck_assert_ptr_null(r);
	json_decref(whole);
	whole = text ? json_loads(text, 0, NULL) : NULL;
	ck_assert(!text || whole);
	free(text);
}
#define MAKE(...)                                                                                  \
	make((const struct row[]){ __VA_ARGS__ },                                                  \
		sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row))

/* "policies.0.summary.total-failure-session-count", as compact JSON. */
static void is(const char *path, const char *expected)
{
	const json_t *at = whole;
	struct str rest = str_c(path), name;
	char *text;

	while (str_split(&rest, '.', &name)) {
		char key[64];

		snprintf(key, sizeof key, "%.*s", STR_ARG(name));
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
	}
	text = at ? json_dumps(at, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	ck_assert_msg(text ? expected && strcmp(text, expected) == 0 : !expected, "%s is %s", path,
		text ? text : "not there");
	free(text);
}

static const char sts[] = "version: STSv1\nmode: testing\nmx: *.mail.y.example\nmx: mx.y.example\n"
			  "max_age: 86400";

START_TEST(a_report_says_whose_it_is_and_of_when)
{
	MAKE({ "sts", sts, "", "", 1 });
	is("organization-name", "\"Company-X\"");
	is("contact-info", "\"sts@company-x.example\"");
	is("report-id", "\"2016-04-01_y.example\"");
	is("date-range.start-datetime", "\"2016-04-01T00:00:00Z\"");
	is("date-range.end-datetime", "\"2016-04-01T23:59:59Z\"");
}
END_TEST

START_TEST(a_policy_of_sts_has_its_lines_and_its_hosts)
{
	MAKE({ "sts", sts, "", "", 1 });
	is("policies.0.policy.policy-type", "\"sts\"");
	is("policies.0.policy.policy-domain", "\"y.example\"");
	is("policies.0.policy.policy-string",
		"[\"version: STSv1\",\"mode: testing\",\"mx: *.mail.y.example\","
		"\"mx: mx.y.example\",\"max_age: 86400\"]");
	is("policies.0.policy.mx-host", "[\"*.mail.y.example\",\"mx.y.example\"]");
}
END_TEST

START_TEST(no_policy_has_no_lines_and_no_hosts)
{
	MAKE({ "no-policy-found", "", "", "", 1 });
	is("policies.0.policy.policy-string", "[]");
	is("policies.0.policy.mx-host", NULL);
}
END_TEST

START_TEST(sessions_of_a_policy_are_summed_up_and_failures_told)
{
	MAKE({ "sts", sts, "", "", 5000 }, { "sts", sts, "", "", 326 },
		{ "sts", sts, "certificate-expired", "it has expired", 100 },
		{ "sts", sts, "starttls-not-supported", "", 200 });
	is("policies.0.summary.total-successful-session-count", "5326");
	is("policies.0.summary.total-failure-session-count", "300");
	is("policies.0.failure-details.0",
		"{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\","
		"\"receiving-mx-hostname\":\"mx.y.example\",\"receiving-ip\":\"192.0.2.2\","
		"\"failure-reason-code\":\"it has expired\",\"failed-session-count\":100}");
	is("policies.0.failure-details.1.failed-session-count", "200");
	is("policies.0.failure-details.1.failure-reason-code", NULL);
	is("policies.1", NULL);
}
END_TEST

START_TEST(each_policy_is_told_of_alone)
{
	MAKE({ "sts", sts, "", "", 1 }, { "sts", "version: STSv1", "validation-failure", "", 2 },
		{ "tlsa", "3 1 1 ab", "", "", 4 });
	is("policies.0.summary.total-successful-session-count", "1");
	is("policies.0.failure-details", NULL);
	is("policies.1.summary.total-successful-session-count", "0");
	is("policies.1.summary.total-failure-session-count", "2");
	is("policies.2.policy.policy-string", "[\"3 1 1 ab\"]");
	is("policies.2.policy.mx-host", NULL);
	is("policies.2.summary.total-successful-session-count", "4");
}
END_TEST

START_TEST(words_that_are_no_utf_8_are_told_all_the_same)
{
	MAKE({ "no-policy-found", "", "validation-failure", "\xff\xfe", 1 });
	is("policies.0.failure-details.0.failure-reason-code", "\"\\\\xff\\\\xfe\"");
}
END_TEST

START_TEST(a_day_without_sessions_has_no_report)
{
	make(NULL, 0);
	ck_assert_ptr_null(whole);
}
END_TEST

START_TEST(a_day_is_one_of_the_calendar)
{
	char room[DAY_TEXT];

	ck_assert(day_valid(STR("2026-11-22")) && day_valid(STR("2024-02-29")));
	ck_assert(!day_valid(STR("2026-02-29")) && !day_valid(STR("2026-11-2")));
	ck_assert(!day_valid(STR("2026-11-022")) && !day_valid(STR("yesterday!")));
	ck_assert(!day_valid(STR("")) && !day_valid(STR("2026-11-22 ")));
	ck_assert(str_equal(day_text(1795305599, room), STR("2026-11-21")));
	ck_assert(str_equal(day_text(1795305600, room), STR("2026-11-22")));
}
END_TEST

TEST_MAIN("modules/route/tlsrpt/report", a_report_says_whose_it_is_and_of_when,
	a_policy_of_sts_has_its_lines_and_its_hosts, no_policy_has_no_lines_and_no_hosts,
	sessions_of_a_policy_are_summed_up_and_failures_told, each_policy_is_told_of_alone,
	words_that_are_no_utf_8_are_told_all_the_same, a_day_without_sessions_has_no_report,
	a_day_is_one_of_the_calendar)
