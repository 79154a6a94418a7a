/* SPDX-License-Identifier: MIT
 *
 * The memory of the process.
 */
#ifndef SYS_MEMORY_H
#define SYS_MEMORY_H

/* What was freed and is still kept for the next allocation goes back to the kernel. Any thread that
 * may wait: it takes milliseconds. */
void memory_give_back(void);
/* Some megabytes of what is freed are kept for the next allocation; once, at the start of who
 * serves. Else each message takes pages from the kernel and gives them back; all threads wait. */
void memory_keep(void);

#endif
