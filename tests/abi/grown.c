/* SPDX-License-Identifier: MIT
 *
 * A module as it is compiled against another minor of the contract: every list it shows and
 * every struct it is shown may have another size than the core's. The test compiles it against
 * older and newer headers.
 */
#include <tmail/module.h>

#include <string.h>

struct conf {
	int32_t flag;
	struct tmail_str text;
};

static int equal(struct tmail_str s, const char *c)
{
	return s.len == strlen(c) && memcmp(s.data, c, s.len) == 0;
}

/* Walks what it is shown by stride, and says what it saw. */
static enum tmail_verdict mail(struct tmail_call *call, const union tmail_event *event)
{
	const struct conf *conf = call->conf;
	unsigned recipients = 0, parameters = 0;

	TMAIL_EACH(struct tmail_recipient, r, call->envelope->recipients)
		recipients += equal(r->address, "a@example.com");
	TMAIL_EACH(struct tmail_parameter, p, event->mail.parameters)
		parameters += equal(p->name, "SIZE");
	call->host->count(call, 1, 5);
	call->host->reply(call, 550, "5.7.1", "%d %.*s %u %u", conf->flag, (int)conf->text.len,
		conf->text.data, recipients, parameters);
	return TMAIL_REJECT;
}

static int operation(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	*(int *)answer = *(const int *)question + 1;
	return TMAIL_OK;
}

static const struct tmail_option options[] = {
	TMAIL_BOOL(struct conf, flag, "flag", "true", "A flag."),
	TMAIL_STRING(struct conf, text, "text", "none", "A text."),
};
static const struct tmail_hook hooks[] = {
	{ .point = TMAIL_POINT_RCPT, .run = mail },
	{ .point = TMAIL_POINT_MAIL, .run = mail },
};
static const struct tmail_operation operations[] = {
	{ .op = 1, .run = operation },
	{ .op = 2, .run = operation },
};
static const struct tmail_service services[] = {
	{ .name = "one", .operations = TMAIL_LIST(operations) },
	{ .name = "two", .operations = TMAIL_LIST(operations) },
};
static const struct tmail_metric metrics[] = {
	{ "grown_zero", TMAIL_COUNTER, "Nothing." },
	{ "grown_one", TMAIL_COUNTER, "Something." },
};

TMAIL_EXPORT extern const struct tmail_module grown_LTX_tmail_module;
const struct tmail_module grown_LTX_tmail_module = { .magic = TMAIL_MAGIC,
	.abi_major = TMAIL_ABI_MAJOR,
	.abi_minor = TMAIL_ABI_MINOR,
	.abi_needs = NEEDS,
	.size = sizeof(struct tmail_module),
	.name = "test/grown",
	.version = "1",
	.summary = "Compiled against another minor.",
	.conf_size = sizeof(struct conf),
	.options = TMAIL_LIST(options),
	.hooks = TMAIL_LIST(hooks),
	.services = TMAIL_LIST(services),
	.metrics = TMAIL_LIST(metrics) };
