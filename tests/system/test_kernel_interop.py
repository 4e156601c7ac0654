"""The other node is a plain Linux kernel with a vxlan device, static FDB and neighbours, as flannel sets it up. Both ways,
pods and services, with valid checksums."""

import pytest

from cluster import FAMILIES, Cluster, KernelNode
from lab import PATIENCE
from traffic import PORTS, Running, chi_square_is_even, ping, run_flows


@pytest.fixture(scope="module")
def mixed():
    with Cluster() as cluster:
        ours, kernel = cluster.add_node("ours"), cluster.add_node("kernel", KernelNode)
        cluster.start()
        cluster.pod, cluster.near = ours.add_pod("pod"), ours.add_pod("near")
        cluster.far = kernel.add_pod("far")
        cluster.service = cluster.add_service("web", 80, 8080, [cluster.near, cluster.far])
        cluster.wait_published()
        yield cluster


@pytest.fixture
def receivers(mixed):
    running = {pod.name: Running(pod, "checksums", "eth0") for pod in (mixed.pod, mixed.near, mixed.far)}
    yield running
    for name, receiver in running.items():
        counts = receiver.end()
        assert counts["bad"] == 0, f"{name} received {counts}"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", ("to the kernel", "from the kernel"))
def test_pods_reach_each_other_up_to_the_full_mtu(mixed, receivers, family, way):
    sender, receiver = (mixed.pod, mixed.far) if way == "to the kernel" else (mixed.far, mixed.pod)
    for size in (0, 56, 1450 - (28 if family == 4 else 48)):
        assert ping(sender, receiver.ip[family], size=size, dont_fragment=True) == 3, size
    for proto in ("tcp", "udp"):
        server = Running(receiver, "serve", 8080, receiver.name)
        result = run_flows(sender, proto, receiver.ip[family], 8080, 200)
        assert result["answers"] == {receiver.name: 200}, result
        assert [source.removeprefix("::ffff:") for source in server.end()["sources"]] == [sender.ip[family]]


@pytest.mark.parametrize("family", FAMILIES)
def test_bulk_tcp_passes_both_ways(mixed, receivers, family):
    for sender, receiver in ((mixed.pod, mixed.far), (mixed.far, mixed.pod)):
        server = receiver.popen("iperf3 -s -1 --forceflush")
        server.wait_for("listening")
        done = sender.run(["iperf3", "-c", receiver.ip[family], "-n", "20M"], check=False, timeout=2 * PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        server.stop()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_a_backend_on_the_kernel_node_serves_its_share(mixed, receivers, family, proto):
    pods = (mixed.near, mixed.far)
    servers = [Running(pod, "serve", 8080, pod.name) for pod in pods]
    result = run_flows(mixed.pod, proto, mixed.service.ip[family], 80, 2000, PORTS[0])
    seen = {pod.name: server.end()[proto] for pod, server in zip(pods, servers)}
    assert result["answers"] == seen and sum(seen.values()) == 2000, (result, seen)
    assert chi_square_is_even(seen.values(), 2), seen
