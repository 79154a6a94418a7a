/* SPDX-License-Identifier: MIT
 *
 * The queue in memory: an array under one lock.
 */
#include "tests/lib/memory_queue.h"

#include "base/buf.h"
#include "base/fail.h"
#include "base/map.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MESSAGES_MAX = 60000 };

struct recipient {
	struct str address, original, reply;
	uint32_t notify, fate, attempts, note;
	int64_t due;
	bool claimed;
};
struct kept {
	struct tmail_id id;
	struct tmail_envelope envelope; /* recipients: made when asked for */
	struct str sender, envid, login, opaque, content, hold;
	struct recipient *recipients;
	uint32_t count;
	bool held, ended;
};
struct spool {
	struct spool *next;
	struct tmail_id id;
	struct buf octets;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct kept *kept[MESSAGES_MAX];
	struct map ids;
	unsigned count, writes, ended, duplicates, releases, strays, claims, reads, refused;
	bool unreadable, contents_unreadable;
	enum memory_mood mood, outcomes, releasing;
	bool held, writing;
	uint64_t reserved;
	struct spool *spools;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

/* ---- helpers --------------------------------------------------------------------------- */

static struct str str_of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

static struct str copy(struct tmail_str s)
{
	char *data = must_alloc(s.len + 1);

	if (s.len)
		memcpy(data, s.data, s.len);
	return str_make(data, s.len);
}

static void drop(struct str *s)
{
	free((void *)s->data);
	*s = str_make(NULL, 0);
}

static struct tmail_str lend(struct tmail_call *call, struct str s)
{
	char *data = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);

	must(data != NULL);
	if (s.len)
		memcpy(data, s.data, s.len);
	return (struct tmail_str){ data, s.len };
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct kept *find(struct tmail_id id)
{
	return map_get(&memory.ids, str_make((const char *)&id, sizeof id));
}

static struct spool **spool_find(struct tmail_id id)
{
	struct spool **s = &memory.spools;

	while (*s && ((*s)->id.hi != id.hi || (*s)->id.lo != id.lo))
		s = &(*s)->next;
	return s;
}

static void spool_drop(struct spool **at)
{
	struct spool *s = *at;

	if (!s)
		return;
	*at = s->next;
	buf_free(&s->octets);
	free(s);
}

static bool living(const struct recipient *r)
{
	return r->fate <= TMAIL_FATE_DEFERRED;
}

/* ---- WRITE ----------------------------------------------------------------------------- */

static void add(const struct tmail_queue_op *op)
{
	const struct tmail_envelope *e = op->envelope;
	struct kept *k = must_alloc(sizeof *k);
	struct buf content = { 0 };
	uint32_t i = 0;

	must(memory.count < MESSAGES_MAX && !find(op->id));
	k->id = op->id;
	k->envelope = *e;
	k->sender = copy(e->sender);
	k->envid = copy(e->envid);
	k->login = copy(e->login);
	k->opaque = copy(op->opaque);
	k->hold = copy(op->reply);
	k->held = op->reply.len > 0;
	for (uint32_t n = 0; n < op->content_count; n++)
		buf_add(&content, str_of(op->content[n]));
	if (op->spooled) {
		struct spool **spool = spool_find(op->id);

		must(*spool && (*spool)->octets.len == op->spool_size);
		buf_add(&content, buf_str(&(*spool)->octets));
		spool_drop(spool);
	}
	k->content = buf_str(&content);
	memory.reserved -= k->content.len < memory.reserved ? k->content.len : memory.reserved;
	k->count = e->recipients.count;
	k->recipients = must_alloc(k->count * sizeof *k->recipients + 1);
	TMAIL_EACH(struct tmail_recipient, r, e->recipients) {
		must(r->index == i);
		k->recipients[i++] = (struct recipient){ .address = copy(r->address),
			.original = copy(r->original),
			.notify = r->notify,
			.due = op->due ? op->due : now_us(),
			.claimed = op->due == 0 };
	}
	memory.kept[memory.count++] = k;
	map_put(&memory.ids, str_make((const char *)&k->id, sizeof k->id), k);
}

static void outcome(struct kept *k, const struct tmail_queue_op *op)
{
	struct recipient *r = &k->recipients[op->recipient];

	must(op->recipient < k->count);
	memory.duplicates += !living(r);
	r->fate = op->fate;
	r->attempts = op->attempts;
	r->note = op->note;
	r->due = op->due;
	r->claimed = false;
	drop(&r->reply);
	r->reply = copy(op->reply);
}

static void end(struct kept *k)
{
	for (uint32_t i = 0; i < k->count; i++)
		must(!living(&k->recipients[i])); /* END says that all have ended */
	must(!k->ended);
	k->ended = true;
	memory.ended++;
}

static void change(const struct tmail_queue_op *op)
{
	struct kept *k = op->change == TMAIL_QUEUE_ADD ? NULL : find(op->id);

	if (op->change == TMAIL_QUEUE_ADD) {
		add(op);
		return;
	}
	must(k != NULL);
	switch (op->change) {
	case TMAIL_QUEUE_OUTCOME:
		outcome(k, op);
		break;
	case TMAIL_QUEUE_END:
		end(k);
		break;
	case TMAIL_QUEUE_HOLD:
		k->held = true;
		drop(&k->hold);
		k->hold = copy(op->reply);
		break;
	case TMAIL_QUEUE_FREE:
	case TMAIL_QUEUE_DUE:
		k->held = k->held && op->change == TMAIL_QUEUE_DUE;
		for (uint32_t i = 0; i < k->count; i++)
			if (living(&k->recipients[i]))
				k->recipients[i].due = op->due ? op->due : now_us();
	}
}

/* Is there nobody any more whom the op is about? */
static bool over(const struct tmail_queue_op *op)
{
	const struct kept *k = op->change == TMAIL_QUEUE_ADD ? NULL : find(op->id);
	bool lives = false;

	if (!k || op->change == TMAIL_QUEUE_END)
		return false;
	for (uint32_t i = 0; i < k->count; i++)
		lives |= living(&k->recipients[i]) &&
			(op->change != TMAIL_QUEUE_OUTCOME || op->recipient == i);
	return !lives;
}

static void verdict(const struct tmail_queue_op *op, struct tmail_queue_verdict *v)
{
	static const struct tmail_str why = TMAIL_STR("so the test wants it");
	enum memory_mood mood = op->change == TMAIL_QUEUE_ADD ? memory.mood : memory.outcomes;

	*v = (struct tmail_queue_verdict){ .result = TMAIL_QUEUE_DURABLE };
	switch (mood) {
	case MEMORY_REFUSES:
	case MEMORY_FULL:
		*v = (struct tmail_queue_verdict){ TMAIL_QUEUE_NO, mood == MEMORY_FULL, why };
		memory.refused++;
		return;
	case MEMORY_TAKES_THE_FIRST:
		if (op->change == TMAIL_QUEUE_OUTCOME && op->recipient == 0)
			break;
		v->result = TMAIL_QUEUE_NO;
		memory.refused++;
		return;
	case MEMORY_HAS_LOST:
		v->result = TMAIL_QUEUE_LOST;
		memory.refused++;
		return;
	case MEMORY_NEVER:
		*v = (struct tmail_queue_verdict){ TMAIL_QUEUE_NEVER, false, why };
		memory.refused++;
		return;
	case MEMORY_MUMBLES:
		v->result = TMAIL_QUEUE_UNKNOWN;
		break;
	case MEMORY_LOSES:
	case MEMORY_DOES_NOT_KNOW:
	case MEMORY_FAILS:
		v->result = TMAIL_QUEUE_UNKNOWN;
		return;
	case MEMORY_IS_STRICT:
		if (op->change == TMAIL_QUEUE_END && find(op->id)->ended)
			return; /* so be it */
		if (!over(op))
			break;
		*v = (struct tmail_queue_verdict){ TMAIL_QUEUE_NEVER, false, why };
		return;
	case MEMORY_TAKES:
		break;
	}
	change(op);
}

static int op_write(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_write *w = question;
	struct tmail_queue_verdict *v = w->results;
	int status = TMAIL_OK;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&memory.lock);
	memory.writing = true;
	pthread_cond_broadcast(&memory.change);
	while (memory.held)
		pthread_cond_wait(&memory.change, &memory.lock);
	memory.writing = false;
	memory.writes++;
	if (memory.mood == MEMORY_FAILS)
		status = TMAIL_TRY_LATER;
	else
		TMAIL_EACH(struct tmail_queue_op, op, w->ops)
			verdict(op, v++);
	pthread_cond_broadcast(&memory.change);
	pthread_mutex_unlock(&memory.lock);
	return status;
}

/* ---- CLAIM, RELEASE, READ -------------------------------------------------------------- */

static struct tmail_queue_entry entry_of(struct tmail_call *call, const struct kept *k, uint32_t i)
{
	const struct recipient *r = &k->recipients[i];

	return (struct tmail_queue_entry){ .id = k->id,
		.recipient = i,
		.fate = r->fate,
		.attempts = r->attempts,
		.held = k->held,
		.due = r->due,
		.received = k->envelope.received,
		.octets = k->content.len,
		.sender = lend(call, k->sender),
		.address = lend(call, r->address),
		.reply = lend(call, r->reply),
		.hold = lend(call, k->hold),
		.note = r->note };
}

static int op_claim(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_claim *q = question;
	struct tmail_queue_claimed *a = answer;
	struct tmail_queue_entry *entries;
	uint32_t messages = 0, n = 0, most = 0;

	pthread_mutex_lock(&memory.lock);
	memory.claims++;
	for (unsigned i = 0; i < memory.count; i++)
		most += memory.kept[i]->ended ? 0 : memory.kept[i]->count;
	entries = call->host->alloc(call, (most + 1) * sizeof *entries, TMAIL_SCOPE_CALL);
	for (unsigned i = 0; i < memory.count && messages < q->limit; i++) {
		struct kept *k = memory.kept[i];
		uint32_t before = n;

		for (uint32_t j = 0; j < k->count && !k->held && !k->ended; j++) {
			struct recipient *r = &k->recipients[j];

			if (!living(r) || r->claimed)
				continue;
			if (r->due <= q->now) {
				r->claimed = true;
				entries[n++] = entry_of(call, k, j);
			} else if (!a->next || r->due < a->next) {
				a->next = r->due;
			}
		}
		messages += n > before;
	}
	a->entries = (struct tmail_list){ entries, n, sizeof *entries };
	pthread_cond_broadcast(&memory.change);
	pthread_mutex_unlock(&memory.lock);
	return TMAIL_OK;
}

static void release(const struct tmail_queue_given_back *g)
{
	struct kept *k = find(g->id);
	struct recipient *r;

	must(k != NULL && g->recipient < k->count);
	r = &k->recipients[g->recipient];
	memory.releases++;
	memory.strays += !r->claimed;
	if (r->claimed && g->due)
		r->due = g->due;
	r->claimed = false;
}

static int op_release(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_release *q = question;
	int status = TMAIL_OK;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&memory.lock);
	if (memory.releasing != MEMORY_TAKES) {
		memory.refused++;
		status = memory.releasing == MEMORY_NEVER ? TMAIL_REFUSED : TMAIL_TRY_LATER;
	} else {
		TMAIL_EACH(struct tmail_queue_given_back, g, q->claims)
			release(g);
	}
	pthread_cond_broadcast(&memory.change);
	pthread_mutex_unlock(&memory.lock);
	return status;
}

static void read_envelope(
	struct tmail_call *call, const struct kept *k, struct tmail_queue_content *a)
{
	struct tmail_envelope *e = call->host->alloc(call, sizeof *e, TMAIL_SCOPE_CALL);
	struct tmail_recipient *list =
		call->host->alloc(call, k->count * sizeof *list + 1, TMAIL_SCOPE_CALL);
	struct tmail_queue_entry *states =
		call->host->alloc(call, k->count * sizeof *states + 1, TMAIL_SCOPE_CALL);

	*e = k->envelope;
	e->sender = lend(call, k->sender);
	e->envid = lend(call, k->envid);
	e->login = lend(call, k->login);
	for (uint32_t i = 0; i < k->count; i++) {
		list[i] = (struct tmail_recipient){ .index = i,
			.notify = k->recipients[i].notify,
			.address = lend(call, k->recipients[i].address),
			.original = lend(call, k->recipients[i].original) };
		states[i] = entry_of(call, k, i);
	}
	e->recipients = (struct tmail_list){ list, k->count, sizeof *list };
	a->envelope = e;
	a->states = (struct tmail_list){ states, k->count, sizeof *states };
	a->opaque = lend(call, k->opaque);
}

static int op_read(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_read *q = question;
	struct tmail_queue_content *a = answer;
	struct kept *k;
	bool lives, unreadable;

	pthread_mutex_lock(&memory.lock);
	k = find(q->id);
	memory.reads++;
	lives = k && !k->ended;
	unreadable = memory.unreadable || (memory.contents_unreadable && q->limit > 0);
	if (lives && !unreadable) {
		read_envelope(call, k, a);
		a->total = k->content.len;
		a->octets = lend(call, str_slice(k->content, q->offset, q->limit));
	}
	pthread_mutex_unlock(&memory.lock);
	return !lives ? TMAIL_NOT_FOUND : unreadable ? TMAIL_TRY_LATER : TMAIL_OK;
}

/* ---- FIND, COUNT, CHECK ---------------------------------------------------------------- */

static bool address_matches(struct tmail_str filter, struct str address)
{
	struct str f = str_of(filter);

	if (f.len == 0)
		return true;
	return f.data[0] == '@' ? str_ends_case(address, f) : str_equal_case(address, f);
}

static bool matches(const struct tmail_queue_find *q, const struct kept *k, uint32_t i)
{
	const struct recipient *r = &k->recipients[i];
	uint32_t fates = q->fates ? q->fates : 1u << TMAIL_FATE_PENDING | 1u << TMAIL_FATE_DEFERRED;

	if ((q->id.hi || q->id.lo) && (q->id.hi != k->id.hi || q->id.lo != k->id.lo))
		return false;
	return fates >> r->fate & 1 && !(q->held == 1 && !k->held) && !(q->held == 2 && k->held) &&
		(!q->before || k->envelope.received < q->before) &&
		(!q->reason.len || str_search_case(r->reply, str_of(q->reason)) >= 0) &&
		address_matches(q->sender, k->sender) && address_matches(q->recipient, r->address);
}

static int op_find(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_find *q = question;
	uint32_t found = 0;
	bool enough = false;

	(void)answer;
	pthread_mutex_lock(&memory.lock);
	for (unsigned i = 0; i < memory.count && !enough; i++) {
		struct kept *k = memory.kept[i];

		for (uint32_t j = 0; j < k->count && !k->ended && !enough; j++) {
			struct tmail_queue_entry e;

			if (!matches(q, k, j) || (q->limit && found == q->limit))
				continue;
			e = entry_of(call, k, j);
			found++;
			enough = q->found(q->ctx, &e) != 0;
		}
	}
	pthread_mutex_unlock(&memory.lock);
	return TMAIL_OK;
}

static int op_count(struct tmail_call *call, const void *question, void *answer)
{
	struct tmail_queue_counts *c = answer;

	(void)call;
	(void)question;
	pthread_mutex_lock(&memory.lock);
	for (unsigned i = 0; i < memory.count; i++) {
		const struct kept *k = memory.kept[i];

		c->messages += !k->ended;
		c->held += k->held && !k->ended;
		for (uint32_t j = 0; j < k->count && !k->ended; j++) {
			c->recipients += living(&k->recipients[j]);
			c->pending += k->recipients[j].fate == TMAIL_FATE_PENDING;
			c->deferred += k->recipients[j].fate == TMAIL_FATE_DEFERRED;
		}
	}
	pthread_mutex_unlock(&memory.lock);
	return TMAIL_OK;
}

static int op_check(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_check *q = question;
	int status;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&memory.lock);
	status = find(q->id) ? TMAIL_OK : TMAIL_NOT_FOUND;
	if (memory.mood == MEMORY_DOES_NOT_KNOW || memory.mood == MEMORY_FAILS)
		status = TMAIL_TRY_LATER;
	pthread_mutex_unlock(&memory.lock);
	return status;
}

/* ---- room and spools ------------------------------------------------------------------- */

static int op_reserve(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_reserve *q = question;
	int status = TMAIL_OK;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&memory.lock);
	if (q->give_back)
		memory.reserved -= q->octets;
	else if (memory.mood == MEMORY_FULL)
		status = TMAIL_TRY_LATER;
	else
		memory.reserved += q->octets;
	pthread_mutex_unlock(&memory.lock);
	return status;
}

static int op_spool(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_spool *q = question;
	struct spool **s;
	int status = TMAIL_OK;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&memory.lock);
	s = spool_find(q->id);
	if (q->last == 2) {
		spool_drop(s);
	} else if (memory.mood == MEMORY_REFUSES) {
		status = TMAIL_TRY_LATER;
	} else {
		if (!*s) {
			*s = must_alloc(sizeof **s);
			(*s)->id = q->id;
		}
		must((*s)->octets.len == q->offset);
		buf_add(&(*s)->octets, str_of(q->octets));
	}
	pthread_cond_broadcast(&memory.change);
	pthread_mutex_unlock(&memory.lock);
	return status;
}

static int op_unspool(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_queue_read *q = question;
	struct tmail_queue_content *a = answer;
	struct spool *s;

	pthread_mutex_lock(&memory.lock);
	s = *spool_find(q->id);
	if (s) {
		a->total = s->octets.len;
		a->octets = lend(call, str_slice(buf_str(&s->octets), q->offset, q->limit));
	}
	pthread_mutex_unlock(&memory.lock);
	return s ? TMAIL_OK : TMAIL_NOT_FOUND;
}

static const struct tmail_operation operations[] = {
	{ TMAIL_QUEUE_WRITE, TMAIL_BLOCKING, op_write },
	{ TMAIL_QUEUE_CLAIM, TMAIL_BLOCKING, op_claim },
	{ TMAIL_QUEUE_RELEASE, TMAIL_BLOCKING, op_release },
	{ TMAIL_QUEUE_READ, TMAIL_BLOCKING, op_read },
	{ TMAIL_QUEUE_FIND, TMAIL_BLOCKING, op_find },
	{ TMAIL_QUEUE_COUNT, TMAIL_BLOCKING, op_count },
	{ TMAIL_QUEUE_CHECK, TMAIL_BLOCKING, op_check },
	{ TMAIL_QUEUE_RESERVE, 0, op_reserve },
	{ TMAIL_QUEUE_SPOOL, TMAIL_BLOCKING, op_spool },
	{ TMAIL_QUEUE_UNSPOOL, TMAIL_BLOCKING, op_unspool },
};
static const struct tmail_service services[] = { { TMAIL_QUEUE, NULL, TMAIL_LIST(operations) } };

const struct tmail_module memory_queue = { .magic = TMAIL_MAGIC,
	.abi_major = TMAIL_ABI_MAJOR,
	.abi_minor = TMAIL_ABI_MINOR,
	.abi_needs = TMAIL_ABI_MINOR,
	.size = sizeof(struct tmail_module),
	.name = "test/memory",
	.version = "1",
	.summary = "Keeps accepted mail in memory.",
	.capabilities = TMAIL_CAN_QUEUE,
	.services = TMAIL_LIST(services) };

/* ---- for the tests --------------------------------------------------------------------- */

static void kept_free(struct kept *k)
{
	for (uint32_t i = 0; i < k->count; i++) {
		drop(&k->recipients[i].address);
		drop(&k->recipients[i].original);
		drop(&k->recipients[i].reply);
	}
	free(k->recipients);
	drop(&k->sender);
	drop(&k->envid);
	drop(&k->login);
	drop(&k->opaque);
	drop(&k->content);
	drop(&k->hold);
	free(k);
}

#define LOCKED(...)                                                                                \
	do {                                                                                       \
		pthread_mutex_lock(&memory.lock);                                                  \
		__VA_ARGS__;                                                                       \
		pthread_cond_broadcast(&memory.change);                                            \
		pthread_mutex_unlock(&memory.lock);                                                \
	} while (0)
#define WAIT(condition)                                                                            \
	do {                                                                                       \
		pthread_mutex_lock(&memory.lock);                                                  \
		while (!(condition))                                                               \
			pthread_cond_wait(&memory.change, &memory.lock);                           \
		pthread_mutex_unlock(&memory.lock);                                                \
	} while (0)

static void forget(void)
{
	map_free(&memory.ids);
	for (unsigned i = 0; i < memory.count; i++)
		kept_free(memory.kept[i]);
	while (memory.spools)
		spool_drop(&memory.spools);
	memory.count = memory.writes = memory.ended = memory.duplicates = 0;
	memory.releases = memory.strays = memory.claims = memory.reads = memory.refused = 0;
	memory.unreadable = memory.contents_unreadable = false;
	memory.mood = memory.outcomes = memory.releasing = MEMORY_TAKES;
	memory.held = false;
	memory.reserved = 0;
}

void memory_reset(void)
{
	LOCKED(forget());
}

void memory_set(enum memory_mood mood)
{
	LOCKED(memory.mood = mood);
}

void memory_unreadable(bool unreadable)
{
	pthread_mutex_lock(&memory.lock);
	memory.unreadable = unreadable;
	pthread_mutex_unlock(&memory.lock);
}

void memory_contents_unreadable(bool unreadable)
{
	LOCKED(memory.contents_unreadable = unreadable);
}

void memory_outcomes(enum memory_mood mood)
{
	LOCKED(memory.outcomes = mood);
}

void memory_releasing(enum memory_mood mood)
{
	LOCKED(memory.releasing = mood);
}

void memory_hold(void)
{
	LOCKED(memory.held = true);
}

void memory_let_go(void)
{
	LOCKED(memory.held = false);
}

#define COUNTER(name, expression)                                                                  \
	unsigned name(void)                                                                        \
	{                                                                                          \
		unsigned n;                                                                        \
		LOCKED(n = expression);                                                            \
		return n;                                                                          \
	}
COUNTER(memory_messages, memory.count - memory.ended)
COUNTER(memory_writes, memory.writes)
COUNTER(memory_adds, memory.count)
COUNTER(memory_ended, memory.ended)
COUNTER(memory_duplicate_ops, memory.duplicates)
COUNTER(memory_releases, memory.releases)
COUNTER(memory_strays, memory.strays)
COUNTER(memory_claims, memory.claims)
COUNTER(memory_reads, memory.reads)

static unsigned count_claimed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < memory.count; i++)
		for (uint32_t j = 0; j < memory.kept[i]->count; j++)
			n += memory.kept[i]->recipients[j].claimed;
	return n;
}
COUNTER(memory_claimed, count_claimed())

uint64_t memory_reserved(void)
{
	uint64_t n;

	LOCKED(n = memory.reserved);
	return n;
}

uint64_t memory_spooled(void)
{
	uint64_t n = 0;

	LOCKED(for (struct spool *s = memory.spools; s; s = s->next) n += s->octets.len);
	return n;
}

void memory_wait_ended(unsigned n)
{
	WAIT(memory.ended >= n);
}

void memory_wait_refused(unsigned n)
{
	WAIT(memory.refused >= n);
}

void memory_wait_messages(unsigned n)
{
	WAIT(memory.count - memory.ended >= n);
}

void memory_wait_adds(unsigned n)
{
	WAIT(memory.count >= n);
}

void memory_wait_writing(void)
{
	WAIT(memory.writing && memory.held);
}

static void text(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", STR_ARG(s));
}

static void describe(const struct kept *k, struct memory_message *m)
{
	struct buf all = { 0 };

	*m = (struct memory_message){ .id = k->id,
		.count = k->count,
		.ended = k->ended,
		.held = k->held,
		.content = str_dup_c(k->content),
		.content_len = k->content.len };
	text(m->sender, sizeof m->sender, k->sender);
	text(m->hold, sizeof m->hold, k->hold);
	for (uint32_t i = 0; i < k->count; i++) {
		const struct recipient *r = &k->recipients[i];

		buf_printf(&all, "%s%.*s", i ? " " : "", STR_ARG(r->address));
		if (i >= 8)
			continue;
		m->recipient[i] = (struct memory_recipient){ .fate = r->fate,
			.attempts = r->attempts,
			.note = r->note,
			.due = r->due,
			.claimed = r->claimed };
		text(m->recipient[i].reply, sizeof m->recipient[i].reply, r->reply);
	}
	text(m->recipients, sizeof m->recipients, buf_str(&all));
	buf_free(&all);
}

int memory_message(unsigned i, struct memory_message *m)
{
	bool there;

	LOCKED(there = i < memory.count; if (there) describe(memory.kept[i], m));
	return there;
}

void memory_wait_fate(unsigned i, uint32_t recipient, uint32_t fate)
{
	WAIT(i < memory.count && recipient < memory.kept[i]->count &&
		memory.kept[i]->recipients[recipient].fate == fate &&
		!memory.kept[i]->recipients[recipient].claimed);
}

void memory_all_due(void)
{
	LOCKED(for (unsigned i = 0; i < memory.count;
		       i++) for (uint32_t j = 0; j < memory.kept[i]->count; j++) memory.kept[i]
			->recipients[j]
			.due = 0);
}

void memory_change(unsigned i, uint32_t recipient, uint32_t fate, int64_t due)
{
	LOCKED(memory.kept[i]->recipients[recipient].fate = fate;
		memory.kept[i]->recipients[recipient].due = due);
}
