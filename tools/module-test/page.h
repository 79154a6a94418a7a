/* SPDX-License-Identifier: MIT
 *
 * A module's page: what it says of itself, for a person.
 */
#ifndef TOOLS_MODULE_TEST_PAGE_H
#define TOOLS_MODULE_TEST_PAGE_H

#include <tmail/module.h>

void page_print(const struct tmail_module *m);

#endif
