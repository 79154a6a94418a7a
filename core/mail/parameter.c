/* SPDX-License-Identifier: MIT
 *
 * The parameters of MAIL and RCPT: their common syntax (RFC 5321 4.1.2), then what each says, one
 * reader a row of a table. Nothing that could break a header of a report or of a log gets through:
 * decoded values hold no control octets.
 */
#include "base/encode.h"
#include "base/num.h"
#include "mail/command.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500, SIZE_DIGITS = 20 };

/* ---- syntax ------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool keyword_valid(struct str s)
{
	if (s.len == 0 || !is_alnum(s.data[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
	return true;
}

/* esmtp-value, with the UTF-8 of RFC 6531 3.3; who may send that is asked later. */
static bool value_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] <= ' ' || s.data[i] == '=' || s.data[i] == 0x7f)
			return false;
	return s.len > 0 && utf8_valid(s);
}

static bool parameter_cut(struct str piece, struct parameter *p)
{
	ptrdiff_t sign = str_find(piece, '=');

	*p = (struct parameter){ .name = piece, .has_value = sign >= 0 };
	if (sign >= 0) {
		p->name = str_slice(piece, 0, (size_t)sign);
		p->value = str_slice(piece, (size_t)sign + 1, piece.len);
		if (!value_valid(p->value))
			return false;
	}
	return keyword_valid(p->name);
}

static bool is_given(const struct parameters *parameters, struct str name)
{
	for (size_t i = 0; i < parameters->count; i++)
		if (str_equal_case(parameters->item[i].name, name))
			return true;
	return false;
}

bool parameters_parse(struct str rest, struct parameters *parameters, struct str *bad)
{
	struct parameters found = { .count = 0 };
	struct str piece;

	if (rest.len > 0 && rest.data[0] != ' ' && rest.data[0] != '\t') {
		*bad = rest;
		return false;
	}
	while (str_word(&rest, &piece)) {
		struct parameter p;

		if (found.count == COMMAND_PARAMETERS || !parameter_cut(piece, &p) ||
			is_given(&found, p.name)) {
			*bad = piece;
			return false;
		}
		found.item[found.count++] = p;
	}
	*parameters = found;
	return true;
}

/* ---- values ------------------------------------------------------------------------------ */

/* No control octets, neither of ASCII nor those of U+0080 to U+009F; ASCII alone without utf8. */
static bool printable(struct str s, bool utf8)
{
	if (!(utf8 ? utf8_valid(s) : ascii_only(s)))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
		if (s.data[i] == '\xc2' && (unsigned char)s.data[i + 1] < 0xa0)
			return false;
	}
	return true;
}

/* Appends one character; false for what no UTF-8 may hold (RFC 3629 3). */
static bool utf8_append(char *text, size_t *len, uint64_t code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	if (code < 0x80) {
		text[(*len)++] = (char)code;
	} else if (code < 0x800) {
		text[(*len)++] = (char)(0xc0 | code >> 6);
		text[(*len)++] = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		text[(*len)++] = (char)(0xe0 | code >> 12);
		text[(*len)++] = (char)(0x80 | (code >> 6 & 0x3f));
		text[(*len)++] = (char)(0x80 | (code & 0x3f));
	} else {
		text[(*len)++] = (char)(0xf0 | code >> 18);
		text[(*len)++] = (char)(0x80 | (code >> 12 & 0x3f));
		text[(*len)++] = (char)(0x80 | (code >> 6 & 0x3f));
		text[(*len)++] = (char)(0x80 | (code & 0x3f));
	}
	return true;
}

/* utf-8-enc-addr (RFC 6533 3): \x{HEX} for what may not stand for itself. What comes out is never
 * longer than what went in. */
static bool utf8_address_decode(struct str in, struct arena *arena, struct str *out)
{
	char *text = arena_alloc(arena, in.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		struct str rest = str_slice(in, i, in.len);
		ptrdiff_t close;
		uint64_t code;

		if (rest.data[0] == '+' || rest.data[0] == '=')
			return false;
		if (rest.data[0] != '\\') {
			text[len++] = rest.data[0];
			continue;
		}
		close = str_find(rest, '}');
		if (!str_starts(rest, STR("\\x{")) || close < 5 || close > 9)
			return false;
		if (!num_hex(str_slice(rest, 3, (size_t)close - 3), &code) ||
			!utf8_append(text, &len, code))
			return false;
		i += (size_t)close;
	}
	*out = str_make(text, len);
	return true;
}

/* "type;address" of ORCPT (RFC 3461 4.2): the type is an atom. */
static bool original_read(struct str value, bool utf8, struct arena *arena, struct str *original)
{
	ptrdiff_t semicolon = str_find(value, ';');
	struct str type, address;
	bool global;

	if (semicolon < 1 || value.len > ORCPT_MAX)
		return false;
	type = str_slice(value, 0, (size_t)semicolon);
	address = str_slice(value, (size_t)semicolon + 1, value.len);
	if (!keyword_valid(type) || address.len == 0 || (!utf8 && !ascii_only(address)))
		return false;
	global = str_equal_case(type, STR("utf-8"));
	if (!(global ? utf8_address_decode(address, arena, &address)
		     : xtext_decode(address, arena, &address)))
		return false;
	if (!printable(address, global))
		return false;
	*original = arena_printf(arena, "%.*s;%.*s", STR_ARG(type), STR_ARG(address));
	return true;
}

/* A comma list; NEVER stands alone (RFC 3461 4.1), and nothing is said twice. */
static enum parameter_result notify_read(struct str value, unsigned *notify)
{
	static const struct str words[] = { STR_INIT("NEVER"), STR_INIT("SUCCESS"),
		STR_INIT("FAILURE"), STR_INIT("DELAY") };
	unsigned bits = 0;
	struct str word;

	while (str_split(&value, ',', &word)) {
		unsigned i = 0;

		while (i < 4 && !str_equal_case(word, words[i]))
			i++;
		if (i == 4 || (bits & 1u << i))
			return PARAMETER_BAD;
		bits |= 1u << i;
	}
	if (bits == 0)
		return PARAMETER_BAD;
	if ((bits & 1) && bits != 1)
		return PARAMETER_CONFLICT;
	*notify = bits;
	return PARAMETER_OK;
}

/* ---- MAIL -------------------------------------------------------------------------------- */

struct mail_reading {
	struct arena *arena;
	struct mail_parameters *out;
};
typedef bool (*mail_reader)(const struct mail_reading *r, const struct parameter *p);

static bool read_size(const struct mail_reading *r, const struct parameter *p)
{
	uint64_t size = UINT64_MAX;

	if (p->value.len == 0 || p->value.len > SIZE_DIGITS)
		return false;
	for (size_t i = 0; i < p->value.len; i++)
		if (p->value.data[i] < '0' || p->value.data[i] > '9')
			return false;
	(void)num_u64(p->value, &size); /* what does not fit stays as big as can be */
	r->out->size = size;
	r->out->has_size = true;
	return true;
}

/* 8BITMIME only widens what may come; BINARYMIME was not offered (RFC 3030 3). */
static bool read_body(const struct mail_reading *r, const struct parameter *p)
{
	if (str_equal_case(p->value, STR("8BITMIME")))
		r->out->body = 1;
	else if (!str_equal_case(p->value, STR("7BIT")))
		return false;
	return true;
}

static bool read_smtputf8(const struct mail_reading *r, const struct parameter *p)
{
	r->out->smtputf8 = true;
	return !p->has_value;
}

static bool read_ret(const struct mail_reading *r, const struct parameter *p)
{
	if (str_equal_case(p->value, STR("FULL")))
		r->out->ret = 1;
	else if (str_equal_case(p->value, STR("HDRS")))
		r->out->ret = 2;
	return r->out->ret != 0;
}

static bool read_envid(const struct mail_reading *r, const struct parameter *p)
{
	struct str *envid = &r->out->envid;

	return p->has_value && xtext_decode(p->value, r->arena, envid) && envid->len <= ENVID_MAX &&
		printable(*envid, false);
}

/* A mailbox or "<>" (RFC 4954 5). Logins without a domain are sent as well: taken. */
static bool read_auth(const struct mail_reading *r, const struct parameter *p)
{
	unsigned flags = r->out->smtputf8 ? ADDRESS_UTF8 : 0;
	enum address_result result;
	struct address address;

	r->out->has_auth = true;
	if (!p->has_value || !xtext_decode(p->value, r->arena, &r->out->auth))
		return false;
	if (str_equal(r->out->auth, STR("<>")))
		return true;
	result = address_parse(r->out->auth, flags, r->arena, &address);
	return result == ADDRESS_OK || result == ADDRESS_NO_DOMAIN;
}

static const struct {
	struct str name;
	mail_reader read;
} mail_readers[] = {
	{ STR_INIT("SIZE"), read_size },
	{ STR_INIT("BODY"), read_body },
	{ STR_INIT("SMTPUTF8"), read_smtputf8 },
	{ STR_INIT("RET"), read_ret },
	{ STR_INIT("ENVID"), read_envid },
	{ STR_INIT("AUTH"), read_auth },
};
enum { MAIL_READERS = sizeof mail_readers / sizeof *mail_readers };

enum parameter_result mail_parameters_read(const struct parameters *in, struct arena *arena,
	struct mail_parameters *out, struct str *bad)
{
	struct mail_parameters read = { .smtputf8 = is_given(in, STR("SMTPUTF8")) };
	const struct mail_reading reading = { .arena = arena, .out = &read };

	for (size_t i = 0; i < in->count; i++) {
		const struct parameter *p = &in->item[i];
		size_t row = 0;

		while (row < MAIL_READERS && !str_equal_case(p->name, mail_readers[row].name))
			row++;
		if (row == MAIL_READERS) {
			*bad = p->name;
			return PARAMETER_UNKNOWN;
		}
		if ((!read.smtputf8 && !ascii_only(p->value)) ||
			!mail_readers[row].read(&reading, p)) {
			*bad = p->name;
			return PARAMETER_BAD;
		}
	}
	*out = read;
	return PARAMETER_OK;
}

/* ---- RCPT -------------------------------------------------------------------------------- */

static enum parameter_result rcpt_parameter_read(
	const struct parameter *p, bool utf8, struct arena *arena, struct rcpt_parameters *out)
{
	if (str_equal_case(p->name, STR("NOTIFY")))
		return notify_read(p->value, &out->notify);
	if (!str_equal_case(p->name, STR("ORCPT")))
		return PARAMETER_UNKNOWN;
	return original_read(p->value, utf8, arena, &out->original) ? PARAMETER_OK : PARAMETER_BAD;
}

enum parameter_result rcpt_parameters_read(const struct parameters *in, struct arena *arena,
	struct rcpt_parameters *out, struct str *bad)
{
	struct rcpt_parameters read = { .notify = 0 };

	for (size_t i = 0; i < in->count; i++) {
		enum parameter_result result =
			rcpt_parameter_read(&in->item[i], in->utf8, arena, &read);

		if (result != PARAMETER_OK) {
			*bad = in->item[i].name;
			return result;
		}
	}
	*out = read;
	return PARAMETER_OK;
}
