/* SPDX-License-Identifier: MIT
 *
 * auth/relayip: the addresses and networks whose clients may relay. Owns the table
 * relay_ip_oks and answers the cached table "relayip" for single addresses. The page for
 * administrators is relayip.md.
 */
#include "base/buf.h"
#include "base/ip.h"

#include <stdio.h>

#include <tmail/service/sql.h>
#include <tmail/service/table.h>

/* Text of a network: an address, and "/128". */
enum { NETWORK_TEXT = IP_TEXT + 4, PREFIXES = 129 };

static unsigned bits_of(const struct ip *ip)
{
	return ip->family == 4 ? 32 : 128;
}

/* The canonical text: an address alone when the network is one address. */
static struct tmail_str network_text(const struct cidr *cidr, char room[NETWORK_TEXT])
{
	struct tmail_str text = { room, 0 };
	char ip[IP_TEXT];

	ip_text(&cidr->ip, ip);
	if (cidr->bits == bits_of(&cidr->ip))
		text.len = (size_t)snprintf(room, NETWORK_TEXT, "%s", ip);
	else
		text.len = (size_t)snprintf(room, NETWORK_TEXT, "%s/%u", ip, cidr->bits);
	return text;
}

/* ---- the table ------------------------------------------------------------------------- */

static int row_found(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	(void)columns;
	*(bool *)ctx = n > 0;
	return 1;
}

/* The networks that hold an address, from itself to /0: what the database is asked for is a
 * plain equality on an indexed column, on every database. */
static uint32_t networks_of(
	struct ip ip, char room[PREFIXES][NETWORK_TEXT], struct tmail_sql_value values[PREFIXES])
{
	uint32_t count = 0;

	for (int bits = (int)bits_of(&ip); bits >= 0; bits--) {
		struct cidr cidr;

		if (bits < (int)bits_of(&ip))
			ip.bytes[bits / 8] &= (uint8_t) ~(0x80u >> (bits % 8));
		cidr.ip = ip;
		cidr.bits = (uint8_t)bits;
		values[count] = tmail_sql_text(network_text(&cidr, room[count]));
		count++;
	}
	return count;
}

static int get(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	char room[PREFIXES][NETWORK_TEXT];
	struct tmail_sql_value values[PREFIXES];
	struct ip ip;
	bool found = false;
	struct buf sql = { 0 };
	struct tmail_sql_query query = {
		.size = sizeof query, .parameters = values, .row = row_found, .ctx = &found
	};
	struct tmail_sql_result result = { .size = sizeof result };
	int status;

	if (!ip_parse(str_make(get->key.data, get->key.len), &ip))
		return TMAIL_NOT_FOUND;
	query.count = networks_of(ip, room, values);
	buf_add_c(&sql, "select 1 from relay_ip_oks where ip in (?");
	for (uint32_t i = 1; i < query.count; i++)
		buf_add_c(&sql, ",?");
	buf_add_c(&sql, ") limit 1");
	query.sql.data = sql.data;
	query.sql.len = sql.len;
	status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result);
	buf_free(&sql);
	call->host->count(call, 0, 1);
	got->why = result.why;
	if (status != TMAIL_OK)
		return TMAIL_TRY_LATER;
	return found ? TMAIL_OK : TMAIL_NOT_FOUND;
}

/* ---- commands -------------------------------------------------------------------------- */

static int take_network(struct tmail_call *call, const struct tmail_list *values,
	char room[NETWORK_TEXT], struct tmail_str *text)
{
	struct tmail_str given = tmail_value(values, "IP");
	struct cidr cidr;

	if (cidr_parse(str_make(given.data, given.len), &cidr)) {
		*text = network_text(&cidr, room);
		return TMAIL_OK;
	}
	call->host->emit->fail(call, "Invalid IP: %.*s%s", (int)given.len, given.data,
		memchr(given.data ? given.data : "", '/', given.len)
			? " (a network is ADDRESS/BITS with no host bits set)"
			: "");
	return TMAIL_REFUSED;
}

/* A statement about the network that was given; `otherwise`: what it is when nothing changed. */
static int change(struct tmail_call *call, const struct tmail_list *values, struct tmail_str sql,
	const char *otherwise)
{
	char room[NETWORK_TEXT];
	struct tmail_str text;
	struct tmail_sql_value key;
	struct tmail_sql_query query = {
		.size = sizeof query, .count = 1, .sql = sql, .parameters = &key
	};
	int status;

	if (take_network(call, values, room, &text) != TMAIL_OK)
		return TMAIL_REFUSED;
	key = tmail_sql_text(text);
	status = tmail_sql_put(call, "relayip", &query);
	if (status != TMAIL_NOT_FOUND)
		return status;
	call->host->emit->fail(call, "IP %.*s %s", (int)text.len, text.data, otherwise);
	return TMAIL_REFUSED;
}

static int add(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_str sql = TMAIL_STR("insert into relay_ip_oks (ip) values (?)");

	return change(call, values, sql, "may relay already");
}

static int del(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_str sql = TMAIL_STR("delete from relay_ip_oks where ip = ?");

	return change(call, values, sql, "is not listed");
}

static int list_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct tmail_call *call = ctx;
	struct tmail_str values[2];
	char id[24];

	if (n < 2)
		return 0;
	values[0].data = id;
	values[0].len = (size_t)snprintf(id, sizeof id, "%lld", (long long)columns[0].integer);
	values[1] = columns[1].text;
	return call->host->emit->row(call, values, 2);
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "id:int", "ip" };
	struct tmail_str sql = TMAIL_STR("select id, ip from relay_ip_oks order by id");

	(void)values;
	return tmail_sql_list(call, names, 2, sql, list_row);
}

/* ---- the descriptor -------------------------------------------------------------------- */

static const struct tmail_operation operations[] = {
	{ TMAIL_TABLE_GET, TMAIL_BLOCKING, get },
};

static const struct tmail_service services[] = {
	{ TMAIL_TABLE, "relayip", TMAIL_LIST(operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1, "create table relay_ip_oks (id ${serial}, ip varchar(64) not null unique)" },
};

static const struct tmail_argument arguments[] = {
	{ "IP", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"An address of either family, or a network such as 192.0.2.0/24." },
};

static const struct tmail_verb verbs[] = {
	{ "relayip add", "Let clients at an address or in a network relay.", TMAIL_ROLE_ADMIN,
		TMAIL_OFFLINE, TMAIL_LIST(arguments), add },
	{ "relayip del", "Let them relay no more.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(arguments), del },
	{ "relayip list", "List the addresses and networks that may relay.", TMAIL_ROLE_READ,
		TMAIL_OFFLINE, { NULL, 0, 0 }, list },
};

static const struct tmail_metric metrics[] = {
	{ "relayip_lookups", TMAIL_COUNTER, "addresses asked of the database" },
};

TMAIL_MODULE(relayip, .name = "auth/relayip", .version = TMAIL_VERSION,
	.summary = "The addresses and networks whose clients may relay.",
	.capabilities = TMAIL_CAN_SQL, .services = TMAIL_LIST(services),
	.migrations = TMAIL_LIST(migrations), .verbs = TMAIL_LIST(verbs),
	.metrics = TMAIL_LIST(metrics));
