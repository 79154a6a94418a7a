/* SPDX-License-Identifier: MIT
 *
 * The parameters alone, of MAIL and of RCPT. First octet: was SMTPUTF8 said. A name is found once
 * at most, and what is understood is clean.
 */
#include "base/encode.h"
#include "mail/command.h"
#include "tests/fuzz/fuzz.h"

static void check_pieces(const struct parameters *p)
{
	must(p->count <= COMMAND_PARAMETERS);
	for (size_t i = 0; i < p->count; i++) {
		must(p->item[i].name.len > 0 && ascii_only(p->item[i].name));
		must(p->item[i].has_value == (p->item[i].value.len > 0));
		must(fuzz_clean(p->item[i].value) && utf8_valid(p->item[i].value));
		for (size_t j = 0; j < i; j++)
			must(!str_equal_case(p->item[i].name, p->item[j].name));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), bad = { NULL, 0 };
	bool utf8 = fuzz_octet(&in) & 1;
	struct arena *arena = arena_new(4096);
	struct parameters p;
	struct mail_parameters m;
	struct rcpt_parameters r;

	if (parameters_parse(in, &p, &bad)) {
		check_pieces(&p);
		p.utf8 = utf8;
		if (mail_parameters_read(&p, arena, &m, &bad) == PARAMETER_OK)
			must(fuzz_clean(m.envid) && fuzz_clean(m.auth) && m.envid.len <= 100);
		if (rcpt_parameters_read(&p, arena, &r, &bad) == PARAMETER_OK)
			must(fuzz_clean(r.original) && utf8_valid(r.original) && r.notify < 16);
	} else {
		must(bad.len > 0);
	}
	arena_free(&arena);
	return 0;
}
