/* SPDX-License-Identifier: MIT
 *
 * A real name server for a test: nsd with zones as text, on a port of the loopback.
 */
#ifndef TESTS_LIB_NSD_H
#define TESTS_LIB_NSD_H

#include <stdbool.h>
#include <sys/types.h>

struct nsd_zone {
	const char *name; /* "example.test" */
	const char *text; /* of the zone file; NULL: there is none, which answers SERVFAIL */
	bool sign;        /* with keys of its own; needs ldnsutils */
};
struct nsd {
	pid_t pid;
	unsigned short port;
	char folder[64];
	char server[32];  /* "127.0.0.1@PORT", libunbound's form */
	char anchor[128]; /* file with the keys of the signed zones */
};

/* False when nsd (or ldnsutils) is not installed: the test cannot run. Else it answers when this
 * returns. Aborts on anything else. */
bool nsd_start(struct nsd *n, const struct nsd_zone *zones, unsigned count);
void nsd_stop(struct nsd *n);

#endif
