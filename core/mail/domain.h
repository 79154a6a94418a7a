/* SPDX-License-Identifier: MIT
 *
 * Domain names as mail uses them (RFC 5321 4.1.2, RFC 6531, RFC 5891).
 */
#ifndef MAIL_DOMAIN_H
#define MAIL_DOMAIN_H

#include "base/arena.h"
#include "base/ip.h"

enum { DOMAIN_MAX = 255, DOMAIN_LITERAL_TEXT = IP_TEXT + 8 };

/* Letters, digits, hyphens (not at a label's end), labels 1..63, at most 255; a single label
 * is fine, a trailing dot is not. With utf8, U-labels are allowed: well-formed UTF-8 whose every
 * label that is not ASCII has an A-label (so no ideographic full stop, no full-width letters). */
bool domain_valid(struct str s, bool utf8);
/* The A-label form in lower case, through libidn2 (nontransitional); false: not a name. */
bool domain_ascii(struct str s, struct arena *arena, struct str *ascii);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3), and back. */
bool domain_literal(struct str s, struct ip *ip);
struct str domain_literal_text(const struct ip *ip, char text[DOMAIN_LITERAL_TEXT]);
/* What the domain of an address is looked up as, in DNS and in tables: its A-labels; as it stands
 * when it is ASCII already, a literal, or not a name. */
struct str domain_key(struct str domain, struct arena *arena);
/* What a HELO argument may be: a domain or an address literal. */
bool domain_or_literal(struct str s);
/* The next parent of a name ("b.c" of "a.b.c"); empty when there is none. */
struct str domain_parent(struct str s);

#endif
