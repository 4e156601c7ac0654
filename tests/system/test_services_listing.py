"""`ringway services`: who serves whom, who can be reached from outside, and which addresses a service asks for in vain."""

import pytest

from cluster import RINGWAY, Cluster
from lab import run, wait_until


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


def test_of_two_that_claim_the_same_the_older_one_has_it_and_the_other_is_told(cluster):
    """A node port and a balancer's address that two services claim, of which the younger one comes first by its name and as a
    manifest. A restart changes nothing; when the older one goes, the younger one gets both."""
    a = cluster.nodes[0]
    spec, ingress = {"type": "LoadBalancer"}, [{"ip": "203.0.113.20"}, {"ip": "2001:db8:113::20"}]
    claimed = {f"{a.ip[4]}:30081/tcp", f"[{a.ip[6]}]:30081/tcp", "203.0.113.20:81/tcp", "[2001:db8:113::20]:81/tcp"}

    def add(name, created):
        return cluster.add_service(name, 81, 8080, [cluster.near], protocols=("TCP",), spec=spec, ingress=ingress,
                                   created=created)

    def holders():
        return {line[0]: line[3] for line in words(text(a, "--exposed").stdout) if line[0] in claimed}

    def told():
        done = run(a.wrap([RINGWAY, "doctor", "--socket", a.socket, "--config", a.dir / "ringway.yaml"]), check=False)
        return [line for line in done.stdout.splitlines() if line.startswith("warn  claims")]

    add("another", "2026-02-01T00:00:00Z")
    cluster.wait_published()
    assert holders() == {claim: "default/another" for claim in claimed} and told() == []
    older = add("the-older", "2026-01-01T00:00:00Z")
    cluster.wait_published()
    for restarts in (False, True):
        if restarts:
            a.restart()
            a.wait_published()
        assert holders() == {claim: "default/the-older" for claim in claimed}
        (lost,) = a.ringway("services", "default/another")["services"]
        assert {(claim["holder_kind"], claim["holder_namespace"], claim["holder"]) for claim in lost["lost"]} == {
            ("service", "default", "the-older")}
        shown = text(a, "default/another").stdout
        for claim in claimed:
            assert f"{claim} is that of service default/the-older, which is older" in shown
            assert any("default/another wants what it does not get: " in line and claim in line for line in told())
        assert "default/the-older wants" not in "".join(told())
    older.remove()
    wait_until(lambda: holders() == {claim: "default/another" for claim in claimed}, what="the younger one has it all")
    assert told() == []


def test_every_service_is_listed(cluster):
    a = cluster.nodes[0]
    lines = words(text(a).stdout)
    assert ["default/alias", "ExternalName", "example.com", "-", "0/0", "0", "-"] in lines
    assert any(line[:2] == ["default/inner", "ClusterIP"] for line in lines)
    for name in ("nobody", "default/nobody", "x y&z", "default/" + "w" * 500):
        done = text(a, name)
        assert done.returncode == 1 and "there is no service" in done.stderr, done
