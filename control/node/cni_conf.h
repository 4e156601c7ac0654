/* Keeps this node's container runtime on our network: 00-ringway.conflist in cni.confDir and ringway-cni in cni.binDir, put
 * there once the node can attach pods, and put back when others remove or change them (inotify), ever more seldom while that
 * goes on. Other configurations are never touched: those behind ours wait there for the day on which ours goes; one before ours
 * is what the runtime takes, and the alarm says so. The files stay when the daemon ends: pods that are made meanwhile wait for
 * it. With cni.confDir empty nothing is done. Control thread only. */
#ifndef RINGWAY_NODE_CNI_CONF_H
#define RINGWAY_NODE_CNI_CONF_H

#include <stdbool.h>

struct cni_conf;
struct loop;

struct cni_conf_config {
	struct loop *loop;
	const char *conf_dir;  /* "": not managed */
	const char *bin_dir;   /* "": the shim is not our business */
	const char *run_dir;   /* of the admin socket */
	const char *state_dir; /* of the DEL spool */
	const char *shim;      /* what goes into bin_dir; NULL: that beside the running program */
};

/* The texts are copied. 0 or -errno. */
int cni_conf_new(struct cni_conf **out, const struct cni_conf_config *config);

/* The files stay. NULL is fine. */
void cni_conf_free(struct cni_conf *c);

/* The node can attach pods, or cannot. The first time that it can, the files are written; from then on they are kept as
 * they are, whatever this says. Cheap when nothing changed. */
void cni_conf_follow(struct cni_conf *c, bool is_ready);

/* Whether cni_conf_follow() has written them or found them right, or has nothing to do, so that it need not be called again. */
bool cni_conf_has_settled(const struct cni_conf *c);

/* From now on nothing is written or put back, which is its trouble then: somebody takes our files away. */
void cni_conf_leave(struct cni_conf *c);

/* Why the runtime does not take our configuration, or takes it in vain; NULL when all is well, or not managed. Valid until the
 * control thread does something else. */
const char *cni_conf_trouble(const struct cni_conf *c);

/* What others did to our files in the last ten minutes, as far as that can be known, and that it was put right; NULL: nothing.
 * Likewise. */
const char *cni_conf_interference(const struct cni_conf *c);

bool cni_conf_is_managed(const struct cni_conf *c);

/* How often a file was put back since the daemon started. */
unsigned cni_conf_restored(const struct cni_conf *c);

#endif
