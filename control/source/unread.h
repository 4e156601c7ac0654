/* What can be known of the policies in what cannot be read: a document with errors, a text that is no YAML. Where the daemon
 * starts with such a file, it does not know what was in force, and a pod that a policy may select is closed rather than
 * open (DESIGN section 6). Pure; any thread. */
#ifndef RINGWAY_SOURCE_UNREAD_H
#define RINGWAY_SOURCE_UNREAD_H

#include <stdbool.h>

#include "control/model/network_policy.h"
#include "control/source/yaml.h"

/* Each: 0 with *out, which is NULL when it is no policy and holds none; or -ENOMEM. place ("web.yaml:12") becomes part of the
 * object's origin; it has no name yet. */

/* A document, or an element of a list, that object_decode() does not take. Namespace and selector are those that are written
 * there; if the namespace cannot be told, it may be any. */
int unread_of_value(
	const struct yaml_file *file, json_t *value, const char *place, struct unread_policy_object **out);

/* A text (one document) that is no YAML; the error is in this line of it, from 1. What stands before the member of the
 * document in which the error is, can be read: if that says another kind, the text is no policy; if it says
 * namespace, it is one of that. Otherwise it may hold any, unless the word is not in it. */
int unread_of_text(const char *text, size_t size, unsigned error_line, const char *place,
	struct unread_policy_object **out);

/* What cannot be read at all: it may hold any policy. */
int unread_of_nothing(const char *place, struct unread_policy_object **out);

#endif
