/* SPDX-License-Identifier: MIT
 *
 * Reports, and the template of their text. First octet: flags; then pieces that end in "|", each
 * what some stranger said. The report must come apart into the groups and the message it was made
 * of.
 */
#include "mail/dsn.h"
#include "mail/template.h"

#include "base/encode.h"
#include "tests/fuzz/fuzz.h"
#include "tests/mail/report.h"

enum { RECIPIENTS = 2 };

static struct dsn_recipient recipient_of(struct str *in, unsigned flags)
{
	struct dsn_recipient r = {
		.address = fuzz_piece(in, '|'),
		.original = fuzz_piece(in, '|'),
		.action = (enum dsn_action)(flags % 5),
		.host = fuzz_piece(in, '|'),
		.diagnostic = fuzz_piece(in, '|'),
		.last_attempt = flags,
		.will_retry_until = flags,
	};
	struct str status = fuzz_piece(in, '|');

	memcpy(r.status, status.data, status.len < sizeof r.status ? status.len : 0);
	return r;
}

static void check_report(const struct dsn *dsn)
{
	static const char *const once[] = { "Final-Recipient", "Action", "Status" };
	struct arena *arena = arena_new(4096);
	struct buf out = { 0 };
	struct report report;

	dsn_write(&out, dsn);
	must(report_read(buf_str(&out), &report, arena));
	must(dsn->utf8 || (ascii_only(report.header) && ascii_only(report.status.body)));
	must(!dsn->utf8 || utf8_valid(report.header));
	must(utf8_valid(report.text.body) && utf8_valid(report.status.body));
	must(header_count(report_group(&report, 0), STR("Reporting-MTA")) == 1);
	for (size_t i = 1; i <= dsn->count; i++)
		for (size_t j = 0; j < 3; j++)
			must(header_count(report_group(&report, i), str_c(once[j])) == 1);
	must(report_group(&report, dsn->count + 1).len == 0);
	must(report.returned.body.len >= dsn->message.len);
	buf_free(&out);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = fuzz_input(data, size);
	unsigned flags = fuzz_octet(&in);
	struct dsn_recipient recipients[RECIPIENTS];
	struct str names[] = { STR_INIT("name") }, value = fuzz_piece(&in, '|');
	struct str piece = fuzz_piece(&in, '|');
	const struct template_words words = { names, names, 1, 1 };
	struct why why;
	struct buf text = { 0 };
	struct dsn dsn;

	for (size_t i = 0; i < RECIPIENTS; i++)
		recipients[i] = recipient_of(&in, flags + (unsigned)i);
	template_check(piece, &words, &why);
	must(template_section(piece, &words, names[0]).len <= piece.len);
	template_expand(&text, piece, &words, &value);
	dsn = (struct dsn){
		.envid = fuzz_piece(&in, '|'),
		.reporting_mta = fuzz_piece(&in, '|'),
		.to = fuzz_piece(&in, '|'),
		.from = fuzz_piece(&in, '|'),
		.message_id = fuzz_piece(&in, '|'),
		.subject = fuzz_piece(&in, '|'),
		.recipients = recipients,
		.count = flags % (RECIPIENTS + 1),
		.text = buf_str(&text),
		.message = in,
		.whole = flags & 64,
		.utf8 = flags & 128,
	};
	check_report(&dsn);
	buf_free(&text);
	return 0;
}
