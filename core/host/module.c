/* SPDX-License-Identifier: MIT
 *
 * Finding and opening modules. Only what is named is opened, by its absolute path, and only a
 * file that nobody but root and the server's user could have written. What is in a module is
 * descriptor.c's to judge.
 */
#include "host/module.h"

#include "base/buf.h"
#include "host/generation.h"
#include "sys/file.h"

#include <dlfcn.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>

static struct module *loaded; /* newest first */
static struct arena *module_arena;

struct preloaded {
	struct preloaded *next;
	const struct tmail_module *raw;
};
static struct preloaded *preloaded;

static struct arena *arena_of_modules(void)
{
	if (!module_arena)
		module_arena = arena_new(4096);
	return module_arena;
}

static bool name_part_valid(struct str s)
{
	if (s.len == 0 || s.len > 64)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

bool module_name_valid(const char *name)
{
	struct str rest = str_c(name), area, own;

	return str_split(&rest, '/', &area) && str_split(&rest, '/', &own) && !rest.data &&
		name_part_valid(area) && name_part_valid(own);
}

/* Where NAME of AREA may be in a folder of modules: installed; a build tree of libtool's; built
 * beside its source. */
enum place { PLACE_INSTALLED, PLACE_LIBTOOL, PLACE_BESIDE, PLACES };

static bool place_has(enum place place, const char *dir, const char *name, struct buf *path)
{
	static const char *const between[PLACES] = { "", "/.libs", "" };
	const char *own = strchr(name, '/') + 1;

	buf_clear(path);
	buf_printf(path, "%s/%s", dir, name);
	if (place != PLACE_INSTALLED)
		buf_printf(path, "%s/%s", between[place], own);
	buf_add_c(path, ".so");
	return file_exists(buf_c(path));
}

static bool folder_has(const char *dir, const char *name, struct buf *path)
{
	for (enum place p = 0; p < PLACES; p++)
		if (place_has(p, dir, name, path))
			return true;
	return false;
}

static const char *module_find(const char *name, const char *const *dirs, struct why *why)
{
	struct buf path = { 0 }, looked = { 0 };
	const char *found = NULL;

	for (const char *const *dir = dirs; !found && dir && *dir; dir++) {
		if (folder_has(*dir, name, &path))
			found = arena_c(arena_of_modules(), buf_str(&path));
		buf_printf(&looked, "%s%s", looked.len ? ", " : "", *dir);
	}
	if (!found)
		why_set(why, "there is no module '%s' in %s: is its package installed?", name,
			looked.len ? buf_c(&looked) : "any folder");
	buf_free(&path);
	buf_free(&looked);
	return found;
}

/* Binds every symbol now: libltdl would leave that to the first call, which would end the server,
 * and says only "file not found" for a symbol or a library that is missing. */
static void *file_bind(const char *file, struct why *why)
{
	void *bound = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!bound)
		why_set(why, "%s cannot be opened: %s", file, dlerror());
	return bound;
}

static lt_dlhandle bound_open(const char *file, struct why *why)
{
	lt_dladvise advise;
	lt_dlhandle handle;

	if (lt_dladvise_init(&advise) != 0) {
		why_set(why, "libltdl: %s", lt_dlerror());
		return NULL;
	}
	lt_dladvise_local(&advise);
	lt_dladvise_resident(&advise);
	handle = lt_dlopenadvise(file, advise);
	if (!handle)
		why_set(why, "%s cannot be opened: %s", file, lt_dlerror());
	lt_dladvise_destroy(&advise);
	return handle;
}

/* Closed only when libltdl has it: else all would be mapped and bound again. */
static lt_dlhandle file_open(const char *file, struct why *why)
{
	void *bound = file_bind(file, why);
	lt_dlhandle handle;

	if (!bound)
		return NULL;
	handle = bound_open(file, why);
	dlclose(bound);
	return handle;
}

static const struct tmail_module *file_descriptor(const char *file, struct why *why)
{
	static bool ready;
	const struct tmail_module *raw;
	lt_dlhandle handle;

	if (!ready && lt_dlinit() != 0) {
		why_set(why, "libltdl: %s", lt_dlerror());
		return NULL;
	}
	ready = true;
	handle = file_open(file, why);
	if (!handle)
		return NULL;
	raw = lt_dlsym(handle, "tmail_module"); /* finds NAME_LTX_tmail_module */
	if (!raw)
		why_set(why,
			"%s exports no NAME_LTX_tmail_module (NAME: the file's, `-` as `_`): "
			"is it a module of tmail, and does it end with TMAIL_MODULE(NAME, ...)?",
			file);
	return raw;
}

static struct module *module_keep(
	const char *name, const char *file, const struct tmail_module *raw, struct why *why)
{
	struct arena *arena = arena_of_modules();
	const struct tmail_module *descriptor = descriptor_check(raw, name, arena, why);
	struct module *m;
	uint32_t i = 0;

	if (!descriptor) {
		why_prefix(why, "%s", file);
		return NULL;
	}
	m = ARENA_NEW(arena, struct module);
	m->name = arena_c(arena, str_c(name));
	m->file = file;
	m->descriptor = descriptor;
	m->metrics = ARENA_ARRAY(arena, struct module_metric *, descriptor->metrics.count);
	TMAIL_EACH(struct tmail_metric, metric, descriptor->metrics)
		m->metrics[i++] = module_metric_of(metric);
	m->next = loaded;
	loaded = m;
	return m;
}

static struct module *module_loaded(const char *name)
{
	for (struct module *m = loaded; m; m = m->next)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

struct module *module_load(const char *name, const char *const *dirs, unsigned uid, struct why *why)
{
	const struct tmail_module *raw;
	struct module *m;
	const char *file;

	if (!module_name_valid(name)) {
		why_set(why, "'%s' is no name of a module: it is AREA/NAME, such as route/mx",
			name);
		return NULL;
	}
	if ((m = module_loaded(name)))
		return m;
	for (struct preloaded *p = preloaded; p; p = p->next)
		if (strcmp(p->raw->name, name) == 0)
			return module_keep(name, "(built in)", p->raw, why);
	file = module_find(name, dirs, why);
	if (!file || !path_trusted(file, uid, why))
		return NULL;
	raw = file_descriptor(file, why);
	return raw ? module_keep(name, file, raw, why) : NULL;
}

void module_preload(const struct tmail_module *m)
{
	struct preloaded *p = ARENA_NEW(arena_of_modules(), struct preloaded);

	must(m->name != NULL);
	p->raw = m;
	p->next = preloaded;
	preloaded = p;
}

const char *module_preload_file(const char *file, struct why *why)
{
	const struct tmail_module *raw = file_descriptor(file, why);

	if (!raw)
		return NULL;
	if (raw->magic != TMAIL_MAGIC || !raw->name) {
		why_set(why, "%s: this is no module of tmail", file);
		return NULL;
	}
	module_preload(raw);
	return raw->name;
}

const struct tmail_module *module_read(
	const char *name, const char *const *dirs, unsigned uid, struct why *why)
{
	struct module *m = module_load(name, dirs, uid, why);

	return m ? m->descriptor : NULL;
}

/* ---- names of all there are ------------------------------------------------------------ */

struct names {
	char **item;
	size_t count;
};

static void names_add(struct names *n, const char *name)
{
	if (!module_name_valid(name))
		return;
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->item[i], name) == 0)
			return;
	n->item = must_realloc(n->item, (n->count + 2) * sizeof *n->item);
	n->item[n->count++] = str_dup_c(str_c(name));
	n->item[n->count] = NULL;
}

/* What one area of a folder holds: NAME.so, or folders with it in a build tree. */
static void area_list(struct names *names, const char *dir, const char *area)
{
	struct buf name = { 0 }, path = { 0 };
	char *folder = path_join(dir, str_c(area));
	char **entries = folder_list(folder, "", NULL);

	for (char **e = entries; e && *e; e++) {
		struct str own = str_c(*e);

		if (str_ends_case(own, STR(".so")))
			own.len -= 3;
		buf_clear(&name);
		buf_printf(&name, "%s/%.*s", area, STR_ARG(own));
		if (module_name_valid(buf_c(&name)) && folder_has(dir, buf_c(&name), &path))
			names_add(names, buf_c(&name));
	}
	buf_free(&name);
	buf_free(&path);
	folder_free(entries);
	free(folder);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **module_list(const char *const *dirs)
{
	struct names names = { must_alloc(sizeof(char *)), 0 };

	for (struct preloaded *p = preloaded; p; p = p->next)
		names_add(&names, p->raw->name);
	for (const char *const *dir = dirs; dir && *dir; dir++) {
		char **areas = folder_list(*dir, "", NULL);

		for (char **area = areas; area && *area; area++)
			area_list(&names, *dir, *area);
		folder_free(areas);
	}
	qsort(names.item, names.count, sizeof *names.item, name_compare);
	return names.item;
}
