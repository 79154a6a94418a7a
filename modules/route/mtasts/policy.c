/* SPDX-License-Identifier: MIT
 *
 * Line by line. What is not known is passed over; of a key that may stand once the first counts.
 * What must hold: a policy that is answered has a mode, an age, and hosts, unless its mode is none.
 */
#include "policy.h"

#include "base/num.h"

static const char *const modes[] = {
	[STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"
};

const char *sts_mode_name(enum sts_mode mode)
{
	return modes[mode];
}

/* ---- the record -------------------------------------------------------------------------- */

bool sts_record_text(struct str rdata, struct buf *text)
{
	size_t at = 0;

	while (at < rdata.len) {
		size_t len = (unsigned char)rdata.data[at++];

		if (len > rdata.len - at)
			return false;
		buf_add(text, str_slice(rdata, at, len));
		at += len;
	}
	return rdata.len > 0;
}

bool sts_record_is(struct str text)
{
	static const struct str version = STR_INIT("v=STSv1");
	struct str rest;

	if (!str_starts(text, version))
		return false;
	rest = str_trim(str_slice(text, version.len, text.len));
	return rest.len == 0 || rest.data[0] == ';';
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_id(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.data[i]))
			return false;
	return s.len > 0 && s.len <= STS_ID_MAX;
}

/* Of the record, also one that an extension adds. */
static bool is_field(struct str name, struct str value)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_alnum(name.data[i]) &&
			(i == 0 ||
				(name.data[i] != '_' && name.data[i] != '-' &&
					name.data[i] != '.')))
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] <= ' ' || value.data[i] > '~' || value.data[i] == '=')
			return false;
	return name.len > 0 && name.len <= 32 && value.len > 0;
}

bool sts_record_parse(struct str text, struct str *id)
{
	struct str rest = text, field, found = STR("");

	if (!sts_record_is(text))
		return false;
	str_split(&rest, ';', &field);
	while (str_split(&rest, ';', &field)) {
		ptrdiff_t equals;
		struct str name, value;

		field = str_trim(field);
		equals = str_find(field, '=');
		if (field.len == 0 && str_trim(rest).len == 0)
			break; /* behind the last one */
		if (equals <= 0)
			return false;
		name = str_slice(field, 0, (size_t)equals);
		value = str_slice(field, (size_t)equals + 1, field.len);
		if (!is_field(name, value))
			return false;
		if (!str_equal(name, STR("id")) || found.len > 0)
			continue;
		if (!is_id(value))
			return false;
		found = value;
	}
	*id = found;
	return found.len > 0;
}

/* ---- the policy -------------------------------------------------------------------------- */

static struct str without_dot(struct str name)
{
	return str_slice(name, 0, name.len - (name.len > 1 && name.data[name.len - 1] == '.'));
}

/* Letters, digits, hyphens, underscores; no empty label; the star was cut off. */
static bool is_domain(struct str name)
{
	struct str label;

	if (name.len == 0 || name.len > STS_NAME_MAX || name.data[name.len - 1] == '.')
		return false;
	while (str_split(&name, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!is_alnum(label.data[i]) && label.data[i] != '-' &&
				label.data[i] != '_')
				return false;
	}
	return true;
}

static bool pattern_take(struct sts_policy *p, struct str value, struct arena *arena)
{
	bool star = str_starts(value, STR("*."));

	value = without_dot(value);
	if (!is_domain(str_slice(value, star ? 2 : 0, value.len)) || p->count == STS_PATTERNS_MAX)
		return false;
	p->patterns[p->count++] = arena_str_lower(arena, value);
	return true;
}

static bool age_take(struct sts_policy *p, struct str value)
{
	uint64_t age;

	if (value.len > 10 || !num_u64(value, &age))
		return false;
	p->max_age = age > STS_AGE_MAX ? STS_AGE_MAX : (uint32_t)age;
	return true;
}

static bool mode_take(struct sts_policy *p, struct str value)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (str_equal(value, str_c(modes[i]))) {
			p->mode = (enum sts_mode)i;
			return true;
		}
	return false;
}

enum key { VERSION, MODE, MAX_AGE, MX, KEYS }; /* those before MX may stand once */
static const struct {
	const char *name, *wrong, *missing;
} keys[KEYS] = {
	[VERSION] = { "version", "its version is not STSv1", "it has no version" },
	[MODE] = { "mode", "its mode is not enforce, testing or none", "it has no mode" },
	[MAX_AGE] = { "max_age", "its max_age is not a number of seconds", "it has no max_age" },
	[MX] = { "mx", "an mx of it is no name of a host, or there are too many", "it has no mx" },
};

static bool value_take(struct sts_policy *p, enum key key, struct str value, struct arena *arena)
{
	switch (key) {
	case VERSION:
		return str_equal(value, STR("STSv1"));
	case MODE:
		return mode_take(p, value);
	case MAX_AGE:
		return age_take(p, value);
	default:
		return pattern_take(p, value, arena);
	}
}

/* KEYS: none that is known. */
static enum key key_take(struct str line, struct str *value)
{
	ptrdiff_t colon = str_find(line, ':');
	struct str name = str_trim_line(str_slice(line, 0, colon < 0 ? 0 : (size_t)colon));
	enum key key = VERSION;

	while (key < KEYS && !str_equal(name, str_c(keys[key].name)))
		key++;
	*value = str_trim_line(str_slice(line, (size_t)(colon + 1), line.len));
	return key;
}

struct sts_policy *sts_policy_parse(struct str body, struct arena *arena, const char **wrong)
{
	struct sts_policy *p = ARENA_NEW(arena, struct sts_policy);
	bool seen[KEYS] = { false };
	struct buf lines = { 0 };
	struct str line, value;

	p->patterns = ARENA_ARRAY(arena, struct str, STS_PATTERNS_MAX);
	*wrong = NULL;
	while (!*wrong && str_split(&body, '\n', &line)) {
		enum key key = key_take(line, &value);

		if (key == KEYS || (key != MX && seen[key]))
			continue;
		seen[key] = true;
		if (!value_take(p, key, value, arena))
			*wrong = keys[key].wrong;
		buf_printf(&lines, "%s%s: %.*s", lines.len ? "\n" : "", keys[key].name,
			STR_ARG(value));
	}
	p->lines = arena_str(arena, buf_str(&lines));
	buf_free(&lines);
	for (enum key key = VERSION; key < KEYS && !*wrong; key++)
		if (!seen[key] && (key != MX || p->mode != STS_NONE))
			*wrong = keys[key].missing;
	return *wrong ? NULL : p;
}

/* The star is one label, all of it. */
static bool admits(struct str pattern, struct str host)
{
	ptrdiff_t dot;

	if (!str_starts(pattern, STR("*.")))
		return str_equal_case(pattern, host);
	dot = str_find(host, '.');
	return dot > 0 &&
		str_equal_case(
			str_slice(pattern, 1, pattern.len), str_slice(host, (size_t)dot, host.len));
}

bool sts_policy_admits(const struct sts_policy *p, struct str host)
{
	host = without_dot(host);
	for (size_t i = 0; i < p->count; i++)
		if (admits(p->patterns[i], host))
			return true;
	return false;
}
