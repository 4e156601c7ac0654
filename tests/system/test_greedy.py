"""One client outside that opens connections without end, completes and holds them: it is bounded and named, and others do not
notice."""

import pytest

from cluster import FAMILIES, BareNode, Cluster
from lab import wait_until
from traffic import PYTHON, Running, run_flows

INBOUND = 64  # flows that the worker has room for; one client may have half of them
GREEDY = 3 * INBOUND

HOLD = """
import socket, sys
held = []
for i in range(int(sys.argv[3])):
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 60)
    s.settimeout(60)
    s.sendall(b"x\\n")
    s.recv(99)
    held.append(s)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cluster():
    options = {"workers": {"cpus": [0]}, "services": {"inbound": INBOUND}}
    with Cluster(options=options) as made:
        made.a = made.add_node("a")
        made.start()
        made.server = made.a.add_pod("server", ports=[8080])
        made.add_service("web", 80, 8080, [made.server], spec={"type": "NodePort"})
        made.greedy, made.other = BareNode(made, "greedy", 100), BareNode(made, "other", 101)
        # its neighbour's address is of the same /64 otherwise, which is one client
        for place, via in ((made.other, made.a), (made.a, made.other)):
            place.ns.ip(f"-6 addr add {'fd00:31::101' if place is made.other else 'fd00:31::1'}/64 dev uplink nodad")
        made.wait_published()
        yield made


def counted(cluster, name):
    return cluster.a.counters()[name]


@pytest.mark.parametrize("family", FAMILIES)
def test_one_client_leaves_room_for_others(cluster, family):
    a, greedy, other = cluster.a, cluster.greedy, cluster.other
    address = a.ip[family]
    server = Running(cluster.server, "serve", 8080, "server")
    if family == 6:  # asked from another network
        other.ns.ip(f"-6 route add {address}/128 via fd00:31::1 src fd00:31::101")
    stream = Running(other, "stream", address, 30080, 20)
    wait_until(lambda: counted(cluster, "inbound_confirmed") > 0, what="its connection confirmed")
    over = counted(cluster, "inbound_over")
    holder = greedy.popen([PYTHON, "-c", HOLD, address, "30080", str(GREEDY)])
    holder.wait_for("ready")
    wait_until(lambda: counted(cluster, "inbound_over") - over >= GREEDY - INBOUND / 2, what="what is over its bound counted")
    named = greedy.ip[4] if family == 4 else "fd00:30::/64"
    wait_until(lambda: any(warning.startswith(f"{named} outside has as many flows")
                           for warning in a.ringway("status")["warnings"]), what="its name")
    # others come and are confirmed; who was there goes on
    confirmed = counted(cluster, "inbound_confirmed")
    result = run_flows(other, "tcp", address, 30080, 10)
    assert (result["lost"], result["answers"]) == (0, {"server": 10}), result
    wait_until(lambda: counted(cluster, "inbound_confirmed") - confirmed >= 10, what="the others' connections confirmed")
    holder.stop()
    result = stream.end()
    assert (result["error"], result["requests"]) == ("", result["answers"]), result
    server.kill()
