/* SPDX-License-Identifier: MIT
 *
 * What a reply means, by its code and by what it answers: one table, first row that fits. The
 * code alone decides what becomes of a recipient; an enhanced code is kept for people, and only
 * tells "too many recipients" from other things that 452 and 552 are said for.
 */
#include "smtp/client_state.h"

#define ON(stage) (1u << STAGE_##stage)
#define OPENING (ON(GREETING) | ON(EHLO))
#define ALL (~0u)

static const struct row {
	unsigned stages;
	unsigned first, last; /* codes */
	struct client_meaning meaning;
	const char *status; /* behind the digit of the class, where the server said none */
} rows[] = {
	/* The server closes (RFC 5321 3.8). */
	{ ALL, 421, 421, { .class = CLASS_NEXT_HOST, .ends = true }, "3.2" },

	{ ON(GREETING), 220, 220, { .class = CLASS_OK }, "0.0" },
	{ ON(EHLO), 250, 250, { .class = CLASS_OK }, "0.0" },
	{ OPENING, 200, 599, { .class = CLASS_NEXT_HOST, .ends = true }, "3.2" },

	{ ON(DATA), 354, 354, { .class = CLASS_OK }, "0.0" },
	/* Nonsense: whoever says it may mean anything by the next reply. */
	{ ON(DATA) | ON(CONTENT), 200, 299, { .class = CLASS_TEMPORARY, .ends = true }, "5.0" },
	{ ALL, 300, 399, { .class = CLASS_TEMPORARY, .ends = true }, "5.0" },

	{ ALL, 200, 299, { .class = CLASS_OK }, "0.0" },

	/* RFC 5321 4.5.3.1.10 */
	{ ON(RCPT), 452, 452, { .class = CLASS_TEMPORARY, .crowded = true }, "5.3" },
	{ ON(RCPT), 552, 552, { .class = CLASS_TEMPORARY, .crowded = true }, "5.3" },

	{ ON(RCPT), 450, 450, { .class = CLASS_TEMPORARY }, "2.0" },
	{ ALL, 451, 451, { .class = CLASS_TEMPORARY }, "3.0" },
	{ ALL, 452, 452, { .class = CLASS_TEMPORARY }, "3.1" },
	{ ALL, 455, 455, { .class = CLASS_TEMPORARY }, "5.4" },
	{ ALL, 400, 499, { .class = CLASS_TEMPORARY }, "0.0" },

	{ ALL, 500, 500, { .class = CLASS_PERMANENT }, "5.2" },
	{ ALL, 501, 501, { .class = CLASS_PERMANENT }, "5.4" },
	{ ALL, 502, 503, { .class = CLASS_PERMANENT }, "5.1" },
	{ ALL, 504, 504, { .class = CLASS_PERMANENT }, "5.4" },
	{ ALL, 530, 530, { .class = CLASS_PERMANENT }, "7.0" },
	{ ON(RCPT), 550, 550, { .class = CLASS_PERMANENT }, "1.0" },
	{ ON(RCPT), 551, 551, { .class = CLASS_PERMANENT }, "1.6" },
	{ ON(RCPT), 552, 552, { .class = CLASS_PERMANENT }, "2.2" },
	{ ALL, 552, 552, { .class = CLASS_PERMANENT }, "3.4" },
	{ ON(MAIL), 553, 553, { .class = CLASS_PERMANENT }, "1.7" },
	{ ON(RCPT), 553, 553, { .class = CLASS_PERMANENT }, "1.3" },
	{ ALL, 555, 555, { .class = CLASS_PERMANENT }, "5.4" },
	{ ALL, 500, 599, { .class = CLASS_PERMANENT }, "0.0" },
};

const char *client_stage_name(enum client_stage stage)
{
	static const char *const names[] = { [STAGE_CONNECT] = "connect",
		[STAGE_GREETING] = "greeting",
		[STAGE_EHLO] = "EHLO",
		[STAGE_TLS] = "TLS",
		[STAGE_AUTH] = "AUTH",
		[STAGE_MAIL] = "MAIL",
		[STAGE_RCPT] = "RCPT",
		[STAGE_DATA] = "DATA",
		[STAGE_CONTENT] = "content",
		[STAGE_DOT] = "end of data",
		[STAGE_DONE] = "done" };

	return names[stage];
}

static bool about_their_number(const char *enhanced)
{
	return !enhanced[0] || strcmp(enhanced + 1, ".5.3") == 0;
}

static const struct row *row_of(enum client_stage stage, unsigned code, const char *enhanced)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];

		if (r->stages & 1u << stage && r->first <= code && code <= r->last &&
			(!r->meaning.crowded || about_their_number(enhanced)))
			return r;
	}
	must(!"a code that is none");
	return NULL;
}

struct client_meaning client_meaning(enum client_stage stage, unsigned code, const char *enhanced)
{
	return row_of(stage, code, enhanced)->meaning;
}

void client_status(const struct client_outcome *o, char status[16])
{
	bool said = o->code != 0;
	const char *rest = "0.0";
	char digit = '4';

	if (o->enhanced[0]) {
		memcpy(status, o->enhanced, sizeof o->enhanced);
		return;
	}
	if (o->class == CLASS_OK)
		digit = '2';
	else if (o->class == CLASS_PERMANENT)
		digit = '5';
	if (said)
		rest = row_of(o->stage, o->code, o->enhanced)->status;
	else if (digit == '4')
		rest = o->stage == STAGE_CONNECT ? "4.1" : "4.2";
	status[0] = digit;
	status[1] = '.';
	memcpy(status + 2, rest, strlen(rest) + 1);
}
