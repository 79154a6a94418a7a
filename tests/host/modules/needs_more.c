/* SPDX-License-Identifier: MIT
 *
 * A module that calls what nobody has: opening it fails.
 */
#include <tmail/module.h>

int nobody_has_this(void);

static int start(struct tmail_call *call)
{
	(void)call;
	return nobody_has_this();
}

TMAIL_MODULE(needs_more, .name = "test/needs-more", .version = "1", .summary = "Cannot be opened.",
	.start = start);
