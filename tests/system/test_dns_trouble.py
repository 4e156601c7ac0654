"""DNS of a cluster while what stands behind it restarts, crashes, or says nothing: names of the cluster never notice, others live on
what is known of them. And under load."""

import contextlib
import itertools
import re
import signal
import threading

import pytest

import dns_wire
from cluster import Cluster
from dns_lab import ZONES, Unbound, ask, socket_in, wait_answered
from lab import PATIENCE, wait_until

FAMILIES = pytest.mark.parametrize("family", (4, 6))
TYPE_OF = {4: "A", 6: "AAAA"}
API = "api.default.svc.cluster.local."
NOBODY = "nobody.default.svc.cluster.local."


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """unbound serves the cluster's zone as CoreDNS does: who is not synced yet leaves the answer to it."""
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.client, made.dns = made.a.add_pod("client"), made.b.add_pod("dns", "kube-system")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [made.dns], namespace="kube-system",
                                         ports=[("dns", 53, 53, "UDP"), ("dns-tcp", 53, 53, "TCP")])
        made.api = made.add_service("api", 80, 8080, [made.client])
        made.write_manifest("namespace-default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        made.unbound = Unbound(made.dns, zones=f"""{ZONES}
    local-zone: "cluster.local." static
    local-data: "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30"
    local-data: "{API} 31 IN A {made.api.ip[4]}"
    local-data: "{API} 31 IN AAAA {made.api.ip[6]}"
""")
        made.wait_published()
        made.wait_joined()
        for family in (4, 6):
            wait_answered(made.client, made.kube_dns.ip[family], "www.example.")
        yield made


class Stream:
    """A client that asks one question after the other for a name of the cluster and one that does not exist, each again every
    second until it is answered, as resolvers do. answered: how many were; wrong: what was, with which it ends."""

    def __init__(self, cluster, family):
        self.client, self.server, self.family = cluster.client, cluster.kube_dns.ip[family], family
        self.wanted = ((API, "NOERROR", [cluster.api.ip[family]]), (NOBODY, "NXDOMAIN", []))
        self.answered, self.wrong = 0, []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_more(self, n):
        """Until so many more are answered."""
        before = self.answered
        wait_until(lambda: self.wrong or self.answered >= before + n, what=f"{n} answers over IPv{self.family}")

    def _run(self):
        try:
            while not self._over.is_set() and not self.wrong:
                for name, rcode, records in self.wanted:
                    got = self._ask(dns_wire.query(name, TYPE_OF[self.family]))
                    if got is None or (got.rcode, got.records()) != (rcode, records):
                        self.wrong.append((name, got))
                    self.answered += 1
        except OSError as problem:
            self.wrong.append(problem)

    def _ask(self, message):
        with socket_in(self.client, self.server) as s:
            s.settimeout(1)
            s.connect((self.server, 53))
            for _ in range(PATIENCE):
                s.send(message)
                try:
                    return dns_wire.parse(s.recv(65535))
                except TimeoutError:
                    if self._over.is_set():
                        break
        return None

    def end(self):
        self._over.set()
        self._thread.join()


@contextlib.contextmanager
def streams(cluster):
    """One for each family; nothing may have been wrong with them at the end."""
    with contextlib.ExitStack() as stack:
        made = []
        for family in (4, 6):
            made.append(Stream(cluster, family))
            stack.callback(made[-1].end)
        for stream in made:
            stream.wait_more(10)
        yield
        for stream in made:
            stream.wait_more(10)
    assert not any(stream.wrong for stream in made), [stream.wrong for stream in made]


@pytest.mark.parametrize("how", ("asked", "killed", "crashed"))
def test_a_restart_is_not_seen_in_answers_about_the_cluster(cluster, how):
    with streams(cluster):
        if how == "crashed":
            cluster.a.crash()
        else:
            cluster.a.restart(signal.SIGKILL if how == "killed" else None)
    for server in cluster.kube_dns.ip.values():  # unbound says 31
        wait_until(lambda s=server: ask(cluster.client, s, API).ttls() == {30}, what="an answer of the node's own")


def upstream_states(cluster):
    """What is told of unbound, by each of its addresses."""
    servers = cluster.a.ringway("dns")["upstreams"]
    return {server["state"] for server in servers if server["address"] in cluster.dns.ip.values()}


@pytest.mark.parametrize("how, family", (("killed", 4), ("frozen", 6)))
def test_names_live_on_without_unbound(cluster, how, family):
    """Of the cluster as if nothing were, and others as they were last, for half a minute at a time (RFC 8767). What was never
    asked cannot be told, and why not."""
    server, kept, new = cluster.kube_dns.ip[family], f"{how}.soon.example.", f"{how}.many.example."
    assert ask(cluster.client, server, kept).ttls() <= {0, 1}
    with streams(cluster):
        (cluster.unbound.kill if how == "killed" else cluster.unbound.freeze)()
        try:
            def stale():
                got = ask(cluster.client, server, kept, edns=1232)
                assert got.records() == ["192.0.2.8"], got
                return got if got.ttls() == {30} else None

            assert wait_until(stale, what="an answer past its time").ede()[0] == 3
            got = ask(cluster.client, server, new, edns=1232)
            assert got.rcode == "SERVFAIL" and got.ede()[0] in (13, 22, 23), got
            wait_until(lambda: "failing" in upstream_states(cluster), what="unbound told as failing")
        finally:
            (cluster.unbound.start if how == "killed" else cluster.unbound.thaw)()
        wait_answered(cluster.client, server, new)
        assert "answers" in upstream_states(cluster)


@FAMILIES
def test_a_popular_name_is_asked_for_before_its_time_is_up(cluster, family):
    """So that nobody waits for it. On a machine so slow that no query comes in the last tenth of its second, another name may have
    more luck."""
    server, numbers = cluster.kube_dns.ip[family], itertools.count()

    def nobody_waited():
        name, before = f"popular{family}-{next(numbers)}.soon.example.", cluster.a.ringway("dns")["resolver"]
        while cluster.unbound.n_asked(name) < 2:
            for _ in range(10):
                got = ask(cluster.client, server, name)
                assert (got.rcode, got.records()) == ("NOERROR", ["192.0.2.8"]), got
        now = cluster.a.ringway("dns")["resolver"]
        assert now["queries"] > before["queries"]
        return now["prefetched"] > before["prefetched"] and now["queries"] == before["queries"] + 1

    wait_until(nobody_waited, what="a name that outlives its time, asked for by one who waited, the first")


@FAMILIES
def test_names_move_on_with_the_services_pods(cluster, family):
    """As when its pods are replaced: they listen elsewhere, and whoever was asked before has gone."""
    server = cluster.kube_dns.ip[family]
    other = Unbound(cluster.a.add_pod(f"dns-{family}", "kube-system"), port=5353)
    assert ask(cluster.client, server, f"old{family}.many.example.").records() == ["192.0.2.7"]
    ports = cluster.kube_dns.ports
    try:
        cluster.kube_dns.ports = [("dns", 53, 5353, "UDP"), ("dns-tcp", 53, 5353, "TCP")]
        cluster.kube_dns.set_backends([other.place])
        cluster.wait_published()
        cluster.unbound.freeze()
        assert ask(cluster.client, server, f"new{family}.many.example.").records() == ["192.0.2.7"]
        wait_until(lambda: other.n_asked(f"new{family}.many.example."), what="the query in the new one's log")
        assert not cluster.unbound.n_asked(f"new{family}.many.example.")
    finally:
        cluster.unbound.thaw()
        cluster.kube_dns.ports = ports
        cluster.kube_dns.set_backends([cluster.dns])
        cluster.wait_published()


def dnsperf(cluster, family, names):
    """Codes and their counts of a second's run; nothing may be lost."""
    data = cluster.lab.dir / "dnsperf.txt"
    data.write_text("".join(f"{name} {kind}\n" for name in names for kind in ("A", "AAAA")))
    out = cluster.client.run(["dnsperf", "-s", cluster.kube_dns.ip[family], "-d", data, "-l", "1", "-t", PATIENCE, "-c", "4", "-q", "40",
                              "-f", f"inet{family if family == 6 else ''}"]).stdout
    sent, completed, lost = (int(re.search(rf"Queries {word}:\s+(\d+)", out)[1]) for word in ("sent", "completed", "lost"))
    assert (completed, lost) == (sent, 0), out
    codes = {code: int(n) for code, n in re.findall(r"([A-Z]+) (\d+) \(", re.search("Response codes:(.*)", out)[1])}
    assert sum(codes.values()) == sent > 100, out
    return codes


@FAMILIES
def test_dnsperf_loses_nothing_and_gets_no_wrong_code(cluster, family):
    assert set(dnsperf(cluster, family, [API, "www.example."])) == {"NOERROR"}
    assert set(dnsperf(cluster, family, [NOBODY, "nobody.example.", "api.nowhere.svc.cluster.local."])) == {"NXDOMAIN"}
