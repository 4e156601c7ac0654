#include "control/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/dir.h"
#include "control/handover.h"
#include "control/log.h"
#include "control/source/source.h"
#include "dataplane/clock.h"

/* How long a second start waits for the first to go, before it says that there is one. */
#define LOCK_WAIT_MS 3000

/* How often one that waits looks: for so long no packet passes in vain. */
#define LOOK_MS 5

static int
open_lock(const char *run_dir, const char *name)
{
	char path[4096];
	int result = dir_make(run_dir);
	int fd;

	if (result < 0) {
		log_error("%s cannot be made: %s; set run.dir to a directory that can", run_dir,
			strerror(-result));
		return result;
	}
	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		result = -errno;
		log_error("%s: %s; ringwayd needs to be root, or another run.dir", path, strerror(errno));
		return result;
	}
	return fd;
}

static bool
lock_within(int fd, int64_t wait_ms)
{
	int64_t start = clock_now_ms();

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_now_ms() - start >= wait_ms)
			return false;
		poll(NULL, 0, LOOK_MS);
	}
	return true;
}

/* The descriptor stays open for as long as the process lives. */
static void
sign_lock(int fd)
{
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d", getpid());
}

bool
instance_lock_is_there(int fd, const char *run_dir)
{
	struct stat ours, there;
	char path[4096];

	snprintf(path, sizeof(path), "%s/" INSTANCE_LOCK, run_dir);
	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

int
instance_lock(const struct config *config)
{
	char owner[32] = "";
	int fd;

	for (;;) {
		fd = open_lock(config->run.dir, INSTANCE_LOCK);
		if (fd < 0)
			return fd;
		/* a former instance whose holder was killed is still closing its sockets; one that means to stay keeps its lock */
		if (!lock_within(fd, LOCK_WAIT_MS))
			break;
		if (instance_lock_is_there(fd, config->run.dir)) {
			sign_lock(fd);
			return 0;
		}
		close(fd);
	}
	if (read(fd, owner, sizeof(owner) - 1) < 0)
		owner[0] = '\0';
	log_error("another ringwayd (process %s) runs on %s; stop it first, or set run.dir and state.dir to "
		  "other "
		  "directories",
		owner, config->run.dir);
	close(fd);
	return -EBUSY;
}

/* Nothing is there to be undone. As the first process of a container, we would not be ended by default. */
static void
leave(int signo)
{
	_exit(EXIT_SUCCESS);
}

/* Until our turn comes. Without a socket the former one closes its own sockets, and ours take longer. */
static void
wait_for_turn(int lock, const struct config *config, struct kept *kept)
{
	int place = open_lock(config->run.dir, INSTANCE_NEXT_LOCK);
	struct pollfd knock = { .events = POLLIN };

	while (place >= 0 && !lock_within(place, LOCK_WAIT_MS))
		;
	knock.fd = handover_listen(config->run.dir); /* poll() passes over what is below 0 */
	if (knock.fd < 0)
		log_warn("%s/" HANDOVER_SOCKET ": %s; the other one's sockets will close before we have ours",
			config->run.dir, strerror(-knock.fd));
	while (flock(lock, LOCK_EX | LOCK_NB) < 0)
		if (poll(&knock, 1, LOOK_MS) > 0)
			handover_receive(knock.fd, kept);
	if (knock.fd >= 0) {
		handover_receive(knock.fd, kept); /* it may have ended right after it gave */
		handover_close(knock.fd, config->run.dir);
	}
	if (place >= 0)
		close(place);
}

/* 0 with the lock, or -errno. */
static int
wait_for_lock(int fd, const struct config *config, struct kept *kept)
{
	if (lock_within(fd, 0))
		return 0;
	/* who could not start must not be taken for a successor */
	if (source_check(config, stderr) != 0)
		return -EINVAL;
	log_info("another ringwayd runs on %s: waiting until it ends", config->run.dir);
	wait_for_turn(fd, config, kept);
	log_info("the other ringwayd has ended: taking over, with %zu descriptors of it", kept->n);
	return 0;
}

int
instance_wait(const struct config *config, struct kept *kept)
{
	int fd, rc;

	/* ours until the holder blocks them, which it does before there is anything to lose */
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	for (;;) {
		fd = open_lock(config->run.dir, INSTANCE_LOCK);
		if (fd < 0)
			return fd;
		rc = wait_for_lock(fd, config, kept);
		if (rc == 0 && instance_lock_is_there(fd, config->run.dir))
			break;
		close(fd);
		if (rc < 0)
			return rc;
		kept_drop_all(kept); /* of what is uninstalled */
	}
	sign_lock(fd);
	return 0;
}
