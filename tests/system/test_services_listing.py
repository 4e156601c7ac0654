"""`ringway services`: who serves whom, who can be reached from outside, and which addresses a service asks for in vain."""

import pytest

from cluster import RINGWAY, Cluster
from lab import run


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as made:
        a, b = made.add_node("a"), made.add_node("b")
        made.start()
        made.near, made.far = a.add_pod("near"), b.add_pod("far")
        a.add_pod("door", host_ports=[(8080, 80, "TCP")])
        made.add_service("web", 80, 8080, [made.near, made.far], protocols=("TCP",), ingress=[
            {"ip": "203.0.113.9"}, {"ip": made.near.ip[4]}, {"ip": "203.0.113.10", "ipMode": "Proxy"}], spec={
                "type": "LoadBalancer", "externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"],
                "loadBalancerSourceRanges": ["192.0.2.0/24"], "sessionAffinity": "ClientIP"})
        made.add_service("inner", 80, 8080, [made.far], protocols=("TCP",))
        made.write_manifest("alias", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"},
                                      "spec": {"type": "ExternalName", "externalName": "example.com"}})
        made.wait_published()
        yield made


def text(node, *arguments):
    return run(node.wrap([RINGWAY, "services", *arguments, "--socket", node.socket]), check=False)


def words(output):
    """Lines as lists of words."""
    return [line.split() for line in output.splitlines()]


def test_a_service_shows_its_frontends_and_policies(cluster):
    a = cluster.nodes[0]
    (web,) = a.ringway("services", "default/web")["services"]
    assert {(f["kind"], f["address"], f["port"], f["exposed"], f["backends"], f["backends_outside"])
            for f in web["frontends"]} == {
        ("ClusterIP", "10.96.0.10", 80, False, 2, 0), ("ClusterIP", "fd00:10:96::a", 80, False, 2, 0),
        ("NodePort", a.ip[4], 30080, True, 2, 1), ("NodePort", a.ip[6], 30080, True, 2, 1),
        ("LoadBalancer", "203.0.113.9", 80, True, 2, 1)}
    assert {refused["address"] for refused in web["refused"]} == {cluster.near.ip[4], "198.51.100.1"}
    shown = text(a, "default/web").stdout
    assert f"refused: {cluster.near.ip[4]} is in a range of pods' addresses" in shown
    assert "externalTrafficPolicy Local" in shown and "a client keeps its backend for 3 h" in shown
    lines = words(shown)
    assert ["203.0.113.9:80/tcp", "LoadBalancer", "192.0.2.0/24", "2", "1", "-"] in lines
    assert any(line[:3] == [f"{cluster.near.ip[4]}:8080", "ready", "all"] for line in lines)
    assert any(line[:3] == [f"{cluster.far.ip[4]}:8080", "ready", "inside"] for line in lines)


def test_what_is_exposed_is_listed_and_nothing_else(cluster):
    a = cluster.nodes[0]
    lines = words(text(a, "--exposed").stdout)
    assert {line[0] for line in lines[1:]} == {f"{a.ip[4]}:30080/tcp", f"[{a.ip[6]}]:30080/tcp", "203.0.113.9:80/tcp",
                                               "*:8080/tcp"}
    assert ["*:8080/tcp", "HostPort", "pod", "default/door", "everybody", "1"] in lines
    doc = a.ringway("services", "--exposed")
    assert {service["name"] for service in doc["services"]} == {"web"}
    assert [port["name"] for port in doc["host_ports"]] == ["door"]


def test_every_service_is_listed(cluster):
    a = cluster.nodes[0]
    lines = words(text(a).stdout)
    assert ["default/alias", "ExternalName", "example.com", "-", "0/0", "0", "-"] in lines
    assert any(line[:2] == ["default/inner", "ClusterIP"] for line in lines)
    for name in ("nobody", "default/nobody", "x y&z", "default/" + "w" * 500):
        done = text(a, name)
        assert done.returncode == 1 and "there is no service" in done.stderr, done
