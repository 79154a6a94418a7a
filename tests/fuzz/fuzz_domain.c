/* SPDX-License-Identifier: MIT
 *
 * Names, literals and libidn2. A name that is valid has an ASCII form, and the ASCII form is its
 * own.
 */
#include "mail/domain.h"

#include "base/encode.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), ascii, again;
	struct arena *arena = arena_new(4096);
	char text[DOMAIN_LITERAL_TEXT];
	struct ip ip, back;

	must(domain_valid(in, true) == domain_ascii(in, arena, &ascii));
	if (domain_valid(in, true)) {
		must(utf8_valid(in) && fuzz_clean(in));
		must(domain_valid(ascii, false) && domain_ascii(ascii, arena, &again));
		must(str_equal(ascii, again));
	}
	must(!domain_valid(in, false) || ascii_only(in));
	if (domain_literal(in, &ip)) {
		must(!domain_valid(in, true));
		must(domain_literal(domain_literal_text(&ip, text), &back) && ip_equal(&ip, &back));
	}
	must(domain_parent(in).len < in.len || in.len == 0);
	arena_free(&arena);
	return 0;
}
