/* SPDX-License-Identifier: MIT */
/* Prefix codes, whose nodes are joined in the same order as in the kernel's zlib. */
#include "deflate_code.h"

#include <stdbool.h>
#include <string.h>

enum { NODES = 2 * DEFLATE_CODE_SYMBOLS };

/* Symbols, and the nodes joined from them, while a code is made. */
struct tree {
	unsigned int symbols;		/* nodes from here on were joined */
	uint32_t weight[NODES];
	uint8_t depth[NODES];
	uint16_t parent[NODES];
	uint16_t heap[DEFLATE_CODE_SYMBOLS + 1];	/* from 1 on, the lightest first */
	unsigned int heap_len;
	uint16_t order[NODES];	/* as they left the heap */
	unsigned int order_len;
};

/* With equal weights the shallower node counts as lighter; of equal nodes, the first. */
static inline bool lighter(const struct tree *tree, unsigned int a, unsigned int b)
{
	return tree->weight[a] < tree->weight[b] ||
	       (tree->weight[a] == tree->weight[b] && tree->depth[a] <= tree->depth[b]);
}

static void heap_sink(struct tree *tree, unsigned int at)
{
	unsigned int node = tree->heap[at], child;

	while ((child = 2 * at) <= tree->heap_len) {
		if (child < tree->heap_len &&
		    lighter(tree, tree->heap[child + 1], tree->heap[child]))
			child++;
		if (lighter(tree, node, tree->heap[child]))
			break;
		tree->heap[at] = tree->heap[child];
		at = child;
	}
	tree->heap[at] = (uint16_t)node;
}

static void tree_join(struct tree *tree)
{
	unsigned int next = tree->symbols;

	for (unsigned int at = tree->heap_len / 2; at; at--)
		heap_sink(tree, at);
	do {
		unsigned int a = tree->heap[1], b;

		tree->heap[1] = tree->heap[tree->heap_len--];
		heap_sink(tree, 1);
		b = tree->heap[1];
		tree->order[tree->order_len++] = (uint16_t)a;
		tree->order[tree->order_len++] = (uint16_t)b;
		tree->weight[next] = tree->weight[a] + tree->weight[b];
		tree->depth[next] = (uint8_t)(1 + (tree->depth[a] > tree->depth[b] ?
						  tree->depth[a] : tree->depth[b]));
		tree->parent[a] = tree->parent[b] = (uint16_t)next;
		tree->heap[1] = (uint16_t)next++;
		heap_sink(tree, 1);
	} while (tree->heap_len > 1);
}

/*
 * Assign bits by depth, cut off at max. Each two nodes that were too deep make a shorter leaf one
 * deeper; then bits are assigned again, the most to what left the heap first.
 */
static void tree_measure(const struct tree *tree, unsigned int max, uint8_t *bits)
{
	uint8_t depth[NODES];
	unsigned int leaves[DEFLATE_CODE_MAX + 2] = { 0 }, at = 0;
	int over = 0;

	depth[tree->heap[1]] = 0;
	for (unsigned int i = tree->order_len; i-- > 0;) {
		unsigned int node = tree->order[i], deep = depth[tree->parent[node]] + 1u;

		if (deep > max) {
			deep = max;
			over++;
		}
		depth[node] = (uint8_t)deep;
		if (node < tree->symbols) {
			leaves[deep]++;
			bits[node] = (uint8_t)deep;
		}
	}
	if (!over)
		return;
	for (; over > 0; over -= 2) {
		unsigned int deep = max - 1;

		while (!leaves[deep])
			deep--;
		leaves[deep]--;
		leaves[deep + 1] += 2;
		leaves[max]--;
	}
	for (unsigned int deep = max; deep; deep--) {
		for (unsigned int left = leaves[deep]; left; at++) {
			if (tree->order[at] < tree->symbols) {
				bits[tree->order[at]] = (uint8_t)deep;
				left--;
			}
		}
	}
}

void pyzram_deflate_code_words(const uint8_t *bits, uint16_t *words, unsigned int symbols)
{
	unsigned int leaves[DEFLATE_CODE_MAX + 1] = { 0 }, next[DEFLATE_CODE_MAX + 1] = { 0 };

	for (unsigned int symbol = 0; symbol < symbols; symbol++)
		leaves[bits[symbol]]++;
	leaves[0] = 0;
	for (unsigned int len = 1; len <= DEFLATE_CODE_MAX; len++)
		next[len] = (next[len - 1] + leaves[len - 1]) << 1;
	for (unsigned int symbol = 0; symbol < symbols; symbol++) {
		unsigned int len = bits[symbol], word, turned = 0;

		if (!len)
			continue;
		word = next[len]++;
		for (unsigned int i = 0; i < len; i++)
			turned |= (word >> i & 1) << (len - 1 - i);
		words[symbol] = (uint16_t)turned;
	}
}

void pyzram_deflate_code_make(struct deflate_code *code, const uint32_t *often,
			      unsigned int symbols, unsigned int max)
{
	struct tree tree;

	tree.symbols = symbols;
	tree.heap_len = tree.order_len = 0;
	memset(tree.depth, 0, symbols);
	memset(code->bits, 0, sizeof(code->bits));
	code->count = 0;
	for (unsigned int symbol = 0; symbol < symbols; symbol++) {
		tree.weight[symbol] = often[symbol];
		if (often[symbol]) {
			tree.heap[++tree.heap_len] = (uint16_t)symbol;
			code->count = symbol + 1;
		}
	}
	while (tree.heap_len < 2) {
		unsigned int symbol = code->count < 3 ? code->count++ : 0;

		tree.weight[symbol] = 1;
		tree.heap[++tree.heap_len] = (uint16_t)symbol;
	}
	tree_join(&tree);
	tree_measure(&tree, max, code->bits);
	pyzram_deflate_code_words(code->bits, code->words, symbols);
}
