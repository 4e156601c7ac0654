"""DNS of a cluster as its pods see it: names of the zone are answered on the node, all else by unbound behind the DNS service, to
raw queries, dig, glibc and musl alike, over both families."""

import contextlib
import ipaddress
import random
import re
import select

import pytest

import dns_wire
from cluster import Cluster
from dns_lab import BRIEFLY, LOCAL, Resolving, Unbound, ask, ask_at_once, ask_tcp, build_lookup, socket_in, wait_answered
from dns_wire import AA, QR, RA, RD, TC
from lab import wait_until

FAMILIES = pytest.mark.parametrize("family", (4, 6))
TYPE_OF = {4: "A", 6: "AAAA"}
EXAMPLE = {4: "192.0.2.1", 6: "2001:db8::1"}
SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
API = "api.default.svc.cluster.local."
TTL = 30


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """The DNS service's pods are on both nodes, and with two workers on other ones than the clients."""
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.client, made.dns = made.a.add_pod("client"), made.a.add_pod("dns-a", "kube-system")
        made.pods = [made.a.add_pod("near", ports=[8080]), made.b.add_pod("far", ports=[8080])]
        made.buyer = made.a.add_pod("buyer", "shop")
        made.far_dns = made.b.add_pod("dns-b", "kube-system")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [made.dns, made.far_dns], namespace="kube-system",
                                         ports=[("dns", 53, 53, "UDP"), ("dns-tcp", 53, 53, "TCP")])
        make_names(made)
        made.unbounds = [Unbound(pod) for pod in (made.dns, made.far_dns)]
        made.wait_published()
        made.wait_joined()
        for family in (4, 6):
            for over in ("A", "AAAA"):
                wait_answered(made.client, made.kube_dns.ip[family], "www.example.", over)
        yield made


def make_names(made):
    made.api = made.add_service("api", 80, 8080, made.pods)
    made.headless = made.add_service("headless", 80, 8080, made.pods, protocols=("TCP",))
    made.headless.spec = {"clusterIP": "None", "clusterIPs": ["None"]}
    made.headless.set_backends(made.pods)
    made.write_manifest("service-outside", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "www.example"}})
    for namespace in ("default", "kube-system", "shop"):
        made.write_manifest(f"namespace-{namespace}",
                            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})


def every_server(cluster):
    return cluster.kube_dns.ip.values()


# --- names of the zone

@FAMILIES
def test_a_service_is_answered_from_the_zone(cluster, family):
    got = ask(cluster.client, cluster.kube_dns.ip[family], API, TYPE_OF[family])
    assert (got.rcode, got.records(), got.ttls()) == ("NOERROR", [cluster.api.ip[family]], {TTL}), got
    assert got.flags & (QR | AA | RD | TC) == QR | AA | RD and got.opt is None, got


@FAMILIES
def test_a_headless_service_has_its_endpoints(cluster, family):
    got = ask(cluster.client, cluster.kube_dns.ip[family], "headless.default.svc.cluster.local.", TYPE_OF[family])
    assert got.records() == sorted(pod.ip[family] for pod in cluster.pods), got


@FAMILIES
def test_what_does_not_exist_is_known_at_once(cluster, family):
    """And is asked of nobody else."""
    server = cluster.kube_dns.ip[family]
    for name, rcode in (("nobody.default.svc.cluster.local.", "NXDOMAIN"), ("www.example.default.svc.cluster.local.", "NXDOMAIN"),
                        ("x.nowhere.svc.cluster.local.", "NXDOMAIN"), ("default.svc.cluster.local.", "NOERROR")):
        got = ask(cluster.client, server, name, TYPE_OF[family])
        assert (got.rcode, got.answers, [record.type for record in got.authority]) == (rcode, [], ["SOA"]), got
        assert not any(unbound.n_asked(name) for unbound in cluster.unbounds), name


@FAMILIES
def test_other_types_of_the_zone(cluster, family):
    server = cluster.kube_dns.ip[family]
    srv = ask(cluster.client, server, f"_tcp-80._tcp.{API}", "SRV")
    assert srv.records() == [f"0 50 80 {API}"], srv  # shared with the other family, as CoreDNS does
    ptr = ask(cluster.client, server, reverse(cluster.api.ip[family]), "PTR")
    assert ptr.records() == [API], ptr
    version = ask(cluster.client, server, "dns-version.cluster.local.", "TXT")
    assert version.records() == ["1.1.0"], version
    external = ask(cluster.client, server, "outside.default.svc.cluster.local.", "CNAME")
    assert external.records() == ["www.example."], external


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer + "."


@FAMILIES
def test_letters_come_back_as_they_were_sent(cluster, family):
    """As resolvers have it that choose them at random (0x20): for what is answered here and for what unbound answers."""
    random.seed(7)
    for name, records in ((API, [cluster.api.ip[family]]), ("www.example.", [EXAMPLE[family]])):
        for _ in range(8):
            mixed = "".join(random.choice((letter.lower(), letter.upper())) for letter in name)
            got = ask(cluster.client, cluster.kube_dns.ip[family], mixed, TYPE_OF[family])
            assert (got.name, got.records()) == (mixed, records), got


@FAMILIES
def test_a_hundred_clients_at_once(cluster, family):
    names = [API if i % 2 else "nobody.default.svc.cluster.local." for i in range(100)]
    for got, name in zip(ask_at_once(cluster.client, cluster.kube_dns.ip[family], names), names):
        assert (got.rcode, got.name) == ("NOERROR" if name == API else "NXDOMAIN", name), got


@FAMILIES
def test_a_node_asks_as_a_pod_does(cluster, family):
    for node in (cluster.a, cluster.b):
        wait_answered(node, cluster.kube_dns.ip[family], "www.example.", TYPE_OF[family])
        got = ask(node, cluster.kube_dns.ip[family], API, TYPE_OF[family])
        assert (got.records(), got.has(AA)) == ([cluster.api.ip[family]], True), got


def test_the_nodes_own_address_answers_too(cluster):
    for place in (cluster.client, cluster.pods[1], cluster.a, cluster.b):
        got = ask(place, LOCAL, API)
        assert (got.records(), got.has(AA)) == ([cluster.api.ip[4]], True), got
        assert ask(place, LOCAL, "nobody.default.svc.cluster.local.", "AAAA").rcode == "NXDOMAIN"


@FAMILIES
def test_names_come_and_go_with_their_services(cluster, family):
    server, name = cluster.kube_dns.ip[family], "brief.default.svc.cluster.local."
    assert ask(cluster.client, server, name, TYPE_OF[family]).rcode == "NXDOMAIN"
    brief = cluster.add_service("brief", 80, 8080, cluster.pods)
    assert wait_answered(cluster.client, server, name, TYPE_OF[family]).records() == [brief.ip[family]]
    brief.remove()
    wait_answered(cluster.client, server, name, TYPE_OF[family], rcode="NXDOMAIN")


# --- what is not a plain query goes on to the service

@FAMILIES
def test_odd_queries_reach_the_service(cluster, family):
    server, client = cluster.kube_dns.ip[family], cluster.client
    chaos = ask(client, server, "id.server.", "TXT", qclass=3)
    assert (chaos.rcode, chaos.qclass) == ("NOERROR", 3) and chaos.answers, chaos  # unbound says its host's name
    for opcode in (2, 4, 5):  # STATUS, NOTIFY, UPDATE
        got = ask(client, server, API, opcode=opcode)
        assert got.rcode in ("NOTIMP", "REFUSED", "FORMERR") and got.flags >> 11 & 15 == opcode, got
    tcp = ask_tcp(client, server, "www.example.", TYPE_OF[family])
    assert tcp.records() == [EXAMPLE[family]], tcp
    # unbound knows nothing of the zone: over TCP it is asked
    assert ask_tcp(client, server, API).rcode == "NXDOMAIN"


@FAMILIES
def test_what_is_no_query_is_answered_by_nobody(cluster, family):
    """Half a header, a reply, no bytes at all: unbound gets it, as it would without us."""
    message = dns_wire.query(API)
    with socket_in(cluster.client, cluster.kube_dns.ip[family]) as s:
        s.connect((cluster.kube_dns.ip[family], 53))
        for odd in (b"", message[:7], message[:2] + b"\x81\x80" + message[4:]):
            s.send(odd)
        s.settimeout(BRIEFLY)
        with pytest.raises(TimeoutError):
            s.recv(1)
    got = ask(cluster.client, cluster.kube_dns.ip[family], API, TYPE_OF[family])
    assert got.records() == [cluster.api.ip[family]], got


# --- policies: whether a pod may ask the DNS service, as the service's pods would be asked

@contextlib.contextmanager
def egress(cluster, *rules, mode="enforce"):
    """The namespace shop has a policy that lets out what rules say."""
    try:
        cluster.write_manifest("namespace-shop", {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "shop", "annotations": {"ringway.io/policy-mode": mode}}})
        cluster.write_manifest("policy-shop", {
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed", "namespace": "shop"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(rules)}})
        cluster.wait_published()
        yield
    finally:
        cluster.remove_manifest("policy-shop")
        cluster.wait_published()


TO_DNS = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
          "ports": [{"port": 53, "protocol": "UDP"}]}
ELSEWHERE = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}]}


def test_a_pod_that_may_not_ask_gets_no_answer(cluster):
    """Not of what is known here either. It is dropped, counted and named."""
    def warned():
        return [text for text in cluster.a.ringway("status")["warnings"] if text.startswith("pod shop/buyer asks for names")]

    questions = [(cluster.kube_dns.ip[family], name) for family in (4, 6) for name in (API, "www.example.")]
    for rules in ((), (ELSEWHERE,)):
        with egress(cluster, *rules), contextlib.ExitStack() as stack:
            before = cluster.a.drops().get("policy_egress", 0)
            sockets = [stack.enter_context(socket_in(cluster.buyer, server)) for server, _ in questions]
            for s, (server, name) in zip(sockets, questions):
                s.sendto(dns_wire.query(name), (server, 53))
            wait_until(lambda n=before: cluster.a.drops().get("policy_egress", 0) == n + len(questions), what="drops for policy_egress")
            assert not select.select(sockets, [], [], 0)[0]
            wait_until(warned, what="a warning that names the pod")
            assert "shop/closed" in warned()[0], warned()
            assert "shop/closed" in cluster.a.ringway("dns", "shop/buyer")["pods"][0]["denied"]
            assert [check for check in cluster.a.ringway("doctor", check=False)["checks"]
                    if check["check"] == "dns" and check["status"] == "warn"]
            # another pod's questions are no matter of it
            assert ask(cluster.client, cluster.kube_dns.ip[4], API).records() == [cluster.api.ip[4]]


@FAMILIES
def test_a_pod_that_may_ask_gets_answers(cluster, family):
    server = cluster.kube_dns.ip[family]
    for rule, mode in ((TO_DNS, "enforce"), (ELSEWHERE, "audit")):
        with egress(cluster, rule, mode=mode):
            before = cluster.a.drops()
            for name, address in ((API, cluster.api.ip[family]), ("www.example.", EXAMPLE[family])):
                assert ask(cluster.buyer, server, name, TYPE_OF[family]).records() == [address]
            assert cluster.a.drops() == before


# --- resolvers

def dig(place, *arguments):
    done = place.run(["dig", "+tries=1", "+timeout=60", *arguments])
    status = re.search(r"status: (\w+)", done.stdout)
    assert status, done.stdout
    answers = re.findall(r"^(\S+)\s+(\d+)\s+(\w+)\s+(\w+)\s+(.*)$", done.stdout, re.MULTILINE)
    return status[1], sorted(answer[4] for answer in answers), done.stdout


@FAMILIES
def test_dig(cluster, family):
    server, kind = f"@{cluster.kube_dns.ip[family]}", TYPE_OF[family]
    for name, wanted in ((API, cluster.api.ip[family]), ("www.example.", EXAMPLE[family])):
        for how in ((), ("+noedns",), ("+bufsize=512",), ("+dnssec",), ("+nocookie",), ("+noad", "+cd")):
            status, records, out = dig(cluster.client, server, *how, kind, name)
            assert (status, records) == ("NOERROR", [wanted]), out
            assert not re.search("malformed|mismatch|extra bytes|Truncated", out), out
    status, records, out = dig(cluster.client, server, "+edns=1", "+noednsneg", kind, API)
    assert (status, records) == ("BADVERS", []), out
    status, records, out = dig(cluster.client, server, "+tcp", kind, "www.example.")
    assert (status, records) == ("NOERROR", [EXAMPLE[family]]), out
    status, _, out = dig(cluster.client, server, kind, "nobody.default.svc.cluster.local.")
    assert status == "NXDOMAIN" and "aa" in re.search(r"flags: ([^;]*)", out)[1].split() and "SOA" in out, out


@FAMILIES
def test_glibc_finds_names_by_its_search_list(cluster, family):
    resolving = Resolving(cluster.client, [cluster.kube_dns.ip[family]], SEARCH)
    for name, wanted in (("api", cluster.api), ("api.default", cluster.api), ("kube-dns.kube-system", cluster.kube_dns),
                         ("api.default.svc.cluster.local.", cluster.api)):
        found = {line.split()[0] for line in resolving.run(["getent", "ahosts", name]).stdout.splitlines()}
        assert found == set(wanted.ip.values()), (name, found)
    found = {line.split()[0] for line in resolving.run(["getent", "ahosts", "headless"]).stdout.splitlines()}
    assert found == {address for pod in cluster.pods for address in pod.ip.values()}
    # over all of its search list to a name of the world, by an ExternalName, and back from an address
    for name in ("www.example", "outside"):
        found = {line.split()[0] for line in resolving.run(["getent", "ahosts", name]).stdout.splitlines()}
        assert found == set(EXAMPLE.values()), (name, found)
    assert resolving.run(["getent", "hosts", cluster.api.ip[family]]).stdout.split()[1] == API.rstrip(".")
    assert resolving.run(["getent", "ahosts", "nobody"], check=False).returncode == 2


@FAMILIES
def test_musl_finds_the_same(cluster, family):
    """It asks all of its servers at once, for both types at once, and takes no NXDOMAIN back."""
    resolving = Resolving(cluster.client, [cluster.kube_dns.ip[family]] + list(every_server(cluster)), SEARCH)
    lookup = build_lookup(cluster.lab)
    for name, wanted in (("api", set(cluster.api.ip.values())), ("api.default.svc.cluster.local", set(cluster.api.ip.values())),
                         ("headless", {address for pod in cluster.pods for address in pod.ip.values()}),
                         ("www.example", set(EXAMPLE.values())), ("outside", set(EXAMPLE.values()))):
        assert set(resolving.run([lookup, "any", name]).stdout.split()) == wanted, name
    assert resolving.run([lookup, "ptr", cluster.api.ip[family]]).stdout.strip() == API.rstrip(".")
    nobody = resolving.run([lookup, "any", "nobody"], check=False)
    assert nobody.returncode == 2 and nobody.stdout.startswith("-2 "), nobody.stdout  # EAI_NONAME


def test_unbound_is_asked_for_names_of_the_world(cluster):
    """What the checks that nobody else is asked stand on."""
    before = sum(unbound.n_asked("asked-once.many.example.") for unbound in cluster.unbounds)
    got = ask(cluster.client, cluster.kube_dns.ip[4], "asked-once.many.example.")
    assert got.records() == ["192.0.2.7"] and got.has(RA), got
    wait_until(lambda: sum(unbound.n_asked("asked-once.many.example.") for unbound in cluster.unbounds) == before + 1,
               what="the query in unbound's log")


# --- what is told of it

def told_of(place, which):
    """What `ringway dns` has of a pod since it came."""
    pod, = place.ringway("dns", which)["pods"]
    return {"queries": pod["total"]["queries"], "wasted": pod["total"]["wasted"], "nxdomain": pod["total"]["nxdomain"],
            **pod["total"]["sources"]}


@FAMILIES
def test_tries_along_a_search_list_are_told_as_wasted(cluster, family):
    """All but the last, by which the name is found that they are told of."""
    server = cluster.kube_dns.ip[family]
    tries = [f"api.default.{suffix}." for suffix in ("shop.svc.cluster.local", "svc.cluster.local")]

    def asked():
        before = told_of(cluster.a, "shop/buyer")
        assert [ask(cluster.buyer, server, name).rcode for name in tries] == ["NXDOMAIN", "NOERROR"]
        after = told_of(cluster.a, "shop/buyer")
        assert [after[key] - before[key] for key in ("queries", "authority", "nxdomain")] == [2, 2, 1], (before, after)
        return after["wasted"] == before["wasted"] + 1  # a client that takes long for its next try has given up

    wait_answered(cluster.buyer, server, API)
    wait_until(asked, what="a wasted query")
    name, = (name for name in cluster.a.ringway("dns", "shop/buyer")["names"] if name["name"] == API)
    assert name["queries"] > name["wasted"] > 0 and "shop/buyer" in name["pods"], name
    metrics = cluster.a.metrics()
    assert metrics["ringway_dns_wasted_total"] >= name["wasted"]
    assert metrics['ringway_dns_queries_total{source="authority"}'] >= name["queries"]
    assert metrics["ringway_dns_first_to_final_seconds_count"] > 0


def test_servers_and_cache_are_told(cluster):
    ask(cluster.client, cluster.kube_dns.ip[4], "www.example.")

    def told():
        doc = cluster.a.ringway("dns", "default/client")
        server = next((server for server in doc["upstreams"] if server["state"] == "answers"), None)
        name = next((name for name in doc["names"] if name["name"] == "www.example."), None)
        return server and name and doc["cache"]["entries"] and server["address"]

    assert wait_until(told, what="a server that answers") in {address for pod in (cluster.dns, cluster.far_dns)
                                                              for address in pod.ip.values()}
    metrics = cluster.a.metrics()
    assert metrics["ringway_dns_cache_entries"] > 0 and metrics["ringway_dns_upstream_tries_total"] > 0
    assert metrics["ringway_dns_resolver_tries_total"] > 0
