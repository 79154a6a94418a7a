/* SPDX-License-Identifier: MIT
 *
 * auth/users: the people who can log in, and the mailboxes they have. Owns the tables users,
 * user_senders and user_secrets; is asked by the core who somebody is (service auth), whether an
 * address has a mailbox and whether a login may send as another. The page for administrators is
 * users.md.
 */
#include "users.h"

#include <sodium.h>

#include <tmail/service/table.h>

/* ---- life -------------------------------------------------------------------------------- */

static int check_memory(struct tmail_call *call, const struct password_cost *cost)
{
	const char *whose;
	int64_t most = password_memory_most(&whose);

	if (cost->scheme != PASSWORD_ARGON2ID || cost->memory < most)
		return TMAIL_OK;
	call->host->reply(call, 0, NULL,
		"argon2_memory: no password can be hashed in %lld octets, since %s is %lld",
		(long long)cost->memory, whose, (long long)most);
	return TMAIL_REFUSED;
}

static int check(struct tmail_call *call)
{
	static const char *const known[] = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" };
	const struct users_conf *conf = call->conf;

	TMAIL_EACH(struct tmail_str, name, conf->mechanisms) {
		bool found = false;

		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			found |= str_equal_case(of(*name), str_c(known[i]));
		if (!found) {
			call->host->reply(call, 0, NULL,
				"mechanisms: \"%.*s\" is none of PLAIN, LOGIN, CRAM-MD5 and "
				"SCRAM-SHA-256 (with which goes SCRAM-SHA-256-PLUS)",
				STR_ARG(of(*name)));
			return TMAIL_REFUSED;
		}
	}
	return check_memory(call, &conf->cost);
}

static int start(struct tmail_call *call)
{
	const struct users_conf *conf = call->conf;
	struct users *u = call->self;

	if (sodium_init() < 0 || pthread_mutex_init(&u->lock, NULL) != 0 ||
		gsasl_init(&u->gsasl) != GSASL_OK ||
		!(u->recall = recall_new(conf->remember / 1000)) ||
		!password_nobody(&conf->cost, u->nobody)) {
		if (u->gsasl)
			gsasl_done(u->gsasl);
		recall_free(&u->recall);
		call->host->reply(call, 0, NULL,
			"logins cannot be had: no memory, or libsodium or GNU SASL did not start");
		return TMAIL_REFUSED;
	}
	scram_setup(u->gsasl);
	return TMAIL_OK;
}

static void stop(struct tmail_call *call)
{
	struct users *u = call->self;

	gsasl_done(u->gsasl);
	recall_free(&u->recall);
	pthread_mutex_destroy(&u->lock);
	sodium_memzero(u->secret, sizeof u->secret);
}

/* What was right is looked at again when rows have changed. */
static enum tmail_verdict changed(struct tmail_call *call, const union tmail_event *event)
{
	struct users *u = call->self;

	if (str_equal(of(event->changed.table), STR("mailbox")))
		recall_clear(u->recall);
	return TMAIL_CONTINUE;
}

/* ---- the descriptor -------------------------------------------------------------------- */

#define KIB 1024LL

static const struct tmail_option options[] = {
	TMAIL_STRINGS(struct users_conf, mechanisms, "mechanisms", "PLAIN LOGIN",
		"How people may log in: of PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256. Keys of the last "
		"two are stored beside a password once they are named here."),
	TMAIL_CHOICE(struct users_conf, cost.scheme, "scheme", "argon2id", "argon2id sha512-crypt",
		"How new passwords are hashed; others are hashed anew when they are next used."),
	TMAIL_SIZE(struct users_conf, cost.memory, "argon2_memory", "19M", 64 * KIB,
		4 * KIB * KIB * KIB, "Memory that hashing one password with argon2id takes."),
	TMAIL_INT(struct users_conf, cost.passes, "argon2_passes", "2", 1, 100,
		"How many times it goes over that memory."),
	TMAIL_INT(struct users_conf, cost.rounds, "sha512_rounds", "100000", 5000, 10000000,
		"Rounds of sha512-crypt."),
	TMAIL_INT(struct users_conf, scram_iterations, "scram_iterations", "100000", 4096, 10000000,
		"Iterations of SCRAM keys: it is clients who pay for them."),
	TMAIL_DURATION(struct users_conf, remember, "remember", "5m", 0, 86400000,
		"How long a password that was right is not hashed again."),
	{ "home", TMAIL_TYPE_FILE, 0, TMAIL_MEMBER(struct tmail_str, struct users_conf, home),
		"/home", 0, 0, "Folder below which mailboxes are.", NULL, { NULL, 0, 0 }, 0,
		"${TMAIL_USERS_HOME_BASE:-/home}" },
	{ "quota", TMAIL_TYPE_STRING, 0, TMAIL_MEMBER(struct tmail_str, struct users_conf, quota),
		"200M", 0, 0, "Size of a mailbox when none is given.", NULL, { NULL, 0, 0 }, 0,
		"${TMAIL_USERS_MAILBOX_DEFAULT_QUOTA:-200M}" },
};

static const struct tmail_hook hooks[] = { { TMAIL_POINT_CHANGED, 0, changed } };

static const struct tmail_operation auth_operations[] = {
	{ TMAIL_AUTH_MECHANISMS, 0, users_mechanisms },
	{ TMAIL_AUTH_VERIFY, TMAIL_BLOCKING, users_verify },
	{ TMAIL_AUTH_EXCHANGE, TMAIL_BLOCKING, users_exchange },
	{ TMAIL_AUTH_FORGET, 0, users_forget },
	{ TMAIL_AUTH_FIND, TMAIL_BLOCKING, users_find },
};
static const struct tmail_operation mailbox_operations[] = { { TMAIL_TABLE_GET, TMAIL_BLOCKING,
	users_mailbox } };
static const struct tmail_operation sender_operations[] = { { TMAIL_TABLE_GET, TMAIL_BLOCKING,
	users_sender } };

static const struct tmail_service services[] = {
	{ TMAIL_AUTH, NULL, TMAIL_LIST(auth_operations) },
	{ TMAIL_TABLE, "mailbox", TMAIL_LIST(mailbox_operations) },
	{ TMAIL_TABLE, "sender", TMAIL_LIST(sender_operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1,
		"create table users (id ${serial}, login varchar(255) not null unique,"
		" domain varchar(255) not null default '', dove_passwd varchar(255) not null,"
		" scram_sha_256 varchar(255), cram_md5 varchar(255),"
		" active char(1) not null default 'Y', auth_relay integer not null default 0,"
		" have_mailbox integer not null default 0,"
		" is_catchall integer not null default 0, mailbox_quota varchar(32),"
		" home varchar(1024));"
		"create index users_domain on users (domain);"
		"create table user_senders (id ${serial}, login varchar(255) not null,"
		" sender varchar(255) not null, unique (login, sender));"
		"create table user_secrets (name varchar(32) not null unique,"
		" value varchar(255) not null)" },
};

static const struct tmail_metric metrics[] = {
	{ "users_hashes", TMAIL_COUNTER, "passwords hashed" },
	{ "users_recalled", TMAIL_COUNTER, "passwords that were right a short while ago" },
	{ "users_lookups", TMAIL_COUNTER, "logins asked of the database" },
};

TMAIL_MODULE(users, .name = "auth/users", .version = TMAIL_VERSION,
	.summary = "The people who can log in, and their mailboxes.",
	.capabilities = TMAIL_CAN_SQL | TMAIL_CAN_SECRET, .conf_size = sizeof(struct users_conf),
	.self_size = sizeof(struct users), .session_size = sizeof(struct exchange),
	.options = TMAIL_LIST(options), .hooks = TMAIL_LIST(hooks),
	.services = TMAIL_LIST(services), .migrations = TMAIL_LIST(migrations),
	.verbs = TMAIL_LIST(users_verbs), .metrics = TMAIL_LIST(metrics), .check = check,
	.start = start, .stop = stop, .session_end = users_session_end);
