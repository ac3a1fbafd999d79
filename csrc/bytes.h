/* SPDX-License-Identifier: MIT */
/* Loads and stores at any address, in the byte order that compressed formats are written in. */
#ifndef PYZRAM_BYTES_H
#define PYZRAM_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

static inline void store_le16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

/* How many of eight bytes are equal, given the exclusive or of both, which is not zero. */
static inline unsigned int equal_bytes(uint64_t difference)
{
	return (unsigned int)__builtin_ctzll(difference) >> 3;
}

/* Copy eight bytes at a time, at least once; touches up to eight bytes past the end of both. */
static inline void copy8(uint8_t *dst, const uint8_t *src, size_t len)
{
	const uint8_t *end = dst + len;

	do {
		memcpy(dst, src, 8);
		dst += 8;
		src += 8;
	} while (dst < end);
}

#endif /* PYZRAM_BYTES_H */
