#include "tests/support/yaml_objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/source/decode.h"

void
put_yaml(struct store *s, const char *text)
{
	struct decode_error error = { 0 };
	struct yaml_error broken;
	struct yaml_file *file;

	if (yaml_file_parse(&file, text, strlen(text), &broken) != 0)
		fail_msg("line %u: %s\n%s", broken.line, broken.message, text);
	for (size_t i = 0; i < yaml_n_documents(file); i++) {
		struct object *object = NULL;
		const char *ignored;

		if (json_is_null(yaml_document(file, i)))
			continue;
		if (object_decode(file, yaml_document(file, i), yaml_document_line(file, i), NULL, &object,
			    &ignored, &error) != 0 ||
			object == NULL)
			fail_msg("%s\n%s", error.message, text);
		assert_int_equal(store_put(s, object), 0);
	}
	yaml_file_free(file);
}
