/* SPDX-License-Identifier: MIT */
/* A machine with a zram device that writes back: what model.py drives.
 *
 * Memory consists of units of equal pages, in clusters that are used together, like the parts of a
 * program. When a unit is used does not depend on what a policy does, so all policies see the same
 * trace. Time is in seconds awake, sizes in bytes, costs in seconds. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STEP 10.0
#define DAY 86400.0
#define PAGE 4096.0
#define SLICE 600.0 /* of the schedules: activity, charge */
#define WARM 120.0  /* what was used within this is not reclaimed for the page cache */

#define NEVER 1e300

enum tier { UNBORN, RAM, STORED, FLASH };
enum kind { IDLE, HUGE_IDLE };

struct unit {
	double stored; /* slot written, as remembered by whoever keeps ages */
	double marked; /* marked idle; after `stored` while the mark holds */
	float heat;    /* chance of being used when its cluster is */
	uint32_t size[2]; /* memory of one page in the pool, with either algorithm */
	uint8_t tier, second, tried, huge, lost;
};

struct cluster {
	uint64_t chance;
	double interval; /* mean time between uses */
	double next;
	double alive, dead; /* mean times of programs that come and go; 0: stays */
	double turn;	    /* when it comes or goes */
	double grow;	    /* seconds a unit of a leak; 0: whole at once */
	uint32_t first, count, born;
	uint8_t human; /* used only while somebody is there */
	uint8_t living;
};

struct machine {
	/* Set by model.py. */
	double ram, base, disksize, mem_limit, backing;
	double file_low, file_high, file_rate; /* working set of files; reads of it a second */
	double read_cost, write_speed, first_cost, second_cost;
	double end;
	uint32_t units, clusters, pages, slices, suspends;
	/* Figures. */
	double now, slept, slept_at;
	double stall, debt, some10, some60, some300, full10, io_full10;
	double available, used, compressed, stored_pages, huge_pages, second_pages;
	double flash_pages, reads, writes, swapins, busy, cpu, missed, resident;
	uint32_t suspend;
	struct unit *unit;
	struct cluster *cluster;
	double *last; /* when a unit in RAM was used; NEVER for others */
	const double *activity, *charge, *suspend_at, *suspend_for, *extra;
};

static double uniform(uint64_t *chance)
{
	uint64_t z = (*chance += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

static double after(uint64_t *chance, double mean)
{
	return -mean * log(1.0 - uniform(chance));
}

static double scheduled(const struct machine *m, const double *values)
{
	uint32_t at = (uint32_t)(m->now / SLICE);

	return values[at < m->slices ? at : m->slices - 1];
}

/* ---- what a unit goes through ---------------------------------------------------------------- */

static double weight(const struct machine *m, const struct unit *u)
{
	return u->size[u->second] * (double)m->pages;
}

static void leave_pool(struct machine *m, struct unit *u)
{
	m->used -= weight(m, u);
	if (u->huge)
		m->huge_pages -= m->pages;
	if (u->second)
		m->second_pages -= m->pages;
}

static void in_ram(struct machine *m, struct unit *u)
{
	u->tier = RAM;
	m->last[u - m->unit] = m->now;
}

static void forget(struct machine *m, struct unit *u)
{
	m->last[u - m->unit] = NEVER;
	if (u->tier == RAM)
		m->resident -= m->pages;
	if (u->tier == STORED)
		leave_pool(m, u);
	if (u->tier == FLASH)
		m->flash_pages -= m->pages;
	if (u->tier == STORED || u->tier == FLASH)
		m->stored_pages -= m->pages;
	u->tier = UNBORN;
}

static void enter(struct machine *m, struct unit *u)
{
	in_ram(m, u);
	m->resident += m->pages;
}

static void use(struct machine *m, struct unit *u)
{
	if (u->tier == UNBORN)
		return;
	if (u->tier == STORED) {
		m->debt += m->pages * (u->second ? m->second_cost : m->first_cost);
		m->swapins += m->pages;
	}
	if (u->tier == FLASH) {
		/* Reads wait for what is being written. */
		m->debt += m->pages * m->read_cost * (1.0 + 2.0 * fmin(1.0, m->busy / STEP));
		m->reads += m->pages;
	}
	if (u->tier != RAM) {
		forget(m, u);
		m->resident += m->pages;
	}
	in_ram(m, u);
}

static int store(struct machine *m, struct unit *u)
{
	double size = u->size[0] * (double)m->pages;

	if ((m->stored_pages + m->pages) * PAGE > m->disksize ||
	    (m->mem_limit > 0 && m->used + size > m->mem_limit))
		return 0;
	m->resident -= m->pages;
	m->stored_pages += m->pages;
	m->last[u - m->unit] = NEVER;
	m->used += size;
	u->huge = u->size[0] >= PAGE;
	if (u->huge)
		m->huge_pages += m->pages;
	u->tier = STORED;
	u->stored = m->now;
	u->marked = -1.0;
	u->second = u->tried = u->lost = 0;
	return 1;
}

/* ---- one step of time ------------------------------------------------------------------------ */

static void live(struct machine *m, struct cluster *c)
{
	struct unit *first = m->unit + c->first;
	uint32_t i;

	if (c->grow > 0) {
		uint32_t born;

		if (m->now >= c->turn + c->grow * c->count + c->dead) {
			for (i = 0; i < c->count; i++)
				forget(m, first + i);
			c->born = 0;
			c->turn = m->now;
		}
		if (m->now < c->turn)
			return;
		born = (uint32_t)((m->now - c->turn) / c->grow);
		for (; c->born < born && c->born < c->count; c->born++)
			enter(m, first + c->born);
		return;
	}
	if (c->alive <= 0 || m->now < c->turn)
		return;
	c->living = !c->living;
	for (i = 0; i < c->count; i++) {
		if (c->living)
			enter(m, first + i);
		else
			forget(m, first + i);
	}
	/* Nobody starts a program while absent. */
	c->turn = m->now + after(&c->chance, c->living ? c->alive : c->dead /
			fmax(0.02, c->human ? scheduled(m, m->activity) : 1.0));
}

static void work(struct machine *m, struct cluster *c)
{
	uint32_t i;

	if (m->now < c->next)
		return;
	c->next = m->now + after(&c->chance, c->interval);
	if (c->human && uniform(&c->chance) > scheduled(m, m->activity))
		return;
	for (i = 0; i < c->count; i++) {
		struct unit *u = m->unit + c->first + i;

		if (uniform(&c->chance) < u->heat)
			use(m, u);
	}
}

static double room(const struct machine *m)
{
	return m->ram - m->base - scheduled(m, m->extra) - m->resident * PAGE - m->used;
}

/* The unit in RAM that has been unused for longest. */
static uint32_t oldest(const struct machine *m)
{
	double least = NEVER;
	uint32_t i;

	for (i = 0; i < m->units; i++)
		least = m->last[i] < least ? m->last[i] : least;
	for (i = 0; i + 1 < m->units && m->last[i] != least; i++)
		;
	return i;
}

/* Reclaim as the kernel does: keep the page cache as large as files want, but not at the expense of
 * memory in use; for memory itself, everything goes. */
static void reclaim(struct machine *m, double files)
{
	double reserve = 0.02 * m->ram;

	while (room(m) < files) {
		uint32_t i = oldest(m);
		int direct = room(m) < reserve;

		if (m->last[i] == NEVER || (!direct && m->now - m->last[i] < WARM))
			return;
		if (direct)
			m->debt += m->pages * 2e-6;
		if (!store(m, m->unit + i)) {
			/* No space left: what needs memory waits; programs reread their files. */
			if (direct)
				m->debt += 2.0;
			return;
		}
	}
}

static void average(double *value, double now, double window)
{
	*value += (now - *value) * (1.0 - exp(-STEP / window));
}

static void step(struct machine *m)
{
	double files = m->file_low + (m->file_high - m->file_low) * scheduled(m, m->activity);
	double missing, stalled, io;
	uint32_t i;

	for (i = 0; i < m->clusters; i++) {
		live(m, m->cluster + i);
		work(m, m->cluster + i);
	}
	reclaim(m, files);
	missing = files > 0 ? fmax(0.0, 1.0 - fmax(0.0, room(m)) / files) : 0.0;
	io = STEP * m->file_rate * missing * m->read_cost * (1.0 + 2.0 * fmin(1.0, m->busy / STEP));
	m->debt += io;
	m->missed += missing * STEP;
	stalled = fmin(STEP, m->debt);
	m->debt -= stalled;
	m->stall += stalled;
	average(&m->some10, 100.0 * stalled / STEP, 10);
	average(&m->some60, 100.0 * stalled / STEP, 60);
	average(&m->some300, 100.0 * stalled / STEP, 300);
	average(&m->full10, 100.0 * stalled / STEP * stalled / STEP, 10);
	average(&m->io_full10, 100.0 * fmin(1.0, (m->busy + io) / STEP) * 0.5, 10);
	m->busy = fmax(0.0, m->busy - STEP);
	m->available = fmax(0.0, room(m));
	m->now += STEP;
	while (m->suspend < m->suspends && m->now >= m->suspend_at[m->suspend]) {
		m->slept += m->suspend_for[m->suspend++];
		m->slept_at = m->now;
	}
}

/* ---- for model.py ---------------------------------------------------------------------------- */

void machine_prepare(struct machine *m)
{
	uint32_t i, j;

	for (i = 0; i < m->units; i++)
		m->last[i] = NEVER;
	for (i = 0; i < m->clusters; i++) {
		struct cluster *c = m->cluster + i;

		c->next = after(&c->chance, c->interval);
		if (c->grow > 0)
			continue;
		c->living = c->alive <= 0 || uniform(&c->chance) < c->alive / (c->alive + c->dead);
		if (c->alive > 0)
			c->turn = after(&c->chance, c->living ? c->alive : c->dead);
		for (j = 0; c->living && j < c->count; j++)
			enter(m, m->unit + c->first + j);
	}
}

/* Run until a time, or to a step with that share of stall; then return 1, else 0. */
int machine_run(struct machine *m, double until, double trigger)
{
	until = fmin(until, m->end);
	while (m->now < until) {
		double before = m->stall;
		double slept = m->slept;

		step(m);
		if (m->stall - before >= trigger * STEP)
			return 1;
		if (m->slept > slept)
			return 2;
	}
	return 0;
}

void machine_mark(struct machine *m)
{
	uint32_t i;

	for (i = 0; i < m->units; i++)
		if (m->unit[i].tier == STORED)
			m->unit[i].marked = m->now;
}

/* How old the kernel, or whoever keeps ages, takes a slot for. Both count `asleep`. */
static double age(const struct machine *m, const struct unit *u, int keeps)
{
	return u->lost && !keeps ? NEVER : m->now - u->stored;
}

/* Write back what is at least that old (or marked, with a negative age); return pages written. */
double machine_writeback(struct machine *m, int kind, double floor, int keeps, double limit)
{
	double written = 0;
	uint32_t i;

	limit = fmin(limit, m->backing / PAGE - m->flash_pages);
	for (i = 0; i < m->units && written + m->pages <= limit; i++) {
		struct unit *u = m->unit + i;

		if (u->tier != STORED || u->size[0] == 0 || (kind == HUGE_IDLE && !u->huge))
			continue;
		if (floor < 0 ? u->marked < u->stored : age(m, u, keeps) < floor)
			continue;
		leave_pool(m, u);
		u->tier = FLASH;
		m->flash_pages += m->pages;
		written += m->pages;
	}
	m->writes += written;
	m->busy += written * PAGE / m->write_speed;
	return written;
}

/* Recompress what is at least that old and that large; return pages tried. */
double machine_recompress(struct machine *m, int kind, double floor, int keeps, double threshold,
			  double limit)
{
	double tried = 0;
	uint32_t i;

	for (i = 0; i < m->units && tried + m->pages <= limit; i++) {
		struct unit *u = m->unit + i;

		if (u->tier != STORED || u->second || u->tried || u->size[0] <= threshold ||
		    (kind == HUGE_IDLE && !u->huge) || age(m, u, keeps) < floor)
			continue;
		tried += m->pages;
		u->tried = 1;
		if (u->size[1] >= u->size[0])
			continue;
		leave_pool(m, u);
		u->second = u->lost = 1;
		u->huge = 0;
		m->used += weight(m, u);
		m->second_pages += m->pages;
	}
	m->cpu += tried * 40e-6;
	return tried;
}

/* The bytes that a writeback of that kind would find. */
double machine_old(const struct machine *m, int kind, double floor)
{
	double found = 0;
	uint32_t i;

	for (i = 0; i < m->units; i++) {
		const struct unit *u = m->unit + i;

		if (u->tier == STORED && u->size[0] && (kind == IDLE || u->huge) &&
		    age(m, u, 1) >= floor)
			found += m->pages;
	}
	return found * PAGE;
}

uint32_t machine_sizes(int which)
{
	return which == 0 ? sizeof(struct unit) : which == 1 ? sizeof(struct cluster)
							      : sizeof(struct machine);
}
