/* SPDX-License-Identifier: MIT
 *
 * What mail/dot must do, said once more and differently: over the whole of the octets at once, with
 * no state, no runs and no vectors. Tests and fuzzers compare the two.
 */
#ifndef TESTS_MAIL_LINES_REFERENCE_H
#define TESTS_MAIL_LINES_REFERENCE_H

#include "base/buf.h"

struct lines_reference {
	bool dots, normalize; /* in: DATA rather than BDAT; bare CR and LF become CRLF */
	bool end, bare_cr, bare_lf, nul;
	size_t used;
};

static inline void lines_reference(struct lines_reference *r, struct str in, struct buf *out)
{
	bool start = true;
	size_t i = 0;

	while (i < in.len) {
		char c = in.data[i], next = i + 1 < in.len ? in.data[i + 1] : '\0';

		if (c == '.' && start && r->dots) {
			r->end = in.len - i >= 3 && next == '\r' && in.data[i + 2] == '\n';
			i += r->end ? 3 : 1;
			if (r->end)
				break;
			start = false;
		} else if (c == '\r' && i + 1 == in.len) {
			i++; /* its LF may follow */
		} else if (c == '\r' && next == '\n') {
			buf_add_c(out, "\r\n");
			i += 2;
			start = true;
		} else {
			bool bare = c == '\r' || c == '\n';

			r->bare_cr |= c == '\r';
			r->bare_lf |= c == '\n';
			r->nul |= c == '\0';
			buf_add(out, bare && r->normalize ? STR("\r\n") : str_make(&c, 1));
			start = false;
			i++;
		}
	}
	r->used = i;
}

/* Does it end in a line's end? */
static inline bool lines_end(struct str s)
{
	return s.len >= 2 && memcmp(s.data + s.len - 2, "\r\n", 2) == 0;
}

#endif
