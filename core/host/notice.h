/* SPDX-License-Identifier: MIT
 *
 * Notices of the process: TICK, RELOADED, CHANGED. Any thread; told one at a time, on the
 * thread that first had one to tell, or on workers.
 */
#ifndef HOST_NOTICE_H
#define HOST_NOTICE_H

#include "host/generation.h"

/* The daemon tells TICK about once a second; the others are told by this floor. */
void generation_tell(struct generation *g, enum tmail_point point, const union tmail_event *event);

#endif
