/* SPDX-License-Identifier: MIT
 *
 * A command line (RFC 5321 2.4, 4.1.1): verb and argument, and the parameters of MAIL and RCPT.
 */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include "mail/address.h"

enum {
	COMMAND_LINE_MAX = 512,  /* with CRLF (RFC 5321 4.5.3.1.4) ... */
	COMMAND_MAIL_MAX = 2048, /* ... more for what extensions add; AUTH: 12288 (RFC 4954 4) */
	COMMAND_PARAMETERS = 24
};

struct command {
	struct str verb;     /* the first word as sent; empty when the line starts with a blank */
	struct str argument; /* trimmed; empty: none */
	bool has_blank;      /* something, if only a blank, followed the verb */
};
enum command_result {
	COMMAND_OK,
	COMMAND_EMPTY, /* nothing but blanks */
	COMMAND_BINARY /* NUL, CR, LF or another control octet somewhere, or 8 bit in the verb */
};

/* `line` is without its CRLF. */
enum command_result command_parse(struct str line, struct command *command);

struct parameter {
	struct str name; /* as sent */
	struct str value;
	bool has_value; /* "NAME=" is not a parameter; "NAME" has none */
};
struct parameters {
	struct parameter item[COMMAND_PARAMETERS];
	size_t count;
	/* RCPT: SMTPUTF8 was said with MAIL. The caller's to set after parameters_parse, which
	 * clears it: without it a value that is not ASCII is bad. (MAIL knows from its own.) */
	bool utf8;
};
/* What follows the path. False: not esmtp-param syntax (RFC 5321 4.1.2), one given twice, or
 * more than there is room for; *bad says which piece. */
bool parameters_parse(struct str rest, struct parameters *parameters, struct str *bad);

/* "FROM:" or "TO:" in front (any case, blanks before the colon not allowed, after it tolerated). */
bool command_keyword(struct str *argument, struct str keyword);

/* xtext (RFC 3461 4). */
bool xtext_decode(struct str in, struct arena *arena, struct str *out);
struct str xtext_encode(struct str in, struct arena *arena);
/* utf-8-addr-xtext (RFC 6533 3): what an ORCPT of type utf-8 is for every server. */
struct str utf8_address_encode(struct str in, struct arena *arena);

/* The parameters of MAIL that tmail understands, all checked. */
enum parameter_result {
	PARAMETER_OK,
	PARAMETER_UNKNOWN, /* 555 5.5.4 */
	PARAMETER_BAD,     /* 501 5.5.4 */
	PARAMETER_CONFLICT /* 501 5.5.4: NEVER with another */
};
struct mail_parameters {
	uint64_t size; /* 0: not said; a number too big for it is UINT64_MAX */
	bool has_size, smtputf8, has_auth;
	unsigned body;    /* 0 7BIT, 1 8BITMIME, 2 BINARYMIME (not offered: bad) */
	unsigned ret;     /* 0 not said, 1 FULL, 2 HDRS */
	struct str envid; /* decoded, at most 100 characters */
	struct str auth;  /* AUTH= decoded; "<>" */
};
struct rcpt_parameters {
	unsigned notify; /* TMAIL_NOTIFY_* bits: 1 NEVER 2 SUCCESS 4 FAILURE 8 DELAY; 0 not said */
	struct str original; /* ORCPT: "type;address", decoded */
};
enum parameter_result mail_parameters_read(const struct parameters *in, struct arena *arena,
	struct mail_parameters *out, struct str *bad);
enum parameter_result rcpt_parameters_read(const struct parameters *in, struct arena *arena,
	struct rcpt_parameters *out, struct str *bad);

/* BDAT: "size" or "size LAST" (RFC 3030 2). */
bool bdat_parse(struct str argument, uint64_t *size, bool *last);

#endif
