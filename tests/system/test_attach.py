"""Pods attached by ringway-cni as a container runtime does it, on a node with ringwayd: what works then, what a restart
leaves alone, and that nothing stays behind."""

import concurrent.futures
import json
import os
import re
import signal
import sqlite3
import types

import pytest

from cluster import FAMILIES, RINGWAY, Cluster, Node, children
from lab import PATIENCE, run, wait_until
from traffic import pings, run_transfer


@pytest.fixture
def cluster():
    with Cluster() as made:
        yield made


@pytest.fixture
def node(cluster):
    made = cluster.add_node("a")
    cluster.start()
    return made


def ping(source, address, count=3, check=True, size=56):
    """Whether all came back."""
    answers, output = pings(source, address, count, "-s", size, wait=PATIENCE if check else 1)
    if check:
        assert answers == count, f"{source} to {address}: {output}"
    return answers == count


def interfaces(node):
    return {link["ifname"] for link in json.loads(node.ns.ip("-j link").stdout)}


def pod_links(node):
    return {name for name in interfaces(node) if re.fullmatch("rw[0-9a-f]{10}", name)}


def pins(node):
    """Names of the programs that are attached to pods."""
    found = run(node.wrap(f"find {node.dir}/run -name link")).stdout.split()
    return {path.split("/")[-2] for path in found if path.split("/")[-2].startswith("rw")}


def rows(node, table):
    """Rows of the state file; ringwayd must not be running, since it keeps it locked."""
    with sqlite3.connect(node.dir / "state" / "ringway.db") as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


def test_the_gateway_answers_in_both_families(node):
    pod = node.add_pod("web")
    ping(pod, "169.254.1.1")
    ping(pod, "fe80::1%eth0")
    assert "02:72:77:00:00:01" in pod.ns.ip("neigh show 169.254.1.1").stdout


def test_pods_of_a_node_reach_each_other(node):
    client, server = node.add_pod("client"), node.add_pod("server")
    node.cluster.wait_published()
    for family in FAMILIES:
        ping(client, server.ip[family])
        ping(server, client.ip[family], size=1400)
        assert run_transfer(client, server, server.ip[family], 16)


def test_the_host_and_pods_reach_each_other(node):
    pod = node.add_pod("web")
    node.cluster.wait_published()
    for family in FAMILIES:
        ping(node, pod.ip[family])
        ping(pod, node.ip[family])
        assert run_transfer(node, pod, pod.ip[family], 16)
    # by the node's address in the pod network, never by the uplink's
    source = json.loads(node.ns.ip(f"-j route get {pod.ip[4]}").stdout)[0]
    assert source["dev"] == "ringway0" and source["prefsrc"] == "10.244.1.1"


def test_packets_of_pods_stay_off_the_nodes_own_stack(node):
    pod = node.add_pod("web")
    (link,) = pod_links(node)
    assert node.ns.run(f"cat /proc/sys/net/ipv6/conf/{link}/disable_ipv6").stdout.strip() == "1"
    assert "xdp" in node.ns.ip(f"link show dev {link}").stdout
    before = node.ns.run("cat /proc/net/snmp").stdout
    pod.run("ping -c 3 -i 0.05 -W 1 192.0.2.1", check=False)
    after = node.ns.run("cat /proc/net/snmp").stdout

    def received(text):
        names, values = [line.split() for line in text.splitlines() if line.startswith("Ip:")]
        return int(values[names.index("ForwDatagrams")])

    assert received(after) == received(before)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_pods_working_without_the_runtime(node, sig):
    client, server = node.add_pod("client"), node.add_pod("server")
    node.cluster.wait_published()
    ping(client, server.ip[4])
    links = pod_links(node)
    node.restart(sig)
    assert pod_links(node) == links
    for family in FAMILIES:
        wait_until(lambda f=family: ping(client, server.ip[f], 1, check=False), what="ping after the restart")
        ping(client, server.ip[family])
        ping(node, server.ip[family])
    assert node.cni("CHECK", client, dict(node.netconf, prevResult=client.result)) == {}
    assert node.add_pod("third").ip[4] not in (client.ip[4], server.ip[4])


def test_a_connection_lives_through_a_restart(node):
    client, server = node.add_pod("client"), node.add_pod("server")
    node.cluster.wait_published()
    listener = server.popen("iperf3 -s -1 --forceflush")
    listener.wait_for("Server listening")
    load = client.popen(f"iperf3 -c {server.ip[4]} -t {10 * PATIENCE} -i 1 --forceflush")

    def rates():
        """One for each second, for so long as the connection lives."""
        assert load.popen.poll() is None, load.output()
        return [float(rate) for rate in re.findall(r"(\d+(?:\.\d+)?) [KMG]?bits/sec +\d+ ", load.output())]

    wait_until(lambda: any(rates()), what="traffic")
    node.restart()
    before = len(rates()) + 1  # the second in which it came back may have begun before
    wait_until(lambda: any(rates()[before:]), what="traffic after the restart")
    load.stop(signal.SIGINT)


def test_del_leaves_nothing_and_may_come_again(node):
    pod = node.add_pod("web")
    assert len(pod_links(node)) == 1 and len(pins(node)) == 1
    config = dict(node.netconf, prevResult=pod.result)
    for _ in range(3):
        assert node.cni("DEL", pod, config) == {}
    assert pod_links(node) == set() and pins(node) == set()
    assert "eth0" not in pod.run("ls /sys/class/net", check=False).stdout or \
        pod.ns.ip("link show dev eth0", check=False).returncode != 0
    node.stop()
    assert rows(node, "attachments") == []
    assert len(rows(node, "leases")) == 2  # cooling down, one of each family
    assert interfaces(node) >= {"ringway0", "uplink"}


def test_add_may_be_repeated(node):
    pod = node.add_pod("web")
    again = node.cni("ADD", pod)
    assert again == pod.result
    (link,) = pod_links(node)
    ping(pod, "169.254.1.1")
    node.cni("DEL", pod)
    node.ns.ip(f"link add {link} type veth peer name strangers")
    assert node.cni("ADD", pod)["interfaces"][0]["name"] != link  # which would be the same otherwise
    ping(pod, "169.254.1.1")


def test_a_late_del_of_an_older_container_is_no_harm(node):
    pod = node.add_pod("web")
    older = types.SimpleNamespace(**vars(pod))
    pod.detach()
    pod.container = "newer"
    pod.attach()
    for _ in range(2):
        node.cni("DEL", older)
    ping(pod, "169.254.1.1")
    assert len(pod_links(node)) == 1


def test_dels_without_a_daemon_are_done_by_the_next(node):
    web, other, third = node.add_pod("web"), node.add_pod("other"), node.add_pod("third")
    spool = node.dir / "state" / "spool"
    status = dict(node.netconf, cniVersion="1.1.0")
    assert node.cni("STATUS", web, status) == {}
    node.stop()
    assert node.cni("STATUS", web, status, check=False)["code"] == 51
    for pod in (web, web, other):
        assert node.cni("DEL", pod) == {}
    (spool / "x@eth0.del").write_text("{")
    assert len(pod_links(node)) == 3
    node.start()
    node.wait_ready()
    third_link = third.result["interfaces"][0]["name"]
    assert pod_links(node) == pins(node) == {third_link}
    assert [file.name for file in spool.iterdir()] == ["x@eth0.del.corrupt"]
    assert any("no DELs that ringway-cni has written" in warning for warning in node.ringway("status")["warnings"])
    # the same container may come again; what came before it does not hit it
    web.attach()
    ping(web, "169.254.1.1")
    ping(third, "169.254.1.1")
    # from a shim that gave up on a daemon which was too slow
    (spool / ".1").write_text(json.dumps({"containerId": web.container, "ifname": "eth0"}))
    (spool / ".1").rename(spool / f"{web.container}@eth0.del")
    wait_until(lambda: pod_links(node) == {third_link}, what="a DEL in the spool done")
    node.stop()
    assert [row[0] for row in rows(node, "attachments")] == [third.container]


def test_status_tells_whether_pods_lose_packets(node):
    status = dict(node.netconf, cniVersion="1.1.0")
    pod = node.add_pod("web")
    node.stop()
    node.cluster.remove_manifest("node-a")
    node.start()

    def says(code):
        error = node.cni("STATUS", pod, status, check=False)
        return error.get("code") == code and "Node object" in error["msg"]

    wait_until(lambda: says(51), what="a pod without tables")
    node.cni("DEL", pod)
    wait_until(lambda: says(50), what="nobody who could lose packets")


def test_gc_takes_what_is_gone_and_no_live_pod(node):
    """A runtime died in the middle of taking a pod down: the namespace has no name, but something keeps it."""
    def gc(*pods):
        valid = [{"containerID": pod.container, "ifname": "eth0"} for pod in pods]
        node.cni("GC", live, dict(node.netconf, cniVersion="1.1.0", **{"cni.dev/valid-attachments": valid}))

    live = node.add_pod("live")
    half = types.SimpleNamespace(**vars(live))
    inside = node.lab.netns("a-half")
    half.ns = types.SimpleNamespace(path=f"{inside.path}-cni")
    half.container = "half"
    run(["touch", half.ns.path])
    run(["mount", "--bind", inside.path, half.ns.path])
    try:
        half.result = node.cni("ADD", half)
        gc()
    finally:
        run(["umount", half.ns.path])
        run(["rm", half.ns.path])
    assert len(pod_links(node)) == 2
    process = node.lab.start("sleep infinity", ns=inside)
    gc(live)
    assert len(pod_links(node)) == 2  # somebody is in it
    process.stop()
    gc(live, half)
    assert len(pod_links(node)) == 2
    gc()
    assert pod_links(node) == {live.result["interfaces"][0]["name"]}
    ping(live, "169.254.1.1")


def test_fifty_parallel_adds_and_dels(node):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        pods = list(pool.map(lambda i: node.add_pod(f"pod-{i}"), range(50)))
    assert len({pod.ip[4] for pod in pods}) == 50 and len({pod.ip[6] for pod in pods}) == 50
    node.cluster.wait_published()
    for pod in pods[::12]:
        ping(pods[1], pod.ip[4], 1)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda pod: pod.detach(), pods))
    assert pod_links(node) == set() and pins(node) == set()
    node.stop()
    assert rows(node, "attachments") == []


def test_a_pod_that_vanished_is_forgotten(node):
    pod, other = node.add_pod("web"), node.add_pod("other")
    node.stop()
    (link,) = pod_links(node) - {other.result["interfaces"][0]["name"]}
    node.ns.ip(f"link del {link}")
    node.start()
    node.wait_ready()
    ping(other, "169.254.1.1")
    done = node.cni("CHECK", pod, dict(node.netconf, prevResult=pod.result), check=False)
    assert done["code"] == 3, done
    # and while it runs
    node.ns.ip(f"link del {other.result['interfaces'][0]['name']}")
    wait_until(lambda: node.cni("CHECK", other, dict(node.netconf, prevResult=other.result), check=False).get("code") == 3,
               what="the second pod forgotten")
    assert pins(node) == set()


def test_an_add_that_was_never_finished_can_be_done_again(node):
    pod = node.add_pod("web")
    node.cni("DEL", pod)
    body = json.dumps({"containerId": pod.container, "ifname": "eth0", "netns": pod.ns.path})
    answer = json.loads(run(["curl", "-sS", "--unix-socket", node.socket, "-d", body, "http://x/v1/cni/add"]).stdout)
    node.ns.ip(f"link add {answer['link']} type veth peer name half")  # the shim died here
    node.restart()
    result = node.cni("ADD", pod)
    assert answer["addresses"][0]["address"] + "/32" == result["ips"][0]["address"]
    ping(pod, "169.254.1.1")


class SmallNode(Node):
    """Room for seven pods."""

    def __init__(self, cluster, name, number, behind=None):
        super().__init__(cluster, name, number, behind)
        self.pod_cidrs = {4: f"10.244.{number}.0/28", 6: f"fd00:10:244:{number:x}::/124"}


def test_a_full_node_says_so_with_counts(cluster):
    node = cluster.add_node("a", SmallNode)
    cluster.start()
    pods = [node.add_pod(f"pod-{i}") for i in range(7)]
    assert "7 IPv4 addresses" in node.log() or "of 7" in node.log()  # the warning at 80%
    assert any("7 of 7 addresses for pods" in warning for warning in node.ringway("status")["warnings"])
    with pytest.raises(AssertionError, match="all 7 are used; most pods, 7, are of namespace default"):
        node.add_pod("one-more")
    pods[0].detach()
    with pytest.raises(AssertionError, match="1 were released lately"):
        node.add_pod("too-soon")


def test_more_than_pods_max_is_refused(cluster):
    cluster.options = {"pods": {"max": 1}}
    node = cluster.add_node("a")
    cluster.start()
    node.add_pod("first")
    with pytest.raises(AssertionError, match="at most 1 pods"):
        node.add_pod("second")


def test_the_host_port_is_made_again(node):
    pod = node.add_pod("web")
    node.cluster.wait_published()
    ping(node, pod.ip[4])
    (daemon,) = children(node.daemon.pid)
    os.kill(daemon, signal.SIGSTOP)  # it would be too fast for us
    try:
        node.ns.ip("link del ringway0")
        # meanwhile what is for pods ends in a blackhole, and does not leave by the uplink
        assert node.ns.ip(f"route get {pod.ip[4]}", check=False).returncode != 0
    finally:
        os.kill(daemon, signal.SIGCONT)
    wait_until(lambda: "ringway0" in interfaces(node), what="a new pair")
    wait_until(lambda: ping(node, pod.ip[4], 1, check=False), what="ping by the new pair")


def test_a_route_that_collides_is_told(cluster):
    node = cluster.add_node("a")
    node.ns.ip("route add 10.96.4.0/24 via 172.30.0.9")
    cluster.start()
    assert "10.96.4.0/24 over uplink overlaps with the service network 10.96.0.0/16" in node.log()


def test_a_damaged_state_file_stops_the_start_and_is_kept(node):
    node.stop()
    path = node.dir / "state" / "ringway.db"
    for name in ("ringway.db-wal", "ringway.db-shm"):
        (node.dir / "state" / name).unlink(missing_ok=True)
    path.write_bytes(b"x" * 8192)
    node.start()
    assert node.daemon.popen.wait(PATIENCE) != 0
    assert "is damaged" in node.log()
    assert path.read_bytes() == b"x" * 8192


def test_a_host_port_has_one_owner_until_its_pod_goes(node):
    def host_ports(name):
        return node.ringway("pods", name)["host_ports"]

    web = node.add_pod("web", host_ports=[(8080, 80, "TCP"), (8080, 80, "UDP")])
    wanted = [{"address": "", "port": 8080, "protocol": protocol, "pod_port": 80} for protocol in ("tcp", "udp")]
    assert host_ports("web") == wanted
    shown = run(node.wrap([RINGWAY, "pods", "web", "--socket", node.socket])).stdout
    assert "8080/udp to its port 80" in shown
    node.restart(signal.SIGKILL)
    assert host_ports("web") == wanted
    with pytest.raises(AssertionError, match="host port 8080 belongs to pod default/web on this node"):
        node.add_pod("late", host_ports=[(8081, 80, "TCP"), (8080, 81, "UDP")])
    assert len(pod_links(node)) == 1
    web.detach()
    assert host_ports(node.add_pod("next", host_ports=[(8080, 81, "UDP")]).name)[0]["pod_port"] == 81
    node.stop()
    assert [row[3:] for row in rows(node, "host_ports")] == [(8080, 17, 81)]
