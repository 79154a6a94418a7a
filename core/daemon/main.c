/* SPDX-License-Identifier: MIT
 *
 * The tmail program. All it does is in cli.c and what that calls, so that tests can link it.
 */
#include "daemon/daemon.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
