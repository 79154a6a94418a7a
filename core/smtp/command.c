/* SPDX-License-Identifier: MIT
 *
 * One line after another: cut at CRLF and nowhere else, found in the table of verbs, allowed or
 * not in the state of the session. A line that is too long is swallowed up to its own end and
 * answered once; nothing of it is ever taken for a command.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "mail/sasl.h"
#include "smtp/verbs.h"

/* Offset of the first CRLF, or -1. */
static ptrdiff_t line_end(struct str in)
{
	const char *at = in.data, *end = in.data + in.len;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		if (at > in.data && at[-1] == '\r')
			return at - in.data - 1;
		at++;
	}
	return -1;
}

static enum line swallow_line(struct session *s, struct str in)
{
	ptrdiff_t end = line_end(in);

	s->in_line = end < 0;
	if (end < 0) {
		/* A CR at the end may be half of what is looked for. */
		bool half = in.len > 0 && in.data[in.len - 1] == '\r';

		stream_take(s->stream, in.len - half);
		return LINE_MORE;
	}
	stream_take(s->stream, (size_t)end + 2);
	metric_add(METRIC_limit_line, 1);
	return LINE_TOO_LONG;
}

enum line command_line(struct session *s, size_t max, struct str *line)
{
	struct str in = stream_input(s->stream);
	ptrdiff_t end;

	if (in.len == 0)
		return LINE_MORE;
	if (s->in_line)
		return swallow_line(s, in);
	end = line_end(str_slice(in, 0, max));
	if (end < 0)
		return in.len < max ? LINE_MORE : swallow_line(s, in);
	*line = str_slice(in, 0, (size_t)end);
	return LINE_WHOLE;
}

static void command_run(struct session *s, const struct command *command, size_t line)
{
	const struct verb *verb = verb_find(command->verb);
	bool checked = false;

	s->verb = verb;
	if (verb->flags & VERB_JUNK)
		s->junk++;
	if (!(verb->states & 1u << s->state))
		verb_refuse(s, s->state == STATE_CHUNKS ? SAY_CHUNKS_UNDER_WAY : verb->misplaced);
	else
		checked = verb->check(s, command);
	if (verb->flags & VERB_SECRET)
		stream_wipe(s->stream, line);
	stream_take(s->stream, line); /* what is needed of it was kept by the check */
	if (!checked)
		return;
	if (!verb->prepare || verb->prepare(s))
		verb_proceed(s);
}

/* Responses are as long as mechanisms make them, also with the command (RFC 4954 4). */
static size_t command_most(const struct session *s)
{
	size_t most = (size_t)s->settings->max_line;

	return most < SASL_LINE_MAX && str_starts_case(stream_input(s->stream), STR("AUTH "))
		? SASL_LINE_MAX
		: most;
}

bool command_step(struct session *s)
{
	struct command command;
	struct str line;

	switch (command_line(s, command_most(s), &line)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		session_say(s, SAY_LINE_TOO_LONG);
		return true;
	case LINE_WHOLE:
		break;
	}
	metric_add(METRIC_commands, 1);
	switch (command_parse(line, &command)) {
	case COMMAND_EMPTY:
	case COMMAND_BINARY:
		stream_take(s->stream, line.len + 2);
		session_say(s, SAY_NOT_A_COMMAND);
		break;
	case COMMAND_OK:
		command_run(s, &command, line.len + 2);
		break;
	}
	return true;
}
