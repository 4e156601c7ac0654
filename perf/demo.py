"""perf/demo's second half: the cluster, the measurements, the screen. perf/demo has built everything before."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

import lab as lab_module  # noqa: E402  pylint: disable=wrong-import-position
from lab import PATIENCE  # noqa: E402  pylint: disable=wrong-import-position
from cluster import BUILD, FAMILIES, RINGWAY, Cluster  # noqa: E402  pylint: disable=wrong-import-position
from traffic import Running, chi_square_is_even, ping, run_flows  # noqa: E402  pylint: disable=wrong-import-position

PREFIX = "ringway-demo-"
DIRECTORY = "/run/ringway-demo"
IPERF_SECONDS = 10
FLOWS = 1500
UDP_PORT = 9000
UDP_FLOWS, UDP_SIZE = 64, 18  # 18 bytes of payload: frames of 60 bytes with IPv4, 64 on a wire
DNS_SECONDS = 3
FLOOD_SECONDS, PACED_SECONDS, PACED_RATE = 3, 2, 5000
LOST_MAX = 0.5  # the screen shows the loss; that two busy cores pause for longer than the kernel's backlog lasts is no fault


class Report:
    """Checks as they are made, and the numbers for the screen."""

    def __init__(self):
        self.start = time.monotonic()
        self.failed = []
        self.passed = 0
        self.tcp, self.udp, self.spread, self.dns = {}, {}, {}, {}

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.1f} s] {text}", flush=True)

    def check(self, what, held, detail=""):
        if held:
            self.passed += 1
            self.say(f"ok    {what}")
        else:
            self.failed.append(f"{what}: {detail}" if detail else what)
            self.say(f"FAIL  {self.failed[-1]}")


class Demo:
    def __init__(self, report):
        self.report = report
        self.cluster = Cluster(PREFIX, DIRECTORY)

    # --- making it

    def up(self):
        say = self.report.say
        say("two nodes on one segment, ringwayd on each")
        self.a, self.b = self.cluster.add_node("a"), self.cluster.add_node("b")
        self.cluster.start()
        say("two pods per node, wired by ringway-cni")
        self.client = self.a.add_pod("client")
        self.web = [self.a.add_pod("web-1", labels={"service": "web"}, ports=[8080]),
                    self.b.add_pod("web-2", labels={"service": "web"}, ports=[8080]),
                    self.b.add_pod("web-3", labels={"service": "web"}, ports=[8080])]
        say("services, from manifests")
        self.service = self.cluster.add_service("web", 80, 8080, self.web)
        self.iperf = self.cluster.add_service(
            "iperf", 5201, 5201, [self.web[1]],
            ports=[("tcp", 5201, 5201, "TCP"), ("load", UDP_PORT, UDP_PORT, "UDP")])
        self.empty = self.cluster.add_service("empty", 80, 8080, [])
        # The cluster's DNS service, of which no pod is there: its names are answered on the node all the same.
        self.kube_dns = self.cluster.add_service("kube-dns", 53, 53, [], ("UDP",), namespace="kube-system")
        self.cluster.write_manifest("namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        self.cluster.wait_published()
        self.cluster.wait_joined()
        for pod in self.web:
            pod.popen("iperf3 -s --forceflush").wait_for("Server listening")
        self.start = {node: node.counters() for node in (self.a, self.b)}
        # (name, who sends, who receives, {family: address to call}, is a service, nodes it crosses)
        pod_1, pod_2 = self.web[0], self.web[1]
        self.paths = [
            ("pod to pod, one node", self.client, pod_1, pod_1.ip, False, (self.a,)),
            ("pod to pod, across nodes", self.client, pod_2, pod_2.ip, False, (self.a, self.b)),
            ("pod to ClusterIP", self.client, pod_2, self.iperf.ip, True, (self.a, self.b)),
            ("node process to pod", self.a, pod_2, pod_2.ip, False, (self.a, self.b)),
            ("node process to ClusterIP", self.a, pod_2, self.iperf.ip, True, (self.a, self.b)),
        ]

    # --- measuring

    def pings(self):
        for family in FAMILIES:
            for name, sender, _, addresses, is_service, _ in self.paths:
                if not is_service:
                    n = ping(sender, addresses[family])
                    self.report.check(f"{name}: ping, IPv{family}", n == 3, f"{n} of 3 answers")

    def spread(self):
        for family in FAMILIES:
            for who, sender in (("pod", self.client), ("node process", self.a)):
                for proto in ("tcp", "udp"):
                    self.spread_one(family, who, sender, proto)

    def spread_one(self, family, who, sender, proto):
        servers = [Running(pod, "serve", 8080, pod.name) for pod in self.web]
        result = run_flows(sender, proto, self.service.ip[family], 80, FLOWS)
        seen = {pod.name: server.end()[proto] for pod, server in zip(self.web, servers)}
        self.report.spread[who, family, proto] = seen
        what = f"{who} to ClusterIP: {FLOWS} {proto.upper()} flows spread over both nodes, IPv{family}"
        even = chi_square_is_even(seen.values(), len(self.web)) and sum(seen.values()) == FLOWS
        self.report.check(what, even and result["lost"] == 0, f"backends saw {seen}, the client {result}")

    def tcp(self):
        for name, sender, _, addresses, is_service, nodes in self.paths:
            for family in FAMILIES:
                before = {node: node.counters() for node in nodes}
                done = sender.run(["iperf3", "-J", "-c", addresses[family], "-t", IPERF_SECONDS, "--connect-timeout", 30000],
                                  check=False, timeout=IPERF_SECONDS + 2 * PATIENCE)
                result = json.loads(done.stdout or "{}")
                received = result.get("end", {}).get("sum_received", {})
                gbits, n_bytes = received.get("bits_per_second", 0) / 1e9, received.get("bytes", 0)
                self.report.tcp[name, family] = gbits
                self.report.check(f"{name}: iperf3 for {received.get('seconds', 0):.0f} s, {gbits:.2f} Gb/s, IPv{family}",
                                  gbits > 0 and received.get("seconds", 0) >= IPERF_SECONDS - 0.5,
                                  result.get("error", done.stderr))
                self.check_counters(name, family, before, nodes, is_service, n_bytes / 1460)

    def udp(self):
        for name, sender, receiver, addresses, is_service, nodes in self.paths[:3]:
            for family in FAMILIES:
                before = {node: node.counters() for node in nodes}
                flood = self.load(sender, receiver, addresses[family], FLOOD_SECONDS, 0)
                paced = self.load(sender, receiver, addresses[family], PACED_SECONDS, PACED_RATE)
                self.report.udp[name, family] = flood, paced
                lost = 1 - paced["packets"] / max(paced["sent"], 1)
                self.report.check(
                    f"{name}: UDP {flood['mpps']:.3f} Mpps; at {PACED_RATE} pps p50 {paced['p50_ns'] / 1e3:.0f} us, "
                    f"p99 {paced['p99_ns'] / 1e3:.0f} us, {lost:.2%} lost, IPv{family}",
                    flood["packets"] > 0 and lost < LOST_MAX, f"more than {LOST_MAX:.0%} lost at {PACED_RATE} pps")
                self.check_counters(name, family, before, nodes, is_service, flood["packets"] + paced["packets"])

    def load(self, sender, receiver, address, seconds, rate):
        tool = BUILD / "perf" / "ringway-udp-load"
        with subprocess.Popen(receiver.ns.wrap([tool, "receive", UDP_PORT]), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as receiving:
            try:
                receiving.stdout.readline()
                sent = sender.run([tool, "send", address, UDP_PORT, UDP_FLOWS, UDP_SIZE, seconds, rate],
                                  timeout=seconds + 2 * PATIENCE).stdout
                time.sleep(0.2)
                out, _ = receiving.communicate(timeout=PATIENCE)
            finally:
                receiving.kill()
        return {**json.loads(out), "sent": json.loads(sent)["sent"]}

    def check_counters(self, name, family, before, nodes, is_service, packets):
        """Whether at least so many packets went through the dataplanes on the way, by their own counters."""
        want = [(node, "forwarded") for node in nodes]
        if len(nodes) > 1:
            want += [(nodes[0], "encapsulated"), (nodes[1], "decapsulated")]
        if is_service:
            want += [(nodes[0], "service_forward")]
        for node, counter in want:
            # a packet is counted once it was sent: its receiver may have been faster
            grew = self.settled(lambda n=node, c=counter: n.counters()[c] - before[n][c], lambda grew: grew >= packets * 0.999)
            self.report.check(f"{name}: node {node.name} counted {grew:.0f} {counter}, IPv{family}",
                              grew >= packets * 0.999, f"at least {packets:.0f} packets arrived")

    def settled(self, ask, is_enough):
        """What ask() says once it is enough, or after a while."""
        deadline = time.monotonic() + PATIENCE
        while not is_enough(value := ask()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return value

    def names(self):
        """Names of services, asked by a pod as fast as one client goes."""
        queries = pathlib.Path(DIRECTORY, "queries")
        name = f"{self.service.name}.default.svc.cluster.local"
        queries.write_text(f"{name} A\n{name} AAAA\n")
        for family in FAMILIES:
            done = self.client.run(["dnsperf", "-s", self.kube_dns.ip[family], "-d", queries, "-l", DNS_SECONDS, "-c", 4],
                                   check=False, timeout=DNS_SECONDS + 2 * PATIENCE)
            found = {what: re.search(rf"{what}:\s+([\d.]+|NOERROR \d+ \(100.00%\))", done.stdout)
                     for what in ("Queries sent", "Queries lost", "Queries per second", "Response codes")}
            lost, rate = (float(found[what][1]) if found[what] else 0 for what in ("Queries lost", "Queries per second"))
            self.report.dns[family] = rate
            self.report.check(f"names of services, answered on the node: {rate:.0f} queries/s by one client, {lost:.0f} lost, "
                              f"IPv{family}", rate > 0 and lost == 0 and found["Response codes"] is not None,
                              done.stdout + done.stderr)

    def drops(self):
        """What must not pass is dropped, by name."""
        before = self.a.drops()
        for family in FAMILIES:
            ping(self.client, "10.244.99.1" if family == 4 else "fd00:10:244:99::1", count=1, wait=1)
            self.udp_to(self.client, self.service.ip[family], 9999)
            self.spoofed_ping(family)
        for reason, why in (("no_route", "an address that no node has"), ("spoofed_source", "a source that is not the pod's")):
            grew = self.settled(lambda r=reason: self.a.drops().get(r, 0) - before.get(r, 0), lambda grew: grew >= 2)
            self.report.check(f"{why}: dropped as {reason} ({grew:.0f} packets)", grew >= 2, f"drops now: {self.a.drops()}")
        refused = self.settled(lambda: self.a.counters()["refused_no_service"], lambda refused: refused >= 2)
        self.report.check(f"a service's other port: refused ({refused:.0f} packets)", refused >= 2)

    def spoofed_ping(self, family):
        foreign = "10.9.9.9" if family == 4 else "fd00:9::9"
        self.client.ns.ip(f"addr add {foreign}/{32 if family == 4 else 128} dev lo")
        self.client.run(["ping", "-n", "-c", 1, "-W", 1, "-I", foreign, self.web[0].ip[family]], check=False)
        self.client.ns.ip(f"addr del {foreign}/{32 if family == 4 else 128} dev lo")

    def udp_to(self, sender, address, port):
        sender.run([sys.executable, "-c", "import socket, sys; a, p = sys.argv[1:]\n"
                    "s = socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "s.sendto(b'?', (a, int(p)))", address, port])

    def books(self):
        for node in (self.a, self.b):
            c = self.settled(node.counters, lambda c: c["received"] == ends_of(c))
            ends = ends_of(c)
            self.report.check(f"node {node.name}: {c['received']:.0f} received = {c['forwarded']:.0f} forwarded + "
                              f"{c['replied']:.0f} replied + {c['punted']:.0f} punted + {c['asked']:.0f} asked + "
                              f"{c['dropped']:.0f} dropped",
                              c["received"] == ends, f"the sum is {ends:.0f}")

    # --- the screen

    def screen(self):
        r = self.report
        line = "-" * 100
        print(f"\n{line}\nRingway: two nodes, two pods each, on {os.uname().release}, {os.cpu_count()} cores "
              f"(senders, receivers and both dataplanes share them)\n{line}")
        print(f"{'':28}{'TCP, Gb/s':>15}{'UDP, Mpps':>18}{'UDP p50/p99, us at ' + str(PACED_RATE) + ' pps':>36}")
        print(f"{'':28}{'IPv4':>8}{'IPv6':>7}{'IPv4':>11}{'IPv6':>7}{'IPv4':>19}{'IPv6':>17}")
        for name, *_ in self.paths:
            row = f"{name:28}" + f"{r.tcp.get((name, 4), 0):8.2f}{r.tcp.get((name, 6), 0):7.2f}"
            if (name, 4) in r.udp and (name, 6) in r.udp:
                (flood4, paced4), (flood6, paced6) = r.udp[name, 4], r.udp[name, 6]
                row += f"{flood4['mpps']:11.3f}{flood6['mpps']:7.3f}"
                row += "".join(f"{p['p50_ns'] / 1e3:{w}.0f} / {p['p99_ns'] / 1e3:<6.0f}"
                               for p, w in ((paced4, 11), (paced6, 8)))
            print(row)
        print(f"\nDNS by dnsperf, queries/s of cluster names: IPv4 {r.dns.get(4, 0):.0f}, IPv6 {r.dns.get(6, 0):.0f}; of the DNS service "
              "no pod is there")
        print(f"\nspread of {FLOWS} flows, counted at the backends")
        for (who, family, proto), seen in r.spread.items():
            print(f"  {who + ' to ClusterIP':28}{proto.upper()} IPv{family}   "
                  + "   ".join(f"{name} ({pod.node.name}) {n}" for (name, n), pod in zip(seen.items(), self.web)))
        print("\npackets since start, by each dataplane's own counters")
        for node in (self.a, self.b):
            c = node.counters()
            print(f"  node {node.name}: " + ", ".join(
                f"{name} {c[name]:.0f}" for name in ("received", "forwarded", "replied", "punted", "dropped",
                                                     "encapsulated", "decapsulated", "service_forward", "service_reply")))
            for reason, n in sorted(node.drops().items()):
                print(f"      dropped: {n:>8.0f} {reason}")

    def commands(self):
        ringway = f"{RINGWAY} --socket {self.a.socket}"
        inside = f"nsenter --net={self.client.ns.path}"
        print(f"""
the cluster stays up. Try:
  {ringway} status
  {ringway} services
  {ringway} explain --from default/client --to {self.service.ip[4]}:80/tcp
  {inside} ping {self.web[1].ip[4]}
  {inside} iperf3 -c {self.iperf.ip[6]}
  {inside} dig @{self.kube_dns.ip[4]} web.default.svc.cluster.local
  {ROOT}/perf/demo --down""")


def ends_of(counters):
    return sum(counters[verdict] for verdict in ("forwarded", "replied", "punted", "asked", "dropped"))


def leftovers():
    """What a demo must not leave, looked for in the whole machine."""
    found = [f"namespace {name}" for name in os.listdir("/run/netns") if name.startswith(PREFIX)] \
        if os.path.isdir("/run/netns") else []
    found += [f"mount {mount}" for mount in lab_module.mounts_below(DIRECTORY)]
    found += [DIRECTORY] if os.path.exists(DIRECTORY) else []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if DIRECTORY in command or PREFIX in command:
            found.append(f"process {pid}: {command}")
    return found


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    keep = "--keep" in sys.argv[1:]
    if "--down" in sys.argv[1:]:
        existed = lab_module.purge(PREFIX, DIRECTORY)
        print("the demo's cluster is removed" if existed else "there is no demo cluster")
        return 0
    if os.path.exists(DIRECTORY) or leftovers():
        print("a cluster of the demo is there already, kept or left by a run that was killed; remove it with perf/demo --down",
              file=sys.stderr)
        return 1
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, interrupt)
    report, demo, kept = Report(), None, False
    try:
        demo = Demo(report)
        demo.up()
        for step in (demo.pings, demo.spread, demo.tcp, demo.udp, demo.names, demo.drops, demo.books):
            step()
        demo.screen()
        kept = keep
    except KeyboardInterrupt:
        report.failed.append("interrupted")
    except Exception as problem:  # pylint: disable=broad-except
        report.check("the demo runs to its end", False, str(problem))
        if demo is None:
            raise
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)
        if kept:
            demo.commands()
        else:
            # What is in order is taken apart in order; purge() then takes what a half-made or broken cluster left.
            problems = demo.cluster.close() if demo else []
            if report.failed and problems:
                print("\n".join(problems))
            lab_module.purge(PREFIX, DIRECTORY)
            left = leftovers()
            report.check("nothing is left behind", not left, ", ".join(left))
    print(f"\n{report.passed} checks held, {len(report.failed)} failed, {time.monotonic() - report.start:.0f} s")
    for failure in report.failed:
        print(f"  FAILED {failure}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
