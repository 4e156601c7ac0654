#include "control/source/text_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_text_file(void **state)
{
	char dir[] = "/tmp/test_text_file.XXXXXX", path[64], fifo[64];
	char *text;
	size_t size;
	FILE *out;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(fifo, sizeof(fifo), "%s/p", dir);
	assert_int_equal(text_file_read(path, 10, &text, &size), -ENOENT);
	assert_int_equal(text_file_read(dir, 10, &text, &size), -EINVAL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(text_file_read(fifo, 10, &text, &size), -EINVAL);

	out = fopen(path, "w");
	assert_non_null(out);
	fputs("ten bytes!", out);
	fclose(out);
	assert_int_equal(text_file_read(path, 9, &text, &size), -EFBIG);
	assert_null(text);
	assert_int_equal(text_file_read(path, 10, &text, &size), 0);
	assert_int_equal(size, 10);
	assert_string_equal(text, "ten bytes!");
	free(text);

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(text_file_read(path, 10, &text, &size), 0);
	assert_int_equal(size, 0);
	assert_string_equal(text, "");
	free(text);
	unlink(path);
	unlink(fifo);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
