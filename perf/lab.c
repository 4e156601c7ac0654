#include "perf/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

int
lab_isolate(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("ringway-perf", "/run", "tmpfs", 0, "mode=0755") < 0)
		return -errno;
	return 0;
}

int
lab_enter(int ns)
{
	return setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int
open_current(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Without IPv6 addresses no stack sends a packet of its own into the measurement. A kernel without IPv6
 * has no such file. */
static void
silence_stack(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		fprintf(stderr, "cannot turn off IPv6 addresses; neighbour discovery may add packets\n");
	close(fd);
}

/* A new namespace; the thread is in it afterwards. Returns its descriptor, or -errno. */
static int
make_namespace(void)
{
	int ns;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	silence_stack();
	ns = open_current();
	return ns < 0 ? -errno : ns;
}

/* Runs a command in the thread's namespace. */
static int __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = system(command);
	if (status == 0)
		return 0;
	fprintf(stderr, "failed: %s\n", command);
	return -EIO;
}

/* The pair of pod n, from the node's namespace. */
static int
make_pair(const struct lab *lab, unsigned n, unsigned mtu, const struct mac_addr *m)
{
	return run("ip link add pod%u mtu %u type veth peer name eth0 mtu %u "
		   "address %02x:%02x:%02x:%02x:%02x:%02x netns /proc/%d/fd/%d && ip link set pod%u up",
		n, mtu, mtu, m->b[0], m->b[1], m->b[2], m->b[3], m->b[4], m->b[5], getpid(), lab->pods[n], n);
}

static int
make_all(struct lab *lab, unsigned mtu, const struct mac_addr macs[LAB_PODS])
{
	int err;

	for (unsigned i = 0; i < LAB_PODS; i++) {
		lab->pods[i] = make_namespace();
		if (lab->pods[i] < 0)
			return lab->pods[i];
	}
	lab->node = make_namespace();
	if (lab->node < 0)
		return lab->node;
	for (unsigned i = 0; i < LAB_PODS; i++) {
		char name[IF_NAMESIZE];

		err = make_pair(lab, i, mtu, &macs[i]);
		if (err < 0)
			return err;
		snprintf(name, sizeof(name), "pod%u", i);
		lab->node_ifindex[i] = if_nametoindex(name);
	}
	for (unsigned i = 0; i < LAB_PODS; i++) {
		err = lab_enter(lab->pods[i]);
		if (err == 0)
			err = run("ip link set eth0 up && ip link set lo up");
		if (err < 0)
			return err;
		lab->pod_ifindex[i] = if_nametoindex("eth0");
	}
	return 0;
}

int
lab_new(struct lab *lab, unsigned mtu, const struct mac_addr macs[LAB_PODS])
{
	int err;

	*lab = (struct lab){ .node = -1, .pods = { -1, -1 }, .home = open_current() };
	if (lab->home < 0)
		return -errno;
	err = make_all(lab, mtu, macs);
	if (lab_enter(lab->home) < 0 && err == 0)
		err = -errno;
	if (err < 0)
		lab_free(lab);
	return err;
}

static void
close_namespace(int *ns)
{
	if (*ns >= 0)
		close(*ns);
	*ns = -1;
}

void
lab_free(struct lab *lab)
{
	close_namespace(&lab->node);
	for (unsigned i = 0; i < LAB_PODS; i++)
		close_namespace(&lab->pods[i]);
	close_namespace(&lab->home);
}
