/* SPDX-License-Identifier: MIT
 *
 * example: refuses senders whose domain is on a list. A module to begin from: rename it, keep
 * what you need. Its page is example.md.
 */
#include <tmail/module.h>

#include <string.h>

struct conf {
	struct tmail_list domains; /* of struct tmail_str */
};

static int ends_with(struct tmail_str address, struct tmail_str domain)
{
	return address.len > domain.len && address.data[address.len - domain.len - 1] == '@' &&
		memcmp(address.data + address.len - domain.len, domain.data, domain.len) == 0;
}

static enum tmail_verdict mail(struct tmail_call *call, const union tmail_event *event)
{
	const struct conf *conf = call->conf;

	TMAIL_EACH(struct tmail_str, domain, conf->domains) {
		if (!ends_with(event->mail.sender, *domain))
			continue;
		call->host->count(call, 0, 1);
		call->host->reply(call, 550, "5.7.1", "Mail from %.*s is not taken here",
			(int)domain->len, domain->data);
		return TMAIL_REJECT;
	}
	return TMAIL_CONTINUE;
}

static const struct tmail_option options[] = {
	TMAIL_STRINGS(struct conf, domains, "domains", NULL,
		"Domains, in lower case, whose mail is refused."),
};
static const struct tmail_hook hooks[] = {
	{ TMAIL_POINT_MAIL, TMAIL_DRY, mail },
};
static const struct tmail_metric metrics[] = {
	{ "example_refused", TMAIL_COUNTER, "senders that were refused" },
};

TMAIL_MODULE(example, .name = "site/example", .version = "1",
	.summary = "Refuses senders of listed domains.", .conf_size = sizeof(struct conf),
	.options = TMAIL_LIST(options), .hooks = TMAIL_LIST(hooks), .metrics = TMAIL_LIST(metrics));
