/* SPDX-License-Identifier: MIT
 *
 * Local addresses, parsed and drawn, and their names.
 */
#include "queue/source.h"

#include "mail/domain.h"
#include "sys/clock.h"

static bool source_add(struct sources *s, struct str text, struct why *why)
{
	struct ip ip;

	text = str_trim(text);
	if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		text = str_slice(text, 1, text.len - 2);
	if (text.len == 0)
		return true;
	if (!ip_parse(text, &ip))
		return why_set(why, "invalid local address \"%.*s\"", STR_ARG(text));
	if (s->count == SOURCES_MAX)
		return why_set(why, "more than %d local addresses", SOURCES_MAX);
	s->ips[s->count++] = ip;
	return true;
}

static bool source_is_told(const struct sources *s, uint8_t family)
{
	for (size_t i = 0; i < s->count; i++)
		if (!ip_is_any(&s->ips[i]) && (family == 0 || s->ips[i].family == family))
			return true;
	return false;
}

/* What is left to the kernel says something only where nothing else is said of the family: that
 * it may be used. Alone it says nothing. */
static void sources_settle(struct sources *s)
{
	struct sources all = *s;

	s->count = 0;
	for (size_t i = 0; i < all.count && source_is_told(&all, 0); i++)
		if (!ip_is_any(&all.ips[i]) || !source_is_told(&all, all.ips[i].family))
			s->ips[s->count++] = all.ips[i];
}

static bool sources_add(struct sources *s, struct str text, struct why *why)
{
	bool ordered = str_find(text, '&') >= 0, drawn = str_find(text, '|') >= 0;
	struct str piece;

	if (ordered && drawn)
		return why_set(why, "& and | are mixed in local addresses \"%.*s\"", STR_ARG(text));
	s->ordered |= ordered;
	while (str_split(&text, ordered ? '&' : '|', &piece))
		if (!source_add(s, piece, why))
			return false;
	return true;
}

static void sources_shuffle(struct sources *s)
{
	for (size_t i = s->count; i > 1; i--) {
		size_t j = random_below(i);
		struct ip ip = s->ips[i - 1];

		s->ips[i - 1] = s->ips[j];
		s->ips[j] = ip;
	}
}

bool sources_parse(
	struct sources *s, struct str text, const struct tmail_list *fallback, struct why *why)
{
	*s = (struct sources){ .count = 0 };
	if (text.len > 0) {
		if (!sources_add(s, text, why))
			return false;
	} else {
		TMAIL_EACH(struct tmail_str, each, *fallback)
			if (!sources_add(s, str_make(each->data, each->len), why))
				return false;
	}
	sources_settle(s);
	if (!s->ordered && s->count > 1)
		sources_shuffle(s);
	return true;
}

/* ---- names ----------------------------------------------------------------------------- */

const struct tmail_option helo_options[2] = {
	TMAIL_STRING(struct helo_settings, ip, "ip", NULL, "The local address."),
	TMAIL_STRING(struct helo_settings, name, "name", NULL,
		"Its name; the address should have it as its reverse name, and it the address."),
};

void helo_check(const struct conf_group *group, const struct queue_settings *settings,
	struct problems *problems)
{
	size_t i = 0;
	struct ip ip;

	TMAIL_EACH(struct helo_settings, h, settings->helo) {
		const struct conf_group *g = conf_list_at(group, "helo", i++);

		if (!ip_parse(str_tm(h->ip), &ip))
			problem_add(
				problems, g, "ip", "'%.*s' is no address", STR_ARG(str_tm(h->ip)));
		if (!domain_or_literal(str_tm(h->name)))
			problem_add(problems, g, "name", "'%.*s' is no name of a host",
				STR_ARG(str_tm(h->name)));
	}
}

struct str helo_of(const struct queue_settings *settings, const struct ip *from)
{
	struct ip ip;

	TMAIL_EACH(struct helo_settings, h, settings->helo)
		if (ip_parse(str_tm(h->ip), &ip) && ip_equal(&ip, from))
			return str_tm(h->name);
	return str_tm(settings->hostname);
}
