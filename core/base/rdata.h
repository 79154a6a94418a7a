/* SPDX-License-Identifier: MIT
 *
 * Names inside the resource data of DNS, as text. Pure; what is not well formed is refused.
 */
#ifndef BASE_RDATA_H
#define BASE_RDATA_H

#include "base/str.h"

/* A name inside RDATA, at `at`, as text without its last dot, lower case; the root is empty.
 * False for what is no name, or one with octets that no host name has. */
bool dns_name(struct str rdata, size_t at, char text[256]);
bool dns_mx(struct str rdata, uint16_t *preference, char host[256]);

#endif
