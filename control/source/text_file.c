#include "control/source/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until the end into text, which has room for one byte more than size_max, so that growth shows. */
static int
read_to_end(int fd, char *text, size_t size_max, size_t *size)
{
	ssize_t n = 1;

	*size = 0;
	while (n != 0 && *size <= size_max) {
		n = read(fd, text + *size, size_max + 1 - *size);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*size += (size_t)n;
	}
	/* it has grown since its size was asked for, and is being written: the writer's close tells when to read */
	return *size > size_max ? -EAGAIN : 0;
}

static int
read_descriptor(int fd, size_t size_max, char **text, size_t *size)
{
	struct stat st;
	char *bytes;
	int result;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)st.st_size > size_max)
		return -EFBIG;
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL)
		return -ENOMEM;
	result = read_to_end(fd, bytes, (size_t)st.st_size, size);
	if (result < 0) {
		free(bytes);
		return result;
	}
	bytes[*size] = '\0';
	*text = bytes;
	return 0;
}

int
text_file_read(const char *path, size_t size_max, char **text, size_t *size)
{
	/* O_NONBLOCK: a FIFO in the directory must not hang us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	*text = NULL;
	if (fd < 0)
		return -errno;
	result = read_descriptor(fd, size_max, text, size);
	close(fd);
	return result;
}
