/* SPDX-License-Identifier: MIT
 *
 * Policies and records of MTA-STS: octet 0 says which; the rest is the text. A policy that is read
 * has what it must, admits the hosts that it names, and its own lines read as the same policy.
 */
#include "modules/route/mtasts/policy.h"

#include "tests/fuzz/fuzz.h"

static void record(struct str in)
{
	struct buf text = { 0 };
	struct str id;

	if (sts_record_text(in, &text))
		must(text.len < in.len);
	if (sts_record_parse(in, &id)) {
		must(sts_record_is(in));
		must(id.len > 0 && id.len <= STS_ID_MAX && fuzz_clean(id));
	}
	buf_free(&text);
}

static void policy(struct str in)
{
	struct arena *arena = arena_new(4096);
	const char *wrong = NULL;
	struct sts_policy *p = sts_policy_parse(in, arena, &wrong), *again;

	must((p == NULL) == (wrong != NULL));
	if (p) {
		must(p->max_age <= STS_AGE_MAX && p->count <= STS_PATTERNS_MAX);
		must(p->count > 0 || p->mode == STS_NONE);
		for (size_t i = 0; i < p->count; i++) {
			struct str name = p->patterns[i];

			must(fuzz_clean(name) && name.len > 0 && name.len <= STS_NAME_MAX + 2);
			if (name.data[0] == '*')
				name = arena_printf(
					arena, "x%.*s", (int)name.len - 1, name.data + 1);
			must(sts_policy_admits(p, name));
		}
		again = sts_policy_parse(p->lines, arena, &wrong);
		must(again && again->mode == p->mode && again->max_age == p->max_age);
		must(again->count == p->count && str_equal(again->lines, p->lines));
	}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);

	if (in.len == 0)
		return 0;
	if (in.data[0] & 1)
		record(str_slice(in, 1, in.len));
	else
		policy(str_slice(in, 1, in.len));
	return 0;
}
