/* SPDX-License-Identifier: MIT
 *
 * argon2id is libsodium's, everything else crypt(3)'s. The work memory of both is wiped.
 */
#include "password.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* What crypt(3) knows under Dovecot's names; the text behind the braces says the rest. */
static const char *const crypt_schemes[] = { "CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT",
	"MD5-CRYPT" };

/* Takes "{SCHEME}" off the front; empty when there is none. */
static struct str scheme_take(struct str *stored)
{
	ptrdiff_t end = stored->len > 0 && stored->data[0] == '{' ? str_find(*stored, '}') : -1;
	struct str scheme;

	if (end < 0)
		return (struct str){ NULL, 0 };
	scheme = str_slice(*stored, 1, (size_t)end - 1);
	*stored = str_slice(*stored, (size_t)end + 1, stored->len);
	return scheme;
}

static bool is_crypt_scheme(struct str scheme)
{
	for (size_t i = 0; i < sizeof crypt_schemes / sizeof *crypt_schemes; i++)
		if (str_equal_case(scheme, str_c(crypt_schemes[i])))
			return true;
	return false;
}

static bool is_argon2(struct str text)
{
	return str_starts(text, STR("$argon2i"));
}

/* A C string of at most `room`, NUL included. */
static bool text_of(struct str s, char *text, size_t room)
{
	if (!s.data)
		s = STR("");
	if (s.len >= room || memchr(s.data, '\0', s.len))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	return true;
}

/* ---- crypt(3) ---------------------------------------------------------------------------- */

/* What crypt makes of it, into `out`. BUSY: no memory. */
static enum password_result crypt_make(
	struct str password, const char *setting, char out[CRYPT_OUTPUT_SIZE])
{
	struct crypt_data *data = calloc(1, sizeof *data);
	char *text = calloc(1, password.len + 1);
	enum password_result result = PASSWORD_BUSY;
	const char *made;

	if (data && text && text_of(password, text, password.len + 1)) {
		made = crypt_rn(text, setting, data, (int)sizeof *data);
		result = made ? PASSWORD_RIGHT : errno == ENOMEM ? PASSWORD_BUSY : PASSWORD_UNKNOWN;
		if (made)
			snprintf(out, CRYPT_OUTPUT_SIZE, "%s", made);
	}
	if (data)
		explicit_bzero(data, sizeof *data);
	if (text)
		explicit_bzero(text, password.len + 1);
	free(data);
	free(text);
	return result;
}

static enum password_result crypt_verify(struct str stored, struct str password)
{
	char setting[CRYPT_OUTPUT_SIZE], made[CRYPT_OUTPUT_SIZE] = "";
	enum password_result result;

	if (!text_of(stored, setting, sizeof setting))
		return PASSWORD_UNKNOWN;
	result = crypt_make(password, setting, made);
	if (result == PASSWORD_RIGHT &&
		(strlen(made) != stored.len || sodium_memcmp(made, stored.data, stored.len) != 0))
		result = PASSWORD_WRONG;
	explicit_bzero(made, sizeof made);
	return result;
}

/* ---- asked ------------------------------------------------------------------------------- */

int64_t password_memory_most(const char **whose)
{
	static const struct {
		int resource;
		const char *name;
	} limits[] = {
		{ RLIMIT_AS, "the limit of the process's address space" },
		{ RLIMIT_DATA, "the limit of the process's data" },
	};
	int64_t pages = sysconf(_SC_PHYS_PAGES), most = INT64_MAX;

	*whose = "the memory of this machine";
	if (pages > 0)
		most = pages * sysconf(_SC_PAGE_SIZE);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) != 0 || limit.rlim_cur >= (rlim_t)most)
			continue;
		most = (int64_t)limit.rlim_cur;
		*whose = limits[i].name;
	}
	return most;
}

bool password_hash(const struct password_cost *cost, struct str password, char out[PASSWORD_TEXT])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], made[CRYPT_OUTPUT_SIZE];

	_Static_assert(sizeof "{ARGON2ID}" + crypto_pwhash_STRBYTES <= PASSWORD_TEXT, "it fits");
	if (cost->scheme == PASSWORD_ARGON2ID) {
		char *text = out + snprintf(out, PASSWORD_TEXT, "{ARGON2ID}");

		return crypto_pwhash_str_alg(text, password.data, password.len,
			       (unsigned long long)cost->passes, (size_t)cost->memory,
			       crypto_pwhash_ALG_ARGON2ID13) == 0;
	}
	if (!crypt_gensalt_rn(
		    "$6$", (unsigned long)cost->rounds, NULL, 0, setting, (int)sizeof setting) ||
		crypt_make(password, setting, made) != PASSWORD_RIGHT)
		return false;
	return snprintf(out, PASSWORD_TEXT, "{SHA512-CRYPT}%s", made) < PASSWORD_TEXT;
}

bool password_nobody(const struct password_cost *cost, char out[PASSWORD_TEXT])
{
	uint8_t chance[crypto_pwhash_SALTBYTES + 32];
	char salt[32], hash[64];

	randombytes_buf(chance, sizeof chance);
	sodium_bin2base64(salt, sizeof salt, chance, crypto_pwhash_SALTBYTES,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2base64(hash, sizeof hash, chance + crypto_pwhash_SALTBYTES, 32,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	if (cost->scheme != PASSWORD_ARGON2ID)
		return password_hash(cost, str_c(hash), out);
	return snprintf(out, PASSWORD_TEXT, "{ARGON2ID}$argon2id$v=19$m=%lld,t=%lld,p=1$%s$%s",
		       (long long)cost->memory / 1024, (long long)cost->passes, salt,
		       hash) < PASSWORD_TEXT;
}

enum password_result password_verify(struct str stored, struct str password)
{
	char text[crypto_pwhash_STRBYTES];
	struct str scheme = scheme_take(&stored);

	if (is_argon2(stored)) {
		if (!text_of(stored, text, sizeof text))
			return PASSWORD_UNKNOWN;
		errno = 0;
		if (crypto_pwhash_str_verify(text, password.data, password.len) == 0)
			return PASSWORD_RIGHT;
		return errno == ENOMEM ? PASSWORD_BUSY : PASSWORD_WRONG;
	}
	if (stored.len > 0 && (scheme.len == 0 || is_crypt_scheme(scheme)))
		return crypt_verify(stored, password);
	return PASSWORD_UNKNOWN;
}

bool password_is_current(const struct password_cost *cost, struct str stored)
{
	char text[crypto_pwhash_STRBYTES], wanted[64];
	struct str scheme = scheme_take(&stored);

	if (cost->scheme == PASSWORD_ARGON2ID)
		return str_equal_case(scheme, STR("ARGON2ID")) &&
			text_of(stored, text, sizeof text) &&
			crypto_pwhash_str_needs_rehash(
				text, (unsigned long long)cost->passes, (size_t)cost->memory) == 0;
	/* crypt_gensalt leaves the number out when it is crypt's own. */
	if (cost->rounds == 5000)
		return str_equal_case(scheme, STR("SHA512-CRYPT")) &&
			str_starts(stored, STR("$6$")) && !str_starts(stored, STR("$6$rounds="));
	snprintf(wanted, sizeof wanted, "$6$rounds=%lld$", (long long)cost->rounds);
	return str_equal_case(scheme, STR("SHA512-CRYPT")) && str_starts(stored, str_c(wanted));
}
