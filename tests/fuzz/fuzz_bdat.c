/* SPDX-License-Identifier: MIT
 *
 * BDAT: the argument, and octets that are not dot-stuffed. First five octets: flags, and two places
 * to cut the rest.
 */
#include "mail/command.h"
#include "mail/dot.h"

#include "tests/fuzz/fuzz.h"
#include "tests/mail/lines_reference.h"

static void check_argument(struct str argument)
{
	uint64_t octets = 0;
	bool last = false;

	if (!bdat_parse(argument, &octets, &last))
		return;
	for (size_t i = 0; i < argument.len; i++)
		must(strchr("0123456789 \tLASTlast", argument.data[i]) && argument.data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	bool normalize = fuzz_octet(&in) & 1;
	struct lines_reference want = { .normalize = normalize };
	struct dot_reader r = { .normalize = normalize };
	struct buf out = { 0 }, want_out = { 0 };
	struct str cuts = str_slice(in, 0, 4);
	size_t first, second;

	in = str_slice(in, 4, in.len);
	check_argument(in);
	second = fuzz_cut(&cuts, in.len);
	first = fuzz_cut(&cuts, second);
	line_read(&r, str_slice(in, 0, first), &out);
	line_read(&r, str_slice(in, first, second - first), &out);
	line_read(&r, str_slice(in, second, in.len), &out);
	lines_reference(&want, in, &want_out);
	must(str_equal(buf_str(&out), buf_str(&want_out)));
	must(r.bare_cr == want.bare_cr && r.bare_lf == want.bare_lf && r.nul == want.nul);
	line_finish(&r, &out);
	must(in.len == 0 || lines_end(buf_str(&out)));
	must(out.len <= want_out.len + 3);
	buf_free(&out);
	buf_free(&want_out);
	return 0;
}
