/* SPDX-License-Identifier: MIT
 *
 * The group `tls` of the settings: certificates and keys, from files that only root may be able to
 * read. Who is root (the parent; a command before it becomes somebody else) opens them, and hands
 * over the descriptors.
 */
#ifndef DAEMON_CERTIFICATES_H
#define DAEMON_CERTIFICATES_H

#include "base/str.h"
#include "net/tls.h"

#include <tmail/module.h>

struct tls_settings {
	struct tmail_list certificates; /* of struct certificate_settings */
	int32_t create, tickets;
	int32_t min_version;         /* enum tls_version */
	int32_t client_certificates; /* enum tls_ask */
	struct tmail_str ciphers, ciphersuites, client_ca;
};
extern const struct tmail_list tls_options;

/* Open files, each by its name in the settings. Zeroed is none. */
struct tls_files {
	struct tls_file {
		char *path;
		int fd;
	} * item;
	size_t count;
};
void tls_files_add(struct tls_files *files, const char *path, int fd); /* takes fd */
/* All that the settings name and that can be opened. */
void tls_files_open(struct tls_files *files, const struct tls_settings *settings);
void tls_files_free(struct tls_files *files);
/* Another number when one of these files is another, or has changed; 0: there are none. */
uint64_t tls_files_stamp(const struct tls_settings *settings);

/* Pairs of which both files are missing are made, if the settings say so. */
bool certificates_create(const struct tls_settings *settings, struct str hostname, struct why *why);
/* From the files given, or opened here where one was not. *tls is NULL when the settings name no
 * certificate. missing_ok: pairs that certificates_create would make are passed over. */
bool certificates_load(const struct tls_settings *settings, const struct tls_files *files,
	bool missing_ok, struct tls **tls, struct why *why);

#endif
