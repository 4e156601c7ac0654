/* DELs that the shim wrote down while there was no daemon to ask (cni/spool.h has the format): one file per (container id,
 * interface) in <state.dir>/spool, "ID@INTERFACE.del". They are done at the start, before any request is served, whenever one
 * appears, and every few seconds until they succeed; each file goes when its attachment is gone. A file that does not say what its
 * name says is kept as "NAME.corrupt", and told. Control thread only. */
#ifndef RINGWAY_NODE_SPOOL_H
#define RINGWAY_NODE_SPOOL_H

#include <stddef.h>

#define SPOOL_TEXT_SIZE 768

struct attach;
struct loop;
struct spool;

struct spool_config {
	const char *state_dir;
	struct loop *loop; /* NULL: nothing is done but by calls */
	struct attach *attach;
};

/* Makes the directory and does what is in it. A spool that cannot be read is told and no error: the shim's DELs then fail with
 * "try again" or come late, and pods that are gone are found without them, too. 0, or -ENOMEM. */
int spool_new(struct spool **out, const struct spool_config *config);
void spool_free(struct spool *s);

/* Does all DELs there are. */
void spool_work(struct spool *s);

/* Before an ADD: does the DEL of that key, if there is one, since it is older. 0, or -EIO when it fails, as
 * spool_warning() tells; then the ADD must not go on. */
int spool_settle(struct spool *s, const char *container_id, const char *ifname);

/* What there is to complain about, or "". Counts are those of the last look. */
const char *spool_warning(const struct spool *s);

#endif
