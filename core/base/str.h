/* SPDX-License-Identifier: MIT
 *
 * A piece of text or octets: where it starts and how long it is. It owns nothing. A NUL may be
 * inside and none need follow. Comparison "case" folds ASCII only.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *data;
	size_t len;
};

/* Of a literal, also in static initializers. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                          \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline struct str str_make(const char *data, size_t len)
{
	return (struct str){ data, len };
}

/* Of a C string; NULL gives the empty string. */
static inline struct str str_c(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* From `start` on, at most `len`; both are cut at the end of `s`. */
struct str str_slice(struct str s, size_t start, size_t len);
bool str_equal_case(struct str a, struct str b);
int str_compare(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_case(struct str s, struct str prefix);
bool str_ends_case(struct str s, struct str suffix);
/* Offset of the first (last) octet c, or -1. */
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_find_last(struct str s, char c);
/* Offset of the first `part`, case folded, or -1. */
ptrdiff_t str_search_case(struct str s, struct str part);
/* Without blanks (space, tab) at both ends; of CR and LF too with _line. */
struct str str_trim(struct str s);
struct str str_trim_line(struct str s);
/* Cuts the next piece off *rest, at `c` (removed). False when *rest was at its end; an empty
 * string has one empty piece: data is set to NULL after the last. */
bool str_split(struct str *rest, char c, struct str *piece);
/* Next piece between blanks; false when there is none. */
bool str_word(struct str *rest, struct str *word);
/* A hash for maps, seeded once a process by hash_seed (tests: fixed). */
uint64_t str_hash(struct str s);
uint64_t str_hash_case(struct str s);
void str_hash_seed(uint64_t seed);
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
/* In place. */
void ascii_lower_all(char *data, size_t len);
/* A fresh C string (malloc), cut at the first NUL by its readers; must() on no memory. */
char *str_dup_c(struct str s);

#endif
