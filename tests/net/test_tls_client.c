/* SPDX-License-Identifier: MIT
 *
 * TLS as a client: whom it believes under which demand, and which sessions it goes on with.
 */
#include "net/tls_end.h"
#include "tests/lib/folder.h"
#include "tests/net/tls_peers.h"

#include <openssl/sha.h>
#include <pthread.h>

static struct owner other;
static struct tls *client_tls;

static void client_set_up(void)
{
	static char name[] = "/tmp/tmail-test-ca-XXXXXX";
	struct tls_client_settings settings = { .ca_file = name };
	struct why why;
	int fd;

	pki_set_up();
	fd = mkstemp(name);
	ck_assert_int_eq(write(fd, authority.certificate_pem.data, authority.certificate_pem.len),
		authority.certificate_pem.len);
	close(fd);
	client_tls = tls_client_new(&settings, &why);
	unlink(name);
	ck_assert_msg(client_tls != NULL, "%s", why.text);
	memcpy(name + sizeof name - 7, "XXXXXX", 6);
}

static void client_tear_down(void)
{
	tls_drop(&client_tls);
	pki_tear_down();
}

/* Both sides, until the client knows. */
static bool meet(const struct tls_wanted *wanted)
{
	set_up();
	other = (struct owner){ .take = SIZE_MAX };
	ck_assert(fd_set_nonblocking(client));
	other.stream = stream_open(loop, client, &calls, &other);
	client = -1;
	stream_accept_tls(owner.stream, server_tls);
	stream_connect_tls(other.stream, client_tls, wanted);
	LOOP_UNTIL(other.secured || other.ends);
	if (other.secured) { /* with what follows the handshake */
		stream_write(owner.stream, STR("220\r\n"));
		LOOP_UNTIL(other.inputs == 1);
	}
	return other.secured;
}

static void part(void)
{
	stream_close(&other.stream, 1000);
	LOOP_UNTIL(owner.ends == 1);
	buf_free(&other.seen);
	tear_down();
}

static const struct str mail[] = { STR_INIT("mail.example") },
			nobody[] = { STR_INIT("nobody.example") },
			pattern[] = { STR_INIT("nobody.example"), STR_INIT("*.example") };

START_TEST(without_a_demand_any_certificate_will_do_and_what_is_wrong_is_known)
{
	struct tls_wanted wanted = { .check = TLS_CHECK_NOTHING,
		.sni = STR("mail.example"),
		.names = mail,
		.name_count = 1 };

	client_set_up();
	ck_assert(meet(&wanted));
	ck_assert(stream_tls_facts(other.stream)->verified);
	ck_assert_ptr_null(stream_tls_facts(other.stream)->trouble);
	ck_assert_str_eq(stream_tls_facts(other.stream)->peer, "CN=mail");
	ck_assert_str_eq(stream_tls_facts(owner.stream)->server_name, "mail.example");
	part();
	wanted.names = nobody;
	ck_assert(meet(&wanted));
	ck_assert(!stream_tls_facts(other.stream)->verified);
	ck_assert_str_eq(stream_tls_facts(other.stream)->trouble, "hostname mismatch");
	part();
	client_tear_down();
}
END_TEST

START_TEST(a_name_is_demanded_of_a_chain_to_somebody_known)
{
	struct tls_wanted wanted = { .check = TLS_CHECK_NAME, .names = mail, .name_count = 1 };
	struct pki by_itself = pki_make(PKI_EC, "mail", "DNS:mail.example", NULL, PKI_DAY);
	struct pki expired;
	struct tls_pair pair = pair_of(&by_itself);

	client_set_up();
	expired = pki_make(PKI_EC, "mail", "DNS:mail.example", &authority, -PKI_DAY);
	ck_assert(meet(&wanted));
	ck_assert(stream_tls_facts(other.stream)->verified);
	part();
	wanted.names = pattern;
	wanted.name_count = 2;
	ck_assert(meet(&wanted));
	part();
	wanted.names = nobody;
	wanted.name_count = 1;
	ck_assert(!meet(&wanted));
	ck_assert_str_eq(stream_error(other.stream), "hostname mismatch");
	part();
	wanted.names = mail;
	wanted.name_count = 0;
	ck_assert(!meet(&wanted));
	part();
	wanted.name_count = 1;
	tls_drop(&server_tls);
	server_tls = server_of(&pair, 1);
	ck_assert(!meet(&wanted));
	ck_assert_str_eq(stream_error(other.stream), "self-signed certificate");
	part();
	tls_drop(&server_tls);
	pair = pair_of(&expired);
	server_tls = server_of(&pair, 1);
	ck_assert(!meet(&wanted));
	ck_assert_str_eq(stream_error(other.stream), "certificate has expired");
	part();
	pki_free(&by_itself);
	pki_free(&expired);
	client_tear_down();
}
END_TEST

/* ---- DANE -------------------------------------------------------------------------------- */

/* "3 1 1" of a certificate and its like; the octets stay until the next. */
static struct str tlsa(unsigned usage, unsigned selector, unsigned kind, X509 *certificate)
{
	static unsigned char record[2][3 + SHA256_DIGEST_LENGTH];
	static unsigned which;
	unsigned char *out = record[which++ % 2], *der = NULL;
	int len = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der)
			   : i2d_X509(certificate, &der);

	out[0] = (unsigned char)usage;
	out[1] = (unsigned char)selector;
	out[2] = (unsigned char)kind;
	SHA256(der, (size_t)len, out + 3);
	OPENSSL_free(der);
	return str_make((char *)out, sizeof record[0]);
}

START_TEST(dane_is_what_its_records_say_and_nothing_else)
{
	struct str records[2];
	struct tls_wanted wanted = { .check = TLS_CHECK_DANE,
		.names = nobody,
		.name_count = 1,
		.tlsa = records,
		.tlsa_count = 1 };
	const struct tls_facts *facts;

	client_set_up();
	records[0] = tlsa(3, 1, 1, leaf.certificate); /* the name does not matter */
	ck_assert(meet(&wanted));
	ck_assert(stream_tls_facts(other.stream)->verified);
	part();
	records[0] = tlsa(3, 1, 1, authority.certificate); /* another key */
	ck_assert(!meet(&wanted));
	part();
	records[1] = tlsa(3, 0, 1, leaf.certificate);
	wanted.tlsa_count = 2;
	ck_assert(meet(&wanted));
	part();
	wanted.tlsa_count = 1;
	records[0] = tlsa(1, 0, 1, leaf.certificate); /* of the web, not of mail */
	ck_assert(meet(&wanted));
	facts = stream_tls_facts(other.stream);
	ck_assert(!facts->verified);
	ck_assert_str_eq(facts->trouble, "no usable TLSA record");
	part();
	wanted.authenticate = true;
	ck_assert(!meet(&wanted));
	ck_assert_str_eq(stream_error(other.stream), "no usable TLSA record");
	part();
	client_tear_down();
}
END_TEST

START_TEST(an_authority_of_dane_needs_the_name_and_to_be_shown)
{
	struct str record;
	struct tls_wanted wanted = { .check = TLS_CHECK_DANE,
		.names = mail,
		.name_count = 1,
		.tlsa = &record,
		.tlsa_count = 1 };
	struct buf both = { 0 };
	struct tls_pair pair;

	client_set_up();
	pair = pair_of(&leaf);
	buf_add(&both, pair.certificate);
	buf_add(&both, buf_str(&authority.certificate_pem));
	pair.certificate = buf_str(&both);
	tls_drop(&server_tls);
	server_tls = server_of(&pair, 1);
	record = tlsa(2, 0, 1, authority.certificate);
	ck_assert(meet(&wanted));
	ck_assert(stream_tls_facts(other.stream)->verified);
	part();
	wanted.names = nobody;
	ck_assert(!meet(&wanted));
	part();
	buf_free(&both);
	client_tear_down();
}
END_TEST

/* ---- sessions ---------------------------------------------------------------------------- */

static bool resumed(const char *key)
{
	const struct tls_wanted wanted = {
		.check = TLS_CHECK_NAME, .names = mail, .name_count = 1, .session_key = str_c(key)
	};
	bool yes;

	ck_assert(meet(&wanted));
	yes = stream_tls_facts(other.stream)->resumed;
	ck_assert(stream_tls_facts(other.stream)->verified);
	part();
	return yes;
}

START_TEST(a_session_goes_on_between_connections_of_the_same_key_only)
{
	char key[16];

	client_set_up();
	ck_assert(!resumed("one"));
	ck_assert(resumed("one"));
	ck_assert(resumed("one")); /* each connection brings the next ticket */
	ck_assert(!resumed("two"));
	ck_assert(!resumed(""));
	ck_assert(!resumed(""));
	for (int i = 0; i < 260; i++) { /* those of long ago go */
		snprintf(key, sizeof key, "key %d", i);
		resumed(key);
	}
	ck_assert(!resumed("one"));
	ck_assert(resumed("key 259"));
	client_tear_down();
}
END_TEST

/* ---- the system's authorities ------------------------------------------------------------ */

static char folder[TEST_FOLDER], bundle[TEST_FOLDER + 16];

/* A client of a system with a folder of authorities, of which none is ours, and a file that was
 * named and is not there. */
static void system_set_up(void)
{
	struct tls_client_settings settings = { .ca_file = NULL };
	struct why why;
	char path[TEST_FOLDER + 16];
	FILE *f;

	pki_set_up();
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/01234567.0", folder);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	snprintf(bundle, sizeof bundle, "%s/bundle", folder);
	setenv(X509_get_default_cert_dir_env(), folder, 1);
	setenv(X509_get_default_cert_file_env(), bundle, 1);
	client_tls = tls_client_new(&settings, &why);
	ck_assert_msg(client_tls != NULL, "%s", why.text);
}

static void system_tear_down(void)
{
	unsetenv(X509_get_default_cert_dir_env());
	unsetenv(X509_get_default_cert_file_env());
	test_folder_remove(folder);
	client_tear_down();
}

static void certificate_add(const char *path, const struct pki *p)
{
	FILE *f = fopen(path, "a");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p->certificate_pem.data, 1, p->certificate_pem.len, f),
		p->certificate_pem.len);
	fclose(f);
}

static const struct tls_wanted by_name = {
	.check = TLS_CHECK_NAME, .names = mail, .name_count = 1
};

/* Under names that are hashes, as a system has them; this one after the start. A file that cannot
 * be read is no reason not to look there. */
START_TEST(the_system_s_authorities_are_read_when_they_are_needed)
{
	char path[TEST_FOLDER + 16];

	system_set_up();
	ck_assert(!meet(&by_name));
	part();
	certificate_add(bundle, &authority); /* too late: the file is asked for once */
	ck_assert(!meet(&by_name));
	part();
	snprintf(path, sizeof path, "%s/%08lx.0", folder,
		X509_NAME_hash_ex(X509_get_subject_name(authority.certificate), NULL, NULL, NULL));
	certificate_add(path, &authority);
	ck_assert(meet(&by_name));
	part();
	system_tear_down();
}
END_TEST

/* It is there only after a first connection, which asks for no authority. */
START_TEST(the_system_s_file_of_authorities_is_read_by_the_first_chain_that_asks_for_one)
{
	struct str record;
	struct tls_wanted wanted = { .check = TLS_CHECK_DANE,
		.names = nobody,
		.name_count = 1,
		.tlsa = &record,
		.tlsa_count = 1 };

	system_set_up();
	record = tlsa(3, 1, 1, leaf.certificate);
	ck_assert(meet(&wanted));
	part();
	certificate_add(bundle, &authority);
	ck_assert(meet(&by_name));
	ck_assert(stream_tls_facts(other.stream)->verified);
	part();
	system_tear_down();
}
END_TEST

enum { CROWD = 4, STRANGERS = 40 };

static pthread_barrier_t all_there;

/* Both sides without a loop or a socket; NULL when the client is content. */
static void *verify_once(void *arg)
{
	struct buf to_server = { 0 }, to_client = { 0 };
	struct tls_end *here = tls_end_new(client_tls, &to_server);
	struct tls_end *there = tls_end_new(server_tls, &to_client);
	const char *trouble;

	(void)arg;
	tls_end_demand(here, &by_name);
	SSL_set_accept_state(there->ssl);
	pthread_barrier_wait(&all_there);
	while (!here->secured && tls_end_handshake(here)) {
		buf_clear(&to_client);
		there->in = buf_str(&to_server);
		tls_end_handshake(there);
		buf_clear(&to_server);
		here->in = buf_str(&to_client);
	}
	trouble = here->error;
	tls_end_free(&here);
	tls_end_free(&there);
	buf_free(&to_server);
	buf_free(&to_client);
	return (void *)trouble;
}

/* The one they need is the last, so that who does not wait for all of the file goes without. */
START_TEST(several_loops_may_be_the_first_to_ask)
{
	struct pki stranger = pki_make(PKI_EC, "stranger", NULL, NULL, PKI_DAY);
	pthread_t threads[CROWD];

	system_set_up();
	pthread_barrier_init(&all_there, NULL, CROWD);
	for (int i = 0; i < STRANGERS; i++)
		certificate_add(bundle, &stranger);
	certificate_add(bundle, &authority);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_once, NULL), 0);
	for (int i = 0; i < CROWD; i++) {
		void *trouble;

		pthread_join(threads[i], &trouble);
		ck_assert_msg(trouble == NULL, "%s", (const char *)trouble);
	}
	pthread_barrier_destroy(&all_there);
	pki_free(&stranger);
	system_tear_down();
}
END_TEST

START_TEST(settings_that_cannot_be_name_themselves)
{
	struct tls_client_settings settings = { .ca_file = "/nonexistent/ca.pem" };
	struct why why;

	ck_assert_ptr_null(tls_client_new(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "/nonexistent/ca.pem: "));
}
END_TEST

TEST_MAIN("net/tls_client", without_a_demand_any_certificate_will_do_and_what_is_wrong_is_known,
	a_name_is_demanded_of_a_chain_to_somebody_known,
	dane_is_what_its_records_say_and_nothing_else,
	an_authority_of_dane_needs_the_name_and_to_be_shown,
	a_session_goes_on_between_connections_of_the_same_key_only,
	the_system_s_authorities_are_read_when_they_are_needed,
	the_system_s_file_of_authorities_is_read_by_the_first_chain_that_asks_for_one,
	several_loops_may_be_the_first_to_ask, settings_that_cannot_be_name_themselves)
