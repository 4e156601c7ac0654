/* Offloads of an interface, by ethtool's ioctl, in the namespace we are in. */
#ifndef RINGWAY_CNI_OFFLOAD_H
#define RINGWAY_CNI_OFFLOAD_H

/* Switches a feature off by its name ("tx-udp-segmentation"). 0 or -errno; -ENOENT when the kernel does not
 * have it. */
int offload_disable(const char *ifname, const char *feature);

#endif
