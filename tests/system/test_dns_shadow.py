"""Shadow mode: unbound answers all queries as if this node were not there, some of them wrongly, and the node finds which."""

import pytest

from cluster import Cluster
from dns_lab import ZONES, Unbound, ask, wait_answered
from lab import wait_until

FAMILIES = pytest.mark.parametrize("family", (4, 6))
TYPE_OF = {4: "A", 6: "AAAA"}
WRONG = {4: "192.0.2.99", 6: "2001:db8::99"}
SUFFIX = "default.svc.cluster.local."


@pytest.fixture(scope="module")
def cluster():
    with Cluster(options={"workers": {"cpus": [0, 1]}, "dns": {"mode": "shadow"}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.client, made.dns = made.a.add_pod("client"), made.b.add_pod("dns", "kube-system")
        made.kube_dns = made.add_service("kube-dns", 53, 53, [made.dns], namespace="kube-system",
                                         ports=[("dns", 53, 53, "UDP"), ("dns-tcp", 53, 53, "TCP")])
        made.api, made.moved, made.unheard = (made.add_service(name, 80, 8080, [made.client])
                                              for name in ("api", "moved", "unheard"))
        made.write_manifest("namespace-default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        made.unbound = Unbound(made.dns, zones=f"""{ZONES}
    local-zone: "cluster.local." static
    local-data: "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30"
    local-data: "api.{SUFFIX} 31 IN A {made.api.ip[4]}"
    local-data: "api.{SUFFIX} 31 IN AAAA {made.api.ip[6]}"
    local-data: "moved.{SUFFIX} 31 IN A {WRONG[4]}"
    local-data: "moved.{SUFFIX} 31 IN AAAA {WRONG[6]}"
""")
        made.wait_published()
        made.wait_joined()
        wait_until(lambda: made.a.ringway("status")["dns"]["synced"], what="the zone")
        for family in (4, 6):
            wait_answered(made.client, made.kube_dns.ip[family], "www.example.")
        yield made


def shadow(cluster):
    return cluster.a.ringway("dns", "--shadow")


def wait_compared(cluster, before, n):
    return wait_until(lambda: (now := shadow(cluster))["compared"] >= before["compared"] + n and now, what=f"{n} comparisons")


@FAMILIES
def test_right_answers_are_the_same(cluster, family):
    """And they are unbound's, as are those of other names, which are not compared."""
    server, before = cluster.kube_dns.ip[family], shadow(cluster)
    got = ask(cluster.client, server, f"api.{SUFFIX}", TYPE_OF[family])
    assert (got.records(), got.ttls()) == ([cluster.api.ip[family]], {31}), got
    assert ask(cluster.client, server, f"nobody.{SUFFIX}", TYPE_OF[family]).rcode == "NXDOMAIN"
    assert ask(cluster.client, server, "www.example.", "A").records() == ["192.0.2.1"]
    after = wait_compared(cluster, before, 2)
    assert (after["same"], after["differ"]) == (before["same"] + 2, before["differ"]), after
    assert cluster.unbound.n_asked(f"nobody.{SUFFIX}") >= 2  # by the client, and to compare


@FAMILIES
def test_wrong_answers_are_found(cluster, family):
    server, before, kind = cluster.kube_dns.ip[family], shadow(cluster), TYPE_OF[family]
    assert ask(cluster.client, server, f"moved.{SUFFIX}", kind).records() == [WRONG[family]]
    assert ask(cluster.client, server, f"unheard.{SUFFIX}", kind).rcode == "NXDOMAIN"
    after = wait_compared(cluster, before, 2)
    assert after["same"] == before["same"], after
    assert after["differ"]["missing"] == before["differ"]["missing"] + 1
    assert after["differ"]["rcode"] == before["differ"]["rcode"] + 1
    found = {(row["name"], row["type"]): row for row in after["divergences"]}
    moved, unheard = found[f"moved.{SUFFIX}", kind], found[f"unheard.{SUFFIX}", kind]
    assert (moved["kind"], moved["times"], moved["pod"]) == ("missing", 1, "default/client"), moved
    assert (moved["ours"], moved["theirs"]) == (f"NOERROR: {kind} {cluster.moved.ip[family]}", f"NOERROR: {kind} {WRONG[family]}")
    assert (unheard["kind"], unheard["theirs"]) == ("rcode", "NXDOMAIN"), unheard


def test_status_and_doctor_tell(cluster):
    for server in cluster.kube_dns.ip.values():
        ask(cluster.client, server, f"moved.{SUFFIX}")
    wait_until(lambda: shadow(cluster)["differ"]["missing"], what="a divergence")
    told = cluster.a.ringway("status")
    assert told["dns"]["mode"] == "shadow" and told["dns"]["diverged"] > 0, told["dns"]
    assert any("shadow mode" in warning for warning in told["warnings"]), told["warnings"]
    checks = cluster.a.ringway("doctor", check=False)["checks"]
    assert any(check["check"] == "dns shadow" and check["status"] == "warn" for check in checks), checks
