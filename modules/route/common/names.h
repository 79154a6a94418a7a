/* SPDX-License-Identifier: MIT
 *
 * Domain names as the tables of routing keep them and the core asks for them: lower case, what
 * is not ASCII as A-labels, no dot at the end.
 */
#ifndef ROUTE_COMMON_NAMES_H
#define ROUTE_COMMON_NAMES_H

#include "base/buf.h"

enum { NAME_MAX_LEN = 255 };

/* *out points into room. False: no host of that name can exist. Hyphens and underscores are not
 * judged by their place: names of private networks have them anywhere. */
bool name_fold(struct str in, char room[NAME_MAX_LEN + 1], struct str *out);
/* An address, or a name alone: all of it in lower case, behind the last '@' as name_fold has it;
 * what is no name stays what it is. */
void address_fold(struct str in, struct buf *out);

#endif
