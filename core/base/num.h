/* SPDX-License-Identifier: MIT
 *
 * Numbers, durations and sizes in text. All of the text must be the number; answers false, and
 * sets nothing, for anything else and for what does not fit.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/str.h"

bool num_u64(struct str s, uint64_t *v); /* decimal digits only */
bool num_i64(struct str s, int64_t *v);  /* with an optional '-' */
bool num_hex(struct str s, uint64_t *v);
bool num_bool(struct str s, bool *v); /* true yes on 1, false no off 0, any case */
/* "300ms" "30s" "5m" "1h30m" "5d" "1w", or seconds; to milliseconds. */
bool num_duration(struct str s, int64_t *ms);
/* "64K" "10M" "1G" (1024), or octets. */
bool num_size(struct str s, int64_t *octets);
/* "5/s" "100/m" "1/250ms" "0.5/s": so many, three digits behind a point at most, in such a time.
 * "0.5/s" is 1 in 2000 ms; never 0 of either. */
bool num_rate(struct str s, uint32_t *count, uint32_t *ms);
/* As a person would write it: "0.5/s" of 1 in 2000 ms. It reads back as the same rate. */
enum { NUM_RATE_TEXT = 40 };
const char *num_rate_text(uint32_t count, uint32_t ms, char text[NUM_RATE_TEXT]);

#endif
