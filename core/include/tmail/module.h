/* SPDX-License-Identifier: MIT
 *
 * <tmail/module.h>: what tmail and a module promise each other.
 *
 * A module is one shared object that exports one constant, <name>_LTX_tmail_module
 * (TMAIL_MODULE below). The core reads it all before it calls a function of the module. A
 * module links nothing of tmail: all it may do arrives in `call->host`.
 *
 * Growth: structs grow at their end and carry their size, lists the stride of their elements,
 * enums grow at their end. Nothing is freed across the border. The ABI is version 0 until the
 * first release and may change; from 1 on: *within one ABI major a module compiled once runs on
 * every later core.*
 *
 * Lifetime: what the core hands over (events, client, envelope, answers) is valid until the
 * call ends. Strings are data and length; a NUL may be inside and none need follow.
 *
 * Threads: a hook of a session runs on the session's loop, calls of one session never overlap,
 * and it must not wait. A hook marked TMAIL_BLOCKING runs on a worker of its instance and may;
 * a TMAIL_BLOCKING service on one of its own or of who asks. Notices of the process (TICK,
 * RELOADED, CHANGED) come one at a time. start and stop run while nothing else of the instance
 * does. `self` is shared by all threads: lock it or leave it alone after start. A call belongs to
 * one thread at a time; while it waits (TMAIL_WAIT, TMAIL_PENDING) any one thread may log, count,
 * alloc, reply and resume, only the session's loop the rest.
 */
#ifndef TMAIL_MODULE_H
#define TMAIL_MODULE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_MAGIC 0x6c69616d74u /* "tmail" */
#define TMAIL_ABI_MAJOR 0
#define TMAIL_ABI_MINOR 1

/* ---- plain data ------------------------------------------------------------------------- */

struct tmail_str {
	const char *data;
	size_t len;
};
#define TMAIL_STR(literal) { "" literal, sizeof(literal) - 1 }

/* An array whose elements may grow: walk it with TMAIL_EACH, never with []. */
struct tmail_list {
	const void *item;
	uint32_t count, stride;
};
#define TMAIL_LIST(array) { (array), sizeof(array) / sizeof *(array), sizeof *(array) }
#define TMAIL_AT(type, list, index)                                                                \
	((const type *)((uintptr_t)(list).item + (size_t)(index) * (list).stride))
#define TMAIL_EACH(type, var, list)                                                                \
	for (const type *var = TMAIL_AT(type, list, 0),                                            \
			*var##_end = TMAIL_AT(type, list, (list).count);                           \
		var != var##_end;                                                                  \
		var = (const type *)(const void *)((const char *)var + (list).stride))

/* Of a session or a message; hi is microseconds since 1970, lo node and chance. */
struct tmail_id {
	uint64_t hi, lo;
};

/* What every question is answered with. "Not found" and "try later" are never confused. */
enum tmail_status {
	TMAIL_OK = 0,
	TMAIL_NOT_FOUND = 1,
	TMAIL_TRY_LATER = 2, /* the world: a backend is down, slow, full */
	TMAIL_REFUSED = 3,   /* asked for something that is not allowed or not there to do */
	TMAIL_PENDING = 4,   /* the answer follows by host->resume */
	TMAIL_LATE = 5,      /* resume came after the core gave up; nothing was done */
	TMAIL_UNSUPPORTED = 6
};

enum tmail_level { TMAIL_ERROR = 0, TMAIL_WARNING = 1, TMAIL_INFO = 2, TMAIL_DEBUG = 3 };

/* ---- facts: who and what, read only ---------------------------------------------------- */

enum tmail_client_kind { TMAIL_CLIENT_SMTP = 0, TMAIL_CLIENT_INJECT = 1 /* API, pickup */,
	TMAIL_CLIENT_BOUNCE = 2, TMAIL_CLIENT_ALIAS = 3 };
enum { TMAIL_CLIENT_ESMTP = 1, TMAIL_CLIENT_TLS = 2, TMAIL_CLIENT_AUTHENTICATED = 4,
	TMAIL_CLIENT_RELAY = 8 /* may relay, by login or address */ };

struct tmail_client {
	uint32_t size;
	uint32_t kind;  /* enum tmail_client_kind */
	uint32_t flags; /* TMAIL_CLIENT_* */
	uint16_t port, local_port;
	uint16_t family; /* 4 or 6; 0 when there is no address */
	uint8_t address_bytes[16];
	struct tmail_id id;
	struct tmail_str address, local_address; /* text, no brackets */
	struct tmail_str reverse_name;           /* empty: none, or not known yet */
	struct tmail_str helo;
	struct tmail_str listener; /* its name, or role, in the configuration */
	struct tmail_str login;    /* of an authenticated client */
	struct tmail_str tls_version, tls_cipher;
	struct tmail_str hostname;  /* ours, as the client was greeted */
	struct tmail_str mechanism; /* how it authenticated: "PLAIN" */
	struct tmail_str certificate; /* subject of its certificate (RFC 2253), if that is good */
};

struct tmail_parameter { /* of MAIL or RCPT: SIZE=100 */
	struct tmail_str name, value;
};

enum { TMAIL_NOTIFY_NEVER = 1, TMAIL_NOTIFY_SUCCESS = 2, TMAIL_NOTIFY_FAILURE = 4,
	TMAIL_NOTIFY_DELAY = 8 };
struct tmail_recipient {
	uint32_t index; /* its number in the message, for ever */
	uint32_t notify; /* TMAIL_NOTIFY_*; 0: not said */
	struct tmail_str address; /* local@domain, domain in lower case, no brackets */
	struct tmail_str original; /* ORCPT, "rfc822;..." decoded; empty: not said */
};

enum { TMAIL_BODY_7BIT = 0, TMAIL_BODY_8BITMIME = 1, TMAIL_BODY_BINARYMIME = 2 };
enum { TMAIL_RET_NONE = 0, TMAIL_RET_FULL = 1, TMAIL_RET_HDRS = 2 };
struct tmail_envelope {
	uint32_t size;
	uint32_t body;     /* TMAIL_BODY_* */
	uint32_t ret;      /* TMAIL_RET_* */
	uint32_t smtputf8; /* 0 or 1 */
	struct tmail_id id;
	int64_t received; /* microseconds since 1970 */
	uint64_t declared_size; /* SIZE=; 0: not said */
	struct tmail_str sender; /* empty: the null sender */
	struct tmail_str envid;
	struct tmail_str login; /* who submitted it, or empty */
	struct tmail_list recipients; /* of struct tmail_recipient */
};

/* ---- hook points ----------------------------------------------------------------------- */

enum tmail_point { /* [d] decides, [n] notice: the verdict of a notice is ignored */
	TMAIL_POINT_CONNECT = 0,     /* [d] before the greeting */
	TMAIL_POINT_HELO = 1,        /* [d] */
	TMAIL_POINT_TLS = 2,         /* [n] */
	TMAIL_POINT_AUTH = 3,        /* [d] after the mechanism succeeded */
	TMAIL_POINT_MAIL = 4,        /* [d] */
	TMAIL_POINT_RCPT = 5,        /* [d] may grant relay */
	TMAIL_POINT_DATA = 6,        /* [d] before 354 */
	/* [d] over the whole message as the module before left it, or with TMAIL_STREAM as it
	 * arrives; a chunk of a body has at most 64 KiB; EOM may edit */
	TMAIL_POINT_HEADER = 7, TMAIL_POINT_EOH = 8, TMAIL_POINT_BODY = 9, TMAIL_POINT_EOM = 10,
	TMAIL_POINT_RESET = 11,      /* [n] the transaction is gone */
	TMAIL_POINT_UNKNOWN = 12,    /* [d] a verb the core does not know; ACCEPT: replied */
	TMAIL_POINT_QUEUED = 13,     /* [n] 250 was promised */
	TMAIL_POINT_DISCONNECT = 14, /* [n] */
	TMAIL_POINT_PREDELIVER = 15, /* [d] before an attempt at a recipient */
	TMAIL_POINT_DELIVERED = 16, TMAIL_POINT_DEFERRED = 17, TMAIL_POINT_BOUNCED = 18, /* n */
	TMAIL_POINT_TICK = 19,       /* [n] about once a second, on one thread */
	TMAIL_POINT_RELOADED = 20,   /* [n] a new generation of settings is in force */
	TMAIL_POINT_CHANGED = 21,    /* [n] rows of a declared table changed (any node) */
	TMAIL_POINTS = 22
};

enum tmail_verdict {
	TMAIL_CONTINUE = 0, /* no opinion */
	TMAIL_ACCEPT = 1,   /* ends this point only; grants nothing */
	TMAIL_REJECT = 2,   /* 5xx */
	TMAIL_TEMPFAIL = 3, /* 4xx */
	TMAIL_DISCARD = 4,  /* MAIL to EOM: say yes, keep nothing */
	TMAIL_HOLD = 5,     /* MAIL to EOM, PREDELIVER: a mark, answer->hold; the chain goes on */
	TMAIL_WAIT = 6      /* PENDING: host->resume follows, once, from any thread */
};

union tmail_event {
	struct { struct tmail_str name; uint32_t esmtp; } helo;
	struct { struct tmail_str mechanism, login; } auth;
	struct { struct tmail_str sender; struct tmail_list parameters; } mail;
	struct { const struct tmail_recipient *recipient; struct tmail_list parameters; } rcpt;
	struct { struct tmail_str name, value; uint32_t index; } header; /* value as sent, folded */
	struct { struct tmail_str chunk; uint64_t offset; } body;
	struct { uint64_t size; } eom; /* octets, header and body */
	struct { struct tmail_str verb, argument; } unknown;
	struct { struct tmail_id id; } queued;
	struct { struct tmail_str reason; } disconnect;
	struct { const struct tmail_recipient *recipient; uint32_t attempts; } predeliver;
	struct { /* delivered, deferred, bounced */
		const struct tmail_recipient *recipient;
		struct tmail_str host, reply; /* who answered, and its words */
		uint32_t attempts;
		int64_t due; /* deferred: next attempt, microseconds since 1970 */
	} outcome;
	struct { int64_t now; } tick; /* microseconds since 1970 */
	struct { struct tmail_str table; } changed;
};

/* What a decision says beside its verdict. Filled in by the module, read by the core after. */
struct tmail_answer {
	uint32_t size;
	uint32_t relay; /* RCPT: 1 grants relay, honoured where the instance says may_relay */
	uint32_t code;  /* 0: the core's own; else checked: 4yz for TEMPFAIL, 5yz for REJECT */
	struct tmail_str enhanced, text; /* "5.7.1", and the words */
	struct tmail_str hold; /* reason of HOLD */
	struct tmail_str next_hop; /* PREDELIVER: "[host]:port" in place of the routers' answer */
	struct tmail_str source; /* PREDELIVER: local address */
	struct tmail_str sender; /* PREDELIVER: for the next server; not NULL but empty: <> */
};

/* ---- calls and what the host does for them --------------------------------------------- */

struct tmail_host;

struct tmail_call {
	uint32_t size;
	uint32_t point; /* enum tmail_point; TMAIL_POINTS for services, verbs and life-cycle */
	uint32_t dry, reserved; /* dry 1: explain asks; change nothing outside this call */
	const struct tmail_host *host;
	void *conf, *self, *loop, *session, *message; /* sized by the descriptor; NULL if 0 */
	const struct tmail_client *client;            /* NULL when there is none */
	const struct tmail_envelope *envelope;
	struct tmail_answer *answer; /* NULL where nothing is decided */
	void *core;                  /* the core's own */
};

struct tmail_field { /* of a log line */
	const char *name;
	struct tmail_str value;
};

enum tmail_scope { TMAIL_SCOPE_CALL = 0, TMAIL_SCOPE_MESSAGE = 1, TMAIL_SCOPE_SESSION = 2 };

struct tmail_edit { /* EDIT, at EOM only; made by the core when the call ends in no refusal */
	uint32_t size;
	int (*header_add)(struct tmail_call *, struct tmail_str name, struct tmail_str value);
	int (*header_insert)(struct tmail_call *, uint32_t index, struct tmail_str name,
		struct tmail_str value); /* 0: on top of what was received */
	/* the n-th (from 0) of that name; value.data NULL removes it */
	int (*header_change)(struct tmail_call *, struct tmail_str name, uint32_t n,
		struct tmail_str value);
	int (*body_replace)(struct tmail_call *, struct tmail_str chunk); /* the first clears */
	int (*sender_change)(struct tmail_call *, struct tmail_str sender);
	int (*recipient_add)(struct tmail_call *, struct tmail_str address);
	int (*recipient_remove)(struct tmail_call *, struct tmail_str address);
	/* one apart from the others, by its index in this call: REJECT, TEMPFAIL, DISCARD */
	int (*recipient_verdict)(struct tmail_call *, uint32_t index, enum tmail_verdict,
		uint32_t code, struct tmail_str enhanced, struct tmail_str text);
};

enum { TMAIL_READABLE = 1, TMAIL_WRITABLE = 2 };

struct tmail_dns_answer {
	uint32_t size;
	uint32_t status; /* NOT_FOUND: no such name or record; TRY_LATER: servfail, bogus */
	uint32_t secure; /* 1: validated by DNSSEC */
	uint32_t ttl;    /* seconds */
	struct tmail_list records; /* of struct tmail_str: RDATA, names inside uncompressed */
	struct tmail_str why;      /* of TRY_LATER */
};

typedef void tmail_resolved(struct tmail_call *, void *ctx, const struct tmail_dns_answer *);
typedef void tmail_ready(struct tmail_call *, void *ctx, uint32_t events);
typedef void tmail_fired(struct tmail_call *, void *ctx);
typedef void tmail_connected(struct tmail_call *, void *ctx, int fd, struct tmail_str why);

/* NET. On the session's loop (or the loop of a loop_start call); gone when the call ends. */
struct tmail_net {
	uint32_t size;
	/* type: the DNS number (1 A, 28 AAAA, 15 MX, 16 TXT, 52 TLSA); done once, later */
	int (*resolve)(struct tmail_call *, struct tmail_str name, uint32_t type,
		tmail_resolved *done, void *ctx);
	/* events 0 ends the watch; the descriptor stays the module's */
	int (*watch)(struct tmail_call *, int fd, uint32_t events, tmail_ready *ready, void *ctx);
	/* milliseconds; one timer per (call, fired); 0 stops it */
	int (*timer)(struct tmail_call *, uint64_t ms, tmail_fired *fired, void *ctx);
	/* "/run/x.sock", "192.0.2.1:10", "[2001:db8::1]:10" or "name:10", tried in turn; done once,
	 * later: fd is connected, non-blocking and the module's, or -1 with why */
	int (*connect)(struct tmail_call *, struct tmail_str address, uint64_t ms,
		tmail_connected *done, void *ctx);
};

struct tmail_emit { /* rows of an admin verb */
	uint32_t size;
	/* "name", "port:int", "enabled:bool": their JSON; empty, or data NULL of any, is null */
	int (*columns)(struct tmail_call *, const char *const *names, uint32_t n);
	int (*row)(struct tmail_call *, const struct tmail_str *values, uint32_t n);
	int (*say)(struct tmail_call *, const char *format, ...); /* one line; not in --json */
	/* ends the verb with an error for a person; the verb then returns TMAIL_REFUSED */
	int (*fail)(struct tmail_call *, const char *format, ...);
	int (*progress)(struct tmail_call *, uint64_t done, uint64_t of);
};

typedef void tmail_looked_up(
	struct tmail_call *, void *ctx, int status, struct tmail_str value);

struct tmail_host {
	uint32_t size;
	uint16_t abi_major, abi_minor;
	/* one event, one line; fields are quoted by the core; context is added by it */
	void (*log)(struct tmail_call *, enum tmail_level, const char *event,
		const struct tmail_field *fields, uint32_t n);
	void (*count)(struct tmail_call *, uint32_t metric, uint64_t n); /* index in .metrics */
	void *(*alloc)(struct tmail_call *, size_t size, enum tmail_scope); /* zeroed, or NULL */
	/* fills answer: code and text are checked by the core; printf-like text */
	int (*reply)(struct tmail_call *, uint32_t code, const char *enhanced,
		const char *format, ...);
	/* ends a call that answered TMAIL_WAIT or TMAIL_PENDING; value is the verdict or status;
	 * any thread; TMAIL_LATE when the core had given up: touch the call no more either way.
	 * Always owed, but see `abandoned` */
	int (*resume)(struct tmail_call *, int value);
	/* notes live on the envelope and survive a restart; names are "module.name" */
	int (*note_set)(struct tmail_call *, struct tmail_str name, struct tmail_str value);
	int (*note_get)(struct tmail_call *, struct tmail_str name, struct tmail_str *value);
	/* asks a service of another module; from a blocking call or a verb this waits for the
	 * answer, on a loop it is allowed for services that are not blocking */
	int (*ask)(struct tmail_call *, const char *service, uint32_t op, const void *question,
		void *answer);
	/* a cached table (service/table.h). `done` is called once: before this returns what it was
	 * told, or later (TMAIL_PENDING, only on a loop and on a miss) */
	int (*lookup)(struct tmail_call *, const char *table, struct tmail_str key,
		tmail_looked_up *done, void *ctx);
	/* rows of a declared table were changed through this server: in force at once */
	int (*changed)(struct tmail_call *, const char *table);
	const struct tmail_edit *edit; /* each NULL without its capability or out of place */
	const struct tmail_net *net;
	const struct tmail_emit *emit; /* verbs only */
	const char *(*base)(struct tmail_call *); /* FILE: relative file settings start here */
	/* What to do when the core gives a waiting call up (the client left, the deadline): `gone`
	 * runs on the loop, closes what the call opened, and answers 1 when nobody will resume the
	 * call (it ends then), 0 when somebody will, and be told TMAIL_LATE. Without it: nobody
	 * will if the call was waiting for resolve, watch, timer or lookup; else somebody will. */
	int (*abandoned)(
		struct tmail_call *, int (*gone)(struct tmail_call *, void *ctx), void *ctx);
};

/* ---- the descriptor -------------------------------------------------------------------- */

enum { /* flags of a hook, a service operation, a verb */
	TMAIL_FIRST = 1,    /* before those that do not say so */
	TMAIL_LAST = 2,
	TMAIL_BLOCKING = 4, /* runs on the instance's workers; refused for HEADER and BODY */
	TMAIL_STREAM = 8,   /* HEADER..BODY as they arrive; may refuse, not edit */
	TMAIL_DRY = 16,     /* honours call->dry */
	TMAIL_OFFLINE = 32, /* verb: works while the server is stopped (with those it asks) */
	TMAIL_WAITS = 64    /* hook: may answer TMAIL_WAIT; what it is shown lasts for the call */
};

typedef enum tmail_verdict (*tmail_hook_function)(struct tmail_call *, const union tmail_event *);
struct tmail_hook {
	uint32_t point, flags;
	tmail_hook_function run;
};

/* A service is a set of operations: (call, question, answer). Types are in service/NAME.h. */
typedef int (*tmail_operation_function)(struct tmail_call *, const void *question, void *answer);
struct tmail_operation {
	uint32_t op, flags;
	tmail_operation_function run;
};
struct tmail_service {
	const char *name; /* "sql" */
	const char *key;  /* of several of one name: the table's name; else NULL */
	struct tmail_list operations;
};

enum tmail_type {
	TMAIL_TYPE_BOOL = 0,     /* int32_t */
	TMAIL_TYPE_INT = 1,      /* int64_t */
	TMAIL_TYPE_STRING = 2,   /* struct tmail_str */
	TMAIL_TYPE_DURATION = 3, /* int64_t, milliseconds; "30s", "5m", "1h", "5d" or seconds */
	TMAIL_TYPE_SIZE = 4,     /* int64_t, octets; "64K", "10M", "1G" or octets */
	TMAIL_TYPE_FILE = 5,     /* struct tmail_str, made absolute */
	TMAIL_TYPE_STRINGS = 6,  /* struct tmail_list of struct tmail_str */
	TMAIL_TYPE_CHOICE = 7,   /* int32_t, index into `choices` */
	TMAIL_TYPE_SECRET = 8,   /* struct tmail_str, never printed */
	TMAIL_TYPE_GROUPS = 9    /* struct tmail_list of structs of `stride` filled by `options` */
};
struct tmail_option {
	const char *name;
	uint32_t type; /* enum tmail_type */
	uint32_t flags; /* TMAIL_REQUIRED */
	size_t offset;  /* into conf */
	const char *fallback; /* default, as it would be written; NULL: none */
	int64_t min, max;     /* INT, DURATION, SIZE; min == max: any */
	const char *summary;  /* one sentence: it is the manual */
	const char *choices;  /* CHOICE: "off reject defer" */
	struct tmail_list options; /* GROUPS */
	size_t stride;             /* GROUPS */
	const char *sample; /* what the printed sample shows in place of the default, or NULL */
};
enum { TMAIL_REQUIRED = 1, TMAIL_RESTART = 2 /* a change needs `tmail restart` */ };

/* Binds an option to a member; a member of the wrong type does not compile (C11). */
#ifdef __cplusplus
#define TMAIL_MEMBER(ctype, conf, member) offsetof(conf, member)
#else
#define TMAIL_MEMBER(ctype, conf, member)                                                          \
	(offsetof(conf, member) + 0 * sizeof(_Generic(&((conf *)0)->member, ctype *: 0)))
#endif
#define TMAIL_OPTION(kind, ctype, conf, member, name, fallback, min, max, choices, summary)        \
	{ name, TMAIL_TYPE_##kind, 0, TMAIL_MEMBER(ctype, conf, member), fallback, min, max,       \
		summary, choices, { NULL, 0, 0 }, 0, NULL }
#define TMAIL_BOOL(conf, member, name, fallback, summary)                                          \
	TMAIL_OPTION(BOOL, int32_t, conf, member, name, fallback, 0, 0, NULL, summary)
#define TMAIL_INT(conf, member, name, fallback, min, max, summary)                                 \
	TMAIL_OPTION(INT, int64_t, conf, member, name, fallback, min, max, NULL, summary)
#define TMAIL_STRING(conf, member, name, fallback, summary)                                        \
	TMAIL_OPTION(STRING, struct tmail_str, conf, member, name, fallback, 0, 0, NULL, summary)
#define TMAIL_DURATION(conf, member, name, fallback, min, max, summary)                            \
	TMAIL_OPTION(DURATION, int64_t, conf, member, name, fallback, min, max, NULL, summary)
#define TMAIL_SIZE(conf, member, name, fallback, min, max, summary)                                \
	TMAIL_OPTION(SIZE, int64_t, conf, member, name, fallback, min, max, NULL, summary)
#define TMAIL_FILE(conf, member, name, fallback, summary)                                          \
	TMAIL_OPTION(FILE, struct tmail_str, conf, member, name, fallback, 0, 0, NULL, summary)
#define TMAIL_STRINGS(conf, member, name, fallback, summary)                                       \
	TMAIL_OPTION(STRINGS, struct tmail_list, conf, member, name, fallback, 0, 0, NULL, summary)
#define TMAIL_SECRET(conf, member, name, fallback, summary)                                        \
	TMAIL_OPTION(SECRET, struct tmail_str, conf, member, name, fallback, 0, 0, NULL, summary)
#define TMAIL_CHOICE(conf, member, name, fallback, choices, summary)                               \
	TMAIL_OPTION(CHOICE, int32_t, conf, member, name, fallback, 0, 0, choices, summary)

/* One step of a feature's tables. Numbers start at 1 and are never reused. */
struct tmail_migration {
	uint32_t number;
	const char *sql; /* portable statements, separated by ';'; ${serial} is the id column */
};

struct tmail_argument { /* of a verb */
	const char *name; /* "remote-host"; a positional one: "HOSTNAME" */
	const char *shorts; /* other spellings: "rh remoteHost"; NULL: none */
	uint32_t type;  /* BOOL, INT, STRING, SECRET */
	uint32_t flags; /* TMAIL_REQUIRED, TMAIL_POSITIONAL, TMAIL_REPEATED */
	const char *summary;
};
enum { TMAIL_POSITIONAL = 256, TMAIL_REPEATED = 512 };
struct tmail_value {
	struct tmail_str name, value; /* BOOL: "1" */
};
/* What was given for a name; empty (data NULL) when it was not. */
static inline struct tmail_str tmail_value(const struct tmail_list *values, const char *name)
{
	struct tmail_str none = { NULL, 0 };
	TMAIL_EACH(struct tmail_value, v, *values)
		if (strlen(name) == v->name.len && !memcmp(name, v->name.data, v->name.len))
			return v->value;
	return none;
}
enum { TMAIL_ROLE_READ = 0, TMAIL_ROLE_OPERATE = 1, TMAIL_ROLE_ADMIN = 2 };
struct tmail_verb {
	const char *name; /* "rcpthost add" */
	const char *summary;
	uint32_t role, flags;
	struct tmail_list arguments; /* of struct tmail_argument */
	int (*run)(struct tmail_call *, const struct tmail_list *values); /* of tmail_value */
};

enum { TMAIL_COUNTER = 0, TMAIL_GAUGE = 1 };
struct tmail_metric {
	const char *name; /* "rcpthost_lookups" */
	uint32_t kind;
	const char *summary;
};

enum { /* capabilities: without one its part of the host table is NULL */
	TMAIL_CAN_READ = 1, TMAIL_CAN_EDIT = 2, TMAIL_CAN_SECRET = 4, TMAIL_CAN_NET = 8,
	TMAIL_CAN_FILE = 16, TMAIL_CAN_EXEC = 32, TMAIL_CAN_QUEUE = 64, TMAIL_CAN_SQL = 128 };

struct tmail_module {
	uint64_t magic;
	uint16_t abi_major, abi_minor, abi_needs; /* needs: oldest minor of a core */
	uint16_t reserved;
	uint32_t size, capabilities;
	const char *name; /* "auth/users" */
	const char *version, *summary;
	size_t conf_size, self_size, loop_size, session_size, message_size;
	struct tmail_list options;    /* struct tmail_option */
	struct tmail_list hooks;      /* struct tmail_hook */
	struct tmail_list services;   /* struct tmail_service */
	struct tmail_list migrations; /* struct tmail_migration */
	struct tmail_list verbs;      /* struct tmail_verb */
	struct tmail_list metrics;    /* struct tmail_metric */
	/* Life-cycle, each may be NULL. start and stop: main thread, may wait; start answers a
	 * status and says why through host->reply. check: conf alone, before start. */
	int (*check)(struct tmail_call *);
	int (*start)(struct tmail_call *);
	void (*stop)(struct tmail_call *);
	int (*loop_start)(struct tmail_call *);
	void (*loop_end)(struct tmail_call *);
	void (*session_end)(struct tmail_call *);
	void (*message_end)(struct tmail_call *);
};

#define TMAIL_EXPORT __attribute__((visibility("default")))

/* TMAIL_MODULE(users, .name = "auth/users", ...): what a module file ends with. The first
 * argument is the file's name without .so, `-` written `_`. In C++ write the struct out. */
#define TMAIL_MODULE(file, ...)                                                                    \
	TMAIL_EXPORT extern const struct tmail_module file##_LTX_tmail_module;                     \
	const struct tmail_module file##_LTX_tmail_module = { .magic = TMAIL_MAGIC,                \
		.abi_major = TMAIL_ABI_MAJOR, .abi_minor = TMAIL_ABI_MINOR,                        \
		.abi_needs = TMAIL_ABI_MINOR, .size = sizeof(struct tmail_module), __VA_ARGS__ }

#ifdef __cplusplus
}
#endif
#endif
