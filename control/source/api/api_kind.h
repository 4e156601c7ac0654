/* What is asked of the API server: the kinds of objects, how each is asked for, and what is written. conf/kubernetes/rbac.yaml
 * allows exactly this; a test compares them. */
#ifndef RINGWAY_SOURCE_API_KIND_H
#define RINGWAY_SOURCE_API_KIND_H

#include <stdbool.h>

#include "control/model/object.h"
#include "control/source/api/api_trim.h"

#define API_VERSIONS_MAX 2

struct api_kind {
	enum object_kind kind;
	bool has_namespace;
	bool is_metadata_only; /* asked for as PartialObjectMetadata */
	bool is_optional;      /* a server may lack it, and nothing that is done first needs it */
	bool is_of_node;       /* those of one node can be asked for, by spec.nodeName */
	unsigned n_versions;
	struct {
		const char *api_version; /* as the object has it */
		const char *path;
	} versions[API_VERSIONS_MAX];  /* the first that the server has */
	const struct api_path *unread; /* members that nobody here reads: they are not even parsed */
	unsigned n_unread;
	const char *volatile_status
		[4]; /* of status what is read, and changes all the time without a meaning for tables */
};

#define N_API_KINDS 7
extern const struct api_kind api_kinds[N_API_KINDS];

/* The header Accept for a list of it, or for a watch: servers refuse the one in place of the other (406). */
const char *api_kind_accept(const struct api_kind *kind, bool is_list);

/* What is written: nothing else is. */
enum api_write_kind {
	API_WRITE_CONDITION,
	API_WRITE_TAINT,
	API_WRITE_EVENT,
	N_API_WRITES,
};

struct api_write_right {
	const char *name;     /* "condition": of metrics and messages */
	const char *what;     /* "the node's condition RingwayReady" */
	const char *resource; /* "nodes/status", of the core API group */
	const char *verbs[2]; /* the second may be NULL */
};

extern const struct api_write_right api_write_rights[N_API_WRITES];

#endif
