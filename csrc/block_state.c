/* SPDX-License-Identifier: MIT */
/* The text of debugfs's block_state: one line for each stored page. */
#include "pyzram.h"

#include <errno.h>

#define FLAGS_MAX 6
#define MICROSECONDS 1000000u

static const char flag_letters[FLAGS_MAX] = "swhirn";

struct cursor {
	const char *at;
	const char *end;
};

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && *c->at == ' ')
		c->at++;
}

static int is_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static int read_number(struct cursor *c, uint64_t *ret)
{
	uint64_t value = 0;

	if (!is_digit(c))
		return -EINVAL;
	for (; is_digit(c); c->at++) {
		uint64_t digit = (uint64_t)(*c->at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*ret = value;
	return 0;
}

/* Seconds with six digits behind the point, as microseconds. */
static int read_time(struct cursor *c, uint64_t *ret)
{
	uint64_t seconds, fraction;
	const char *start;
	int error = read_number(c, &seconds);

	if (error)
		return error;
	if (c->at == c->end || *c->at != '.')
		return -EINVAL;
	start = ++c->at;
	error = read_number(c, &fraction);
	if (error || c->at - start != 6)
		return -EINVAL;
	if (seconds > UINT64_MAX / MICROSECONDS - 1)
		return -ERANGE;
	*ret = seconds * MICROSECONDS + fraction;
	return 0;
}

/* Flags stand in fixed places, a point where one is not set; newer kernels have more places. */
static int read_flags(struct cursor *c, uint8_t *ret)
{
	int place = 0;

	*ret = 0;
	for (; c->at < c->end && *c->at != '\n'; c->at++, place++) {
		if (place >= FLAGS_MAX || *c->at == '.')
			continue;
		if (*c->at != flag_letters[place])
			return -EINVAL;
		*ret |= (uint8_t)(1u << place);
	}
	return place ? 0 : -EINVAL;
}

static int read_line(struct cursor *c, uint64_t *index, uint64_t *time, uint8_t *flags)
{
	int error;

	skip_blanks(c);
	error = read_number(c, index);
	if (error)
		return error;
	skip_blanks(c);
	error = read_time(c, time);
	if (error)
		return error;
	skip_blanks(c);
	return read_flags(c, flags);
}

int64_t pyzram_block_state_parse(const char *text, size_t len, size_t cap, uint64_t *ret_index,
				 uint64_t *ret_time, uint8_t *ret_flags, size_t *ret_used)
{
	struct cursor c = { text, text + len };
	int64_t lines = 0;

	*ret_used = 0;
	while ((size_t)lines < cap) {
		int error = read_line(&c, &ret_index[lines], &ret_time[lines], &ret_flags[lines]);

		/* What ends within a line is the next call's, whatever it looks like so far. */
		if (c.at == c.end)
			break;
		if (error)
			return error;
		c.at++;
		lines++;
		*ret_used = (size_t)(c.at - text);
	}
	return lines;
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

int64_t pyzram_block_state_count(const char *text, size_t len, uint64_t now, uint64_t *ret_flags,
				 uint64_t *ret_ages, size_t *ret_used)
{
	struct cursor c = { text, text + len };
	int64_t lines = 0;

	*ret_used = 0;
	for (;;) {
		uint64_t index, time;
		uint8_t flags;
		int error = read_line(&c, &index, &time, &flags);

		if (c.at == c.end)
			break;
		if (error)
			return error;
		for (int place = 0; place < FLAGS_MAX; place++)
			ret_flags[place] += (flags >> place) & 1u;
		ret_ages[age_bucket(now > time ? now - time : 0)]++;
		c.at++;
		lines++;
		*ret_used = (size_t)(c.at - text);
	}
	return lines;
}
