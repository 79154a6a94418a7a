/* SPDX-License-Identifier: MIT
 *
 * What is printed from the tables.
 */
#include "daemon/daemon.h"
#include "daemon/settings.h"

#include "tests/admin/modules.h"
#include "tests/lib/test.h"

#include <unistd.h>

static struct buf text;

static bool has(const char *part)
{
	return str_search_case(buf_str(&text), str_c(part)) >= 0;
}

START_TEST(the_sample_is_a_good_configuration)
{
	struct problems problems = { 0 };
	struct conf *conf;

	sample_print(&text, fake_folders, geteuid());
	conf = conf_parse(buf_str(&text), "tmail.conf", &problems);
	ck_assert_msg(problems.count == 0, "%s", problems.count ? problems.text[0] : "");
	settings_read(conf, "tmail.conf", &problems);
	ck_assert_msg(problems.count == 0, "%s", problems.count ? problems.text[0] : "");
	conf_free(&conf);
	buf_free(&text);
}
END_TEST

START_TEST(the_sample_has_every_setting)
{
	struct conf_section sections[SETTINGS_SECTIONS];
	size_t count = settings_sections(sections);
	char line[100];

	sample_print(&text, fake_folders, geteuid());
	for (size_t i = 0; i < count; i++)
		TMAIL_EACH(struct tmail_option, o, sections[i].options) {
			snprintf(line, sizeof line, "%s = ", o->name);
			ck_assert_msg(has(line), "%s", line);
		}
	buf_free(&text);
}
END_TEST

START_TEST(the_manual_of_the_program_has_every_verb)
{
	size_t count;
	struct verb *verbs = verbs_of(NULL, &count);
	struct why why;

	ck_assert(man_print(&text, "tmail", fake_folders, geteuid(), &why));
	for (size_t i = 0; i < count; i++) {
		char item[100];

		snprintf(item, sizeof item, ".It Cm %s", verbs[i].name);
		ck_assert_msg(has(item), "%s", item);
	}
	free(verbs);
	buf_free(&text);
}
END_TEST

START_TEST(the_manual_of_the_configuration_has_every_group)
{
	struct conf_section sections[SETTINGS_SECTIONS];
	size_t count = settings_sections(sections);
	struct why why;

	ck_assert(man_print(&text, "tmail.conf", fake_folders, geteuid(), &why));
	for (size_t i = 0; i < count; i++)
		ck_assert(!sections[i].name || has(sections[i].name));
	ck_assert(has("on_error")); /* what every module has */
	buf_free(&text);
}
END_TEST

START_TEST(a_module_has_a_page)
{
	struct why why;

	fake_modules_load();
	ck_assert_msg(
		man_print(&text, "route/fake", fake_folders, geteuid(), &why), "%s", why.text);
	ck_assert(has(".Dt TMAIL-ROUTE-FAKE 5"));
	ck_assert(has(".It Cm fake show"));
	buf_free(&text);
	ck_assert(!man_print(&text, "route/none", fake_folders, geteuid(), &why));
	buf_free(&text);
}
END_TEST

START_TEST(help_lists_commands_and_verbs)
{
	size_t count;
	struct verb *verbs = verbs_of(NULL, &count);

	help_print(&text, verbs, count);
	ck_assert(has("\n  serve "));
	ck_assert(has("\n  queue list "));
	ck_assert(!has(SERVER_WORD));
	free(verbs);
	buf_free(&text);
}
END_TEST

TEST_MAIN("daemon/pages", the_sample_is_a_good_configuration, the_sample_has_every_setting,
	the_manual_of_the_program_has_every_verb, the_manual_of_the_configuration_has_every_group,
	a_module_has_a_page, help_lists_commands_and_verbs)
