/* The holder: the process that ringwayd's user starts and signals. It keeps what must outlive a crash of the
 * daemon proper (dataplane/io/fd_store.h), starts it as a child, and starts it again when it dies. So a crash
 * loses no socket: closing a hundred of them takes the kernel more than a second, in which no packet would
 * pass. It holds nothing else and can do little wrong: one thread, no library but libc. */
#ifndef RINGWAY_HOLDER_H
#define RINGWAY_HOLDER_H

#include "control/kept.h"

struct holder_config {
	int (*serve)(int socket, void *arg);
	void *arg;
	struct kept *kept;   /* what it begins with, and is the holder's from then on; NULL: nothing */
	const char *run_dir; /* where the next one may wait (control/handover.h); NULL: nowhere */
};

/* Runs serve(socket, arg) in a child, with the socket for fd_store_open(), until it ends of its own accord,
 * and returns its exit status. A child that dies after fd_store_ready() is started anew, at once at first and
 * then after pauses of up to 5 s. SIGTERM and SIGINT hand over what is kept, and end the child and then the holder;
 * SIGHUP is passed on; when the holder dies, the child receives SIGTERM. To be called before any thread exists. */
int holder_run(const struct holder_config *config);

#endif
