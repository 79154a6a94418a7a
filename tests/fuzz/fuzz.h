/* SPDX-License-Identifier: MIT
 *
 * What the fuzzers share: their entry, and pieces cut off the front of an input. A fuzzer is one
 * parser, fed with what it is given and asked for what must always hold (must); it links with
 * libFuzzer (see `run`) or with replay.c, which feeds it files.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/fail.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct str fuzz_input(const uint8_t *data, size_t size)
{
	return str_make((const char *)data, size);
}

/* The next octet, or 0. */
static inline uint8_t fuzz_octet(struct str *in)
{
	uint8_t octet = in->len > 0 ? (uint8_t)in->data[0] : 0;

	*in = str_slice(*in, 1, in->len);
	return octet;
}

/* The next piece, up to `end` (taken away) or all. */
static inline struct str fuzz_piece(struct str *in, char end)
{
	ptrdiff_t at = str_find(*in, end);
	struct str piece = at < 0 ? *in : str_slice(*in, 0, (size_t)at);

	*in = str_slice(*in, piece.len + 1, in->len);
	return piece;
}

/* A place in s to cut it, chosen by two octets of the input. */
static inline size_t fuzz_cut(struct str *in, size_t len)
{
	size_t high = fuzz_octet(in);

	return (high << 8 | fuzz_octet(in)) % (len + 1);
}

/* No control octets of ASCII. */
static inline bool fuzz_clean(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	return true;
}

#endif
