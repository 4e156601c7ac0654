/* What went wrong with the kernel's part, and what to do about it, in words. For the loader's files; control thread only. */
#ifndef RINGWAY_XDP_ERROR_H
#define RINGWAY_XDP_ERROR_H

/* Room for an error's text: what is wrong, and what to do. */
#define XDP_ERROR_SIZE 512

/* Each fills in the error and returns err, which is -errno. */
int error_set(char error[static XDP_ERROR_SIZE], int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Why the kernel did not take a program, or its map. */
int error_of_load(int err, char error[static XDP_ERROR_SIZE]);

/* Why it did not put a program on this interface. */
int error_of_attach(int err, unsigned ifindex, char error[static XDP_ERROR_SIZE]);

#endif
