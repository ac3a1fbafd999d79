/* SPDX-License-Identifier: MIT */
/* Copying for decompressors of the LZ family: more than requested, if there is room. */
#ifndef PYZRAM_LZ_COPY_H
#define PYZRAM_LZ_COPY_H

#include "endian.h"

/* Copy 16 bytes at a time, at least once; this touches up to 16 bytes past the end of both. */
static inline void copy16(uint8_t *dst, const uint8_t *src, size_t len)
{
	const uint8_t *end = dst + len;

	do {
		memcpy(dst, src, 16);
		dst += 16;
		src += 16;
	} while (dst < end);
}

/* For a distance below eight: eight bytes that repeat those at this distance before op. */
static inline uint64_t short_pattern(const uint8_t *op, size_t distance)
{
	static const uint64_t ones[8] = {
		0, 0x0101010101010101, 0x0001000100010001, 0x0001000001000001,
		0x0000000100000001, 0x0000010000000001, 0x0001000000000001, 0x0100000000000001,
	};

	return (load_le64(op - distance) & ~0ull >> (64 - 8 * distance)) * ones[distance];
}

/* The distance, at least eight, at which eight such bytes repeat. */
static const uint8_t short_repeat[8] = { 0, 8, 8, 9, 8, 10, 12, 14 };

/* Stored at once if the processor can do that; otherwise a compiler makes two stores of it. */
typedef uint64_t two_words __attribute__((vector_size(16)));

/*
 * Write len bytes at op that repeat what is distance bytes before it, as decompressors do; the two
 * may overlap. Writes up to ROOMY bytes more.
 */
enum { ROOMY = 64 };
static inline uint8_t *copy_match_roomy(uint8_t *op, size_t distance, size_t len)
{
	const uint8_t *m = op - distance;
	uint8_t *end = op + len;

	if (distance < 8) {
		uint64_t word = short_pattern(op, distance);

		/* Eight bytes that repeat as they are need not be read back. */
		if (short_repeat[distance] == 8) {
			/*
			 * So that few lengths take another round: with 16 bytes instead of 64, lz4
			 * unpacks sparse pages at 0.92 to 0.95 of the speed (bench/codec_speed.py
			 * --before).
			 */
			two_words words = { htole64(word), htole64(word) };

			do {
				memcpy(op, &words, 16);
				memcpy(op + 16, &words, 16);
				memcpy(op + 32, &words, 16);
				memcpy(op + 48, &words, 16);
				op += 64;
			} while (op < end);
			return end;
		}
		store_le64(op, word);
		op += 8;
		m = op - short_repeat[distance];
	}
	/* With 16 bytes a round instead of 32 it has 0.95 to 0.99 of the speed. */
	if (op - m >= 16) {
		do {
			memcpy(op, m, 16);
			memcpy(op + 16, m + 16, 16);
			op += 32;
			m += 32;
		} while (op < end);
		return end;
	}
	do {
		memcpy(op, m, 8);
		op += 8;
		m += 8;
	} while (op < end);
	return end;
}

/* The same if there may be less room: writes nothing at limit or beyond. */
static inline uint8_t *copy_match(uint8_t *op, size_t distance, size_t len, const uint8_t *limit)
{
	const uint8_t *m = op - distance;
	uint8_t *end = op + len;

	if (distance < 8 && limit - op >= 8) {
		uint64_t word = short_pattern(op, distance);

		/* Eight bytes that repeat as they are need not be read back. */
		if (short_repeat[distance] == 8 && limit - end >= 8) {
			do {
				store_le64(op, word);
				op += 8;
			} while (op < end);
			return end;
		}
		store_le64(op, word);
		op += 8;
		if (op >= end)
			return end;
		m = op - short_repeat[distance];
	}
	if (limit - end >= 16) {
		if (op - m >= 16) {
			do {
				memcpy(op, m, 16);
				op += 16;
				m += 16;
			} while (op < end);
			return end;
		}
		do {
			memcpy(op, m, 8);
			op += 8;
			m += 8;
		} while (op < end);
		return end;
	}
	if (op - m >= 8) {
		for (; op < end && limit - op >= 8; op += 8, m += 8)
			memcpy(op, m, 8);
	}
	while (op < end)
		*op++ = *m++;
	return end;
}

#endif /* PYZRAM_LZ_COPY_H */
