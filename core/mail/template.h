/* SPDX-License-Identifier: MIT
 *
 * The text of a report as people write it: ${name} for what is only known later ("{{.name}}", as
 * the first tmail's files have it, says the same), in sections. A line that is "[name]" starts
 * one; what stands before the first such line is of the section that is named first.
 */
#ifndef MAIL_TEMPLATE_H
#define MAIL_TEMPLATE_H

#include "base/buf.h"
#include "base/fail.h"

struct template_words { /* that a template may use */
	const struct str *sections, *names;
	size_t section_count, name_count;
};
/* False: a section or a name is not known, comes twice, or is not closed; why starts with "line
 * N: ". */
bool template_check(struct str text, const struct template_words *words, struct why *why);
/* The text of a section; data NULL: it has none. */
struct str template_section(
	struct str text, const struct template_words *words, struct str section);
/* values are of words->names, in their order. One pass: what was put in is not expanded again.
 * What template_check objects to stays as it is. */
void template_expand(struct buf *out, struct str text, const struct template_words *words,
	const struct str *values);

#endif
