"""A container runtime as far as networks go, the way libcni and containerd do it: the first file by name, its plugins in
turn with the former one's result, and for the DEL what was cached at the ADD. With Debian's plugins (/usr/lib/cni) it
shows what happens with those; everything it writes is in a directory of the test's own."""

import itertools
import json
import os
import pathlib
import subprocess

from lab import PATIENCE, Netns, run

DEBIAN_PLUGINS = pathlib.Path("/usr/lib/cni")
SUFFIXES = (".conf", ".conflist", ".json")


class PluginError(AssertionError):
    """What a plugin, or the runtime itself, says when a pod cannot have its network."""


class Sandbox:
    """A pod's network namespace, and the conf it was attached by."""

    def __init__(self, container, ns, conf):
        self.container, self.ns, self.conf = container, ns, conf
        self.result = None

    @property
    def network(self):
        return self.conf["name"]

    @property
    def addresses(self):
        return [entry["address"].split("/")[0] for entry in self.result["ips"]]


class Runtime:
    _count = itertools.count(1)

    def __init__(self, node, directory):
        """node: where the plugins run."""
        self.node, self.dir = node, pathlib.Path(directory)
        self.conf_dir, self.bin_dir = self.dir / "net.d", self.dir / "bin"
        for made in (self.conf_dir, self.bin_dir):
            made.mkdir(parents=True)

    # --- configurations

    def install(self, name, network, plugins):
        """Another network's configuration, put there whole."""
        temporary = self.conf_dir / f"{name}.tmp"
        temporary.write_text(json.dumps({"cniVersion": "1.0.0", "name": network, "plugins": plugins}))
        temporary.rename(self.conf_dir / name)

    def debian(self, kind, network, subnet, **options):
        """A plugin of Debian's with host-local addresses, its leases in our directory: bridge or ptp."""
        ipam = {"type": "host-local", "subnet": subnet, "dataDir": str(self.dir / "leases"),
                "routes": [{"dst": "0.0.0.0/0"}]}
        ipam.update(options.pop("ipam", {}))
        bridge = {"bridge": f"br-{network}"[:15], "isGateway": True} if kind == "bridge" else {}
        return {"type": kind, "ipam": ipam, **bridge, **options}

    def leases(self, network):
        """Addresses that host-local holds taken."""
        folder = self.dir / "leases" / network
        return sorted(p.name for p in folder.iterdir() if p.name[0].isdigit()) if folder.is_dir() else []

    def first(self):
        """The name of the file that counts; None: kubelet says NetworkPluginNotReady."""
        names = sorted(p.name.encode() for p in self.conf_dir.iterdir() if p.suffix in SUFFIXES and not p.is_dir())
        return names[0].decode() if names else None

    def load(self):
        name = self.first()
        if name is None:
            raise PluginError("cni plugin not initialized: no network config found")
        conf = json.loads((self.conf_dir / name).read_text())
        return conf if "plugins" in conf else dict(conf, plugins=[conf])

    # --- pods

    def _run(self, command, sandbox, plugin, prev, netns, network=None):
        network = network or sandbox.conf
        conf = {"cniVersion": network["cniVersion"], "name": network["name"],
                **{key: value for key, value in plugin.items() if key != "capabilities"}}
        if prev is not None:
            conf["prevResult"] = prev
        env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": sandbox.container,
               "CNI_NETNS": netns, "CNI_IFNAME": "eth0", "CNI_PATH": f"{self.bin_dir}:{DEBIAN_PLUGINS}",
               "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + sandbox.container}
        for folder in (self.bin_dir, DEBIAN_PLUGINS):
            if (folder / plugin["type"]).exists():
                done = subprocess.run(self.node.wrap([folder / plugin["type"]]), input=json.dumps(conf), env=env,
                                      text=True, capture_output=True, timeout=PATIENCE, check=False)
                break
        else:
            raise PluginError(f"failed to find plugin \"{plugin['type']}\" in path")
        if done.returncode != 0:
            raise PluginError(f"{plugin['type']} {command}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def add(self, name=None, conf=None):
        """A sandbox with its network. conf: instead of the one that counts. A failed ADD's PluginError has its sandbox."""
        name = name or f"sandbox{next(self._count)}"
        ns = Netns(f"{self.node.lab.prefix}{self.node.name}-{name}")
        run(["ip", "netns", "add", ns.name])
        self.node.lab.defer(run, ["ip", "netns", "del", ns.name], False)
        sandbox = Sandbox(name, ns, conf or self.load())
        try:
            for plugin in sandbox.conf["plugins"]:
                sandbox.result = self._run("ADD", sandbox, plugin, sandbox.result, ns.path)
        except PluginError as error:
            error.sandbox = sandbox
            raise
        return sandbox

    def delete(self, sandbox, conf=None):
        """By the conf of its ADD, as podman and CRI-O have it; containerd takes the one that counts by now: conf. The first
        plugin that fails ends it, as in libcni."""
        own = conf is None or conf["name"] == sandbox.network
        for plugin in reversed((conf or sandbox.conf)["plugins"]):
            self._run("DEL", sandbox, plugin, sandbox.result if own else None, sandbox.ns.path, conf)

    def lose(self, sandbox):
        """Its namespace goes, and nobody ever asks for a DEL: a runtime that crashed, a node that lost power."""
        run(["ip", "netns", "del", sandbox.ns.name])
