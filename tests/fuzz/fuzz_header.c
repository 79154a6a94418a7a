/* SPDX-License-Identifier: MIT
 *
 * A message's header, read; and a field, written. Fields and body are all of the message; what was
 * complete once does not change; whatever the value, one field is written.
 */
#include "mail/header.h"

#include "tests/fuzz/fuzz.h"

static void check_read(struct str message)
{
	size_t end = header_end(message), early, fields = 0;
	struct str rest = message;
	struct header_field field;

	while (header_next(&rest, &field)) {
		must(header_name_valid(field.name));
		must(field.whole.data == message.data + fields);
		must(field.value.data >= field.name.data + field.name.len);
		must(field.value.data + field.value.len <= field.whole.data + field.whole.len);
		fields += field.whole.len;
	}
	must(message.len - rest.len == end && end - fields <= 2);
	for (size_t len = 0; len <= message.len && len < 512; len++)
		if (header_complete(str_slice(message, 0, len), &early))
			must(early == end);
	must(header_count(message, STR("A")) <= message.len / 2);
}

static void check_write(struct str value)
{
	struct header_field field;
	struct buf out = { 0 };
	struct str rest, line;

	header_write(&out, STR("A"), value);
	rest = buf_str(&out);
	must(header_next(&rest, &field) && rest.len == 0);
	for (rest = buf_str(&out); str_split(&rest, '\n', &line) && rest.data;)
		must(str_find(line, '\r') == (ptrdiff_t)line.len - 1 && line.len > 1);
	buf_free(&out);
}

static void check_trace(struct str in)
{
	struct received r = { .date = (int64_t)in.len * 1000003 };
	struct str *const said[] = { &r.helo, &r.reverse_name, &r.address, &r.by, &r.with,
		&r.tls_version, &r.tls_cipher, &r.login, &r.id, &r.recipient };
	struct header_field field;
	struct buf out = { 0 };
	struct str rest;

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		*said[i] = fuzz_piece(&in, '|');
	received_write(&out, &r);
	rest = buf_str(&out);
	must(header_next(&rest, &field) && rest.len == 0);
	must(header_count(buf_str(&out), STR("Received")) == 1);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);

	check_read(in);
	check_write(in);
	check_trace(in);
	return 0;
}
