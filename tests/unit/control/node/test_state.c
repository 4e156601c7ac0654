#include "control/node/state.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct fixture {
	char dir[32], path[64];
	struct state *s;
	bool is_new_boot;
	char error[STATE_ERROR_SIZE];
};

static int
setup(void **arg)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_state.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, STATE_FILE);
	assert_int_equal(state_open(&f->s, f->path, "boot-1", &f->is_new_boot, f->error), 0);
	*arg = f;
	return 0;
}

static int
teardown(void **arg)
{
	struct fixture *f = *arg;
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };

	state_close(f->s);
	for (unsigned i = 0; i < 4; i++) {
		char path[96];

		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static int
reopen(struct fixture *f, const char *boot_id)
{
	state_close(f->s);
	f->s = NULL;
	return state_open(&f->s, f->path, boot_id, &f->is_new_boot, f->error);
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct attachment_record
record(const char *container_id, const char *link)
{
	struct attachment_record a = {
		.ifname = "eth0",
		.phase = ATTACHMENT_COMMITTED,
		.pod_ns = "shop",
		.pod = "web-1",
		.pod_uid = "7a-1",
		.netns = "/run/netns/x",
		.addrs = { addr("10.244.1.9"), addr("fd00:10:244:1::9") },
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.node_mac = { { 2, 0, 0, 0, 0, 2 } },
		.mtu = 1450,
		.since_s = 1000,
	};

	snprintf(a.container_id, sizeof(a.container_id), "%s", container_id);
	snprintf(a.link, sizeof(a.link), "%s", link);
	return a;
}

struct found {
	unsigned n;
	struct attachment_record last;
};

static int
collect(const struct attachment_record *a, void *arg)
{
	struct found *found = arg;

	found->n++;
	found->last = *a;
	return 0;
}

static int
count_lease(const struct lease_record *lease, void *arg)
{
	++*(unsigned *)arg;
	return 0;
}

static int
keep_slot(const struct slot_record *slot, void *arg)
{
	*(struct slot_record *)arg = *slot;
	return 0;
}

static struct found
attachments(struct fixture *f)
{
	struct found found = { 0 };

	assert_int_equal(state_each_attachment(f->s, collect, &found), 0);
	return found;
}

static void
assert_same(const struct attachment_record *a, const struct attachment_record *b)
{
	assert_string_equal(a->container_id, b->container_id);
	assert_string_equal(a->ifname, b->ifname);
	assert_int_equal(a->phase, b->phase);
	assert_string_equal(a->pod_ns, b->pod_ns);
	assert_string_equal(a->pod, b->pod);
	assert_string_equal(a->netns, b->netns);
	assert_string_equal(a->link, b->link);
	assert_true(ip_addr_eq(&a->addrs[V4], &b->addrs[V4]));
	assert_true(ip_addr_eq(&a->addrs[V6], &b->addrs[V6]));
	assert_memory_equal(&a->mac, &b->mac, sizeof(a->mac));
	assert_memory_equal(&a->node_mac, &b->node_mac, sizeof(a->node_mac));
	assert_int_equal(a->mtu, b->mtu);
	assert_int_equal(a->since_s, b->since_s);
}

static void
test_records_survive_a_restart(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001");
	struct lease_record lease = { addr("fd00::7"), 77 };
	struct slot_record slot = { addr("10.1.0.1"), addr("fd00::10"), 8080, 80, 6, 3, 12 }, read = { 0 };
	unsigned n_leases = 0;
	struct found found;

	assert_true(f->is_new_boot);
	assert_int_equal(state_begin(f->s), 0);
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_int_equal(state_put_lease(f->s, &lease), 0);
	assert_int_equal(state_put_slot(f->s, &slot), 0);
	assert_int_equal(state_commit(f->s), 0);

	assert_int_equal(reopen(f, "boot-1"), 0);
	assert_false(f->is_new_boot);
	found = attachments(f);
	assert_int_equal(found.n, 1);
	assert_same(&found.last, &a);
	assert_int_equal(state_each_lease(f->s, count_lease, &n_leases), 0);
	assert_int_equal(n_leases, 1);
	assert_int_equal(state_each_slot(f->s, keep_slot, &read), 0);
	assert_true(ip_addr_eq(&read.backend_addr, &slot.backend_addr));
	assert_true(ip_addr_eq(&read.frontend_addr, &slot.frontend_addr));
	assert_int_equal(read.backend_port, 8080);
	assert_int_equal(read.frontend_port, 80);
	assert_int_equal(read.proto, 6);
	assert_int_equal(read.slot, 3);
	assert_int_equal(read.released_s, 12);
}

static void
test_host_ports_go_with_their_attachment(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001"), b = record("c2", "rw0000000002");
	struct found found;

	a.n_host_ports = 2;
	a.host_ports[0] = (struct host_port){ .port = 8080, .pod_port = 80, .proto = 6 };
	a.host_ports[1] = (struct host_port){ addr("192.0.2.1"), 8080, 81, 17 };
	b.since_s = 999; /* read first */
	b.n_host_ports = 1;
	b.host_ports[0] = (struct host_port){ .port = 9090, .pod_port = 90, .proto = 6 };
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_int_equal(state_put_attachment(f->s, &b), 0);
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_int_equal(reopen(f, "boot-1"), 0);
	found = attachments(f);
	assert_int_equal(found.n, 2);
	assert_int_equal(found.last.n_host_ports, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(ip_addr_eq(&found.last.host_ports[i].host_addr, &a.host_ports[i].host_addr));
		assert_int_equal(found.last.host_ports[i].port, 8080);
		assert_int_equal(found.last.host_ports[i].pod_port, a.host_ports[i].pod_port);
		assert_int_equal(found.last.host_ports[i].proto, a.host_ports[i].proto);
	}
	assert_int_equal(state_remove_attachment(f->s, "c1", "eth0"), 0);
	a.n_host_ports = 0;
	a.since_s = 0;
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	found = attachments(f);
	assert_int_equal(found.last.n_host_ports, 1); /* of c2, as before */
	assert_int_equal(found.last.host_ports[0].port, 9090);
}

static void run_sql(const char *path, const char *sql);

/* The file of a version without host ports and pods' UIDs: its records stay, and it takes them. */
static void
test_an_older_file_is_brought_up_to_date(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001");

	assert_int_equal(state_put_attachment(f->s, &a), 0);
	state_close(f->s);
	f->s = NULL;
	run_sql(f->path, "DROP TABLE host_ports; ALTER TABLE attachments DROP COLUMN pod_uid;"
			 "PRAGMA user_version = 1");
	assert_int_equal(state_open(&f->s, f->path, "boot-1", &f->is_new_boot, f->error), 0);
	assert_false(f->is_new_boot);
	assert_int_equal(attachments(f).n, 1);
	assert_string_equal(attachments(f).last.pod_uid, "");
	a.n_host_ports = 1;
	a.host_ports[0] = (struct host_port){ .port = 8080, .pod_port = 80, .proto = 6 };
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_int_equal(reopen(f, "boot-1"), 0);
	assert_int_equal(attachments(f).last.n_host_ports, 1);
	assert_string_equal(attachments(f).last.pod_uid, "7a-1");
}

static void
test_records_of_another_boot_are_discarded(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001");
	struct slot_record slot = { addr("10.1.0.1"), addr("10.96.0.1"), 80, 80, 6, 1, 0 }, read = { 0 };

	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_int_equal(state_put_slot(f->s, &slot), 0);
	assert_int_equal(reopen(f, "boot-2"), 0);
	assert_true(f->is_new_boot);
	assert_int_equal(attachments(f).n, 0);
	assert_int_equal(state_each_slot(f->s, keep_slot, &read), 0);
	assert_int_equal(read.slot, 0);
	assert_int_equal(reopen(f, "boot-2"), 0);
	assert_false(f->is_new_boot);
}

static void
test_a_record_is_replaced_by_its_key_only(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001"), b = record("c2", "rw0000000001");
	struct found found;

	a.phase = ATTACHMENT_INTENT;
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	a.phase = ATTACHMENT_COMMITTED;
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	/* another pod with the same link name must not push the first one out */
	assert_true(state_put_attachment(f->s, &b) < 0);
	found = attachments(f);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.last.container_id, "c1");
	assert_int_equal(found.last.phase, ATTACHMENT_COMMITTED);
	assert_int_equal(state_remove_attachment(f->s, "c1", "eth1"), 0);
	assert_int_equal(attachments(f).n, 1);
	assert_int_equal(state_remove_attachment(f->s, "c1", "eth0"), 0);
	assert_int_equal(state_remove_attachment(f->s, "c1", "eth0"), 0);
	assert_int_equal(attachments(f).n, 0);
}

static void
test_a_transaction_is_all_or_nothing(void **arg)
{
	struct fixture *f = *arg;
	struct attachment_record a = record("c1", "rw0000000001"), b = record("c2", "rw0000000001");
	struct attachment_record c = record("c3", "rw0000000003");

	assert_int_equal(state_begin(f->s), 0);
	assert_int_equal(state_put_attachment(f->s, &a), 0);
	assert_true(state_put_attachment(f->s, &b) < 0);
	assert_true(state_commit(f->s) < 0);
	assert_int_equal(attachments(f).n, 0);

	assert_int_equal(state_begin(f->s), 0);
	assert_int_equal(state_put_attachment(f->s, &c), 0);
	state_rollback(f->s);
	assert_int_equal(attachments(f).n, 0);

	assert_int_equal(state_begin(f->s), 0);
	assert_int_equal(state_put_attachment(f->s, &c), 0);
	assert_int_equal(state_commit(f->s), 0);
	assert_int_equal(attachments(f).n, 1);
}

static void
test_a_second_daemon_is_refused(void **arg)
{
	struct fixture *f = *arg;
	struct state *second;

	assert_int_equal(state_open(&second, f->path, "boot-1", &f->is_new_boot, f->error), -EBUSY);
	assert_non_null(strstr(f->error, "another ringwayd"));
}

static void
file_write(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

static void
test_a_damaged_file_is_refused_and_kept(void **arg)
{
	static char garbage[8192];
	struct fixture *f = *arg;
	struct stat st;
	char read_back[16] = "";
	int fd;

	memset(garbage, 'x', sizeof(garbage));
	state_close(f->s);
	f->s = NULL;
	file_write(f->path, garbage, sizeof(garbage));
	assert_int_equal(state_open(&f->s, f->path, "boot-1", &f->is_new_boot, f->error), -EUCLEAN);
	assert_non_null(strstr(f->error, "damaged"));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, sizeof(garbage));
	fd = open(f->path, O_RDONLY);
	assert_int_equal(read(fd, read_back, sizeof(read_back)), sizeof(read_back));
	close(fd);
	assert_memory_equal(read_back, garbage, sizeof(read_back));
}

static void
test_a_damaged_page_is_noticed(void **arg)
{
	static char garbage[4096];
	struct fixture *f = *arg;
	int fd;

	for (unsigned i = 0; i < 50; i++) {
		char id[16], link[16];
		struct attachment_record a;

		snprintf(id, sizeof(id), "c%u", i);
		snprintf(link, sizeof(link), "rw%010u", i);
		a = record(id, link);
		assert_int_equal(state_put_attachment(f->s, &a), 0);
	}
	state_close(f->s);
	f->s = NULL;
	memset(garbage, 0xff, sizeof(garbage));
	fd = open(f->path, O_WRONLY);
	for (unsigned page = 1; page < 4; page++)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), page * 4096), sizeof(garbage));
	close(fd);
	assert_int_equal(state_open(&f->s, f->path, "boot-1", &f->is_new_boot, f->error), -EUCLEAN);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_files_of_others_are_refused(void **arg)
{
	static const struct {
		const char *sql;
		int rc;
		const char *says;
	} cases[] = {
		{ "PRAGMA user_version = 99", -EPROTO, "newer ringwayd" },
		{ "PRAGMA application_id = 5", -EINVAL, "not of ringwayd" },
	};
	struct fixture *f = *arg;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		state_close(f->s);
		f->s = NULL;
		run_sql(f->path, cases[i].sql);
		assert_int_equal(
			state_open(&f->s, f->path, "boot-2", &f->is_new_boot, f->error), cases[i].rc);
		assert_non_null(strstr(f->error, cases[i].says));
	}
}

static void
test_a_place_that_cannot_be_written(void **arg)
{
	struct fixture *f = *arg;
	struct state *s;

	assert_true(state_open(&s, "/nonexistent/dir/x.db", "b", &f->is_new_boot, f->error) < 0);
	assert_non_null(strstr(f->error, "/nonexistent/dir/x.db"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records_survive_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_ports_go_with_their_attachment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_older_file_is_brought_up_to_date, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_of_another_boot_are_discarded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_record_is_replaced_by_its_key_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_transaction_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_second_daemon_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_damaged_file_is_refused_and_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_damaged_page_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_of_others_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_place_that_cannot_be_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
