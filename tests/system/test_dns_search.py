"""Searches that are completed on the node (dns.searchCompletion): with ndots:5 a resolver asks once for what would otherwise take it
its whole search list. The server outside is scripted."""

import pytest

import dns_wire
from cluster import Cluster, counters_of
from dns_lab import Resolving, Scripted, ask, build_lookup, wait_answered

FAMILIES = pytest.mark.parametrize("family", (4, 6))
SUFFIX = "corp.example"
SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", SUFFIX)
SOA = ("SOA", 600, "ns.test. root.test. 1 3600 600 86400 600")
SERVFAIL, NXDOMAIN = 2, 3
ADDRESSES = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}


def answer(message, over):
    """All names exist but those below the node's suffix."""
    asked = dns_wire.parse(message)
    if asked.name.lower().endswith(f"{SUFFIX}."):
        return [dns_wire.reply(message, authority=[SOA], rcode=NXDOMAIN)]
    return [dns_wire.reply(message, [(asked.type, 300, ADDRESSES[asked.type])])]


@pytest.fixture(scope="module")
def cluster():
    options = {"workers": {"cpus": [0, 1]},
               "dns": {"upstreams": ["172.30.0.100"], "searchSuffixes": [SUFFIX], "searchCompletion": "on"}}
    with Cluster(options=options) as made:
        made.a = made.add_node("a")
        outside = made.add_outside("one", 100)
        made.start()
        made.client = made.a.add_pod("client")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [], namespace="kube-system", protocols=("UDP",))
        for namespace in ("default", "kube-system", "shop"):
            made.write_manifest(f"namespace-{namespace}",
                                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        made.one = Scripted(outside, answer)
        made.wait_published()
        for family in (4, 6):
            wait_answered(made.client, made.kube_dns.ip[family], "warm.example.")
        yield made
        counters_of(made.a)  # which balance


def figures(cluster):
    """What the client was told so far, and how much of it completed a search: exact counts."""
    pod, = (pod for pod in cluster.a.ringway("dns")["pods"] if pod["name"] == "client")
    return pod["total"]["queries"], pod["total"]["completed"]


def counted(cluster, work):
    before = figures(cluster)
    work()
    return tuple(now - was for now, was in zip(figures(cluster), before))


@FAMILIES
def test_glibc_and_musl_ask_once(cluster, family):
    """Once for each type, that is. On a search list that is not their namespace's they go along as ever."""
    server = cluster.kube_dns.ip[family]
    resolving = Resolving(cluster.client, [server], SEARCH)
    outside = {ADDRESSES["A"], ADDRESSES["AAAA"]}

    def getent(resolving, name, wanted):
        out = resolving.run(["getent", "ahosts", name]).stdout
        assert {line.split()[0] for line in out.splitlines()} == wanted, out

    name = f"www{family}.example.com"
    for kind in ADDRESSES:
        wait_answered(cluster.client, server, f"{name}.{SEARCH[0]}.", kind)
    assert cluster.one.n_asked(f"com.{SUFFIX}.") and not cluster.one.n_asked(f"{name}.{SUFFIX}."), cluster.one.seen
    assert counted(cluster, lambda: getent(resolving, name, outside)) == (2, 2)
    assert counted(cluster, lambda: getent(resolving, "kube-dns.kube-system", set(cluster.kube_dns.ip.values()))) == (2, 2)
    # the search list of another namespace, as of a pod with a dnsConfig: five names
    other = Resolving(cluster.client, [server], ("shop.svc.cluster.local", *SEARCH[1:]), "ndots:5 attempts:3")
    assert counted(cluster, lambda: getent(other, name, outside)) == (10, 0)

    lookup = build_lookup(cluster.lab)
    assert counted(cluster, lambda: resolving.run([lookup, "any", name])) == (2, 2)


@FAMILIES
def test_what_cannot_be_found_out_is_left_to_the_resolver(cluster, family):
    cluster.one.script = lambda message, over: [dns_wire.reply(message, rcode=SERVFAIL)]
    try:
        got = ask(cluster.client, cluster.kube_dns.ip[family], f"gone{family}.example.net.{SEARCH[0]}.")
        assert (got.rcode, got.answers, got.authority[0].type) == ("NXDOMAIN", [], "SOA"), got
    finally:
        cluster.one.script = answer
    assert cluster.one.n_asked(f"net.{SUFFIX}."), cluster.one.seen
    got = wait_answered(cluster.client, cluster.kube_dns.ip[family], f"gone{family}.example.net.{SEARCH[0]}.")
    assert [(record.type, record.data) for record in got.answers] == [
        ("CNAME", f"gone{family}.example.net."), ("A", ADDRESSES["A"])], got
