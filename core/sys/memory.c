/* SPDX-License-Identifier: MIT
 *
 * glibc keeps what was freed in the middle of an arena; elsewhere there is nothing to do.
 */
#include "sys/memory.h"

#include <malloc.h>

void memory_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
