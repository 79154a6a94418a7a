/* SPDX-License-Identifier: MIT
 *
 * When the files are mostly empty, what lives in the oldest is copied to the end, so that it can
 * be used again.
 */
#ifndef JOURNAL_RECLAIM_H
#define JOURNAL_RECLAIM_H

struct store;

/* For the writer, with a batch just begun: puts copies of the oldest messages into it, a bounded
 * piece. They come before what is new, so replay sees them with the state they had. */
void reclaim_stage(struct store *store);

#endif
