/* SPDX-License-Identifier: MIT
 *
 * Replies of servers. First two octets: how much arrives at a time, and whether text is UTF-8. All
 * at once and piece by piece must be the same; what we write with any text is a reply.
 */
#include "mail/reply.h"

#include "base/encode.h"
#include "tests/fuzz/fuzz.h"

static enum reply_result feed(struct reply *reply, struct str wire, size_t step, size_t *taken)
{
	enum reply_result result;
	size_t end = 0;

	*taken = 0;
	do {
		struct str in;

		end = end + step > wire.len ? wire.len : end + step;
		in = str_slice(wire, *taken, end - *taken);
		result = reply_read(reply, &in);
		*taken = end - in.len;
	} while (result == REPLY_MORE && end < wire.len);
	return result;
}

static void check_read(struct str wire, size_t step)
{
	struct reply one = { 0 }, other = { 0 };
	size_t taken, other_taken;
	enum reply_result result = feed(&one, wire, wire.len + 1, &taken);

	must(feed(&other, wire, step, &other_taken) == result && other_taken == taken);
	must(one.code == other.code && one.lines == other.lines);
	must(str_equal(buf_str(&one.text), buf_str(&other.text)));
	must(one.lines <= REPLY_LINES_MAX && one.text.len <= REPLY_MAX);
	must(utf8_valid(buf_str(&one.text)));
	must((result == REPLY_BAD) == (one.bad != NULL));
	if (result == REPLY_DONE)
		must(one.code >= 200 && one.code <= 599 && one.lines > 0);
	if (one.enhanced[0])
		must(enhanced_valid(str_c(one.enhanced), one.code));
	reply_free(&one);
	reply_free(&other);
}

static void check_write(struct str text, bool utf8)
{
	struct reply reply = { 0 };
	struct buf wire = { 0 };
	struct str in, line;

	reply_write(&wire, 550, "5.7.1", text, utf8);
	in = buf_str(&wire);
	while (str_split(&in, '\n', &line) && in.data)
		must(line.len <= 511 && str_find(line, '\r') == (ptrdiff_t)line.len - 1);
	must(utf8 ? utf8_valid(buf_str(&wire)) : ascii_only(buf_str(&wire)));
	in = buf_str(&wire);
	if (wire.len < REPLY_MAX / 2 && reply_read(&reply, &in) == REPLY_BAD)
		must(reply.lines == REPLY_LINES_MAX); /* a text of so many lines */
	buf_free(&wire);
	reply_free(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	size_t step = 1 + (size_t)fuzz_octet(&in);
	bool utf8 = fuzz_octet(&in) & 1;

	check_read(in, step);
	check_write(in, utf8);
	return 0;
}
