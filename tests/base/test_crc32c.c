/* SPDX-License-Identifier: MIT */
#include "base/encode.h"

#include "tests/base/expect.h"

typedef uint32_t (*crc_function)(uint32_t, const void *, size_t);
static const crc_function functions[] = { crc32c, crc32c_portable };

/* RFC 3720, appendix B.4, and the usual check value. */
START_TEST(both_ways_give_the_sums_of_the_rfc)
{
	unsigned char zeros[32] = { 0 }, ones[32], up[32], down[32];

	for (size_t i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = (unsigned char)i;
		down[i] = (unsigned char)(31 - i);
	}
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(functions[i](0, "", 0), 0);
		ck_assert_uint_eq(functions[i](0, "123456789", 9), 0xe3069283);
		ck_assert_uint_eq(functions[i](0, zeros, 32), 0x8a9136aa);
		ck_assert_uint_eq(functions[i](0, ones, 32), 0x62a8ab43);
		ck_assert_uint_eq(functions[i](0, up, 32), 0x46dd794e);
		ck_assert_uint_eq(functions[i](0, down, 32), 0x113fdb5c);
	}
}
END_TEST

START_TEST(both_ways_agree_at_every_length_place_and_cut)
{
	unsigned char data[300];
	uint64_t state = 7;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)chance_next(&state);
	for (size_t start = 0; start < 9; start++)
		for (size_t len = 0; len <= sizeof data - start; len++) {
			size_t cut = len ? chance_next(&state) % len : 0;
			uint32_t whole = crc32c(0, data + start, len);
			uint32_t first = crc32c_portable(0, data + start, cut);

			ck_assert_uint_eq(whole, crc32c_portable(0, data + start, len));
			ck_assert_uint_eq(whole, crc32c(first, data + start + cut, len - cut));
		}
}
END_TEST

START_TEST(one_bit_changes_the_sum)
{
	char data[64] = "the quick brown fox";
	uint32_t whole = crc32c(0, data, sizeof data);

	for (size_t bit = 0; bit < sizeof data * 8; bit++) {
		data[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_uint_ne(crc32c(0, data, sizeof data), whole);
		data[bit / 8] ^= (char)(1 << bit % 8);
	}
}
END_TEST

TEST_MAIN("base/crc32c", both_ways_give_the_sums_of_the_rfc,
	both_ways_agree_at_every_length_place_and_cut, one_bit_changes_the_sum)
