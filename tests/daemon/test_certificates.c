/* SPDX-License-Identifier: MIT
 *
 * Certificates: the files that settings name, made where they are missing, read by whoever may,
 * watched, and named when they are wrong.
 */
#include "tests/lib/pki.h"

#include "daemon/settings.h"
#include "sys/file.h"
#include "tests/lib/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[TEST_FOLDER];
static struct conf *conf;
static const struct tls_settings *tls;
static struct why why;

/* The group, over files in the folder. */
static void set_up(const char *group)
{
	struct problems problems = { 0 };
	struct buf text = { 0 };

	test_folder_make(folder);
	buf_printf(&text, "base = \"%s\"; tls = { %s };", folder, group);
	conf = conf_parse(buf_str(&text), "/etc/tmail/tmail.conf", &problems);
	tls = &settings_read(conf, "/etc/tmail/tmail.conf", &problems)->tls;
	ck_assert_msg(problems.count == 0, "%s", problems.count ? problems.text[0] : "");
	buf_free(&text);
}

static void tear_down(void)
{
	conf_free(&conf);
	test_folder_remove(folder);
}

#define PAIR "certificates = ( { certificate = \"tls/c.pem\"; key = \"tls/k.pem\"; } );"

static char *in_folder(const char *name)
{
	return path_join(folder, str_c(name));
}

static void put(const char *name, struct str content)
{
	char *path = in_folder(name);

	ck_assert_msg(file_write(path, content, 0600, &why), "%s", why.text);
	free(path);
}

static bool load(const struct tls_files *files)
{
	static const struct tls_files none;
	struct tls *made;
	bool ok = certificates_load(tls, files ? files : &none, false, &made, &why);

	ck_assert(!ok || made || tls->certificates.count == 0);
	tls_drop(&made);
	return ok;
}

START_TEST(a_missing_pair_is_made_once_and_only_if_that_is_wanted)
{
	struct stat st;
	char *key;
	uint64_t stamp;

	set_up(PAIR);
	ck_assert(certificates_create(tls, STR("mx.test"), &why));
	ck_assert(!load(NULL));
	ck_assert_ptr_nonnull(strstr(why.text, "tls/c.pem: No such file"));
	tear_down();
	set_up(PAIR "create = true;");
	ck_assert_msg(certificates_create(tls, STR("mx.test"), &why), "%s", why.text);
	ck_assert_msg(load(NULL), "%s", why.text);
	key = in_folder("tls/k.pem");
	ck_assert_int_eq(stat(key, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	free(key);
	stamp = tls_files_stamp(tls);
	ck_assert(certificates_create(tls, STR("mx.test"), &why));
	ck_assert_uint_eq(tls_files_stamp(tls), stamp);
	ck_assert(!certificates_create(tls, STR("mx.test,DNS:evil"), &why) ||
		tls_files_stamp(tls) == stamp);
	tear_down();
}
END_TEST

START_TEST(a_check_does_not_miss_what_the_start_would_make)
{
	const struct tls_files none = { 0 };
	struct tls *made;

	set_up(PAIR "create = true;");
	ck_assert(certificates_load(tls, &none, true, &made, &why));
	ck_assert_ptr_null(made);
	tear_down();
}
END_TEST

START_TEST(what_is_wrong_names_the_file_and_the_reason)
{
	struct pki one = pki_make(PKI_EC, "one", "DNS:one.test", NULL, PKI_DAY);
	struct pki two = pki_make(PKI_EC, "two", "DNS:two.test", NULL, PKI_DAY);
	struct {
		struct str certificate, key;
		const char *file, *reason;
	} rows[] = {
		{ buf_str(&one.certificate_pem), buf_str(&two.key_pem), "k.pem",
			"is not the key of" },
		{ STR("hello"), buf_str(&one.key_pem), "c.pem", "no start line" },
		{ buf_str(&one.certificate_pem), STR("hello"), "k.pem", "" },
		{ buf_str(&one.certificate_pem), STR(""), "k.pem", "" },
		{ STR(""), buf_str(&one.key_pem), "c.pem", "no start line" },
	};

	set_up("certificates = ( { certificate = \"c.pem\"; key = \"k.pem\"; } );");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put("c.pem", rows[i].certificate);
		put("k.pem", rows[i].key);
		ck_assert(!load(NULL));
		ck_assert_msg(strstr(why.text, rows[i].file) && strstr(why.text, rows[i].reason),
			"%zu: %s", i, why.text);
	}
	tear_down();
	pki_free(&one);
	pki_free(&two);
}
END_TEST

START_TEST(a_pair_may_be_in_one_file_and_what_is_handed_over_comes_first)
{
	struct pki one = pki_make(PKI_RSA, "one", "DNS:one.test", NULL, PKI_DAY);
	struct tls_files files = { 0 };
	struct buf both = { 0 };
	char *path;

	set_up("certificates = ( { certificate = \"both.pem\"; } );");
	buf_add(&both, buf_str(&one.key_pem));
	buf_add(&both, buf_str(&one.certificate_pem));
	put("both.pem", buf_str(&both));
	ck_assert_msg(load(NULL), "%s", why.text);
	tls_files_open(&files, tls);
	ck_assert_uint_gt(files.count, 0);
	path = in_folder("both.pem");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!load(NULL));
	ck_assert_msg(load(&files), "%s", why.text);
	ck_assert_msg(load(&files), "twice: %s", why.text);
	free(path);
	tls_files_free(&files);
	buf_free(&both);
	tear_down();
	pki_free(&one);
}
END_TEST

START_TEST(only_files_are_opened)
{
	struct tls_files files = { 0 };
	char *path;

	set_up("certificates = ( { certificate = \"pipe\"; key = \"folder\"; } );");
	path = in_folder("pipe");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	free(path);
	path = in_folder("folder");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	free(path);
	tls_files_open(&files, tls);
	ck_assert_uint_eq(files.count, 0);
	ck_assert(!load(NULL));
	ck_assert_ptr_nonnull(strstr(why.text, "pipe: not a file"));
	tear_down();
}
END_TEST

START_TEST(a_changed_file_changes_the_stamp)
{
	uint64_t before;
	char *from, *to;

	set_up("");
	ck_assert_uint_eq(tls_files_stamp(tls), 0);
	ck_assert(load(NULL));
	tear_down();
	set_up("certificates = ( { certificate = \"c.pem\"; key = \"k.pem\"; } );");
	before = tls_files_stamp(tls);
	ck_assert_uint_ne(before, 0);
	put("c.pem", STR("1"));
	ck_assert_uint_ne(tls_files_stamp(tls), before);
	/* A link that leads elsewhere, as certbot renews. */
	put("k1.pem", STR("key"));
	put("k2.pem", STR("key"));
	to = in_folder("k.pem");
	ck_assert_int_eq(symlink("k1.pem", to), 0);
	before = tls_files_stamp(tls);
	ck_assert_uint_eq(tls_files_stamp(tls), before);
	from = in_folder("k.new");
	ck_assert_int_eq(symlink("k2.pem", from), 0);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_uint_ne(tls_files_stamp(tls), before);
	free(from);
	free(to);
	tear_down();
}
END_TEST

TEST_MAIN("daemon/certificates", a_missing_pair_is_made_once_and_only_if_that_is_wanted,
	a_check_does_not_miss_what_the_start_would_make,
	what_is_wrong_names_the_file_and_the_reason,
	a_pair_may_be_in_one_file_and_what_is_handed_over_comes_first, only_files_are_opened,
	a_changed_file_changes_the_stamp)
