/* SPDX-License-Identifier: MIT
 *
 * xtext both ways: any octets survive being encoded, and what decodes is what its encoding says.
 */
#include "mail/command.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), text, back;
	struct arena *arena = arena_new(4096);

	text = xtext_encode(in, arena);
	must(fuzz_clean(text) && str_find(text, '=') < 0 && str_find(text, ' ') < 0);
	must(xtext_decode(text, arena, &back) && str_equal(back, in));
	if (xtext_decode(in, arena, &text)) {
		must(text.len <= in.len);
		must(xtext_decode(xtext_encode(text, arena), arena, &back));
		must(str_equal(back, text));
	}
	arena_free(&arena);
	return 0;
}
