#include <stdio.h>
#include <string.h>

#include "perf/bench.h"

static const char usage[] =
	"Usage: ringway-perf pipeline [OPTION...]   the pipeline on ports over arrays: cycles per packet\n"
	"       ringway-perf wire [OPTION...]       the full path over AF_XDP on veth: packets per second\n"
	"       ringway-perf update [OPTION...]     one changed endpoint: time until all workers use it\n"
	"       ringway-perf policy-update [OPTION...]   one changed policy, pod or namespace: likewise\n"
	"       ringway-perf dns [OPTION...]        queries answered on the node: cycles per packet\n"
	"       ringway-perf dns-wire [OPTION...]   the same over AF_XDP, beside unbound and dnsmasq\n"
	"       ringway-perf zone-update [OPTION...]   one changed endpoint or service: the DNS zone's next "
	"version\n"
	"       ringway-perf cni [OPTION...]        a pod's ADD and DEL beside the plugin ptp: time, by "
	"step\n"
	"       ringway-perf sync [OPTION...]       a whole cluster from an API server: time, memory, "
	"changes\n"
	"\n"
	"'ringway-perf COMMAND --help' lists a command's options. Exit code 0: the run holds; 1: it does not "
	"(packets were\n"
	"lost or wrong, or the run could not be set up); 2 or 64: wrong arguments.\n";

int
main(int argc, char **argv)
{
	struct params p;

	if (argc >= 2 && strcmp(argv[1], "pipeline") == 0) {
		argv[1] = "ringway-perf pipeline";
		params_parse_pipeline(argc - 1, argv + 1, &p);
		return bench_pipeline(&p);
	}
	if (argc >= 2 && strcmp(argv[1], "wire") == 0) {
		argv[1] = "ringway-perf wire";
		params_parse_wire(argc - 1, argv + 1, &p);
		return bench_wire(&p);
	}
	if (argc >= 2 && strcmp(argv[1], "update") == 0) {
		argv[1] = "ringway-perf update";
		params_parse_update(argc - 1, argv + 1, &p);
		return bench_update(&p);
	}
	if (argc >= 2 && strcmp(argv[1], "policy-update") == 0) {
		argv[1] = "ringway-perf policy-update";
		return bench_policy_update(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "dns") == 0) {
		argv[1] = "ringway-perf dns";
		return bench_dns(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "dns-wire") == 0) {
		argv[1] = "ringway-perf dns-wire";
		return bench_dns_wire(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "zone-update") == 0) {
		argv[1] = "ringway-perf zone-update";
		return bench_zone_update(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "cni") == 0) {
		argv[1] = "ringway-perf cni";
		return bench_cni(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "sync") == 0) {
		argv[1] = "ringway-perf sync";
		return bench_sync(argc - 1, argv + 1);
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
