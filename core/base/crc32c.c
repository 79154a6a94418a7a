/* SPDX-License-Identifier: MIT
 *
 * CRC32C, by the processor's instruction where it has one (SSE 4.2), else by tables, eight
 * octets at a time. Both give the same, and a test holds them to it.
 */
#include "base/encode.h"

#include <endian.h>
#include <pthread.h>
#if defined __x86_64__ && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h> /* what libc (glibc 2.34) has asked already costs nothing: the
	compiler's way is a constructor in each object, and a trap in each virtual machine */
#endif
#ifndef CPU_FEATURE_ACTIVE
#define CPU_FEATURE_ACTIVE(sse42) __builtin_cpu_supports("sse4.2")
#endif

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */

/* table[n][v]: what octet v does to the sum n octets later. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_fill(void)
{
	for (uint32_t v = 0; v < 256; v++) {
		uint32_t crc = v;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
		table[0][v] = crc;
	}
	for (uint32_t v = 0; v < 256; v++)
		for (int n = 1; n < 8; n++)
			table[n][v] = table[n - 1][v] >> 8 ^ table[0][table[n - 1][v] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *at = data;

	pthread_once(&table_once, table_fill);
	crc = ~crc;
	for (; len >= 8; at += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof word);
		word = le64toh(word) ^ crc;
		crc = 0;
		for (int n = 0; n < 8; n++)
			crc ^= table[7 - n][word >> 8 * n & 0xff];
	}
	for (; len; at++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(
	uint32_t crc, const void *data, size_t len)
{
	const unsigned char *at = data;
	uint64_t sum = ~crc;

	for (; len >= 8; at += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof word);
		sum = __builtin_ia32_crc32di(sum, word);
	}
	for (; len; at++, len--)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, *at);
	return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	if (CPU_FEATURE_ACTIVE(SSE4_2))
		return crc32c_sse42(crc, data, len);
	return crc32c_portable(crc, data, len);
}
#else
uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	return crc32c_portable(crc, data, len);
}
#endif
