/* SPDX-License-Identifier: MIT
 *
 * store/journal: the embedded queue. This file is the module's face: settings, start and stop, and
 * the operations of the service, each of which is a function of the store.
 */
#include "find.h"
#include "lock.h"
#include "read.h"
#include "space.h"
#include "store.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct journal_conf {
	struct tmail_str directory;
	int64_t segment_size, keep_free, index_interval;
	int32_t sync;
};
struct journal {
	struct store *store;
	int lock;
};

static const struct tmail_option options[] = {
	TMAIL_FILE(struct journal_conf, directory, "directory", "store",
		"Folder of the journal, its spool and its index."),
	TMAIL_SIZE(struct journal_conf, segment_size, "segment_size", "64M", 64 * 1024,
		1024 * 1024 * 1024, "Size of the files of the journal; a multiple of 4096."),
	TMAIL_SIZE(struct journal_conf, keep_free, "keep_free", "32M", 0, INT64_MAX,
		"Octets of the file system that messages may not take."),
	TMAIL_DURATION(struct journal_conf, index_interval, "index_interval", "200ms", 10, 60000,
		"How long changes are gathered before they go to the index."),
	TMAIL_CHOICE(struct journal_conf, sync, "sync", "flush", "flush",
		"When a message counts as kept: when the disk has flushed it."),
};

struct store *journal_store(struct tmail_call *call)
{
	return ((struct journal *)call->self)->store;
}

/* ---- the service ------------------------------------------------------------------------- */

/* Every operation ends here: what the store has to say goes through this call. */
static int told(struct tmail_call *call, int status)
{
	notes_tell(&journal_store(call)->notes, call);
	return status;
}

static int answer(struct tmail_call *call, int status, const struct why *why)
{
	if (status == TMAIL_TRY_LATER)
		call->host->reply(call, 452, "4.3.1", "%s", why->text);
	return told(call, status);
}

static int op_write(struct tmail_call *call, const void *question, void *to)
{
	(void)to;
	store_write(journal_store(call), question);
	return told(call, TMAIL_OK);
}

static int op_claim(struct tmail_call *call, const void *question, void *to)
{
	struct memory memory = { .call = call };

	return told(call, store_claim(journal_store(call), question, &memory, to));
}

static int op_release(struct tmail_call *call, const void *question, void *to)
{
	(void)to;
	store_release(journal_store(call), question);
	return told(call, TMAIL_OK);
}

static int op_read(struct tmail_call *call, const void *question, void *to)
{
	struct memory memory = { .call = call };

	return told(call, store_read(journal_store(call), question, &memory, to));
}

static int op_find(struct tmail_call *call, const void *question, void *to)
{
	(void)to;
	return told(call, store_find(journal_store(call), question));
}

static int op_count(struct tmail_call *call, const void *question, void *to)
{
	(void)question;
	store_count(journal_store(call), to);
	return told(call, TMAIL_OK);
}

static int op_check(struct tmail_call *call, const void *question, void *to)
{
	(void)to;
	return told(call, store_check(journal_store(call), question));
}

static int op_reserve(struct tmail_call *call, const void *question, void *to)
{
	struct why why = { "" };

	(void)to;
	return answer(call, space_reserve(journal_store(call), question, &why), &why);
}

static int op_spool(struct tmail_call *call, const void *question, void *to)
{
	struct why why = { "" };
	bool full;

	(void)to;
	return answer(call, spool_write(journal_store(call), question, &full, &why), &why);
}

static int op_unspool(struct tmail_call *call, const void *question, void *to)
{
	struct memory memory = { .call = call };

	return told(call, store_unspool(journal_store(call), question, &memory, to));
}

static const struct tmail_operation operations[] = {
	{ TMAIL_QUEUE_WRITE, TMAIL_BLOCKING, op_write },
	{ TMAIL_QUEUE_CLAIM, TMAIL_BLOCKING, op_claim },
	{ TMAIL_QUEUE_RELEASE, 0, op_release },
	{ TMAIL_QUEUE_READ, TMAIL_BLOCKING, op_read },
	{ TMAIL_QUEUE_FIND, TMAIL_BLOCKING, op_find },
	{ TMAIL_QUEUE_COUNT, 0, op_count },
	{ TMAIL_QUEUE_CHECK, 0, op_check },
	{ TMAIL_QUEUE_RESERVE, 0, op_reserve },
	{ TMAIL_QUEUE_SPOOL, TMAIL_BLOCKING, op_spool },
	{ TMAIL_QUEUE_UNSPOOL, TMAIL_BLOCKING, op_unspool },
};
static const struct tmail_service services[] = {
	{ TMAIL_QUEUE, NULL, TMAIL_LIST(operations) },
};

/* ---- life-cycle -------------------------------------------------------------------------- */

static int journal_check(struct tmail_call *call)
{
	const struct journal_conf *conf = call->conf;

	if (conf->segment_size % BLOCK == 0)
		return TMAIL_OK;
	call->host->reply(call, 0, NULL, "segment_size is not a multiple of %d", BLOCK);
	return TMAIL_REFUSED;
}

static int start_failed(struct tmail_call *call, int status, const struct why *why)
{
	call->host->reply(call, 0, NULL, "%s", why->text);
	return status;
}

/* The setting as a path that open() takes; malloc'd. */
static char *folder_path(struct tmail_call *call, struct tmail_str setting)
{
	struct buf path = { 0 };

	if (setting.len == 0 || setting.data[0] != '/')
		buf_printf(&path, "%s/", call->host->base(call));
	buf_add(&path, str_make(setting.data, setting.len));
	buf_c(&path);
	return path.data;
}

static int store_start(struct tmail_call *call, const char *folder)
{
	const struct journal_conf *conf = call->conf;
	struct journal *self = call->self;
	struct store_settings settings = { .segment_size = (uint64_t)conf->segment_size,
		.keep_free = (uint64_t)conf->keep_free,
		.interval = conf->index_interval,
		.background = true };
	struct files *files;
	struct buf index = { 0 };
	struct why why;
	bool taken;

	files = files_open(folder, &why);
	if (!files)
		return start_failed(call, TMAIL_REFUSED, &why);
	self->lock = lock_take(folder, &taken, &why);
	if (self->lock < 0) {
		files_close(&files);
		return start_failed(call, taken ? TMAIL_TRY_LATER : TMAIL_REFUSED, &why);
	}
	buf_printf(&index, "%s/index.db", folder);
	settings.index_path = buf_c(&index);
	self->store = store_open(files, &settings, &why);
	if (!self->store) {
		files_close(&files);
		lock_drop(&self->lock);
		buf_free(&index);
		return start_failed(call, TMAIL_REFUSED, &why);
	}
	buf_free(&index);
	return told(call, TMAIL_OK);
}

static int journal_start(struct tmail_call *call)
{
	const struct journal_conf *conf = call->conf;
	struct journal *self = call->self;
	char *folder = folder_path(call, conf->directory);
	int status;

	self->lock = -1;
	status = store_start(call, folder);
	free(folder);
	return status;
}

static void journal_stop(struct tmail_call *call)
{
	struct journal *self = call->self;
	struct files *files;

	if (!self->store)
		return;
	notes_tell(&self->store->notes, call);
	files = self->store->files;
	store_close(&self->store);
	files_close(&files);
	lock_drop(&self->lock);
}

TMAIL_MODULE(journal, .capabilities = TMAIL_CAN_FILE | TMAIL_CAN_QUEUE, .name = "store/journal",
	.version = TMAIL_VERSION,
	.summary = "The embedded queue: accepted mail in a journal on disk.",
	.conf_size = sizeof(struct journal_conf), .self_size = sizeof(struct journal),
	.options = TMAIL_LIST(options), .services = TMAIL_LIST(services),
	.verbs = TMAIL_LIST(journal_verbs), .metrics = TMAIL_LIST(journal_metrics),
	.check = journal_check, .start = journal_start, .stop = journal_stop);
