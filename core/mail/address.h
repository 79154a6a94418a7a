/* SPDX-License-Identifier: MIT
 *
 * The one grammar for addresses (RFC 5321 4.1.2, RFC 6531 3.3), used by server, client, queue
 * and commands.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/ip.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_PATH_MAX = 254 };

enum address_result {
	ADDRESS_OK,
	ADDRESS_SYNTAX,
	ADDRESS_LOCAL_LONG,  /* over 64 octets (RFC 5321 4.5.3.1.1) */
	ADDRESS_DOMAIN_LONG, /* over 255 */
	ADDRESS_LONG,        /* path over 256 with its brackets */
	ADDRESS_NEEDS_UTF8,  /* not ASCII, and SMTPUTF8 was not said */
	ADDRESS_BAD_UTF8,    /* ill-formed, refused also with SMTPUTF8 */
	ADDRESS_NO_DOMAIN    /* "user" alone */
};
enum {
	ADDRESS_UTF8 = 1,       /* SMTPUTF8 was said */
	ADDRESS_NULL = 2,       /* "<>" is an answer */
	ADDRESS_POSTMASTER = 4, /* "postmaster" without a domain is an answer */
	ADDRESS_NO_BRACKETS = 8 /* tolerate missing angle brackets */
};

struct address {
	struct str text;   /* canonical "local@domain"; empty for <>; "postmaster" alone */
	struct str local;  /* as text holds it: quoted only when it must be */
	struct str domain; /* a name in lower case (U-labels stay), "[1.2.3.4]", "[IPv6:::1]" */
	struct ip literal; /* family 0 when the domain is a name */
	bool utf8;         /* text is not ASCII */
};

/* "local@domain" with nothing around it. Results live in the arena. */
enum address_result address_parse(
	struct str s, unsigned flags, struct arena *arena, struct address *address);
/* A path at the start of *rest: "<local@domain>", with a source route (dropped), "<>"; a blank
 * before it is skipped. *rest is left behind it (at the parameters' blank, or at the end). */
enum address_result address_path(
	struct str *rest, unsigned flags, struct arena *arena, struct address *address);
/* For a person, without a full stop: "local part is longer than 64 octets (RFC 5321 4.5.3.1.1)". */
const char *address_explain(enum address_result result);
/* Domain of a canonical address: what is behind the last '@'; empty when there is none. */
struct str address_domain(struct str text);
/* The same mailbox where SMTPUTF8 is not spoken: its domain as A-labels. False: there is none, the
 * local part is not ASCII. */
bool address_ascii(struct str text, struct arena *arena, struct str *ascii);

#endif
