"""Processes of a node that call services at their own node's addresses: node ports and host ports, which without us the
kernel keeps to itself."""

import pytest

from cluster import Cluster
from lab import wait_until
from traffic import PYTHON, attempt, run_flows, serving

FLOWS = 100
FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
LOCAL = "0:\tfrom all lookup local"
SCATTERED = (200, 250, *range(400, 2400, 100))  # more than there are ranges for: the closest share one


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        # as many distributions have it: the strictest
        made.a.ns.sysctl("net.ipv4.conf.all.rp_filter", 1)
        made.start()
        made.near, made.far = made.a.add_pod("near", ports=[8080]), made.b.add_pod("far", ports=[8080])
        made.hosted = made.a.add_pod("hosted", ports=[8080], host_ports=[(443, 8080, "TCP"), (443, 8080, "UDP")])
        made.both = made.add_service("both", 80, 8080, [made.near, made.far], spec={"type": "NodePort"})
        made.elsewhere = made.add_service("elsewhere", 81, 8080, [made.far], spec={
            "type": "NodePort", "externalTrafficPolicy": "Local"})
        made.itself = made.add_service("itself", 82, 8088, [AtNode(made.a)], spec={"type": "NodePort"})
        made.nobody = made.add_service("nobody", 83, 8080, [], spec={"type": "NodePort"})
        made.wait_published()
        made.wait_joined()
        for family in (4, 6):
            wait_until(lambda f=family: detours(made.a, f), what="the rules")
        yield made


class AtNode:
    """A node's own address as an endpoint."""

    def __init__(self, node):
        self.name, self.node, self.ip, self.ns = f"at-{node.name}", node, node.ip, node.ns


def rules(node, family):
    """Those of priority 0, in order."""
    return [line.rstrip() for line in node.run(f"ip -{family} rule show").stdout.splitlines() if line.startswith("0:")]


def detours(node, family):
    return [rule for rule in rules(node, family) if "lookup 1140" in rule]


def reaches(node, proto, address, port, names, n=FLOWS):
    result = run_flows(node, proto, address, port, n)
    assert (result["lost"], set(result["answers"])) == (0, set(names)), result


@FAMILIES
@PROTOS
def test_a_node_port_of_its_own_node(cluster, family, proto):
    with serving([cluster.near, cluster.far]):
        reaches(cluster.a, proto, cluster.a.ip[family], 30080, ("near", "far"))
        reaches(cluster.a, proto, cluster.a.ip[family], 30081, ("far",))  # as kube-proxy: a Local policy is for outside
        reaches(cluster.b, proto, cluster.b.ip[family], 30080, ("near", "far"))


@FAMILIES
@PROTOS
def test_a_host_port_of_its_own_node(cluster, family, proto):
    with serving([cluster.hosted]):
        reaches(cluster.a, proto, cluster.a.ip[family], 443, ("hosted",))


@FAMILIES
def test_a_backend_that_is_a_process_of_the_node_itself(cluster, family):
    with serving([AtNode(cluster.a)], 8088):
        reaches(cluster.a, "tcp", cluster.a.ip[family], 30082, ("at-a",))


@FAMILIES
@PROTOS
def test_from_a_socket_bound_to_the_nodes_address(cluster, family, proto):
    kind = "SOCK_STREAM" if proto == "tcp" else "SOCK_DGRAM"
    address = cluster.a.ip[family]
    script = (f"import socket; s = socket.socket(socket.AF_INET{'6' if family == 6 else ''}, socket.{kind}); "
              f"s.settimeout(60); s.bind(({address!r}, 0)); s.connect(({address!r}, 30080)); s.send(b'?'); "
              "print(s.recv(200).decode())")
    with serving([cluster.near, cluster.far]):
        for _ in range(5):
            assert cluster.a.run([PYTHON, "-c", script]).stdout.strip() in ("near", "far")


@FAMILIES
@PROTOS
def test_nobody_is_refused_at_once(cluster, family, proto):
    assert attempt(cluster.a, proto, cluster.a.ip[family], 30083) == "refused"


@FAMILIES
def test_the_loopback_address_is_the_kernels(cluster, family):
    assert attempt(cluster.a, "tcp", "127.0.0.1" if family == 4 else "::1", 30080) == "refused"


@FAMILIES
def test_the_nodes_own_servers_stay_reachable(cluster, family):
    """On any port, also one between two node ports that share a rule; and while the daemon is away, on all but such."""
    scattered = cluster.add_service("scattered", 0, 8080, [cluster.near], spec={"type": "NodePort", "ports": [
        {"name": f"tcp-{port}", "port": port, "targetPort": 8080, "nodePort": 30000 + port, "protocol": "TCP"}
        for port in SCATTERED]}, ports=[(f"tcp-{port}", port, 8080, "TCP") for port in SCATTERED])
    address = cluster.a.ip[family]

    def has_shared_rule():
        return any("dport 30200-30250" in rule for rule in detours(cluster.a, family))

    try:
        wait_until(has_shared_rule, what="ports that share a rule")
        assert rules(cluster.a, family)[-1] == LOCAL
        own = AtNode(cluster.a)
        with serving([cluster.near]), serving([own], 30226), serving([own], 9999):
            reaches(cluster.a, "tcp", address, 30200, ("near",))
            reaches(cluster.a, "tcp", address, 30250, ("near",))
            reaches(cluster.a, "tcp", address, 30226, ("at-a",))
            reaches(cluster.a, "tcp", address, 9999, ("at-a",))
            cluster.a.stop()
            try:
                reaches(cluster.a, "tcp", address, 9999, ("at-a",))
                assert rules(cluster.a, family)[-1] == LOCAL
            finally:
                cluster.a.start()
                cluster.a.wait_ready()
            wait_until(lambda: attempt(cluster.a, "tcp", address, 30200, patience=5) == "answered", what="an answer")
            reaches(cluster.a, "tcp", address, 30226, ("at-a",))
    finally:
        scattered.remove()
        wait_until(lambda: not has_shared_rule(), what="the rules go with the services")
    assert rules(cluster.a, family)[-1] == LOCAL


@FAMILIES
def test_rules_that_somebody_removed_come_back(cluster, family):
    before = sorted(rules(cluster.a, family))
    while detours(cluster.a, family):
        cluster.a.run(f"ip -{family} rule del pref 0 lookup 1140")
    wait_until(lambda: sorted(rules(cluster.a, family)) == before, what="the rules are back")
    assert rules(cluster.a, family)[-1] == LOCAL


def test_doctor_tells_why_not(cluster):
    """A stranger's rule that looks like the kernel's own keeps us from moving that one."""
    cluster.a.run("ip rule add pref 0 from 192.0.2.7 lookup local")
    try:
        wait_until(lambda: any("node ports" in warning and "priority 0" in warning
                               for warning in cluster.a.ringway("status")["warnings"]), what="a warning")
    finally:
        cluster.a.run("ip rule del pref 0 from 192.0.2.7 lookup local")
    wait_until(lambda: not cluster.a.ringway("status")["warnings"], what="no warning")
    assert rules(cluster.a, 4)[-1] == LOCAL


def test_nothing_is_left_without_such_services():
    with Cluster() as made:
        node = made.add_node("a")
        pod_free = {family: rules(node, family) for family in (4, 6)}
        made.start()
        pod = node.add_pod("pod", ports=[8080])
        service = made.add_service("web", 80, 8080, [pod], spec={"type": "NodePort"})
        for family in (4, 6):
            wait_until(lambda f=family: detours(node, f), what="the rules")
        service.remove()
        for family in (4, 6):
            wait_until(lambda f=family: rules(node, f) == pod_free[f], what="the rules as the kernel made them")
