/* SPDX-License-Identifier: MIT
 *
 * libcurl's multi interface, on one thread. What must hold: nothing but 200 and text/plain is a
 * policy, over TLS whose certificate is good for mta-sts.DOMAIN; no redirect, cache, proxy or
 * cookie has a say; and a server that hangs, or sends for ever, keeps nobody else waiting.
 */
#include "fetch.h"

#include "curl.h"

#include "base/list.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_A_TIME = 64, POLL_MS = 1000 };

struct fetch {
	struct link link;
	struct str domain, id, where; /* malloc'd */
	CURL *easy;
	struct curl_slist *resolve;
	struct buf body;
	bool too_long;
	char error[CURL_ERROR_SIZE];
};

struct fetcher {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* something waits, or is to end, and nothing is under way */
	struct link waiting;   /* to be begun */
	bool ending;
	CURLM *multi; /* the thread's; for others to wake it up. NULL: nothing was fetched yet */
	/* the thread's own */
	const struct curl *curl;
	struct link going;
	unsigned going_count;
	char *ca_file;
	int64_t timeout_ms;
	void (*done)(void *ctx, const struct fetched *);
	void *ctx;
};

static void fetch_free(struct fetcher *f, struct fetch *one)
{
	if (one->easy)
		f->curl->easy_cleanup(one->easy);
	if (one->resolve)
		f->curl->slist_free_all(one->resolve);
	buf_free(&one->body);
	free((char *)(uintptr_t)one->domain.data);
	free((char *)(uintptr_t)one->id.data);
	free((char *)(uintptr_t)one->where.data);
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
	__typeof__(f->curl->easy_setopt) set = f->curl->easy_setopt;
	struct buf url = { 0 };
	CURL *e = one->easy;
	bool ok;

	buf_printf(&url, "https://mta-sts.%.*s/.well-known/mta-sts.txt", STR_ARG(one->domain));
	ok = set(e, CURLOPT_URL, buf_c(&url)) == CURLE_OK &&
		set(e, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
		set(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		set(e, CURLOPT_PROXY, "") == CURLE_OK &&
		set(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		set(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		set(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		(!f->ca_file || set(e, CURLOPT_CAINFO, f->ca_file) == CURLE_OK) &&
		(!f->ca_file || set(e, CURLOPT_CAPATH, NULL) == CURLE_OK) &&
		set(e, CURLOPT_RESOLVE, one->resolve) == CURLE_OK &&
		set(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
		set(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		set(e, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms) == CURLE_OK &&
		set(e, CURLOPT_ERRORBUFFER, one->error) == CURLE_OK &&
		set(e, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK &&
		set(e, CURLOPT_WRITEDATA, one) == CURLE_OK &&
		set(e, CURLOPT_PRIVATE, one) == CURLE_OK;
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
	fetch_free(f, one);
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

	f->curl->easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &status);
	f->curl->easy_getinfo(one->easy, CURLINFO_CONTENT_TYPE, &type);
	if (one->too_long)
		buf_printf(&why, "it has more than %d octets", FETCH_BODY_MAX);
	else if (code != CURLE_OK)
		buf_add_c(&why, one->error[0] ? one->error : f->curl->easy_strerror(code));
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

/* False: there is no libcurl, and why. */
static bool curl_ready(struct fetcher *f, struct why *why)
{
	CURLM *multi;

	if (f->multi)
		return true;
	f->curl = curl_get(why);
	if (!f->curl)
		return false;
	multi = f->curl->multi_init();
	pthread_mutex_lock(&f->lock);
	f->multi = multi;
	pthread_mutex_unlock(&f->lock);
	return multi != NULL;
}

static bool transfer_begin(struct fetcher *f, struct fetch *one, struct why *why)
{
	if (!curl_ready(f, why))
		return false;
	one->easy = f->curl->easy_init();
	one->resolve = f->curl->slist_append(NULL, one->where.data);
	return one->easy && options_set(one, f) &&
		f->curl->multi_add_handle(f->multi, one->easy) == CURLM_OK;
}

static void begin(struct fetcher *f, struct fetch *one)
{
	struct why why = { "libcurl does not do what it must" };

	if (!transfer_begin(f, one, &why)) {
		end(f, one, "sts-policy-fetch-error", str_c(why.text));
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

	while ((message = f->curl->multi_info_read(f->multi, &left))) {
		struct fetch *one = NULL;
		CURLcode code = message->data.result;

		f->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&one);
		f->curl->multi_remove_handle(f->multi, one->easy);
		list_remove(&one->link);
		f->going_count--;
		over(f, one, code);
	}
}

static void wait_for_wanted(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	while (!f->ending && list_empty(&f->waiting))
		pthread_cond_wait(&f->wanted, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static void *work(void *ctx)
{
	struct fetcher *f = ctx;
	int running;

	while (begin_waiting(f)) {
		if (f->going_count == 0) {
			wait_for_wanted(f);
			continue;
		}
		f->curl->multi_perform(f->multi, &running);
		take_ended(f);
		f->curl->multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
	}
	return NULL;
}

/* ---- asked ------------------------------------------------------------------------------- */

static void fetcher_drop(struct fetcher *f)
{
	if (f->multi)
		f->curl->multi_cleanup(f->multi);
	pthread_cond_destroy(&f->wanted);
	pthread_mutex_destroy(&f->lock);
	free(f->ca_file);
	free(f);
}

struct fetcher *fetcher_new(const char *ca_file, int64_t timeout_ms,
	void (*done)(void *ctx, const struct fetched *), void *ctx)
{
	struct fetcher *f = must_alloc(sizeof *f);

	f->ca_file = ca_file ? str_dup_c(str_c(ca_file)) : NULL;
	f->timeout_ms = timeout_ms;
	f->done = done;
	f->ctx = ctx;
	list_init(&f->waiting);
	list_init(&f->going);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wanted, NULL);
	if (pthread_create(&f->thread, NULL, work, f) == 0)
		return f;
	fetcher_drop(f);
	return NULL;
}

/* The lock is held. */
static void wake(struct fetcher *f)
{
	pthread_cond_signal(&f->wanted);
	if (f->multi)
		f->curl->multi_wakeup(f->multi);
}

void fetch_start(struct fetcher *f, struct str domain, struct str id, struct str addresses)
{
	struct fetch *one = must_alloc(sizeof *one);
	struct buf where = { 0 };

	one->domain = str_make(str_dup_c(domain), domain.len);
	one->id = str_make(str_dup_c(id), id.len);
	buf_printf(&where, "mta-sts.%.*s:443:%.*s", STR_ARG(domain), STR_ARG(addresses));
	one->where = str_make(str_dup_c(buf_str(&where)), where.len);
	buf_free(&where);
	pthread_mutex_lock(&f->lock);
	list_append(&f->waiting, &one->link);
	wake(f);
	pthread_mutex_unlock(&f->lock);
}

static void drop_all(struct fetcher *f, struct link *list)
{
	LIST_EACH(struct fetch, one, list, link) {
		list_remove(&one->link);
		if (one->easy)
			f->curl->multi_remove_handle(f->multi, one->easy);
		fetch_free(f, one);
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
	wake(f);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	drop_all(f, &f->going);
	drop_all(f, &f->waiting);
	fetcher_drop(f);
}
