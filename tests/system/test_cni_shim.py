"""ringway-cni against a daemon of the test's own: what it makes in the pod's namespace, what it says when something is
wrong, and that it leaves nothing then."""

import concurrent.futures
import http.server
import json
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from lab import BUILD, PATIENCE, run, wait_until

WIRING = {
    "link": "rw0123456789", "mac": "02:0a:0b:0c:0d:0e", "nodeMac": "02:72:77:00:00:01", "mtu": 1450, "attached": False,
    "addresses": [{"address": "10.244.1.8", "gateway": "169.254.1.1"},
                  {"address": "fd00:10:244:1::8", "gateway": "fe80::1"}],
    "sysctls": {"net/ipv4/ip_local_port_range": "33792 49151", "net/ipv6/conf/eth0/accept_dad": "0",
                "net/ipv6/conf/eth0/accept_ra": "0"},
    "featuresOff": ["tx-udp-segmentation", "no-such-feature"]}


class FakeDaemon(socketserver.ThreadingUnixStreamServer):
    """Answers each path from self.replies: [status, object] pairs, the last one for ever."""

    daemon_threads = True

    def __init__(self, path):
        self.replies = {"/v1/cni/add": [(200, WIRING)], "/v1/cni/commit": [(200, WIRING)], "/v1/cni/del": [(200, {})],
                        "/v1/cni/check": [(200, WIRING)], "/v1/cni/status": [(200, {})], "/v1/cni/gc": [(200, {})]}
        self.asked = []
        self.meanwhile = {}  # what happens before a path is answered
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, json.loads(body) if body else None))
        self.server.meanwhile.get(self.path, lambda: None)()
        replies = self.server.replies[self.path]
        status, reply = replies.pop(0) if len(replies) > 1 else replies[0]
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Stand:
    def __init__(self, lab):
        self.node, self.pod = lab.netns("node"), lab.netns("pod")
        self.pod.ip("link set lo down")
        self.socket = lab.dir / "sock"
        self.state = lab.dir / "state"

    def serve(self, lab):
        daemon = FakeDaemon(self.socket)
        lab.defer(daemon.server_close)
        lab.defer(daemon.shutdown)
        return daemon

    def cni(self, command, version="1.0.0", **changes):
        """Exit code and printed object."""
        config = {"cniVersion": version, "name": "ringway", "type": "ringway-cni", "socket": str(self.socket),
                  "stateDir": str(self.state)}
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_NETNS": self.pod.path, "CNI_IFNAME": "eth0",
               "CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_UID=7a-1"}
        for key, value in changes.items():
            (env if key.startswith("CNI_") else config)[key] = value
        done = subprocess.run(self.node.wrap([BUILD / "cni" / "ringway-cni"]), input=json.dumps(config), env=env, text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def links(self, ns):
        return sorted(link["ifname"] for link in json.loads(ns.ip("-j link").stdout))

    def assert_nothing_left(self):
        assert self.links(self.node) == ["lo"]
        assert self.links(self.pod) == ["lo"]


@pytest.fixture
def stand(lab):
    return Stand(lab)


def addresses(ns, interface):
    (link,) = json.loads(ns.ip(f"-j addr show dev {interface}").stdout)
    return {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"}


def test_add_makes_the_pods_end_as_told(lab, stand):
    daemon = stand.serve(lab)
    code, result = stand.cni("ADD")
    assert code == 0, result
    assert [ip["address"] for ip in result["ips"]] == ["10.244.1.8/32", "fd00:10:244:1::8/128"]
    assert [path for path, _ in daemon.asked] == ["/v1/cni/add", "/v1/cni/commit"]
    assert daemon.asked[0][1] == {"containerId": "c1", "ifname": "eth0", "netns": stand.pod.path, "podNamespace": "shop",
                                  "podName": "web-1", "podUid": "7a-1", "hostPorts": []}
    (eth0,) = json.loads(stand.pod.ip("-j -d link show dev eth0").stdout)
    assert eth0["address"] == WIRING["mac"] and eth0["mtu"] == 1450 and "UP" in eth0["flags"]
    assert "UP" in json.loads(stand.pod.ip("-j link show dev lo").stdout)[0]["flags"]
    assert addresses(stand.pod, "eth0") == {"10.244.1.8/32", "fd00:10:244:1::8/128"}
    (default,) = json.loads(stand.pod.ip("-j route show default").stdout)
    assert default["gateway"] == "169.254.1.1" and "onlink" in default["flags"]
    (default,) = json.loads(stand.pod.ip("-6 -j route show default").stdout)
    assert default["gateway"] == "fe80::1"
    assert stand.pod.run("cat /proc/sys/net/ipv4/ip_local_port_range").stdout.split() == ["33792", "49151"]
    assert "tx-udp-segmentation: off" in stand.pod.run("ethtool -k eth0").stdout
    # the node's end is the daemon's business: down until its program is on it
    (link,) = json.loads(stand.node.ip("-j link show dev rw0123456789").stdout)
    assert link["address"] == WIRING["nodeMac"] and "UP" not in link["flags"]
    assert stand.node.run("cat /proc/sys/net/ipv4/ip_local_port_range").stdout.split() != ["33792", "49151"]


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_every_version_can_add_and_delete(lab, stand, version):
    stand.serve(lab)
    code, result = stand.cni("ADD", version)
    assert code == 0 and result["cniVersion"] == version
    assert ("version" in result["ips"][0]) == (version < "1.0.0")
    code, result = stand.cni("DEL", version, CNI_NETNS="")
    assert code == 0 and result is None


def test_check_sees_what_was_changed(lab, stand):
    daemon = stand.serve(lab)
    _, result = stand.cni("ADD")
    assert stand.cni("CHECK", prevResult=result) == (0, None)

    def expect(message):
        code, error = stand.cni("CHECK", prevResult=result)
        assert code == 1 and error["code"] == 102 and message in error["msg"], error

    stand.pod.ip("route del default")
    expect("lacks a default route")
    stand.pod.ip("addr del fd00:10:244:1::8/128 dev eth0")
    expect("lacks an address")
    stand.pod.ip("link set eth0 address 02:00:00:00:00:99")
    expect("has not the MAC")
    stand.pod.ip("link set eth0 down")
    expect("is down")
    stand.node.ip("link del rw0123456789")
    expect("the node has no interface rw0123456789")
    daemon.replies["/v1/cni/check"] = [(404, {"error": "no attachment", "cniCode": 3, "hint": "h"})]
    code, error = stand.cni("CHECK", prevResult=result)
    assert code == 1 and error == {"cniVersion": "1.0.0", "code": 3, "msg": "no attachment", "details": "h"}


def test_a_refused_commit_undoes_everything(lab, stand):
    daemon = stand.serve(lab)
    daemon.replies["/v1/cni/commit"] = [(500, {"error": "no memory for a socket"})]
    code, error = stand.cni("ADD")
    assert code == 1 and error["code"] == 100 and error["msg"] == "no memory for a socket"
    assert [path for path, _ in daemon.asked] == ["/v1/cni/add", "/v1/cni/commit", "/v1/cni/del"]
    stand.assert_nothing_left()


def test_an_add_that_was_repeated_meanwhile_leaves_the_later_one_alone(lab, stand):
    daemon = stand.serve(lab)

    def later_add():
        stand.node.ip("link del rw0123456789")
        stand.node.ip("link add rw0123456789 type veth peer name later")

    daemon.replies["/v1/cni/add"] = [(200, dict(WIRING, attempt=7))]
    daemon.replies["/v1/cni/commit"] = [(409, {"error": "added once more", "cniCode": 11})]
    daemon.meanwhile["/v1/cni/commit"] = later_add
    code, error = stand.cni("ADD")
    assert (code, error["code"], error["msg"]) == (1, 11, "added once more")
    assert [body.get("attempt") for _, body in daemon.asked] == [None, 7, 7]
    assert stand.links(stand.node) == ["later", "lo", "rw0123456789"]


def test_a_sysctl_that_cannot_be_set_undoes_everything(lab, stand):
    daemon = stand.serve(lab)
    daemon.replies["/v1/cni/add"] = [(200, dict(WIRING, sysctls={"net/ipv4/no_such_key": "1"}))]
    code, error = stand.cni("ADD")
    assert code == 1 and "net/ipv4/no_such_key" in error["msg"]
    stand.assert_nothing_left()


def test_names_that_are_taken(lab, stand):
    stand.serve(lab)
    stand.pod.ip("link add eth0 type veth peer name eth1")
    code, error = stand.cni("ADD")
    assert code == 1 and "already has an interface eth0" in error["msg"]
    stand.pod.ip("link del eth0")
    stand.node.ip("link add rw0123456789 type veth peer name other")
    code, error = stand.cni("ADD")
    assert code == 1 and "the node already has an interface rw0123456789" in error["msg"]
    assert stand.links(stand.node) == ["lo", "other", "rw0123456789"]  # a stranger's stays


def test_namespaces_that_are_none(lab, stand):
    stand.serve(lab)
    for path, expected_code, message in (("/run/netns/no-such-pod", 3, "No such file"),
                                         ("/etc/hostname", 4, "is not a network namespace"),
                                         (stand.node.path, 4, "is the node's own")):
        code, error = stand.cni("ADD", CNI_NETNS=path)
        assert code == 1 and error["code"] == expected_code and message in error["msg"], error
    stand.assert_nothing_left()


@pytest.mark.parametrize("path", ["/v1/cni/add", "/v1/cni/commit"])
def test_a_namespace_that_goes_during_the_add(lab, stand, path):
    daemon = stand.serve(lab)
    daemon.meanwhile[path] = lambda: run(["ip", "netns", "del", stand.pod.name])
    try:
        stand.cni("ADD")  # may succeed: it holds the namespace for as long as it runs
    finally:
        run(["ip", "netns", "add", stand.pod.name])
    wait_until(lambda: stand.links(stand.node) == ["lo"], what="the pair gone with the namespace")


def test_a_daemon_that_is_away_or_hangs_is_waited_for(lab, stand):
    hung = socket.socket(socket.AF_UNIX)
    hung.bind(str(lab.dir / "hung"))
    hung.listen()  # nobody accepts
    lab.defer(hung.close)

    def call(command, path):
        before = time.monotonic()
        return (*stand.cni(command, socket=str(path)), time.monotonic() - before)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        away, del_hung = pool.submit(call, "ADD", stand.socket), pool.submit(call, "DEL", lab.dir / "hung")
        code, error, took = away.result()
        assert code == 1 and error["code"] == 11 and "ringwayd does not answer" in error["msg"]
        assert took > 7.5  # eight
        code, _, took = del_hung.result()
        assert code == 0 and took > 4.5  # five, since it may have many others to do first
    assert (stand.state / "spool" / "c1@eth0.del").exists()
    stand.assert_nothing_left()


def test_a_del_without_a_daemon_is_written_down(stand):
    for netns in (stand.pod.path, stand.pod.path, ""):
        assert stand.cni("DEL", CNI_NETNS=netns) == (0, None)
    assert stand.cni("DEL", CNI_IFNAME="net1") == (0, None)
    spool = stand.state / "spool"
    assert {file.name for file in spool.iterdir()} == {"c1@eth0.del", "c1@net1.del"}
    assert json.loads((spool / "c1@eth0.del").read_text()) == {"containerId": "c1", "ifname": "eth0"}
    code, error = stand.cni("DEL", stateDir="/proc/none")
    assert code == 1 and error["code"] == 11 and "/proc/none/spool cannot keep the DEL" in error["msg"]


def test_a_daemon_that_comes_back_in_time_is_used(lab, stand):
    timer = threading.Timer(1.0, lambda: stand.serve(lab))
    timer.start()
    code, result = stand.cni("ADD")
    timer.join()
    assert code == 0, result


def test_not_ready_is_asked_again(lab, stand):
    daemon = stand.serve(lab)
    busy = (503, {"error": "the Node object is not known yet"})
    daemon.replies["/v1/cni/add"] = [busy, busy, busy, (200, WIRING)]
    assert stand.cni("ADD")[0] == 0
    assert [path for path, _ in daemon.asked].count("/v1/cni/add") == 4


def test_status(lab, stand):
    def expect(status_code, message):
        code, error = stand.cni("STATUS", "1.1.0")
        assert code == 1 and error["code"] == status_code and message in error["msg"], error

    expect(51, "ringwayd does not answer")
    daemon = stand.serve(lab)
    assert stand.cni("STATUS", "1.1.0") == (0, None)
    for reply, code in (({"error": "no Node", "cniCode": 50}, 50), ({"error": "no uplink", "cniCode": 51}, 51),
                        ({"error": "what else"}, 50)):
        daemon.replies["/v1/cni/status"] = [(409, reply)]
        expect(code, reply["error"])


def test_gc_tells_the_daemon_what_there_is(lab, stand):
    valid = [{"containerID": "c1", "ifname": "eth0"}]
    gc = {"cni.dev/valid-attachments": valid}
    assert stand.cni("GC", "1.1.0", **gc) == (0, None)  # it collects by itself when it is back
    daemon = stand.serve(lab)
    assert stand.cni("GC", "1.1.0", **gc) == (0, None)
    assert daemon.asked == [("/v1/cni/gc", {"valid": valid})]
    assert stand.cni("GC", "1.1.0") == (0, None)  # no list is not an empty one
    assert len(daemon.asked) == 1
    code, error = stand.cni("GC", "1.0.0")
    assert code == 1 and error["code"] == 1


def test_version_needs_nothing(stand):
    code, result = stand.cni("VERSION", "0.4.0")
    assert code == 0
    assert result == {"cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}
