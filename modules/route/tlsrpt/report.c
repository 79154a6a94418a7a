/* SPDX-License-Identifier: MIT
 *
 * A report as RFC 8460 4.4 has it: for each policy that was found how many sessions were good, and
 * of the others what failed, where.
 */
#include "tlsrpt.h"

#include "base/encode.h"
#include "base/fail.h"

#include <jansson.h>
#include <stdlib.h>

struct report {
	json_t *whole, *policies;
	/* Of the policy that rows are of now; NULL before the first. */
	json_t *policy, *details;
	struct buf kind, text;
	int64_t good, bad;
};

/* What others said may be no UTF-8. */
static json_t *text_json(struct str s)
{
	json_t *text = json_stringn(s.data ? s.data : "", s.len);
	struct buf quoted = { 0 };

	if (text)
		return text;
	quote(&quoted, s);
	text = json_stringn(quoted.data, quoted.len);
	buf_free(&quoted);
	return text;
}

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void set_printed(json_t *object, const char *name, struct buf *text)
{
	set(object, name, text_json(buf_str(text)));
	buf_free(text);
}

struct report *report_new(
	struct str organization, struct str contact, struct str domain, struct str day)
{
	struct report *r = must_alloc(sizeof *r);
	json_t *range = json_object();
	struct buf begin = { 0 }, end = { 0 }, id = { 0 };

	buf_printf(&begin, "%.*sT00:00:00Z", STR_ARG(day));
	buf_printf(&end, "%.*sT23:59:59Z", STR_ARG(day));
	buf_printf(&id, "%.*s_%.*s", STR_ARG(day), STR_ARG(domain));
	set_printed(range, "start-datetime", &begin);
	set_printed(range, "end-datetime", &end);
	r->whole = json_object();
	r->policies = json_array();
	set(r->whole, "organization-name", text_json(organization));
	set(r->whole, "date-range", range);
	set(r->whole, "contact-info", text_json(contact));
	set_printed(r->whole, "report-id", &id);
	set(r->whole, "policies", r->policies);
	return r;
}

/* ---- policies ------------------------------------------------------------------------- */

static void summary_end(struct report *r)
{
	json_t *summary;

	if (!r->policy)
		return;
	summary = json_object();
	set(summary, "total-successful-session-count", json_integer(r->good));
	set(summary, "total-failure-session-count", json_integer(r->bad));
	set(r->policy, "summary", summary);
	if (json_array_size(r->details) > 0)
		json_object_set(r->policy, "failure-details", r->details);
	json_decref(r->details);
	r->policy = r->details = NULL;
	r->good = r->bad = 0;
}

/* Its lines; and of MTA-STS the hosts, which are lines of it. */
static void policy_fill(json_t *policy, struct str kind, struct str text, struct str domain)
{
	json_t *lines = json_array(), *hosts = json_array();
	bool sts = str_equal(kind, STR("sts"));
	struct str line;

	while (text.len > 0 && str_split(&text, '\n', &line)) {
		json_array_append_new(lines, text_json(line));
		if (sts && str_starts(line, STR("mx:")))
			json_array_append_new(
				hosts, text_json(str_trim(str_slice(line, 3, line.len))));
	}
	set(policy, "policy-type", text_json(kind));
	set(policy, "policy-string", lines);
	set(policy, "policy-domain", text_json(domain));
	if (json_array_size(hosts) > 0)
		json_object_set(policy, "mx-host", hosts);
	json_decref(hosts);
}

static void policy_begin(struct report *r, const struct str field[FIELDS])
{
	json_t *policy = json_object();

	policy_fill(policy, field[FIELD_KIND], field[FIELD_POLICY], field[FIELD_DOMAIN]);
	buf_clear(&r->kind);
	buf_add(&r->kind, field[FIELD_KIND]);
	buf_clear(&r->text);
	buf_add(&r->text, field[FIELD_POLICY]);
	r->policy = json_object();
	set(r->policy, "policy", policy);
	json_array_append_new(r->policies, r->policy);
	r->details = json_array();
}

static void failure_add(struct report *r, const struct str field[FIELDS], int64_t sessions)
{
	static const struct {
		const char *name;
		enum field field;
	} members[] = {
		{ "result-type", FIELD_RESULT },
		{ "sending-mta-ip", FIELD_SENDING },
		{ "receiving-mx-hostname", FIELD_HOST },
		{ "receiving-ip", FIELD_RECEIVING },
		{ "failure-reason-code", FIELD_DETAILS },
	};
	json_t *failure = json_object();

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (field[members[i].field].len > 0)
			set(failure, members[i].name, text_json(field[members[i].field]));
	set(failure, "failed-session-count", json_integer(sessions));
	json_array_append_new(r->details, failure);
	r->bad += sessions;
}

void report_add(struct report *r, const struct str field[FIELDS], int64_t sessions)
{
	if (r->policy &&
		(!str_equal(buf_str(&r->kind), field[FIELD_KIND]) ||
			!str_equal(buf_str(&r->text), field[FIELD_POLICY])))
		summary_end(r);
	if (!r->policy)
		policy_begin(r, field);
	if (field[FIELD_RESULT].len > 0)
		failure_add(r, field, sessions);
	else
		r->good += sessions;
}

char *report_end(struct report **rp)
{
	struct report *r = *rp;
	char *text = NULL;

	*rp = NULL;
	summary_end(r);
	if (json_array_size(r->policies) > 0)
		text = json_dumps(r->whole, JSON_INDENT(2));
	json_decref(r->whole);
	buf_free(&r->kind);
	buf_free(&r->text);
	free(r);
	return text;
}
