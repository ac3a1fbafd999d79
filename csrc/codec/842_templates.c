/* SPDX-License-Identifier: MIT */
/* The templates of 842, and the best one for the units of a block that have a place. */
#include "842.h"

/* In the order in which the encoder prefers them. */
static const struct template templates[] = {
	{0x19, {I8}},
	{0x18, {I4, I4}},
	{0x17, {I4, I2, I2}},
	{0x13, {I2, I2, I4}},
	{0x12, {I2, I2, I2, I2}},
	{0x16, {I4, I2, D2}},
	{0x15, {I4, D2, I2}},
	{0x0e, {I2, D2, I4}},
	{0x09, {D2, I2, I4}},
	{0x11, {I2, I2, I2, D2}},
	{0x10, {I2, I2, D2, I2}},
	{0x0d, {I2, D2, I2, I2}},
	{0x08, {D2, I2, I2, I2}},
	{0x14, {I4, D4}},
	{0x04, {D4, I4}},
	{0x0f, {I2, I2, D4}},
	{0x0c, {I2, D2, I2, D2}},
	{0x0b, {I2, D4, I2}},
	{0x07, {D2, I2, I2, D2}},
	{0x06, {D2, I2, D2, I2}},
	{0x03, {D4, I2, I2}},
	{0x0a, {I2, D2, D4}},
	{0x05, {D2, I2, D4}},
	{0x02, {D4, I2, D2}},
	{0x01, {D4, D2, I2}},
	{TEMPLATE_LITERAL, {D8}},
};

/* The bit in the mask that stands for the unit at this offset of the block. */
static unsigned int operand_unit(enum operand operand, unsigned int offset)
{
	switch (operand_size(operand)) {
	case 8:
		return UNIT8;
	case 4:
		return UNIT4 + offset / 4;
	default:
		return UNIT2 + offset / 2;
	}
}

static unsigned int template_needs(const struct template *template)
{
	unsigned int needs = 0;
	unsigned int offset = 0;

	for (size_t i = 0; i < 4 && template->operands[i] != NONE; i++) {
		if (operand_is_reference(template->operands[i]))
			needs |= 1u << operand_unit(template->operands[i], offset);
		offset += operand_size(template->operands[i]);
	}
	return needs;
}

static unsigned int operand_bits(enum operand operand)
{
	if (!operand_is_reference(operand))
		return 8 * operand_size(operand);
	return operand == I4 ? REF4_BITS : REF8_BITS;
}

static struct choice as_choice(const struct template *template)
{
	struct choice choice = { .code = template->code, .sum = TEMPLATE_BITS };
	unsigned int offset = 0;

	for (size_t i = 0; i < 4 && template->operands[i] != NONE; i++) {
		enum operand operand = template->operands[i];

		if (operand_is_reference(operand))
			choice.value[i] = (uint8_t)(1 + operand_unit(operand, offset));
		offset += operand_size(operand);
		if (!operand_is_reference(operand))
			choice.shift[i] = (uint8_t)(8 * (BLOCK - offset));
		choice.bits[i] = (uint8_t)operand_bits(operand);
		choice.sum += choice.bits[i];
	}
	return choice;
}

void pyzram_842_choices_make(struct sw842_state *state)
{
	size_t count = sizeof(templates) / sizeof(templates[0]);

	for (unsigned int have = 0; have < 1 << UNITS; have++) {
		size_t i = 0;

		while (i < count - 1 && (template_needs(&templates[i]) & ~have) != 0)
			i++;
		state->choice[have] = as_choice(&templates[i]);
	}
	for (size_t i = 0; i < count; i++)
		state->meaning[templates[i].code] = templates[i];
}
