/* /v1/cni/{add,commit,check,del,gc,status}: what ringway-cni asks (node/attach.h). The bodies name the attachment by
 * "containerId" and "ifname"; add also takes "netns", "podNamespace", "podName" and "podUid". The answer to add and check is what the
 * links have to be, that to commit how many ns its "steps" took; errors carry "cniCode" for the shim's own error. add answers an
 * "attempt", which commit, and the del of a shim that gives up, repeat (a runtime's DEL does not): theirs is void once there is a
 * later one. gc takes the runtime's list as "valid", status nothing. Control thread only. */
#ifndef RINGWAY_ADMIN_CNI_H
#define RINGWAY_ADMIN_CNI_H

#include "control/admin/admin.h"

admin_handler cni_add;
admin_handler cni_commit;
admin_handler cni_check;
admin_handler cni_del;
admin_handler cni_gc;
admin_handler cni_status;

#endif
