/* SPDX-License-Identifier: MIT
 *
 * What a module wants changed in a message at EOM: noted in its call, made by the core when it
 * did not refuse. For the files of this floor only.
 */
#ifndef HOST_EDIT_H
#define HOST_EDIT_H

#include "host/call.h"

enum edit_kind {
	EDIT_HEADER_ADD,
	EDIT_HEADER_INSERT,
	EDIT_HEADER_CHANGE,
	EDIT_BODY,
	EDIT_SENDER,
	EDIT_RECIPIENT_ADD,
	EDIT_RECIPIENT_REMOVE,
	EDIT_RECIPIENT_VERDICT
};

struct edit {
	struct edit *next;
	enum edit_kind kind;
	uint32_t index;         /* where to insert; which of the name; the recipient */
	struct str name, value; /* of a header field; value: all the others', too */
	enum tmail_verdict verdict;
	uint32_t code;
	struct str enhanced;
};

/* On the loop: makes them, in order, on the subject's message. */
void edits_make(struct subject *s, const struct edit *edits);

#endif
