/* SPDX-License-Identifier: MIT
 *
 * Certificates: their settings, their files, and what is made of them. A key is read into one
 * piece of memory, which is wiped when the library has it.
 */
#include "daemon/certificates.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct certificate_settings {
	struct tmail_str certificate, key;
};

enum { FILE_MOST = 256 * 1024 };

/* ---- settings ----------------------------------------------------------------------------- */

static const struct tmail_option pair_options[] = {
	{ "certificate", TMAIL_TYPE_FILE, TMAIL_REQUIRED,
		TMAIL_MEMBER(struct tmail_str, struct certificate_settings, certificate), NULL, 0,
		0,
		"File with the certificate and those between it and its root, in this order (PEM).",
		NULL, { NULL, 0, 0 }, 0, NULL },
	TMAIL_FILE(struct certificate_settings, key, "key", "",
		"File with its key (PEM); empty: it is in the file of the certificate."),
};

static const struct tmail_option options[] = {
	{ "certificates", TMAIL_TYPE_GROUPS, 0,
		TMAIL_MEMBER(struct tmail_list, struct tls_settings, certificates), NULL, 0, 0,
		"Certificates and their keys. A client gets one for the name that it wants, or "
		"the first; one name may have one for each kind of key (RSA, ECDSA).",
		NULL, TMAIL_LIST(pair_options), sizeof(struct certificate_settings),
		"( { certificate = \"tls/cert.pem\"; key = \"tls/key.pem\"; } )" },
	{ "create", TMAIL_TYPE_BOOL, 0, TMAIL_MEMBER(int32_t, struct tls_settings, create), "false",
		0, 0,
		"Make a certificate for `hostname`, signed by itself, where both files of one are "
		"missing at the start.",
		NULL, { NULL, 0, 0 }, 0, "true" },
	TMAIL_CHOICE(struct tls_settings, min_version, "min_version", "1.2", "1.2 1.3",
		"The oldest version that is spoken."),
	TMAIL_STRING(struct tls_settings, ciphers, "ciphers", "",
		"Ciphers of TLS 1.2, as OpenSSL writes them; empty: those with forward secrecy and "
		"authenticated encryption."),
	TMAIL_STRING(struct tls_settings, ciphersuites, "ciphersuites", "",
		"Ciphers of TLS 1.3, as OpenSSL writes them; empty: all of them."),
	TMAIL_BOOL(struct tls_settings, tickets, "tickets", "true",
		"Let clients resume sessions. The keys for it are made anew each hour, and are in "
		"no file."),
	TMAIL_CHOICE(struct tls_settings, client_certificates, "client_certificates", "never",
		"never optional required", "Ask clients for certificates."),
	TMAIL_FILE(struct tls_settings, client_ca, "client_ca", "",
		"File with the certificates (PEM) of those who may have signed the clients'."),
};
const struct tmail_list tls_options = TMAIL_LIST(options);

/* Strings of a configuration end with a NUL. */
static const char *key_path(const struct certificate_settings *one)
{
	return one->key.len ? one->key.data : one->certificate.data;
}

/* ---- files -------------------------------------------------------------------------------- */

static void each_file(
	const struct tls_settings *settings, void (*each)(void *ctx, const char *path), void *ctx)
{
	TMAIL_EACH(struct certificate_settings, one, settings->certificates) {
		each(ctx, one->certificate.data);
		each(ctx, key_path(one));
	}
	if (settings->client_ca.len)
		each(ctx, settings->client_ca.data);
}

static int file_open(const char *path, struct why *why)
{
	/* What is no file may wait for somebody to write. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	if (fd < 0)
		why_errno(why, "%s", path);
	else
		why_set(why, "%s: not a file", path);
	fd_close(&fd);
	return -1;
}

void tls_files_add(struct tls_files *files, const char *path, int fd)
{
	files->item = must_realloc(files->item, (files->count + 1) * sizeof *files->item);
	files->item[files->count++] = (struct tls_file){ str_dup_c(str_c(path)), fd };
}

static void one_open(void *ctx, const char *path)
{
	int fd = file_open(path, NULL);

	if (fd >= 0)
		tls_files_add(ctx, path, fd);
}

void tls_files_open(struct tls_files *files, const struct tls_settings *settings)
{
	each_file(settings, one_open, files);
}

void tls_files_free(struct tls_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		fd_close(&files->item[i].fd);
		free(files->item[i].path);
	}
	free(files->item);
	*files = (struct tls_files){ 0 };
}

static void one_stamp(void *ctx, const char *path)
{
	struct buf text = { 0 };
	uint64_t *stamp = ctx;
	struct stat st = { 0 };

	stat(path, &st); /* what is not there is nothing, and something when it comes */
	buf_add_u64(&text, *stamp);
	buf_add_u64(&text, st.st_dev);
	buf_add_u64(&text, st.st_ino);
	buf_add_u64(&text, (uint64_t)st.st_size);
	buf_add_u64(&text, (uint64_t)st.st_mtim.tv_sec);
	buf_add_u64(&text, (uint64_t)st.st_mtim.tv_nsec);
	*stamp = str_hash(buf_str(&text)) | 1;
	buf_free(&text);
}

uint64_t tls_files_stamp(const struct tls_settings *settings)
{
	uint64_t stamp = 0;

	each_file(settings, one_stamp, &stamp);
	return stamp;
}

/* Into one piece of memory, so that no other has a part of a key. */
static bool content_read(
	const struct tls_files *files, const char *path, struct buf *content, struct why *why)
{
	int fd = -1;
	bool ok;

	for (size_t i = 0; i < files->count && fd < 0; i++)
		if (!strcmp(files->item[i].path, path))
			fd = dup(files->item[i].fd);
	if (fd < 0)
		fd = file_open(path, why);
	if (fd < 0)
		return false;
	buf_reserve(content, FILE_MOST + 1);
	ok = lseek(fd, 0, SEEK_SET) == 0 && file_read_fd(fd, path, FILE_MOST, content, why);
	fd_close(&fd);
	return ok;
}

/* ---- made by ourselves -------------------------------------------------------------------- */

static bool is_missing(const struct certificate_settings *one)
{
	return !file_exists(one->certificate.data) && !file_exists(key_path(one));
}

static bool folder_of_file(const char *path, struct why *why)
{
	struct str folder = str_slice(str_c(path), 0, (size_t)str_find_last(str_c(path), '/'));
	char *name = str_dup_c(folder);
	bool ok = folder.len == 0 || folder_make(name, why);

	free(name);
	return ok;
}

static bool pair_create(
	const struct certificate_settings *one, struct str hostname, struct why *why)
{
	struct buf certificate = { 0 }, key = { 0 };
	bool ok = tls_make(hostname, &certificate, &key, why) &&
		folder_of_file(one->certificate.data, why) && folder_of_file(key_path(one), why);

	if (ok && one->key.len)
		ok = file_write(one->certificate.data, buf_str(&certificate), 0644, why);
	else if (ok)
		buf_add(&key, buf_str(&certificate));
	ok = ok && file_write(key_path(one), buf_str(&key), 0600, why);
	buf_free_secret(&key);
	buf_free(&certificate);
	return ok || why_prefix(why, "tls");
}

bool certificates_create(const struct tls_settings *settings, struct str hostname, struct why *why)
{
	TMAIL_EACH(struct certificate_settings, one, settings->certificates) {
		if (settings->create && is_missing(one) && !pair_create(one, hostname, why))
			return false;
	}
	return true;
}

/* ---- into use ----------------------------------------------------------------------------- */

static const char *text_or_null(struct tmail_str s)
{
	return s.len ? s.data : NULL;
}

struct loading { /* two buffers a pair, and one */
	struct tls_pair *pairs;
	struct buf *contents;
	size_t pair_count, content_count;
};

static bool pairs_read(struct loading *l, const struct tls_settings *settings,
	const struct tls_files *files, bool missing_ok, struct why *why)
{
	TMAIL_EACH(struct certificate_settings, one, settings->certificates) {
		struct buf *certificate = &l->contents[l->content_count++];
		struct buf *key = &l->contents[l->content_count++];

		if (missing_ok && settings->create && is_missing(one))
			continue;
		if (!content_read(files, one->certificate.data, certificate, why) ||
			!content_read(files, key_path(one), key, why))
			return false;
		l->pairs[l->pair_count++] = (struct tls_pair){ one->certificate.data, key_path(one),
			buf_str(certificate), buf_str(key) };
	}
	return true;
}

static bool loaded(struct loading *l, const struct tls_settings *settings,
	const struct tls_files *files, struct tls **tls, struct why *why)
{
	struct buf *signers = &l->contents[l->content_count++];
	struct tls_server_settings made = {
		.pairs = l->pairs,
		.pair_count = l->pair_count,
		.least = (enum tls_version)settings->min_version,
		.ciphers = text_or_null(settings->ciphers),
		.ciphersuites = text_or_null(settings->ciphersuites),
		.client_certificates = (enum tls_ask)settings->client_certificates,
		.tickets = settings->tickets,
	};

	if (settings->client_ca.len && !content_read(files, settings->client_ca.data, signers, why))
		return false;
	made.client_ca = buf_str(signers);
	*tls = tls_server_new(&made, why);
	return *tls != NULL;
}

bool certificates_load(const struct tls_settings *settings, const struct tls_files *files,
	bool missing_ok, struct tls **tls, struct why *why)
{
	size_t most = settings->certificates.count;
	struct loading l = { .pairs = must_alloc((most + 1) * sizeof *l.pairs),
		.contents = must_alloc((2 * most + 1) * sizeof *l.contents) };
	bool ok = pairs_read(&l, settings, files, missing_ok, why);

	*tls = NULL;
	if (ok && l.pair_count > 0)
		ok = loaded(&l, settings, files, tls, why);
	for (size_t i = 0; i < l.content_count; i++)
		buf_free_secret(&l.contents[i]);
	free(l.contents);
	free(l.pairs);
	return ok || why_prefix(why, "tls");
}
