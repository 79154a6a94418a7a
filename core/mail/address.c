/* SPDX-License-Identifier: MIT
 *
 * Addresses and paths. There is one way in: a path is cut out first (brackets, source route), and
 * what is left goes through address_parse. A local part is unquoted and then written in the one
 * form that means it, so that "a"@b and a@b are one address wherever they are compared.
 */
#include "mail/address.h"

#include "base/encode.h"
#include "mail/domain.h"

/* A local part, read and put into canonical form. */
struct local {
	char text[ADDRESS_LOCAL_MAX];
	size_t len;
	size_t used; /* octets of the input */
};

/* atext of RFC 5322 3.2.3; octets of UTF-8 were checked before (RFC 6531 3.3). */
static bool is_atext(char c)
{
	if ((unsigned char)c >= 0x80)
		return true;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/* Does s begin with a dot-string? Answers how much of it is one; 0: none. */
static size_t dot_string(struct str s)
{
	size_t i = 0;

	for (;;) {
		size_t atom = i;

		while (i < s.len && is_atext(s.data[i]))
			i++;
		if (i == atom)
			return 0;
		if (i == s.len || s.data[i] != '.')
			return i;
		i++;
	}
}

/* U+0080 to U+009F, which terminals take for commands, are no part of an address (RFC 5198 2). */
static bool has_c1_control(struct str s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if (s.data[i] == '\xc2' && (unsigned char)s.data[i + 1] < 0xa0)
			return true;
	return false;
}

/* What the quoted string at the front says, without quotes and backslashes. */
static enum address_result unquote(struct str s, struct local *local)
{
	size_t i = 1;

	local->len = 0;
	for (; i < s.len && s.data[i] != '"'; i++) {
		if (s.data[i] == '\\') {
			i++;
			if (i == s.len || (unsigned char)s.data[i] >= 0x80)
				return ADDRESS_SYNTAX;
		}
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return ADDRESS_SYNTAX;
		if (local->len == sizeof local->text)
			return ADDRESS_LOCAL_LONG;
		local->text[local->len++] = s.data[i];
	}
	if (i == s.len)
		return ADDRESS_SYNTAX;
	local->used = i + 1;
	return ADDRESS_OK;
}

/* Puts the quotes back where the text is no dot-string. */
static enum address_result requote(struct local *local)
{
	char plain[ADDRESS_LOCAL_MAX];
	size_t len = local->len, at = 0;

	if (len > 0 && dot_string(str_make(local->text, len)) == len)
		return ADDRESS_OK;
	memcpy(plain, local->text, len);
	local->text[at++] = '"';
	for (size_t i = 0; i < len; i++) {
		bool escape = plain[i] == '"' || plain[i] == '\\';

		/* This octet, and the quote at the end. */
		if (at + (escape ? 3 : 2) > sizeof local->text)
			return ADDRESS_LOCAL_LONG;
		if (escape)
			local->text[at++] = '\\';
		local->text[at++] = plain[i];
	}
	local->text[at++] = '"';
	local->len = at;
	return ADDRESS_OK;
}

static enum address_result local_read(struct str s, struct local *local)
{
	enum address_result result;

	if (s.data[0] == '"') {
		result = unquote(s, local);
		if (result == ADDRESS_OK)
			result = requote(local);
		return result;
	}
	local->used = dot_string(s);
	if (local->used == 0)
		return ADDRESS_SYNTAX;
	if (local->used > ADDRESS_LOCAL_MAX)
		return ADDRESS_LOCAL_LONG;
	memcpy(local->text, s.data, local->used);
	local->len = local->used;
	return ADDRESS_OK;
}

/* "local" and "@domain" joined in the arena; domain may be empty. */
static void address_fill(
	struct address *address, struct str local, struct str domain, struct arena *arena)
{
	size_t len = local.len + (domain.len > 0 ? 1 + domain.len : 0);
	char *text = arena_alloc(arena, len + 1);

	memcpy(text, local.data, local.len);
	address->text = str_make(text, len);
	address->local = str_make(text, local.len);
	address->domain = str_make(text + len, 0);
	if (domain.len > 0) {
		text[local.len] = '@';
		memcpy(text + local.len + 1, domain.data, domain.len);
		if (domain.data[0] != '[')
			ascii_lower_all(text + local.len + 1, domain.len);
		address->domain = str_make(text + local.len + 1, domain.len);
	}
	address->utf8 = !ascii_only(address->text);
}

static enum address_result without_domain(
	struct str local, unsigned flags, struct arena *arena, struct address *address)
{
	const struct str postmaster = STR("postmaster");

	if (!(flags & ADDRESS_POSTMASTER) || !str_equal_case(local, postmaster))
		return ADDRESS_NO_DOMAIN;
	*address = (struct address){ .utf8 = false };
	address_fill(address, postmaster, str_make(NULL, 0), arena);
	return ADDRESS_OK;
}

/* The domain as text holds it. `literal` has room for one that is an address. */
static enum address_result domain_read(
	struct str *domain, struct ip *ip, char literal[DOMAIN_LITERAL_TEXT])
{
	*ip = (struct ip){ .family = 0 };
	if (domain->len > ADDRESS_DOMAIN_MAX)
		return ADDRESS_DOMAIN_LONG;
	if (domain->len > 0 && domain->data[0] == '[') {
		if (!domain_literal(*domain, ip))
			return ADDRESS_SYNTAX;
		*domain = domain_literal_text(ip, literal);
		return ADDRESS_OK;
	}
	return domain_valid(*domain, true) ? ADDRESS_OK : ADDRESS_SYNTAX;
}

enum address_result address_parse(
	struct str s, unsigned flags, struct arena *arena, struct address *address)
{
	char literal[DOMAIN_LITERAL_TEXT];
	enum address_result result;
	struct local local;
	struct str domain, text;
	struct ip ip;

	if (s.len == 0) {
		if (!(flags & ADDRESS_NULL))
			return ADDRESS_SYNTAX;
		*address = (struct address){ .utf8 = false };
		return ADDRESS_OK;
	}
	if (!utf8_valid(s))
		return ADDRESS_BAD_UTF8;
	if (!(flags & ADDRESS_UTF8) && !ascii_only(s))
		return ADDRESS_NEEDS_UTF8;
	result = local_read(s, &local);
	if (result != ADDRESS_OK)
		return result;
	text = str_make(local.text, local.len);
	if (has_c1_control(text))
		return ADDRESS_SYNTAX;
	if (local.used == s.len)
		return without_domain(text, flags, arena, address);
	if (s.data[local.used] != '@')
		return ADDRESS_SYNTAX;
	domain = str_slice(s, local.used + 1, s.len);
	result = domain_read(&domain, &ip, literal);
	if (result != ADDRESS_OK)
		return result;
	if (text.len + 1 + domain.len > ADDRESS_PATH_MAX)
		return ADDRESS_LONG;
	*address = (struct address){ .literal = ip };
	address_fill(address, text, domain, arena);
	return ADDRESS_OK;
}

/* Where a path ends: at its '>' or, without brackets, at a blank; neither counts in quotes.
 * False: it does not end. */
static bool path_length(struct str s, bool bracket, size_t *len)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (quoted && c == '\\') {
			i++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (bracket ? c == '>' : c == ' ' || c == '\t')) {
			*len = i;
			return true;
		}
	}
	*len = s.len;
	return !bracket;
}

/* Takes "@a,@b:" off the front (RFC 5321 4.1.1.3: accepted, and ignored). False: not one. */
static bool route_drop(struct str *path, unsigned flags)
{
	ptrdiff_t colon = str_find(*path, ':');
	struct str route, hop;

	if (colon < 0)
		return false;
	route = str_slice(*path, 0, (size_t)colon);
	while (str_split(&route, ',', &hop)) {
		if (hop.len == 0 || hop.data[0] != '@')
			return false;
		if (!domain_valid(str_slice(hop, 1, hop.len), flags & ADDRESS_UTF8))
			return false;
	}
	*path = str_slice(*path, (size_t)colon + 1, path->len);
	return path->len > 0;
}

enum address_result address_path(
	struct str *rest, unsigned flags, struct arena *arena, struct address *address)
{
	enum address_result result;
	struct str s = *rest, path;
	bool bracket;
	size_t len;

	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = str_slice(s, 1, s.len);
	bracket = s.len > 0 && s.data[0] == '<';
	if (bracket)
		s = str_slice(s, 1, s.len);
	else if (!(flags & ADDRESS_NO_BRACKETS) || s.len == 0)
		return ADDRESS_SYNTAX;
	if (!path_length(s, bracket, &len))
		return ADDRESS_SYNTAX;
	path = str_slice(s, 0, len);
	s = str_slice(s, bracket ? len + 1 : len, s.len);
	if (s.len > 0 && s.data[0] != ' ' && s.data[0] != '\t')
		return ADDRESS_SYNTAX;
	if (!utf8_valid(path))
		return ADDRESS_BAD_UTF8;
	if (bracket && path.len > 0 && path.data[0] == '@' && !route_drop(&path, flags))
		return ADDRESS_SYNTAX;
	result = address_parse(path, flags, arena, address);
	if (result == ADDRESS_OK)
		*rest = s;
	return result;
}

const char *address_explain(enum address_result result)
{
	switch (result) {
	case ADDRESS_OK:
		return "good";
	case ADDRESS_SYNTAX:
		return "not an address (RFC 5321 4.1.2)";
	case ADDRESS_LOCAL_LONG:
		return "local part is longer than 64 octets (RFC 5321 4.5.3.1.1)";
	case ADDRESS_DOMAIN_LONG:
		return "domain is longer than 255 octets (RFC 5321 4.5.3.1.2)";
	case ADDRESS_LONG:
		return "path is longer than 256 octets (RFC 5321 4.5.3.1.3)";
	case ADDRESS_NEEDS_UTF8:
		return "address is not ASCII and SMTPUTF8 was not said (RFC 6531 3.2)";
	case ADDRESS_BAD_UTF8:
		return "address is not well-formed UTF-8 (RFC 3629)";
	case ADDRESS_NO_DOMAIN:
		return "address has no domain";
	}
	return "not an address";
}

struct str address_domain(struct str text)
{
	ptrdiff_t at = str_find_last(text, '@');

	return at < 0 ? str_make(NULL, 0) : str_slice(text, (size_t)at + 1, text.len);
}

bool address_ascii(struct str text, struct arena *arena, struct str *ascii)
{
	struct str domain = address_domain(text), local = str_slice(text, 0, text.len - domain.len);

	if (!ascii_only(local) || domain.len == 0)
		return false;
	if (!ascii_only(domain) && !domain_ascii(domain, arena, &domain))
		return false;
	*ascii = arena_printf(arena, "%.*s%.*s", STR_ARG(local), STR_ARG(domain));
	return true;
}
