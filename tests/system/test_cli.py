"""What an operator sees: every `ringway` command in both formats against a real daemon, and explain held against what real
packets do."""

import json
import re
import socket
import subprocess

import pytest

from cluster import RINGWAY, Cluster
from lab import PATIENCE, run, wait_until
from traffic import ping

COMMANDS = ("status", "pods", "services", "endpoints", "nodes", "policies", "drops")


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """With two workers, the pods of a node are shared out between them."""
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        a, b = made.add_node("a"), made.add_node("b")
        made.start()
        made.client, made.near, made.far = a.add_pod("client"), a.add_pod("near"), b.add_pod("far")
        made.web = made.add_service("web", port=80, target_port=8080, pods=[made.near, made.far])
        made.empty = made.add_service("empty", port=80, target_port=8080, pods=[])
        made.add_service("open", port=84, target_port=8080, pods=[made.near, made.far], protocols=("TCP",),
                         spec={"type": "NodePort", "sessionAffinity": "ClientIP"})
        made.add_service("local", port=85, target_port=8080, pods=[made.far], protocols=("TCP",),
                         spec={"type": "NodePort", "externalTrafficPolicy": "Local"})
        made.wait_published()
        made.wait_joined()
        yield made


def text(node, *arguments):
    """A command's table and exit code."""
    done = run(node.wrap([RINGWAY, *arguments, "--socket", node.socket]), check=False)
    return done.stdout, done.returncode


def explain(node, sender, target, *more):
    done = run(node.wrap([RINGWAY, "explain", "--from", sender, "--to", target, "-o", "json", "--socket",
                          node.socket, *more]), check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout), done.returncode


def bracket(address):
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_in_both_formats(cluster, command):
    node = cluster.nodes[0]
    table, code = text(node, command)
    assert code == 0 and table.strip(), table
    assert isinstance(node.ringway(command), dict)
    assert all(line == line.rstrip() or line.endswith(" ") is False for line in table.splitlines())


def test_status_tells_that_all_is_well(cluster):
    status = cluster.nodes[0].ringway("status")
    assert status["ready"] and status["not_ready_reason"] == ""
    assert status["tables"]["version"] > 0 and status["objects"]["Node"] == 2
    assert status["uplink"]["interface"] == "uplink" and status["uplink"]["up"] and status["uplink"]["xdp"] in ("native", "skb")
    assert status["tunnel"]["vtep"] == cluster.nodes[0].ip[4] and status["pods"] == 2
    assert [worker["alive"] for worker in status["workers"]] == [True] * len(status["workers"])
    assert [(peer["name"], peer["state"]) for peer in status["peers"]] == [("b", "reachable")]
    assert not status["source_errors"] and not status["build_errors"], status


def test_pods_count_what_they_send_and_receive(cluster):
    node = cluster.nodes[0]

    def counts(name):
        pod = next(pod for pod in node.ringway("pods")["pods"] if pod["name"] == name)
        return pod["rx_packets"], pod["tx_packets"]

    before, near = counts("client"), counts("near")
    assert ping(cluster.client, cluster.near.ip[4], 5) == 5
    # a packet is counted once it was sent, and by then may have been answered
    for name, earlier in (("client", before), ("near", near)):
        wait_until(lambda n=name, e=earlier: all(now - then >= 5 for now, then in zip(counts(n), e)), what=f"{name}'s counts")
    table, code = text(node, "pods", "default/client")
    assert code == 0 and cluster.client.ip[4] in table and cluster.client.ip[6] in table
    assert text(node, "pods", "default/nobody")[1] == 1


def test_services_show_backends_and_why_there_is_none(cluster):
    services = {(service["name"], service["protocol"]): service for service in
                cluster.nodes[0].ringway("services")["services"]}
    web = services["web", "tcp"]
    assert web["in_force"] and (web["ready"], web["total"], web["problem"]) == (4, 4, "")
    assert {backend["pod"] for backend in web["backends"]} == {"near", "far"}
    assert all(backend["in_force"] for backend in web["backends"])
    empty = services["empty", "tcp"]
    assert empty["ready"] == 0 and "matches 0 of the" in empty["problem"]
    assert empty["problem"] in text(cluster.nodes[0], "services", "default/empty")[0]


@pytest.mark.parametrize("family", (4, 6))
def test_explain_finds_the_way_that_packets_take(cluster, family):
    node = cluster.nodes[0]
    near, far = cluster.near.ip[family], cluster.far.ip[family]
    for sender, target, verdict, where in (
            ("default/client", f"{bracket(near)}:8080/tcp", "forward", "pod default/near"),
            ("default/client", f"{bracket(far)}:8080/udp", "forward", "b"),
            ("default/client", f"{far}/icmp", "forward", "b"),
            ("node", f"{bracket(near)}:8080", "forward", "pod default/near"),
            (far, f"{bracket(near)}:8080", "forward", "pod default/near")):
        answer, code = explain(node, sender, target)
        assert (answer["verdict"], answer["out"]["name"], code) == (verdict, where, 0), answer
        assert answer["steps"] and answer["after"]["dst"] == (near if "near" in where else far)


@pytest.mark.parametrize("family", (4, 6))
def test_explain_chooses_the_backend_that_a_connection_gets(cluster, family):
    """The same five-tuple, asked first and then sent: the backend that explain names is the one that answers."""
    node, service = cluster.nodes[0], cluster.web.ip[family]
    servers = [(pod, pod.popen(["python3", "-c", SERVER, pod.name])) for pod in (cluster.near, cluster.far)]
    for _, server in servers:
        server.wait_for("listening")
    try:
        seen = set()
        for sport in range(40000, 40012):
            answer, code = explain(node, cluster.client.ip[family], f"{bracket(service)}:80/tcp", "--sport", str(sport))
            assert (answer["verdict"], code) == ("forward", 0), answer
            backend = next(pod for pod, _ in servers if pod.ip[family] == answer["after"]["dst"])
            assert answer["after"]["dport"] == 8080
            said = cluster.client.run(["python3", "-c", CLIENT, service, "80", str(sport)]).stdout.strip()
            assert said == backend.name
            seen.add(said)
        assert seen == {"near", "far"}
    finally:
        for _, server in servers:
            server.stop()


SERVER = """
import socket, sys
s = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[1].encode())
    c.close()
"""

CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[3])))
s.settimeout(60)
s.connect((sys.argv[1], int(sys.argv[2])))
print(s.recv(100).decode())
"""


@pytest.mark.parametrize("family", (4, 6))
def test_explain_names_the_reason_that_a_real_packet_is_dropped_for(cluster, family):
    node = cluster.nodes[0]
    nobody = {4: "10.244.1.250", 6: "fd00:10:244:1::fffa"}[family]
    free = {4: "10.96.0.200", 6: "fd00:10:96::200"}[family]
    for target in (f"{bracket(nobody)}:80/udp", f"{bracket(free)}:80/udp"):
        answer, code = explain(node, "default/client", target)
        assert (answer["verdict"], code) == ("drop", 1) and answer["help"] and answer["hint"], answer
        before = node.drops().get(answer["drop_reason"], 0)
        send_datagram(cluster.client, target)
        wait_until(lambda reason=answer["drop_reason"], n=before: node.drops().get(reason, 0) > n,
                   what=f"a packet to {target} dropped for {answer['drop_reason']}")
        wait_until(lambda reason=answer["drop_reason"]: any(
            pod["name"] == "client" and pod["drops"].get(reason, 0) for pod in node.ringway("pods")["pods"]),
            what="the pod's own count of them")


@pytest.mark.parametrize("family", (4, 6))
def test_explain_says_that_a_real_packet_is_refused(cluster, family):
    node = cluster.nodes[0]
    target = f"{bracket(cluster.web.ip[family])}:81/udp"
    answer, code = explain(node, "default/client", target)
    assert (answer["verdict"], code) == ("reply", 0) and answer["after"]["dst"] == cluster.client.ip[family], answer
    before = node.counters()["refused_no_service"]
    send_datagram(cluster.client, target)
    wait_until(lambda: node.counters()["refused_no_service"] > before, what=f"a packet to {target} refused")


OUTSIDE = {4: "outside:203.0.113.9", 6: "outside:2001:db8:ffff::9"}


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("port, verdict, reason, service, hint", (
    (30084, "forward", "", "default/open: 2 of its 2 endpoints", ""),
    (30085, "drop", "no_local_backend", "only those of this node, as externalTrafficPolicy is Local", "node b has a ready one"),
    (22, "punt", "", "", ""),
))
def test_explain_answers_for_clients_outside(cluster, family, port, verdict, reason, service, hint):
    node = cluster.nodes[0]
    answer, code = explain(node, OUTSIDE[family], f"{bracket(node.ip[family])}:{port}")
    assert (answer["verdict"], answer["drop_reason"], code) == (verdict, reason, int(verdict == "drop")), answer
    assert service in ((answer["service"] or {}).get("text", "")) and hint in answer["hint"], answer
    assert answer["from"]["kind"] == "outside"


def test_explain_tells_how_a_service_chooses(cluster):
    answer, _ = explain(cluster.nodes[0], "default/client", "default/open:84")
    assert answer["service"]["affinity_timeout_s"] == 10800 and answer["service"]["used"] == 2, answer
    assert any("session affinity: no entry" in step["text"] for step in answer["steps"])
    shown, code = text(cluster.nodes[0], "explain", "--from", "default/client", "--to", "default/open:84")
    assert code == 0 and "service: ClusterIP 84/tcp of default/open" in shown, shown


def send_datagram(pod, target):
    host, port = target.removesuffix("/udp").rsplit(":", 1)
    pod.run(["python3", "-c", "import socket, sys; s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else "
             "socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', (sys.argv[1], int(sys.argv[2])))", host.strip("[]"), port])


def test_explain_changes_nothing(cluster):
    node = cluster.nodes[0]

    def without_what_kernels_say(drops):  # at any time, of their own accord: reports of multicast listeners and the like
        return {reason: n for reason, n in drops.items() if reason not in ("multicast", "neighbour", "link_local")}

    def state():
        pods = {pod["name"]: (pod["exceptions"], without_what_kernels_say(pod["drops"])) for pod in node.ringway("pods")["pods"]}
        return pods, without_what_kernels_say(node.drops())

    before = state()
    for target in ("default/web:80", f"{cluster.near.ip[4]}:80/sctp", "10.244.1.251:80", "default/empty:80", "default/open:84"):
        for sport in ("40000", "50000", "80"):  # in the pods' range, and not: that would become an exception
            explain(node, "default/client", target, "--sport", sport)
    assert state() == before


@pytest.mark.parametrize("arguments, message", (
    (("--from", "default/nobody", "--to", "10.96.0.10:80"), "there is no such pod"),
    (("--from", "default/client", "--to", "default/nothing:80"), "no service and no pod"),
    (("--from", "default/client", "--to", "10.96.0.10"), "has no port"),
    (("--from", "8.8.8.8", "--to", "10.96.0.10:80"), "not the address of a pod"),
))
def test_what_cannot_be_explained_is_said(cluster, arguments, message):
    node = cluster.nodes[0]
    done = run(node.wrap([RINGWAY, "explain", *arguments, "--socket", node.socket]), check=False)
    assert done.returncode == 1 and message in done.stderr and not done.stdout


def test_metrics_agree_with_drops(cluster):
    node = cluster.nodes[0]
    status, body = node.get("/metrics")
    assert status == 200
    sample = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+-]+$')
    for line in body.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.match(line), line
    drops = node.drops()  # first, since there may always be more
    metrics = node.metrics()
    assert metrics["ringway_ready"] == 1 and metrics["ringway_worker_up"] >= 1
    for reason, packets in drops.items():
        assert metrics[f'ringway_drops_total{{reason="{reason}"}}'] >= packets


def test_health_is_told_on_the_public_port_too(cluster):
    node = cluster.nodes[0]
    for path in ("/healthz", "/readyz"):
        assert node.get(path) == (200, "ok\n")
        assert node.run(f"curl -s http://127.0.0.1:9965{path}").stdout == "ok\n"
    refused = node.run("curl -s -o /dev/null -w %{http_code} http://127.0.0.1:9965/v1/pods").stdout
    assert refused == "404"


def test_an_uplink_that_goes_down_makes_the_node_unready(cluster):
    node = cluster.nodes[1]
    node.ns.ip("link set uplink down")
    try:
        wait_until(lambda: node.get("/readyz")[0] == 503, what="not ready")
        assert "uplink" in node.get("/readyz")[1]
        done = run(node.wrap([RINGWAY, "status", "--socket", node.socket]), check=False)
        assert done.returncode == 1 and "no: the uplink uplink is down" in done.stdout
    finally:
        node.ns.ip("link set uplink up")
    wait_until(lambda: node.get("/readyz")[0] == 200, what="ready again")


def test_doctor_finds_nothing_wrong_but_what_is(cluster):
    node = cluster.nodes[0]
    done = run(node.wrap([RINGWAY, "doctor", "-o", "json", "--socket", node.socket, "--config",
                          node.dir / "ringway.yaml"]), check=False)
    checks = json.loads(done.stdout)["checks"]
    failed = [check for check in checks if check["status"] == "fail"]
    assert not failed and done.returncode == 0, failed
    assert any(check["check"] == "services" and "default/empty" in check["found"] for check in checks)
    assert any(check["check"] == "pods' port range" and check["found"].startswith("2 pods") for check in checks)


def test_without_a_daemon_the_command_says_so(lab):
    done = run([RINGWAY, "status", "--socket", lab.dir / "ringway.sock"], check=False)
    assert done.returncode == 3 and "does not run" in done.stderr
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(lab.dir / "dead.sock"))
    done = run([RINGWAY, "status", "--socket", lab.dir / "dead.sock"], check=False)
    assert done.returncode == 3 and "nobody listens" in done.stderr


def test_who_may_not_open_the_socket_is_told(cluster):
    node = cluster.nodes[0]
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", RINGWAY, "status", "--socket",
                           node.socket], text=True, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 3 and "run this as root" in done.stderr, done.stderr
