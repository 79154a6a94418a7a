/* SPDX-License-Identifier: MIT
 *
 * A mail transaction: from MAIL to the final reply to its content. What an idle session does
 * not need is here; transactions are kept by their place for the next one.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "smtp/relay.h"
#include "smtp/session.h"

struct transaction {
	struct transaction *next; /* of those kept */
	struct message *message;  /* NULL for what belongs to none: a stray chunk, VRFY */
	struct mail_parameters mail;
	struct tmail_parameter parameters[COMMAND_PARAMETERS]; /* of the command under way */
	struct tmail_list parameter_list;
	struct tmail_recipient recipient; /* the one under way */
	struct relay relay;
	struct arena *arena;         /* NULL: not needed yet; see transaction_arena */
	struct dns_query *sender_mx; /* look-ups of the sender's domain; NULL: none under way */
	struct dns_lookup *sender_addresses;
	void (*sender_known)(struct session *s, enum say say);
	uint32_t tried, taken; /* RCPT commands */
	/* content */
	struct dot_reader reader;
	struct buf refusal; /* a whole reply: what its end is answered with; empty: not refused */
	unsigned refusal_code;
	uint64_t arrived; /* octets of this DATA or chunk, those thrown away included */
	uint64_t chunk_left;
	bool chunk_last;
	bool whole;     /* all octets of this DATA or chunk are there */
	bool begun;     /* modules were told of it */
	size_t scan_at; /* octets at which the header is looked for again */
	bool committed; /* the message is the store's; ours is a reference to read facts */
	bool queued;    /* 250 was said */
	/* clock_mono: of MAIL, of all content, of this DATA or chunk */
	int64_t began, content_first, content_began;
	uint64_t size; /* of the whole message, for the log */
};

/* A fresh message for MAIL. */
void transaction_start(struct session *s);
/* A transaction without a message, for octets that belong to none. */
void transaction_bare(struct session *s);
/* Ends it: RESET is told unless the message was queued; what was spooled and reserved is given
 * back; the state is the caller's. Harmless without one. */
void transaction_end(struct session *s);
void transactions_free(struct transaction **kept);

/* For what lives as long as the transaction: the message's, or one of its own. */
struct arena *transaction_arena(struct transaction *t);
/* Parameters of the command under way, kept for modules. */
void transaction_parameters(struct transaction *t, const struct parameters *given);
/* DISCARD and HOLD of a chain. */
void transaction_mark(struct session *s, const struct chain_answer *answer);

/* The content is refused: `say` will be the answer to its end, and memory is given back. */
void transaction_refuse(struct session *s, enum say say);
/* The same in a module's words. */
void transaction_refuse_answer(struct session *s, const struct chain_answer *answer);

#endif
