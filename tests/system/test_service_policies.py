"""What a service's policies make of its endpoints, with real packets: local ones, leaving ones, hinted ones, the same one for a
client, and which clients and addresses at all. Asked by a pod, by a node's process and from outside."""

import pytest

from cluster import BareNode, Cluster, Node
from lab import wait_until
from traffic import Running, attempt, who_answers

FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
LEAVING = {"ready": False, "serving": True, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}
BRIEFLY = 0.5  # seconds until silence counts as such


class ZonedNode(Node):
    def metadata(self):
        return {"labels": {"topology.kubernetes.io/zone": f"zone-{self.name}"}}


def external(number):
    return {4: f"198.51.100.{number}", 6: f"2001:db8:80::{number:x}"}


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """Two nodes in zones of their own with servers that answer with their names, and two clients outside whose way to the
    balancer's addresses is the first node."""
    options = {"workers": {"cpus": list(range(request.param))},
               "cluster": {"externalIPRanges": ["198.51.100.200/32", "2001:db8:80::c8/128"]}}
    with Cluster(options=options) as made:
        made.a, made.b = made.add_node("a", ZonedNode), made.add_node("b", ZonedNode)
        made.start()
        made.near, made.far, made.spare = (node.add_pod(name, ports=[8080]) for node, name in (
            (made.a, "near"), (made.b, "far"), (made.b, "spare")))
        made.client, made.second = made.a.add_pod("client"), made.a.add_pod("second")
        made.outside, made.stranger = BareNode(made, "outside", 100), BareNode(made, "stranger", 101)
        for place in (made.outside, made.stranger):
            place.ns.ip(f"route add 198.51.100.0/24 via {made.a.ip[4]}")
            place.ns.ip(f"-6 route add 2001:db8:80::/64 via {made.a.ip[6]}")
        make_services(made)
        made.wait_published()
        for pod in (made.near, made.far, made.spare):
            Running(pod, "serve", 8080, pod.name)
        made.wait_joined()
        yield made


def make_services(made):
    """Port 30000 + port is the node port of those that have one, 198.51.100.(port) the balancer's address."""
    near, far = made.near, made.far
    made.services = {}

    def add(name, port, pods, spec=None, **endpoints):
        spec = spec or {}
        ingress = [{"ip": ip} for ip in external(port).values()] if spec.get("type") == "LoadBalancer" else ()
        service = made.add_service(name, port, 8080, pods, spec=spec, ingress=ingress)
        if endpoints:
            service.set_backends(pods, **endpoints)
        made.services[name] = service

    inner, outer = {"internalTrafficPolicy": "Local"}, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    add("inner", 60, [near, far], inner)
    add("inner-elsewhere", 61, [far], inner)
    add("outer", 62, [near, far], outer)
    add("outer-elsewhere", 63, [far], outer)
    add("one-leaving", 64, [near, far], ready=lambda pod: LEAVING if pod is near else True)
    add("all-leaving", 65, [near, far], ready=lambda pod: LEAVING if pod is near else UNREADY)
    add("outer-leaving", 66, [near, far], outer, ready=lambda pod: LEAVING if pod is near else True)
    add("unready", 67, [near, far], ready=lambda pod: UNREADY if pod is near else True)
    add("published", 68, [near, far], {"publishNotReadyAddresses": True}, ready=lambda pod: UNREADY)
    add("zoned", 69, [near, far], hints=lambda pod: {"forZones": [{"name": f"zone-{pod.node.name}"}]})
    add("noded", 70, [near, far], hints=lambda pod: {"forNodes": [{"name": pod.node.name}],
                                                     "forZones": [{"name": "zone-a"}, {"name": "zone-b"}]})
    add("half-hinted", 71, [near, far], hints=lambda pod: {"forZones": [{"name": "zone-a"}]} if pod is near else None)
    add("ranged", 72, [near, far], {"type": "LoadBalancer", "loadBalancerSourceRanges": [
        f"{made.outside.ip[4]}/32", f"{made.outside.ip[6]}/128"]})
    add("for-client", 75, [near, far], {"type": "LoadBalancer", "loadBalancerSourceRanges": [
        f"{made.client.ip[4]}/32", f"{made.client.ip[6]}/128"]})
    add("for-a", 76, [near, far], {"type": "LoadBalancer", "loadBalancerSourceRanges": [
        f"{made.a.ip[4]}/32", f"{made.a.ip[6]}/128"]})
    add("allowed", 73, [near, far], {"externalIPs": list(external(200).values())})
    add("sticky", 74, [near, far], {"type": "NodePort", "sessionAffinity": "ClientIP"})


NEAR, FAR, BOTH = {"near"}, {"far"}, {"near", "far"}


@FAMILIES
@PROTOS
@pytest.mark.parametrize("name, on_a, on_b", (
    ("inner", NEAR, FAR), ("inner-elsewhere", None, FAR), ("outer", BOTH, BOTH), ("outer-elsewhere", FAR, FAR),
    ("one-leaving", FAR, FAR), ("all-leaving", NEAR, NEAR), ("outer-leaving", FAR, FAR), ("unready", FAR, FAR),
    ("published", BOTH, BOTH), ("zoned", NEAR, FAR), ("noded", NEAR, FAR), ("half-hinted", BOTH, BOTH)))
def test_who_serves_a_cluster_address(cluster, family, proto, name, on_a, on_b):
    """Pods and processes of a node alike. None: nobody, without a word."""
    service = cluster.services[name]
    address, port = service.ip[family], service.ports[0][1]
    for place, wanted in ((cluster.client, on_a), (cluster.a, on_a), (cluster.spare, on_b)):
        if wanted:
            assert who_answers(place, proto, address, port) == wanted, place.name
        else:
            assert attempt(place, proto, address, port, BRIEFLY) == "silence", place.name


@FAMILIES
@PROTOS
@pytest.mark.parametrize("name, inside, outside", (
    ("outer", BOTH, NEAR), ("outer-elsewhere", FAR, None), ("outer-leaving", FAR, NEAR)))
def test_who_serves_an_exposed_address_of_a_local_policy(cluster, family, proto, name, inside, outside):
    """Who is outside gets what the node that was asked has itself, and who leaves for want of others; who is inside gets
    everybody."""
    port = cluster.services[name].ports[0][1]
    for address, at in ((external(port)[family], port), (cluster.a.ip[family], 30000 + port)):
        for place in (cluster.client, cluster.a):
            assert who_answers(place, proto, address, at) == inside, place.name
        if outside:
            assert who_answers(cluster.outside, proto, address, at) == outside
        else:
            assert attempt(cluster.outside, proto, address, at, BRIEFLY) == "silence"


@FAMILIES
@PROTOS
def test_source_ranges_let_in_whom_they_name(cluster, family, proto):
    """From outside and inside: a pod counts by its own address, a node's process by the node's. The service's cluster address has
    none."""
    outside, pod = external(72)[family], external(75)[family]
    assert who_answers(cluster.outside, proto, outside, 72) == BOTH
    assert attempt(cluster.stranger, proto, outside, 72, BRIEFLY) == "silence"
    for place in (cluster.client, cluster.a):
        assert attempt(place, proto, outside, 72, BRIEFLY) == "silence"
    node = external(76)[family]
    assert who_answers(cluster.a, proto, node, 76) == BOTH
    for place in (cluster.client, cluster.b):
        assert attempt(place, proto, node, 76, BRIEFLY) == "silence"
    assert who_answers(cluster.client, proto, pod, 75) == BOTH
    assert attempt(cluster.second, proto, pod, 75, BRIEFLY) == "silence"
    assert attempt(cluster.outside, proto, pod, 75, BRIEFLY) == "silence"
    assert who_answers(cluster.second, proto, cluster.services["for-client"].ip[family], 75) == BOTH


@FAMILIES
@PROTOS
def test_an_external_address_in_a_configured_range_is_served(cluster, family, proto):
    for place in (cluster.client, cluster.a, cluster.b, cluster.outside):
        assert who_answers(place, proto, external(200)[family], 73) == BOTH, place.name


@FAMILIES
def test_a_node_process_reaches_what_else_a_balancer_has(cluster, family):
    """What is for none of the service's ports goes on to the machine that has the address, as a pod's packets do."""
    address, length = external(62)[family], {4: 32, 6: 128}[family]
    cluster.stranger.ns.ip(f"-{family} addr add {address}/{length} dev lo")
    cluster.a.ns.ip(f"-{family} route add {address}/{length} via {cluster.stranger.ip[family]}")
    balancer = Running(cluster.stranger, "serve", 9000, "balancer")
    for place in (cluster.client, cluster.a):
        wait_until(lambda p=place: attempt(p, "tcp", address, 9000, BRIEFLY) == "answered",
                   what=f"{place.name} reaches the balancer")
        assert who_answers(place, "tcp", address, 9000) == {"balancer"}
        assert who_answers(place, "tcp", address, 62) == BOTH
    balancer.end()
    cluster.a.ns.ip(f"-{family} route del {address}/{length}")
    cluster.stranger.ns.ip(f"-{family} addr del {address}/{length} dev lo")


def test_a_node_process_keeps_its_connection_with_a_balancer(cluster):
    """One that stands when a service gets the balancer's address goes on with the machine that has it; new ones are the
    service's."""
    addresses = [(family, external(78)[family], {4: 32, 6: 128}[family]) for family in (4, 6)]

    def has_ways():
        return {address in cluster.a.ns.run(f"ip -{family} route show table 1141").stdout
                for family, address, _ in addresses}

    for family, address, length in addresses:
        cluster.stranger.ns.ip(f"-{family} addr add {address}/{length} dev lo")
        cluster.a.ns.ip(f"-{family} route add {address}/{length} via {cluster.stranger.ip[family]}")
    balancers = [Running(cluster.stranger, "serve", port, "balancer") for port in (78, 9000)]
    streams = [Running(cluster.a, "stream", address, port, 20) for _, address, _ in addresses for port in (78, 9000)]
    late = cluster.add_service("late", 78, 8080, [cluster.near, cluster.far], spec={"type": "LoadBalancer"},
                               ingress=[{"ip": address} for _, address, _ in addresses])
    wait_until(lambda: has_ways() == {True}, what="the ways to the service")
    for _, address, _ in addresses:
        assert who_answers(cluster.a, "tcp", address, 78) == BOTH
    for stream in streams:
        result = stream.end()
        assert (result["error"], result["name"], result["requests"]) == ("", "balancer", result["answers"]), result
    for balancer in balancers:
        balancer.end()
    late.remove()
    wait_until(lambda: has_ways() == {False}, what="the ways are gone")
    for family, address, length in addresses:
        cluster.a.ns.ip(f"-{family} route del {address}/{length}")
        cluster.stranger.ns.ip(f"-{family} addr del {address}/{length} dev lo")


def test_ways_to_balancers_come_and_go(cluster):
    """Routes of the node's own processes, in a table that is asked only when there is something in it, and that nobody else's
    packets take."""
    def ways():
        return {family: {line.split()[0] for line in cluster.a.ns.run(f"ip -{family} route show table 1141").stdout.splitlines()}
                for family in (4, 6)}

    def rules(family):
        return [line for line in cluster.a.ns.run(f"ip -{family} rule").stdout.splitlines() if "lookup 1141" in line]

    before = ways()
    assert all(external(number)[family] in before[family] for number in (62, 72, 200) for family in (4, 6)), before
    assert all(len(rules(family)) == 1 and "iif lo" in rules(family)[0] for family in (4, 6))
    gone = cluster.services["for-a"]
    gone.remove()
    wait_until(lambda: not any(external(76)[family] in ways()[family] for family in (4, 6)), what="its ways are gone")
    gone.set_backends([cluster.near, cluster.far])
    wait_until(lambda: ways() == before, what="its ways are back")


@FAMILIES
@PROTOS
def test_a_client_outside_has_one_backend(cluster, family, proto):
    for place in (cluster.outside, cluster.stranger):
        names = who_answers(place, proto, cluster.a.ip[family], 30074)
        assert len(names) == 1 and who_answers(place, proto, cluster.a.ip[family], 30074) == names


def test_a_client_keeps_its_backend_until_that_goes(cluster):
    """Pods, node processes and who asks a node port from outside; each family and protocol of a client counts for itself.
    Others come and go meanwhile."""
    sticky = cluster.services["sticky"]
    near, far, spare = cluster.near, cluster.far, cluster.spare
    inside, outside = (cluster.client, cluster.second, cluster.a), (cluster.outside, cluster.stranger)
    clients = [(place, proto, family) for place in inside + outside for proto in ("tcp", "udp") for family in (4, 6)]

    def theirs(client):
        place, proto, family = client
        address, port = (sticky.ip, 74) if place in inside else (cluster.a.ip, 30074)
        return who_answers(place, proto, address[family], port, n=10)

    def all_theirs():
        return {client: theirs(client) for client in clients}

    def now_with(*pods):
        sticky.set_backends(pods)
        cluster.wait_published()

    def changes(before):
        now = all_theirs()
        return {(place.name, proto, family): (before[place, proto, family], names)
                for (place, proto, family), names in now.items() if names != before[place, proto, family]}

    first = all_theirs()
    assert all(len(names) == 1 for names in first.values()), first
    assert {name for names in first.values() for name in names} == BOTH
    now_with(near, far, spare)
    assert changes(first) == {}
    now_with(near, far)
    assert changes(first) == {}
    now_with(near, spare)
    wait_until(lambda: all("far" not in theirs(client) for client in clients if first[client] == FAR),
               what="clients of the backend that went are with others")
    then = all_theirs()
    assert all(len(names) == 1 for names in then.values()), then
    assert all(then[client] == NEAR for client in clients if first[client] == NEAR), (first, then)
    now_with(near, far, spare)
    assert changes(then) == {}
