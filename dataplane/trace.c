#include "dataplane/trace.h"

#include <stdarg.h>
#include <stdio.h>

void
trace_note(struct trace *t, const char *stage, const char *fmt, ...)
{
	va_list args;

	if (t->n == TRACE_MAX)
		return;
	t->notes[t->n].stage = stage;
	va_start(args, fmt);
	vsnprintf(t->notes[t->n].text, sizeof(t->notes[t->n].text), fmt, args);
	va_end(args);
	t->n++;
}

void
trace_policy(struct trace *t, const struct trace_policy *judged)
{
	if (t->n_policies < TRACE_POLICIES)
		t->policies[t->n_policies++] = *judged;
}
