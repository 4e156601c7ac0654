"""What the node makes of DNS servers that answer slowly, wrongly, in part or not at all. They are scripted: each test says what
comes back, and sees what was asked."""

import collections
import contextlib
import threading

import pytest

import dns_wire
from cluster import Cluster, counters_of
from dns_lab import LOCAL, Scripted, ask, ask_at_once, socket_in, wait_answered
from dns_wire import AA, RA, TC
from lab import wait_until

FAMILIES = pytest.mark.parametrize("family", (4, 6))
STALE_TTL = 30
SUFFIX, STUB = "corp.example.", "stub.example."
A, SOA = ("A", 300, "192.0.2.1"), ("SOA", 60, "ns.test. root.test. 1 3600 600 86400 60")


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """A node whose servers are two machines outside, asked over IPv4 and over IPv6, and a third one for a zone of its own."""
    options = {"workers": {"cpus": list(range(request.param))},
               "dns": {"upstreams": ["172.30.0.100", "[fd00:30::65]:5353"], "stubDomains": [f"{STUB}=172.30.0.102"],
                       "searchSuffixes": [SUFFIX], "inFlightPerPod": 256}}
    with Cluster(options=options) as made:
        made.a = made.add_node("a")
        outside = [made.add_outside(name, 100 + i) for i, name in enumerate(("one", "two", "stub"))]
        made.start()
        made.client, made.other = made.a.add_pod("client"), made.a.add_pod("other")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [], namespace="kube-system", protocols=("UDP",))
        made.write_manifest("service-outside", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside", "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": "www.example"}})
        made.write_manifest("namespace-default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        made.one, made.two, made.stub = (Scripted(machine, None, port) for machine, port in zip(outside, (53, 5353, 53)))
        made.wait_published()
        yield made


@pytest.fixture(autouse=True)
def scripts(cluster):
    """All of them answer anything well, until a test says otherwise."""
    for server in (cluster.one, cluster.two, cluster.stub):
        server.script = lambda message, over: [dns_wire.reply(message, [A])]
        server.seen.clear()
    yield
    counters_of(cluster.a)  # which balance


def both(cluster, script):
    cluster.one.script = cluster.two.script = script


def n_asked(cluster, name, kind=None):
    return cluster.one.n_asked(name, kind) + cluster.two.n_asked(name, kind)


FRESH = map("n{}".format, range(10 ** 6))


def fresh(zone="example."):
    """A name that was not asked for before."""
    return f"{next(FRESH)}.{zone}"


def where(cluster, family):
    """The addresses where the node answers."""
    return [cluster.kube_dns.ip[family]] + [LOCAL] * (family == 4)


def resolver(cluster):
    """Its counters."""
    return cluster.a.ringway("dns")["resolver"]


# --- answers

@FAMILIES
def test_the_same_answers_at_each_address_for_pods_and_the_node(cluster, family):
    name = fresh()
    for place in (cluster.client, cluster.other, cluster.a):
        for server in where(cluster, family):
            got = ask(place, server, name)
            assert (got.rcode, got.records(), got.has(RA), got.has(AA)) == ("NOERROR", ["192.0.2.1"], True, False), got
            assert got.ttls() <= set(range(1, 301)), got
    assert n_asked(cluster, name) == 1


@FAMILIES
def test_an_alias_of_the_zone_ends_where_the_servers_say(cluster, family):
    for _ in range(3):
        got = ask(cluster.client, cluster.kube_dns.ip[family], "outside.default.svc.cluster.local.")
        assert [(record.type, record.data) for record in got.answers] == [("CNAME", "www.example."), ("A", "192.0.2.1")], got
    assert n_asked(cluster, "www.example.", "A") <= 1


def test_an_answer_over_tcp_where_a_datagram_has_no_room(cluster):
    """Whole from the servers; to the client as far as it takes datagrams: it asks over TCP itself for more."""
    many = [("A", 300, f"192.0.2.{i}") for i in range(1, 41)]
    both(cluster, lambda message, over: [dns_wire.reply(message, many if over == "tcp" else (), flags=0 if over == "tcp" else TC)])
    name = fresh()
    big = ask(cluster.client, cluster.kube_dns.ip[4], name, edns=4096)
    assert (big.has(TC), len(big.answers)) == (False, 40), big
    small = ask(cluster.client, cluster.kube_dns.ip[4], name)
    assert small.has(TC) and small.size <= 512, small
    assert cluster.one.n_asked(name, over="tcp") + cluster.two.n_asked(name, over="tcp") == 1


def test_names_and_types_of_all_shapes(cluster):
    data = {"A": "192.0.2.1", 64: "000100", 257: "c0de"}  # SVCB, CAA
    both(cluster, lambda message, over: [dns_wire.reply(message, [(kind := dns_wire.parse(message).type, 300, data[kind])])])
    for name in (".", "x.", "a" * 63 + ".example.", ".".join(["b" * 61] * 4) + ".", "_sip._tcp.example.", "\0\xe4 .example."):
        for kind, wanted in data.items():
            for _ in range(2):
                got = ask(cluster.client, cluster.kube_dns.ip[4], name, kind)
                assert (got.rcode, got.records(), got.name) == ("NOERROR", [wanted], name), got
            assert n_asked(cluster, name.lower(), kind) == 1, (name, kind)


def test_who_wants_signatures_is_answered_apart(cluster):
    """RFC 4035: what has them is not for others, and what has none is not for him."""
    wanted = []

    def script(message, over):
        wanted.append(dns_wire.parse(message).opt["do"])
        return [dns_wire.reply(message, [A])]

    both(cluster, script)
    name = fresh()
    for do in (False, True, False, True):
        got = ask(cluster.client, cluster.kube_dns.ip[4], name, edns=1232, do=do)
        assert (got.records(), got.opt["do"]) == (["192.0.2.1"], do), got
    assert wanted == [False, True]


@FAMILIES
def test_what_does_not_exist_is_kept_too(cluster, family):
    both(cluster, lambda message, over: [dns_wire.reply(message, rcode=3, authority=[("example.", *SOA)])])
    name = fresh()
    for _ in range(3):
        got = ask(cluster.client, cluster.kube_dns.ip[family], name)
        assert (got.rcode, [record.type for record in got.authority]) == ("NXDOMAIN", ["SOA"]), got
    assert n_asked(cluster, name) == 1


def test_ids_and_ports_are_new_each_time(cluster):
    names = [fresh() for _ in range(40)]
    for name in names:
        ask(cluster.client, cluster.kube_dns.ip[4], name)
    asked = [seen for seen in cluster.one.seen + cluster.two.seen if seen[0] in names]
    ports, ids = collections.Counter(seen[4] for seen in asked), collections.Counter(seen[5] for seen in asked)
    # 40 of 28,000 and of 65,536: three pairs are less likely than one in a million
    assert sum(n > 1 for n in ports.values()) < 3 and sum(n > 1 for n in ids.values()) < 3, asked


# --- as few questions as can be

@FAMILIES
def test_a_hundred_of_the_same_are_asked_once(cluster, family):
    """They wait for one look-up, of which the servers say nothing until all of them are there."""
    name, before, gate = fresh(), resolver(cluster), threading.Event()
    both(cluster, lambda message, over: [dns_wire.reply(message, [A])] if gate.is_set() else None)
    replies = []
    asking = threading.Thread(target=lambda: replies.extend(ask_at_once(cluster.client, cluster.kube_dns.ip[family], [name] * 100)))
    asking.start()
    try:
        wait_until(lambda: resolver(cluster)["coalesced"] - before["coalesced"] >= 99, what="99 that wait for what the first asked")
    finally:
        gate.set()
        asking.join()
    assert [reply.records() for reply in replies] == [["192.0.2.1"]] * 100
    assert resolver(cluster)["lookups"] - before["lookups"] == 1


def test_junk_below_a_search_suffix_is_asked_once(cluster):
    """RFC 8020: what is below a name that does not exist, does not exist."""
    def script(message, over):
        name = dns_wire.parse(message).name.lower()
        exists = name.endswith("real." + SUFFIX)
        return [dns_wire.reply(message, [A] if exists else (), rcode=0 if exists else 3, authority=() if exists else [(SUFFIX, *SOA)])]

    both(cluster, script)
    junk = fresh("junk." + SUFFIX).split(".")[0]
    for i in range(20):
        for kind in ("A", "AAAA"):
            got = ask(cluster.client, cluster.kube_dns.ip[4], f"host{i}.deep.{junk}.{SUFFIX}", kind)
            assert got.rcode == "NXDOMAIN" and got.authority, got
    asked = [seen for seen in cluster.one.seen + cluster.two.seen if junk in seen[0]]
    assert [seen[0] for seen in asked] == [f"{junk}.{SUFFIX}"], asked
    assert ask(cluster.client, cluster.kube_dns.ip[4], "www.real." + SUFFIX).records() == ["192.0.2.1"]


def test_a_zone_of_its_own_has_its_own_server(cluster):
    name = fresh(STUB)
    cluster.stub.script = lambda message, over: [dns_wire.reply(message, [("A", 300, "192.0.2.3")])]
    assert ask(cluster.client, cluster.kube_dns.ip[4], name).records() == ["192.0.2.3"]
    assert (cluster.stub.n_asked(name), n_asked(cluster, name)) == (1, 0)


# --- servers that fail

@FAMILIES
@pytest.mark.parametrize("failure", ("silence", "SERVFAIL", "REFUSED", "nonsense"))
def test_another_server_is_asked_where_one_fails(cluster, family, failure):
    cluster.one.script = {"silence": lambda message, over: None, "nonsense": lambda message, over: [b"\0" * 40],
                          "SERVFAIL": lambda message, over: [dns_wire.reply(message, rcode=2)],
                          "REFUSED": lambda message, over: [dns_wire.reply(message, rcode=5)]}[failure]
    for _ in range(6):
        got = ask(cluster.client, cluster.kube_dns.ip[family], fresh())
        assert (got.rcode, got.records()) == ("NOERROR", ["192.0.2.1"]), got


def test_forgeries_are_ignored_and_counted(cluster):
    """A wrong id and a wrong question from the server's own address; the right ones from another port of it; and then the
    server's answer. Whoever is asked again later is told the same."""
    evil = [("A", 300, "203.0.113.66")]

    def script(server):
        def forge(message, over):
            s = forgers[server]
            s.sendto(dns_wire.reply(message, evil), server.seen[-1][3:5])
            return [dns_wire.reply(message, evil, ident=dns_wire.parse(message).id ^ 1),
                    dns_wire.reply(message, evil, name="evil.example."), (0.05, dns_wire.reply(message, [A]))]
        return forge

    before = resolver(cluster)["mismatched"]
    with contextlib.ExitStack() as stack:
        forgers = {server: stack.enter_context(socket_in(server.place, address))
                   for server, address in ((cluster.one, cluster.one.place.ip[4]), (cluster.two, cluster.two.place.ip[6]))}
        for server in forgers:
            server.script = script(server)
        names = [fresh() for _ in range(10)]
        for _ in range(2):
            for got in ask_at_once(cluster.client, cluster.kube_dns.ip[4], names):
                assert got.records() == ["192.0.2.1"], got
    wait_until(lambda: resolver(cluster)["mismatched"] - before >= 2 * len(names), what="forgeries counted")


@FAMILIES
def test_slow_servers_are_waited_for(cluster, family):
    """By everybody at the same time."""
    both(cluster, lambda message, over: [(0.3, dns_wire.reply(message, [A]))])
    for got in ask_at_once(cluster.client, cluster.kube_dns.ip[family], [fresh() for _ in range(60)]):
        assert (got.rcode, got.records()) == ("NOERROR", ["192.0.2.1"]), got


def test_answers_live_on_while_no_server_answers(cluster):
    """With a TTL of 30 (RFC 8767); a name that nobody has asked for before has none to live on."""
    both(cluster, lambda message, over: [dns_wire.reply(message, [("A", 1, "192.0.2.1")])])
    name = fresh()
    assert ask(cluster.client, cluster.kube_dns.ip[4], name).ttls() <= {0, 1}
    both(cluster, lambda message, over: None)

    def stale():
        got = ask(cluster.client, cluster.kube_dns.ip[4], name, edns=1232)
        assert got.records() == ["192.0.2.1"], got
        return got if got.ttls() == {STALE_TTL} else None

    got = wait_until(stale, what="the answer from the cache, past its time")
    assert got.ede() and got.ede()[0] == 3, got
    got = ask(cluster.client, cluster.kube_dns.ip[4], fresh(), edns=1232)
    assert (got.rcode, got.answers) == ("SERVFAIL", []) and got.ede()[0] in (13, 22, 23), got
    both(cluster, lambda message, over: [dns_wire.reply(message, [A])])
    wait_answered(cluster.client, cluster.kube_dns.ip[4], fresh())
