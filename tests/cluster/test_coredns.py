"""Answers for the cluster's names beside CoreDNS's, a pod of the same cluster with the same objects in the same API server: the
questions of tests/dns, asked over the service's address, at which the node answers, and of CoreDNS's pod itself. And shadow mode
on the other node finds the differences that are there, and no others."""

import json
import pathlib

import pytest
import yaml

import dns_wire
from cluster import FAMILIES
from dns_lab import ask, wait_answered
from kube import KubeCluster, pod
from lab import wait_until

CASES = pathlib.Path(__file__).parents[1] / "dns"
SERVICE = {4: "10.96.0.10", 6: "fd00:10:96::a"}
TYPES = {**dns_wire.TYPES, "MX": 15, "NAPTR": 35, "DS": 43, "DNSKEY": 48, "HTTPS": 65, "CAA": 257}
COREFILE = """.:53 {
    errors
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
}
"""
# Of the objects of tests/dns: one has a name that the API server refuses, one is there anyhow, and pods would be run.
LEFT_OUT = (("Service", "dotted"), ("Service", "kubernetes"), ("Pod", "client"), ("Pod", "queue-0"), ("Pod", "queue-1"))
# What is answered otherwise, on purpose.
DIFFERENT = {
    "CoreDNS has a TTL of its own for the schema's version": ["dns-version.cluster.local. TXT"],
    "CoreDNS names the service it is a pod of; here NS is the name in the SOA": ["cluster.local. NS"],
    "one set of records is an answer to ANY (RFC 8482); CoreDNS says there is nothing": [
        "cluster.local. ANY", "api.shop.svc.cluster.local. ANY", "outside.chains.svc.cluster.local. ANY",
        "10-244-1-5.shop.pod.cluster.local. ANY"],
    "a name with data of another type, or with names below it, exists (RFC 8020)": [
        "dns-version.cluster.local. A", "dns.cluster.local. A", "dns.cluster.local. AAAA",
        "_tcp.api.shop.svc.cluster.local. SRV", "_udp.api.shop.svc.cluster.local. A", "1.1.96.10.in-addr.arpa. A",
        "2.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. TXT"],
    "SRV is where ports are, at the service; CoreDNS has it at names of endpoints, too": ["db-0.db.data.svc.cluster.local. SRV"],
    "publishNotReadyAddresses counts by itself; CoreDNS leaves it to who writes slices to call their endpoints ready": [
        "joining.data.svc.cluster.local. A", "joining.data.svc.cluster.local. AAAA", "1.5.244.10.in-addr.arpa. PTR",
        "joining-0.joining.data.svc.cluster.local. A", "_gossip._tcp.joining.data.svc.cluster.local. SRV"],
    "an alias is one for queries of all types (RFC 1034 section 3.6.2)": [
        "inside.chains.svc.cluster.local. TXT", "inside.chains.svc.cluster.local. SRV"],
    "an alias of what does not exist is shown, with the result code of its end (RFC 6604)": [
        "to-nothing.chains.svc.cluster.local. A"],
    "aliases that go in a circle are shown": ["itself.chains.svc.cluster.local. A", "ping.chains.svc.cluster.local. AAAA"],
    "ten aliases are followed": ["c1.chains.svc.cluster.local. A"],
    "there is nothing below the name of a pod's address": ["x.10-244-1-5.shop.pod.cluster.local. A"],
}


def objects():
    for path in sorted((CASES / "manifests").glob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            if (found["kind"], found["metadata"]["name"]) not in LEFT_OUT:
                yield found


def rights():
    """What CoreDNS's own manifests ask for."""
    name = {"name": "coredns"}
    account = {"kind": "ServiceAccount", **name, "namespace": "kube-system"}
    kind, group = "ClusterRole", "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**name, "namespace": "kube-system"}},
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": name, "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]},
        {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": name, "subjects": [account],
         "roleRef": {"apiGroup": group, "kind": kind, **name}}]


def coredns(programs, node):
    """A pod of the DNS service."""
    container = {"volumeMounts": [{"name": "programs", "mountPath": "/programs"}],
                 "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1}}
    made = pod("coredns", f"echo '{COREFILE}' >/tmp/Corefile; exec /programs/coredns -conf /tmp/Corefile", node=node,
               namespace="kube-system", labels={"k8s-app": "kube-dns"}, container=container, serviceAccountName="coredns",
               volumes=[{"name": "programs", "hostPath": {"path": str(programs)}}])
    made["spec"]["automountServiceAccountToken"] = True
    return made


@pytest.fixture(scope="module")
def world(kubernetes):
    with KubeCluster(kubernetes) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b", options={"dns": {"mode": "shadow"}})
        made.start()
        made.apply(*(found for found in objects() if found["kind"] == "Namespace"))
        made.apply(*(found for found in objects() if found["kind"] != "Namespace"), *rights())
        made.apply(coredns(kubernetes, "b"), *(pod(f"client-{node.name}", node=node.name) for node in made.nodes))
        made.client_a, made.client_b = made.wait_pod("client-a"), made.wait_pod("client-b")
        made.coredns = made.wait_pod("coredns", "kube-system")
        for client in (made.client_a, made.client_b):
            for server in (*SERVICE.values(), *made.coredns.ip.values()):
                wait_answered(client, server, "api.shop.svc.cluster.local")
        wait_until(lambda: all(node.ringway("status")["dns"]["synced"] for node in made.nodes), what="the zone on both nodes")
        yield made


def questions():
    """Of the cluster's names in full, each once: name, type."""
    cases = [json.loads(line) for line in (CASES / "cases.jsonl").read_text().splitlines()]
    return list(dict.fromkeys((case["name"], case["type"]) for case in cases
                              if case["name"].endswith(".") and case["rcode"] != "UPSTREAM" and "queue" not in case["name"]))


def asked(client, server, question):
    name, kind = question
    return ask(client, server, name, int(kind[4:]) if kind.startswith("TYPE") else TYPES[kind], edns=1232)


def told(reply):
    """What a reply says, whatever the order of its records, the letters of its names and the serial of the SOA."""
    def records(section):
        return sorted((r.name.lower(), r.type, r.ttl, " ".join(r.data.split()[:2]) if r.type == "SOA" else r.data)
                      for r in section)

    return {"rcode": reply.rcode, "aa": reply.has(dns_wire.AA), "answers": records(reply.answers),
            "authority": records(reply.authority), "additional": records(reply.additional)}


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_coredns(world, family):
    differ = {}
    for question in questions():
        ours, theirs = (told(asked(world.client_a, server, question)) for server in (SERVICE[family], world.coredns.ip[family]))
        if ours != theirs:
            differ[" ".join(question)] = {part: (ours[part], theirs[part]) for part in ours if ours[part] != theirs[part]}
    expected = {question for reason in DIFFERENT.values() for question in reason}
    assert set(differ) == expected, {question: differ.get(question, "is the same")
                                     for question in sorted(set(differ) ^ expected)}


def judged(reply):
    """What shadow mode compares."""
    said = told(reply)
    return said["rcode"], said["aa"], [(kind, data) for _, kind, _, data in said["answers"]]


def wait_compared(node, n):
    """Until so many are; what is different in them."""
    told_now = wait_until(lambda: (now := node.ringway("dns", "--shadow"))["compared"] >= n and now, what=f"{n} comparisons")
    return told_now["divergences"]


def test_shadow_mode_finds_what_is_different(world):
    """Each question by itself, since of many at a time only some are compared."""
    differ, n_compared = set(), 0
    for question in questions():
        ours, theirs = (asked(world.client_a, server, question) for server in (SERVICE[4], world.coredns.ip[4]))
        seen = asked(world.client_b, SERVICE[4], question)
        assert told(seen) == told(theirs), question
        if question[1] == "ANY" or not ours.has(dns_wire.AA):
            continue
        n_compared += 1
        if judged(ours) != judged(theirs):
            differ.add((question[0].lower(), question[1]))
        found = wait_compared(world.b, n_compared)
        assert {(row["name"], row["type"]) for row in found} == differ, (question, found)
    assert len(differ) > 5 and n_compared > 100
