/* What a container runtime tells us: environment variables and the network configuration on stdin, checked
 * against the CNI specification (1.1.0, sections 1 and 2). */
#ifndef RINGWAY_CNI_NETCONF_H
#define RINGWAY_CNI_NETCONF_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define DEFAULT_SOCKET "/run/ringway/ringway.sock"
#define DEFAULT_STATE_DIR "/var/lib/ringway"

/* Codes of the specification's error table, and below ours. */
enum cni_code {
	CNI_OK = 0,
	CNI_VERSION_UNSUPPORTED = 1,
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_DECODE_FAILURE = 6,
	CNI_BAD_CONFIG = 7,
	CNI_TRY_AGAIN = 11,
	CNI_UNAVAILABLE = 50,     /* STATUS: an ADD would fail */
	CNI_IMPAIRED = 51,        /* STATUS: and so may be the traffic of pods that are attached */
	CNI_FAILED = 100,         /* the pod could not be wired */
	CNI_NO_ADDRESS = 101,     /* IPAM is full */
	CNI_CHECK_MISMATCH = 102, /* what is there differs from what was attached */
	CNI_PORT_TAKEN = 103,     /* another pod has the host port */
};

struct cni_error {
	enum cni_code code;
	char msg[256];     /* what is wrong */
	char details[512]; /* what to do; may be "" */
};

enum cni_command {
	CNI_ADD,
	CNI_DEL,
	CNI_CHECK,
	CNI_STATUS,
	CNI_GC,
	CNI_VERSION,
};

struct netconf {
	enum cni_command command;
	char version[16]; /* cniVersion: also in error replies, so set as early as it is known */
	char container_id[129], ifname[IF_NAMESIZE], netns[256];
	char pod_ns[64], pod[254], pod_uid[64]; /* of CNI_ARGS; "" when not said */
	char socket[108];
	char state_dir[200];       /* ringwayd's: cni/spool.h */
	json_t *config;            /* all of stdin; NULL when it was empty */
	const json_t *prev_result; /* inside config, or NULL */
};

/* The versions we speak, oldest first, ended by NULL. */
extern const char *const cni_versions[];

/* Fills *n from a lookup of variables (getenv) and the text of stdin. Returns the code in e, CNI_OK for
 * success; either way netconf_fini() cleans up. */
enum cni_code netconf_parse(struct netconf *n, const char *(*lookup)(const char *name), const char *text,
	size_t size, struct cni_error *e);
void netconf_fini(struct netconf *n);

/* Is this version at least that one ("0.4.0")? Both are of cni_versions. */
bool cni_version_is_at_least(const char *version, const char *that);

/* Sets *e and returns the code. details may be NULL. */
enum cni_code cni_fail(struct cni_error *e, enum cni_code code, const char *details, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
