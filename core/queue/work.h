/* SPDX-License-Identifier: MIT
 *
 * A message under delivery, for one round: the recipients that are due are routed, put into
 * parcels, one for each destination, and every parcel comes back with what became of it. The
 * message belongs to the loop of its id; lanes only read it.
 */
#ifndef QUEUE_WORK_H
#define QUEUE_WORK_H

#include "queue/commit.h"
#include "queue/route.h"
#include "smtp/client.h"

enum recipient_state {
	RECIPIENT_AWAY,       /* not part of this round */
	RECIPIENT_DUE,        /* to be routed */
	RECIPIENT_OUT,        /* in a parcel */
	RECIPIENT_TO_REPORT,  /* has come to something; once that is reported it is written */
	RECIPIENT_ENDED,      /* of this round: its outcome is being written */
	RECIPIENT_TO_RELEASE, /* not tried: its claim is given back when the round is over */
};
enum recipient_stop { STOP_NOT, STOP_DISCARD, STOP_BOUNCE }; /* an administrator's wish */
/* What a sender is to be told, or was. Stores have these numbers. */
enum recipient_report {
	REPORT_NONE,
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,
	REPORT_RELAYED
};
struct work_recipient {
	uint8_t state;  /* enum recipient_state */
	uint8_t fate;   /* enum tmail_fate, as the store has it or will have it */
	uint8_t report; /* enum recipient_report: what its sender is to be told */
	uint32_t attempts;
	int64_t due;            /* TO_REPORT: that is written; TO_RELEASE: 0 is as it was */
	struct str host, reply; /* last words; in the message's arena */
	char status[16];
	bool silent; /* the host was only tried: these are not its words */
	bool expired;
	uint8_t stop; /* enum recipient_stop */
	/* Of who lives, kept by the store: DELAYED, that was told; DELIVERED, RELAYED, it was
	 * taken, and that is still to be told. */
	uint8_t note;
};

/* Read by lanes: parcels of a work that does not go come back untouched. */
enum work_stop {
	WORK_GOES,
	WORK_LOOK, /* for a moment: an administrator decides about recipients of it */
	WORK_HELD,
	WORK_DRAINED /* the server ends, or delivers nothing for now */
};

struct work {
	struct id id; /* key of ql->works */
	struct queue_loop *ql;
	struct message *m;
	struct work_recipient *recipients; /* m->recipient_count of them */
	uint64_t size;                     /* of the content, wherever it is */
	atomic_uchar stop;                 /* enum work_stop */
	struct str stop_words;
	unsigned out;     /* parcels */
	unsigned writing; /* commits */
	bool routing;     /* an answer is waited for */
	bool reporting;   /* a bounce is being made */
	bool checking;    /* the store is asked what became of the others */
	bool ended;       /* END was handed in */
	bool again;       /* somebody became due behind the cursor */
	uint8_t step;
	uint32_t cursor;
	struct parcel *open[8]; /* parcels being filled */
	unsigned open_count;
	struct subject *subject; /* once somebody is to be asked */
	struct route_asking *asking;
	struct route *route;                    /* of the recipient at the cursor */
	struct str next_hop, source, mail_from; /* what PREDELIVER made of them */
	union tmail_event event;
	struct tmail_queue_op *ops; /* outcomes gathered, to be handed in at once */
	uint32_t op_count, op_cap;
	struct job job; /* reads what became of the others */
	bool all_ended;
};

/* Takes the message. Its recipients are AWAY: the caller marks those that are due, then starts. */
struct work *work_new(struct queue_loop *ql, struct message *m, uint64_t size);
void work_start(struct work *w);
/* Wakes up: routes who is due, hands in what was gathered, and ends when nothing is left. May
 * free the work. */
void work_go_on(struct work *w);
/* The server ends: what was asked about it is not waited for any more. */
void work_unask(struct work *w);
struct work *work_find(struct queue_loop *ql, struct id id);
struct subject *work_subject(struct work *w);
/* What modules hear of who sent a message. */
void work_client_facts(struct tmail_client *client, const struct message *m);
/* An outcome to be handed in with the next work_go_on. */
struct tmail_queue_op *work_op(struct work *w, enum tmail_queue_change change);
/* Recipients of one message that go to one destination together. */
struct parcel_recipient {
	uint32_t index;
	bool settled;
	enum recipient_report success; /* what who asked is told; NONE: the next server does */
	struct str host, tls;          /* who answered, and the TLS it went through */
	struct client_outcome outcome; /* text in the parcel's arena */
};
struct parcel {
	struct task task;
	struct link link; /* of the lane's */
	struct work *work;
	struct route *route; /* a reference */
	struct arena *arena;
	struct parcel_recipient *recipients;
	uint32_t count, cap, hosts_tried;
	uint64_t tried; /* hops, a bit each */
	/* Of the transaction under way, for those it settles. */
	struct str host, tls;
	enum recipient_report success;
	struct str mail_from;        /* the sender that the next server is told */
	bool unreadable;             /* the store did not give the content: no fault of the host */
	bool untouched;              /* nothing was tried: it was stopped, or there were too many */
	int64_t come_again;          /* too many: when there may be fewer, clock_wall; else 0 */
	bool unserved;               /* and nobody has been taken there for a long time */
	struct line_sender *in_line; /* where it waits */
	int64_t began;               /* clock_mono */
};
struct parcel *parcel_new(struct work *w, struct route *route, uint32_t cap);
/* On the lane's loop: back to the work, with an outcome for each. */
void parcel_return(struct parcel *p);
void parcel_free(struct parcel **p);

#endif
