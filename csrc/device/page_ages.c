/* SPDX-License-Identifier: MIT */
/*
 * When pages were last used, remembered across recompression, which makes the kernel forget it.
 * Each slot has a word: a time in units, which wraps around at PYZRAM_AGES_TURN, and
 * PYZRAM_AGES_KEPT if the kernel has forgotten it. In doubt a page is taken for younger than it is,
 * never for older.
 */
#include "block_walk.h"
#include "pyzram.h"

enum {
	TRIED = PYZRAM_BLOCK_RECOMPRESSED | PYZRAM_BLOCK_INCOMPRESSIBLE,
	NOT_WRITABLE = PYZRAM_BLOCK_SAME | PYZRAM_BLOCK_WRITTEN_BACK,
};

/* The unit after a time: rounded up, because no page may be taken for older than it is. */
static uint64_t units_after(const struct pyzram_ages *ages, double seconds)
{
	return (uint64_t)(seconds / (double)ages->unit) + 1;
}

static uint16_t number_of(uint64_t units)
{
	return (uint16_t)((units - 1) % PYZRAM_AGES_TURN + 1);
}

static uint16_t word_of(const struct pyzram_ages *ages, uint64_t place)
{
	return place < ages->slots ? ages->word[place] : 0;
}

static unsigned int tried_flags(uint8_t flags)
{
	return !!(flags & PYZRAM_BLOCK_RECOMPRESSED) + !!(flags & PYZRAM_BLOCK_INCOMPRESSIBLE);
}

double pyzram_ages_used(const struct pyzram_ages *ages, uint64_t place, uint64_t time, double now)
{
	uint16_t word = word_of(ages, place);
	uint64_t units;
	int ago;

	if (time) /* 7.x truncates it to whole seconds */
		return (double)(time / MICROSECONDS) + 1.0;
	if (!(word & PYZRAM_AGES_KEPT))
		return now;
	/* The latest past time that the number may stand for. */
	units = units_after(ages, now);
	ago = number_of(units) - (word & PYZRAM_AGES_TURN);
	if (ago < 0)
		ago += PYZRAM_AGES_TURN;
	return ((double)units - ago) * (double)ages->unit;
}

static void note(const struct pyzram_ages *ages, const struct block_line *line, double now)
{
	uint16_t *word;

	if (line->index >= ages->slots)
		return;
	word = ages->word + line->index;
	if (line->time)
		*word = number_of(line->time / MICROSECONDS / ages->unit + 1);
	else if (!(*word & PYZRAM_AGES_KEPT))
		*word = PYZRAM_AGES_KEPT | number_of(units_after(ages, now));
}

int64_t pyzram_ages_remember(const char *text, size_t len, const struct pyzram_ages *ages,
			     double now, double since, struct pyzram_ages_counts *ret)
{
	struct block_walk walk = block_walk_begin(text, len);
	struct block_line line;

	while (pyzram_block_walk_next(&walk, &line)) {
		bool old = line.time && (double)line.time <= since * MICROSECONDS;

		if (old && !(line.flags & (NOT_WRITABLE | TRIED))) {
			ret->untried++;
			ret->huge += !!(line.flags & PYZRAM_BLOCK_HUGE);
		}
		ret->tried += tried_flags(line.flags);
		note(ages, &line, now);
	}
	return block_walk_end(&walk, &ret->used);
}

int64_t pyzram_ages_keep(const char *text, size_t len, const struct pyzram_ages *ages,
			 struct pyzram_ages_counts *ret)
{
	struct block_walk walk = block_walk_begin(text, len);
	struct block_line line;

	while (pyzram_block_walk_next(&walk, &line)) {
		ret->tried += tried_flags(line.flags);
		if (!line.time && word_of(ages, line.index))
			ages->word[line.index] |= PYZRAM_AGES_KEPT;
	}
	return block_walk_end(&walk, &ret->used);
}

static void sort_in(struct pyzram_ages_wanted *ret, uint64_t place, double age)
{
	for (size_t step = 0; step < ret->steps; step++) {
		if (age < ret->least[step])
			continue;
		if (ret->count[step] < ret->cap)
			ret->place[step * ret->cap + ret->count[step]++] = place;
		return;
	}
}

int64_t pyzram_ages_select(const char *text, size_t len, const struct pyzram_ages *ages,
			   struct pyzram_ages_wanted *ret)
{
	struct block_walk walk = block_walk_begin(text, len);
	struct block_line line;

	while (ret->count[0] < ret->cap && pyzram_block_walk_next(&walk, &line)) {
		bool fits = !ret->huge || (line.flags & PYZRAM_BLOCK_HUGE);

		if (fits && !(line.flags & NOT_WRITABLE))
			sort_in(ret, line.index,
				ret->now - pyzram_ages_used(ages, line.index, line.time, ret->now));
	}
	return block_walk_end(&walk, &ret->used);
}
