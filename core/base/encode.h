/* SPDX-License-Identifier: MIT
 *
 * Octets as text and back. Decoders are strict and answer false for what is not well formed;
 * what they appended before that is to be thrown away.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

void base64_encode(struct buf *out, struct str in); /* one line, padded */
bool base64_decode(struct buf *out, struct str in); /* RFC 4648, padding required, no blanks */
void hex_encode(struct buf *out, struct str in);    /* lower case */
bool hex_decode(struct buf *out, struct str in);
/* For logs and terminals: what is not printable ASCII, `"` and `\` as \xHH, \" and \\. */
void quote(struct buf *out, struct str in);
/* JSON string with its quotes; ill-formed UTF-8 becomes U+FFFD. */
void json_quote(struct buf *out, struct str in);
/* One well-formed UTF-8 character at the front (RFC 3629): its length, or 0. */
size_t utf8_char(struct str s);
bool utf8_valid(struct str s);
bool ascii_only(struct str s);

/* CRC32C (Castagnoli) as in RFC 3720; `crc` is 0 at the start, or of what came before. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same without the processor's help. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
