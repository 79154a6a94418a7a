/* SPDX-License-Identifier: MIT
 *
 * glibc keeps what was freed in the middle of an arena; elsewhere there is nothing to do.
 */
#include "sys/memory.h"

#include <malloc.h>

enum { KEPT = 4 * 1024 * 1024 }; /* at the end of an arena; there is about one a thread */

void memory_keep(void)
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}

void memory_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
