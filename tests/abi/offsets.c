/* SPDX-License-Identifier: MIT
 *
 * Where every member of the contract lies and what every number in it is, as it was promised with
 * ABI 0.1 (64 bits). From ABI 1 on lines are only ever added: what makes this file not compile
 * breaks modules that exist.
 */
#include <tmail/module.h>
#include <tmail/service/auth.h>
#include <tmail/service/queue.h>
#include <tmail/service/router.h>
#include <tmail/service/sql.h>
#include <tmail/service/table.h>

#define AT(type, member, offset)                                                                   \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define IS(name, number) _Static_assert((name) == (number), #name " was renumbered")

#if UINTPTR_MAX == UINT64_MAX

AT(tmail_str, data, 0);
AT(tmail_str, len, 8);

AT(tmail_list, item, 0);
AT(tmail_list, count, 8);
AT(tmail_list, stride, 12);

AT(tmail_id, hi, 0);
AT(tmail_id, lo, 8);

AT(tmail_client, size, 0);
AT(tmail_client, kind, 4);
AT(tmail_client, flags, 8);
AT(tmail_client, port, 12);
AT(tmail_client, local_port, 14);
AT(tmail_client, family, 16);
AT(tmail_client, address_bytes, 18);
AT(tmail_client, id, 40);
AT(tmail_client, address, 56);
AT(tmail_client, local_address, 72);
AT(tmail_client, reverse_name, 88);
AT(tmail_client, helo, 104);
AT(tmail_client, listener, 120);
AT(tmail_client, login, 136);
AT(tmail_client, tls_version, 152);
AT(tmail_client, tls_cipher, 168);
AT(tmail_client, hostname, 184);
AT(tmail_client, mechanism, 200);
AT(tmail_client, certificate, 216);

AT(tmail_parameter, name, 0);
AT(tmail_parameter, value, 16);

AT(tmail_recipient, index, 0);
AT(tmail_recipient, notify, 4);
AT(tmail_recipient, address, 8);
AT(tmail_recipient, original, 24);

AT(tmail_envelope, size, 0);
AT(tmail_envelope, body, 4);
AT(tmail_envelope, ret, 8);
AT(tmail_envelope, smtputf8, 12);
AT(tmail_envelope, id, 16);
AT(tmail_envelope, received, 32);
AT(tmail_envelope, declared_size, 40);
AT(tmail_envelope, sender, 48);
AT(tmail_envelope, envid, 64);
AT(tmail_envelope, login, 80);
AT(tmail_envelope, recipients, 96);

AT(tmail_answer, size, 0);
AT(tmail_answer, relay, 4);
AT(tmail_answer, code, 8);
AT(tmail_answer, enhanced, 16);
AT(tmail_answer, text, 32);
AT(tmail_answer, hold, 48);
AT(tmail_answer, next_hop, 64);
AT(tmail_answer, source, 80);
AT(tmail_answer, sender, 96);

AT(tmail_call, size, 0);
AT(tmail_call, point, 4);
AT(tmail_call, dry, 8);
AT(tmail_call, reserved, 12);
AT(tmail_call, host, 16);
AT(tmail_call, conf, 24);
AT(tmail_call, self, 32);
AT(tmail_call, loop, 40);
AT(tmail_call, session, 48);
AT(tmail_call, message, 56);
AT(tmail_call, client, 64);
AT(tmail_call, envelope, 72);
AT(tmail_call, answer, 80);
AT(tmail_call, core, 88);

AT(tmail_field, name, 0);
AT(tmail_field, value, 8);

AT(tmail_edit, size, 0);
AT(tmail_edit, header_add, 8);
AT(tmail_edit, header_insert, 16);
AT(tmail_edit, header_change, 24);
AT(tmail_edit, body_replace, 32);
AT(tmail_edit, sender_change, 40);
AT(tmail_edit, recipient_add, 48);
AT(tmail_edit, recipient_remove, 56);
AT(tmail_edit, recipient_verdict, 64);

AT(tmail_dns_answer, size, 0);
AT(tmail_dns_answer, status, 4);
AT(tmail_dns_answer, secure, 8);
AT(tmail_dns_answer, ttl, 12);
AT(tmail_dns_answer, records, 16);
AT(tmail_dns_answer, why, 32);

AT(tmail_net, size, 0);
AT(tmail_net, resolve, 8);
AT(tmail_net, watch, 16);
AT(tmail_net, timer, 24);
AT(tmail_net, connect, 32);

AT(tmail_emit, size, 0);
AT(tmail_emit, columns, 8);
AT(tmail_emit, row, 16);
AT(tmail_emit, say, 24);
AT(tmail_emit, fail, 32);
AT(tmail_emit, progress, 40);

AT(tmail_host, size, 0);
AT(tmail_host, abi_major, 4);
AT(tmail_host, abi_minor, 6);
AT(tmail_host, log, 8);
AT(tmail_host, count, 16);
AT(tmail_host, alloc, 24);
AT(tmail_host, reply, 32);
AT(tmail_host, resume, 40);
AT(tmail_host, note_set, 48);
AT(tmail_host, note_get, 56);
AT(tmail_host, ask, 64);
AT(tmail_host, lookup, 72);
AT(tmail_host, changed, 80);
AT(tmail_host, edit, 88);
AT(tmail_host, net, 96);
AT(tmail_host, emit, 104);
AT(tmail_host, base, 112);
AT(tmail_host, abandoned, 120);

AT(tmail_hook, point, 0);
AT(tmail_hook, flags, 4);
AT(tmail_hook, run, 8);

AT(tmail_operation, op, 0);
AT(tmail_operation, flags, 4);
AT(tmail_operation, run, 8);

AT(tmail_service, name, 0);
AT(tmail_service, key, 8);
AT(tmail_service, operations, 16);

AT(tmail_option, name, 0);
AT(tmail_option, type, 8);
AT(tmail_option, flags, 12);
AT(tmail_option, offset, 16);
AT(tmail_option, fallback, 24);
AT(tmail_option, min, 32);
AT(tmail_option, max, 40);
AT(tmail_option, summary, 48);
AT(tmail_option, choices, 56);
AT(tmail_option, options, 64);
AT(tmail_option, stride, 80);
AT(tmail_option, sample, 88);

AT(tmail_migration, number, 0);
AT(tmail_migration, sql, 8);

AT(tmail_argument, name, 0);
AT(tmail_argument, shorts, 8);
AT(tmail_argument, type, 16);
AT(tmail_argument, flags, 20);
AT(tmail_argument, summary, 24);

AT(tmail_value, name, 0);
AT(tmail_value, value, 16);

AT(tmail_verb, name, 0);
AT(tmail_verb, summary, 8);
AT(tmail_verb, role, 16);
AT(tmail_verb, flags, 20);
AT(tmail_verb, arguments, 24);
AT(tmail_verb, run, 40);

AT(tmail_metric, name, 0);
AT(tmail_metric, kind, 8);
AT(tmail_metric, summary, 16);

AT(tmail_module, magic, 0);
AT(tmail_module, abi_major, 8);
AT(tmail_module, abi_minor, 10);
AT(tmail_module, abi_needs, 12);
AT(tmail_module, reserved, 14);
AT(tmail_module, size, 16);
AT(tmail_module, capabilities, 20);
AT(tmail_module, name, 24);
AT(tmail_module, version, 32);
AT(tmail_module, summary, 40);
AT(tmail_module, conf_size, 48);
AT(tmail_module, self_size, 56);
AT(tmail_module, loop_size, 64);
AT(tmail_module, session_size, 72);
AT(tmail_module, message_size, 80);
AT(tmail_module, options, 88);
AT(tmail_module, hooks, 104);
AT(tmail_module, services, 120);
AT(tmail_module, migrations, 136);
AT(tmail_module, verbs, 152);
AT(tmail_module, metrics, 168);
AT(tmail_module, check, 184);
AT(tmail_module, start, 192);
AT(tmail_module, stop, 200);
AT(tmail_module, loop_start, 208);
AT(tmail_module, loop_end, 216);
AT(tmail_module, session_end, 224);
AT(tmail_module, message_end, 232);

IS(TMAIL_OK, 0);
IS(TMAIL_NOT_FOUND, 1);
IS(TMAIL_TRY_LATER, 2);
IS(TMAIL_REFUSED, 3);
IS(TMAIL_PENDING, 4);
IS(TMAIL_LATE, 5);
IS(TMAIL_UNSUPPORTED, 6);

IS(TMAIL_ERROR, 0);
IS(TMAIL_WARNING, 1);
IS(TMAIL_INFO, 2);
IS(TMAIL_DEBUG, 3);

IS(TMAIL_CLIENT_SMTP, 0);
IS(TMAIL_CLIENT_INJECT, 1);
IS(TMAIL_CLIENT_BOUNCE, 2);
IS(TMAIL_CLIENT_ALIAS, 3);

IS(TMAIL_CLIENT_ESMTP, 1);
IS(TMAIL_CLIENT_TLS, 2);
IS(TMAIL_CLIENT_AUTHENTICATED, 4);
IS(TMAIL_CLIENT_RELAY, 8);

IS(TMAIL_NOTIFY_NEVER, 1);
IS(TMAIL_NOTIFY_SUCCESS, 2);
IS(TMAIL_NOTIFY_FAILURE, 4);
IS(TMAIL_NOTIFY_DELAY, 8);

IS(TMAIL_BODY_7BIT, 0);
IS(TMAIL_BODY_8BITMIME, 1);
IS(TMAIL_BODY_BINARYMIME, 2);

IS(TMAIL_RET_NONE, 0);
IS(TMAIL_RET_FULL, 1);
IS(TMAIL_RET_HDRS, 2);

IS(TMAIL_POINT_CONNECT, 0);
IS(TMAIL_POINT_HELO, 1);
IS(TMAIL_POINT_TLS, 2);
IS(TMAIL_POINT_AUTH, 3);
IS(TMAIL_POINT_MAIL, 4);
IS(TMAIL_POINT_RCPT, 5);
IS(TMAIL_POINT_DATA, 6);
IS(TMAIL_POINT_HEADER, 7);
IS(TMAIL_POINT_EOH, 8);
IS(TMAIL_POINT_BODY, 9);
IS(TMAIL_POINT_EOM, 10);
IS(TMAIL_POINT_RESET, 11);
IS(TMAIL_POINT_UNKNOWN, 12);
IS(TMAIL_POINT_QUEUED, 13);
IS(TMAIL_POINT_DISCONNECT, 14);
IS(TMAIL_POINT_PREDELIVER, 15);
IS(TMAIL_POINT_DELIVERED, 16);
IS(TMAIL_POINT_DEFERRED, 17);
IS(TMAIL_POINT_BOUNCED, 18);
IS(TMAIL_POINT_TICK, 19);
IS(TMAIL_POINT_RELOADED, 20);
IS(TMAIL_POINT_CHANGED, 21);
IS(TMAIL_POINTS, 22);

IS(TMAIL_CONTINUE, 0);
IS(TMAIL_ACCEPT, 1);
IS(TMAIL_REJECT, 2);
IS(TMAIL_TEMPFAIL, 3);
IS(TMAIL_DISCARD, 4);
IS(TMAIL_HOLD, 5);
IS(TMAIL_WAIT, 6);

IS(TMAIL_SCOPE_CALL, 0);
IS(TMAIL_SCOPE_MESSAGE, 1);
IS(TMAIL_SCOPE_SESSION, 2);

IS(TMAIL_READABLE, 1);
IS(TMAIL_WRITABLE, 2);

IS(TMAIL_FIRST, 1);
IS(TMAIL_LAST, 2);
IS(TMAIL_BLOCKING, 4);
IS(TMAIL_STREAM, 8);
IS(TMAIL_DRY, 16);
IS(TMAIL_OFFLINE, 32);
IS(TMAIL_WAITS, 64);

IS(TMAIL_TYPE_BOOL, 0);
IS(TMAIL_TYPE_INT, 1);
IS(TMAIL_TYPE_STRING, 2);
IS(TMAIL_TYPE_DURATION, 3);
IS(TMAIL_TYPE_SIZE, 4);
IS(TMAIL_TYPE_FILE, 5);
IS(TMAIL_TYPE_STRINGS, 6);
IS(TMAIL_TYPE_CHOICE, 7);
IS(TMAIL_TYPE_SECRET, 8);
IS(TMAIL_TYPE_GROUPS, 9);

IS(TMAIL_REQUIRED, 1);
IS(TMAIL_RESTART, 2);

IS(TMAIL_POSITIONAL, 256);
IS(TMAIL_REPEATED, 512);

IS(TMAIL_ROLE_READ, 0);
IS(TMAIL_ROLE_OPERATE, 1);
IS(TMAIL_ROLE_ADMIN, 2);

IS(TMAIL_COUNTER, 0);
IS(TMAIL_GAUGE, 1);

IS(TMAIL_CAN_READ, 1);
IS(TMAIL_CAN_EDIT, 2);
IS(TMAIL_CAN_SECRET, 4);
IS(TMAIL_CAN_NET, 8);
IS(TMAIL_CAN_FILE, 16);
IS(TMAIL_CAN_EXEC, 32);
IS(TMAIL_CAN_QUEUE, 64);
IS(TMAIL_CAN_SQL, 128);

AT(tmail_queue_op, change, 0);
AT(tmail_queue_op, recipient, 4);
AT(tmail_queue_op, id, 8);
AT(tmail_queue_op, envelope, 24);
AT(tmail_queue_op, opaque, 32);
AT(tmail_queue_op, content, 48);
AT(tmail_queue_op, content_count, 56);
AT(tmail_queue_op, spooled, 60);
AT(tmail_queue_op, spool_size, 64);
AT(tmail_queue_op, due, 72);
AT(tmail_queue_op, fate, 80);
AT(tmail_queue_op, attempts, 84);
AT(tmail_queue_op, reply, 88);
AT(tmail_queue_op, note, 104);

AT(tmail_queue_verdict, result, 0);
AT(tmail_queue_verdict, full, 4);
AT(tmail_queue_verdict, why, 8);

AT(tmail_queue_write, size, 0);
AT(tmail_queue_write, count, 4);
AT(tmail_queue_write, ops, 8);
AT(tmail_queue_write, results, 24);

AT(tmail_queue_claim, size, 0);
AT(tmail_queue_claim, limit, 4);
AT(tmail_queue_claim, now, 8);

AT(tmail_queue_entry, id, 0);
AT(tmail_queue_entry, recipient, 16);
AT(tmail_queue_entry, fate, 20);
AT(tmail_queue_entry, attempts, 24);
AT(tmail_queue_entry, held, 28);
AT(tmail_queue_entry, due, 32);
AT(tmail_queue_entry, received, 40);
AT(tmail_queue_entry, octets, 48);
AT(tmail_queue_entry, sender, 56);
AT(tmail_queue_entry, address, 72);
AT(tmail_queue_entry, reply, 88);
AT(tmail_queue_entry, hold, 104);
AT(tmail_queue_entry, note, 120);

AT(tmail_queue_claimed, size, 0);
AT(tmail_queue_claimed, entries, 8);
AT(tmail_queue_claimed, next, 24);

AT(tmail_queue_given_back, id, 0);
AT(tmail_queue_given_back, recipient, 16);
AT(tmail_queue_given_back, due, 24);

AT(tmail_queue_release, size, 0);
AT(tmail_queue_release, claims, 8);

AT(tmail_queue_renew, size, 0);
AT(tmail_queue_renew, count, 4);
AT(tmail_queue_renew, ids, 8);
AT(tmail_queue_renew, left, 16);

AT(tmail_queue_read, size, 0);
AT(tmail_queue_read, id, 8);
AT(tmail_queue_read, offset, 24);
AT(tmail_queue_read, limit, 32);

AT(tmail_queue_content, size, 0);
AT(tmail_queue_content, envelope, 8);
AT(tmail_queue_content, opaque, 16);
AT(tmail_queue_content, states, 32);
AT(tmail_queue_content, octets, 48);
AT(tmail_queue_content, total, 64);

AT(tmail_queue_find, size, 0);
AT(tmail_queue_find, limit, 4);
AT(tmail_queue_find, id, 8);
AT(tmail_queue_find, after, 24);
AT(tmail_queue_find, sender, 40);
AT(tmail_queue_find, recipient, 56);
AT(tmail_queue_find, reason, 72);
AT(tmail_queue_find, before, 88);
AT(tmail_queue_find, fates, 96);
AT(tmail_queue_find, held, 100);
AT(tmail_queue_find, found, 104);
AT(tmail_queue_find, ctx, 112);

AT(tmail_queue_counts, size, 0);
AT(tmail_queue_counts, reserved, 4);
AT(tmail_queue_counts, messages, 8);
AT(tmail_queue_counts, recipients, 16);
AT(tmail_queue_counts, pending, 24);
AT(tmail_queue_counts, deferred, 32);
AT(tmail_queue_counts, held, 40);
AT(tmail_queue_counts, octets, 48);

AT(tmail_queue_check, size, 0);
AT(tmail_queue_check, reserved, 4);
AT(tmail_queue_check, id, 8);

AT(tmail_queue_reserve, size, 0);
AT(tmail_queue_reserve, reserved, 4);
AT(tmail_queue_reserve, octets, 8);
AT(tmail_queue_reserve, give_back, 16);

AT(tmail_queue_spool, size, 0);
AT(tmail_queue_spool, last, 4);
AT(tmail_queue_spool, id, 8);
AT(tmail_queue_spool, offset, 24);
AT(tmail_queue_spool, octets, 32);

IS(TMAIL_QUEUE_WRITE, 1);
IS(TMAIL_QUEUE_CLAIM, 2);
IS(TMAIL_QUEUE_RELEASE, 3);
IS(TMAIL_QUEUE_READ, 4);
IS(TMAIL_QUEUE_FIND, 5);
IS(TMAIL_QUEUE_COUNT, 6);
IS(TMAIL_QUEUE_CHECK, 7);
IS(TMAIL_QUEUE_RESERVE, 8);
IS(TMAIL_QUEUE_SPOOL, 9);
IS(TMAIL_QUEUE_UNSPOOL, 10);
IS(TMAIL_QUEUE_RENEW, 11);

IS(TMAIL_FATE_PENDING, 0);
IS(TMAIL_FATE_DEFERRED, 1);
IS(TMAIL_FATE_DELIVERED, 2);
IS(TMAIL_FATE_BOUNCED, 3);
IS(TMAIL_FATE_EXPIRED, 4);
IS(TMAIL_FATE_DISCARDED, 5);

IS(TMAIL_QUEUE_ADD, 0);
IS(TMAIL_QUEUE_OUTCOME, 1);
IS(TMAIL_QUEUE_END, 2);
IS(TMAIL_QUEUE_HOLD, 3);
IS(TMAIL_QUEUE_FREE, 4);
IS(TMAIL_QUEUE_DUE, 5);

IS(TMAIL_QUEUE_DURABLE, 0);
IS(TMAIL_QUEUE_NO, 1);
IS(TMAIL_QUEUE_UNKNOWN, 2);
IS(TMAIL_QUEUE_LOST, 3);
IS(TMAIL_QUEUE_NEVER, 4);

AT(tmail_route_ask, size, 0);
AT(tmail_route_ask, attempts, 4);
AT(tmail_route_ask, sender, 8);
AT(tmail_route_ask, recipient, 24);
AT(tmail_route_ask, domain, 40);
AT(tmail_route_ask, login, 56);

AT(tmail_hop, priority, 0);
AT(tmail_hop, weight, 4);
AT(tmail_hop, port, 8);
AT(tmail_hop, protocol, 10);
AT(tmail_hop, tls, 12);
AT(tmail_hop, host, 16);
AT(tmail_hop, source, 32);
AT(tmail_hop, login, 48);
AT(tmail_hop, password, 64);
AT(tmail_hop, secure, 80);
AT(tmail_hop, source_id, 84);

AT(tmail_route_answer, size, 0);
AT(tmail_route_answer, code, 4);
AT(tmail_route_answer, enhanced, 8);
AT(tmail_route_answer, why, 24);
AT(tmail_route_answer, destination, 40);
AT(tmail_route_answer, hops, 56);
AT(tmail_route_answer, ttl, 72);
AT(tmail_route_answer, any_sender, 76);
AT(tmail_route_answer, connections, 80);
AT(tmail_route_answer, messages, 84);
AT(tmail_route_answer, rate_count, 88);
AT(tmail_route_answer, rate_ms, 92);
AT(tmail_route_answer, reason, 96);

IS(TMAIL_ROUTER_ROUTE, 1);

IS(TMAIL_PROTOCOL_SMTP, 0);
IS(TMAIL_PROTOCOL_LMTP, 1);

IS(TMAIL_TLS_UNSET, 0);
IS(TMAIL_TLS_NONE, 1);
IS(TMAIL_TLS_MAY, 2);
IS(TMAIL_TLS_ENCRYPT, 3);
IS(TMAIL_TLS_VERIFY, 4);
IS(TMAIL_TLS_DANE, 5);
IS(TMAIL_TLS_SMTPS, 6);

AT(tmail_sql_value, type, 0);
AT(tmail_sql_value, reserved, 4);
AT(tmail_sql_value, integer, 8);
AT(tmail_sql_value, text, 16);

AT(tmail_sql_query, size, 0);
AT(tmail_sql_query, count, 4);
AT(tmail_sql_query, sql, 8);
AT(tmail_sql_query, parameters, 24);
AT(tmail_sql_query, row, 32);
AT(tmail_sql_query, ctx, 40);

AT(tmail_sql_transaction, size, 0);
AT(tmail_sql_transaction, count, 4);
AT(tmail_sql_transaction, queries, 8);
AT(tmail_sql_transaction, changes, 16);

AT(tmail_sql_result, size, 0);
AT(tmail_sql_result, duplicate, 4);
AT(tmail_sql_result, changed, 8);
AT(tmail_sql_result, inserted, 16);
AT(tmail_sql_result, why, 24);

AT(tmail_sql_migrate, size, 0);
AT(tmail_sql_migrate, apply, 4);
AT(tmail_sql_migrate, module, 8);
AT(tmail_sql_migrate, steps, 16);

IS(TMAIL_SQL_QUERY, 1);
IS(TMAIL_SQL_TRANSACTION, 2);
IS(TMAIL_SQL_MIGRATE, 3);

IS(TMAIL_SQL_NULL, 0);
IS(TMAIL_SQL_INTEGER, 1);
IS(TMAIL_SQL_TEXT, 2);
IS(TMAIL_SQL_BLOB, 3);

AT(tmail_table_get, size, 0);
AT(tmail_table_get, reserved, 4);
AT(tmail_table_get, key, 8);

AT(tmail_table_got, size, 0);
AT(tmail_table_got, reserved, 4);
AT(tmail_table_got, value, 8);
AT(tmail_table_got, why, 24);

IS(TMAIL_TABLE_GET, 1);

AT(tmail_auth_who, size, 0);
AT(tmail_auth_who, relay, 4);
AT(tmail_auth_who, login, 8);
AT(tmail_auth_who, why, 24);

AT(tmail_auth_mechanisms, size, 0);
AT(tmail_auth_mechanisms, reserved, 4);
AT(tmail_auth_mechanisms, names, 8);

AT(tmail_auth_verify, size, 0);
AT(tmail_auth_verify, reserved, 4);
AT(tmail_auth_verify, authorize, 8);
AT(tmail_auth_verify, login, 24);
AT(tmail_auth_verify, password, 40);

AT(tmail_auth_find, size, 0);
AT(tmail_auth_find, reserved, 4);
AT(tmail_auth_find, login, 8);

AT(tmail_auth_step, size, 0);
AT(tmail_auth_step, first, 4);
AT(tmail_auth_step, mechanism, 8);
AT(tmail_auth_step, in, 24);
AT(tmail_auth_step, binding_type, 40);
AT(tmail_auth_step, binding, 56);

AT(tmail_auth_reply, size, 0);
AT(tmail_auth_reply, more, 4);
AT(tmail_auth_reply, out, 8);
AT(tmail_auth_reply, who, 24);

IS(TMAIL_AUTH_MECHANISMS, 1);
IS(TMAIL_AUTH_VERIFY, 2);
IS(TMAIL_AUTH_EXCHANGE, 3);
IS(TMAIL_AUTH_FORGET, 4);
IS(TMAIL_AUTH_FIND, 5);

#endif
