/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "tests/base/expect.h"

START_TEST(zeroed_memory_is_an_empty_buffer)
{
	struct buf b = { 0 };

	ck_assert_uint_eq(buf_str(&b).len, 0);
	buf_add(&b, str_c(NULL));
	ck_assert_str_eq(buf_c(&b), "");
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
	buf_free(&b);
}
END_TEST

START_TEST(appending_keeps_everything_in_order)
{
	struct buf b = { 0 };

	for (int i = 0; i < 5000; i++) {
		buf_add(&b, STR("ab\0"));
		buf_add_c(&b, "c");
		buf_add_char(&b, 'd');
	}
	ck_assert_uint_eq(b.len, 5000 * 5);
	for (size_t i = 0; i < b.len; i += 5)
		ck_assert_mem_eq(b.data + i, "ab\0cd", 5);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(growth_doubles)
{
	struct buf b = { 0 };
	size_t moves = 0, cap = 0;

	for (int i = 0; i < 1 << 20; i++) {
		buf_add_char(&b, 'x');
		moves += b.cap != cap;
		cap = b.cap;
	}
	ck_assert_uint_le(moves, 21);
	buf_free(&b);
}
END_TEST

START_TEST(reserved_room_is_the_callers_to_fill)
{
	struct buf b = { 0 };
	char *room;

	buf_add_c(&b, "abc");
	room = buf_reserve(&b, 1000);
	ck_assert_ptr_eq(room, b.data + 3);
	ck_assert_uint_ge(b.cap, 1003);
	memset(room, 'x', 1000);
	ck_assert_uint_eq(b.len, 3);
	buf_free(&b);
}
END_TEST

START_TEST(a_size_that_cannot_be_aborts)
{
	struct buf b = { 0 };

	buf_add_c(&b, "abc");
	expect_abort(buf_reserve(&b, SIZE_MAX - 1));
	expect_abort(buf_consume(&b, 4));
	buf_free(&b);
}
END_TEST

START_TEST(printf_fits_short_and_long_texts)
{
	struct buf b = { 0 };

	buf_printf(&b, "%d-%s", 7, "x");
	expect_text(buf_str(&b), "7-x");
	buf_printf(&b, "%0*d", 10000, 1);
	ck_assert_uint_eq(b.len, 10003);
	ck_assert_int_eq(b.data[10002], '1');
	buf_free(&b);
}
END_TEST

/* The text, its NUL included, meets the capacity exactly at some length. */
START_TEST(printf_is_right_at_every_length)
{
	for (int len = 0; len < 300; len++) {
		struct buf b = { 0 };

		buf_printf(&b, "%*s", len, "");
		ck_assert_uint_eq(b.len, (size_t)len);
		ck_assert(len == 0 || b.data[len - 1] == ' ');
		buf_free(&b);
	}
}
END_TEST

START_TEST(consuming_moves_the_rest_to_the_front)
{
	struct buf b = { 0 };

	buf_consume(&b, 0);
	buf_add_c(&b, "abcdef");
	buf_consume(&b, 2);
	expect_text(buf_str(&b), "cdef");
	buf_consume(&b, 4);
	expect_text(buf_str(&b), "");
	buf_free(&b);
}
END_TEST

START_TEST(numbers_are_little_endian)
{
	struct buf b = { 0 };

	buf_add_u8(&b, 0xfe);
	buf_add_u32(&b, 0x01020304);
	buf_add_u64(&b, 0x0102030405060708);
	buf_add_lstr(&b, STR("a\0b"));
	expect_text(buf_str(&b),
		"\xfe\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01"
		"\x03\0\0\0a\0b");
	buf_free(&b);
}
END_TEST

START_TEST(what_was_written_is_read_back)
{
	struct buf b = { 0 };
	struct reader r;
	struct str s;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;
	uint8_t u8;

	buf_add_u8(&b, 200);
	buf_add_c(&b, "\x60\xea"); /* 60,000 */
	buf_add_u32(&b, 4000000000u);
	buf_add_u64(&b, UINT64_MAX - 1);
	buf_add_lstr(&b, STR("mail"));
	r = reader_of(buf_str(&b));
	ck_assert(read_u8(&r, &u8) && u8 == 200);
	ck_assert(read_u16(&r, &u16) && u16 == 60000);
	ck_assert(read_u32(&r, &u32) && u32 == 4000000000u);
	ck_assert(read_u64(&r, &u64) && u64 == UINT64_MAX - 1);
	ck_assert(read_lstr(&r, &s));
	expect_text(s, "mail");
	ck_assert_ptr_eq(r.at, r.end);
	ck_assert(!read_u8(&r, &u8));
	buf_free(&b);
}
END_TEST

/* A torn record, or one that lies about a length, leaves reader and result as they were. */
START_TEST(reading_what_is_not_there_changes_nothing)
{
	struct buf b = { 0 };
	struct str s = STR("before");

	buf_add_lstr(&b, STR("four"));
	for (size_t len = 0; len < b.len; len++) {
		struct reader r = reader_of(str_make(b.data, len));
		uint64_t u64 = 7;

		ck_assert(!read_lstr(&r, &s));
		ck_assert_ptr_eq(r.at, b.data);
		ck_assert(len >= 8 || !read_u64(&r, &u64));
		ck_assert_ptr_eq(r.at, b.data);
		ck_assert_uint_eq(u64, 7);
	}
	expect_text(s, "before");
	memset(b.data, 0xff, 4);
	{
		struct reader r = reader_of(buf_str(&b));

		ck_assert(!read_lstr(&r, &s));
	}
	buf_free(&b);
}
END_TEST

START_TEST(an_empty_text_has_nothing_to_read)
{
	struct reader r = reader_of(str_c(NULL));
	uint8_t u8;

	ck_assert(!read_u8(&r, &u8));
}
END_TEST

START_TEST(a_secret_is_freed_too)
{
	struct buf b = { 0 };

	buf_free_secret(&b);
	buf_add_c(&b, "secret");
	buf_free_secret(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len + b.cap, 0);
}
END_TEST

TEST_MAIN("base/buf", zeroed_memory_is_an_empty_buffer, appending_keeps_everything_in_order,
	growth_doubles, reserved_room_is_the_callers_to_fill, a_size_that_cannot_be_aborts,
	printf_fits_short_and_long_texts, printf_is_right_at_every_length,
	consuming_moves_the_rest_to_the_front, numbers_are_little_endian,
	what_was_written_is_read_back, reading_what_is_not_there_changes_nothing,
	an_empty_text_has_nothing_to_read, a_secret_is_freed_too)
