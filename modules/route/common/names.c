/* SPDX-License-Identifier: MIT
 *
 * Names, folded. What libidn2 makes of a name is judged as if it had been written so.
 */
#include "names.h"

#include "base/encode.h"

#include <idn2.h>

static bool is_name(struct str s)
{
	struct str label;

	if (s.len == 0 || s.len > NAME_MAX_LEN)
		return false;
	while (str_split(&s, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = ascii_lower(label.data[i]);

			if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
				c != '_')
				return false;
		}
	}
	return true;
}

static bool ascii_fold(struct str in, char room[NAME_MAX_LEN + 1], struct str *out)
{
	if (!is_name(in))
		return false;
	memcpy(room, in.data, in.len);
	room[in.len] = '\0';
	ascii_lower_all(room, in.len);
	*out = str_make(room, in.len);
	return true;
}

bool name_fold(struct str in, char room[NAME_MAX_LEN + 1], struct str *out)
{
	char text[NAME_MAX_LEN + 1] = { 0 };
	uint8_t *ascii = NULL;
	bool good;

	if (str_ends_case(in, STR(".")))
		in.len--;
	if (ascii_only(in))
		return ascii_fold(in, room, out);
	if (in.len > NAME_MAX_LEN || str_find(in, '\0') >= 0 || !utf8_valid(in))
		return false;
	memcpy(text, in.data, in.len);
	if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
		IDN2_OK)
		return false;
	good = ascii_fold(str_c((const char *)ascii), room, out);
	idn2_free(ascii);
	return good;
}

void address_fold(struct str in, struct buf *out)
{
	size_t domain_at = (size_t)(str_find_last(in, '@') + 1), from = out->len;
	struct str domain = str_slice(in, domain_at, in.len);
	char room[NAME_MAX_LEN + 1];

	name_fold(domain, room, &domain);
	buf_add(out, str_slice(in, 0, domain_at));
	buf_add(out, domain);
	ascii_lower_all(out->data + from, out->len - from);
}
