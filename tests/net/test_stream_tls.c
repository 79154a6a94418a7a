/* SPDX-License-Identifier: MIT
 *
 * Streams through TLS: the same rules as in clear, whatever the records look like.
 */
#include "tests/net/tls_peers.h"

static void secure_set_up(void)
{
	pki_set_up();
	set_up();
	stream_accept_tls(owner.stream, server_tls);
	raw_begin("mail.example");
	ck_assert(raw_handshake());
	LOOP_UNTIL(owner.secured == 1);
}

static void secure_tear_down(void)
{
	raw_end();
	tear_down();
	pki_tear_down();
}

/* ---- input and output -------------------------------------------------------------------- */

START_TEST(a_request_is_shown_in_clear_and_its_reply_sent_encrypted)
{
	const struct tls_facts *facts;

	secure_set_up();
	owner.answer = STR("250 ok\r\n");
	raw_send(STR("NOOP\r\n"));
	LOOP_UNTIL(owner.inputs == 1);
	ck_assert(str_equal(buf_str(&owner.seen), STR("NOOP\r\n")));
	ck_assert(str_equal(raw_receive(8), STR("250 ok\r\n")));
	ck_assert_uint_eq(stream_received(owner.stream), 6);
	ck_assert_int_eq(owner.drains, 1);
	facts = stream_tls_facts(owner.stream);
	ck_assert_str_eq(facts->version, "TLSv1.3");
	ck_assert_str_eq(facts->cipher, "TLS_AES_256_GCM_SHA384");
	ck_assert_uint_eq(facts->bits, 256);
	ck_assert_str_eq(facts->server_name, "mail.example");
	ck_assert_str_eq(facts->peer, "");
	ck_assert(!facts->verified && !facts->resumed);
	secure_tear_down();
}
END_TEST

START_TEST(what_was_written_before_goes_out_in_clear_first_and_what_follows_waits)
{
	pki_set_up();
	set_up();
	stream_write(owner.stream, STR("220 go ahead\r\n"));
	stream_accept_tls(owner.stream, server_tls);
	stream_write(owner.stream, STR("only encrypted"));
	loop_turn();
	ck_assert(str_equal(client_receive(14), STR("220 go ahead\r\n")));
	ck_assert(client_has_nothing());
	ck_assert_uint_eq(stream_unsent(owner.stream), 14);
	raw_begin(NULL);
	ck_assert(raw_handshake());
	ck_assert(str_equal(raw_receive(14), STR("only encrypted")));
	ck_assert_uint_eq(stream_unsent(owner.stream), 0);
	secure_tear_down();
}
END_TEST

static void greet_and_pause(struct owner *o)
{
	stream_write(o->stream, STR("220 hello\r\n"));
	stream_pause(o->stream, true);
}

START_TEST(an_owner_may_write_and_pause_when_it_hears_that_all_is_secure)
{
	pki_set_up();
	set_up();
	owner.on_secured = greet_and_pause;
	stream_accept_tls(owner.stream, server_tls);
	raw_begin(NULL);
	ck_assert(raw_handshake());
	raw_send(STR("early"));
	ck_assert(str_equal(raw_receive(11), STR("220 hello\r\n")));
	LOOP_UNTIL(stream_received(owner.stream) == 5);
	ck_assert_int_eq(owner.inputs, 0);
	stream_resume(owner.stream);
	loop_turn();
	ck_assert(str_equal(buf_str(&owner.seen), STR("early")));
	secure_tear_down();
}
END_TEST

/* The handshake may come in one piece with the last that is said in clear. */
static void secure_behind_the_line(struct owner *o)
{
	o->act = NULL;
	stream_accept_tls(o->stream, server_tls);
}

START_TEST(what_came_along_is_the_beginning_of_tls)
{
	BIO *memory = BIO_new(BIO_s_mem());
	struct buf text = { 0 };
	char *octets;

	pki_set_up();
	set_up();
	owner.take = 7;
	owner.act = secure_behind_the_line;
	raw_begin(NULL);
	SSL_set0_wbio(raw, memory);
	ck_assert_int_eq(SSL_do_handshake(raw), -1);
	buf_add(&text, STR("PROXY\r\n"));
	buf_add(&text, str_make(octets, (size_t)BIO_get_mem_data(memory, &octets)));
	client_send(buf_str(&text));
	ck_assert(SSL_set_wfd(raw, client));
	owner.take = 7;
	ck_assert(raw_handshake());
	owner.take = SIZE_MAX;
	raw_send(STR("EHLO"));
	LOOP_UNTIL(owner.inputs == 2);
	ck_assert(str_equal(buf_str(&owner.seen), STR("PROXY\r\nEHLO")));
	buf_free(&text);
	secure_tear_down();
}
END_TEST

/* Between the library and the socket, so that what it says can be cut. */
static struct buf records;

static void client_says(struct str text)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *octets;
	long len;

	SSL_set0_wbio(raw, memory);
	for (size_t i = 0; i < text.len; i += 7) {
		struct str piece = str_slice(text, i, 7);
		ck_assert_int_gt(SSL_write(raw, piece.data, (int)piece.len), 0);
	}
	len = BIO_get_mem_data(memory, &octets);
	buf_clear(&records);
	buf_add(&records, str_make(octets, (size_t)len));
}

START_TEST(records_cut_anywhere_are_the_same_input)
{
	struct str text = STR("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");

	secure_set_up();
	for (size_t step = 1; step < 70; step += 3) {
		uint64_t before = stream_received(owner.stream);

		buf_clear(&owner.seen);
		client_says(text);
		for (size_t at = 0; at < records.len; at += step) {
			client_send(str_slice(buf_str(&records), at, step));
			loop_turn();
		}
		LOOP_UNTIL(stream_received(owner.stream) == before + text.len);
		ck_assert(str_equal(buf_str(&owner.seen), text));
	}
	buf_free(&records);
	secure_tear_down();
}
END_TEST

START_TEST(many_records_in_one_read_are_shown_as_one_piece)
{
	static char text[50000];

	secure_set_up();
	client_says(str_make(text, sizeof text / 2));
	ck_assert_uint_gt(records.len, 64 * 1024); /* more than one read */
	for (size_t at = 0; at < records.len; at += 32768) {
		client_send(str_slice(buf_str(&records), at, 32768));
		loop_turn();
	}
	LOOP_UNTIL(owner.seen.len == sizeof text / 2);
	ck_assert_int_lt(owner.inputs, 10);
	buf_free(&records);
	secure_tear_down();
}
END_TEST

static void close_at_once(struct owner *o)
{
	stream_close(&o->stream, 0);
}

START_TEST(an_owner_may_close_in_every_callback)
{
	pki_set_up();
	set_up();
	owner.on_secured = close_at_once;
	stream_accept_tls(owner.stream, server_tls);
	raw_begin(NULL);
	raw_handshake();
	LOOP_UNTIL(owner.secured == 1);
	ck_assert_int_eq(owner.inputs + owner.ends, 0);
	secure_tear_down();

	secure_set_up();
	owner.act = close_at_once;
	raw_send(STR("QUIT\r\n"));
	LOOP_UNTIL(owner.inputs == 1);
	loop_turn();
	ck_assert_int_eq(owner.ends, 0);
	secure_tear_down();
}
END_TEST

/* ---- back-pressure ----------------------------------------------------------------------- */

START_TEST(a_large_reply_goes_out_in_pieces_and_drains_once)
{
	static char big[4 << 20];
	size_t received = 0;

	secure_set_up();
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 31 >> 5);
	stream_write(owner.stream, str_make(big, sizeof big));
	for (int i = 0; i < 10; i++)
		loop_turn();
	ck_assert_uint_gt(stream_unsent(owner.stream), 0);
	ck_assert_int_eq(owner.drains, 0);
	while (received < sizeof big) {
		struct str piece = raw_receive(4096);

		ck_assert_int_eq(memcmp(piece.data, big + received, piece.len), 0);
		received += piece.len;
		loop_turn();
	}
	loop_turn();
	ck_assert_uint_eq(stream_unsent(owner.stream), 0);
	ck_assert_int_eq(owner.drains, 1);
	secure_tear_down();
}
END_TEST

/* As much as goes without waiting. */
static size_t raw_send_all_it_can(void)
{
	static const char octets[16384];
	size_t sent = 0;
	int n;

	SSL_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	while ((n = SSL_write(raw, octets, sizeof octets)) > 0)
		sent += (size_t)n;
	ck_assert_int_eq(SSL_get_error(raw, n), SSL_ERROR_WANT_WRITE);
	return sent;
}

START_TEST(an_owner_that_takes_nothing_bounds_what_is_read)
{
	static const char octets[16384];
	size_t sent, kept;

	secure_set_up();
	owner.take = 0;
	sent = raw_send_all_it_can();
	ck_assert_uint_gt(sent, 128 * 1024);
	for (int i = 0; i < 50; i++)
		loop_turn();
	kept = stream_input(owner.stream).len;
	ck_assert_uint_ge(kept, 65536);
	ck_assert_uint_le(kept, 65536 + 16384);
	/* Taken outside of a callback: reading goes on, to the last octet. */
	owner.take = SIZE_MAX;
	stream_take(owner.stream, kept);
	LOOP_UNTIL(stream_received(owner.stream) >= sent);
	while (SSL_write(raw, octets, sizeof octets) <= 0) /* what it was left with */
		loop_turn();
	LOOP_UNTIL(stream_received(owner.stream) == sent + sizeof octets);
	secure_tear_down();
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_not_read_from_until_it_does)
{
	static char reply[4096];
	size_t sent, before;

	secure_set_up();
	owner.answer = str_make(reply, sizeof reply);
	while (stream_unsent(owner.stream) <= 65536) {
		raw_send(STR("x"));
		loop_turn();
	}
	before = stream_received(owner.stream);
	sent = raw_send_all_it_can();
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_uint_eq(stream_received(owner.stream), before);
	owner.answer = STR("");
	while (stream_received(owner.stream) < before + sent) {
		char piece[4096];

		SSL_read(raw, piece, sizeof piece);
		loop_turn();
	}
	secure_tear_down();
}
END_TEST

/* ---- the end ----------------------------------------------------------------------------- */

START_TEST(the_end_of_the_peers_tls_is_the_end_with_or_without_a_word)
{
	secure_set_up();
	raw_send(STR("last"));
	SSL_shutdown(raw);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	ck_assert(str_equal(buf_str(&owner.seen), STR("last")));
	secure_tear_down();

	secure_set_up();
	shutdown(client, SHUT_WR);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	secure_tear_down();
}
END_TEST

START_TEST(a_close_sends_the_rest_and_says_that_it_was_all)
{
	static char big[1 << 20];
	size_t received = 0;

	secure_set_up();
	stream_write(owner.stream, str_make(big, sizeof big));
	stream_close(&owner.stream, 60000);
	while (received < sizeof big)
		received += raw_receive(4096).len;
	ck_assert_uint_eq(raw_receive(1).len, 0);
	ck_assert_int_eq(SSL_get_shutdown(raw) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	secure_tear_down();
}
END_TEST

START_TEST(a_changed_octet_ends_it_and_nothing_of_the_record_is_shown)
{
	secure_set_up();
	client_says(STR("MAIL"));
	records.data[records.len - 1] ^= 1;
	client_send(buf_str(&records));
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert_int_eq(owner.inputs, 0);
	ck_assert_str_eq(stream_error(owner.stream), "decryption failed or bad record mac");
	/* Nothing is said any more, least of all in clear. */
	stream_write(owner.stream, STR("421 never\r\n"));
	loop_turn();
	ck_assert_uint_eq(stream_unsent(owner.stream), 11);
	ck_assert_uint_eq(raw_receive(1).len, 0);
	buf_free(&records);
	secure_tear_down();
}
END_TEST

/* ---- handshakes that are none ------------------------------------------------------------ */

START_TEST(octets_in_clear_end_it_with_an_alert_and_without_input)
{
	char alert[7];

	pki_set_up();
	set_up();
	stream_accept_tls(owner.stream, server_tls);
	client_send(STR("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"));
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert_int_eq(owner.inputs + owner.secured, 0);
	ck_assert_str_eq(stream_error(owner.stream), "wrong version number");
	stream_write(owner.stream, STR("500 never\r\n"));
	stream_close(&owner.stream, 0);
	loop_turn();
	ck_assert_int_le(recv(client, alert, sizeof alert, 0), (int)sizeof alert);
	tear_down();
	pki_tear_down();
}
END_TEST

START_TEST(a_connection_that_ends_in_the_handshake_is_an_error)
{
	pki_set_up();
	set_up();
	stream_accept_tls(owner.stream, server_tls);
	client_send(STR("\x16\x03\x01\x02"));
	loop_turn();
	ck_assert_int_eq(owner.ends, 0);
	shutdown(client, SHUT_WR);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert_str_eq(stream_error(owner.stream), "the connection ended in the handshake");
	tear_down();
	pki_tear_down();
}
END_TEST

START_TEST(what_waits_for_a_handshake_is_not_waited_for_at_the_end)
{
	char c;

	pki_set_up();
	set_up();
	stream_accept_tls(owner.stream, server_tls);
	loop_turn();
	stream_write(owner.stream, STR("421 too late\r\n"));
	stream_close(&owner.stream, 3600 * 1000);
	ck_assert(fd_set_nonblocking(client));
	LOOP_UNTIL(recv(client, &c, 1, 0) == 0);
	tear_down();
	pki_tear_down();
}
END_TEST

static size_t descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

START_TEST(a_thousand_torn_handshakes_leave_nothing_behind)
{
	size_t before;
	struct buf hello = { 0 };
	BIO *memory = BIO_new(BIO_s_mem());
	char *octets;

	pki_set_up();
	set_up();
	raw_begin("mail.example");
	SSL_set0_wbio(raw, memory);
	ck_assert_int_eq(SSL_do_handshake(raw), -1);
	buf_add(&hello, str_make(octets, (size_t)BIO_get_mem_data(memory, &octets)));
	tear_down();
	raw_end();
	loop_set_up();
	before = descriptors();
	for (size_t i = 0; i < 1000; i++) {
		int server;

		connected_pair(&server, &client);
		owner = (struct owner){ .take = SIZE_MAX };
		owner.stream = stream_open(loop, server, &calls, &owner);
		stream_accept_tls(owner.stream, server_tls);
		client_send(str_slice(buf_str(&hello), 0, 1 + i % hello.len));
		loop_turn();
		fd_close(&client);
		LOOP_UNTIL(owner.ends == 1);
		stream_close(&owner.stream, 1000);
	}
	loop_turn();
	ck_assert_uint_eq(descriptors(), before);
	loop_free(&loop);
	buf_free(&hello);
	pki_tear_down();
}
END_TEST

START_TEST(a_client_may_not_begin_anew_within_tls_1_2)
{
	pki_set_up();
	set_up();
	stream_accept_tls(owner.stream, server_tls);
	raw_begin(NULL);
	SSL_set_max_proto_version(raw, TLS1_2_VERSION);
	ck_assert(raw_handshake());
	LOOP_UNTIL(owner.secured == 1);
	ck_assert_str_eq(stream_tls_facts(owner.stream)->version, "TLSv1.2");
	SSL_renegotiate(raw);
	ck_assert(!raw_handshake());
	raw_end();
	tear_down();
	pki_tear_down();
}
END_TEST

/* RFC 8446 4.6.3: each asks for one in return. */
static bool new_keys(void)
{
	return SSL_key_update(raw, SSL_KEY_UPDATE_REQUESTED) && SSL_do_handshake(raw) == 1;
}

START_TEST(keys_may_change_on_the_way_in_both_directions)
{
	secure_set_up();
	owner.answer = STR("250 ok\r\n");
	for (int i = 0; i < 10; i++) {
		ck_assert(new_keys());
		raw_send(STR("NOOP\r\n"));
		ck_assert(str_equal(raw_receive(8), owner.answer));
		/* also between a request and its reply */
		raw_send(STR("NOOP\r\n"));
		ck_assert(new_keys());
		ck_assert(str_equal(raw_receive(8), owner.answer));
	}
	ck_assert_uint_eq(owner.seen.len, 120);
	secure_tear_down();
}
END_TEST

/* ---- both sides ours --------------------------------------------------------------------- */

START_TEST(a_stream_is_a_client_of_a_stream)
{
	struct owner other = { .take = SIZE_MAX };
	const struct tls_client_settings settings = { .least = TLS_VERSION_1_2 };
	const struct tls_wanted wanted = { .check = TLS_CHECK_NOTHING };
	uint8_t here[32], there[32];
	struct tls *tls;
	struct why why;

	pki_set_up();
	set_up();
	tls = tls_client_new(&settings, &why);
	ck_assert(fd_set_nonblocking(client));
	other.stream = stream_open(loop, client, &calls, &other);
	stream_accept_tls(owner.stream, server_tls);
	stream_connect_tls(other.stream, tls, &wanted);
	stream_write(other.stream, STR("EHLO x\r\n"));
	owner.answer = STR("250 ok\r\n");
	LOOP_UNTIL(other.inputs == 1);
	ck_assert(str_equal(buf_str(&owner.seen), STR("EHLO x\r\n")));
	ck_assert(str_equal(buf_str(&other.seen), STR("250 ok\r\n")));
	ck_assert(!stream_tls_facts(other.stream)->verified);
	ck_assert_ptr_nonnull(stream_tls_facts(other.stream)->trouble);
	ck_assert(tls_exporter(stream_tls(owner.stream), here));
	ck_assert(tls_exporter(stream_tls(other.stream), there));
	ck_assert_mem_eq(here, there, sizeof here);
	stream_close(&other.stream, 1000);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	buf_free(&other.seen);
	client = -1;
	tear_down();
	tls_drop(&tls);
	pki_tear_down();
}
END_TEST

TEST_MAIN("net/stream: tls", a_request_is_shown_in_clear_and_its_reply_sent_encrypted,
	what_was_written_before_goes_out_in_clear_first_and_what_follows_waits,
	an_owner_may_write_and_pause_when_it_hears_that_all_is_secure,
	what_came_along_is_the_beginning_of_tls, records_cut_anywhere_are_the_same_input,
	many_records_in_one_read_are_shown_as_one_piece, an_owner_may_close_in_every_callback,
	a_large_reply_goes_out_in_pieces_and_drains_once,
	an_owner_that_takes_nothing_bounds_what_is_read,
	a_peer_that_does_not_read_is_not_read_from_until_it_does,
	the_end_of_the_peers_tls_is_the_end_with_or_without_a_word,
	a_close_sends_the_rest_and_says_that_it_was_all,
	a_changed_octet_ends_it_and_nothing_of_the_record_is_shown,
	octets_in_clear_end_it_with_an_alert_and_without_input,
	a_connection_that_ends_in_the_handshake_is_an_error,
	what_waits_for_a_handshake_is_not_waited_for_at_the_end,
	a_thousand_torn_handshakes_leave_nothing_behind, a_client_may_not_begin_anew_within_tls_1_2,
	keys_may_change_on_the_way_in_both_directions, a_stream_is_a_client_of_a_stream)
