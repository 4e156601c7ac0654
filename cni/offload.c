#include "cni/offload.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
ethtool(int fd, const char *ifname, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* The number of a feature, or -errno. *n receives how many there are. */
static int
feature_find(int fd, const char *ifname, const char *feature, unsigned *n)
{
	/* the header, and one number for the one set asked about */
	_Alignas(struct ethtool_sset_info)
		uint8_t bytes[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = { 0 };
	struct ethtool_sset_info *set = (struct ethtool_sset_info *)bytes;
	struct ethtool_gstrings *names;
	int rc;

	set->cmd = ETHTOOL_GSSET_INFO;
	set->sset_mask = 1ull << ETH_SS_FEATURES;
	rc = ethtool(fd, ifname, set);
	if (rc < 0)
		return rc;
	memcpy(n, set->data, sizeof(uint32_t));
	names = calloc(1, sizeof(*names) + (size_t)*n * ETH_GSTRING_LEN);
	if (names == NULL)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = *n;
	rc = ethtool(fd, ifname, names);
	if (rc == 0) {
		rc = -ENOENT;
		for (unsigned i = 0; i < *n && rc < 0; i++)
			if (strncmp((char *)names->data + i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN) == 0)
				rc = (int)i;
	}
	free(names);
	return rc;
}

int
offload_disable(const char *ifname, const char *feature)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_sfeatures *change = NULL;
	unsigned n = 0;
	int rc;

	if (fd < 0)
		return -errno;
	rc = feature_find(fd, ifname, feature, &n);
	if (rc >= 0) {
		unsigned bit = (unsigned)rc, blocks = (n + 31) / 32;

		change = calloc(1, sizeof(*change) + blocks * sizeof(change->features[0]));
		rc = -ENOMEM;
		if (change != NULL) {
			change->cmd = ETHTOOL_SFEATURES;
			change->size = blocks;
			change->features[bit / 32].valid = 1u << (bit % 32);
			rc = ethtool(fd, ifname, change);
		}
	}
	free(change);
	close(fd);
	return rc < 0 ? rc : 0;
}
