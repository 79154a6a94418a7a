/* SPDX-License-Identifier: MIT
 *
 * The verbs of SMTP as a table: in which states each may come, and who does what.
 *
 *   check    reads the argument and keeps what it needs of it; false when it has refused
 *   prepare  finds out what modules will want to know; false when it waits (verb_proceed then)
 *   point    modules are asked
 *   act      does it, and says so; believes nothing but the session
 *   refused  modules said no, and it was said: puts things back
 */
#ifndef SMTP_VERBS_H
#define SMTP_VERBS_H

#include "smtp/session.h"

enum {                  /* flags */
	VERB_JUNK = 1,  /* does not bring a message nearer: counts against max_junk */
	VERB_ALONE = 2, /* nothing may be sent behind it before it is answered */
	VERB_SECRET = 4 /* nothing of its line may stay in memory */
};

struct verb {
	struct str name;
	uint32_t states; /* bits: 1 << STATE_x */
	uint8_t flags;
	enum say misplaced; /* in other states; between chunks it is CHUNKS_UNDER_WAY */
	bool (*check)(struct session *s, const struct command *command);
	bool (*prepare)(struct session *s);
	enum tmail_point point; /* TMAIL_POINTS: nobody is asked */
	void (*act)(struct session *s, const struct chain_answer *answer);
	void (*refused)(struct session *s, const struct chain_answer *answer);
};

const struct verb *verb_find(struct str name); /* any case; never NULL: there is one for unknown */
const struct verb *verbs_all(size_t *count);   /* for tests and HELP */
/* What `prepare` waited for is known: asks the modules, and acts. */
void verb_proceed(struct session *s);
/* Says it and answers false: how a check ends that refuses. */
bool verb_refuse(struct session *s, enum say say);
/* The same in words made for the occasion; `enhanced` is of an address that is no address. */
bool verb_refuse_address(struct session *s, enum address_result result, const char *enhanced);
bool verb_refuse_parameter(struct session *s, enum parameter_result result, struct str bad);
/* Keeps a copy of an argument for as long as the verb is under way. */
struct str verb_keep(struct session *s, struct str argument);
/* A module's refusal in its own words, logged; 421 and 521 close the session. */
void verb_say_answer(struct session *s, const struct chain_answer *answer);

/* verb_hello.c */
bool check_helo(struct session *s, const struct command *command);
bool check_ehlo(struct session *s, const struct command *command);
void act_hello(struct session *s, const struct chain_answer *answer);
/* verb_tls.c */
bool check_starttls(struct session *s, const struct command *command);
void act_starttls(struct session *s, const struct chain_answer *answer);
/* verb_mail.c */
bool check_mail(struct session *s, const struct command *command);
bool prepare_mail(struct session *s);
void act_mail(struct session *s, const struct chain_answer *answer);
void refused_mail(struct session *s, const struct chain_answer *answer);
/* verb_rcpt.c */
bool check_rcpt(struct session *s, const struct command *command);
void act_rcpt(struct session *s, const struct chain_answer *answer);
void refused_rcpt(struct session *s, const struct chain_answer *answer);
/* verb_auth.c */
bool check_auth(struct session *s, const struct command *command);
bool prepare_auth(struct session *s);
void act_auth(struct session *s, const struct chain_answer *answer);
void refused_auth(struct session *s, const struct chain_answer *answer);
/* verb_data.c */
bool check_data(struct session *s, const struct command *command);
void act_data(struct session *s, const struct chain_answer *answer);
void refused_data(struct session *s, const struct chain_answer *answer);
bool check_bdat(struct session *s, const struct command *command);
void act_bdat(struct session *s, const struct chain_answer *answer);
/* verb_misc.c */
bool check_nothing(struct session *s, const struct command *command);
bool check_anything(struct session *s, const struct command *command);
bool check_vrfy(struct session *s, const struct command *command);
bool check_expn(struct session *s, const struct command *command);
bool check_not_smtp(struct session *s, const struct command *command);
bool check_unknown(struct session *s, const struct command *command);
void act_rset(struct session *s, const struct chain_answer *answer);
void act_noop(struct session *s, const struct chain_answer *answer);
void act_vrfy(struct session *s, const struct chain_answer *answer);
void act_expn(struct session *s, const struct chain_answer *answer);
void act_help(struct session *s, const struct chain_answer *answer);
void act_quit(struct session *s, const struct chain_answer *answer);
void act_unknown(struct session *s, const struct chain_answer *answer);

#endif
