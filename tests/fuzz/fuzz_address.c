/* SPDX-License-Identifier: MIT
 *
 * Addresses and paths. First octet: the flags. What is accepted has a form that is accepted again
 * and does not change, alone and in brackets, and is free of what breaks a line or a log.
 */
#include "mail/address.h"

#include "base/encode.h"
#include "mail/domain.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct address *a, unsigned flags, struct arena *arena)
{
	struct str path = arena_printf(arena, "<%.*s> X", STR_ARG(a->text)), ascii;
	struct address again;

	must(fuzz_clean(a->text) && utf8_valid(a->text));
	must(a->utf8 == !ascii_only(a->text));
	must(!a->utf8 || flags & ADDRESS_UTF8);
	must(a->text.len > 0 || flags & ADDRESS_NULL);
	must(a->local.len <= ADDRESS_LOCAL_MAX && a->text.len <= ADDRESS_PATH_MAX);
	must(a->local.len + (a->domain.len > 0) + a->domain.len == a->text.len);
	must(str_equal(address_domain(a->text), a->domain));
	if (a->domain.len > 0 && a->literal.family == 0) {
		must(domain_valid(a->domain, true) && domain_ascii(a->domain, arena, &ascii));
		must(domain_valid(ascii, false));
	}
	must(address_parse(a->text, flags, arena, &again) == ADDRESS_OK);
	must(str_equal(again.text, a->text));
	must(address_path(&path, flags, arena, &again) == ADDRESS_OK);
	must(str_equal(again.text, a->text) && str_equal(path, STR(" X")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size), rest;
	unsigned flags = fuzz_octet(&in) & 15;
	struct arena *arena = arena_new(4096);
	struct address a;

	if (address_parse(in, flags, arena, &a) == ADDRESS_OK)
		check(&a, flags, arena);
	rest = in;
	if (address_path(&rest, flags, arena, &a) == ADDRESS_OK) {
		must(rest.len <= in.len);
		must(rest.len == 0 || rest.data[0] == ' ' || rest.data[0] == '\t');
		check(&a, flags, arena);
	} else {
		must(rest.len == in.len);
	}
	arena_free(&arena);
	return 0;
}
