/* SPDX-License-Identifier: MIT
 *
 * The commands of the journal: `journal list`, `journal check`. They only look.
 */
#ifndef JOURNAL_VERBS_H
#define JOURNAL_VERBS_H

#include <tmail/module.h>

struct store;
enum { JOURNAL_VERBS = 2 };
extern const struct tmail_verb journal_verbs[JOURNAL_VERBS];

/* The opened store of a call's instance; in journal.c. */
struct store *journal_store(struct tmail_call *call);

#endif
