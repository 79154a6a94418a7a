/* SPDX-License-Identifier: MIT
 *
 * `tmail tlsrpt list|show`. What a running server has in memory is written first.
 */
#include "tlsrpt.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = { "day", "domain", "policy", "host", "result", "sending",
	"receiving", "sessions:int", "details" };
enum { SHOWN = sizeof names / sizeof *names, NAME_MAX_LEN = 255 };

/* Both may be empty where they are not required. False: the person was told. */
static bool given(struct tmail_call *call, struct str day, struct str domain,
	char room[NAME_MAX_LEN + 1], struct str *folded)
{
	struct tlsrpt *t = call->self;

	if (str_ends_case(domain, STR(".")))
		domain.len--;
	if (day.len > 0 && !day_valid(day))
		call->host->emit->fail(call, "a day is YYYY-MM-DD, not '%.*s'", STR_ARG(day));
	else if (domain.len > NAME_MAX_LEN)
		call->host->emit->fail(call, "no domain is so long");
	else {
		if (domain.len > 0)
			memcpy(room, domain.data, domain.len);
		ascii_lower_all(room, domain.len);
		*folded = str_make(room, domain.len);
		if (t->running)
			rows_write(call);
		return true;
	}
	return false;
}

static void list_row(void *ctx, const struct str f[FIELDS], int64_t sessions)
{
	struct tmail_call *call = ctx;
	char number[24];
	struct str result = f[FIELD_RESULT].len ? f[FIELD_RESULT] : STR("success");

	snprintf(number, sizeof number, "%lld", (long long)sessions);
	call->host->emit->row(call,
		(const struct tmail_str[SHOWN]){ tm(f[FIELD_DAY]), tm(f[FIELD_DOMAIN]),
			tm(f[FIELD_KIND]), tm(f[FIELD_HOST]), tm(result), tm(f[FIELD_SENDING]),
			tm(f[FIELD_RECEIVING]), tm(str_c(number)), tm(f[FIELD_DETAILS]) },
		SHOWN);
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	struct str day = of(tmail_value(values, "day")), domain;
	char room[NAME_MAX_LEN + 1];

	if (!given(call, day, of(tmail_value(values, "domain")), room, &domain))
		return TMAIL_REFUSED;
	call->host->emit->columns(call, names, SHOWN);
	return rows_read(call, day, domain, list_row, call) ? TMAIL_OK : TMAIL_REFUSED;
}

static void show_row(void *ctx, const struct str field[FIELDS], int64_t sessions)
{
	report_add(ctx, field, sessions);
}

static int show(struct tmail_call *call, const struct tmail_list *values)
{
	const struct tlsrpt_conf *conf = call->conf;
	struct str day = of(tmail_value(values, "DAY")), domain, rest, line;
	char room[NAME_MAX_LEN + 1], *text;
	struct report *report;
	bool good;

	if (!given(call, day, of(tmail_value(values, "DOMAIN")), room, &domain))
		return TMAIL_REFUSED;
	report = report_new(of(conf->organization), of(conf->contact), domain, day);
	good = rows_read(call, day, domain, show_row, report);
	text = report_end(&report);
	rest = str_c(text);
	while (good && text && str_split(&rest, '\n', &line))
		call->host->emit->say(call, "%.*s", STR_ARG(line));
	if (good && !text)
		call->host->emit->fail(
			call, "no mail went to %.*s on %.*s", STR_ARG(domain), STR_ARG(day));
	good = good && text;
	free(text);
	return good ? TMAIL_OK : TMAIL_REFUSED;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct tmail_argument list_arguments[] = {
	{ "day", NULL, TMAIL_TYPE_STRING, 0, "Only those of this day (UTC), as YYYY-MM-DD." },
	{ "domain", "d", TMAIL_TYPE_STRING, 0, "Only those to this domain." },
};
static const struct tmail_argument show_arguments[] = {
	{ "DOMAIN", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"The domain that mail went to." },
	{ "DAY", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"The day (UTC), as YYYY-MM-DD." },
};

const struct tmail_verb tlsrpt_verbs[TLSRPT_VERBS] = {
	{ "tlsrpt list", "List how TLS went on the way to others, by day, domain and host.",
		TMAIL_ROLE_READ, TMAIL_OFFLINE, TMAIL_LIST(list_arguments), list },
	{ "tlsrpt show", "Print the report of a day to a domain as JSON (RFC 8460).",
		TMAIL_ROLE_READ, TMAIL_OFFLINE, TMAIL_LIST(show_arguments), show },
};
