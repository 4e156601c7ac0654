#include "control/admin/metrics_text.h"

void
metrics_family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP ringway_%s ", name);
	for (; *help != '\0'; help++)
		if (*help == '\\')
			fputs("\\\\", f);
		else if (*help == '\n')
			fputs("\\n", f);
		else
			fputc(*help, f);
	fprintf(f, "\n# TYPE ringway_%s %s\n", name, type);
}

void
metrics_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		if (*value == '\n')
			fputs("\\n", f);
		else
			fputc(*value, f);
	}
	fputc('"', f);
}

void
metrics_gauge(FILE *f, const char *name, const char *help, double value)
{
	metrics_family(f, name, "gauge", help);
	fprintf(f, "ringway_%s %.15g\n", name, value);
}
