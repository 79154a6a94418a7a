/* SPDX-License-Identifier: MIT
 *
 * ${name} in the text of a bounce. One pass: a value that looks like a name stays what it is.
 */
#include "mail/dsn.h"

static const struct str *value_of(struct str name, const struct str *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(name, pairs[2 * i]))
			return &pairs[2 * i + 1];
	return NULL;
}

/* "${name}" at the front: its length and value; 0: none that is known. */
static size_t reference(
	struct str s, const struct str *pairs, size_t count, const struct str **value)
{
	ptrdiff_t close;

	if (!str_starts(s, STR("${")))
		return 0;
	close = str_find(s, '}');
	if (close < 0)
		return 0;
	*value = value_of(str_slice(s, 2, (size_t)close - 2), pairs, count);
	return *value ? (size_t)close + 1 : 0;
}

void template_expand(struct buf *out, struct str text, const struct str *pairs, size_t count)
{
	ptrdiff_t dollar;

	while ((dollar = str_find(text, '$')) >= 0) {
		const struct str *value = NULL;
		size_t length;

		buf_add(out, str_slice(text, 0, (size_t)dollar));
		text = str_slice(text, (size_t)dollar, text.len);
		length = reference(text, pairs, count, &value);
		if (length > 0) {
			buf_add(out, *value);
		} else {
			buf_add_char(out, '$');
			length = 1;
		}
		text = str_slice(text, length, text.len);
	}
	buf_add(out, text);
}
