/* SPDX-License-Identifier: MIT
 *
 * A module as anybody would write it, for the tests of the loader.
 */
#include <tmail/module.h>

struct conf {
	struct tmail_str text;
};

static int start(struct tmail_call *call)
{
	const struct conf *conf = call->conf;

	if (conf->text.len == 0)
		return TMAIL_OK;
	call->host->reply(
		call, 0, NULL, "the text is '%.*s'", (int)conf->text.len, conf->text.data);
	return TMAIL_REFUSED;
}

static const struct tmail_option options[] = {
	TMAIL_STRING(struct conf, text, "text", NULL, "What it says when it does not start."),
};

TMAIL_MODULE(good_one, .name = "test/good-one", .version = "1", .summary = "A good module.",
	.conf_size = sizeof(struct conf), .options = TMAIL_LIST(options), .start = start);
