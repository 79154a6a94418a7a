/* SPDX-License-Identifier: MIT
 *
 * The words for what becomes of a recipient, and for when.
 */
#include "admin/words.h"

#include "base/num.h"

#include <time.h>

void words_time(int64_t us, char text[WORDS_TIME])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	text[0] = '\0';
	if (us > 0 && gmtime_r(&seconds, &tm))
		strftime(text, WORDS_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

struct tmail_str words_str(const char *text)
{
	return (struct tmail_str){ *text ? text : NULL, strlen(text) };
}

struct tmail_str words_sender(struct tmail_str sender)
{
	return sender.len ? sender : (struct tmail_str)TMAIL_STR("<>");
}

const char *words_state(const struct tmail_queue_entry *e, enum queue_state state)
{
	static const char *const ends[] = {
		[TMAIL_FATE_DELIVERED] = "Delivered",
		[TMAIL_FATE_BOUNCED] = "Bounced",
		[TMAIL_FATE_EXPIRED] = "Expired",
		[TMAIL_FATE_DISCARDED] = "Discarded",
	};

	if (e->fate > TMAIL_FATE_DEFERRED)
		return e->fate <= TMAIL_FATE_DISCARDED ? ends[e->fate] : "Unknown";
	if (state == QUEUE_HELD)
		return "Held";
	return state == QUEUE_ACTIVE ? "Delivery in progress" : "Scheduled";
}

int64_t words_next(const struct tmail_queue_entry *e, enum queue_state state)
{
	bool waits = state == QUEUE_WAITING || state == QUEUE_DEFERRED;

	return waits && e->fate <= TMAIL_FATE_DEFERRED ? e->due : 0;
}

struct str words_why(const struct tmail_queue_entry *e)
{
	return e->held ? str_make(e->hold.data, e->hold.len)
		       : str_make(e->reply.data, e->reply.len);
}

static bool starts_with_code(struct str words)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= words.len || words.data[i] < '0' || words.data[i] > '9')
			return false;
	return true;
}

/* "mx.example.com:25", where nobody spoke */
static bool ends_with_port(struct str host)
{
	ptrdiff_t colon = str_find_last(host, ':');
	uint64_t port;

	return colon > 0 && num_u64(str_slice(host, (size_t)colon + 1, host.len), &port);
}

/* The colon behind the host: at the end of the first word, if that has an address or a port in it
 * or the code of a reply behind it. */
static ptrdiff_t host_end(struct str words)
{
	for (size_t i = 0; i + 1 < words.len && words.data[i] != ' '; i++) {
		struct str host = str_slice(words, 0, i);

		if (words.data[i] != ':' || words.data[i + 1] != ' ')
			continue;
		return str_find(host, '[') > 0 || ends_with_port(host) ||
				starts_with_code(str_slice(words, i + 2, words.len))
			? (ptrdiff_t)i
			: -1;
	}
	return -1;
}

struct str words_host(struct tmail_str reply)
{
	struct str words = str_make(reply.data, reply.len);
	ptrdiff_t end = host_end(words);

	return end < 0 ? STR("") : str_slice(words, 0, (size_t)end);
}

struct str words_without_host(struct tmail_str reply)
{
	struct str words = str_make(reply.data, reply.len);
	ptrdiff_t end = host_end(words);

	return end < 0 ? words : str_slice(words, (size_t)end + 2, words.len);
}
