/* SPDX-License-Identifier: MIT
 *
 * What a client says to log in: the argument of AUTH (RFC 4954 4) and the message of PLAIN
 * (RFC 4616 2).
 */
#ifndef MAIL_SASL_H
#define MAIL_SASL_H

#include "base/str.h"

enum {
	SASL_NAME_MAX = 20,    /* of a mechanism (RFC 4422 3.1) */
	SASL_LINE_MAX = 12288, /* of an exchange, with its CRLF (RFC 4954 4) */
	SASL_TEXT_MAX = 1024   /* octets of a login or a password */
};

struct sasl_argument {
	struct str mechanism; /* as sent */
	struct str initial;   /* base64; empty when "=" was sent */
	bool has_initial;
};
/* False: not `mechanism [SP initial-response]`. */
bool sasl_argument_parse(struct str argument, struct sasl_argument *out);

/* Does the server speak first, so that AUTH may bring no response? */
bool sasl_server_first(struct str mechanism);

struct sasl_plain {
	struct str authorize; /* whom to act for; empty: the login itself */
	struct str login, password;
};
/* Pieces of `message`. False: not three of them, no login or password, or one too long. */
bool sasl_plain_parse(struct str message, struct sasl_plain *out);
/* A login or a password: something, not too long, without a NUL. */
bool sasl_text_fits(struct str text);

#endif
