/* SPDX-License-Identifier: MIT
 *
 * Files: whole ones read and written so that a crash leaves the old or the new, folders made
 * and flushed. May wait: start-up, workers and commands only. -1 and errno are never shown:
 * failure is false and why.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/buf.h"
#include "base/fail.h"

bool file_read(const char *path, size_t limit, struct buf *out, struct why *why);
/* The rest of an open file; path is for `why`. */
bool file_read_fd(int fd, const char *path, size_t limit, struct buf *out, struct why *why);
/* Through a temporary file in the same folder: write, fsync, rename, fsync of the folder. */
bool file_write(const char *path, struct str content, unsigned mode, struct why *why);
bool file_exists(const char *path);
/* All folders of the path, mode 0700 for new ones. */
bool folder_make(const char *path, struct why *why);
bool folder_sync(const char *path, struct why *why);
/* Names in a folder that end with `suffix`, in byte order; one malloc'd array of C strings,
 * NULL at its end, to be freed with folder_free. */
char **folder_list(const char *path, const char *suffix, struct why *why);
void folder_free(char **names);
/* `path` if absolute, else base/path; malloc'd. */
char *path_join(const char *base, struct str path);
/* Every folder on an absolute path, and the file, is owned by root or by uid and nobody else
 * may write to it. A sticky folder of root's, as /tmp, may be on the way: what lies in it
 * cannot be replaced by others. */
bool path_trusted(const char *path, unsigned uid, struct why *why);
/* How many descriptors this process may have, once it has asked for all it is allowed. */
unsigned fd_limit(void);
bool fd_set_nonblocking(int fd);
bool fd_set_cloexec(int fd, bool on);
void fd_close(int *fd); /* and sets it to -1; harmless on -1 */

#endif
