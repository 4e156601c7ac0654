"""NetworkPolicy with real pods on two nodes: what passes is answered, what does not is a counted drop. Policies are
manifests, and the next build has them in force."""

import contextlib
import json
import time

import pytest

from cluster import FAMILIES, Cluster
from lab import wait_until
from traffic import PYTHON, Running, attempt, ping

BRIEF_S = 0.7  # what is dropped stays unanswered, however long one waits; that it was dropped is counted
PORT = 8080


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.outside = made.add_outside("outside", 70)
        made.start()
        for namespace, team in (("shop", "green"), ("bank", "blue")):
            write_namespace(made, namespace, team)
        made.db = made.b.add_pod("db", "shop", {"app": "db"}, ports=[("sql", PORT), 8081, 9009])
        made.web = made.a.add_pod("web", "shop", {"app": "web"}, ports=[("http", PORT)])
        made.near = made.b.add_pod("near", "shop", {"app": "web"}, ports=[("http", PORT)])
        made.bank = made.a.add_pod("bank", "bank", {"app": "web"}, ports=[("http", PORT)])
        made.pods = [made.db, made.web, made.near, made.bank]
        made.service = made.add_service("db", 80, PORT, [made.db], namespace="shop")
        made.exposed = made.add_service("exposed", 81, PORT, [made.db], namespace="shop", spec={"type": "NodePort"})
        made.wait_published()
        made.wait_joined()
        for pod in made.pods:
            for port in (PORT, 8081):
                Running(pod, "serve", port, pod.name)
        yield made


@contextlib.contextmanager
def policies(cluster, **specs):
    """Policies of the namespace shop, in force."""
    try:
        write_policies(cluster, **specs)
        yield
    finally:
        for name in specs:
            cluster.remove_manifest(f"policy-{name}")
        cluster.wait_published()


def write_namespace(cluster, name="shop", team="green", **annotations):
    cluster.write_manifest(f"namespace-{name}", {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"team": team}, "annotations": annotations}})


def write_policies(cluster, namespace="shop", **specs):
    for name, spec in specs.items():
        cluster.write_manifest(f"policy-{name}", {
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    cluster.wait_published()


@contextlib.contextmanager
def audit(cluster):
    """The namespace shop is in audit mode."""
    try:
        write_namespace(cluster, **{"ringway.io/policy-mode": "audit"})
        cluster.wait_published()
        yield
    finally:
        write_namespace(cluster)
        cluster.wait_published()


def drops(cluster):
    return {reason: sum(node.drops().get(reason, 0) for node in cluster.nodes)
            for reason in ("policy_ingress", "policy_egress", "policy_closed")}


def expect_answer(client, server, port=PORT, proto="tcp", families=FAMILIES):
    for family in families:
        # a datagram may be lost while the way to a neighbour is found
        wait_until(lambda f=family: attempt(client, proto, server.ip[f], port, patience=2) == "answered",
                   what=f"{client.name} to {server.name}:{port}/{proto} over IPv{family}")


def expect_drop(cluster, client, server, port=PORT, proto="tcp", families=FAMILIES, reason="policy_ingress"):
    for family in families:
        before = drops(cluster)
        assert attempt(client, proto, server.ip[family], port, BRIEF_S) == "silence", (client.name, server.name, port)
        wait_until(lambda b=before: drops(cluster)[reason] > b[reason], what=f"a drop for {reason}")


DB = {"matchLabels": {"app": "db"}}


def test_nobody_gets_into_a_pod_that_no_rule_lets_in(cluster):
    with policies(cluster, deny={"podSelector": DB}):
        for proto in ("tcp", "udp"):
            expect_drop(cluster, cluster.web, cluster.db, proto=proto)
            expect_drop(cluster, cluster.near, cluster.db, proto=proto)
            expect_drop(cluster, cluster.web, cluster.service, 80, proto)
        # others are not concerned, nor is what it asks for itself
        expect_answer(cluster.web, cluster.near)
        for proto in ("tcp", "udp"):
            expect_answer(cluster.db, cluster.web, proto=proto)
            expect_answer(cluster.db, cluster.near, proto=proto)
        assert ping(cluster.db, cluster.web.ip[4]) == ping(cluster.db, cluster.web.ip[6]) == 3
        # the node's own probes pass, another node's do not
        expect_answer(cluster.b, cluster.db)
        expect_drop(cluster, cluster.a, cluster.db)
    expect_answer(cluster.web, cluster.db)


def test_pods_are_let_in_by_their_labels_and_namespaces(cluster):
    same = [{"podSelector": {"matchLabels": {"app": "web"}}}]
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"from": same}]}):
        expect_answer(cluster.web, cluster.db)
        expect_answer(cluster.near, cluster.service, 80)
        expect_drop(cluster, cluster.bank, cluster.db)
    for selector in ({"matchLabels": {"kubernetes.io/metadata.name": "bank"}},
                     {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["green"]}]}):
        with policies(cluster, allow={"podSelector": DB, "ingress": [{"from": [{"namespaceSelector": selector}]}]}):
            expect_answer(cluster.bank, cluster.db)
            expect_drop(cluster, cluster.web, cluster.db)
    both = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "nobody"}}}]
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"from": both}]}):
        expect_drop(cluster, cluster.bank, cluster.db)


def test_labels_that_change_count_at_once(cluster):
    rule = [{"from": [{"podSelector": {"matchLabels": {"role": "reader"}}}]}]
    with policies(cluster, allow={"podSelector": DB, "ingress": rule}):
        expect_drop(cluster, cluster.web, cluster.db)
        cluster.web.labels = {"app": "web", "role": "reader"}
        cluster.web.write_manifest()
        cluster.wait_published()
        expect_answer(cluster.web, cluster.db)
        cluster.web.labels = {"app": "web"}
        cluster.web.write_manifest()
        cluster.wait_published()
        expect_drop(cluster, cluster.web, cluster.db)


def test_ports_by_number_range_and_name(cluster):
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": PORT}]}]}):
        expect_answer(cluster.web, cluster.db, PORT)
        expect_drop(cluster, cluster.web, cluster.db, 8081)
        expect_drop(cluster, cluster.web, cluster.db, PORT, "udp")
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": 8081, "endPort": 8090}]}]}):
        expect_answer(cluster.web, cluster.db, 8081)
        expect_drop(cluster, cluster.web, cluster.db, PORT)
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": "sql"}]}]}):
        expect_answer(cluster.web, cluster.service, 80)
        expect_drop(cluster, cluster.web, cluster.db, 8081)
    web = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"],
           "egress": [{"ports": [{"port": "http"}]}]}
    with policies(cluster, allow=web):
        expect_answer(cluster.db, cluster.web, PORT)
        expect_drop(cluster, cluster.db, cluster.web, 8081, reason="policy_egress")


def test_networks_and_what_is_cut_out_of_them(cluster):
    """Who comes through a node port of the pod's own node is judged by its own address; the other node stands for who comes
    through its. Neither is the node's own traffic."""
    def expect(node, outcome):
        for family in FAMILIES:
            if outcome == "answered":
                wait_until(lambda f=family: attempt(cluster.outside, "tcp", node.ip[f], 30081, patience=2) == "answered",
                           what=f"the node port of {node.name} over IPv{family}")
            else:
                before = drops(cluster)
                assert attempt(cluster.outside, "tcp", node.ip[family], 30081, BRIEF_S) == outcome
                wait_until(lambda b=before: drops(cluster)["policy_ingress"] > b["policy_ingress"],
                           what="a drop for policy_ingress")

    def allowing(*blocks):
        return policies(cluster, allow={"podSelector": DB, "ingress": [{"from": [{"ipBlock": b} for b in blocks]}]})

    with allowing({"cidr": "172.30.0.70/32"}, {"cidr": "fd00:30::46/128"}):
        expect(cluster.b, "answered")
        expect(cluster.a, "silence")
        expect_drop(cluster, cluster.web, cluster.db)
    with allowing({"cidr": "0.0.0.0/0", "except": ["172.30.0.64/26"]}, {"cidr": "::/0", "except": ["fd00:30::40/122"]}):
        expect(cluster.b, "silence")
        expect(cluster.a, "answered")
        expect_answer(cluster.web, cluster.db)


def test_egress_is_judged_where_a_service_leads(cluster):
    deny = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}
    with policies(cluster, deny=deny):
        for proto in ("tcp", "udp"):
            expect_drop(cluster, cluster.web, cluster.service, 80, proto, reason="policy_egress")
        # a server's answers are no business of its own egress rules
        for proto in ("tcp", "udp"):
            expect_answer(cluster.bank, cluster.web, proto=proto)
    allow = dict(deny, egress=[{"to": [{"podSelector": DB}], "ports": [{"port": PORT}, {"port": PORT, "protocol": "UDP"}]}])
    with policies(cluster, allow=allow):
        for proto in ("tcp", "udp"):
            expect_answer(cluster.web, cluster.service, 80, proto)
            expect_answer(cluster.near, cluster.db, PORT, proto)
            expect_drop(cluster, cluster.web, cluster.bank, proto=proto, reason="policy_egress")


def test_explain_names_the_rule_and_the_policies(cluster):
    def explain(port):
        to = f"{cluster.db.ip[4]}:{port}/tcp"  # shop/db is a service, too
        return cluster.b.ringway("explain", "--from", "shop/near", "--to", to, check=False)

    with policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": 9}]}, {"ports": [{"port": "sql"}]}]},
                  other={"podSelector": {}, "policyTypes": ["Ingress"]}):
        told = explain(PORT)
        assert told["verdict"] == "forward", told
        assert told["policies"][-1]["rule"] == {"namespace": "shop", "name": "allow", "direction": "ingress", "index": 1}
        told = explain(8081)
        assert told["drop_reason"] == "policy_ingress", told
        assert [policy["name"] for policy in told["policies"][-1]["isolating"]] == ["allow", "other"]
        # the rule that explain writes is the one that was missing
        [advice] = told["advice"]
        with policies(cluster, advised=advice["policy"]["spec"]):
            assert explain(8081)["verdict"] == "forward"
            expect_answer(cluster.near, cluster.db, 8081)
            expect_drop(cluster, cluster.bank, cluster.db, 8081, families=FAMILIES[:1])


def test_the_list_shows_hits_and_rules_that_match_nobody(cluster):
    nobody = {"podSelector": {"matchLabels": {"app": "wbe"}}}
    with policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": 9}]}, {"ports": [{"port": PORT}]}]},
                  typo={"podSelector": DB, "ingress": [{"from": [nobody]}]},
                  elsewhere={"podSelector": {"matchLabels": {"app": "none"}}, "policyTypes": ["Egress"]}):
        expect_answer(cluster.web, cluster.db)

        def rules():
            return {policy["name"]: policy for policy in cluster.b.ringway("policies")["policies"]}

        wait_until(lambda: rules()["allow"]["rules"][1]["hits"] > 0, what="hits of the rule that allows")
        told = rules()
        assert [told[name]["pods"] for name in ("allow", "typo", "elsewhere")] == [1, 1, 0], told
        assert told["allow"]["rules"][0]["hits"] == told["typo"]["hits"] == 0, told
        assert [rule["nobody"] for rule in told["allow"]["rules"] + told["typo"]["rules"]] == [False, False, True], told
        assert told["typo"]["problem"] and not told["allow"]["problem"], told
        assert told["elsewhere"]["directions"] == ["egress"], told
        first = {name: told[name]["generation"] for name in told}
        assert all(version > 0 and not told[name]["pending"] for name, version in first.items()), told
        # whom they isolate together, and what all of them deny
        expect_drop(cluster, cluster.web, cluster.db, 8081, families=FAMILIES[:1])
        wanted = {"direction": "ingress", "policies": ["shop/allow", "shop/typo"], "pods": ["shop/db"], "audit": False}

        for command, field in (("policies", "sets"), ("drops", "policies")):
            wait_until(lambda c=command, f=field: any(wanted.items() <= row.items() and row["denied"] > 0
                                                      for row in cluster.b.ringway(c)[f]), what="denials of the policies")
        # a new text begins anew, whoever had its numbers before
        write_policies(cluster, allow={"podSelector": DB, "ingress": [{"ports": [{"port": 7}]}]})
        told = rules()
        assert told["allow"]["generation"] > first["allow"] and told["typo"]["generation"] == first["typo"], told
        assert told["allow"]["hits"] == 0, told


def test_forgotten_dns_is_a_problem_at_the_first_query(cluster):
    def told():
        return [text for text in cluster.b.ringway("status")["warnings"] if text.startswith("pod shop/db asks for names")]

    assert not told()
    with policies(cluster, closed={"podSelector": DB, "policyTypes": ["Egress"]}):
        attempt(cluster.db, "udp", cluster.web.ip[4], 53, BRIEF_S)
        wait_until(told, what="a problem that names the pod")
        assert len(told()) == 1 and "shop/closed" in told()[0], told()
        assert [check for check in cluster.b.ringway("doctor", check=False)["checks"]
                if check["check"] == "dns" and check["status"] == "warn"]
        found = cluster.b.ringway("policies", "lint", check=False)["findings"]
        assert [finding["name"] for finding in found if finding["kind"] == "dns"] == ["closed"], found
        # it is over as soon as the policy is mended
        write_policies(cluster, closed={"podSelector": DB, "policyTypes": ["Egress"],
                                        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]})
        assert not told()


def test_audit_lets_pass_what_policies_deny_and_counts_it(cluster):
    def annotate(**annotations):
        write_namespace(cluster, "shop", "green", **annotations)
        cluster.wait_published()

    def would_drop():
        return cluster.b.ringway("drops")["would_drop"]

    try:
        annotate(**{"ringway.io/policy-mode": "audit"})
        with policies(cluster, deny={"podSelector": DB}):
            before = drops(cluster)
            for proto in ("tcp", "udp"):
                expect_answer(cluster.web, cluster.db, proto=proto)
            wanted = {"direction": "ingress", "policies": ["shop/deny"], "pods": ["shop/db"], "audit": True}
            wait_until(lambda: any(wanted.items() <= row.items() for row in would_drop()["policies"]),
                       what="packets that the policy would drop")
            assert "policy_ingress" in [row["reason"] for row in would_drop()["reasons"]]
            assert drops(cluster) == before
            assert [policy["mode"] for policy in cluster.b.ringway("policies")["policies"]] == ["audit"]
            told = cluster.b.ringway("status")["policy_mode"]
            assert (told["mode"], told["audit_namespaces"]) == ("enforce", ["shop"]) and told["text"], told
            assert "warn" in [check["status"] for check in cluster.b.ringway("doctor", check=False)["checks"]
                              if check["check"] == "policies"]
            told = cluster.b.ringway("explain", "--from", "shop/near", "--to", f"{cluster.db.ip[4]}:{PORT}/tcp")
            assert (told["verdict"], told["would_drop"]["reason"]) == ("forward", "policy_ingress"), told
            annotate()
            assert cluster.b.ringway("status")["policy_mode"]["text"] == ""
            expect_drop(cluster, cluster.web, cluster.db)
    finally:
        annotate()


PUSHER = """
import socket, sys, time, os
listener = socket.create_server(("::", 9009), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
connection, _ = listener.accept()
print("accepted", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
connection.sendall(b"pushed")
connection.recv(1)
"""
WAITER = """
import socket, sys
with socket.create_connection((sys.argv[1], 9009), timeout=60) as s:
    s.settimeout(None)
    print(s.recv(10).decode(), flush=True)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_connection_that_is_older_than_the_policy_goes_on(cluster, family):
    """The server speaks first, and is isolated in both directions: only its sockets tell that it answers."""
    flag = cluster.lab.dir / f"push-{family}-{cluster.db.ip[4]}"
    server = cluster.db.popen([PYTHON, "-c", PUSHER, flag])
    server.wait_for("ready")
    client = cluster.web.popen([PYTHON, "-c", WAITER, cluster.db.ip[family]])
    server.wait_for("accepted")
    both = {"podSelector": DB, "policyTypes": ["Ingress", "Egress"], "ingress": [{"ports": [{"port": 9009}]}]}
    with policies(cluster, both=both):
        flag.touch()
        client.wait_for("pushed")
    client.popen.wait(60)
    server.popen.wait(60)


TALKER = """
import socket, sys
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
connection, _ = listener.accept()
while data := connection.recv(10):
    connection.sendall(data)
"""
CALLER = """
import os, socket, sys, time
def ask(flag, word):
    while not os.path.exists(flag):
        time.sleep(0.02)
    s.sendall(b"?")
    assert s.recv(10)
    print(word, flush=True)
s = socket.create_connection((sys.argv[1], 9100), 60)
s.settimeout(None)
ask("/", "connected")
ask(sys.argv[2], "again")
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_connection_to_an_undeclared_port_is_cut_by_a_policy_that_comes_later(cluster, family):
    """Nobody looked at it when it was opened: the pod's sockets tell that it is a server's. Without the policy it goes on."""
    flag = cluster.lab.dir / f"talk-{family}-{cluster.db.ip[4]}"
    server = cluster.db.popen([PYTHON, "-c", TALKER, 9100])
    server.wait_for("ready")
    client = cluster.web.popen([PYTHON, "-c", CALLER, cluster.db.ip[family], flag])
    client.wait_for("connected")
    with policies(cluster, deny={"podSelector": DB}):
        before = drops(cluster)["policy_ingress"]
        flag.touch()
        wait_until(lambda: drops(cluster)["policy_ingress"] > before, what="drops of the connection's packets")
        assert "again" not in client.output()
    client.wait_for("again")
    client.popen.wait(60)
    server.popen.wait(60)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_connection_that_audit_let_in_is_cut_once_policies_are_enforced(cluster, family):
    """What is denied, though only counted, shows no server's port: the pod's sockets do."""
    flag = cluster.lab.dir / f"audit-{family}-{cluster.db.ip[4]}"
    with audit(cluster), policies(cluster, deny={"podSelector": DB}):
        server = cluster.db.popen([PYTHON, "-c", TALKER, 9100])
        server.wait_for("ready")
        client = cluster.web.popen([PYTHON, "-c", CALLER, cluster.db.ip[family], flag])
        client.wait_for("connected")
        write_namespace(cluster)
        cluster.wait_published()
        before = drops(cluster)["policy_ingress"]
        flag.touch()
        wait_until(lambda: drops(cluster)["policy_ingress"] > before, what="drops of the connection's packets")
        assert "again" not in client.output()
    client.wait_for("again")
    client.popen.wait(60)
    server.popen.wait(60)


ASKER = """
import socket, sys, time, os
s = socket.create_connection((sys.argv[1], 8080), 60, ("", int(sys.argv[2])))
s.send(b"?")
s.recv(200)
print("connected", flush=True)
while not os.path.exists(sys.argv[3]):
    time.sleep(0.02)
s.send(b"?")
print("answered" if s.recv(200) else "ended", flush=True)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_who_is_let_in_ends_no_connection_of_the_pods_own(cluster, family):
    """Whoever may talk to any port of a pod makes a server's of one from which the pod talks to somebody else."""
    port = 40000 + family
    flag = cluster.lab.dir / f"ask-{family}-{cluster.db.ip[4]}"
    with policies(cluster, some={"podSelector": DB, "ingress": [{"from": [{"podSelector": {}}]}]}):
        client = cluster.db.popen([PYTHON, "-c", ASKER, cluster.bank.ip[family], port, flag])
        client.wait_for("connected")
        assert attempt(cluster.web, "tcp", cluster.db.ip[family], port) == "refused"
        flag.touch()
        client.wait_for("answered")
    client.popen.wait(60)


def test_policies_are_replaced_under_traffic(cluster):
    """A connection does not notice as long as some policy allows it, and ends when none does any more."""
    def allowing(peer):
        return {"podSelector": DB, "ingress": [{"from": [peer]}]}

    streams = [Running(cluster.web, "stream", cluster.db.ip[family], PORT, 20) for family in FAMILIES]
    with policies(cluster, first=allowing({"podSelector": {}})):
        write_policies(cluster, second=allowing({"ipBlock": {"cidr": "0.0.0.0/0"}}))
        write_policies(cluster, third=allowing({"ipBlock": {"cidr": "::/0"}}))
        write_policies(cluster, first=allowing({"podSelector": {"matchLabels": {"app": "none"}}}))
        for name in ("second", "third"):
            assert all(stream.popen.poll() is None for stream in streams)
            before = drops(cluster)["policy_ingress"]
            cluster.remove_manifest(f"policy-{name}")
            cluster.wait_published()
            wait_until(lambda b=before: drops(cluster)["policy_ingress"] > b, what=f"drops without {name}")
    for stream in streams:  # goes on with the next repetition
        result = stream.end()
        assert result["error"] == "" and result["requests"] == result["answers"] > 0, result


def test_a_pod_is_isolated_before_its_first_packet(cluster):
    """When ADD returns, its rules are in force; and as long as it is not known which are its, nothing passes, whatever the
    labels of a former pod of this name are."""
    with policies(cluster, deny={"podSelector": {"matchLabels": {"app": "new"}}}):
        pods = []
        try:
            def write(name, app, uid):
                cluster.write_manifest(f"pod-shop-{name}", {
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}, "uid": uid},
                    "spec": {"nodeName": "b", "containers": [{"name": "main"}]}})

            write("new", "new", "uid-1")
            write("again", "other", "uid-of-a-former-one")
            cluster.wait_published()
            for name in ("new", "again"):
                pods.append(type(cluster.db)(cluster.b, "shop", name, {}, [PORT]))
                pods[-1].uid = "uid-1"
                pods[-1].write_manifest = lambda: None
                pods[-1].attach()
                cluster.b.pods.append(pods[-1])
            servers = [Running(pod, "serve", PORT, pod.name) for pod in pods]
            expect_drop(cluster, cluster.near, pods[0])
            expect_drop(cluster, cluster.near, pods[1], reason="policy_closed")
            expect_drop(cluster, pods[1], cluster.near, reason="policy_closed")
            write("again", "other", "uid-1")
            expect_answer(cluster.near, pods[1])
            for server in servers:
                server.kill()
        finally:
            for pod in pods:
                cluster.write_manifest(f"pod-shop-{pod.name}")
                pod.detach()


SCANNER = """
import json, os, select, socket, struct, sys, time
me, you, kind, flag = sys.argv[1:5]
family = socket.AF_INET6 if ":" in me else socket.AF_INET
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff
def pseudo(length, protocol):
    addresses = socket.inet_pton(family, me) + socket.inet_pton(family, you)
    return addresses + struct.pack("!II" if ":" in me else "!HH", *((length, protocol) if ":" in me else (protocol, length)))
def tcp(sport, dport, flags):
    header = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, 5 << 4, flags, 64000, 0, 0)
    return header[:16] + struct.pack("!H", checksum(pseudo(20, 6) + header)) + header[18:]
def udp(sport, dport):
    header = struct.pack("!HHHH", sport, dport, 8, 0)
    return header[:6] + struct.pack("!H", checksum(pseudo(8, 17) + header))
s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
d = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP)
heard = []
for sport, dport, flags in json.loads(kind):
    (s if flags >= 0 else d).sendto(tcp(sport, dport, flags) if flags >= 0 else udp(sport, dport), (you, 0))
print("sent", flush=True)
while not os.path.exists(flag):
    for ready in select.select([s, d], [], [], 0.05)[0]:
        data, sender = ready.recvfrom(2000)
        data = data[(data[0] & 15) * 4:] if family == socket.AF_INET else data
        if sender[0] == you:
            heard.append((*struct.unpack("!HH", data[:4]), data[13] if ready is s else -1))
            print("heard", json.dumps(heard[-1]), flush=True)
print("end", flush=True)
"""
FIN, SYN, RST, PSH, ACK, URG, ECE = 1, 2, 4, 8, 16, 32, 64
OPENINGS = {"SYN": SYN, "SYN+URG": SYN | URG, "SYN+ECE": SYN | ECE, "FIN": FIN, "NULL": 0, "XMAS": FIN | PSH | URG}
OTHERS = {"SYN+ACK": SYN | ACK, "ACK": ACK, "FIN+ACK": FIN | ACK, "RST": RST, "RST+ACK": RST | ACK}


class Raw:
    """Segments and datagrams (flags -1) from a pod's raw sockets: (source port, port, flags) each."""

    def __init__(self, cluster, sender, receiver, family, packets):
        self.flag = cluster.lab.dir / f"raw-{time.monotonic_ns()}"
        self.process = sender.popen([PYTHON, "-c", SCANNER, sender.ip[family], receiver.ip[family],
                                     json.dumps(packets), self.flag])

    def heard(self):
        """(source port, port, flags) of what came back so far."""
        return [tuple(json.loads(line[6:])) for line in self.process.output().splitlines() if line.startswith("heard ")]

    def end(self):
        self.flag.touch()
        self.process.wait_for("end")
        self.process.popen.wait(60)
        return self.heard()


@pytest.mark.parametrize("family", FAMILIES)
def test_scans_learn_nothing_of_an_isolated_pod(cluster, family):
    """Ports that the pod declares are silent whatever the flags. Of others, what opens a connection finds none; what may be
    an answer to the pod reaches it, and its kernel refuses that, alike whether somebody listens there or not."""
    listener = cluster.db.popen([PYTHON, "-c", TALKER, 9200])
    listener.wait_for("ready")
    expect_answer(cluster.web, cluster.db, families=[family])
    declared, others = (PORT, 8081), (9200, 9201)
    flags = {**OPENINGS, **OTHERS}
    packets = [(50000 + i, port, value) for port in declared + others for i, value in enumerate(flags.values())]
    with policies(cluster, deny={"podSelector": DB}):
        before = drops(cluster)["policy_ingress"]
        scan = Raw(cluster, cluster.web, cluster.db, family, packets)
        n_silent = len(declared) * len(flags) + len(others) * len(OPENINGS)
        wait_until(lambda: drops(cluster)["policy_ingress"] >= before + n_silent, what=f"{n_silent} drops")
        refused = {name for name, value in OTHERS.items() if not value & RST}
        wait_until(lambda: len(scan.heard()) >= len(others) * len(refused), what="the kernel's resets")
        heard = scan.end()
    names = list(flags)
    told = {port: {names[answer[1] - 50000] for answer in heard if answer[0] == port} for port in declared + others}
    assert told == {PORT: set(), 8081: set(), 9200: refused, 9201: refused}
    assert all(answer[2] & RST for answer in heard), heard
    listener.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_egress_isolated_pod_sends_nothing_from_raw_sockets(cluster, family):
    """Whatever the flags and the source port: one that it declares, where a client is connected, or any other. Not even where
    it may be asked by everybody."""
    expect_answer(cluster.db, cluster.web, families=[family])
    stream = Running(cluster.web, "stream", cluster.db.ip[family], PORT, 20)
    flags = {**OPENINGS, **OTHERS}
    packets = [(sport, 60000 + i, value) for sport in (PORT, 9001, 53) for i, value in enumerate([*flags.values(), -1])]
    listener = Raw(cluster, cluster.web, cluster.db, family, [])
    with policies(cluster, deny={"podSelector": DB, "policyTypes": ["Egress"]}):
        before = drops(cluster)["policy_egress"]
        sender = Raw(cluster, cluster.db, cluster.web, family, packets)
        wait_until(lambda: drops(cluster)["policy_egress"] >= before + len(packets), what=f"{len(packets)} drops")
        sender.end()
        assert [packet for packet in listener.end() if packet[1] >= 60000 and packet[0] in (PORT, 9001, 53)] == []
    result = stream.end()
    assert result["error"] == "" and result["requests"] == result["answers"] > 0, result


def test_a_start_with_a_policy_that_cannot_be_read_closes_whom_it_may_select(cluster):
    """While the daemon runs, a file that comes with an error changes nothing; at the start nobody knows what was in force."""
    bad = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "typo", "namespace": "shop"},
           "spec": {"podSelector": DB, "ingres": []}}
    allow = {"podSelector": DB, "ingress": [{"ports": [{"port": PORT}]}]}

    def problems():
        return [pod["name"] for pod in cluster.b.ringway("pods")["pods"] if pod["problem"]]

    try:
        cluster.write_manifest("policy-typo", bad)
        cluster.wait_published()
        expect_answer(cluster.web, cluster.db)
        cluster.b.restart()
        cluster.wait_published()
        expect_drop(cluster, cluster.web, cluster.db, reason="policy_closed")
        expect_drop(cluster, cluster.db, cluster.near, reason="policy_closed")
        expect_answer(cluster.bank, cluster.near)
        assert problems() == ["db"]
        assert [text for text in cluster.b.ringway("status")["warnings"] if "shop/typo" in text and "closed" in text]
        told = cluster.b.ringway("explain", "--from", "shop/near", "--to", f"{cluster.db.ip[4]}:{PORT}/tcp", check=False)
        assert told["drop_reason"] == "policy_closed" and "policy-typo.yaml" in told["policies"][-1]["text"], told
        with audit(cluster):
            expect_answer(cluster.web, cluster.db)
            assert not problems()
        assert problems() == ["db"]
        write_policies(cluster, typo=allow)
        expect_answer(cluster.web, cluster.db)
        expect_drop(cluster, cluster.web, cluster.db, 8081)
        assert not problems()
    finally:
        cluster.remove_manifest("policy-typo")
        cluster.wait_published()
