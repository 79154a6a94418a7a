/* SPDX-License-Identifier: MIT
 *
 * A script of events, as a server would have them: read, played to the modules, answers printed
 * and compared with what the script expects.
 */
#ifndef TOOLS_MODULE_TEST_SCRIPT_H
#define TOOLS_MODULE_TEST_SCRIPT_H

#include "host/generation.h"

#include <stdio.h>

struct script;

struct script *script_new(struct loop *loop, struct generation *g);
/* Plays all lines; how many of its expectations were not met, and lines not understood. */
unsigned script_play(struct script *s, FILE *in, const char *name);
void script_free(struct script **s);

#endif
