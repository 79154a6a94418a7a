/* SPDX-License-Identifier: MIT
 *
 * What a verdict of a module means: whether it is legal where it was given, what it adds to the
 * answer of a chain, and what a module's failure comes to. For the files of this floor only.
 */
#ifndef HOST_VERDICT_H
#define HOST_VERDICT_H

#include "host/turn.h"

void answer_clear(struct chain_answer *answer);
/* Takes what was said into *answer; the strings go to the subject's memory. True: that is the
 * end of the question. Logs and records it; ends the turn's call. */
bool verdict_take(struct turn *t, int verdict, struct chain_answer *answer);
/* A module that is not asked because it does not honour a dry question. */
void verdict_not_asked(struct subject *s, enum tmail_point point, const struct hook *hook);
bool verdict_legal(enum tmail_point point, enum tmail_verdict verdict);
/* A code of the verdict's class, or 0: then *code is the core's own for the point. */
bool reply_take(enum tmail_point point, enum tmail_verdict verdict, unsigned said,
	struct str enhanced_said, unsigned *code, char enhanced[16]);
/* Without what would break a reply's line. */
struct str reply_text(struct arena *a, struct str text);

#endif
