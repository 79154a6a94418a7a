/* SPDX-License-Identifier: MIT
 *
 * What the server says: every fixed reply of it, as a table. A row has its whole line ready, so
 * that saying it is one copy.
 */
#ifndef SMTP_SAY_H
#define SMTP_SAY_H

#include "base/str.h"

enum {                 /* what a reply does beside being said */
	SAY_ERROR = 1, /* counts against max_errors: what is refused for good */
	SAY_CLOSE = 2  /* the session ends behind it */
};

/* X(name, code, enhanced code with its blank, text, flags). Texts are ASCII, without CRLF. */
#define SMTP_SAYS(X)                                                                               \
	X(OK, "250", "2.0.0 ", "Ok", 0)                                                            \
	X(SENDER_OK, "250", "2.1.0 ", "Ok", 0)                                                     \
	X(RECIPIENT_OK, "250", "2.1.5 ", "Ok", 0)                                                  \
	X(CHUNK_OK, "250", "2.0.0 ", "Chunk received", 0)                                          \
	X(GO_AHEAD, "354", "", "End data with <CR><LF>.<CR><LF>", 0)                               \
	X(BYE, "221", "2.0.0 ", "Bye", SAY_CLOSE)                                                  \
	X(HELP, "214", "2.0.0 ",                                                                   \
		"EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT", 0)    \
	X(TLS_GO_AHEAD, "220", "2.0.0 ", "Ready to start TLS", 0)                                  \
	X(CANNOT_VERIFY, "252", "2.5.2 ", "Cannot verify, but will try to deliver", 0)             \
	X(CANNOT_EXPAND, "252", "2.5.2 ", "Cannot expand, but will try to deliver", 0)             \
	/* commands that are wrong */                                                              \
	X(NOT_A_COMMAND, "500", "5.5.2 ", "Syntax error, that is no command", SAY_ERROR)           \
	X(LINE_TOO_LONG, "500", "5.5.2 ", "Line too long", SAY_ERROR)                              \
	X(UNKNOWN_COMMAND, "500", "5.5.1 ", "Unknown command", SAY_ERROR)                          \
	X(NOT_OFFERED, "502", "5.5.1 ", "Command not offered here", SAY_ERROR)                     \
	X(NOT_SMTP, "554", "5.5.1 ", "This is a mail server", SAY_CLOSE)                           \
	X(NO_ARGUMENT, "501", "5.5.4 ", "That command takes no argument", SAY_ERROR)               \
	X(HELLO_SYNTAX, "501", "5.5.4 ", "Syntax: EHLO or HELO, then your host name", SAY_ERROR)   \
	X(HELLO_FQDN, "504", "5.5.2 ", "HELO needs a full host name or an address literal",        \
		SAY_ERROR)                                                                         \
	X(MAIL_SYNTAX, "501", "5.5.4 ", "Syntax: MAIL FROM:<address>", SAY_ERROR)                  \
	X(RCPT_SYNTAX, "501", "5.5.4 ", "Syntax: RCPT TO:<address>", SAY_ERROR)                    \
	X(BDAT_SYNTAX, "501", "5.5.4 ", "Syntax: BDAT size [LAST]", SAY_CLOSE)                     \
	X(VRFY_SYNTAX, "501", "5.5.4 ", "Syntax: VRFY address", SAY_ERROR)                         \
	X(EXPN_SYNTAX, "501", "5.5.4 ", "Syntax: EXPN list", SAY_ERROR)                            \
	X(HELLO_FIRST, "503", "5.5.1 ", "Send HELO or EHLO first", SAY_ERROR)                      \
	X(SENDER_TWICE, "503", "5.5.1 ", "Sender is given already", SAY_ERROR)                     \
	X(MAIL_FIRST, "503", "5.5.1 ", "Send MAIL first", SAY_ERROR)                               \
	X(RCPT_FIRST, "503", "5.5.1 ", "Send RCPT first", SAY_ERROR)                               \
	X(NO_RECIPIENTS, "554", "5.5.1 ", "No valid recipients", SAY_ERROR)                        \
	X(CHUNKS_UNDER_WAY, "503", "5.5.1 ", "A message in chunks is under way", SAY_ERROR)        \
	X(PIPELINED, "554", "5.5.0 ", "Commands were sent before HELO was answered", SAY_CLOSE)    \
	/* who may do what */                                                                      \
	X(NO_TLS, "454", "4.7.0 ", "TLS is not available here", 0)                                 \
	X(TLS_TWICE, "503", "5.5.1 ", "TLS has begun already", SAY_ERROR)                          \
	X(TLS_IN_MAIL, "503", "5.5.1 ", "STARTTLS does not belong into a transaction", SAY_ERROR)  \
	X(TLS_NOT_ALONE, "554", "5.5.0 ", "Commands were sent along with STARTTLS", SAY_CLOSE)     \
	X(TLS_FIRST, "530", "5.7.0 ", "Must issue a STARTTLS command first", SAY_ERROR)            \
	X(LOGIN_FIRST, "530", "5.7.0 ", "Authentication required", SAY_ERROR)                      \
	X(EHLO_FIRST, "503", "5.5.1 ", "Send EHLO first", SAY_ERROR)                               \
	X(AUTH_SYNTAX, "501", "5.5.4 ", "Syntax: AUTH mechanism [initial-response]", SAY_ERROR)    \
	X(AUTH_TWICE, "503", "5.5.1 ", "You are logged in already", SAY_ERROR)                     \
	X(AUTH_IN_MAIL, "503", "5.5.1 ", "AUTH does not belong into a transaction", SAY_ERROR)     \
	X(AUTH_UNKNOWN, "504", "5.5.4 ", "Unrecognized authentication mechanism", SAY_ERROR)       \
	X(AUTH_NEEDS_TLS, "538", "5.7.11 ", "Encryption required for this mechanism", SAY_ERROR)   \
	X(AUTH_CANCELLED, "501", "5.7.0 ", "Authentication cancelled", SAY_ERROR)                  \
	X(AUTH_GARBLED, "501", "5.5.2 ", "That is not base64, or not of this mechanism",           \
		SAY_ERROR)                                                                         \
	X(AUTH_NO_INITIAL, "501", "5.7.0 ", "This mechanism takes no initial response", SAY_ERROR) \
	X(AUTH_TOO_LONG, "500", "5.5.6 ", "Authentication exchange line is too long", SAY_ERROR)   \
	X(AUTH_FAILED, "535", "5.7.8 ", "Authentication failed", SAY_ERROR)                        \
	X(AUTH_LATER, "454", "4.7.0 ", "Temporary authentication failure, try again later", 0)     \
	X(AUTH_TOO_OFTEN, "454", "4.7.0 ", "Too many failed logins, try again later", 0)           \
	X(AUTH_LOST, "421", "4.7.0 ", "Authentication took too long, try again later", SAY_CLOSE)  \
	X(AUTH_OK, "235", "2.7.0 ", "Authentication successful", 0)                                \
	X(TOO_MANY_LOGINS, "421", "4.7.0 ", "Too many failed logins", SAY_CLOSE)                   \
	X(SENDER_NOT_YOURS, "553", "5.7.1 ", "That sender is not yours to use", SAY_ERROR)         \
	X(NO_SUCH_USER, "550", "5.1.1 ", "Sorry, no mailbox here by that name", 0)                 \
	X(NOT_PROXY, "421", "4.7.0 ", "PROXY header expected", SAY_CLOSE)                          \
	X(NOT_TRUSTED, "554", "5.7.1 ", "You may not connect here", SAY_CLOSE)                     \
	X(UTF8_NOT_SAID, "553", "5.6.7 ", "Address is not ASCII and SMTPUTF8 was not said",        \
		SAY_ERROR)                                                                         \
	X(SENDER_NO_MX, "550", "5.7.27 ", "Sender's domain takes no mail", SAY_ERROR)              \
	X(SENDER_UNKNOWN, "550", "5.1.8 ", "Sender's domain does not exist", SAY_ERROR)            \
	X(SENDER_UNKNOWN_LATER, "450", "4.1.8 ", "Sender's domain does not exist", 0)              \
	X(SENDER_DNS_LATER, "451", "4.4.3 ", "Sender's domain cannot be looked up now", 0)         \
	/* limits */                                                                               \
	X(EARLY_TALKER, "554", "5.5.1 ", "You spoke before the greeting", SAY_CLOSE)               \
	X(TOO_MANY_SESSIONS, "421", "4.3.2 ", "Too many connections, try again later", SAY_CLOSE)  \
	X(TOO_MANY_FROM_YOU, "421", "4.7.0 ", "Too many connections from your address", SAY_CLOSE) \
	X(TOO_FAST_FROM_YOU, "421", "4.7.0 ", "Too many new connections from your address",        \
		SAY_CLOSE)                                                                         \
	X(TOO_MANY_ERRORS, "421", "4.7.0 ", "Too many errors", SAY_CLOSE)                          \
	X(TOO_MUCH_JUNK, "421", "4.7.0 ", "Too many commands without a message", SAY_CLOSE)        \
	X(TOO_MANY_BAD, "421", "4.7.0 ", "Too many bad recipients", SAY_CLOSE)                     \
	X(TOO_MANY_RECIPIENTS, "452", "4.5.3 ", "Too many recipients", 0)                          \
	X(TOO_MANY_MESSAGES, "452", "4.5.3 ", "Too many messages in this session", SAY_ERROR)      \
	X(TOO_MANY_VRFY, "550", "5.5.3 ", "Too many VRFY or EXPN commands", SAY_ERROR)             \
	X(TIMEOUT, "421", "4.4.2 ", "Timeout, closing the connection", SAY_CLOSE)                  \
	X(STOPPING, "421", "4.3.2 ", "Service is stopping, try again later", SAY_CLOSE)            \
	/* content */                                                                              \
	X(TOO_LARGE, "552", "5.3.4 ", "Message is larger than the limit", SAY_ERROR)               \
	X(CHUNK_TOO_LARGE, "552", "5.3.4 ", "Message is larger than the limit", SAY_CLOSE)         \
	X(HEADER_TOO_LARGE, "552", "5.3.4 ", "Header is larger than the limit", SAY_ERROR)         \
	X(BARE_NEWLINE, "550", "5.6.0 ", "Message has a CR or LF that is not part of CRLF",        \
		SAY_ERROR)                                                                         \
	X(HAS_NUL, "550", "5.6.0 ", "Message has a NUL", SAY_ERROR)                                \
	X(TOO_MANY_HOPS, "554", "5.4.6 ", "Too many hops, this message is looping", SAY_ERROR)     \
	/* the world */                                                                            \
	X(NO_ROOM, "452", "4.3.1 ", "Out of room, try again later", 0)                             \
	X(LATER, "451", "4.3.0 ", "Temporary failure, try again later", 0)                         \
	X(LOOKUP_LATER, "451", "4.3.0 ", "Temporary lookup failure, try again later", 0)

enum say {
	SAY_NOTHING = 0,
#define X(name, code, enhanced, text, flags) SAY_##name,
	SMTP_SAYS(X)
#undef X
		SAYS
};

struct say_row {
	struct str line; /* with its CRLF; empty for SAY_NOTHING */
	uint16_t code;
	uint8_t flags;
};
const struct say_row *say_row(enum say say);
/* A reply behind which the server closes, whoever said it (RFC 5321 3.8, RFC 7504). */
bool say_ends(unsigned code);

#endif
