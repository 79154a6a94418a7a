/* SPDX-License-Identifier: MIT
 *
 * The report: a multipart/report of a text for people, a part for programs, and what is returned
 * (RFC 3462, 3464; RFC 6533 when addresses are not ASCII). Diagnostics, addresses and the returned
 * message were written by strangers: fields go through header_write, text and message through
 * lines_add, and the boundary is one that occurs in neither.
 */
#include "mail/dsn.h"

#include "base/encode.h"
#include "mail/header.h"
#include "mail/reply.h"

#include <stdio.h>

enum { REPORT_LINE_MAX = 998, BOUNDARY_TEXT = 48, ENCODED_WORD_MAX = 45 };

/* ---- lines ------------------------------------------------------------------------------- */

/* How much of a line goes on one of ours: all, or up to a blank or at least between characters. */
static size_t line_part(struct str line, size_t room)
{
	size_t at = room;

	if (line.len <= room)
		return line.len;
	while (at > room / 2 && line.data[at] != ' ' && line.data[at] != '\t')
		at--;
	if (at > room / 2)
		return at;
	for (at = room; at > room - 4 && ((unsigned char)line.data[at] & 0xc0) == 0x80; at--)
		;
	return at;
}

/* Octets of one line; CR and NUL, which no line of mail has, become '?'. */
static void octets_add(struct buf *out, struct str s)
{
	char *to = buf_reserve(out, s.len);

	for (size_t i = 0; i < s.len; i++)
		to[i] = s.data[i] == '\r' || s.data[i] == '\0' ? '?' : s.data[i];
	out->len += s.len;
}

/* One line as lines of at most 998 octets. What follows a break begins with a blank, so that a
 * broken header field is a folded one. */
static void line_add(struct buf *out, struct str line)
{
	size_t part = line_part(line, REPORT_LINE_MAX);

	octets_add(out, str_slice(line, 0, part));
	while (part < line.len) {
		size_t room = REPORT_LINE_MAX;

		buf_add_c(out, "\r\n");
		line = str_slice(line, part, line.len);
		if (line.data[0] != ' ' && line.data[0] != '\t') {
			buf_add_char(out, ' ');
			room--;
		}
		part = line_part(line, room);
		octets_add(out, str_slice(line, 0, part));
	}
	buf_add_c(out, "\r\n");
}

/* Lines that end in LF or CRLF as lines that end in CRLF. */
static void lines_add(struct buf *out, struct str s)
{
	struct str line;

	if (s.len == 0)
		return;
	if (s.data[s.len - 1] == '\n')
		s.len--;
	while (str_split(&s, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		line_add(out, line);
	}
}

/* Text as it may be shown: ill-formed UTF-8 and control octets become '?'. */
static void text_add(struct buf *out, struct str s)
{
	while (s.len > 0) {
		unsigned char c = (unsigned char)s.data[0];
		size_t len = utf8_char(s);

		if (len == 0 || (c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7f) {
			buf_add_char(out, '?');
			len = 1;
		} else {
			buf_add(out, str_slice(s, 0, len));
		}
		s = str_slice(s, len, s.len);
	}
}

/* ---- fields ------------------------------------------------------------------------------ */

/* header_write folds at blanks alone; here a line without one is broken too. */
static void field_add(
	struct buf *out, const char *name, struct str prefix, struct str value, bool utf8)
{
	struct buf line = { 0 }, field = { 0 };

	buf_add(&line, prefix);
	text_add(&line, value);
	for (size_t i = 0; i < line.len && !utf8; i++)
		if ((unsigned char)line.data[i] >= 0x80)
			line.data[i] = '?';
	header_write(&field, str_c(name), buf_str(&line));
	lines_add(out, buf_str(&field));
	buf_free(&line);
	buf_free(&field);
}

static void date_add(struct buf *out, const char *name, int64_t date)
{
	char text[40];

	if (date == 0)
		return;
	date_text(date, text);
	header_write(out, str_c(name), str_c(text));
}

/* The code point of a well-formed character. */
static unsigned code_point(struct str c)
{
	static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned code = (unsigned char)c.data[0] & lead[c.len];

	for (size_t i = 1; i < c.len; i++)
		code = code << 6 | ((unsigned char)c.data[i] & 0x3f);
	return code;
}

/* utf-8-addr-xtext (RFC 6533 3): an address that is not ASCII in a report that is. */
static void address_xtext(struct buf *out, struct str s)
{
	while (s.len > 0) {
		size_t len = utf8_char(s);
		char c = s.data[0];

		if (len == 0) {
			buf_add_char(out, '?');
			len = 1;
		} else if (len > 1 || c <= ' ' || c == 0x7f || strchr("+=\\", c)) {
			buf_printf(out, "\\x{%02X}", code_point(str_slice(s, 0, len)));
		} else {
			buf_add_char(out, c);
		}
		s = str_slice(s, len, s.len);
	}
}

/* "Final-Recipient: rfc822; a@b"; an address that is not ASCII has the type utf-8, as itself in a
 * report of RFC 6533, and escaped in others. */
static void recipient_add(
	struct buf *out, const char *name, struct str type, struct str address, bool utf8)
{
	struct buf value = { 0 };
	bool ascii = ascii_only(address);

	buf_add(&value, ascii ? type : STR("utf-8"));
	buf_add_c(&value, "; ");
	if (ascii || utf8)
		buf_add(&value, address);
	else
		address_xtext(&value, address);
	field_add(out, name, STR(""), buf_str(&value), utf8);
	buf_free(&value);
}

/* Of "rfc822;a@b". */
static void original_add(struct buf *out, struct str original, bool utf8)
{
	ptrdiff_t semicolon = str_find(original, ';');

	if (semicolon > 0)
		recipient_add(out, "Original-Recipient", str_slice(original, 0, (size_t)semicolon),
			str_trim(str_slice(original, (size_t)semicolon + 1, original.len)), utf8);
}

static const struct {
	const char *name, *status;
	unsigned code; /* of the class that its status must have */
	const char *subject;
} actions[] = {
	[DSN_FAILED] = { "failed", "5.0.0", 500, "Undelivered mail returned to sender" },
	[DSN_DELAYED] = { "delayed", "4.0.0", 400, "Delayed mail: delivery is tried again" },
	[DSN_DELIVERED] = { "delivered", "2.0.0", 200, "Mail was delivered" },
	[DSN_RELAYED] = { "relayed", "2.0.0", 200, "Mail was relayed" },
	[DSN_EXPANDED] = { "expanded", "2.0.0", 200, "Mail was delivered to a list" },
};

/* Of type smtp are replies only (RFC 3464 2.3.6); what we found out ourselves is not. */
static struct str diagnostic_type(struct str diagnostic)
{
	bool reply = diagnostic.len > 3 && diagnostic.data[0] >= '2' && diagnostic.data[0] <= '5' &&
		(diagnostic.data[3] == ' ' || diagnostic.data[3] == '-');

	for (size_t i = 1; reply && i < 3; i++)
		reply = diagnostic.data[i] >= '0' && diagnostic.data[i] <= '9';
	return reply ? STR("smtp; ") : STR("x-tmail; ");
}

static void recipient_write(struct buf *out, const struct dsn_recipient *r, bool utf8)
{
	struct str status = str_make(r->status, strnlen(r->status, sizeof r->status));
	unsigned code = actions[r->action].code;

	buf_add_c(out, "\r\n");
	original_add(out, r->original, utf8);
	recipient_add(out, "Final-Recipient", STR("rfc822"), r->address, utf8);
	field_add(out, "Action", STR(""), str_c(actions[r->action].name), false);
	/* A message that was given up after 4yz keeps that status (RFC 3464 2.3.4). */
	if (!enhanced_valid(status, code) && !(code == 500 && enhanced_valid(status, 400)))
		status = str_c(actions[r->action].status);
	field_add(out, "Status", STR(""), status, false);
	if (r->host.len > 0)
		field_add(out, "Remote-MTA", STR("dns; "), r->host, utf8);
	if (r->diagnostic.len > 0)
		field_add(out, "Diagnostic-Code", diagnostic_type(r->diagnostic), r->diagnostic,
			utf8);
	date_add(out, "Last-Attempt-Date", r->last_attempt);
	if (r->action == DSN_DELAYED)
		date_add(out, "Will-Retry-Until", r->will_retry_until);
}

/* ---- parts ------------------------------------------------------------------------------- */

static bool contains(struct str s, struct str part)
{
	return s.len >= part.len && memmem(s.data, s.len, part.data, part.len) != NULL;
}

/* One that stands in neither text nor message; "=_" is in no quoted-printable (RFC 2045 6.7). */
static struct str boundary_find(
	const struct dsn *dsn, struct str text, char boundary[BOUNDARY_TEXT])
{
	uint64_t hash = str_hash(dsn->message_id);

	for (;; hash++) {
		int len = snprintf(
			boundary, BOUNDARY_TEXT, "=_tmail_%016llx", (unsigned long long)hash);
		struct str s = str_make(boundary, (size_t)len);

		if (!contains(text, s) && !contains(dsn->message, s))
			return s;
	}
}

static void part_start(struct buf *out, struct str boundary, const char *description,
	const char *type, bool eight_bit)
{
	buf_printf(out, "\r\n--%.*s\r\nContent-Description: %s\r\nContent-Type: %s\r\n",
		STR_ARG(boundary), description, type);
	if (eight_bit)
		buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_add_c(out, "\r\n");
}

/* What all recipients were told, if they were told the same; else that it is a report. */
static const char *subject_usual(const struct dsn *dsn)
{
	for (size_t i = 1; i < dsn->count; i++)
		if (dsn->recipients[i].action != dsn->recipients[0].action)
			return "Mail delivery report";
	return dsn->count > 0 ? actions[dsn->recipients[0].action].subject : "Mail delivery report";
}

/* As it is, or as encoded words (RFC 2047 2: 75 octets each, no character in two of them). */
static void subject_add(struct buf *out, struct str subject)
{
	struct buf text = { 0 }, words = { 0 };
	struct str rest;

	text_add(&text, subject);
	for (rest = buf_str(&text); rest.len > 0 && !ascii_only(buf_str(&text));) {
		size_t part = line_part(rest, ENCODED_WORD_MAX);

		buf_add_c(&words, words.len ? "\n =?utf-8?B?" : "=?utf-8?B?");
		base64_encode(&words, str_slice(rest, 0, part));
		buf_add_c(&words, "?=");
		rest = str_slice(rest, part, rest.len);
	}
	field_add(out, "Subject", STR(""), words.len ? buf_str(&words) : buf_str(&text), false);
	buf_free(&text);
	buf_free(&words);
}

static void head_write(struct buf *out, const struct dsn *dsn, struct str boundary, bool eight_bit)
{
	struct buf address = { 0 };

	date_add(out, "Date", dsn->date);
	buf_add_c(&address, "Mail Delivery System <");
	buf_add(&address, dsn->from);
	buf_add_char(&address, '>');
	field_add(out, "From", STR(""), buf_str(&address), dsn->utf8);
	field_add(out, "To", STR(""), dsn->to, dsn->utf8);
	subject_add(out, dsn->subject.len ? dsn->subject : str_c(subject_usual(dsn)));
	buf_clear(&address);
	buf_add_char(&address, '<');
	buf_add(&address, dsn->message_id);
	buf_add_char(&address, '>');
	field_add(out, "Message-ID", STR(""), buf_str(&address), false);
	buf_free(&address);
	buf_add_c(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	if (eight_bit) /* of a part is said on top as well (RFC 2045 6.4) */
		buf_add_c(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_printf(out,
		"Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%.*s\"\r\n\r\n",
		dsn->utf8 ? "global-delivery-status" : "delivery-status", STR_ARG(boundary));
	buf_add_c(out, "This is a delivery report in MIME format.\r\n");
}

static void status_write(struct buf *out, const struct dsn *dsn)
{
	if (dsn->envid.len > 0)
		field_add(out, "Original-Envelope-Id", STR(""), dsn->envid, false);
	field_add(out, "Reporting-MTA", STR("dns; "), dsn->reporting_mta, dsn->utf8);
	if (dsn->queue_id.len > 0)
		field_add(out, "X-Tmail-Queue-ID", STR(""), dsn->queue_id, false);
	date_add(out, "Arrival-Date", dsn->arrival);
	for (size_t i = 0; i < dsn->count; i++)
		recipient_write(out, &dsn->recipients[i], dsn->utf8);
}

static const char *returned_type(const struct dsn *dsn)
{
	if (dsn->whole)
		return dsn->utf8 ? "message/global" : "message/rfc822";
	return dsn->utf8 ? "message/global-headers" : "text/rfc822-headers";
}

void dsn_write(struct buf *out, const struct dsn *dsn)
{
	char room[BOUNDARY_TEXT];
	struct buf text = { 0 };
	struct str boundary;
	bool ascii, plain = ascii_only(dsn->message);

	text_add(&text, dsn->text);
	ascii = ascii_only(buf_str(&text));
	boundary = boundary_find(dsn, buf_str(&text), room);

	head_write(out, dsn, boundary, dsn->utf8 || !ascii || !plain);
	part_start(out, boundary, "Notification",
		ascii ? "text/plain; charset=us-ascii" : "text/plain; charset=utf-8", !ascii);
	lines_add(out, buf_str(&text));
	buf_free(&text);
	part_start(out, boundary, "Delivery report",
		dsn->utf8 ? "message/global-delivery-status" : "message/delivery-status",
		dsn->utf8);
	status_write(out, dsn);
	part_start(out, boundary, dsn->whole ? "Undelivered message" : "Header of the message",
		returned_type(dsn), !plain);
	lines_add(out, dsn->message);
	buf_printf(out, "\r\n--%.*s--\r\n", STR_ARG(boundary));
}
