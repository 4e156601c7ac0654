/* Memory for control's objects, which has no use for a benchmark that goes on without: without it, the program ends. Any thread. */
#ifndef RINGWAY_PERF_MUST_H
#define RINGWAY_PERF_MUST_H

#include <stddef.h>

/* All zero; of n 0, some byte. The caller frees it. */
void *must_alloc(size_t n, size_t size);

/* A text, made as printf() does. The caller frees it. */
char *must_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
