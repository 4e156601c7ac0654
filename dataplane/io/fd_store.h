/* Descriptors that outlive this process: sockets and packet memory, kept under a name by the holder
 * (control/holder.h). What a former process put and nobody has taken is inherited; a process without a holder
 * keeps nothing, and each call below is then harmless. The protocol is one SOCK_SEQPACKET message per call,
 * "put NAME" with the descriptor (SCM_RIGHTS), "drop NAME", "ready". Control thread. */
#ifndef RINGWAY_IO_FD_STORE_H
#define RINGWAY_IO_FD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define FD_STORE_NAME_MAX 96 /* bytes of a name, terminator included */

struct fd_store;

/* Reads what the holder has for us from its socket, which the store then owns; -1: there is no holder. NULL
 * if out of memory or when the holder is gone. */
struct fd_store *fd_store_open(int socket);

/* Closes what was inherited and not taken, and makes the holder forget it. */
void fd_store_close_rest(struct fd_store *s);

void fd_store_free(struct fd_store *s);

/* Has a copy of the descriptor kept until it is dropped. 0 or -errno. */
int fd_store_put(struct fd_store *s, const char *name, int fd);

/* Has the holder close its copy. */
void fd_store_drop(struct fd_store *s, const char *name);

/* The inherited descriptor of this name, now the caller's (the holder still keeps its copy), or -1. */
int fd_store_take(struct fd_store *s, const char *name);

/* Calls fn for each inherited name that was not taken yet. fn may take it. */
void fd_store_each(struct fd_store *s, void (*fn)(const char *name, void *arg), void *arg);

/* From now on the holder starts us again when we die. */
void fd_store_ready(struct fd_store *s);

/* The two ends of the protocol: one message with at most one descriptor (-1: none). Send: 0 or -errno.
 * Receive: bytes, 0 at the end, or -errno; text is terminated. */
int fd_message_send(int socket, const char *text, int fd);
int fd_message_receive(int socket, char *text, size_t text_size, int *fd);

#endif
