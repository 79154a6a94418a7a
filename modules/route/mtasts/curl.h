/* SPDX-License-Identifier: MIT
 *
 * libcurl, loaded by name when it is first needed, not with the module: with what it needs itself
 * it is 25 libraries, and the loader's work on them a sixth of all that a start takes.
 */
#ifndef MTASTS_CURL_H
#define MTASTS_CURL_H

#include "base/fail.h"

#include <curl/curl.h>

#define CURL_FUNCTIONS(_)                                                                          \
	_(global_init)                                                                             \
	_(version_info)                                                                            \
	_(slist_append)                                                                            \
	_(slist_free_all)                                                                          \
	_(easy_init)                                                                               \
	_(easy_setopt)                                                                             \
	_(easy_getinfo)                                                                            \
	_(easy_strerror)                                                                           \
	_(easy_cleanup)                                                                            \
	_(multi_init)                                                                              \
	_(multi_add_handle)                                                                        \
	_(multi_perform)                                                                           \
	_(multi_poll)                                                                              \
	_(multi_wakeup)                                                                            \
	_(multi_info_read)                                                                         \
	_(multi_remove_handle)                                                                     \
	_(multi_cleanup)

/* Its functions, without curl_ in front. */
struct curl {
#define CURL_MEMBER(name) __typeof__(&curl_##name) name;
	CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* From any thread that may wait for a disk. NULL: it cannot be had; who asks again tries again. */
const struct curl *curl_get(struct why *why);

#endif
