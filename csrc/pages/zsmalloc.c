/* SPDX-License-Identifier: MIT */
/* The pool model: how a zsmalloc pool stores pages of given compressed lengths. */
#include "pyzram.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SIZE_MIN = 32,
	STEPS = 256,			/* a step of candidate sizes is PAGE_SIZE / STEPS */
	CANDIDATES_MAX = STEPS + 1,
};

_Static_assert(CANDIDATES_MAX == PYZRAM_CLASSES_MAX, "each candidate may be a class of its own");

struct pyzram_zsmalloc {
	uint32_t page_size;
	uint32_t handle;		/* bytes: one machine word before each object */
	uint32_t step;
	uint32_t candidates;
	uint32_t huge_size;
	uint32_t count;
	struct pyzram_size_class classes[CANDIDATES_MAX];	/* ascending */
	uint16_t home[CANDIDATES_MAX];	/* from candidate to position in classes */
};

static uint32_t candidate_size(const struct pyzram_zsmalloc *zs, uint32_t index)
{
	uint32_t size = SIZE_MIN + index * zs->step;

	return size < zs->page_size ? size : zs->page_size;
}

/* Linux 6.3 and later: the fewest bytes left over at the end of a zspage. */
static uint32_t pages_by_waste(uint32_t page_size, uint32_t size, uint32_t chain)
{
	uint32_t best = 1, least = UINT32_MAX;

	if ((size & (size - 1)) == 0)
		return 1;
	for (uint32_t pages = 1; pages <= chain; pages++) {
		uint32_t waste = pages * page_size % size;

		if (waste < least) {
			least = waste;
			best = pages;
		}
	}
	return best;
}

/* Up to Linux 6.2: the highest whole percentage in use. */
static uint32_t pages_by_percent(uint32_t page_size, uint32_t size, uint32_t chain)
{
	uint32_t best = 1, most = 0;

	for (uint32_t pages = 1; pages <= chain; pages++) {
		uint32_t bytes = pages * page_size;
		uint32_t percent = (uint32_t)(100ull * (bytes - bytes % size) / bytes);

		if (percent > most) {
			most = percent;
			best = pages;
		}
	}
	return best;
}

static void classes_make(struct pyzram_zsmalloc *zs, uint32_t chain, int rule)
{
	struct pyzram_size_class kept[CANDIDATES_MAX];
	uint32_t count = 0;

	/* From the largest down, a class that packs like its larger neighbour becomes its alias. */
	for (uint32_t i = zs->candidates; i-- > 0;) {
		struct pyzram_size_class c = { .number = i, .size = candidate_size(zs, i) };

		if (rule == PYZRAM_CHAIN_BY_PERCENT)
			c.pages = pages_by_percent(zs->page_size, c.size, chain);
		else
			c.pages = pages_by_waste(zs->page_size, c.size, chain);
		c.objects = c.pages * zs->page_size / c.size;
		if (!count || kept[count - 1].pages != c.pages ||
		    kept[count - 1].objects != c.objects) {
			kept[count++] = c;
			if (!zs->huge_size && c.pages > 1 && c.objects > 1)
				zs->huge_size = c.size - (zs->handle - 1);
		}
		zs->home[i] = (uint16_t)(count - 1);
	}
	zs->count = count;
	for (uint32_t i = 0; i < count; i++)
		zs->classes[i] = kept[count - 1 - i];
	for (uint32_t i = 0; i < zs->candidates; i++)
		zs->home[i] = (uint16_t)(count - 1 - zs->home[i]);
}

int pyzram_zsmalloc_create(size_t page_size, int word_size, int chain_size, int rule,
			   struct pyzram_zsmalloc **ret)
{
	struct pyzram_zsmalloc *zs;

	if (!pyzram_is_page_size(page_size))
		return -EINVAL;
	if (!pyzram_is_word_size((size_t)word_size))
		return -EINVAL;
	if (chain_size < PYZRAM_CHAIN_MIN || chain_size > PYZRAM_CHAIN_MAX)
		return -EINVAL;
	if (rule != PYZRAM_CHAIN_BY_PERCENT && rule != PYZRAM_CHAIN_BY_WASTE)
		return -EINVAL;
	zs = calloc(1, sizeof(*zs));
	if (!zs)
		return -ENOMEM;
	zs->page_size = (uint32_t)page_size;
	zs->handle = (uint32_t)word_size;
	zs->step = zs->page_size / STEPS;
	zs->candidates = (zs->page_size - SIZE_MIN + zs->step - 1) / zs->step + 1;
	classes_make(zs, (uint32_t)chain_size, rule);
	*ret = zs;
	return 0;
}

void pyzram_zsmalloc_destroy(struct pyzram_zsmalloc *zs)
{
	free(zs);
}

uint32_t pyzram_zsmalloc_huge_size(const struct pyzram_zsmalloc *zs)
{
	return zs->huge_size;
}

static uint32_t position(const struct pyzram_zsmalloc *zs, uint32_t length)
{
	uint32_t bytes = length + zs->handle, index = 0;

	if (bytes > SIZE_MIN)
		index = (bytes - SIZE_MIN + zs->step - 1) / zs->step;
	/* A raw page fits into the last class without its handle, which is kept elsewhere. */
	if (index >= zs->candidates)
		index = zs->candidates - 1;
	return zs->home[index];
}

int pyzram_zsmalloc_position(const struct pyzram_zsmalloc *zs, uint32_t length)
{
	if (!length || length > zs->page_size)
		return -EINVAL;
	return (int)position(zs, length);
}

int pyzram_zsmalloc_class(const struct pyzram_zsmalloc *zs, int at, struct pyzram_size_class *ret)
{
	if (at < 0 || (uint32_t)at >= zs->count)
		return -ERANGE;
	*ret = zs->classes[at];
	return 0;
}

/* The bytes that zram stores for a page that compressed to `length`. */
static uint32_t stored_length(const struct pyzram_zsmalloc *zs, uint32_t length)
{
	return length >= zs->huge_size ? zs->page_size : length;
}

void pyzram_zsmalloc_store(const struct pyzram_zsmalloc *zs, const uint32_t *lengths, size_t count,
			   struct pyzram_pool *ret)
{
	uint64_t compr = 0, same = 0, huge = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t stored;

		if (!lengths[i]) {
			same++;
			continue;
		}
		stored = stored_length(zs, lengths[i]);
		if (stored == zs->page_size)
			huge++;
		compr += stored;
		ret->objects[position(zs, stored)]++;
	}
	ret->compr_data_size += compr;
	ret->same_pages += same;
	ret->huge_pages += huge;
}

int64_t pyzram_zsmalloc_recompress(const struct pyzram_zsmalloc *zs, const uint32_t *first,
				   const uint32_t *second, size_t count, uint32_t threshold,
				   uint32_t *ret)
{
	int64_t accepted = 0;

	if (threshold >= zs->huge_size)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		uint32_t old, new;

		ret[i] = first[i];
		if (!first[i] || !second[i])
			continue;
		old = stored_length(zs, first[i]);
		new = stored_length(zs, second[i]);
		if (old < threshold || (threshold && new >= threshold))
			continue;
		if (position(zs, new) >= position(zs, old))
			continue;
		ret[i] = second[i];
		accepted++;
	}
	return accepted;
}
