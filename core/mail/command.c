/* SPDX-License-Identifier: MIT
 *
 * One command line cut into verb and argument, and the small grammars that need no more than
 * that. The parameters of MAIL and RCPT are in parameter.c.
 */
#include "mail/command.h"

#include "base/num.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

enum command_result command_parse(struct str line, struct command *command)
{
	size_t verb = 0;

	for (size_t i = 0; i < line.len; i++)
		if (is_control(line.data[i]))
			return COMMAND_BINARY;
	if (str_trim(line).len == 0)
		return COMMAND_EMPTY;
	while (verb < line.len && !is_blank(line.data[verb])) {
		if ((unsigned char)line.data[verb] >= 0x80)
			return COMMAND_BINARY;
		verb++;
	}
	*command = (struct command){
		.verb = str_slice(line, 0, verb),
		.argument = str_trim(str_slice(line, verb, line.len)),
		.has_blank = verb < line.len,
	};
	return COMMAND_OK;
}

bool command_keyword(struct str *argument, struct str keyword)
{
	struct str rest;

	if (!str_starts_case(*argument, keyword))
		return false;
	rest = str_slice(*argument, keyword.len, argument->len);
	while (rest.len > 0 && is_blank(rest.data[0]))
		rest = str_slice(rest, 1, rest.len);
	*argument = rest;
	return true;
}

bool bdat_parse(struct str argument, uint64_t *size, bool *last)
{
	struct str digits, word;
	uint64_t octets;
	bool is_last;

	if (!str_word(&argument, &digits) || !num_u64(digits, &octets))
		return false;
	is_last = str_word(&argument, &word);
	if (is_last && (!str_equal_case(word, STR("LAST")) || str_word(&argument, &word)))
		return false;
	*size = octets;
	*last = is_last;
	return true;
}
