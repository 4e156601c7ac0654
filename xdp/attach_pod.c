#include <errno.h>

#include "xdp/error.h"
#include "xdp/link.h"
#include "xdp/loader.h"
#include "xdp/pinned.h"
#include "xdp/steer.h"
#include "pod.skel.h"

/* Queues of a pod's veth or of the host port: one. */
#define POD_QUEUES 1

int
xdp_attach_pod(struct xdp *x, unsigned ifindex, const char *name, enum xdp_choice choice, enum xdp_mode *mode,
	char error[static XDP_ERROR_SIZE])
{
	enum xdp_mode unused;
	struct pod_bpf *pod;
	int err;

	if (mode == NULL)
		mode = &unused;
	if (!pinned_is_name(name))
		return error_set(error, -EINVAL, "'%s' cannot be the name of an attachment", name);
	if (link_keep_or_remove(x, ifindex, name, mode))
		return 0;
	pod = pod_bpf__open();
	if (pod == NULL)
		return error_of_load(-errno, error);
	bpf_map__set_max_entries(pod->maps.sockets, POD_QUEUES);
	err = pod_bpf__load(pod);
	if (err < 0) {
		err = error_of_load(err, error);
	} else {
		const struct link_program p = { pod->progs.steer_pod,
			{ { STEER_SOCKETS, pod->maps.sockets } } };

		err = link_new(x, &p, ifindex, name, choice, mode, error);
	}
	pod_bpf__destroy(pod);
	return err;
}
