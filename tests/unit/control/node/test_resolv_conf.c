#include "control/node/resolv_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
note(const char *suffix, void *arg)
{
	strcat(strcat(arg, suffix), ";");
}

static void
the_last_list_counts(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "", "" },
		{ "nameserver 192.0.2.53\nsearch a.example b.example\noptions ndots:5\n",
			"a.example;b.example;" },
		{ "search a.example\n  search\tb.example \t c.example\r\n", "b.example;c.example;" },
		{ "domain a.example", "a.example;" },
		{ "search a.example\ndomain b.example\n", "b.example;" },
		{ "searching a.example\n# search b.example\nsearch\n", "" },
	};
	char path[] = "/tmp/test_resolv_conf.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].text);
		char found[256] = "";

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].text, size, 0), size);
		assert_int_equal(resolv_conf_search(path, note, found), 0);
		assert_string_equal(found, cases[i].wanted);
	}
	close(fd);
	unlink(path);
	assert_int_equal(resolv_conf_search(path, note, NULL), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_last_list_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
