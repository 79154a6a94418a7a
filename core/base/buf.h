/* SPDX-License-Identifier: MIT
 *
 * A buffer that grows. Zeroed memory is an empty one. Memory exhaustion aborts (must): callers
 * that take octets from a peer bound what they append.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
	char *data;
	size_t len, cap;
};

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->data, b->len };
}

/* Room for `more` octets behind len; answers where they go. len is the caller's to raise. */
char *buf_reserve(struct buf *b, size_t more);
/* s must not be a part of b, which may move. */
void buf_add(struct buf *b, struct str s);
void buf_add_c(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);
/* Little-endian numbers, for formats on disk. */
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
/* u32 length and the octets. */
void buf_add_lstr(struct buf *b, struct str s);
/* Removes n octets from the front. */
void buf_consume(struct buf *b, size_t n);
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}
void buf_free(struct buf *b);
/* Wipes, then frees. */
void buf_free_secret(struct buf *b);
/* NUL-terminates (not counted) and answers the C string; valid until the next change. */
const char *buf_c(struct buf *b);

/* Reading what buf_add_* wrote: each answers false, and sets nothing, when it is not there. */
struct reader {
	const char *at, *end;
};
static inline struct reader reader_of(struct str s)
{
	return (struct reader){ s.data, s.data + s.len };
}
bool read_u8(struct reader *r, uint8_t *v);
bool read_u16(struct reader *r, uint16_t *v);
bool read_u32(struct reader *r, uint32_t *v);
bool read_u64(struct reader *r, uint64_t *v);
bool read_lstr(struct reader *r, struct str *s); /* points into what is read */

#endif
