"""Hand-made container images, since there is no registry: one with Debian's static busybox, and the same as the sandbox's."""

import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BUSYBOX = pathlib.Path("/bin/busybox")
BUSYBOX_IMAGE = "ringway.test/busybox:1"
PAUSE_IMAGE = "ringway.test/pause:1"


def _add(tar, name, content=b"", mode=0o644, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(content), mode, kind, link
    tar.addfile(info, io.BytesIO(content))


def _layer():
    """A root file system as an uncompressed tar."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("www", 0o755)):
            _add(tar, directory, mode=mode, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in applets:
            if applet != "busybox":
                _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    return out.getvalue()


def write(path):
    """An OCI image layout with both images as a tar file, for `ctr images import`."""
    blobs = {}

    def blob(content, media_type):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    layer = blob(_layer(), "application/vnd.oci.image.layer.v1.tar")
    manifests = []
    for name, command in ((BUSYBOX_IMAGE, ["/bin/sh"]), (PAUSE_IMAGE, ["/bin/sleep", "2147483647"])):
        config = blob({"architecture": ARCHITECTURES[os.uname().machine], "os": "linux", "config": {"Cmd": command, "Env": ["PATH=/bin"]},
                       "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}},
                      "application/vnd.oci.image.config.v1+json")
        manifest = blob({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                         "layers": [layer]}, "application/vnd.oci.image.manifest.v1+json")
        manifests.append({**manifest, "annotations": {"io.containerd.image.name": name,
                                                      "org.opencontainers.image.ref.name": name}})
    with tarfile.open(path, "w") as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
        for digest, data in blobs.items():
            _add(tar, f"blobs/sha256/{digest}", data)
