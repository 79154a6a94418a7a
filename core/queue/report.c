/* SPDX-License-Identifier: MIT
 *
 * The words of a report: its template filled in, what mail/dsn is told of each recipient, and
 * whether it is one of RFC 6533. That form is for senders who can read it: whose address needs
 * it, or who said SMTPUTF8 and then had something in the message that is not ASCII.
 */
#include "queue/report.h"

#include "base/encode.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/dsn.h"
#include "mail/header.h"

enum { HEADER_MAX = 64 * 1024 };

/* The words of the first tmail. */
static const char text[] = "[failure]\n"
			   "Hi. This is the tmail deliverd program at ${me}\n"
			   "I'm afraid I wasn't able to deliver your message to the\n"
			   "following addresses. This is a permanent error; I've given up.\n"
			   "Sorry it didn't work out.\n"
			   "\n"
			   "${recipients}"
			   "--- Below this line is a copy of ${what}.\n"
			   "[delay]\n"
			   "Hi. This is the tmail deliverd program at ${me}\n"
			   "I haven't been able to deliver your message to the following\n"
			   "addresses yet. This is only a warning: I'll keep trying until\n"
			   "${until}. You don't have to send it again.\n"
			   "\n"
			   "${recipients}"
			   "--- Below this line is a copy of ${what}.\n"
			   "[success]\n"
			   "Hi. This is the tmail deliverd program at ${me}\n"
			   "Your message was delivered to the following addresses.\n"
			   "\n"
			   "${recipients}"
			   "--- Below this line is a copy of ${what}.\n"
			   "[relayed]\n"
			   "Hi. This is the tmail deliverd program at ${me}\n"
			   "Your message was passed on for the following addresses, to a server\n"
			   "that doesn't report whether it arrived.\n"
			   "\n"
			   "${recipients}"
			   "--- Below this line is a copy of ${what}.\n";
static const char text_expired[] =
	"I'm not going to try again, this message has been in the queue for too long.\n";

const struct str report_template = { text, sizeof text - 1 };

static const struct {
	enum dsn_action action;
	struct str name;
} kinds[] = {
	[REPORT_FAILED] = { DSN_FAILED, STR_INIT("failure") },
	[REPORT_DELAYED] = { DSN_DELAYED, STR_INIT("delay") },
	[REPORT_DELIVERED] = { DSN_DELIVERED, STR_INIT("success") },
	[REPORT_RELAYED] = { DSN_RELAYED, STR_INIT("relayed") },
};

/* ---- the template ---------------------------------------------------------------------- */

static const struct str sections[] = { STR_INIT("failure"), STR_INIT("delay"), STR_INIT("success"),
	STR_INIT("relayed") };

/* Those with a capital are of the first tmail's bounce.tpl. What is returned has a part of its
 * own, so that BouncedMail is nothing. */
enum {
	ME,
	DATE,
	SENDER,
	RECIPIENTS,
	UNTIL,
	WHAT,
	ID,
	GO_ME,
	GO_DATE,
	GO_RECIPIENT,
	GO_ORIGINAL,
	GO_ERROR,
	GO_MAIL,
	NAMES
};
static const struct str names[NAMES] = {
	[ME] = STR_INIT("me"),
	[DATE] = STR_INIT("date"),
	[SENDER] = STR_INIT("sender"),
	[RECIPIENTS] = STR_INIT("recipients"),
	[UNTIL] = STR_INIT("until"),
	[WHAT] = STR_INIT("what"),
	[ID] = STR_INIT("id"),
	[GO_ME] = STR_INIT("Me"),
	[GO_DATE] = STR_INIT("Date"),
	[GO_RECIPIENT] = STR_INIT("RcptTo"),
	[GO_ORIGINAL] = STR_INIT("OriRcptTo"),
	[GO_ERROR] = STR_INIT("ErrMsg"),
	[GO_MAIL] = STR_INIT("BouncedMail"),
};

const struct template_words report_words = { sections, names, sizeof sections / sizeof *sections,
	NAMES };

struct str report_name(enum recipient_report kind)
{
	return kinds[kind].name;
}

struct wording {
	struct str values[NAMES];
	struct buf recipients, addresses, errors;
	char date[40], until[40], id[ID_TEXT + 1];
};

/* What the other side said in several lines stands apart from what we say. */
static void reply_add(struct buf *out, struct str reply)
{
	struct str line;
	bool first = true;

	while (str_split(&reply, '\n', &line)) {
		buf_printf(out, "%s%.*s\n", first ? "" : "    ", STR_ARG(line));
		first = false;
	}
}

static void recipient_word(struct wording *w, const struct report_recipient *r, bool alone)
{
	struct buf error = { 0 };

	if (r->host.len)
		buf_printf(&error, "%.*s said: ", STR_ARG(r->host));
	reply_add(&error, r->reply);
	if (r->expired)
		buf_add_c(&error, text_expired);
	buf_printf(&w->recipients, "<%.*s>:\n", STR_ARG(r->address));
	buf_add(&w->recipients, buf_str(&error));
	buf_add_char(&w->recipients, '\n');
	buf_printf(&w->addresses, "%s%.*s", w->addresses.len ? ", " : "", STR_ARG(r->address));
	if (!alone)
		buf_printf(&w->errors, "%.*s: ", STR_ARG(r->address));
	buf_add(&w->errors, buf_str(&error));
	buf_free(&error);
}

static int64_t last_try(const struct report *r, const struct queue_settings *settings)
{
	return r->about->envelope.received + settings->lifetime * 1000;
}

static void wording_make(struct wording *w, const struct report *r,
	const struct queue_settings *settings, int64_t now)
{
	*w = (struct wording){ .date = "" };
	for (size_t i = 0; i < r->count; i++)
		recipient_word(w, &r->recipients[i], r->count == 1);
	date_text(now, w->date);
	date_text(last_try(r, settings), w->until);
	id_text(id_tm(r->about->envelope.id), w->id);
	w->values[ME] = w->values[GO_ME] = str_tm(settings->hostname);
	w->values[DATE] = w->values[GO_DATE] = str_c(w->date);
	w->values[SENDER] = str_tm(r->about->envelope.sender);
	w->values[RECIPIENTS] = buf_str(&w->recipients);
	w->values[UNTIL] = str_c(w->until);
	w->values[WHAT] = r->whole ? STR("the message") : STR("the message's header");
	w->values[ID] = str_c(w->id);
	w->values[GO_RECIPIENT] = w->values[GO_ORIGINAL] = buf_str(&w->addresses);
	w->values[GO_ERROR] = buf_str(&w->errors);
	w->values[GO_MAIL] = STR("");
}

static void wording_free(struct wording *w)
{
	buf_free(&w->recipients);
	buf_free(&w->addresses);
	buf_free(&w->errors);
}

/* A section may start with a header, as the first tmail's file did: its Subject is taken, the
 * rest is the report's own. */
static struct str subject_cut(struct str *section)
{
	static const struct str known[] = { STR_INIT("Subject"), STR_INIT("Date"), STR_INIT("From"),
		STR_INIT("To") };
	struct str rest = *section, subject = STR("");
	struct header_field field;
	bool is_header = false;

	while (header_next(&rest, &field)) {
		size_t i = 0;

		while (i < 4 && !str_equal_case(field.name, known[i]))
			i++;
		if (i == 4)
			return STR("");
		is_header = true;
		if (i == 0)
			subject = str_trim_line(field.value);
	}
	if (is_header)
		*section = rest;
	return subject;
}

static void text_make(struct buf *out, struct buf *subject, const struct report *r,
	const struct queue_settings *settings, int64_t now)
{
	struct str section = template_section(
		str_tm(settings->template_text), &report_words, kinds[r->kind].name);
	struct wording w;

	if (!section.data)
		section = template_section(report_template, &report_words, kinds[r->kind].name);
	wording_make(&w, r, settings, now);
	template_expand(subject, subject_cut(&section), &report_words, w.values);
	template_expand(out, section, &report_words, w.values);
	wording_free(&w);
}

/* ---- for programs ---------------------------------------------------------------------- */

uint64_t report_wants(const struct message *about, uint64_t size, enum recipient_report kind,
	const struct queue_settings *settings, bool *whole)
{
	*whole = kind == REPORT_FAILED && about->envelope.ret != TMAIL_RET_HDRS &&
		size <= (uint64_t)settings->bounce_size;
	return *whole ? size : size < HEADER_MAX ? size : HEADER_MAX;
}

/* The name, or address literal, of "name[address]:port"; a socket has none (RFC 3464 2.3.5). */
static struct str remote_mta(struct str host, struct arena *arena)
{
	char literal[DOMAIN_LITERAL_TEXT];
	ptrdiff_t end = str_find(host, '[');
	struct ip ip;

	if (end == 0) { /* "[address][address]:port" */
		end = str_find(host, ']');
		host = str_slice(host, 1, host.len);
		end--;
	}
	if (end > 0)
		host = str_slice(host, 0, (size_t)end);
	if (host.len == 0 || host.data[0] == '/')
		return STR("");
	return ip_parse(host, &ip) ? arena_str(arena, domain_literal_text(&ip, literal)) : host;
}

static struct dsn_recipient *dsn_recipients(
	const struct report *r, const struct queue_settings *settings, struct arena *arena)
{
	struct dsn_recipient *list = ARENA_ARRAY(arena, struct dsn_recipient, r->count);

	for (size_t i = 0; i < r->count; i++) {
		const struct report_recipient *from = &r->recipients[i];

		list[i] = (struct dsn_recipient){ .address = from->address,
			.original = from->original,
			.action = kinds[r->kind].action,
			.host = remote_mta(from->host, arena),
			.diagnostic = from->reply,
			.last_attempt = from->last_attempt,
			.will_retry_until = r->kind == REPORT_DELAYED ? last_try(r, settings) : 0 };
		memcpy(list[i].status, from->status, sizeof from->status);
	}
	return list;
}

static bool needs_utf8(const struct report *r, struct str to, struct str header)
{
	bool ascii = ascii_only(header);

	for (size_t i = 0; i < r->count; i++)
		ascii = ascii && ascii_only(r->recipients[i].address) &&
			ascii_only(r->recipients[i].original);
	return !ascii_only(to) || (r->about->envelope.smtputf8 && !ascii);
}

/* ---- the message ----------------------------------------------------------------------- */

struct message *report_make(const struct report *r, const struct queue_settings *settings)
{
	int64_t now = clock_wall();
	struct id id = id_make(now, (uint16_t)settings->node, random_u64());
	struct message *m = message_new(id, now);
	struct str me = arena_str(m->arena, str_tm(settings->hostname));
	struct str header = str_slice(r->content, 0, header_end(r->content));
	struct buf words = { 0 }, subject = { 0 };
	char id_of_report[ID_TEXT + 1], id_of_message[ID_TEXT + 1];
	struct dsn dsn = { .reporting_mta = me,
		.envid = str_tm(r->about->envelope.envid),
		.to = str_tm(r->about->envelope.sender),
		.from = arena_printf(m->arena, "MAILER-DAEMON@%.*s", STR_ARG(me)),
		.date = now,
		.arrival = r->about->envelope.received,
		.recipients = dsn_recipients(r, settings, m->arena),
		.count = r->count,
		.message = r->whole ? r->content : header,
		.whole = r->whole };

	(void)address_ascii(dsn.to, m->arena, &dsn.to); /* where it can be: more servers take it */
	dsn.utf8 = needs_utf8(r, dsn.to, header);
	id_text(id, id_of_report);
	id_text(id_tm(r->about->envelope.id), id_of_message);
	dsn.message_id = arena_printf(m->arena, "%s@%.*s", id_of_report, STR_ARG(me));
	dsn.queue_id = str_c(id_of_message);
	text_make(&words, &subject, r, settings, now);
	dsn.text = buf_str(&words);
	dsn.subject = buf_str(&subject);
	dsn_write(&m->data, &dsn);
	buf_free(&words);
	buf_free(&subject);
	m->header_length = header_end(buf_str(&m->data));
	m->envelope.body = ascii_only(buf_str(&m->data)) ? TMAIL_BODY_7BIT : TMAIL_BODY_8BITMIME;
	m->envelope.smtputf8 = !ascii_only(dsn.to); /* else its header is ASCII */
	m->client_kind = TMAIL_CLIENT_BOUNCE;
	message_add_recipient(m, str_tm(r->about->envelope.sender), STR(""), TMAIL_NOTIFY_NEVER);
	return m;
}
