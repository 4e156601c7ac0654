"""The cluster's state from an API server: listed, watched, and kept while the server fails in each of the ways it may. The server
is tests/support/fake_api.py."""

import contextlib
import copy
import pathlib
import signal
import sqlite3
import sys

import pytest

from cluster import FAMILIES, RINGWAY, Cluster, Node
from lab import run, wait_until
from traffic import Running, serving, wait_reachable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

from fake_api import PATHS, FakeApi, kubeconfig, make_certificates  # noqa: E402  pylint: disable=wrong-import-position

IDLE_S = 3


def service(name, ip, **spec):
    return {"metadata": {"namespace": "default", "name": name},
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"], "ports": [{"port": 80}], **spec}}


def pod(name, node, namespace="default", labels=None):
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels or {}},
            "spec": {"nodeName": node, "containers": []}, "status": {"phase": "Running"}}


class ApiNode(Node):
    """A node that asks an API server in its own namespace, on 127.0.0.1."""

    api = None

    def config(self):
        config = super().config()
        del config["cluster"]["manifests"]
        config["cluster"] = {"apiServer": self.api.url, "caFile": str(self.api.directory / "ca.crt"),
                             "tokenFile": str(self.dir / "token"), "apiIdle": IDLE_S, **config["cluster"]}
        return config

    def watch(self, kind):
        (found,) = [w for w in self.ringway("status", check=False)["api"]["watches"] if w["kind"] == kind]
        return found

    def service_names(self):
        return {s["name"] for s in self.ringway("services")["services"]}

    def wait_services(self, *names):
        wait_until(lambda: self.service_names() == set(names), what=lambda: f"{names}; are {self.service_names()}")

    def wait_watching(self, *kinds):
        def all_watch():
            return all(w["state"] in ("watching", "absent") and w["problem"] == "" and w["synced"]
                       for w in self.ringway("status", check=False)["api"]["watches"] if w["kind"] in kinds or not kinds)

        wait_until(all_watch, what=lambda: f"all watch: {self.ringway('status', check=False)['api']}")

    def wait_version(self, kind):
        """Until it has heard of the server's newest version."""
        wait_until(lambda: self.watch(kind)["resource_version"] == str(self.api.version),
                   what=lambda: f"version {self.api.version}: {self.watch(kind)}")

    def wait_problem(self, kind, text):
        wait_until(lambda: text in self.watch(kind)["problem"], what=lambda: f"'{text}': {self.watch(kind)}")


@pytest.fixture(name="world")
def make_world():
    with Cluster() as cluster:
        node = cluster.add_node("a", kind=ApiNode)
        api = FakeApi(cluster.lab.dir / "api", node.ns.path)
        cluster.lab.defer(api.close)
        node.api = api
        (node.dir / "token").write_text("first\n")
        api.put("Node", {"metadata": {"name": "a"}, "spec": {"podCIDRs": list(node.pod_cidrs.values())},
                         "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in node.ip.values()]}})
        api.put("Namespace", {"metadata": {"name": "default", "labels": {"team": "x"}}, "spec": {"finalizers": ["k"]}})
        api.put("Service", service("web", "10.96.0.10"))
        yield node, api


def test_it_lists_then_watches(world):
    node, api = world
    for i in range(7):
        api.put("Service", service(f"s{i}", f"10.96.1.{i}"))
    api.has_watch_list, api.page_max = False, 3
    api.between_pages = lambda: api.put("Service", service("s0", "10.96.1.100"))
    node.start()
    node.wait_ready()
    names = {"web", *(f"s{i}" for i in range(7))}
    node.wait_services(*names)
    # one refusal is enough for all kinds that are asked after it; pages follow one another
    assert {query.get("continue", "0/").split("/")[0] for _, query, _ in api.asked("Service", limit="500")} == {"0", "3", "6"}
    node.wait_watching()
    # what changed in one page before the next was asked for
    wait_until(lambda: "10.96.1.100" in str(node.ringway("services")), what="the change between pages")
    # namespaces come as metadata, pods as this node's
    assert node.ringway("status")["objects"]["Namespace"] == 1
    assert any("as=PartialObjectMetadataList;" in accept for accept in api.accepts["Namespace"])
    assert all(query["fieldSelector"] == "spec.nodeName=a" for _, query, _ in api.asked("Pod"))
    api.put("Service", service("new", "10.96.2.1"))
    api.delete("Service", "default", "s3")
    names ^= {"new", "s3"}
    node.wait_services(*names)
    # bookmarks move the version on without an object
    api.put("Namespace", {"metadata": {"name": "other"}})
    wait_until(lambda: node.watch("Service")["resource_version"] == str(api.version), what="a bookmark's version")
    # an object that cannot be used is an error in force, and its last version stays
    api.put("Service", service("web", "10.96.0.300"))
    wait_until(lambda: any("Service default/web: spec.clusterIP" in error
                           for error in node.ringway("status")["source_errors"]), what="an error")
    assert "web" in node.service_names()
    api.put("Service", service("web", "10.96.0.11"))
    wait_until(lambda: not node.ringway("status")["source_errors"], what="no error")
    assert 'ringway_api_synced{kind="Service"}' in node.metrics()
    assert "API server" in run(node.wrap([RINGWAY, "status", "--socket", node.socket])).stdout


def test_what_fails_is_tried_again(world):
    node, api = world
    api.failures.clear()
    api.fail(429, kind="Service", headers={"Retry-After": "1"})
    api.fail(503, kind="EndpointSlice", times=2)
    api.fail(403, kind="Node")
    node.start()
    node.wait_ready()
    node.wait_watching()
    node.wait_services("web")
    # 410 in the middle of a watch: all is listed anew, and what went meanwhile goes
    lists = node.watch("Service")["lists"]
    with api.changed:
        del api.objects["Service", "default", "web"]
    api.put("Service", service("other", "10.96.0.20"))
    api.expire()
    node.wait_services("other")
    assert node.watch("Service")["lists"] > lists
    node.wait_watching()
    # 410 to the request itself
    api.fail(410, kind="Service", watch=True)
    lists = node.watch("Service")["lists"]
    api.stop()
    api.start()
    wait_until(lambda: node.watch("Service")["lists"] > lists, what="another list")
    node.wait_watching()
    # an answer that is none, as some proxy may give it, is no empty list
    api.fail(410, kind="Service", watch=True)
    odd = api.fail(200, kind="Service", watch=False, times=-1, body=b"{}")
    api.has_watch_list = False
    api.stop()
    api.start()
    node.wait_problem("Service", "or is none")
    assert node.service_names() == {"other"}
    # nor is what is not even text
    odd.status, odd.body = 502, "«é»".encode("latin-1")
    node.wait_problem("Service", "HTTP 502: ???")
    odd.times = 0
    node.wait_watching()
    # the server away: what is known stays, and status says so
    api.stop()
    node.wait_problem("Service", "127.0.0.1")
    status = node.ringway("status")
    assert status["ready"] and any("kind Service" in warning for warning in status["warnings"]), status
    assert node.service_names() == {"other"}
    assert node.metrics()['ringway_api_problem_seconds{kind="Service"}'] > 0
    api.start()
    node.wait_watching()
    api.put("Service", service("later", "10.96.0.21"))
    node.wait_services("other", "later")
    # another token: the old one is refused, and the file is read again
    (node.dir / "token").write_text("second")
    api.token = "second"
    api.stop()
    api.start()
    node.wait_watching()
    # and one that is not in the file
    api.token = "third"
    api.stop()
    api.start()
    node.wait_problem("Service", "HTTP 401")
    (node.dir / "token").write_text("third")
    node.wait_watching()
    # emptied: versions begin anew, everything but the node is gone, and watches that begin from a version to come hear nothing
    api.stop()
    api.is_mute = True
    api.empty(keep=("Node",))
    api.put("Service", service("fresh", "10.96.0.22"))
    api.start()
    node.wait_services("fresh")
    node.wait_watching()
    api.is_mute = False
    # half-open: nothing comes, nothing is closed
    api.freeze()
    node.wait_problem("Service", "nothing came from the server")
    assert node.ringway("status")["ready"] and node.service_names() == {"fresh"}
    api.freeze(False)
    node.wait_watching()
    api.put("Service", service("thawed", "10.96.0.23"))
    node.wait_services("fresh", "thawed")
    # watches that end as soon as they have begun are not begun anew at once
    api.is_curt = True
    api.stop()
    api.start()
    first = len(api.requests)

    def asked_at():
        return [at for at, (path, query, status) in list(zip(api.times, api.requests))[first:]
                if path == "/api/v1/services" and "watch" in query and status == 200]

    wait_until(lambda: len(asked_at()) > 3, what="watches that end")
    times = asked_at()
    assert all(later - earlier > 0.4 for earlier, later in zip(times, times[1:])), times


def test_only_the_given_ca_is_trusted(world):
    """Not those that the system trusts."""
    node, api = world
    (node.dir / "other").mkdir()
    make_certificates(node.dir / "other", "another CA")
    run(node.wrap("mount -t tmpfs none /etc/ssl/certs"))
    name = run(f"openssl x509 -hash -noout -in {api.directory}/ca.crt").stdout.strip()
    run(node.wrap(f"cp {api.directory}/ca.crt /etc/ssl/certs/{name}.0"))
    ca = node.dir / "ca.crt"
    ca.write_bytes((node.dir / "other/ca.crt").read_bytes())
    node.options = {"cluster": {"caFile": str(ca)}}
    node.start()
    wait_until(node.socket.exists, what="the admin socket")
    node.wait_problem("Service", "SSL certificate problem")


def test_a_start_waits_for_all_kinds(world):
    node, api = world
    refusal = api.fail(500, kind="EndpointSlice", times=-1)
    api.fail(403, kind="ServiceCIDR", times=-1)  # a right that came later: it holds nothing up
    node.start()
    wait_until(node.socket.exists, what="the admin socket")
    node.wait_problem("EndpointSlice", "HTTP 500: fake 500")
    node.wait_watching("Service", "Node", "Pod")
    status = node.ringway("status", check=False)
    assert not status["ready"] and "EndpointSlice" in status["not_ready_reason"], status
    assert status["tables"]["version"] == 0 and status["api"]["awaited"]
    assert not any("worker" in warning for warning in status["warnings"]) and node.get("/healthz")[0] == 200
    for question in ("services", "pods", "nodes", "policies", "endpoints", "drops", "doctor"):
        node.ringway(question, check=False)
    assert node.get("/metrics")[0] == 200
    refusal.times = 0
    node.wait_ready()
    node.wait_services("web")
    node.wait_problem("ServiceCIDR", "403")


def test_a_start_while_the_server_is_away(world):
    """With the objects that were last known, until the server tells them."""
    node, api = world
    node.options = {"cluster": {"apiWait": 1}}
    # nothing can be known of it but whom it selects, and that stays so
    api.put("NetworkPolicy", {"metadata": {"namespace": "default", "name": "odd"}, "spec": {"podSelector": {}, "ingress": "x"}})
    node.start()
    node.wait_ready()
    api.put("Service", service("event", "10.96.0.11"))
    api.put("Service", service("gone", "10.96.0.12"))
    node.wait_services("web", "event", "gone")
    api.delete("Service", "default", "gone")
    node.wait_services("web", "event")
    assert node.ringway("status")["api"]["saved_seconds"] is None
    api.stop()
    node.restart()
    status = node.ringway("status")
    assert node.service_names() == {"web", "event"} and status["tables"]["version"] > 0
    assert status["api"]["saved_seconds"] is not None and not any(w["synced"] for w in status["api"]["watches"])
    assert any("are as they were saved" in warning for warning in status["warnings"])
    assert any("NetworkPolicy default/odd" in error for error in status["source_errors"])
    # from what was saved to what is there
    with api.changed:
        del api.objects["Service", "default", "web"]
    api.put("Service", service("new", "10.96.0.13"))
    own = copy.deepcopy(api.objects["Node", "", "a"])
    own["spec"]["taints"] = [{"key": "ringway.io/not-ready", "effect": "NoSchedule"}]
    api.put("Node", own)
    slices = api.fail(500, kind="EndpointSlice", times=-1)
    api.start()
    node.wait_services("event", "new")
    # pods that are here go on, those to come wait until the last kind is told
    assert own_node(api)[1] == ["ringway.io/not-ready"]
    slices.times = 0
    node.wait_watching()
    wait_until(lambda: own_node(api)[1] == [], what=lambda: f"no taint: {api.writes}")
    wait_until(lambda: node.ringway("status")["api"]["saved_seconds"] is None, what="nothing saved in use")
    # saved by a process that was killed, too
    api.stop()
    node.restart(signal.SIGKILL)
    assert node.service_names() == {"event", "new"}
    # pods of other nodes are not thrown away by each start, which lists them after those of this one
    api.start()
    wait_until(lambda: node.ringway("status")["api"]["saved_seconds"] is None, what="nothing saved in use")
    api.put("Pod", pod("here", "a"))
    api.put("Pod", pod("there", "b"))
    api.put("NetworkPolicy", {"metadata": {"namespace": "default", "name": "peers"},
                              "spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}})
    wait_until(lambda: node.ringway("status")["objects"]["Pod"] == 2, what="pods of all nodes")
    node.stop()
    with contextlib.closing(sqlite3.connect(node.dir / "state" / "objects.db")) as saved:
        saved.executescript("CREATE TABLE gone (name TEXT); CREATE TRIGGER gone AFTER DELETE ON objects "
                            "BEGIN INSERT INTO gone VALUES (old.name); END")
    node.start()
    node.wait_ready()
    wait_until(lambda: node.ringway("status")["api"]["saved_seconds"] is None, what="nothing saved in use")
    node.stop()
    with contextlib.closing(sqlite3.connect(node.dir / "state" / "objects.db")) as saved:
        assert saved.execute("SELECT name FROM gone").fetchall() == []
        # the clock was ahead then, or is behind now
        saved.executescript("UPDATE meta SET value = '99999999999' WHERE key = 'time'")
    api.stop()
    node.start()
    node.wait_ready()
    status = node.ringway("status")
    assert status["api"]["saved_seconds"] == 0 and any("are as they were saved" in warning for warning in status["warnings"])


def test_an_older_server(world):
    node, api = world
    api.has_watch_list = None
    api.paths = {path: what for path, what in PATHS.items() if not path.endswith(("/v1/endpointslices", "/servicecidrs"))}
    api.put("EndpointSlice", {"metadata": {"namespace": "default", "name": "web-1",
                                           "labels": {"kubernetes.io/service-name": "web"}},
                              "addressType": "IPv4", "ports": [{"port": 8080}],
                              "endpoints": [{"addresses": ["10.244.9.9"], "conditions": {"ready": True}}]})
    (node.dir / "kubeconfig").write_text(kubeconfig(api, token="first"))
    node.options = {"cluster": {"kubeconfig": str(node.dir / "kubeconfig"), "apiServer": ""}}
    node.start()
    node.wait_ready()
    assert node.ringway("status")["objects"]["EndpointSlice"] == 1
    node.wait_watching()
    assert node.watch("ServiceCIDR")["state"] == "absent" and node.ringway("status")["warnings"] == []
    # somebody writes another kubeconfig: it is read when what it said is refused
    (node.dir / "kubeconfig").write_text(kubeconfig(api, **{
        "client-certificate": str(api.directory / "client.crt"), "client-key": str(api.directory / "client.key")}))
    api.token = "second"
    api.stop()
    api.start()
    api.put("Service", service("later", "10.96.0.11"))
    node.wait_services("web", "later")


def test_all_pods_are_watched_while_a_policy_needs_them(world):
    """The bytes of each kind are those of what is asked for, and of no more."""
    node, api = world
    api.put("Pod", pod("here", "a", labels={"app": "here"}))
    api.put("Pod", pod("there", "b", labels={"app": "there"}))
    api.put("Pod", pod("elsewhere", "b", namespace="other"))
    api.put("Namespace", {"metadata": {"name": "large"}, "spec": {"finalizers": ["f" * 100000]}})
    peers = {"spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "there"}}}]}]}}
    api.put("NetworkPolicy", {"metadata": {"namespace": "other", "name": "not-here"}, **peers})
    node.options = {"cluster": {"podsGrace": 1}}
    node.start()
    node.wait_ready()

    def known():
        status = node.ringway("status")
        return status["api"]["pods"], status["objects"]["Pod"], node.metrics()["ringway_api_all_pods"]

    def wait_bytes():
        """What the server has sent is what the metrics say has come, of each kind."""
        def come():
            metrics = node.metrics()
            return {kind: int(metrics[f'ringway_api_bytes_total{{kind="{kind}"}}']) for kind in sent()}

        def sent():
            with api.changed:
                return dict(api.sent)

        wait_until(lambda: come() == sent(), what=lambda: f"{sent()}; {come()}")
        return sent()

    assert known() == ("own", 1, 0)
    # other nodes' pods, and what is not metadata of namespaces, cost nothing
    api.bookmark_s = 3600  # they are sent with each change of anything
    bytes_before = wait_bytes()
    assert bytes_before["Namespace"] < 20000
    for i in range(50):
        api.put("Pod", pod(f"other-{i}", "b", labels={"large": "x" * 1000}))
        api.put("Namespace", {"metadata": {"name": "large"}, "spec": {"finalizers": ["f" * 100000, str(i)]}})
    node.wait_version("Pod")
    bytes_then = wait_bytes()
    assert bytes_then["Pod"] - bytes_before["Pod"] < 50 * 1000
    assert bytes_then["Namespace"] - bytes_before["Namespace"] < 50 * 1000
    api.put("NetworkPolicy", {"metadata": {"namespace": "default", "name": "here"}, **peers})
    wait_until(lambda: known() == ("all", 53, 1), what=lambda: f"all pods: {known()}")
    node.wait_watching("Pod")
    assert node.metrics()['ringway_api_bytes_total{kind="Pod"}'] - bytes_then["Pod"] > 50 * 1000
    # with such a policy from the start, tables are made with all pods
    node.restart()
    assert known() == ("all", 53, 1)
    # and when there is none, they are not watched any longer; a pod from here stays all the time
    lists = node.watch("Pod")["lists"]
    api.delete("NetworkPolicy", "default", "here")
    wait_until(lambda: known() == ("own", 1, 0), what=lambda: f"own pods: {known()}")
    node.wait_watching("Pod")
    assert node.watch("Pod")["lists"] == lists + 1
    assert api.asked("Pod")[-1][1]["fieldSelector"] == "spec.nodeName=a"
    api.put("Pod", pod("there", "b", labels={"app": "changed"}))
    api.put("Pod", pod("new", "a"))
    wait_until(lambda: known()[1] == 2, what=lambda: f"a new pod: {known()}")
    # and once more
    api.put("NetworkPolicy", {"metadata": {"namespace": "default", "name": "here"}, **peers})
    wait_until(lambda: known() == ("all", 54, 1), what=lambda: f"all pods: {known()}")
    # each has a name where these are verified
    api.delete("NetworkPolicy", "default", "here")
    node.options = {"dns": {"podRecords": "verified"}}
    (node.dir / "ringway.yaml").unlink()
    node.restart()
    assert known() == ("all", 54, 1)
    wait_until(lambda: node.ringway("status")["dns"]["synced"], what="the zone")


def own_node(api):
    node = api.objects["Node", "", "a"]
    return ({c["type"]: c for c in node["status"].get("conditions", ())},
            [taint["key"] for taint in node["spec"].get("taints", ())])


def written_events(api):
    return {(event["involvedObject"]["kind"], event["involvedObject"]["name"], event["reason"])
            for key, event in list(api.objects.items()) if key[0] == "Event"}


def test_what_is_written(world):
    """The node's condition, the removal of its taint, and events; nothing else, and no more than asked for."""
    node, api = world
    own = copy.deepcopy(api.objects["Node", "", "a"])
    own["spec"]["taints"] = [{"key": key, "effect": "NoSchedule"} for key in ("their/own", "ringway.io/not-ready", "x")]
    own["status"]["conditions"] = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    api.put("Node", own)
    api.put("Service", service("taken", "10.96.0.11", externalIPs=["10.96.0.77"]))
    api.put("Service", service("twin", "10.96.0.10"))
    api.put("ServiceCIDR", {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16"]}})
    api.put("ServiceCIDR", {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.0.0/16"]}})
    api.put("Namespace", {"metadata": {"name": "tried", "annotations": {"ringway.io/policy-mode": "audit"}}})
    api.fail(409, kind="Node", method="PATCH")  # of the condition or the taint: whichever it is comes again
    api.fail(500, kind="Event", method="POST")
    api.fail(429, kind="Event", method="POST", headers={"Retry-After": "1"})
    node.start()
    wait_until(lambda: own_node(api)[1] == ["their/own", "x"], what=lambda: f"no taint: {own_node(api)}, {api.writes}")
    wait_until(lambda: own_node(api)[0].get("RingwayReady", {}).get("status") == "True",
               what=lambda: f"a condition: {own_node(api)}, {api.writes}")
    assert own_node(api)[0]["Ready"]["reason"] == "KubeletReady"
    expected = {("Node", "a", "RingwayReady"), ("Service", "taken", "AddressRefused"), ("Service", "web", "AddressCollision"),
                ("Namespace", "tried", "PolicyAudit"), ("ServiceCIDR", "more", "ServiceCIDRNotConfigured")}
    wait_until(lambda: written_events(api) == expected, what=lambda: f"{expected}; are {written_events(api)}, {api.writes}")
    assert all(status in (200, 201, 409, 429, 500) for _, _, _, status in api.writes), api.writes
    metrics = node.metrics()
    for kind in ("condition", "taint", "event"):
        assert metrics[f'ringway_api_writes_total{{kind="{kind}",result="done"}}'] >= 1, metrics
    # who is started again has no news
    n_events = len(api.objects)
    node.restart()
    # somebody took the condition away
    own["spec"]["taints"] = []
    api.put("Node", own)
    wait_until(lambda: "RingwayReady" in own_node(api)[0], what=lambda: f"the condition again: {api.writes}")
    assert len(api.objects) == n_events
    # a right is missing
    api.fail(403, kind="Node", method="PATCH", times=-1)
    api.put("Node", own)
    wait_until(lambda: any("may not patch nodes/status: apply conf/kubernetes/rbac.yaml" in warning
                           for warning in node.ringway("status")["warnings"]), what="a warning")
    assert "nodes/status" in str(node.ringway("doctor", check=False))
    assert node.metrics()['ringway_api_write_problem_seconds{kind="condition"}'] > 0


def test_one_http2_connection(world):
    node, api = world
    log = node.dir / "proxy.log"
    # what the API server does, done by a proxy before one that cannot
    proxy = node.popen(["nghttpx", "--conf=/dev/null", "--single-process", "-f127.0.0.1,6443",
                        f"-b127.0.0.1,{api.port};;tls;proto=http/1.1", "--insecure", f"--accesslog-file={log}",
                        "--accesslog-format=$alpn $request", f"--errorlog-file={node.dir}/proxy.errors",
                        str(api.directory / "server.key"), str(api.directory / "server.crt")])
    wait_until(lambda: node.run("ss -Hltn sport = :6443").stdout, what="the proxy")
    node.options = {"cluster": {"apiServer": "https://127.0.0.1:6443"}}
    node.start()
    node.wait_ready()
    node.wait_watching()
    sockets = [line.split() for line in node.run("cat /proc/net/tcp").stdout.splitlines()[1:]]
    assert len([s for s in sockets if s[2].endswith(f":{6443:04X}") and s[3] == "01"]) == 1, sockets
    api.put("Service", service("new", "10.96.2.1"))
    node.wait_services("web", "new")
    # the connection hangs; the next ones must not go over it
    node.lab.defer(proxy.popen.send_signal, signal.SIGCONT)
    proxy.popen.send_signal(signal.SIGSTOP)
    node.wait_problem("Service", "nothing came from the server")
    proxy.popen.send_signal(signal.SIGCONT)
    node.wait_watching()
    api.put("Service", service("later", "10.96.2.2"))
    node.wait_services("web", "new", "later")
    lines = log.read_text().splitlines()
    assert lines and all(line.startswith("h2 ") for line in lines), lines


class ApiCluster(Cluster):
    """What others write as manifests goes to an API server, once there is one."""

    api, waiting = None, ()

    def write_manifest(self, name, *documents):
        self.waiting = (*self.waiting, *documents)
        while self.api and self.waiting:
            document, *self.waiting = self.waiting
            self.api.put(document["kind"], document)


def test_connections_live_through_a_restart():
    """Also while the server, of all things, does not tell the endpoints at once."""
    with ApiCluster() as cluster:
        node = cluster.add_node("a", kind=ApiNode)
        cluster.api = node.api = FakeApi(cluster.lab.dir / "api", node.ns.path)
        cluster.lab.defer(cluster.api.close)
        (node.dir / "token").write_text("first")
        cluster.write_manifest("what waits")
        cluster.start()
        client, server = node.add_pod("client"), node.add_pod("server", ports=[8080])
        web = cluster.add_service("web", 80, 8080, [server])
        cluster.wait_published()
        for family in FAMILIES:
            wait_reachable(client, server.ip[family])
        with serving([server]):
            streams = [Running(client, "stream", web.ip[family], 80, 20) for family in FAMILIES]
            refusals = cluster.api.fail(503, kind="EndpointSlice", times=2)
            node.crash()
            assert refusals.times == 0
            node.restart()
            for stream in streams:
                result = stream.end()
                assert (result["error"], result["requests"]) == ("", result["answers"]), result
