/* SPDX-License-Identifier: MIT
 *
 * The lock of a store's folder: one server or command at a time has it.
 */
#ifndef JOURNAL_LOCK_H
#define JOURNAL_LOCK_H

#include "base/fail.h"

/* The descriptor that holds it, until it is closed or the process ends. -1 and why, which says
 * who has it; *taken tells that from trouble with the file. */
int lock_take(const char *folder, bool *taken, struct why *why);
void lock_drop(int *fd);

#endif
