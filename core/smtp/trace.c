/* SPDX-License-Identifier: MIT
 *
 * The header as a receiving server must leave it (RFC 5321 4.4, RFC 6409 8). Nothing that was
 * sent is changed; fields are only added.
 */
#include "smtp/trace.h"

#include "mail/header.h"
#include "smtp/place.h"

/* An empty line ends at `end`. */
static bool has_empty_line(struct str data, size_t end)
{
	if (end < 2 || memcmp(data.data + end - 2, "\r\n", 2) != 0)
		return false;
	return end == 2 || (end >= 4 && memcmp(data.data + end - 4, "\r\n", 2) == 0);
}

static void insert(struct buf *data, size_t at, struct str what)
{
	buf_reserve(data, what.len);
	memmove(data->data + at + what.len, data->data + at, data->len - at);
	memcpy(data->data + at, what.data, what.len);
	data->len += what.len;
}

void trace_header_end(struct message *m)
{
	size_t end = m->header_length;

	if (end == 0)
		end = header_end(buf_str(&m->data));
	if (!has_empty_line(buf_str(&m->data), end)) {
		/* Without one, what we put on top would make the body's first line a field. */
		insert(&m->data, end, STR("\r\n"));
		end += 2;
	}
	m->header_length = end;
}

static struct str header_of(const struct message *m)
{
	return str_slice(buf_str(&m->data), 0, m->header_length);
}

bool trace_too_many_hops(const struct message *m, int64_t max)
{
	return header_count(header_of(m), STR("Received")) > max;
}

void trace_complete(struct message *m, const struct smtp_settings *settings)
{
	struct buf fields = { 0 };
	struct header_field field;
	char date[40], id[ID_TEXT + 1];

	if (!header_find(header_of(m), STR("Message-ID"), 0, &field)) {
		id_text(id_tm(m->envelope.id), id);
		buf_printf(&fields, "Message-ID: <%s@%.*s>\r\n", id, (int)settings->hostname.len,
			settings->hostname.data);
	}
	if (!header_find(header_of(m), STR("Date"), 0, &field)) {
		date_text(m->envelope.received, date);
		buf_printf(&fields, "Date: %s\r\n", date);
	}
	if (fields.len > 0) {
		insert(&m->data, m->header_length - 2,
			buf_str(&fields)); /* before the empty line */
		m->header_length += fields.len;
	}
	buf_free(&fields);
}

/* RFC 3848, RFC 6531 3.7.1. */
static struct str protocol(const struct session *s, const struct message *m)
{
	static const struct str esmtp[] = { STR_INIT("ESMTP"), STR_INIT("ESMTPS"),
		STR_INIT("ESMTPA"), STR_INIT("ESMTPSA") };
	static const struct str utf8[] = { STR_INIT("UTF8SMTP"), STR_INIT("UTF8SMTPS"),
		STR_INIT("UTF8SMTPA"), STR_INIT("UTF8SMTPSA") };
	uint32_t flags = s->subject.client.flags;
	unsigned form =
		(flags & TMAIL_CLIENT_TLS ? 1 : 0) | (flags & TMAIL_CLIENT_AUTHENTICATED ? 2 : 0);

	if (m->envelope.smtputf8)
		return utf8[form];
	return s->esmtp || form ? esmtp[form] : STR("SMTP");
}

void trace_received(struct session *s, struct message *m)
{
	const struct tmail_client *client = &s->subject.client;
	char id[ID_TEXT + 1];
	bool logged_in = client->flags & TMAIL_CLIENT_AUTHENTICATED;
	struct received received = {
		.by = str_tm(s->settings->hostname),
		.with = protocol(s, m),
		.tls_version = str_tm(client->tls_version),
		.tls_cipher = str_tm(client->tls_cipher),
		.date = m->envelope.received,
	};

	if (!logged_in || s->place->server->received_client) {
		received.helo = str_tm(client->helo);
		received.reverse_name = str_tm(client->reverse_name);
		received.address = str_tm(client->address);
		received.ipv6 = client->family == 6;
	}
	id_text(id_tm(m->envelope.id), id);
	received.id = str_make(id, ID_TEXT);
	if (s->settings->received_login)
		received.login = str_tm(client->login);
	if (m->recipient_count == 1)
		received.recipient = str_tm(m->recipients[0].address);
	received_write(&m->prefix, &received);
}
