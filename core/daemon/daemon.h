/* SPDX-License-Identifier: MIT
 *
 * The processes of tmail and what a command line can start. Each answers an exit status.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "admin/verb.h"

enum { EXIT_GOOD = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2 };

/* The command line, whole. */
int cli_main(int argc, char **argv);

/* `tmail serve`: holds the sockets, keeps a server running. */
int parent_main(const char *file);
/* The server under it, which finds the parent at this descriptor. */
enum { SERVER_CHANNEL = 3 };
#define SERVER_WORD "--server"
int server_main(const char *file);

/* A verb with no server to ask; takes what the verb needs from the configuration. */
enum verb_result offline_run(
	const char *file, const struct str *words, size_t count, struct output *o);
/* `tmail check`: all mistakes to o->fail, one each. */
enum verb_result check_run(const char *file, struct output *o);

/* tmail.conf.sample and manual pages, from the tables. */
void sample_print(struct buf *out, const char *const *module_dirs, unsigned uid);
/* "tmail", "tmail.conf", or a module. False with why: there is no such page. */
bool man_print(struct buf *out, const char *page, const char *const *module_dirs, unsigned uid,
	struct why *why);
void help_print(struct buf *out, const struct verb *verbs, size_t count);
void verbs_print(struct buf *out, const struct verb *verbs, size_t count, struct str group);
/* The list of commands, with the modules' verbs if the configuration can be read; or of those of a
 * group ("queue"). False: there are none, and nothing was printed. */
bool help_run(const char *file, struct str group);
/* The commands of the program itself, one a line. */
void commands_print(struct buf *out);
void commands_man(struct buf *out);

#endif
