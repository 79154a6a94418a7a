/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include "tests/base/expect.h"

/* Every length around the words of eight octets, every octet value. */
START_TEST(case_folds_exactly_like_comparison)
{
	uint64_t state = 1;

	for (int round = 0; round < 20000; round++) {
		char a[40], b[sizeof a];
		size_t len = chance_next(&state) % sizeof a;

		for (size_t i = 0; i < len; i++) {
			a[i] = (char)chance_next(&state);
			b[i] = chance_next(&state) % 2 ? ascii_lower(a[i]) : a[i];
		}
		ck_assert_uint_eq(str_hash_case(str_make(a, len)), str_hash_case(str_make(b, len)));
		if (len) {
			b[chance_next(&state) % len] ^= 0x20; /* may turn '@' into '`' */
			ck_assert_int_eq(str_equal_case(str_make(a, len), str_make(b, len)),
				str_hash_case(str_make(a, len)) == str_hash_case(str_make(b, len)));
		}
	}
}
END_TEST

START_TEST(texts_that_differ_hash_differently)
{
	ck_assert_uint_ne(str_hash(STR("a")), str_hash(STR("b")));
	ck_assert_uint_ne(str_hash(STR("a")), str_hash(STR("A")));
	ck_assert_uint_ne(str_hash(STR("a")), str_hash(STR("a\0")));
	ck_assert_uint_ne(str_hash(STR("")), str_hash(STR("\0\0\0\0\0\0\0\0")));
	ck_assert_uint_ne(str_hash(STR("12345678a")), str_hash(STR("12345678b")));
	ck_assert_uint_eq(str_hash(str_c(NULL)), str_hash(STR("")));
}
END_TEST

START_TEST(another_seed_gives_another_hash)
{
	uint64_t before = str_hash(STR("example.com"));

	str_hash_seed(before ^ 1);
	ck_assert_uint_ne(str_hash(STR("example.com")), before);
}
END_TEST

/* Each bit of the key must be able to turn each bit of the hash, about every second time. */
START_TEST(every_bit_of_a_key_matters)
{
	char key[16] = { 0 };
	unsigned changed[64] = { 0 };
	uint64_t plain = str_hash(str_make(key, sizeof key));

	for (size_t bit = 0; bit < sizeof key * 8; bit++) {
		uint64_t other;

		key[bit / 8] ^= (char)(1 << bit % 8);
		other = str_hash(str_make(key, sizeof key)) ^ plain;
		key[bit / 8] ^= (char)(1 << bit % 8);
		for (int i = 0; i < 64; i++)
			changed[i] += other >> i & 1;
	}
	for (int i = 0; i < 64; i++) {
		ck_assert_uint_gt(changed[i], 128 / 4);
		ck_assert_uint_lt(changed[i], 128 / 4 * 3);
	}
}
END_TEST

TEST_MAIN("base/hash", case_folds_exactly_like_comparison, texts_that_differ_hash_differently,
	another_seed_gives_another_hash, every_bit_of_a_key_matters)
