/* An answer of the API server, cut into objects as it arrives: a watch is one JSON value after the other, a list has its
 * objects in "items". Each is parsed alone and given away, so that what is held is one object's text and, of a list, what
 * stands around the items. Pure; any thread. */
#ifndef RINGWAY_SOURCE_API_STREAM_H
#define RINGWAY_SOURCE_API_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/source/api/api_trim.h"

#define API_OBJECT_MAX (16u << 20)  /* bytes of one object's text; etcd takes 1.5 MB of a more compact form */
#define API_ENVELOPE_MAX (1u << 20) /* and of what is around a list's items */

enum api_stream_kind {
	API_STREAM_WATCH,
	API_STREAM_LIST,
};

struct api_text {
	char *bytes;
	size_t n, size;
};

struct api_stream {
	enum api_stream_kind kind;
	int (*fn)(json_t *object, void *arg);
	void *arg;
	unsigned depth;              /* of open brackets */
	bool in_string, is_escaped;  /* within a string, behind its backslash */
	bool in_object, in_items;    /* within an object that is to be given away, within "items" */
	bool has_ended;              /* a list's closing bracket has been seen */
	bool has_comma, needs_comma; /* between items: one was seen, or is due */
	bool is_key,
		is_items; /* of the list's own members: collecting a text, what follows is the items' value */
	char key[8];      /* such a text, as far as it matters */
	size_t key_len;
	const struct api_path *unread; /* what is left out of objects */
	size_t n_unread;
	struct api_text object, envelope; /* during fn, the first is the text of what it is given */
};

/* fn has the object for the call alone; what it returns below 0 ends the stream. */
void api_stream_init(
	struct api_stream *s, enum api_stream_kind kind, int (*fn)(json_t *object, void *arg), void *arg);
void api_stream_fini(struct api_stream *s);

/* Before the first bytes: these members of each object (of a watch's event, of its "object") are left out, as api_trim() does it.
 * The list stays the caller's. */
void api_stream_leave_out(struct api_stream *s, const struct api_path *unread, size_t n);

/* The next bytes, cut anywhere. 0, -EINVAL when they are not what a server sends, -EFBIG, -ENOMEM, or what fn returned; after
 * an error the stream is of no more use. */
int api_stream_feed(struct api_stream *s, const char *bytes, size_t size);

/* The answer has ended. 0, or -EINVAL when that is in the middle of something. Of a list *envelope is what stands around the
 * items, which are an empty list there, for the caller to free; of a watch NULL. */
int api_stream_end(struct api_stream *s, json_t **envelope);

#endif
