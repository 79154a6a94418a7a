/* SPDX-License-Identifier: MIT
 *
 * Pieces of what was said, judged by their form alone. Whether a mechanism is one of ours and
 * whether the password is right are others' business.
 */
#include "mail/sasl.h"

static bool is_mechanism(struct str name)
{
	if (name.len == 0 || name.len > SASL_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.data[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

bool sasl_argument_parse(struct str argument, struct sasl_argument *out)
{
	struct sasl_argument found = { .has_initial = false };
	struct str more;

	if (!str_word(&argument, &found.mechanism) || !is_mechanism(found.mechanism))
		return false;
	found.has_initial = str_word(&argument, &found.initial);
	if (str_word(&argument, &more))
		return false;
	if (str_equal(found.initial, STR("=")))
		found.initial.len = 0;
	*out = found;
	return true;
}

bool sasl_server_first(struct str mechanism)
{
	return str_equal_case(mechanism, STR("CRAM-MD5")) ||
		str_equal_case(mechanism, STR("DIGEST-MD5"));
}

bool sasl_text_fits(struct str text)
{
	return text.len > 0 && text.len <= SASL_TEXT_MAX && str_find(text, '\0') < 0;
}

bool sasl_plain_parse(struct str message, struct sasl_plain *out)
{
	struct sasl_plain found;
	struct str none;

	if (!str_split(&message, '\0', &found.authorize) ||
		!str_split(&message, '\0', &found.login) ||
		!str_split(&message, '\0', &found.password) || str_split(&message, '\0', &none))
		return false;
	if (found.authorize.len > SASL_TEXT_MAX || !sasl_text_fits(found.login) ||
		!sasl_text_fits(found.password))
		return false;
	*out = found;
	return true;
}
