"""Builds the programs of a Kubernetes cluster (etcd, kube-apiserver, kubelet and others) that go.mod and coredns/go.mod name,
once, and keeps them in the build directory: minutes when cold, nothing when they are there. `programs.py DIRECTORY` outside of tests, for it
needs the network when cold, which their namespaces have not, or

    directory, reason = programs.make(build)       the directory with them, or None and why there are none
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
TRIES = 3
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    **{name: f"k8s.io/kubernetes/cmd/{name}" for name in
       ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet")}}
COREDNS = HERE / "coredns"  # a module of its own: what it is made of has other versions than Kubernetes' parts


# A service's environment may not name it.
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")


def kubernetes_version():
    return re.search(r"k8s\.io/kubernetes (v[0-9.]+)", (HERE / "go.mod").read_text()).group(1)


def why_not():
    """None when a toolchain is here that can build them, else why not."""
    wanted = re.search(r"^go ([0-9.]+)", (HERE / "go.mod").read_text(), re.M).group(1)
    if not GO:
        return f"needs a Go toolchain, {wanted} or later, to build Kubernetes"
    version = subprocess.run([GO, "env", "GOVERSION"], cwd=HERE, capture_output=True, text=True, check=False,
                             env=dict(os.environ, GOTOOLCHAIN="local")).stdout.strip().removeprefix("go")

    def number(text):
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    if not version or number(version) < number(wanted):
        return f"needs Go {wanted} or later to build Kubernetes; here is {version or 'one that does not run'}"
    return None


def flags():
    """Of go build. The version is what clients parse; without it they refuse to talk."""
    return ["-ldflags", f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"]


def digest():
    """Changes with whatever the programs are made of."""
    parts = [(HERE / name).read_bytes() for name in ("go.mod", "go.sum", "programs.go")]
    parts += [(COREDNS / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    return hashlib.sha256(b"".join(parts) + repr(flags()).encode()).hexdigest()


def go_build(module, directory, packages, env):
    command = [GO, "build", "-o", f"{directory}/", *flags(), *packages]
    for attempt in range(1, TRIES + 1):  # modules are fetched from afar, which may fail; what is compiled stays so
        if subprocess.run(command, cwd=module, env=env, check=False).returncode == 0:
            return
        print(f"go build failed (try {attempt} of {TRIES})", flush=True)
    raise RuntimeError(f"{module.name} could not be built; Go's reasons are above")


def make(build):
    """See above. A build that fails is an error, not a reason to go without."""
    directory = pathlib.Path(build).resolve() / "cluster" / "bin"
    stamp = directory / "made-of"
    if stamp.exists() and stamp.read_text() == digest():
        return directory, None
    reason = why_not()
    if reason:
        return None, reason
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    started = time.monotonic()
    print(f"building Kubernetes {kubernetes_version()}, etcd and CoreDNS: some minutes, once", flush=True)
    # Go's own cache of packages would outlive the build directory; modules stay where the user's Go keeps them.
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-trimpath -buildvcs=false -mod=readonly",
               GOCACHE=str(directory.parent / "go-build"))
    if "HOME" not in env:
        env["GOPATH"] = str(directory.parent / "go")
    go_build(HERE, directory, PACKAGES.values(), env)
    go_build(COREDNS, directory, ["."], env)
    shutil.rmtree(directory.parent / "go-build")
    (directory / "server").rename(directory / "etcd")
    stamp.write_text(digest())
    print(f"built in {time.monotonic() - started:.0f} s")
    return directory, None


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: programs.py BUILD_DIRECTORY: builds what the tests in tests/cluster run, into BUILD_DIRECTORY/cluster/bin")
    directory, reason = make(sys.argv[1])
    print(reason or directory)


if __name__ == "__main__":
    main()
