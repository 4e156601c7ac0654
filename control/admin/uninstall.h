/* POST /v1/uninstall, and what `ringway uninstall` and the daemon have in common there. The body is {"force", "dry_run"}. The
 * network configuration goes at once, if another is there, and does not come back before another start. While pods are attached
 * that is all, unless by force; without them the daemon attaches no more pods, ends, and before its process is gone takes away
 * what else is ours (node/owned.h): it has the mounts and directories, also in a container that ends with it. Control thread
 * only. */
#ifndef RINGWAY_ADMIN_UNINSTALL_H
#define RINGWAY_ADMIN_UNINSTALL_H

#include "control/admin/admin.h"

struct config;
struct owned;

/* {"attached": ["shop/web-1"], "found": [{"what", "text"}], "conf_goes": whether our network configuration does at once,
 * "conf": a word about that, "ends": whether the daemon does, and takes all of it away, "config": {"run_dir", "state_dir", "conf_dir", "bin_dir",
 * "host_interface"}} */
admin_handler uninstall_handle;

/* Said when it does not. */
#define UNINSTALL_NO_SUCCESSOR                                                                            \
	"no other is there, and without any, runtimes cannot delete the pods that are attached: install " \
	"another network, or drain the node"

/* Whether it does: pods may be attached, which need one for their DEL. */
bool uninstall_conf_goes(const struct owned *o, const json_t *attached, bool is_forced);

/* "attached" and "found" of the above. */
json_t *uninstall_attached(struct owned *o);
json_t *uninstall_found(struct owned *o);

/* Takes away all there is, once no daemon runs; keeps_shim: but the plugin, which pods that were attached until now need for
 * their DEL. For each thing there was: {"what", "text", "result": "removed", "kept" or "failed", "note"}. */
json_t *uninstall_run(struct owned *o, bool keeps_shim);

/* That of the daemon, when it has ended for this: the same, told in the log. */
void uninstall_at_end(const struct config *config, bool keeps_shim);

#endif
