/* Directories. Any thread. */
#ifndef RINGWAY_DIR_H
#define RINGWAY_DIR_H

/* mkdir -p, mode 0755. 0 or -errno. */
int dir_make(const char *path);

#endif
