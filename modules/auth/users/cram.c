/* SPDX-License-Identifier: MIT
 *
 * OpenSSL's MD5, whose state is open to those who ask for the interface of old.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "cram.h"

#include "base/encode.h"

#include <openssl/md5.h>

enum { BLOCK = 64, STATE = 16 };

static void state_put(const MD5_CTX *ctx, struct buf *out)
{
	buf_add_u32(out, ctx->A);
	buf_add_u32(out, ctx->B);
	buf_add_u32(out, ctx->C);
	buf_add_u32(out, ctx->D);
}

/* As MD5 is after one block. */
static bool state_get(struct reader *r, MD5_CTX *ctx)
{
	uint32_t words[4];

	for (unsigned i = 0; i < 4; i++)
		if (!read_u32(r, &words[i]))
			return false;
	MD5_Init(ctx);
	ctx->A = words[0];
	ctx->B = words[1];
	ctx->C = words[2];
	ctx->D = words[3];
	ctx->Nl = 8 * BLOCK;
	return true;
}

static void pad_state(const unsigned char key[BLOCK], unsigned char with, struct buf *out)
{
	unsigned char block[BLOCK];
	MD5_CTX ctx;

	for (unsigned i = 0; i < BLOCK; i++)
		block[i] = key[i] ^ with;
	MD5_Init(&ctx);
	MD5_Update(&ctx, block, BLOCK);
	state_put(&ctx, out);
	explicit_bzero(block, sizeof block);
	explicit_bzero(&ctx, sizeof ctx);
}

/* The outer state first, as Dovecot has it. */
void cram_context(struct str password, char out[CRAM_TEXT])
{
	unsigned char key[BLOCK] = { 0 };
	struct buf states = { 0 }, text = { 0 };

	if (password.len > BLOCK)
		MD5((const unsigned char *)password.data, password.len, key);
	else if (password.len > 0)
		memcpy(key, password.data, password.len);
	pad_state(key, 0x5c, &states);
	pad_state(key, 0x36, &states);
	explicit_bzero(key, sizeof key);
	buf_add_c(&text, "{CRAM-MD5}");
	hex_encode(&text, buf_str(&states));
	memcpy(out, buf_c(&text), CRAM_TEXT);
	buf_free_secret(&states);
	buf_free_secret(&text);
}

bool cram_digest(struct str stored, struct str challenge, char out[CRAM_DIGEST + 1])
{
	unsigned char digest[STATE];
	struct buf states = { 0 }, text = { 0 };
	struct reader r;
	MD5_CTX outer, inner;
	bool ok;

	if (!str_starts(stored, STR("{CRAM-MD5}")))
		return false;
	ok = hex_decode(&states, str_slice(stored, 10, stored.len));
	r = reader_of(buf_str(&states));
	ok = ok && state_get(&r, &outer) && state_get(&r, &inner) && r.at == r.end;
	buf_free_secret(&states);
	if (!ok)
		return false;
	MD5_Update(&inner, challenge.data, challenge.len);
	MD5_Final(digest, &inner);
	MD5_Update(&outer, digest, sizeof digest);
	MD5_Final(digest, &outer);
	hex_encode(&text, str_make((const char *)digest, sizeof digest));
	memcpy(out, buf_c(&text), CRAM_DIGEST + 1);
	buf_free(&text);
	return true;
}
