"""The addresses at which each node answers DNS itself: for its pods and its own processes, and what is not answered there is the
DNS service's."""

import json

import pytest

from cluster import Cluster
from lab import wait_until
from traffic import PYTHON, attempt, run_flows, serving

LOCAL = {4: "169.254.20.10", 6: "fd00:5353::10"}
FLOWS = 40
FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))

ASK = """
import socket, sys
name, server, number = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
s.connect((server, 53))
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
s.send(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0" + bytes([int(number)]) + b"\\0\\1")
answer = s.recv(1500)
print(answer[3] & 15, socket.inet_ntop(s.family, answer[-(4 if number == "1" else 16):]) if answer[7] else "")
"""


@pytest.fixture(scope="module")
def cluster():
    with Cluster(options={"dns": {"localAddresses": list(LOCAL.values())}}) as made:
        made.a = made.add_node("a")
        made.start()
        made.client, made.dns = made.a.add_pod("client"), made.a.add_pod("dns", "kube-system", ports=[8080])
        made.kube_dns = made.add_service("kube-dns", 53, 8080, [made.dns], namespace="kube-system",
                                         ports=[("dns", 53, 8080, "UDP"), ("dns-tcp", 53, 8080, "TCP")])
        made.write_manifest("namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        made.wait_published()
        wait_until(lambda: dns_of(made.a)["synced"] and dns_of(made.a)["names"] > 8, what="the zone")
        yield made


def status(node):
    return node.ringway("status")


def dns_of(node):
    return status(node)["dns"]


def reaches(client, proto, family):
    result = run_flows(client, proto, LOCAL[family], 53, FLOWS)
    assert (result["lost"], set(result["answers"])) == (0, {"dns"}), result


def ask(client, family, name):
    return client.run([PYTHON, "-c", ASK, name, LOCAL[family], "1" if family == 4 else "28"]).stdout.split()


@FAMILIES
@PROTOS
def test_what_is_no_query_goes_to_the_service(cluster, family, proto):
    with serving([cluster.dns]):
        reaches(cluster.client, proto, family)
        reaches(cluster.a, proto, family)


@FAMILIES
def test_queries_are_answered_without_it(cluster, family):
    for client in (cluster.client, cluster.a):
        assert ask(client, family, "kube-dns.kube-system.svc.cluster.local") == ["0", cluster.kube_dns.ip[family]]
        assert ask(client, family, "nobody.kube-system.svc.cluster.local") == ["3"]


def test_it_is_told(cluster):
    found = dns_of(cluster.a)
    assert (found["mode"], found["service"], found["service_found"]) == ("on", "kube-system/kube-dns", True)
    assert found["addresses"] == [*LOCAL.values(), *cluster.kube_dns.ip.values()]
    assert found["upstreams"] == [f"{cluster.dns.ip[4]}:8080", f"[{cluster.dns.ip[6]}]:8080"] and found["endpoints"] == 2
    told = cluster.a.ringway("services", "kube-system/kube-dns")
    local = {(frontend["address"], frontend["protocol"]) for port in told["services"]
             for frontend in port["frontends"] if frontend["kind"] == "LocalAddress"}
    assert local == {(address, proto) for address in LOCAL.values() for proto in ("udp", "tcp")}, told
    told = cluster.a.ringway("explain", "--from", "default/client", "--to", f"{LOCAL[4]}:53/tcp", check=False)
    assert "kube-system/kube-dns" in json.dumps(told), told


def test_an_address_that_the_node_has_itself_is_left_to_it(cluster):
    def warnings():
        return [text for text in status(cluster.a)["warnings"] if LOCAL[4] in text]

    cluster.a.run(f"ip addr add {LOCAL[4]}/32 dev lo")
    wait_until(warnings, what="a warning")
    assert "NodeLocal" in json.dumps(cluster.a.ringway("doctor", check=False))
    assert attempt(cluster.a, "tcp", LOCAL[4], 53) == "refused"
    assert ask(cluster.client, 4, "nobody.kube-system.svc.cluster.local") == ["3"]
    with serving([cluster.dns]):
        reaches(cluster.client, "tcp", 4)
    cluster.a.run(f"ip addr add {LOCAL[6]}/128 dev lo")
    wait_until(lambda: any(LOCAL[6] in text for text in warnings()), what="a warning of both")
    cluster.a.run(f"ip addr del {LOCAL[6]}/128 dev lo")
    wait_until(lambda: not any(LOCAL[6] in text for text in warnings()), what="a warning of one")
    cluster.a.run(f"ip addr del {LOCAL[4]}/32 dev lo")
    wait_until(lambda: not warnings(), what="the warning to go")
    with serving([cluster.dns]):
        wait_until(lambda: attempt(cluster.a, "tcp", LOCAL[4], 53) != "refused", what="the way")
        reaches(cluster.a, "tcp", 4)
