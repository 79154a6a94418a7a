/* SPDX-License-Identifier: MIT
 *
 * What a client sends to log in: an argument of AUTH, the base64 in it, the message of PLAIN in
 * that. What decodes has one spelling only, and pieces are pieces of what was given.
 */
#include "base/encode.h"
#include "mail/sasl.h"

#include "tests/fuzz/fuzz.h"

static void inside(struct str piece, struct str whole)
{
	if (piece.len > 0)
		must(piece.data >= whole.data && piece.data + piece.len <= whole.data + whole.len);
}

static void message(struct str text)
{
	struct sasl_plain plain;

	if (!sasl_plain_parse(text, &plain))
		return;
	inside(plain.authorize, text);
	inside(plain.login, text);
	inside(plain.password, text);
	must(sasl_text_fits(plain.login) && sasl_text_fits(plain.password));
	must(plain.authorize.len + plain.login.len + plain.password.len + 2 == text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	struct buf decoded = { 0 }, again = { 0 };
	struct sasl_argument argument;

	message(in);
	if (sasl_argument_parse(in, &argument)) {
		must(argument.mechanism.len > 0 && argument.mechanism.len <= SASL_NAME_MAX);
		inside(argument.mechanism, in);
		inside(argument.initial, in);
		if (base64_decode(&decoded, argument.initial)) {
			base64_encode(&again, buf_str(&decoded));
			must(str_equal(buf_str(&again), argument.initial));
			message(buf_str(&decoded));
		}
	}
	buf_free(&decoded);
	buf_free(&again);
	return 0;
}
