/* A network namespace of the test's own, for tests that need nothing of it but the loopback interface. */
#ifndef RINGWAY_SUPPORT_OWN_NETNS_H
#define RINGWAY_SUPPORT_OWN_NETNS_H

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Enters a new one, its loopback interface up; as cmocka's group setup. 0 or -1: it needs root. */
static inline int
own_netns_setup(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, result;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	result = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return result;
}

#endif
