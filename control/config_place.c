#include "control/config_place.h"

#include <stdarg.h>

void
config_complain(struct config_place *p, const char *key, const char *format, ...)
{
	va_list args;

	if (p->file == NULL)
		fputs("--set ", p->errors);
	else if (p->line == 0)
		fprintf(p->errors, "%s: ", p->file);
	else
		fprintf(p->errors, "%s:%u: ", p->file, p->line);
	if (key != NULL)
		fprintf(p->errors, "%s: ", key);
	va_start(args, format);
	vfprintf(p->errors, format, args);
	va_end(args);
	fputc('\n', p->errors);
	p->n_errors++;
}
