/* SPDX-License-Identifier: MIT
 *
 * Conversion to 7 bit. First four octets: two places to cut the rest, a message. Whole and cut it
 * must give the same; the result is ASCII in lines that may be sent, and comes apart into the same
 * fields and bodies.
 */
#include "tests/mail/sevenbit.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), cuts = str_slice(in, 0, 4);
	struct sevenbit_seen seen, seen_cut;
	struct buf whole = { 0 }, cut = { 0 };
	size_t first, second;
	bool done;

	in = str_slice(in, 4, in.len);
	second = fuzz_cut(&cuts, in.len);
	first = fuzz_cut(&cuts, second);
	done = sevenbit_convert(in, in.len, in.len, &seen, &whole);
	must(sevenbit_convert(in, first, second, &seen_cut, &cut) == done);
	must(seen.header == seen_cut.header && seen.refusal == seen_cut.refusal);
	must(seen.eight == !ascii_only(in) && seen.size == seen_cut.size);
	must(str_equal(buf_str(&whole), buf_str(&cut)));
	if (done)
		sevenbit_check(in, buf_str(&whole));
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
