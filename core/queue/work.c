/* SPDX-License-Identifier: MIT
 *
 * The rounds of a message: who is due is asked about (PREDELIVER), routed, and put into a
 * parcel; when all parcels are back and the reports are durable, what became of everybody is
 * written, with END when nobody living is left. What must hold: a work ends only when nothing
 * of it is out, asked, or being written; END is handed in once, when the fates of *all* the
 * message's recipients are known to be final.
 */
#include "queue/work.h"

#include "base/log.h"
#include "base/num.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/reply.h"
#include "queue/accept.h"
#include "queue/bounce.h"
#include "queue/outcome.h"
#include "queue/schedule.h"
#include "queue/share.h"

#include <stdlib.h>

enum { STEP_ASK, STEP_ROUTE };
#define ASK_AGAIN_US (INT64_C(10) * 1000000)   /* and up to twice that */

/* ---- parcels --------------------------------------------------------------------------- */

struct parcel *parcel_new(struct work *w, struct route *route, uint32_t cap)
{
	struct arena *arena = arena_new(512);
	struct parcel *p = ARENA_NEW(arena, struct parcel);

	p->arena = arena;
	p->work = w;
	p->route = route_ref(route);
	p->cap = cap;
	p->mail_from = w->mail_from;
	p->recipients = ARENA_ARRAY(arena, struct parcel_recipient, cap);
	return p;
}

void parcel_free(struct parcel **pp)
{
	struct parcel *p = *pp;
	struct arena *arena = p->arena;

	*pp = NULL;
	route_unref(&p->route);
	arena_free(&arena);
}

/* Too many wait for its destination: nobody tried it, and the store hands it out again then,
 * whatever becomes of the others. But where nobody is served, the end of his life is the end. */
static void put_off(struct work *w, uint32_t index, int64_t until, bool unserved)
{
	struct client_outcome o = { .class = CLASS_TEMPORARY,
		.stage = STAGE_CONNECT,
		.enhanced = "4.4.5",
		.text = STR_INIT("the destination takes less mail than there is for it") };

	if (unserved && clock_wall() > outcome_end_of_life(w)) {
		outcome_set(w, index, &o, NULL, NULL);
		return;
	}
	w->recipients[index].state = RECIPIENT_AWAY;
	schedule_release(w->id, index, until);
}

static void parcel_arrived(struct task *task)
{
	struct parcel *p = container_of(task, struct parcel, task);
	struct work *w = p->work;

	must(w->out > 0);
	w->out--;
	for (uint32_t i = 0; i < p->count; i++) {
		uint32_t index = p->recipients[i].index;

		if (p->recipients[i].settled) { /* whatever became of the others since */
			outcome_set(w, index, &p->recipients[i].outcome, p, &p->recipients[i]);
		} else if (p->come_again != 0) {
			put_off(w, index, p->come_again, p->unserved);
		} else if (p->untouched) {
			w->recipients[index].state = RECIPIENT_DUE;
			w->again = true;
		} else {
			outcome_set(w, index, &p->recipients[i].outcome, p, &p->recipients[i]);
		}
	}
	parcel_free(&p);
	work_go_on(w);
}

/* Always by way of the loop: who sends parcels may hear of them only when he is done. */
void parcel_return(struct parcel *p)
{
	p->task.run = parcel_arrived;
	loop_post(p->work->ql->loop, &p->task);
}

static void dispatch(struct work *w)
{
	for (unsigned i = 0; i < w->open_count; i++) {
		w->out++;
		lane_put(w->open[i]);
	}
	w->open_count = 0;
}

/* Room for the recipients that are still to be placed, up to what a transaction may hold. */
static uint32_t parcel_cap(const struct work *w)
{
	int64_t most = queue_settings_now(w->ql)->max_recipients_transaction;
	uint32_t n = 0;

	for (uint32_t i = w->cursor; i < w->m->recipient_count && n < most; i++)
		n += w->recipients[i].state == RECIPIENT_DUE;
	return n;
}

static void place(struct work *w)
{
	struct parcel *p = NULL;
	unsigned i;

	for (i = 0; i < w->open_count && !p; i++)
		if (w->open[i]->count < w->open[i]->cap &&
			str_equal(w->open[i]->mail_from, w->mail_from) &&
			str_equal(w->open[i]->route->key, w->route->key))
			p = w->open[i];
	if (!p) {
		if (w->open_count == sizeof w->open / sizeof *w->open)
			dispatch(w);
		p = w->open[w->open_count++] = parcel_new(w, w->route, parcel_cap(w));
	}
	p->recipients[p->count++].index = w->cursor;
	w->recipients[w->cursor].state = RECIPIENT_OUT;
}

/* ---- asking ---------------------------------------------------------------------------- */

void work_client_facts(struct tmail_client *client, const struct message *m)
{
	client->size = sizeof *client;
	client->kind = m->client_kind;
	client->flags = m->relay ? TMAIL_CLIENT_RELAY : 0;
	client->id = m->session;
	client->address = m->client_address;
	client->helo = m->client_helo;
	client->reverse_name = m->client_name;
	client->login = m->envelope.login;
}

struct subject *work_subject(struct work *w)
{
	if (w->subject)
		return w->subject;
	w->subject = ARENA_NEW(w->m->arena, struct subject);
	subject_init(w->subject, w->ql->loop, queue_generation_now(w->ql));
	work_client_facts(&w->subject->client, w->m);
	w->subject->message = w->m;
	return w->subject;
}

static void said(struct work *w, enum client_class class, unsigned code, const char *enhanced,
	struct str text)
{
	struct client_outcome o = {
		.class = class, .stage = STAGE_CONNECT, .code = code, .text = text
	};

	if (strlen(enhanced) < sizeof o.enhanced)
		memcpy(o.enhanced, enhanced, strlen(enhanced) + 1);
	outcome_set(w, w->cursor, &o, NULL, NULL);
}

static void hold(struct work *w, struct str reason)
{
	struct tmail_queue_op *op = work_op(w, TMAIL_QUEUE_HOLD);

	if (reason.len == 0)
		reason = STR("held by a module");
	op->reply = tm_str(arena_str(w->m->arena, reason));
	log_event(LEVEL_INFO, NULL, "held", LOG_ID("id", w->id), LOG_STR("why", reason));
	atomic_store(&w->stop, WORK_HELD);
}

static void hook_says(struct work *w, const struct chain_answer *a)
{
	if (a->verdict == TMAIL_REJECT) {
		said(w, CLASS_PERMANENT, a->code, a->enhanced, a->text);
	} else if (a->verdict == TMAIL_TEMPFAIL) {
		said(w, CLASS_TEMPORARY, a->code, a->enhanced, a->text);
	} else {
		w->next_hop = arena_str(w->m->arena, a->next_hop);
		w->source = arena_str(w->m->arena, a->source);
		if (a->sender.data)
			w->mail_from = arena_str(w->m->arena, a->sender);
		w->step = STEP_ROUTE;
		if (a->hold)
			hold(w, a->hold_reason);
	}
}

static void hook_answered(void *ctx, const struct chain_answer *answer)
{
	struct work *w = ctx;

	w->routing = false;
	hook_says(w, answer);
	work_go_on(w);
}

/* False: it is waited for. */
static bool ask_modules(struct work *w)
{
	struct chain_answer answer;

	w->next_hop = w->source = STR("");
	w->mail_from = str_tm(w->m->envelope.sender);
	if (!chain_hooked(queue_generation_now(w->ql), TMAIL_POINT_PREDELIVER)) {
		w->step = STEP_ROUTE;
		return true;
	}
	w->event.predeliver.recipient = &w->m->recipients[w->cursor];
	w->event.predeliver.attempts = w->recipients[w->cursor].attempts;
	if (!chain_ask(work_subject(w), TMAIL_POINT_PREDELIVER, &w->event, &answer, hook_answered,
		    w)) {
		w->routing = true;
		return false;
	}
	hook_says(w, &answer);
	return true;
}

static void route_says(struct work *w, struct route *route)
{
	route_unref(&w->route);
	if (route->status == TMAIL_OK && w->source.len > 0) {
		struct route *own = route_from(route, w->source);

		route_unref(&route);
		route = own;
	}
	w->route = route;
	log_event(LEVEL_DEBUG, NULL, "routed", LOG_ID("id", w->id),
		LOG_STR("to", str_tm(w->m->recipients[w->cursor].address)),
		LOG_STR("destination", route->destination), LOG_STR("router", route->router),
		LOG_STR("why", route->reason), LOG_NUM("hosts", route->count));
	if (route->status == TMAIL_OK)
		place(w);
	else
		said(w, route->status == TMAIL_REFUSED ? CLASS_PERMANENT : CLASS_TEMPORARY,
			route->code, route->enhanced, route->why);
}

static void route_found(void *ctx, struct route *route)
{
	struct work *w = ctx;

	w->routing = false;
	share_give(w->ql, str_tm(w->asking->ask.domain));
	if (w->recipients[w->cursor].stop == STOP_NOT)
		route_says(w, route);
	else
		route_unref(&route); /* an administrator decided meanwhile */
	work_go_on(w);
}

static bool ask_routers(struct work *w)
{
	struct str address = str_tm(w->m->recipients[w->cursor].address);
	struct str domain = domain_key(address_domain(address), w->m->arena);
	struct tmail_route_ask ask = { .size = sizeof ask,
		.attempts = w->recipients[w->cursor].attempts,
		.sender = w->m->envelope.sender,
		.recipient = tm_str(address),
		.domain = tm_str(domain),
		.login = w->m->envelope.login };
	struct route *route = NULL;

	if (w->next_hop.len > 0)
		route = route_direct(w->next_hop, w->source, domain);
	else
		route = route_kept(w->ql, &ask);
	if (!route) {
		if (!share_take(w->ql, domain)) {
			put_off(w, w->cursor,
				clock_wall() + ASK_AGAIN_US + (int64_t)random_below(ASK_AGAIN_US),
				false);
			return true;
		}
		if (!w->asking)
			w->asking = ARENA_NEW(w->m->arena, struct route_asking);
		*w->asking = (struct route_asking){ .ql = w->ql,
			.subject = work_subject(w),
			.ask = ask,
			.name = str_tm(queue.settings_of(work_subject(w)->generation)->hostname),
			.found = route_found,
			.ctx = w };
		route = route_ask(w->asking);
		if (!route) {
			w->routing = true;
			return false;
		}
		share_give(w->ql, domain);
	}
	route_says(w, route);
	return true;
}

/* "552 5.2.2 words", as accept.c notes it. */
static void refused_by_module(struct work *w, struct str words)
{
	struct str code, rest, enhanced;
	uint64_t number = 550;

	if (!str_word(&words, &code) || !num_u64(code, &number) || number / 100 != 5)
		number = 550;
	rest = words = str_trim(words);
	if (!str_word(&rest, &enhanced) || !enhanced_valid(enhanced, (unsigned)number)) {
		said(w, CLASS_PERMANENT, (unsigned)number, "5.7.1", words);
		return;
	}
	said(w, CLASS_PERMANENT, (unsigned)number, arena_c(w->m->arena, enhanced), str_trim(rest));
}

/* A recipient that was taken before, or that an administrator, or a module after DATA, has decided
 * about. */
static bool decided(struct work *w)
{
	struct work_recipient *r = &w->recipients[w->cursor];
	struct str text;

	if (r->note >= REPORT_DELIVERED)
		outcome_taken(w, w->cursor);
	else if (r->stop == STOP_DISCARD)
		outcome_discard(w, w->cursor, w->stop_words);
	else if (r->stop == STOP_BOUNCE)
		said(w, CLASS_PERMANENT, 550, "5.7.1", w->stop_words);
	else if (!refused_after_data(w->m, w->cursor, &text))
		return false;
	else
		refused_by_module(w, text);
	return true;
}

/* It was to be tried, and is not: the claim goes back to the store. */
static void let_go(struct work *w)
{
	w->recipients[w->cursor].state = RECIPIENT_TO_RELEASE;
	w->recipients[w->cursor].due = 0;
}

/* False: an answer is waited for, and the cursor stays. */
static bool route_due(struct work *w)
{
	do {
		w->again = false;
		for (; w->cursor < w->m->recipient_count; w->cursor++, w->step = STEP_ASK) {
			struct work_recipient *r = &w->recipients[w->cursor];

			if (r->state != RECIPIENT_DUE || decided(w))
				continue;
			if (w->step == STEP_ASK && atomic_load(&w->stop) == WORK_GOES &&
				!ask_modules(w))
				return false;
			if (r->state == RECIPIENT_DUE && atomic_load(&w->stop) != WORK_GOES)
				let_go(w);
			else if (r->state == RECIPIENT_DUE && !ask_routers(w))
				return false;
		}
		w->cursor = 0;
	} while (w->again);
	return true;
}

/* ---- outcomes written ------------------------------------------------------------------ */

struct handed_in {
	struct commit commit;
	struct work *w;
};

struct tmail_queue_op *work_op(struct work *w, enum tmail_queue_change change)
{
	if (w->op_count == w->op_cap) {
		uint32_t cap = w->op_cap ? w->op_cap * 2 : 2;
		struct tmail_queue_op *more = ARENA_ARRAY(w->m->arena, struct tmail_queue_op, cap);

		if (w->op_count)
			memcpy(more, w->ops, w->op_count * sizeof *more);
		w->ops = more;
		w->op_cap = cap;
	}
	w->ops[w->op_count] = (struct tmail_queue_op){ .change = change, .id = tm_id(w->id) };
	return &w->ops[w->op_count++];
}

static void ops_written(struct commit *c)
{
	struct work *w = container_of(c, struct handed_in, commit)->w;

	if (c->result != TMAIL_QUEUE_DURABLE)
		log_event(LEVEL_ERROR, NULL, "outcome_lost", LOG_ID("id", w->id),
			LOG_C("why", c->why));
	/* Not before: until it is written the store does not hand it out again. */
	for (uint32_t i = 0; i < c->count; i++)
		if (c->each[i] == TMAIL_QUEUE_DURABLE && c->ops[i].due != 0)
			schedule_due_at(c->ops[i].due);
	w->writing--;
	work_go_on(w);
}

static void hand_in(struct work *w)
{
	struct handed_in *h;

	if (w->op_count == 0)
		return;
	h = ARENA_NEW(w->m->arena, struct handed_in);
	h->w = w;
	h->commit.ops = w->ops;
	h->commit.count = w->op_count;
	h->commit.home = w->ql;
	h->commit.written = ops_written;
	h->commit.insist = true;
	h->commit.each = ARENA_ARRAY(w->m->arena, uint32_t, w->op_count);
	for (uint32_t i = 0; i < w->op_count; i++)
		h->commit.each[i] = TMAIL_QUEUE_UNKNOWN;
	w->ops = NULL;
	w->op_count = w->op_cap = 0;
	w->writing++;
	commit_lazy(&h->commit);
}

/* ---- the end of a round ---------------------------------------------------------------- */

static bool living(uint8_t fate)
{
	return fate <= TMAIL_FATE_DEFERRED;
}

/* All that is known of is ended; others were away, and may have ended since they were read. */
static bool only_others_live(const struct work *w)
{
	bool others = false;

	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		if (!living(w->recipients[i].fate))
			continue;
		if (w->recipients[i].state != RECIPIENT_AWAY)
			return false;
		others = true;
	}
	return others;
}

static bool all_have_ended(const struct work *w)
{
	for (uint32_t i = 0; i < w->m->recipient_count; i++)
		if (living(w->recipients[i].fate))
			return false;
	return true;
}

static void end_message(struct work *w)
{
	work_op(w, TMAIL_QUEUE_END);
	log_event(LEVEL_DEBUG, NULL, "ended", LOG_ID("id", w->id));
	w->ended = true;
}

static void work_free(struct work *w)
{
	struct queue_loop *ql = w->ql;
	struct message *m = w->m;

	for (uint32_t i = 0; i < m->recipient_count; i++)
		if (w->recipients[i].state == RECIPIENT_TO_RELEASE)
			schedule_release(w->id, i, w->recipients[i].due);
	map_remove(&ql->works, str_make((const char *)&w->id, sizeof w->id));
	if (w->subject) {
		subject_message_end(w->subject);
		subject_end(w->subject);
	}
	route_unref(&w->route);
	message_free(&m); /* and the work, which is in its arena */
	schedule_work_ended(ql);
}

static void check_work(struct job *job)
{
	struct work *w = container_of(job, struct work, job);
	struct tmail_queue_read question = { .size = sizeof question, .id = tm_id(w->id) };
	struct tmail_queue_content content = { .size = sizeof content };
	struct arena *arena = arena_new(1024);

	w->all_ended = service_ask_wait(queue.store, TMAIL_QUEUE_READ, &question, &content,
			       arena) == TMAIL_OK &&
		content.states.count == w->m->recipient_count;
	if (w->all_ended)
		TMAIL_EACH(struct tmail_queue_entry, e, content.states)
			if (living((uint8_t)e->fate))
				w->all_ended = false;
	arena_free(&arena);
}

static void check_done(struct job *job)
{
	struct work *w = container_of(job, struct work, job);

	w->checking = false;
	if (w->all_ended && !w->ended)
		end_message(w);
	work_go_on(w);
}

/* Rounds of one message may overlap in the store: whoever ends last writes END, so he looks once
 * more at those that somebody else had. Whoever is living then has a round of his own to come. */
static bool check_others(struct work *w)
{
	if (w->ended || w->job.work || !only_others_live(w))
		return false;
	w->job.work = check_work;
	w->job.done = check_done;
	w->checking = lane_submit(queue.io, &w->job);
	return w->checking;
}

void work_go_on(struct work *w)
{
	if (w->routing || w->reporting || w->checking || atomic_load(&w->stop) == WORK_LOOK)
		return;
	if (!route_due(w)) {
		dispatch(w);
		hand_in(w);
		return;
	}
	dispatch(w);
	if (w->out == 0 && bounce_start(w)) {
		hand_in(w);
		return;
	}
	if (w->out == 0 && w->writing == 0 && !w->ended && all_have_ended(w))
		end_message(w);
	hand_in(w);
	if (w->out == 0 && w->writing == 0 && !check_others(w))
		work_free(w);
}

static void unasked(struct task *task)
{
	struct work *w = container_of(task, struct work, job.task);

	w->routing = false;
	work_go_on(w);
}

/* By way of the loop: whoever does it to all works walks through them. */
void work_unask(struct work *w)
{
	if (!w->routing)
		return;
	subject_cancel(w->subject);
	if (w->step == STEP_ROUTE)
		share_give(w->ql, str_tm(w->asking->ask.domain));
	w->job.task.run = unasked;
	loop_post(w->ql->loop, &w->job.task);
}

/* ---- life ------------------------------------------------------------------------------ */

struct work *work_find(struct queue_loop *ql, struct id id)
{
	return map_get(&ql->works, str_make((const char *)&id, sizeof id));
}

struct work *work_new(struct queue_loop *ql, struct message *m, uint64_t size)
{
	struct work *w = ARENA_NEW(m->arena, struct work);

	w->id = id_tm(m->envelope.id);
	w->ql = ql;
	w->m = m;
	w->size = size;
	w->recipients = ARENA_ARRAY(m->arena, struct work_recipient, m->recipient_count);
	return w;
}

void work_start(struct work *w)
{
	must(map_put(&w->ql->works, str_make((const char *)&w->id, sizeof w->id), w) == NULL);
	w->ql->busy++;
	if (queue_stands(w->ql))
		atomic_store(&w->stop, WORK_DRAINED);
	work_go_on(w);
}
