/* SPDX-License-Identifier: MIT
 *
 * A message read while it arrives, for STREAM modules. For the files of this floor only.
 */
#ifndef HOST_STREAM_READING_H
#define HOST_STREAM_READING_H

#include "host/subject.h"

struct stream_reading;

/* The message is whole: a header without a body is shown now. False: refused. */
bool stream_reading_finish(struct subject *s, struct chain_answer *answer);
/* Whether the n-th STREAM module still wants to see it, at EOM. */
bool stream_reading_wanted(const struct subject *s, unsigned n);
void stream_reading_end(struct stream_reading **r);

#endif
