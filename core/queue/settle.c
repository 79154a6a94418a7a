/* SPDX-License-Identifier: MIT
 *
 * A parcel after its transaction: whose outcome is final, and who is left for another host, or for
 * another transaction with the same one.
 */
#include "queue/attempt.h"

enum { HOSTS_TRIED_MAX = 5 };

static bool more_hosts(const struct parcel *p)
{
	size_t count = p->route->count;
	uint64_t all = count == 64 ? UINT64_MAX : (1ull << count) - 1;

	return !p->unreadable && p->hosts_tried < HOSTS_TRIED_MAX && (p->tried & all) != all;
}

bool parcel_is_crowd(const struct parcel *p)
{
	bool room = false, crowd = false;

	for (uint32_t i = 0; i < p->count; i++) {
		const struct parcel_recipient *r = &p->recipients[i];

		room |= !r->settled && r->outcome.class == CLASS_OK;
		crowd |= !r->settled && r->outcome.crowded;
	}
	return room && crowd;
}

bool parcel_settle(struct parcel *p, bool again, bool *good)
{
	bool others = more_hosts(p), left = false;

	*good = false;
	for (uint32_t i = 0; i < p->count; i++) {
		struct parcel_recipient *r = &p->recipients[i];
		bool final =
			r->outcome.class != CLASS_TEMPORARY && r->outcome.class != CLASS_NEXT_HOST;

		if (!r->settled) {
			r->host = p->host;
			r->tls = p->tls;
			r->success = p->success;
		}
		*good |= r->outcome.class == CLASS_OK;
		r->settled = r->settled || final || !(others || (again && r->outcome.crowded));
		left |= !r->settled;
		if (!r->settled)
			log_event(LEVEL_DEBUG, NULL, "next_host", LOG_ID("id", p->work->id),
				LOG_STR("to", str_tm(p->work->m->recipients[r->index].address)),
				LOG_STR("host", p->host),
				LOG_C("stage", client_stage_name(r->outcome.stage)),
				LOG_IF(r->outcome.code, LOG_NUM("code", r->outcome.code)),
				LOG_STR("reply", r->outcome.text));
	}
	return left;
}
