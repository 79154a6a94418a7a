/* SPDX-License-Identifier: MIT
 *
 * Time and chance: the seams that tests replace. Any thread.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall(void); /* microseconds since 1970 */
int64_t clock_mono(void); /* microseconds, never back; for every timer and deadline */
/* Tests: NULL puts the real one back. */
void clock_replace(int64_t (*wall)(void), int64_t (*mono)(void));

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
uint64_t random_below(uint64_t n); /* 0 .. n-1, n > 0 */
void random_replace(uint64_t (*next)(void));

#endif
