/* SPDX-License-Identifier: MIT */
/* The text of debugfs's block_state: one line for each stored page. */
#include "block_walk.h"
#include "io.h"
#include "pyzram.h"

struct cursor {
	const char *at;
	const char *end;
};

static const char flag_letters[PYZRAM_BLOCK_FLAGS] = { 's', 'w', 'h', 'i', 'r', 'n' };

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && *c->at == ' ')
		c->at++;
}

/* Parse seconds with six digits after the point, as microseconds. */
static int read_time(struct cursor *c, uint64_t *ret)
{
	uint64_t seconds, fraction;
	const char *start;
	int error = io_digits(&c->at, c->end, &seconds);

	if (error)
		return error;
	if (c->at == c->end || *c->at != '.')
		return -EINVAL;
	start = ++c->at;
	error = io_digits(&c->at, c->end, &fraction);
	if (error || c->at - start != 6)
		return -EINVAL;
	if (seconds > UINT64_MAX / MICROSECONDS - 1)
		return -ERANGE;
	*ret = seconds * MICROSECONDS + fraction;
	return 0;
}

/* Each flag has a fixed place, with a point if it is not set; newer kernels have more places. */
static int read_flags(struct cursor *c, uint8_t *ret)
{
	int place = 0;

	*ret = 0;
	for (; c->at < c->end && *c->at != '\n'; c->at++, place++) {
		if (place >= PYZRAM_BLOCK_FLAGS || *c->at == '.')
			continue;
		if (*c->at != flag_letters[place])
			return -EINVAL;
		*ret |= (uint8_t)(1u << place);
	}
	return place ? 0 : -EINVAL;
}

static int read_line(struct cursor *c, struct block_line *ret)
{
	int error;

	skip_blanks(c);
	error = io_digits(&c->at, c->end, &ret->index);
	if (error)
		return error;
	skip_blanks(c);
	error = read_time(c, &ret->time);
	if (error)
		return error;
	skip_blanks(c);
	return read_flags(c, &ret->flags);
}

bool pyzram_block_walk_next(struct block_walk *walk, struct block_line *ret)
{
	struct cursor c = { walk->at, walk->end };
	int error = read_line(&c, ret);

	if (c.at == c.end)
		return false; /* leave an incomplete line, whatever it looks like so far */
	if (error) {
		walk->error = error;
		return false;
	}
	walk->at = c.at + 1;
	walk->count++;
	return true;
}

int64_t pyzram_block_state_parse(const char *text, size_t len, size_t cap,
				 struct pyzram_block_lines *ret)
{
	struct block_walk walk = block_walk_begin(text, len);
	struct block_line line;

	while ((size_t)walk.count < cap && pyzram_block_walk_next(&walk, &line)) {
		size_t place = (size_t)walk.count - 1;

		ret->index[place] = line.index;
		ret->time[place] = line.time;
		ret->flags[place] = line.flags;
	}
	return block_walk_end(&walk, &ret->used);
}

/* 0 for less than a second, then one bucket for each doubling. */
static unsigned int age_bucket(uint64_t age)
{
	uint64_t seconds = age / MICROSECONDS;
	unsigned int bucket = 0;

	for (; seconds && bucket < PYZRAM_AGE_BUCKETS - 1; seconds >>= 1)
		bucket++;
	return bucket;
}

int64_t pyzram_block_state_count(const char *text, size_t len, uint64_t now,
				 struct pyzram_block_counts *ret)
{
	struct block_walk walk = block_walk_begin(text, len);
	struct block_line line;

	while (pyzram_block_walk_next(&walk, &line)) {
		for (int place = 0; place < PYZRAM_BLOCK_FLAGS; place++)
			ret->flags[place] += (line.flags >> place) & 1u;
		ret->ages[age_bucket(now > line.time ? now - line.time : 0)]++;
	}
	return block_walk_end(&walk, &ret->used);
}
