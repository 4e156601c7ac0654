#include "xdp/error.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_set(char error[static XDP_ERROR_SIZE], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, XDP_ERROR_SIZE, format, args);
	va_end(args);
	return err;
}

int
error_of_load(int err, char error[static XDP_ERROR_SIZE])
{
	if (err == -EPERM || err == -EACCES)
		return error_set(error, err,
			"not allowed to load an XDP program: it needs CAP_BPF and CAP_NET_ADMIN (in "
			"Kubernetes: "
			"privileged), and RLIMIT_MEMLOCK raised on kernels before 5.11");
	if (err == -ENOSYS)
		return error_set(error, err, "this kernel has no bpf(): it needs CONFIG_BPF_SYSCALL");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) == 0)
		return error_set(error, err,
			"this kernel lacks XDP programs: it needs CONFIG_BPF_SYSCALL and CONFIG_NET");
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_XSKMAP, NULL) == 0)
		return error_set(error, err,
			"this kernel lacks AF_XDP: it needs CONFIG_XDP_SOCKETS (Linux 5.10 or later)");
	return error_set(error, err, "cannot load an XDP program: %s", strerror(-err));
}

int
error_of_attach(int err, unsigned ifindex, char error[static XDP_ERROR_SIZE])
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return error_set(error, err,
			"interface %u has another XDP program: see 'ip link show' and 'bpftool net', and "
			"detach it",
			ifindex);
	case -ENODEV:
		return error_set(error, err, "interface %u is gone", ifindex);
	case -EPERM:
		return error_set(error, err, "not allowed to attach an XDP program: it needs CAP_NET_ADMIN");
	case -EOPNOTSUPP:
		return error_set(error, err,
			"the driver of interface %u has no XDP in this mode: choose the mode auto, or skb",
			ifindex);
	case -ERANGE:
		return error_set(error, err,
			"the MTU at the other end of interface %u is too large for native XDP: choose the "
			"mode "
			"auto or skb, or a smaller MTU",
			ifindex);
	case -EINVAL:
		return error_set(error, err,
			"interface %u refuses an XDP program; before Linux 5.9 they cannot be attached by "
			"links",
			ifindex);
	default:
		return error_set(error, err, "cannot attach an XDP program to interface %u: %s", ifindex,
			strerror(-err));
	}
}
