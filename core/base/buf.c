/* SPDX-License-Identifier: MIT
 *
 * The growing buffer, and reading back what it wrote. cap is always at least len; data is NULL
 * only while cap is 0.
 */
#include "base/buf.h"

#include "base/fail.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 64 };

/* Grows to the double or what is needed; what does not fit into size_t is a bug of the caller. */
static void buf_grow(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST;

	must(more <= SIZE_MAX / 2 - b->len);
	while (cap < b->len + more)
		cap *= 2;
	b->data = must_realloc(b->data, cap);
	b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t more)
{
	if (more > b->cap - b->len || !b->data)
		buf_grow(b, more);
	return b->data + b->len;
}

void buf_add(struct buf *b, struct str s)
{
	if (s.len == 0)
		return;
	memcpy(buf_reserve(b, s.len), s.data, s.len);
	b->len += s.len;
}

void buf_add_c(struct buf *b, const char *text)
{
	buf_add(b, str_c(text));
}

void buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	buf_reserve(b, BUF_FIRST);
	len = vsnprintf(b->data + b->len, b->cap - b->len, format, args);
	must(len >= 0);
	if ((size_t)len >= b->cap - b->len) {
		buf_reserve(b, (size_t)len + 1);
		vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
	}
	va_end(again);
	b->len += (size_t)len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	buf_add_char(b, (char)v);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, str_make((const char *)&v, sizeof v));
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, str_make((const char *)&v, sizeof v));
}

void buf_add_lstr(struct buf *b, struct str s)
{
	must(s.len <= UINT32_MAX);
	buf_add_u32(b, (uint32_t)s.len);
	buf_add(b, s);
}

void buf_consume(struct buf *b, size_t n)
{
	must(n <= b->len);
	b->len -= n;
	if (n && b->len)
		memmove(b->data, b->data + n, b->len);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_free_secret(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

const char *buf_c(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

/* Takes len octets off the front, or answers NULL and takes none. */
static const char *reader_take(struct reader *r, size_t len)
{
	const char *at = r->at;

	if (len > (size_t)(r->end - at))
		return NULL;
	if (len)
		r->at += len;
	return at;
}

bool read_u8(struct reader *r, uint8_t *v)
{
	const char *at = reader_take(r, sizeof *v);

	if (!at)
		return false;
	*v = (uint8_t)*at;
	return true;
}

bool read_u16(struct reader *r, uint16_t *v)
{
	const char *at = reader_take(r, sizeof *v);

	if (!at)
		return false;
	memcpy(v, at, sizeof *v);
	*v = le16toh(*v);
	return true;
}

bool read_u32(struct reader *r, uint32_t *v)
{
	const char *at = reader_take(r, sizeof *v);

	if (!at)
		return false;
	memcpy(v, at, sizeof *v);
	*v = le32toh(*v);
	return true;
}

bool read_u64(struct reader *r, uint64_t *v)
{
	const char *at = reader_take(r, sizeof *v);

	if (!at)
		return false;
	memcpy(v, at, sizeof *v);
	*v = le64toh(*v);
	return true;
}

bool read_lstr(struct reader *r, struct str *s)
{
	struct reader start = *r;
	uint32_t len;
	const char *at;

	if (!read_u32(r, &len))
		return false;
	at = reader_take(r, len);
	if (!at) {
		*r = start;
		return false;
	}
	*s = str_make(at, len);
	return true;
}
