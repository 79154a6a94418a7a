/* SPDX-License-Identifier: MIT
 *
 * route/tlsrpt: counts how TLS went on the way to other domains (for reports, RFC 8460). Is told of
 * each session by the core, and owns the table tlsrpt_sessions. It decides nothing, and what it
 * cannot count or write stops no mail. The page for administrators is tlsrpt.md.
 */
#include "tlsrpt.h"

#include "base/encode.h"
#include "base/num.h"

#include <stdio.h>
#include <time.h>

#include <tmail/service/tlspolicy.h>

enum { DETAILS_MAX = 200, SECOND = 1000000, SWEEP_EVERY = 3600 };

/* ---- days ----------------------------------------------------------------------------- */

struct str day_text(int64_t seconds, char room[DAY_TEXT])
{
	time_t t = (time_t)seconds;
	struct tm parts = { 0 };

	gmtime_r(&t, &parts);
	return str_make(room, strftime(room, DAY_TEXT, "%Y-%m-%d", &parts));
}

bool day_valid(struct str day)
{
	struct tm parts = { 0 };
	char text[DAY_TEXT], back[DAY_TEXT];
	const char *end;

	if (day.len != DAY_TEXT - 1)
		return false;
	memcpy(text, day.data, day.len);
	text[day.len] = '\0';
	end = strptime(text, "%Y-%m-%d", &parts);
	return end && !*end && str_equal(day_text((int64_t)timegm(&parts), back), day);
}

/* ---- told ----------------------------------------------------------------------------- */

/* Details are the words of a library, or of a server: whatever they are, a line of ASCII. */
static int report(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_tls_policy_report *r = question;
	struct tlsrpt *t = call->self;
	char day[DAY_TEXT];
	struct buf details = { 0 };
	struct str field[FIELDS] = { [FIELD_DOMAIN] = of(r->domain),
		[FIELD_KIND] = of(r->kind),
		[FIELD_POLICY] = of(r->text),
		[FIELD_HOST] = of(r->host),
		[FIELD_SENDING] = of(r->local_address),
		[FIELD_RECEIVING] = of(r->address) };
	bool room;

	(void)answer;
	if (call->dry)
		return TMAIL_OK;
	field[FIELD_DAY] = day_text((int64_t)time(NULL), day);
	if (!r->good) {
		field[FIELD_RESULT] = r->result.len ? of(r->result) : STR("validation-failure");
		quote(&details, str_slice(of(r->details), 0, DETAILS_MAX));
		field[FIELD_DETAILS] = str_slice(buf_str(&details), 0, DETAILS_MAX);
	}
	pthread_mutex_lock(&t->lock);
	room = tally_add(&t->tally, field, 1);
	pthread_mutex_unlock(&t->lock);
	buf_free(&details);
	call->host->count(call, METRIC_SESSIONS, 1);
	call->host->count(call, METRIC_FAILURES, !r->good);
	call->host->count(call, METRIC_DROPPED, !room);
	return TMAIL_OK;
}

/* ---- life ----------------------------------------------------------------------------- */

static enum tmail_verdict tick(struct tmail_call *call, const union tmail_event *event)
{
	const struct tlsrpt_conf *conf = call->conf;
	int64_t now = event->tick.now;
	struct tlsrpt *t = call->self;
	char day[DAY_TEXT];

	if (now >= t->next_write) {
		t->next_write = now + conf->write_every * 1000;
		rows_write(call);
	}
	if (now >= t->next_sweep) {
		t->next_sweep = now + (int64_t)SWEEP_EVERY * SECOND;
		rows_sweep(call, day_text(now / SECOND - conf->keep / 1000, day));
	}
	return TMAIL_CONTINUE;
}

static int start(struct tmail_call *call)
{
	const struct tlsrpt_conf *conf = call->conf;
	struct tlsrpt *t = call->self;

	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->writing, NULL);
	t->tally.most = (size_t)conf->most;
	t->running = true;
	return TMAIL_OK;
}

static void stop(struct tmail_call *call)
{
	struct tlsrpt *t = call->self;

	rows_write(call);
	tally_free(&t->tally);
	pthread_mutex_destroy(&t->writing);
	pthread_mutex_destroy(&t->lock);
}

/* ---- the descriptor ------------------------------------------------------------------------- */

static const struct tmail_option options[] = {
	TMAIL_DURATION(struct tlsrpt_conf, write_every, "write_every", "10s", 1000, 3600000,
		"How often what was counted is written; a crash loses so much of it."),
	TMAIL_DURATION(struct tlsrpt_conf, keep, "keep", "30d", 86400000, 315360000000,
		"How long days are kept."),
	TMAIL_INT(struct tlsrpt_conf, most, "most", "20000", 100, 1000000,
		"The most kinds of sessions that are counted in memory; others are not counted."),
	TMAIL_STRING(struct tlsrpt_conf, organization, "organization", "",
		"Whose reports they are, for `tlsrpt show`."),
	TMAIL_STRING(struct tlsrpt_conf, contact, "contact", "",
		"Whom to write to about them, for `tlsrpt show`."),
};

static const struct tmail_hook hooks[] = {
	{ TMAIL_POINT_TICK, TMAIL_BLOCKING, tick },
};

static const struct tmail_operation operations[] = {
	{ TMAIL_TLS_POLICY_REPORT, 0, report },
};

static const struct tmail_service services[] = {
	{ TMAIL_TLS_POLICY, NULL, TMAIL_LIST(operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1,
		"create table tlsrpt_sessions (id ${serial}, tag varchar(64) not null unique,"
		" day varchar(10) not null, domain varchar(255) not null,"
		" kind varchar(32) not null, policy text not null, host varchar(255) not null,"
		" result varchar(64) not null, sending varchar(64) not null,"
		" receiving varchar(64) not null, details varchar(255) not null,"
		" sessions bigint not null);"
		"create index tlsrpt_sessions_day on tlsrpt_sessions (day, domain)" },
};

static const struct tmail_metric metrics[] = {
	[METRIC_SESSIONS] = { "tlsrpt_sessions", TMAIL_COUNTER, "sessions that were told of" },
	[METRIC_FAILURES] = { "tlsrpt_failures", TMAIL_COUNTER, "those that failed" },
	[METRIC_DROPPED] = { "tlsrpt_dropped", TMAIL_COUNTER, "those there was no room to count" },
};

TMAIL_MODULE(tlsrpt, .name = "route/tlsrpt", .version = TMAIL_VERSION,
	.summary = "Counts how TLS went on the way to other domains, for reports (TLS-RPT).",
	.capabilities = TMAIL_CAN_SQL, .conf_size = sizeof(struct tlsrpt_conf),
	.self_size = sizeof(struct tlsrpt), .options = TMAIL_LIST(options),
	.hooks = TMAIL_LIST(hooks), .services = TMAIL_LIST(services),
	.migrations = TMAIL_LIST(migrations),
	.verbs = { tlsrpt_verbs, TLSRPT_VERBS, sizeof(struct tmail_verb) },
	.metrics = TMAIL_LIST(metrics), .start = start, .stop = stop);
