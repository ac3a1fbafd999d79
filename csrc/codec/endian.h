/* SPDX-License-Identifier: MIT */
/* Loads and stores at any address, mostly in the byte order of compressed formats. */
#ifndef PYZRAM_ENDIAN_H
#define PYZRAM_ENDIAN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_le16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return le16toh(value);
}

/* In the processor's byte order. */
static inline uint32_t load_native32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint32_t load_le32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

static inline uint64_t load_be64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return be64toh(value);
}

/* These store the lowest bits of a wider value. */
static inline void store_le16(uint8_t *p, uint32_t value)
{
	uint16_t ordered = htole16((uint16_t)value);

	memcpy(p, &ordered, sizeof(ordered));
}

static inline void store_le32(uint8_t *p, uint32_t value)
{
	value = htole32(value);
	memcpy(p, &value, sizeof(value));
}

static inline void store_le64(uint8_t *p, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, sizeof(value));
}

static inline void store_be16(uint8_t *p, uint32_t value)
{
	uint16_t ordered = htobe16((uint16_t)value);

	memcpy(p, &ordered, sizeof(ordered));
}

static inline void store_be32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
}

static inline void store_be64(uint8_t *p, uint64_t value)
{
	value = htobe64(value);
	memcpy(p, &value, sizeof(value));
}

/* How many leading bytes of two words are equal, given their exclusive or, which is not zero. */
static inline unsigned int equal_bytes(uint64_t difference)
{
	return (unsigned int)__builtin_ctzll(difference) >> 3;
}

#endif /* PYZRAM_ENDIAN_H */
