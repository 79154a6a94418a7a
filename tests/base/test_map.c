/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "tests/base/expect.h"

START_TEST(zeroed_memory_is_an_empty_map)
{
	struct map m = { 0 };
	struct str key;
	void *value;
	size_t at = 0;

	ck_assert_ptr_null(map_get(&m, STR("a")));
	ck_assert_ptr_null(map_remove(&m, STR("a")));
	ck_assert(!map_next(&m, &at, &key, &value));
	map_free(&m);
}
END_TEST

START_TEST(the_empty_key_and_keys_with_nul_are_keys)
{
	struct map m = { 0 };
	int a, b, c;

	ck_assert_ptr_null(map_put(&m, str_c(NULL), &a));
	ck_assert_ptr_null(map_put(&m, STR("x\0y"), &b));
	ck_assert_ptr_null(map_put(&m, STR("x\0z"), &c));
	ck_assert_ptr_eq(map_get(&m, STR("")), &a);
	ck_assert_ptr_eq(map_get(&m, STR("x\0y")), &b);
	ck_assert_ptr_eq(map_get(&m, STR("x\0z")), &c);
	ck_assert_ptr_null(map_get(&m, STR("x")));
	map_free(&m);
}
END_TEST

START_TEST(folding_is_the_maps_own_choice)
{
	struct map exact = { 0 }, fold = { .fold = true };
	int a, b;

	map_put(&exact, STR("Key"), &a);
	map_put(&fold, STR("Key"), &a);
	ck_assert_ptr_null(map_get(&exact, STR("kEY")));
	ck_assert_ptr_eq(map_get(&fold, STR("kEY")), &a);
	ck_assert_ptr_eq(map_put(&fold, STR("KEY"), &b), &a);
	ck_assert_uint_eq(fold.count, 1);
	map_free(&fold);
	ck_assert(fold.fold);
	map_free(&exact);
}
END_TEST

/* The old key is usually inside the old value, which its owner now frees. */
START_TEST(replacing_a_value_replaces_its_key)
{
	struct map m = { 0 };
	char old_key[] = "key", new_key[] = "key";
	struct str key;
	void *value;
	size_t at = 0;
	int a, b;

	map_put(&m, str_c(old_key), &a);
	ck_assert_ptr_eq(map_put(&m, str_c(new_key), &b), &a);
	memset(old_key, 'x', 3);
	ck_assert_ptr_eq(map_get(&m, STR("key")), &b);
	ck_assert(map_next(&m, &at, &key, &value));
	ck_assert_ptr_eq(key.data, new_key);
	map_free(&m);
}
END_TEST

START_TEST(a_value_of_null_is_a_bug)
{
	struct map m = { 0 };

	expect_abort(map_put(&m, STR("a"), NULL));
}
END_TEST

enum { KEYS = 512 };

struct model {
	char name[KEYS][8];
	void *value[KEYS];
	size_t count;
};

static void expect_same(const struct map *m, const struct model *model)
{
	size_t at = 0, seen = 0;
	struct str key;
	void *value;

	ck_assert_uint_eq(m->count, model->count);
	for (size_t i = 0; i < KEYS; i++)
		ck_assert_ptr_eq(map_get(m, str_c(model->name[i])), model->value[i]);
	while (map_next(m, &at, &key, &value)) {
		ck_assert_ptr_eq(map_get(m, key), value);
		seen++;
	}
	ck_assert_uint_eq(seen, model->count);
}

START_TEST(a_map_does_what_an_array_would)
{
	static struct model model;
	static char values[KEYS * 2];
	struct map m = { 0 };
	uint64_t state = 3;

	for (size_t i = 0; i < KEYS; i++)
		snprintf(model.name[i], sizeof model.name[i], "k%zu", i);
	for (int step = 0; step < 60000; step++) {
		/* Fills up in one part of the run and empties in the next. */
		size_t i = chance_next(&state) % KEYS, fill = step / 6000 % 2 ? 8 : 2;
		void *value = &values[chance_next(&state) % sizeof values];

		if (chance_next(&state) % 10 < fill) {
			ck_assert_ptr_eq(map_put(&m, str_c(model.name[i]), value), model.value[i]);
			model.count += !model.value[i];
			model.value[i] = value;
		} else {
			ck_assert_ptr_eq(map_remove(&m, str_c(model.name[i])), model.value[i]);
			model.count -= !!model.value[i];
			model.value[i] = NULL;
		}
		if (step % 600 == 0)
			expect_same(&m, &model);
	}
	expect_same(&m, &model);
	map_free(&m);
}
END_TEST

START_TEST(coming_and_going_does_not_make_it_grow)
{
	struct map m = { 0 };
	char key[16];
	int value;

	for (int i = 0; i < 100000; i++) {
		int len = snprintf(key, sizeof key, "%d", i);

		map_put(&m, str_make(key, (size_t)len), &value);
		ck_assert_ptr_eq(map_remove(&m, str_make(key, (size_t)len)), &value);
	}
	ck_assert_uint_eq(m.count, 0);
	ck_assert_uint_le(m.cap, 16);
	ck_assert_uint_le(m.used, m.cap / 4 * 3);
	map_free(&m);
}
END_TEST

START_TEST(a_walk_may_remove_what_it_was_given)
{
	struct map m = { 0 };
	char names[100][16];
	struct str key;
	void *value;
	size_t at = 0, seen = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof names[i], "%d", i);
		map_put(&m, str_c(names[i]), names[i]);
	}
	while (map_next(&m, &at, &key, &value)) {
		ck_assert_ptr_eq(map_remove(&m, key), value);
		seen++;
	}
	ck_assert_uint_eq(seen, 100);
	ck_assert_uint_eq(m.count, 0);
	map_free(&m);
}
END_TEST

TEST_MAIN("base/map", zeroed_memory_is_an_empty_map, the_empty_key_and_keys_with_nul_are_keys,
	folding_is_the_maps_own_choice, replacing_a_value_replaces_its_key,
	a_value_of_null_is_a_bug, a_map_does_what_an_array_would,
	coming_and_going_does_not_make_it_grow, a_walk_may_remove_what_it_was_given)
