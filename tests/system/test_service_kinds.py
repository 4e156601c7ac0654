"""What a service can be, with real packets: protocols and ports, headless, addresses of load balancers, none to serve it.
Asked by a pod, by a node's process and from outside."""

import pytest

import sctp
from cluster import BareNode, Cluster
from lab import wait_until
from traffic import PYTHON, Running, attempt, last_json, run_flows, who_answers

FAMILIES = pytest.mark.parametrize("family", (4, 6))
PROTOS = pytest.mark.parametrize("proto", ("tcp", "udp"))
VIP = {4: "198.51.100.80", 6: "2001:db8:80::1"}
PROXY = {4: "198.51.100.81", 6: "2001:db8:81::1"}
EXTERNAL = {4: "198.51.100.82", 6: "2001:db8:82::1"}


@pytest.fixture(scope="module", params=(1, 2), ids=("one worker", "two workers"))
def cluster(request):
    """A pod on each of two nodes that answers with its name at 8080, with its name and port at 8081; a client on the first
    node, and one outside whose way to the balancer's addresses is the first node."""
    with Cluster(options={"workers": {"cpus": list(range(request.param))}}) as made:
        made.a, made.b = made.add_node("a"), made.add_node("b")
        made.start()
        made.near, made.far = (node.add_pod(name, ports=[8080, 8081]) for node, name in ((made.a, "near"), (made.b, "far")))
        made.client = made.a.add_pod("client")
        made.outside = BareNode(made, "outside", 100)
        for address in (VIP, PROXY, EXTERNAL):
            made.outside.ns.ip(f"route add {address[4]}/32 via {made.a.ip[4]}")
            made.outside.ns.ip(f"-6 route add {address[6]}/128 via {made.a.ip[6]}")
        make_services(made)
        made.wait_published()
        for pod in (made.near, made.far):
            Running(pod, "serve", 8080, pod.name)
            Running(pod, "serve", 8081, f"{pod.name}-8081")
        made.wait_joined()
        yield made


def make_services(made):
    pods = [made.near, made.far]
    node_port = {"type": "NodePort"}
    made.twins = made.add_service("twins", 53, 0, pods, spec=node_port,
                                  ports=[("stream", 53, 8080, "TCP"), ("datagram", 53, 8081, "UDP")])
    made.named = made.add_service("named", 54, 0, [], ports=[("t", 54, "web", "TCP"), ("u", 54, "web", "UDP")])
    add_slices(made, made.named, made.near, 8080)
    add_slices(made, made.named, made.far, 8081)
    made.balanced = made.add_service(
        "balanced", 55, 8080, pods,
        spec={"type": "LoadBalancer", "externalIPs": list(EXTERNAL.values())},
        ingress=[{"ip": ip, "ipMode": mode} for mode, ips in (("VIP", VIP), ("Proxy", PROXY)) for ip in ips.values()])
    made.nobody = made.add_service("nobody", 56, 8080, [], spec=node_port)
    made.sctp = made.add_service("sctp", 57, 8080, pods, protocols=("SCTP",), spec=node_port)
    headless = made.add_service("headless", 8080, 8080, pods)
    headless.spec = {"clusterIP": "None", "clusterIPs": ["None"]}
    headless.set_backends(pods)


def add_slices(made, service, pod, port):
    """Slices of their own for a pod, since its ports have the names of the other's and numbers of their own."""
    for family in made.families:
        made.write_manifest(f"slice-{service.name}-{pod.name}-{family}", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": f"IPv{family}",
            "metadata": {"name": f"{service.name}-{pod.name}-{family}", "namespace": service.namespace,
                         "labels": {"kubernetes.io/service-name": service.name}},
            "ports": [{"name": name, "port": port, "protocol": protocol} for name, protocol in (("t", "TCP"), ("u", "UDP"))],
            "endpoints": [{"addresses": [pod.ip[family]], "conditions": {"ready": True}, "nodeName": pod.node.name}]})


def places(cluster):
    return {"pod": cluster.client, "node": cluster.a, "outside": cluster.outside}


@FAMILIES
@pytest.mark.parametrize("where", ("pod", "node", "outside"))
def test_one_port_number_is_a_frontend_per_protocol(cluster, family, where):
    address, port = (cluster.a.ip[family], 30053) if where == "outside" else (cluster.twins.ip[family], 53)
    assert who_answers(places(cluster)[where], "tcp", address, port) == {"near", "far"}
    assert who_answers(places(cluster)[where], "udp", address, port) == {"near-8081", "far-8081"}


@FAMILIES
@PROTOS
def test_a_named_target_port_is_each_endpoints_own(cluster, family, proto):
    assert who_answers(cluster.client, proto, cluster.named.ip[family], 54) == {"near", "far-8081"}


@FAMILIES
@PROTOS
@pytest.mark.parametrize("where", ("pod", "outside"))
def test_a_balancers_address_is_served_where_it_is_no_proxys(cluster, family, proto, where):
    place = places(cluster)[where]
    assert who_answers(place, proto, VIP[family], 55) == {"near", "far"}
    assert attempt(place, proto, PROXY[family], 55, 0.5) != "answered"


@FAMILIES
def test_a_balancers_address_that_a_node_holds(cluster, family):
    """As kube-vip and keepalived have it: for one node at a time it is an address of its own."""
    address, length = VIP[family], {4: 32, 6: 128}[family]

    def detours():
        return [line for line in cluster.a.run(f"ip -{family} rule").stdout.splitlines()
                if "lookup 1140" in line and address in line]

    cluster.a.ns.ip(f"-{family} addr add {address}/{length} dev lo")
    wait_until(detours, what="the way of the node's own processes")
    for place in (cluster.outside, cluster.client, cluster.a, cluster.b):
        for proto in ("tcp", "udp"):
            assert who_answers(place, proto, address, 55) == {"near", "far"}, place.name
    server = Running(cluster.a, "serve", 9999, "node-a")
    for place in (cluster.outside, cluster.client, cluster.a):
        assert who_answers(place, "tcp", address, 9999) == {"node-a"}, place.name
    server.end()
    cluster.a.ns.ip(f"-{family} addr del {address}/{length} dev lo")
    wait_until(lambda: not detours(), what="the way is gone")
    for place in (cluster.outside, cluster.a):
        wait_until(lambda p=place: attempt(p, "tcp", address, 55) == "answered", what=f"{place.name} reaches the service")


@FAMILIES
@pytest.mark.parametrize("where", ("pod", "outside"))
def test_an_external_address_is_refused_by_default(cluster, family, where):
    assert attempt(places(cluster)[where], "tcp", EXTERNAL[family], 55, 0.5) != "answered"
    (service,) = cluster.a.ringway("services", "default/balanced")["services"][:1]
    assert EXTERNAL[family] in {refused["address"] for refused in service["refused"]}, service


@FAMILIES
@PROTOS
def test_nobody_to_serve_is_refused_everywhere(cluster, family, proto):
    for where, place in places(cluster).items():
        address, port = (cluster.a.ip[family], 30056) if where == "outside" else (cluster.nobody.ip[family], 56)
        assert attempt(place, proto, address, port) == "refused", where


@FAMILIES
@PROTOS
def test_pods_of_a_headless_service_see_the_client_as_it_is(cluster, family, proto):
    """Its port too: what goes to a pod's own address is not translated."""
    for pod, name in ((cluster.near, "near-plain"), (cluster.far, "far-plain")):
        server = Running(pod, "serve", 8082, name)
        result = run_flows(cluster.client, proto, pod.ip[family], 8082, 5, 41000)
        assert result["answers"] == {name: 5}, result
        seen = server.end()
        assert seen["ports"][proto] == list(range(41000, 41005)), seen
        assert len(seen["sources"]) == 1 and cluster.client.ip[family] in seen["sources"][0], seen
    shown = [service for service in cluster.a.ringway("services")["services"] if service["name"] == "headless"]
    assert not any(service.get("frontends") for service in shown), shown


@FAMILIES
@pytest.mark.parametrize("where", ("pod", "node", "outside"))
def test_sctp_handshakes_arrive_whole(cluster, family, where):
    """To a ClusterIP; from outside to a node's port: both ways with a checksum that the receiver finds right."""
    address, port = (cluster.a.ip[family], 30057) if where == "outside" else (cluster.sctp.ip[family], 57)
    servers = [SctpServer(pod) for pod in (cluster.near, cluster.far)]
    confirmed = cluster.a.counters()["inbound_confirmed"]
    done = last_json(places(cluster)[where].run([PYTHON, sctp.__file__, "handshakes", address, port, 40]).stdout)
    seen = {server.place.name: server.end() for server in servers}
    assert (done["bad"], set(done["answers"])) == ([], {"near", "far"}), (done, seen)
    assert {name: (s["taken"], s["bad"]) for name, s in seen.items()} == {
        name: (n, 0) for name, n in done["answers"].items()}
    if where == "outside":  # by their cookies
        wait_until(lambda: cluster.a.counters()["inbound_confirmed"] >= confirmed + sum(done["answers"].values()),
                   what="all associations confirmed")


class SctpServer(Running):
    program = sctp.__file__

    def __init__(self, pod):
        super().__init__(pod, "serve", 8080, pod.name)
