/* SPDX-License-Identifier: MIT
 *
 * The end of data. First five octets: flags, and two places to cut the rest. The reader must say
 * what the reference says, and what the writer made of any octets must be read back.
 */
#include "mail/dot.h"

#include "tests/fuzz/fuzz.h"
#include "tests/mail/lines_reference.h"

static size_t feed(
	struct dot_reader *r, struct str wire, size_t first, size_t second, struct buf *out)
{
	const size_t cuts[] = { 0, first, second, wire.len };
	size_t used, sum = 0;

	for (int i = 0; i < 3; i++) {
		bool end = dot_read(r, str_slice(wire, cuts[i], cuts[i + 1] - cuts[i]), &used, out);

		sum += used;
		if (end)
			break;
	}
	return sum;
}

static void check_read(struct str wire, size_t first, size_t second, unsigned flags)
{
	struct lines_reference want = { .dots = true, .normalize = flags & 1 };
	struct dot_reader r = { .normalize = flags & 1, .discard = flags & 2 };
	struct buf out = { 0 }, want_out = { 0 };

	lines_reference(&want, wire, &want_out);
	must(feed(&r, wire, first, second, &out) == want.used);
	must(r.bare_cr == want.bare_cr && r.bare_lf == want.bare_lf && r.nul == want.nul);
	must(str_equal(buf_str(&out), flags & 2 ? STR("") : buf_str(&want_out)));
	buf_free(&out);
	buf_free(&want_out);
}

static void check_write(struct str message, size_t first, size_t second)
{
	struct lines_reference lines = { .normalize = true };
	struct buf wire = { 0 }, want = { 0 }, back = { 0 };
	struct dot_writer w = { 0 };
	struct dot_reader r = { 0 };
	size_t used;

	dot_write(&w, str_slice(message, 0, first), &wire);
	dot_write(&w, str_slice(message, first, second - first), &wire);
	dot_write(&w, str_slice(message, second, message.len), &wire);
	dot_finish(&w, &wire);
	must(dot_read(&r, buf_str(&wire), &used, &back) && used == wire.len);
	must(!r.bare_cr && !r.bare_lf);
	lines_reference(&lines, message, &want);
	if (message.len > 0 &&
		(message.data[message.len - 1] == '\r' || !lines_end(buf_str(&want))))
		buf_add_c(&want, "\r\n");
	must(str_equal(buf_str(&back), buf_str(&want)));
	buf_free(&wire);
	buf_free(&want);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	unsigned flags = fuzz_octet(&in);
	struct str cuts = str_slice(in, 0, 4);
	size_t first, second;

	in = str_slice(in, 4, in.len);
	second = fuzz_cut(&cuts, in.len);
	first = fuzz_cut(&cuts, second);
	check_read(in, first, second, flags);
	check_write(in, first, second);
	return 0;
}
