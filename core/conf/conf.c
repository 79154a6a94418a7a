/* SPDX-License-Identifier: MIT
 *
 * Loading: the main file, then conf.d/<name>.conf beside it in the order of names, each by
 * import.c into one tree. A file that cannot be read is a problem like any other; the rest is
 * still looked at.
 */
#include "conf/conf.h"

#include "conf/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Far beyond any configuration, and within what libconfig's ints can count. */
enum { FILE_MAX_SIZE = 16 << 20 };

struct str path_under(struct arena *arena, const char *folder, struct str path)
{
	if (str_starts(path, STR("/")))
		return arena_str(arena, path);
	while (str_starts(path, STR("./")))
		path = str_slice(path, 2, path.len);
	if (path.len == 0 || str_equal(path, STR(".")))
		return arena_str(arena, str_c(folder));
	return arena_printf(arena, "%s/%.*s", strcmp(folder, "/") ? folder : "", STR_ARG(path));
}

/* An empty conf whose folder is that of the file. */
static struct conf *conf_new(const char *file)
{
	struct arena *arena = arena_new(16 * 1024);
	struct conf *c = ARENA_NEW(arena, struct conf);
	const char *slash = strrchr(file, '/');
	char *folder = arena_c(arena, str_make(file, slash ? (size_t)(slash - file) : 0));
	char *real = realpath(!slash ? "." : slash == file ? "/" : folder, NULL);

	c->arena = arena;
	c->root = ARENA_NEW(arena, struct conf_group);
	c->root->conf = c;
	c->root->file = arena_c(arena, str_c(file));
	c->folder = real ? arena_c(arena, str_c(real)) : *folder ? folder : ".";
	c->base = c->folder;
	free(real);
	return c;
}

static bool read_all(int fd, struct buf *out, struct why *why)
{
	enum { PIECE = 16 * 1024 };

	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, PIECE), PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_errno(why, "cannot read this file");
		if (n == 0)
			return true;
		out->len += (size_t)n;
		if (out->len > FILE_MAX_SIZE)
			return why_set(why, "this file is larger than %d MiB", FILE_MAX_SIZE >> 20);
	}
}

static void load_file(struct conf *c, const char *file, struct problems *problems)
{
	struct buf text = { 0 };
	struct why why;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		why_errno(&why, "cannot open this file");
	if (fd >= 0 && read_all(fd, &text, &why)) {
		import_text(c, buf_str(&text), arena_c(c->arena, str_c(file)), problems);
	} else {
		problem_at(problems, file, 0, "%s", why.text);
		c->torn = true;
	}
	if (fd >= 0)
		close(fd);
	buf_free_secret(&text);
}

/* Hidden files, and what an editor or a package manager leaves behind, do not end in .conf. */
static int is_conf_file(const struct dirent *entry)
{
	struct str name = str_c(entry->d_name);

	return name.data[0] != '.' && name.len > 5 &&
		str_equal(str_slice(name, name.len - 5, 5), STR(".conf"));
}

/* By octets, whatever the locale: the order of modules must not depend on it. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_folder(struct conf *c, const char *file, struct problems *problems)
{
	const char *slash = strrchr(file, '/');
	int before = slash ? (int)(slash - file) + 1 : 0;
	struct str folder = arena_printf(c->arena, "%.*sconf.d", before, file);
	struct dirent **entries;
	int count = scandir(folder.data, &entries, is_conf_file, by_octets);

	if (count < 0) {
		if (errno != ENOENT) {
			struct why why;

			why_errno(&why, "cannot read this folder");
			problem_at(problems, folder.data, 0, "%s", why.text);
			c->torn = true;
		}
		return;
	}
	for (int i = 0; i < count; i++) {
		load_file(c, arena_printf(c->arena, "%s/%s", folder.data, entries[i]->d_name).data,
			problems);
		free(entries[i]);
	}
	free(entries);
}

static void base_from_root(struct conf *c)
{
	struct str base = conf_string(c->root, "base");

	if (base.len)
		conf_base_set(c, base.data);
}

struct conf *conf_load(const char *file, struct problems *problems)
{
	struct conf *c = conf_new(file);

	load_file(c, file, problems);
	load_folder(c, file, problems);
	base_from_root(c);
	return c;
}

struct conf *conf_parse(struct str text, const char *name, struct problems *problems)
{
	struct conf *c = conf_new(name);

	import_text(c, text, c->root->file, problems);
	base_from_root(c);
	return c;
}

void conf_free(struct conf **c)
{
	struct arena *arena;

	if (!*c)
		return;
	arena = (*c)->arena;
	arena_secret(arena);
	arena_free(&arena);
	*c = NULL;
}

struct arena *conf_arena(struct conf *c)
{
	return c->arena;
}

const char *conf_base(const struct conf *c)
{
	return c->base;
}

void conf_base_set(struct conf *c, const char *base)
{
	c->base = path_under(c->arena, c->folder, str_c(base)).data;
}

const struct conf_group *conf_root(const struct conf *c)
{
	return c->root;
}
