/* What the kernel and this process's rights allow. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/preflight.h"

/* Debian 12's headers are of 6.1; these are stable numbers of the kernel's interface. */
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

#define POD_BUDGET_BYTES (2ul << 20) /* DESIGN section 4: at most so much for each idle pod */
#define BASE_BYTES (256ul << 20)     /* tables of a large cluster, crossings, the process itself */

static void
check_kernel(const struct preflight *p, struct check_result *r)
{
	static const struct {
		unsigned since;
		const char *what;
	} features[] = {
		{ KERNEL(6, 6),
			"frames of several buffers (6.6): pods' large sends are cut before they reach us" },
		{ KERNEL(6, 8), "transmit metadata (6.8): checksums are completed in software" },
		{ KERNEL(6, 9), "XDP fragments in SKB mode (6.9): the TSO profile is not available" },
	};
	struct utsname name;
	char missing[256] = "";
	size_t len = 0;

	uname(&name);
	if (p->kernel < KERNEL(5, 10)) {
		check_say(r, CHECK_FAIL,
			"upgrade the kernel: 5.10 is the oldest that has all of AF_XDP that is needed",
			"kernel %s", name.release);
		return;
	}
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (p->kernel < features[i].since)
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
				len == 0 ? "" : "; ", features[i].what);
	if (len == 0)
		check_say(r, CHECK_OK, NULL, "kernel %s has everything", name.release);
	else
		check_say(r, CHECK_WARN, "it runs as it is; a newer kernel makes TCP streams faster",
			"kernel %s lacks %s", name.release, missing);
}

static bool
has_capability(unsigned long long effective, unsigned capability)
{
	return (effective >> capability & 1) != 0;
}

static unsigned long long
effective_capabilities(void)
{
	unsigned long long effective = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	fclose(f);
	return effective;
}

static void
check_capabilities(const struct preflight *p, struct check_result *r)
{
	static const struct {
		unsigned number;
		const char *name;
	} needed[] = {
		{ CAP_NET_ADMIN, "NET_ADMIN" },
		{ CAP_NET_RAW, "NET_RAW" },
		{ CAP_SYS_ADMIN, "SYS_ADMIN" },
		{ CAP_SYS_PTRACE, "SYS_PTRACE" },
		{ 39, "BPF" },
		{ CAP_IPC_LOCK, "IPC_LOCK" },
	};
	unsigned long long effective = effective_capabilities();
	char missing[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!has_capability(effective, needed[i].number))
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, " %s", needed[i].name);
	if (len == 0)
		check_say(r, CHECK_OK, NULL, "all that is needed");
	else
		check_say(r, CHECK_FAIL, "run this, and ringwayd, as root in a privileged container",
			"missing:%s", missing);
}

/* A program that passes everything. 0 or -errno. */
static int
load_xdp(unsigned flags, int *fd)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);
	int rc = bpf_prog_load(BPF_PROG_TYPE_XDP, "ringway_probe", "GPL", insns, 2, &opts);

	if (rc < 0)
		return rc;
	*fd = rc;
	return 0;
}

static void
check_programs(const struct preflight *p, struct check_result *r)
{
	int fd = -1, rc = load_xdp(0, &fd);

	if (rc < 0) {
		check_say(r, CHECK_FAIL,
			rc == -EPERM ? "run as root, with CAP_BPF and without a lockdown of BPF"
				     : "use a kernel with CONFIG_BPF_SYSCALL and XDP",
			"XDP programs do not load: %s", strerror(-rc));
		return;
	}
	close(fd);
	rc = load_xdp(BPF_F_XDP_HAS_FRAGS, &fd);
	if (rc == 0)
		close(fd);
	if (rc != 0)
		check_say(r, CHECK_WARN,
			"it runs as it is; XDP programs that take fragments need kernel 5.18",
			"XDP programs load, but not with fragments: %s", strerror(-rc));
	else if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) != 1)
		check_say(r, CHECK_OK, NULL,
			"XDP programs load; the EXT type does not, so no other XDP program can share the "
			"uplink with ours");
	else
		check_say(r, CHECK_OK, NULL, "XDP programs load, with fragments, and can be chained");
}

static void
check_sockets(const struct preflight *p, struct check_result *r)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int map;

	if (fd < 0) {
		check_say(r, CHECK_FAIL,
			errno == EPERM ? "run as root (CAP_NET_RAW)" : "use a kernel with CONFIG_XDP_SOCKETS",
			"AF_XDP sockets cannot be made: %s", strerror(errno));
		return;
	}
	close(fd);
	map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "ringway_probe", sizeof(int), sizeof(int), 1, NULL);
	if (map < 0) {
		check_say(r, CHECK_FAIL, "use a kernel with CONFIG_XDP_SOCKETS, and run as root",
			"no map of AF_XDP sockets: %s", strerror(-map));
		return;
	}
	close(map);
	check_say(r, CHECK_OK, NULL, "AF_XDP sockets and their maps can be made");
}

/* Runs fn in a child with mount and network namespaces of its own. Its result is 0 or an
 * errno; -1: no child. */
static int
in_own_namespaces(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
			_exit(errno);
		if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
			_exit(errno);
		_exit(fn());
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int
try_bpffs(void)
{
	return mount("ringway", "/tmp", "bpf", 0, NULL) == 0 ? 0 : errno;
}

static void
check_bpffs(const struct preflight *p, struct check_result *r)
{
	int rc = in_own_namespaces(try_bpffs);

	if (rc == 0)
		check_say(r, CHECK_OK, NULL, "a BPF file system can be mounted");
	else if (rc == ENODEV)
		check_say(r, CHECK_FAIL, "use a kernel with CONFIG_BPF_SYSCALL",
			"the kernel has no BPF file system");
	else
		check_say(r, CHECK_FAIL, "run as root, in a privileged container",
			"a BPF file system cannot be mounted: %s",
			rc < 0 ? "no child process" : strerror(rc));
}

enum {
	VETH_NONE = 200,
	VETH_SKB_ONLY,
};

/* A pair of veths as pods get them, and a program on one end. */
static int
try_veth(void)
{
	struct nl_sock *socket = nl_socket_alloc();
	int fd;
	unsigned index;

	if (socket == NULL || nl_connect(socket, NETLINK_ROUTE) != 0)
		return VETH_NONE;
	if (rtnl_link_veth_add(socket, "rwprobe0", "rwprobe1", getpid()) != 0)
		return VETH_NONE;
	index = if_nametoindex("rwprobe0");
	if (load_xdp(0, &fd) != 0)
		return EINVAL;
	if (bpf_xdp_attach((int)index, fd, 1u << 2 /* XDP_FLAGS_DRV_MODE */, NULL) == 0)
		return 0;
	return bpf_xdp_attach((int)index, fd, 1u << 1 /* XDP_FLAGS_SKB_MODE */, NULL) == 0 ? VETH_SKB_ONLY
											   : EINVAL;
}

static void
check_veth(const struct preflight *p, struct check_result *r)
{
	int rc = in_own_namespaces(try_veth);

	if (rc == 0)
		check_say(r, CHECK_OK, NULL, "veth pairs can be made and take XDP programs, native ones too");
	else if (rc == VETH_SKB_ONLY)
		check_say(r, CHECK_WARN, "it runs as it is, with fewer packets per second",
			"veth takes XDP programs in SKB mode only");
	else if (rc == VETH_NONE)
		check_say(r, CHECK_FAIL, "load the veth module (modprobe veth)", "veth pairs cannot be made");
	else
		check_say(r, CHECK_FAIL, "run as root, on a kernel with CONFIG_BPF_SYSCALL and CONFIG_NET_NS",
			"XDP programs cannot be attached to a veth pair: %s",
			rc < 0 ? "no child process" : strerror(rc));
}

static void
check_locked_memory(const struct preflight *p, struct check_result *r)
{
	unsigned long need = p->pods_max * POD_BUDGET_BYTES;
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (has_capability(effective_capabilities(), CAP_IPC_LOCK))
		check_say(r, CHECK_OK, NULL, "CAP_IPC_LOCK: locked memory is not limited");
	else if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need)
		check_say(r, CHECK_OK, NULL, "the limit of locked memory suffices");
	else
		check_say(r, CHECK_FAIL,
			"give ringwayd CAP_IPC_LOCK, or raise the limit (ulimit -l unlimited, LimitMEMLOCK=)",
			"%lu MiB of memory may be locked, but %u pods need %lu MiB",
			(unsigned long)limit.rlim_cur >> 20, p->pods_max, need >> 20);
}

static void
check_memory(const struct preflight *p, struct check_result *r)
{
	unsigned long need = p->pods_max * POD_BUDGET_BYTES + BASE_BYTES;
	unsigned long available_kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %lu kB", &available_kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	if (available_kib >> 10 >= need >> 20)
		check_say(r, CHECK_OK, NULL, "%lu MiB are available, %u pods need at most %lu MiB",
			available_kib >> 10, p->pods_max, need >> 20);
	else
		check_say(r, CHECK_WARN, "lower pods.max or pods.framesPerShard, or add memory",
			"%lu MiB are available, but %u pods can need %lu MiB", available_kib >> 10,
			p->pods_max, need >> 20);
}

const struct check kernel_checks[] = {
	{ "kernel", check_kernel },
	{ "capabilities", check_capabilities },
	{ "bpf programs", check_programs },
	{ "af_xdp", check_sockets },
	{ "bpffs", check_bpffs },
	{ "veth", check_veth },
	{ "locked memory", check_locked_memory },
	{ "memory", check_memory },
	{ NULL, NULL },
};
