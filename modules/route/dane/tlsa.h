/* SPDX-License-Identifier: MIT
 *
 * Where TLSA records lie, and the records as people read them; pure.
 */
#ifndef DANE_TLSA_H
#define DANE_TLSA_H

#include "base/buf.h"

enum { TLSA_NAME_MAX = 255, TLSA_OWNER_MAX = TLSA_NAME_MAX + sizeof "_65535._tcp." };

/* "_25._tcp.mx.example.com" (RFC 6698 3). */
struct str tlsa_owner(struct str base, uint16_t port, char text[TLSA_OWNER_MAX + 1]);
/* Usage DANE-TA(2): it goes by the names in the certificate, which usage 3 does not. */
bool tlsa_needs_names(struct str rdata);
/* "3 1 1 0123..." (RFC 6698 2.2), a line each; whole certificates and keys are cut. */
void tlsa_text(struct str rdata, struct buf *lines);

#endif
