"""Clients that fit no slot: they work, `ringway pods` and `ringway doctor` say who they are and why, and a port that turns out
to be the pod's own breaks nothing that lives in its slot."""

import pytest

from cluster import FAMILIES, Cluster
from lab import wait_until
from steady import SteadyTraffic
from traffic import Running, run_flows

SERVER_PORT = 8080
CLIENT_PORT = 40000
WIRE_PORTS = [CLIENT_PORT ^ (slot << 14) for slot in (1, 2, 3)]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def cluster(request):
    options = {"workers": {"cpus": [str(i) for i in range(request.param)]}}
    with Cluster(options=options) as made:
        node = made.add_node("a")
        made.start()
        made.backend = node.add_pod("backend", ports=[SERVER_PORT])
        made.clients = {name: node.add_pod(name) for name in ("late", "ranged", "choosy", "fourth", "other")}
        made.many = [made.add_service(f"many-{i}", 80, SERVER_PORT, [made.backend]) for i in range(4)]
        made.wait_published()
        yield made


def pod_view(cluster, name):
    return next(pod for pod in cluster.nodes[0].ringway("pods")["pods"] if pod["name"] == name)


def test_a_port_learned_late_breaks_no_live_flow(cluster):
    late, other = cluster.clients["late"], cluster.clients["other"]
    traffic = SteadyTraffic(cluster.lab)

    def connection(name, client, address, port, server, at, sport=0):
        return {"name": name, "client": client.ns.path, "address": address, "port": port, "sport": sport,
                "interval_ms": 5, "servers": [[server.ns.path, at]]}

    live = [connection(f"live {i} {family}", late, cluster.many[i].ip[family], 80, cluster.backend, SERVER_PORT,
                       CLIENT_PORT) for family in FAMILIES for i in range(3)]
    assert traffic.ask("open", live) == {"opened": len(live), "errors": {}}
    assert pod_view(cluster, "late")["exceptions"] == 0
    # now it serves on the three ports which these connections have on the wire
    served = [connection(f"served {port} {family}", other, late.ip[family], port, late, port)
              for family in FAMILIES for port in WIRE_PORTS]
    assert traffic.ask("open", served) == {"opened": len(live) + len(served), "errors": {}}
    wait_until(lambda: pod_view(cluster, "late")["exceptions_why"] == {"own_port": len(live)},
               what="what lives in the slots has entries")
    before = traffic.ask("mark")
    wait_until(lambda: all(flow["arrived"] > before[name]["arrived"] + 50 or flow["error"]
                           for name, flow in traffic.ask("mark").items()), what="traffic goes on")
    assert {name: flow["error"] for name, flow in traffic.ask("mark").items() if flow["error"]} == {}
    traffic.ask("close")


def test_clients_that_fit_no_slot_work_and_are_named(cluster):
    server = Running(cluster.backend, "serve", 8090, "backend")
    services = [cluster.add_service(f"odd-{i}", 81, 8090, [cluster.backend]) for i in range(4)]
    cluster.wait_published()
    cluster.clients["ranged"].ns.sysctl("net.ipv4.ip_local_port_range", "20000 30000")
    wanted = [("ranged", services[0], 0, "client_port"), ("choosy", services[0], 31000, "client_port"),
              ("fourth", services[3], 0, "slots")]
    for name, service, first, _ in wanted:
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                report = run_flows(cluster.clients[name], proto, service.ip[family], 81, 5, first)
                assert report["answers"] == {"backend": 5}, (name, family, proto, report)
    found = {check["found"] for check in cluster.nodes[0].ringway("doctor", check=False)["checks"]
             if check["check"] in ("exceptions", "pods' port range")}
    for name, _, _, why in wanted:
        view = pod_view(cluster, name)
        assert view["exceptions_why"].get(why, 0) >= 10, view
        assert any(f"default/{name} has " in line for line in found), found
    assert any("default/ranged has 20000 to 30000" in line for line in found), found
    server.end()
