/* SPDX-License-Identifier: MIT
 *
 * Once loaded it stays: libcurl and those it brings leave threads and handlers behind.
 */
#include "curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

enum { VERSION_LEAST = 0x075500 }; /* 7.85: CURLOPT_PROTOCOLS_STR */

/* Whose TLS is OpenSSL's, and Debian's with that of GnuTLS: the same functions. */
#define NAME "libcurl.so.4"
static const char *const names[] = { NAME, "libcurl-gnutls.so.4" };

/* For who packages the module, since no linker says so: the note that dlopen's users agreed upon
 * (uapi-group.org, "ELF notes for dlopen() metadata"). */
#define WANTED                                                                                     \
	"[{\"soname\":[\"" NAME "\"],\"feature\":\"mtasts\","                                      \
	"\"description\":\"fetches MTA-STS policies\",\"priority\":\"required\"}]"

static const struct {
	unsigned name_size, size, type;
	char name[4], text[(sizeof WANTED + 3) / 4 * 4];
} note __attribute__((used, aligned(4), section(".note.dlopen"))) = { 4, sizeof WANTED, 0x407c0c0a,
	"FDO", WANTED };

static const struct function {
	const char *name;
	size_t at;
} functions[] = {
#define CURL_FUNCTION(name) { "curl_" #name, offsetof(struct curl, name) },
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of these two */
static struct curl curl;
static bool there;

static bool curl_load(struct why *why)
{
	void *library = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++) {
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		if (!library && i == 0)
			why_set(why, "%s", dlerror());
	}
	if (!library)
		return false;
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *symbol = dlsym(library, functions[i].name);

		if (!symbol)
			return why_set(why, "%s", dlerror());
		memcpy((char *)&curl + functions[i].at, &symbol, sizeof symbol);
	}
	if (curl.version_info(CURLVERSION_NOW)->version_num < VERSION_LEAST)
		return why_set(why, "libcurl is %s; 7.85 is the least that will do",
			curl.version_info(CURLVERSION_NOW)->version);
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return why_set(why, "libcurl does not start");
	return true;
}

const struct curl *curl_get(struct why *why)
{
	bool is_there;

	pthread_mutex_lock(&lock);
	is_there = there = there || curl_load(why);
	pthread_mutex_unlock(&lock);
	return is_there ? &curl : NULL;
}
