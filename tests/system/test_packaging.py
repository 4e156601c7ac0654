"""What an operator installs: the tree of `meson install`, the container image, and the manifests in conf/kubernetes."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import yaml

from cluster import RINGWAYD
from lab import BUILD, PATIENCE, run

ROOT = pathlib.Path(__file__).parents[2]
KUBERNETES = ROOT / "conf" / "kubernetes"
NO_PACKAGES = 3  # an exit status of conf/kubernetes/image


def test_the_installed_tree_runs(tmp_path):
    run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path], timeout=10 * PATIENCE)
    installed = {str(path.relative_to(tmp_path / "usr/local")): path for path in tmp_path.rglob("*") if path.is_file()}
    programs = {"sbin/ringwayd", "bin/ringway", "libexec/cni/ringway-cni"}
    texts = {f"share/doc/ringway/{name}" for name in ("LICENSE", "README.md", "OPTIONS.md", "examples/ringway.yaml",
                                                     "examples/00-ringway.conflist")}
    assert set(installed) == programs | texts
    for name in programs:
        run([installed[name], "--version"], input="{}", env={"CNI_COMMAND": "VERSION"})
    # all its options are known; what this machine lacks are the manifests
    checked = run([installed["sbin/ringwayd"], "--check", "--config", installed["share/doc/ringway/examples/ringway.yaml"]],
                  check=False)
    assert checked.stderr == "" and checked.stdout.startswith("cluster.manifests: "), checked.stdout + checked.stderr


def make_image(output):
    made = subprocess.run([KUBERNETES / "image", "--build", BUILD, "--output", output], capture_output=True, text=True,
                          timeout=10 * PATIENCE, check=False)
    if made.returncode == NO_PACKAGES:
        pytest.skip("the image's Debian packages could not be downloaded")
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_an_image_is_the_same_each_time(tmp_path):
    images = [tmp_path / "first", tmp_path / "second"]
    said = [make_image(image) for image in images]
    (manifest,) = json.loads((images[0] / "oci" / "index.json").read_text())["manifests"]
    assert all(manifest["digest"] in text for text in said), said
    archives = [(image / "ringway.tar").read_bytes() for image in images]
    assert archives[0] == archives[1]
    assert len(archives[0]) < 30e6


# --- manifests

@pytest.fixture(scope="module")
def kustomization():
    return yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())


@pytest.fixture(scope="module")
def daemonset():
    return yaml.safe_load((KUBERNETES / "daemonset.yaml").read_text())


def test_the_kustomization_names_every_manifest_and_this_version(kustomization):
    (generator,) = kustomization["configMapGenerator"]
    named = {"image", "kustomization.yaml", "uninstall.yaml", *kustomization["resources"], *generator["files"]}
    assert named == {path.name for path in KUBERNETES.iterdir()}
    (image,) = kustomization["images"]
    project = json.loads(run(["meson", "introspect", "--projectinfo", BUILD]).stdout)
    assert (image["newName"], image["newTag"]) == ("localhost/ringway", project["version"])


def test_the_configuration_has_only_known_options(tmp_path):
    """It lacks what nobody can know beforehand, and the daemon says so."""
    check = [RINGWAYD, "--check", "--config", KUBERNETES / "ringway.yaml"]
    bare = run(check, check=False)
    assert (bare.returncode, bare.stderr) == (2, "")
    assert "set cluster.apiServer" in bare.stdout
    (tmp_path / "token").write_text("secret")
    run([*check, "--set", "cluster.apiServer=https://192.0.2.1:6443", "--set", f"cluster.tokenFile={tmp_path}/token",
         "--set", "cluster.caFile="])


def test_the_daemonset(daemonset):
    pod = daemonset["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # Ports of the node's network would keep the scheduler from starting the next pod beside this one.
    assert pod["hostNetwork"] and "ports" not in container
    assert daemonset["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert pod["hostPID"], "all processes of the node are looked at before a pod is taken for gone"
    assert "--wait" in container["args"]
    assert container["securityContext"] == {"privileged": True}
    assert pod["priorityClassName"] == "system-node-critical"
    assert pod["tolerations"] == [{"operator": "Exists"}]
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == 9965
    paths = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: (paths.pop(mount["name"]), mount.get("mountPropagation"))
              for mount in container["volumeMounts"]}
    assert not paths
    assert mounts == {
        "/etc/ringway": (None, None),
        "/run/ringway": ("/run/ringway", None),
        "/run/ringway/bpf": ("/sys/fs/bpf/ringway", None),
        "/var/lib/ringway": ("/var/lib/ringway", None),
        "/run/netns": ("/run/netns", "HostToContainer"),
        "/etc/cni/net.d": ("/etc/cni/net.d", None),
        "/opt/cni/bin": ("/opt/cni/bin", None),
    }


def test_the_uninstallation_sees_what_the_daemon_sees(daemonset, kustomization):
    uninstall = yaml.safe_load((KUBERNETES / "uninstall.yaml").read_text())["spec"]["template"]["spec"]
    pod = daemonset["spec"]["template"]["spec"]
    assert uninstall["hostNetwork"] and uninstall["tolerations"] == pod["tolerations"]
    (container,), (daemon,) = uninstall["containers"], pod["containers"]
    (image,) = kustomization["images"]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
    for mount in container["volumeMounts"]:
        assert mount in daemon["volumeMounts"]
    for volume in uninstall["volumes"]:
        assert volume in pod["volumes"]
    # all but what only a running daemon needs
    assert {mount["name"] for mount in daemon["volumeMounts"]} - {mount["name"] for mount in container["volumeMounts"]} == \
        {"config", "netns"}
    cni = yaml.safe_load((KUBERNETES / "ringway.yaml").read_text())["cni"]
    script = container["command"][-1]
    assert yaml.safe_load(script.split("'")[1])["cni"] == cni


def test_kubectl_builds_the_kustomization(daemonset):
    kubectl = shutil.which("kubectl", path=f"{ROOT}/build/cluster/bin:{os.environ['PATH']}")
    if kubectl is None:
        pytest.skip("there is no kubectl")
    built = list(yaml.safe_load_all(run([kubectl, "kustomize", KUBERNETES]).stdout))
    by_kind = {manifest["kind"]: manifest for manifest in built}
    pod = by_kind["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("localhost/ringway:")
    # the name has a hash of what is in it: a change of the configuration is a change of the pods
    config = by_kind["ConfigMap"]["metadata"]["name"]
    assert config.startswith("ringway-")
    assert config in [volume.get("configMap", {}).get("name") for volume in pod["volumes"]]
    assert all(manifest["metadata"].get("namespace") == "kube-system" for manifest in (by_kind["DaemonSet"], by_kind["ConfigMap"]))
