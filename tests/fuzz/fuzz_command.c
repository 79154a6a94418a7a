/* SPDX-License-Identifier: MIT
 *
 * A whole command line, as a session takes it: verb, keyword, path, parameters. First octet: was
 * SMTPUTF8 said before.
 */
#include "mail/command.h"

#include "base/encode.h"
#include "tests/fuzz/fuzz.h"

static void try_mail(const struct parameters *parameters, struct arena *arena)
{
	struct mail_parameters m;
	struct str bad;

	if (mail_parameters_read(parameters, arena, &m, &bad) != PARAMETER_OK)
		return;
	must(m.envid.len <= 100 && fuzz_clean(m.envid) && ascii_only(m.envid));
	must(fuzz_clean(m.auth) && utf8_valid(m.auth));
	must(m.body <= 1 && m.ret <= 2);
}

static void try_rcpt(const struct parameters *parameters, struct arena *arena)
{
	struct rcpt_parameters r;
	struct str bad;

	if (rcpt_parameters_read(parameters, arena, &r, &bad) != PARAMETER_OK)
		return;
	must(r.notify < 16 && (!(r.notify & 1) || r.notify == 1));
	must(r.original.len == 0 || str_find(r.original, ';') > 0);
	must(fuzz_clean(r.original) && utf8_valid(r.original));
}

static void try_path(const struct command *c, struct str keyword, bool utf8, struct arena *arena)
{
	unsigned flags =
		ADDRESS_NULL | ADDRESS_POSTMASTER | ADDRESS_NO_BRACKETS | (utf8 ? ADDRESS_UTF8 : 0);
	struct str rest = c->argument, bad;
	struct parameters parameters;
	struct address address;

	if (!command_keyword(&rest, keyword) ||
		address_path(&rest, flags, arena, &address) != ADDRESS_OK)
		return;
	must(fuzz_clean(address.text) && utf8_valid(address.text));
	must(address.text.len <= ADDRESS_PATH_MAX);
	if (!parameters_parse(rest, &parameters, &bad))
		return;
	must(parameters.count <= COMMAND_PARAMETERS && !parameters.utf8);
	parameters.utf8 = utf8;
	try_mail(&parameters, arena);
	try_rcpt(&parameters, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	bool utf8 = fuzz_octet(&in) & 1, last;
	struct arena *arena = arena_new(4096);
	struct command c;
	uint64_t octets;

	if (command_parse(in, &c) == COMMAND_OK) {
		must(c.verb.len + c.argument.len <= in.len);
		must(ascii_only(c.verb) && fuzz_clean(c.verb));
		must(str_find(c.argument, '\n') < 0 && str_find(c.argument, '\0') < 0);
		must(c.has_blank || c.argument.len == 0);
		try_path(&c, STR("FROM:"), utf8, arena);
		try_path(&c, STR("TO:"), utf8, arena);
		if (bdat_parse(c.argument, &octets, &last))
			must(c.argument.data[0] >= '0' && c.argument.data[0] <= '9');
	}
	arena_free(&arena);
	return 0;
}
