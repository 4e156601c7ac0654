#include "perf/dns_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/tables.h"
#include "perf/child.h"
#include "perf/forwarder.h"

/* On the process's own /run. */
#define CONFIG "/run/dns-server.conf"
#define LOG "/run/dns-server.log"

struct dns_server_run {
	enum dns_server_kind kind;
	pid_t pid;                   /* not ours */
	struct forwarder *forwarder; /* ours */
	struct dns_table *dns;
};

const char *
dns_server_name(enum dns_server_kind kind)
{
	static const char *const names[N_DNS_SERVERS] = {
		[DNS_SERVER_RINGWAY] = "ringway",
		[DNS_SERVER_UNBOUND] = "unbound",
		[DNS_SERVER_DNSMASQ] = "dnsmasq",
	};

	return names[kind];
}

/* --- addresses */

/* Runs a command in the thread's namespace. */
static int __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) == 0)
		return 0;
	fprintf(stderr, "failed: %s\n", command);
	return -EIO;
}

/* As the CNI plugin does it: one neighbour, by which everything goes. */
static int
address_pod(const struct lab *lab, const char *pod)
{
	int err = lab_enter(lab->pods[0]);

	if (err == 0)
		err = run("ip addr add %s/32 dev eth0 && ip route add " GATEWAY_V4
			  " dev eth0 scope link && ip route add default via " GATEWAY_V4,
			pod);
	return err;
}

/* For a server on the kernel's stack: this end of the pod's pair is the gateway. */
static int
address_node(const struct lab *lab, const char *pod, const char *server)
{
	int err = lab_enter(lab->node);

	if (err == 0)
		err = run("ip link set lo up && ip addr add %s/32 dev lo && ip addr add " GATEWAY_V4
			  "/32 dev pod0 && ip route add %s/32 dev pod0",
			server, pod);
	return err;
}

/* --- the others' files */

static void
write_unbound(FILE *out, const struct dns_names *names, const char *server)
{
	fprintf(out,
		"server:\n interface: %s\n port: 53\n do-daemonize: no\n num-threads: 1\n username: \"\"\n "
		"chroot: "
		"\"\"\n directory: \"/run\"\n pidfile: \"\"\n use-syslog: no\n access-control: 0.0.0.0/0 "
		"allow\n "
		"module-config: \"iterator\"\n local-zone: \"%s\" static\n local-data: \"%s %u IN SOA "
		"ns.dns.%s "
		"hostmaster.%s 1 7200 1800 86400 %u\"\n",
		server, DNS_ZONE_DEFAULT, DNS_ZONE_DEFAULT, DNS_TTL_DEFAULT_S, DNS_ZONE_DEFAULT,
		DNS_ZONE_DEFAULT, DNS_TTL_DEFAULT_S);
	for (uint32_t i = 0; i < names->n_services; i++)
		for (enum family_index f = V4; f < N_FAMILIES; f++) {
			struct ip_addr addr = dns_names_addr(i, f);
			char name[DNS_NAME_TEXT_MAX], text[IP_ADDR_STRLEN];

			dns_names_service(i, name);
			fprintf(out, " local-data: \"%s %u IN %s %s\"\n", name, DNS_TTL_DEFAULT_S,
				f == V4 ? "A" : "AAAA", ip_addr_format(&addr, text));
		}
	fputs("remote-control:\n control-enable: no\n", out);
}

static void
write_dnsmasq(FILE *out, const struct dns_names *names, const char *server)
{
	fprintf(out,
		"listen-address=%s\nbind-interfaces\nport=53\nno-resolv\nno-hosts\nuser=root\npid-file="
		"\nlocal=/%s/\n"
		"local-ttl=%u\ncache-size=10000\ndns-forward-max=10000\n",
		server, DNS_ZONE_DEFAULT, DNS_TTL_DEFAULT_S);
	for (uint32_t i = 0; i < names->n_services; i++) {
		struct ip_addr v4 = dns_names_addr(i, V4), v6 = dns_names_addr(i, V6);
		char name[DNS_NAME_TEXT_MAX], text4[IP_ADDR_STRLEN], text6[IP_ADDR_STRLEN];

		dns_names_service(i, name);
		fprintf(out, "host-record=%s,%s,%s\n", name, ip_addr_format(&v4, text4),
			ip_addr_format(&v6, text6));
	}
}

static int
start_other(struct dns_server_run *s, const struct dns_names *names, const char *server, int cpu)
{
	char *unbound[] = { "unbound", "-d", "-c", CONFIG, NULL };
	char *dnsmasq[] = { "dnsmasq", "--keep-in-foreground", "-C", CONFIG, NULL };
	bool is_unbound = s->kind == DNS_SERVER_UNBOUND;
	FILE *out = fopen(CONFIG, "w");

	if (out == NULL)
		return -errno;
	(is_unbound ? write_unbound : write_dnsmasq)(out, names, server);
	if (fclose(out) != 0)
		return -errno;
	return child_start(&s->pid, is_unbound ? unbound : dnsmasq, cpu, LOG);
}

/* --- ours */

static int
start_own(struct dns_server_run *s, const struct lab *lab, const struct cluster *cluster,
	const struct dns_names *names, int cpu)
{
	struct traffic_node node;

	s->dns = calloc(1, sizeof(*s->dns));
	if (s->dns == NULL)
		return -ENOMEM;
	s->dns->zone = names->zone;
	s->dns->n_asked = 1;
	s->dns->asked[0] = (struct dns_server){ .addr = dns_names_addr(DNS_NAMES_SERVER, V4), .port = 53 };
	s->forwarder = forwarder_start(FORWARDER_RINGWAY, lab, cluster, cpu, &node);
	if (s->forwarder == NULL)
		return -EIO;
	forwarder_set_dns(s->forwarder, s->dns);
	return 0;
}

struct dns_server_run *
dns_server_start(enum dns_server_kind kind, const struct lab *lab, const struct cluster *cluster,
	const struct dns_names *names, int cpu)
{
	struct dns_server_run *s = calloc(1, sizeof(*s));
	struct ip_addr pod = cluster_pod_addr(cluster, 0, 0), server = dns_names_addr(DNS_NAMES_SERVER, V4);
	char pod_text[IP_ADDR_STRLEN], server_text[IP_ADDR_STRLEN];
	int err;

	if (s == NULL)
		return NULL;
	s->kind = kind;
	ip_addr_format(&pod, pod_text);
	ip_addr_format(&server, server_text);
	err = address_pod(lab, pod_text);
	if (err == 0 && kind == DNS_SERVER_RINGWAY) {
		err = start_own(s, lab, cluster, names, cpu);
	} else if (err == 0) {
		err = address_node(lab, pod_text, server_text);
		if (err == 0)
			err = start_other(s, names, server_text, cpu);
	}
	lab_enter(lab->home);
	if (err == 0)
		return s;
	fprintf(stderr, "cannot start %s\n", dns_server_name(kind));
	dns_server_stop(s);
	return NULL;
}

void
dns_server_stop(struct dns_server_run *s)
{
	if (s == NULL)
		return;
	child_stop(s->pid);
	forwarder_stop(s->forwarder);
	free(s->dns);
	free(s);
}

uint64_t
dns_server_cpu_ns(const struct dns_server_run *s)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (s->kind == DNS_SERVER_RINGWAY)
		return forwarder_cpu_ns(s->forwarder);
	if (clock_getcpuclockid(s->pid, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}
