/* A whole file in memory. Any thread. */
#ifndef RINGWAY_SOURCE_TEXT_FILE_H
#define RINGWAY_SOURCE_TEXT_FILE_H

#include <stddef.h>

/* Reads a regular file of at most size_max bytes into *text, which the caller frees; a NUL follows the size bytes. 0,
 * -EFBIG when it is larger, -EINVAL when it is no regular file, or -errno. */
int text_file_read(const char *path, size_t size_max, char **text, size_t *size);

#endif
