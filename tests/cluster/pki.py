"""The certificates and key files of a cluster that lives as long as a test, made by openssl."""

import base64
import subprocess

import yaml

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A throw-away certificate authority; all that it makes is in one directory."""

    def __init__(self, directory):
        self.dir = directory
        directory.mkdir()
        self._openssl("req", "-x509", *EC, "-days", "2", "-subj", "/CN=test cluster", "-keyout", "ca.key", "-out", "ca.crt")
        # signs service accounts' tokens; the public half proves them
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "tokens.key")
        self._openssl("ec", "-in", "tokens.key", "-pubout", "-out", "tokens.pub")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=self.dir, capture_output=True)

    def path(self, name):
        return str(self.dir / name)

    def issue(self, name, user, groups=(), names=()):
        """A certificate and its key, NAME.crt and NAME.key: of a client with these groups, and of a server with names."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        usage = "extendedKeyUsage=clientAuth,serverAuth"
        (self.dir / f"{name}.ext").write_text(usage + (f"\nsubjectAltName={','.join(names)}" if names else ""))
        self._openssl("req", *EC, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def kubeconfig(self, name, server, user, groups=()):
        """The path of a kubeconfig with a client certificate of its own."""
        self.issue(name, user, groups)

        def inline(file):
            return base64.b64encode((self.dir / file).read_bytes()).decode()

        path = self.dir / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": inline("ca.crt")}}],
            "users": [{"name": "test", "user": {"client-certificate-data": inline(f"{name}.crt"),
                                                "client-key-data": inline(f"{name}.key")}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}))
        return path
