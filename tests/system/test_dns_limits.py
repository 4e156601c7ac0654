"""Limits of what a node asks upstream: one pod that floods is told so, and others are answered all the same."""

import threading

import pytest

import dns_wire
from cluster import Cluster
from dns_lab import Scripted, ask, socket_in

FAMILIES = pytest.mark.parametrize("family", (4, 6))
BUDGET, IN_FLIGHT = 50, 8


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    options = {"workers": {"cpus": list(range(request.param))},
               "dns": {"upstreams": ["172.30.0.100"], "queriesPerSecond": BUDGET, "inFlightPerPod": IN_FLIGHT}}
    with Cluster(options=options) as made:
        made.a = made.add_node("a")
        outside = made.add_outside("one", 100)
        made.start()
        made.greedy, made.quiet = made.a.add_pod("greedy"), made.a.add_pod("quiet")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [], namespace="kube-system", protocols=("UDP",))
        made.upstream = Scripted(outside, lambda message, over: [dns_wire.reply(message, [("A", 300, "192.0.2.1")])])
        made.wait_published()
        yield made


class Flood:
    """Asks for ever new names, a burst at a time, until it ends; what it was answered."""

    def __init__(self, place, server, tag):
        self.replies = []
        self._place, self._server, self._tag = place, server, tag
        self._over = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._begun.wait()

    def _run(self):
        with socket_in(self._place, self._server) as s:
            s.connect((self._server, 53))
            s.settimeout(0.02)
            n = 0
            while not self._over.is_set():
                for _ in range(5 * IN_FLIGHT):
                    n += 1
                    s.send(dns_wire.query(f"{self._tag}{n}.example.", edns=1232))
                self._begun.set()
                self._receive(s)

    def _receive(self, s):
        try:
            while True:
                self.replies.append(dns_wire.parse(s.recv(65535)))
        except TimeoutError:
            pass

    def end(self):
        self._over.set()
        self._thread.join()
        return self.replies


@FAMILIES
def test_a_flooding_pod_leaves_others_their_answers(cluster, family):
    server = cluster.kube_dns.ip[family]
    flood = Flood(cluster.greedy, server, f"flood{family}-")
    try:
        for i in range(20):
            got = ask(cluster.quiet, server, f"quiet{family}-{i}.example.", edns=1232)
            assert (got.rcode, got.records()) == ("NOERROR", ["192.0.2.1"]), got
            # what is known is no matter of limits
            assert ask(cluster.greedy, server, f"quiet{family}-{i}.example.").records() == ["192.0.2.1"]
    finally:
        replies = flood.end()
    codes = {reply.rcode for reply in replies}
    assert codes == {"NOERROR", "SERVFAIL"}, codes
    limited = [reply for reply in replies if reply.rcode == "SERVFAIL"]
    assert all(reply.ede() and reply.ede()[1] for reply in limited), limited[0]
