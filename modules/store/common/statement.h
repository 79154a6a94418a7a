/* SPDX-License-Identifier: MIT
 *
 * The portable SQL of features, made ready for one database: statements cut apart, the words
 * that differ between databases put in. Pure.
 */
#ifndef STORE_COMMON_STATEMENT_H
#define STORE_COMMON_STATEMENT_H

#include "base/buf.h"

/* Cuts the next statement off *rest, at a ';' outside of quotes and comments (removed). False
 * when only blanks are left. */
bool statement_next(struct str *rest, struct str *statement);

/* A word and what it becomes: {"serial", "integer primary key autoincrement"}. */
struct statement_word {
	const char *name, *text;
};
/* Appends sql with each ${name} replaced; a name that is not known is left as it is. */
void statement_expand(struct buf *out, struct str sql, const struct statement_word *words,
	size_t count);

#endif
