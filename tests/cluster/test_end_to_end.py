"""Pods made by kubelets, wired by ringway-cni, with what the API server says of services and policies."""

from kube import pod


def test_pods_talk(cluster):
    cluster.apply(pod("web", node="a", command="echo hello >/www/index.html; httpd -f -p 80 -h /www"),
                  pod("client", node="b"))
    address = cluster.wait_pod("web")
    cluster.wait_pod("client")
    assert cluster.run_in("client", f"wget -qO- http://{address[4]}/").stdout == "hello\n"
    assert cluster.run_in("client", f"wget -qO- http://[{address[6]}]/").stdout == "hello\n"
    cluster.delete("pod web client")
