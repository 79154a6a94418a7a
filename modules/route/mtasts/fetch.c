/* SPDX-License-Identifier: MIT
 *
 * libcurl's multi interface. What must hold: nothing but 200 and text/plain is a policy, over TLS
 * whose certificate is good for mta-sts.DOMAIN; no redirect, cache, proxy or cookie has a say; and
 * a server that hangs, or sends for ever, keeps nobody else waiting.
 */
#include "fetch.h"

#include "base/fail.h"
#include "base/list.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_A_TIME = 64, POLL_MS = 1000 };

struct fetch {
	struct link link;
	struct str domain, id; /* malloc'd */
	CURL *easy;
	struct curl_slist *resolve;
	struct buf body;
	bool too_long;
	char error[CURL_ERROR_SIZE];
};

struct fetcher {
	pthread_t thread;
	pthread_mutex_t lock;
	struct link waiting; /* to be begun */
	bool ending;
	/* the thread's own */
	CURLM *multi;
	struct link going;
	unsigned going_count;
	char *ca_file;
	int64_t timeout_ms;
	void (*done)(void *ctx, const struct fetched *);
	void *ctx;
};

static void fetch_free(struct fetch *one)
{
	curl_easy_cleanup(one->easy);
	curl_slist_free_all(one->resolve);
	buf_free(&one->body);
	free((char *)(uintptr_t)one->domain.data);
	free((char *)(uintptr_t)one->id.data);
	free(one);
}

/* ---- one transfer ------------------------------------------------------------------------ */

static size_t body_take(char *data, size_t size, size_t n, void *ctx)
{
	struct fetch *one = ctx;

	if (size * n > FETCH_BODY_MAX - one->body.len) {
		one->too_long = true;
		return 0;
	}
	buf_add(&one->body, str_make(data, size * n));
	return size * n;
}

/* False: the library does not know one of them. */
static bool options_set(struct fetch *one, const struct fetcher *f)
{
	struct buf url = { 0 };
	CURL *e = one->easy;
	bool ok;

	buf_printf(&url, "https://mta-sts.%.*s/.well-known/mta-sts.txt", STR_ARG(one->domain));
	ok = curl_easy_setopt(e, CURLOPT_URL, buf_c(&url)) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
			CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		(!f->ca_file || curl_easy_setopt(e, CURLOPT_CAINFO, f->ca_file) == CURLE_OK) &&
		(!f->ca_file || curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK) &&
		curl_easy_setopt(e, CURLOPT_RESOLVE, one->resolve) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_ERRORBUFFER, one->error) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_WRITEDATA, one) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_PRIVATE, one) == CURLE_OK;
	buf_free(&url);
	return ok;
}

static void end(struct fetcher *f, struct fetch *one, const char *result, struct str why)
{
	struct fetched fetched = { .domain = one->domain, .id = one->id };

	if (result) {
		fetched.result = str_c(result);
		fetched.why = why;
	} else {
		fetched.body = buf_str(&one->body);
	}
	f->done(f->ctx, &fetched);
	fetch_free(one);
}

static bool is_text_plain(const char *type)
{
	struct str s = str_c(type), kind = s;

	str_split(&s, ';', &kind);
	return str_equal_case(str_trim(kind), STR("text/plain"));
}

static void over(struct fetcher *f, struct fetch *one, CURLcode code)
{
	bool untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
	const char *type = NULL;
	struct buf why = { 0 };
	long status = 0;

	curl_easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(one->easy, CURLINFO_CONTENT_TYPE, &type);
	if (one->too_long)
		buf_printf(&why, "it has more than %d octets", FETCH_BODY_MAX);
	else if (code != CURLE_OK)
		buf_add_c(&why, one->error[0] ? one->error : curl_easy_strerror(code));
	else if (status != 200)
		buf_printf(&why, "the web server said %ld, not 200", status);
	else if (!is_text_plain(type))
		buf_printf(&why, "it is %.60s, not text/plain", type ? type : "of no type");
	end(f, one,
		why.len == 0        ? NULL
			: untrusted ? "sts-webpki-invalid"
				    : "sts-policy-fetch-error",
		buf_str(&why));
	buf_free(&why);
}

/* ---- the thread -------------------------------------------------------------------------- */

static void begin(struct fetcher *f, struct fetch *one)
{
	one->easy = curl_easy_init();
	if (!one->easy || !options_set(one, f) ||
		curl_multi_add_handle(f->multi, one->easy) != CURLM_OK) {
		end(f, one, "sts-policy-fetch-error", STR("libcurl does not do what it must"));
		return;
	}
	list_append(&f->going, &one->link);
	f->going_count++;
}

/* False: the end. */
static bool begin_waiting(struct fetcher *f)
{
	for (;;) {
		struct fetch *one = NULL;
		bool ending;

		pthread_mutex_lock(&f->lock);
		ending = f->ending;
		if (!ending && f->going_count < AT_A_TIME && !list_empty(&f->waiting)) {
			one = container_of(f->waiting.next, struct fetch, link);
			list_remove(&one->link);
		}
		pthread_mutex_unlock(&f->lock);
		if (!one)
			return !ending;
		begin(f, one);
	}
}

static void take_ended(struct fetcher *f)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(f->multi, &left))) {
		struct fetch *one = NULL;
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&one);
		curl_multi_remove_handle(f->multi, one->easy);
		list_remove(&one->link);
		f->going_count--;
		over(f, one, code);
	}
}

static void *work(void *ctx)
{
	struct fetcher *f = ctx;
	int running;

	while (begin_waiting(f)) {
		curl_multi_perform(f->multi, &running);
		take_ended(f);
		curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
	}
	return NULL;
}

/* ---- asked ------------------------------------------------------------------------------- */

static void fetcher_drop(struct fetcher *f)
{
	curl_multi_cleanup(f->multi);
	pthread_mutex_destroy(&f->lock);
	free(f->ca_file);
	free(f);
}

struct fetcher *fetcher_new(const char *ca_file, int64_t timeout_ms,
	void (*done)(void *ctx, const struct fetched *), void *ctx)
{
	struct fetcher *f;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	f = must_alloc(sizeof *f);
	f->multi = curl_multi_init();
	f->ca_file = ca_file ? str_dup_c(str_c(ca_file)) : NULL;
	f->timeout_ms = timeout_ms;
	f->done = done;
	f->ctx = ctx;
	list_init(&f->waiting);
	list_init(&f->going);
	pthread_mutex_init(&f->lock, NULL);
	if (f->multi && pthread_create(&f->thread, NULL, work, f) == 0)
		return f;
	fetcher_drop(f);
	return NULL;
}

void fetch_start(struct fetcher *f, struct str domain, struct str id, struct str addresses)
{
	struct fetch *one = must_alloc(sizeof *one);
	struct buf where = { 0 };

	one->domain = str_make(str_dup_c(domain), domain.len);
	one->id = str_make(str_dup_c(id), id.len);
	buf_printf(&where, "mta-sts.%.*s:443:%.*s", STR_ARG(domain), STR_ARG(addresses));
	one->resolve = curl_slist_append(NULL, buf_c(&where));
	buf_free(&where);
	pthread_mutex_lock(&f->lock);
	list_append(&f->waiting, &one->link);
	pthread_mutex_unlock(&f->lock);
	curl_multi_wakeup(f->multi);
}

static void drop_all(struct fetcher *f, struct link *list)
{
	LIST_EACH(struct fetch, one, list, link) {
		list_remove(&one->link);
		if (one->easy)
			curl_multi_remove_handle(f->multi, one->easy);
		fetch_free(one);
	}
}

void fetcher_free(struct fetcher **fp)
{
	struct fetcher *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->ending = true;
	pthread_mutex_unlock(&f->lock);
	curl_multi_wakeup(f->multi);
	pthread_join(f->thread, NULL);
	drop_all(f, &f->going);
	drop_all(f, &f->waiting);
	fetcher_drop(f);
}
