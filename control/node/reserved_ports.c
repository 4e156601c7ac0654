#include "control/node/reserved_ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/node/exposed.h"
#include "control/node/port_list.h"
#include "control/node/state.h"

#define LIST "/proc/sys/net/ipv4/ip_local_reserved_ports"

/* The kernel gives the list in one read, or as much of it as there is room for, and takes no more than a page at a time. */
#define READ_MIN 4096u
#define READ_MAX (256u * 1024)
#define WRITE_MAX 4000u

struct reserved_ports {
	struct state *state;
	struct port_set ours;  /* in the kernel's list */
	struct port_set noted; /* in the state file: these at least */
	uint64_t in_line_with; /* a version of what is exposed; 0: none */
	bool has_written;      /* what is ours was all there once */
};

int
reserved_ports_read(struct state *state, struct port_set *ours)
{
	char *list;
	int rc = state_get_reserved_ports(state, &list);

	if (rc < 0)
		return rc;
	port_list_parse(list, ours);
	free(list);
	return 0;
}

struct reserved_ports *
reserved_ports_new(struct state *state)
{
	struct reserved_ports *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->state = state;
	if (reserved_ports_read(state, &r->noted) < 0) {
		free(r);
		return NULL;
	}
	r->ours = r->noted;
	return r;
}

void
reserved_ports_free(struct reserved_ports *r)
{
	free(r);
}

/* --- sets */

static bool
is_same(const struct port_set *a, const struct port_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct port_set
both(const struct port_set *a, const struct port_set *b)
{
	struct port_set s;

	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		s.bits[i] = a->bits[i] | b->bits[i];
	return s;
}

static struct port_set
without(const struct port_set *a, const struct port_set *b)
{
	struct port_set s;

	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		s.bits[i] = a->bits[i] & ~b->bits[i];
	return s;
}

static bool
is_empty(const struct port_set *s)
{
	static const struct port_set none;

	return is_same(s, &none);
}

/* --- the kernel's list, and the state's */

/* The list as far as it fits so many bytes. How many it has; less than 'size' if that is all. -errno. */
static ssize_t
read_list(int fd, struct port_set *listed, size_t size)
{
	char *text = malloc(size + 1);
	ssize_t len = text == NULL ? -ENOMEM : pread(fd, text, size, 0);

	if (text != NULL && len < 0)
		len = -errno;
	if (len >= 0) {
		text[len] = '\0';
		port_list_parse(text, listed);
	}
	free(text);
	return len;
}

int
reserved_ports_listed(struct port_set *listed)
{
	int fd = open(LIST, O_RDONLY | O_CLOEXEC);
	size_t size = READ_MIN;
	ssize_t len;

	if (fd < 0)
		return -errno;
	while ((len = read_list(fd, listed, size)) == (ssize_t)size && size < READ_MAX)
		size *= 2;
	close(fd);
	return len < 0 ? (int)len : 0;
}

/* As much of a list as the kernel takes at a time: whole ports, and the comma behind them. */
static size_t
part_of(const char *list, size_t len)
{
	if (len <= WRITE_MAX)
		return len;
	len = WRITE_MAX;
	while (list[len - 1] != ',')
		len--;
	return len;
}

/* What is written at the file's beginning replaces the list, and what is written further on is added to it: where nothing is
 * to go, no port is missing for a moment. */
static int
write_list(const char *list, bool is_addition)
{
	size_t len = strlen(list), done = 0;
	int fd = open(LIST, O_WRONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;

	if (rc == 0 && len == 0 && pwrite(fd, "\n", 1, 0) < 0)
		rc = -errno;
	while (rc == 0 && done < len) {
		size_t part = part_of(list + done, len - done);

		if (pwrite(fd, list + done, part, (off_t)(done + is_addition)) < 0)
			rc = -errno;
		done += part;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
set_list(const struct port_set *now, const struct port_set *wanted)
{
	const struct port_set gone = without(now, wanted);
	char *list;
	int rc;

	if (is_same(now, wanted))
		return 0;
	list = port_list_format(wanted);
	rc = list == NULL ? -ENOMEM : write_list(list, is_empty(&gone));
	free(list);
	return rc;
}

static int
note(struct reserved_ports *r, const struct port_set *ours)
{
	char *list;
	int rc;

	if (is_same(ours, &r->noted))
		return 0;
	list = port_list_format(ours);
	rc = list == NULL ? -ENOMEM : state_put_reserved_ports(r->state, list);
	free(list);
	if (rc == 0)
		r->noted = *ours;
	return rc;
}

/* Which of the listed ones are ours. */
static void
look(struct reserved_ports *r, const struct port_set *listed)
{
	const struct port_set missing = without(&r->ours, listed);

	if (is_empty(&missing))
		return;
	/* Somebody wrote the list without them, and what of them is there nevertheless is his. Not so where a former process
	 * noted more than it came to write. */
	r->ours = r->has_written ? (struct port_set){ 0 } : without(&r->ours, &missing);
}

static int
bring_in_line(struct reserved_ports *r, const struct port_set *wanted)
{
	struct port_set listed = { 0 }, others, ours, noted, list;
	int rc = reserved_ports_listed(&listed);

	if (rc < 0)
		return rc;
	look(r, &listed);
	others = without(&listed, &r->ours);
	ours = without(wanted, &others);
	noted = both(&r->ours, &ours);
	list = both(&others, wanted);
	rc = note(r, &noted);
	if (rc == 0)
		rc = set_list(&listed, &list);
	if (rc < 0)
		return rc;
	r->ours = ours;
	r->has_written = true;
	return note(r, &ours);
}

int
reserved_ports_follow(struct reserved_ports *r, const struct exposed *e, bool is_due,
	char error[static RESERVED_PORTS_ERROR_SIZE])
{
	int rc;

	if (e->version == 0 || (!is_due && e->version == r->in_line_with))
		return 0;
	rc = bring_in_line(r, &e->own_ports);
	r->in_line_with = rc == 0 ? e->version : 0;
	if (rc < 0)
		snprintf(error, RESERVED_PORTS_ERROR_SIZE,
			"this node's own processes may be given exposed ports for their connections, which "
			"then hear no answer: net.ipv4.ip_local_reserved_ports cannot be kept: %s",
			strerror(-rc));
	return rc;
}
