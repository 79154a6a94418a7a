/* SPDX-License-Identifier: MIT
 *
 * Names and address literals. A name in ASCII is judged by letters, digits and hyphens alone; one
 * that is not goes through libidn2 and must come back label by label: what was ASCII unchanged,
 * what was not as an A-label. So nothing that merely looks like an ASCII name, or hides a dot, a
 * slash or an at sign in one character, is ever taken for one.
 */
#include "mail/domain.h"

#include "base/encode.h"

#include <idn2.h>

enum { LABEL_MAX = 63 };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Neither ASCII alone, nor with control characters (U+0080 to U+009F). */
static bool unicode_valid(struct str label)
{
	for (size_t i = 0; i + 1 < label.len; i++)
		if (label.data[i] == '\xc2' && (unsigned char)label.data[i + 1] < 0xa0)
			return false;
	return !ascii_only(label);
}

/* "xn--" promises that the rest is Punycode for something that is not ASCII (RFC 5890 2.3.2.1).
 * More is not asked of it: names registered under older rules get mail as well. */
static bool alabel_valid(struct str label)
{
	char text[LABEL_MAX + 1] = { 0 };
	char *decoded = NULL;
	bool valid;

	memcpy(text, label.data, label.len);
	if (idn2_to_unicode_8z8z(text, &decoded, 0) != IDN2_OK)
		return false;
	valid = unicode_valid(str_c(decoded));
	idn2_free(decoded);
	return valid;
}

static bool label_valid(struct str label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.data[i]) && label.data[i] != '-')
			return false;
	if (label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	return !str_starts_case(label, STR("xn--")) || alabel_valid(label);
}

static bool ldh_valid(struct str s)
{
	struct str label;

	while (str_split(&s, '.', &label))
		if (!label_valid(label))
			return false;
	return true;
}

/* Is `ascii` what `s` says, and no more than that? */
static bool same_labels(struct str s, struct str ascii)
{
	struct str from, to;

	while (str_split(&s, '.', &from)) {
		if (!str_split(&ascii, '.', &to))
			return false;
		if (ascii_only(from) ? !str_equal_case(from, to) : !str_starts(to, STR("xn--")))
			return false;
	}
	return !str_split(&ascii, '.', &to);
}

/* The A-label form of a name that is not ASCII; `text` has room for 255 octets and a NUL. */
static bool idn_ascii(struct str s, char text[DOMAIN_MAX + 1], size_t *len)
{
	char from[DOMAIN_MAX + 1] = { 0 };
	uint8_t *to = NULL;
	struct str ascii;
	bool good;

	if (s.len > DOMAIN_MAX || str_find(s, '\0') >= 0 || !utf8_valid(s))
		return false;
	memcpy(from, s.data, s.len);
	if (idn2_lookup_u8((const uint8_t *)from, &to, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
		IDN2_OK)
		return false;
	ascii = str_c((const char *)to);
	good = ascii.len <= DOMAIN_MAX && ldh_valid(ascii) && same_labels(s, ascii);
	if (good) {
		memcpy(text, ascii.data, ascii.len);
		*len = ascii.len;
	}
	idn2_free(to);
	return good;
}

bool domain_valid(struct str s, bool utf8)
{
	char text[DOMAIN_MAX + 1];
	size_t len;

	if (s.len == 0 || s.len > DOMAIN_MAX)
		return false;
	if (ascii_only(s))
		return ldh_valid(s);
	return utf8 && idn_ascii(s, text, &len);
}

bool domain_ascii(struct str s, struct arena *arena, struct str *ascii)
{
	char text[DOMAIN_MAX + 1];
	size_t len;

	if (ascii_only(s)) {
		if (!domain_valid(s, false))
			return false;
		*ascii = arena_str_lower(arena, s);
		return true;
	}
	if (!idn_ascii(s, text, &len))
		return false;
	*ascii = arena_str_lower(arena, str_make(text, len));
	return true;
}

bool domain_literal(struct str s, struct ip *ip)
{
	const struct str tag = STR("IPv6:");
	struct str inside;
	bool tagged;

	if (s.len < 3 || s.data[0] != '[' || s.data[s.len - 1] != ']')
		return false;
	inside = str_slice(s, 1, s.len - 2);
	tagged = str_starts_case(inside, tag);
	if (tagged)
		inside = str_slice(inside, tag.len, inside.len);
	/* The tag says which family it is; what came with the other one's form is neither. */
	if (tagged != (str_find(inside, ':') >= 0))
		return false;
	return ip_parse(inside, ip);
}

struct str domain_literal_text(const struct ip *ip, char text[DOMAIN_LITERAL_TEXT])
{
	const struct str tag = ip->family == 6 ? STR("[IPv6:") : STR("[");
	char plain[IP_TEXT];
	size_t len;

	ip_text(ip, plain);
	len = strlen(plain);
	memcpy(text, tag.data, tag.len);
	memcpy(text + tag.len, plain, len);
	text[tag.len + len] = ']';
	text[tag.len + len + 1] = '\0';
	return str_make(text, tag.len + len + 1);
}

bool domain_or_literal(struct str s)
{
	struct ip ip;

	return domain_valid(s, false) || domain_literal(s, &ip);
}

struct str domain_parent(struct str s)
{
	ptrdiff_t dot = str_find(s, '.');

	return dot < 0 ? str_make(NULL, 0) : str_slice(s, (size_t)dot + 1, s.len);
}

struct str domain_key(struct str domain, struct arena *arena)
{
	struct str ascii;

	if (ascii_only(domain) || !domain_ascii(domain, arena, &ascii))
		return domain;
	return ascii;
}
