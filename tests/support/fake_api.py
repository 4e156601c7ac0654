"""A stand-in for kube-apiserver: lists in pages, watches with bookmarks, WatchList, tokens, TLS by a CA made for the moment. HTTP/1.1
only. A test changes its objects, and has it fail in the ways in which real ones do. It is not a real one: what it does was written
down from the API's documentation.

    api = FakeApi(directory, "/run/netns/x")
    api.put("Service", {"metadata": {"namespace": "default", "name": "web"}, "spec": {...}})
    api.expire()    # what is older than now is forgotten: 410
    api.close()
"""

import contextlib
import copy
import ctypes
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

CLONE_NEWNET = 0x40000000
PATHS = {
    "/api/v1/nodes": ("Node", "v1"), "/api/v1/namespaces": ("Namespace", "v1"), "/api/v1/pods": ("Pod", "v1"),
    "/api/v1/services": ("Service", "v1"),
    "/apis/discovery.k8s.io/v1/endpointslices": ("EndpointSlice", "discovery.k8s.io/v1"),
    "/apis/discovery.k8s.io/v1beta1/endpointslices": ("EndpointSlice", "discovery.k8s.io/v1beta1"),
    "/apis/networking.k8s.io/v1/networkpolicies": ("NetworkPolicy", "networking.k8s.io/v1"),
    "/apis/networking.k8s.io/v1/servicecidrs": ("ServiceCIDR", "networking.k8s.io/v1"),
}


def make_certificates(directory, ca="throw-away CA"):
    """ca.crt, and server.crt with server.key for 127.0.0.1; client.crt with client.key."""
    directory = pathlib.Path(directory)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={ca}", "-keyout", "ca.key", "-out", "ca.crt")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (directory / f"{name}.ext").write_text(extension)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def listen_in(netns, port):
    """A listening socket of another network namespace: threads have their own, and sockets stay where they were made."""
    made = []

    def listen():
        if netns:
            with open(netns, "rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) < 0:
                    raise OSError(ctypes.get_errno(), f"setns {netns}")
        made.append(socket.create_server(("127.0.0.1", port), backlog=64))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    return made[0]


class Failure:
    """An answer in place of the right one, so many times. method: of what is read, if it is not said."""

    def __init__(self, status, times=1, kind=None, watch=None, headers=None, body=None, method="GET"):
        self.status, self.times, self.kind, self.watch, self.method = status, times, kind, watch, method
        self.headers, self.body = headers or {}, body

    def takes(self, kind, is_watch, method):
        if self.times == 0 or self.kind not in (None, kind) or self.watch not in (None, is_watch) or self.method != method:
            return False
        self.times -= 1
        return True


class FakeApi:
    def __init__(self, directory, netns=None, token="first", watch_list=True, kinds=None):
        self.directory, self.netns = pathlib.Path(directory), netns
        self.directory.mkdir(exist_ok=True)
        make_certificates(self.directory)
        self.changed = threading.Condition()
        self.token = token
        self.has_watch_list = watch_list  # None: it does not know the parameters, and takes them for another watch
        self.paths = kinds or PATHS
        self.bookmark_s = 0.5
        self.page_max = 500
        self.between_pages = None  # called before a list's second page; pages then are of the version of their moment
        self.moves_pages = False
        self.is_mute = False  # no bookmarks
        self.is_curt = False  # watches end after their first event or bookmark
        self.version = 1000
        self.oldest = 0  # of the versions that a watch may begin from
        self.objects = {}  # (kind, namespace, name): object
        self.events = []  # (version, type, object)
        self.failures = []
        self.accepts = {}  # kind: headers Accept
        self.requests = []  # (path, {parameter: value}, status)
        self.writes = []  # (method, path, body, status)
        self.sent = {}  # kind: bytes of watches
        self.times = []  # of the requests
        self.is_frozen = False
        self.generation = 0  # of connections: those of former ones end
        self.connections = set()
        self.port = 0
        self.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    # --- as long as it runs

    def start(self):
        api = self

        class Handler(_Handler):
            def setup(self):
                self.api, self.generation = api, self.server.generation
                super().setup()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def __init__(self, listener):
                super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
                self.socket.close()
                self.socket = listener
                self.generation = api.generation
                self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self.context.load_cert_chain(api.directory / "server.crt", api.directory / "server.key")
                self.context.load_verify_locations(api.directory / "ca.crt")
                self.context.verify_mode = ssl.CERT_OPTIONAL

            def process_request_thread(self, request, client_address):
                try:
                    request = self.context.wrap_socket(request, server_side=True)
                except OSError:
                    request.close()
                    return
                api.connections.add(request)
                try:
                    super().process_request_thread(request, client_address)
                finally:
                    api.connections.discard(request)

            def handle_error(self, request, client_address):
                pass  # a connection that was cut

        self.server = Server(listen_in(self.netns, self.port))
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self):
        """As when the process ends: connections are cut, nobody answers."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        with self.changed:
            self.generation += 1
            self.changed.notify_all()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.is_frozen = False
        self.stop()

    def freeze(self, is_frozen=True):
        """Nothing comes any more, and nothing is closed: a machine that has hung, a path that swallows packets."""
        with self.changed:
            self.is_frozen = is_frozen
            self.changed.notify_all()

    # --- what there is

    def put(self, kind, obj):
        obj = copy.deepcopy(obj)
        metadata = obj["metadata"]
        with self.changed:
            self.version += 1
            key = (kind, metadata.get("namespace", ""), metadata["name"])
            event = "MODIFIED" if key in self.objects else "ADDED"
            metadata["resourceVersion"] = str(self.version)
            metadata.setdefault("uid", f"uid-{'-'.join(key)}")
            self.objects[key] = obj
            self.events.append((self.version, event, kind, obj))
            self.changed.notify_all()

    def delete(self, kind, namespace, name):
        with self.changed:
            self.version += 1
            obj = copy.deepcopy(self.objects.pop((kind, namespace, name)))
            obj["metadata"]["resourceVersion"] = str(self.version)
            self.events.append((self.version, "DELETED", kind, obj))
            self.changed.notify_all()

    def expire(self):
        """Compaction: no watch may begin from what was before."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.events.clear()
            self.changed.notify_all()

    def empty(self, keep=()):
        """Everything but some kinds is gone without an event, as with a data directory that was lost; versions begin anew. As
        with a real server's watch cache, a watch from a version to come is taken, and only hears bookmarks, if any (is_mute)."""
        with self.changed:
            self.objects = {key: obj for key, obj in self.objects.items() if key[0] in keep}
            self.events.clear()
            self.version, self.oldest = 500, 0
            self.changed.notify_all()

    def fail(self, status, **options):
        failure = Failure(status, **options)
        self.failures.append(failure)
        return failure

    def asked(self, kind, **parameters):
        """Requests for a kind with these parameters; the value None: without."""
        return [request for request in list(self.requests)
                if self.paths.get(request[0], ("",))[0] == kind and
                all(request[1].get(name) == value for name, value in parameters.items())]


def status_object(code, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code}


def merge_patch(value, patch, is_strategic):
    """RFC 7386; the strategic one merges lists with a key of their type, of which there is conditions here."""
    if isinstance(patch, list) and is_strategic:
        types = [item["type"] for item in patch]
        return [item for item in value or () if item["type"] not in types] + patch
    if not isinstance(patch, dict):
        return patch
    value = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        if part is None:
            value.pop(name, None)
        else:
            value[name] = merge_patch(value.get(name), part, is_strategic)
    return value


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = kind = None

    def log_message(self, *_arguments):
        pass

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        api = self.api
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        is_watch = query.get("watch") == "true"
        with api.changed:
            api.changed.wait_for(lambda: not api.is_frozen or api.generation != self.generation)
            if api.generation != self.generation:  # it was being connected when the server stopped
                self.close_connection = True
                return
            kind, api_version = api.paths.get(url.path, (None, None))
            self.kind = kind
            status, body, headers = self.refuse(kind, query, is_watch)
            api.accepts.setdefault(kind, set()).add(self.headers.get("Accept", ""))
            api.requests.append((url.path, query, status))
            api.times.append(time.monotonic())
        if status != 200 or body:
            self.answer(status, body or status_object(status, f"fake {status}"), headers)
        elif is_watch:
            self.watch(kind, api_version, query)
        else:
            self.list(kind, query)

    def do_POST(self):
        self.write()

    def do_PATCH(self):
        self.write()

    def write(self):
        """Of a Node and its status, and of events; nothing else is taken."""
        api = self.api
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = re.fullmatch(r"/api/v1/(?:(nodes)/([^/]+)(/status)?|namespaces/([^/]+)/(events)(?:/([^/]+))?)", self.path)
        if not path:
            self.answer(405, status_object(405, "the server does not allow this method on the requested resource"))
            return
        kind = "Node" if path[1] else "Event"
        with api.changed:
            api.changed.wait_for(lambda: not api.is_frozen or api.generation != self.generation)
            if api.generation != self.generation:
                self.close_connection = True
                return
            status, answer, headers = self.refuse(kind, {}, False)
            if status == 200:
                key = (kind, path[4] or "", path[2] or path[6] or body["metadata"]["name"])
                status, answer = self.take(key, body, self.headers["Content-Type"])
            api.writes.append((self.command, self.path, body, status))
        self.answer(status, answer or status_object(status, f"fake {status}"), headers)

    def take(self, key, body, content_type):
        api, there = self.api, self.api.objects.get(key)
        if self.command == "POST":
            if there:
                return 409, status_object(409, "already exists")
            api.put(key[0], body)
            return 201, body
        if not there:
            return 404, None
        wanted = body.get("metadata", {}).pop("resourceVersion", None)
        if wanted not in (None, there["metadata"]["resourceVersion"]):
            return 409, status_object(409, "the object has been modified; please apply your changes to the latest version")
        api.put(key[0], merge_patch(there, body, content_type.startswith("application/strategic-merge-patch")))
        return 200, api.objects[key]

    def refuse(self, kind, query, is_watch):
        """200, or what is wrong with it: (status, body, headers)."""
        api = self.api
        bearer = self.headers.get("Authorization") == f"Bearer {api.token}"
        if not bearer and not self.connection.getpeercert():
            return 401, None, {}
        if kind is None:
            return 404, b"404 page not found\n", {"Content-Type": "text/plain"}
        for failure in api.failures:
            if failure.takes(kind, is_watch, self.command):
                return failure.status, failure.body, failure.headers
        as_list, accept = "as=PartialObjectMetadataList;", self.headers.get("Accept", "")
        if "as=" in accept and (as_list in accept) == is_watch:
            return 406, status_object(406, "you requested PartialObjectMetadata, but the requested object is a list"), {}
        if "sendInitialEvents" in query and api.has_watch_list is False:
            return 422, status_object(422, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch "
                                           "unless the WatchList feature gate is enabled"), {}
        return 200, None, {}

    def shown(self, obj, kind, api_version=None):
        """As it is asked for; in a list without kind and version."""
        if "as=PartialObjectMetadata" in self.headers.get("Accept", ""):
            obj, kind, api_version = ({"metadata": obj["metadata"]}, "PartialObjectMetadata",
                                      api_version and "meta.k8s.io/v1")
        return {"kind": kind, "apiVersion": api_version, **obj} if api_version else obj

    @staticmethod
    def selects(query, obj):
        match = re.fullmatch(r"spec\.nodeName=(.*)", query.get("fieldSelector", ""))
        return match is None or obj.get("spec", {}).get("nodeName", "") == match[1]

    def list(self, kind, query):
        api = self.api
        if "continue" in query and api.between_pages:
            changes, api.between_pages = api.between_pages, None
            changes()
            api.moves_pages = True
        with api.changed:
            version = api.version
            items = [obj for key, obj in sorted(api.objects.items()) if key[0] == kind and self.selects(query, obj)]
            if "continue" in query:
                start, version = map(int, query["continue"].split("/"))
            else:
                start = 0
            is_expired = version < api.oldest
        if is_expired:
            self.answer(410, status_object(410, "The provided continue parameter is too old"))
            return
        end = start + min(int(query.get("limit", len(items) or 1)), api.page_max)
        metadata = {"resourceVersion": str(api.version if api.moves_pages else version)}
        if end < len(items):
            metadata.update({"continue": f"{end}/{version}", "remainingItemCount": len(items) - end})
        self.answer(200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata,
                          "items": [self.shown(obj, kind) for obj in items[start:end]]},
                    {"Content-Type": "application/json"})

    def send_chunk(self, data):
        with self.api.changed:
            self.api.sent[self.kind] = self.api.sent.get(self.kind, 0) + len(data)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def send_event(self, event, obj):
        self.send_chunk(json.dumps({"type": event, "object": obj}, separators=(",", ":")).encode() + b"\n")

    def bookmark(self, kind, api_version, version, annotations=None):
        self.send_event("BOOKMARK", self.shown(
            {"metadata": {"resourceVersion": str(version), **({"annotations": annotations} if annotations else {})}},
            kind, api_version))

    def watch(self, kind, api_version, query):
        """Until its time is over, or the server's."""
        api = self.api
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with api.changed:
            if "sendInitialEvents" in query:
                seen = api.version
                first = [("ADDED", obj) for key, obj in sorted(api.objects.items())
                         if key[0] == kind and self.selects(query, obj)]
            else:
                seen, first = int(query["resourceVersion"]), None
        for event, obj in first or ():
            self.send_event(event, self.shown(obj, kind, api_version))
        if first is not None and api.has_watch_list:
            self.bookmark(kind, api_version, seen, {"k8s.io/initial-events-end": "true"})
        end = time.monotonic() + float(query.get("timeoutSeconds", 3600))
        noted = None
        while time.monotonic() < end:
            with api.changed:
                api.changed.wait_for(lambda: api.generation != self.generation or (
                    not api.is_frozen and api.version != noted), timeout=api.bookmark_s)
                if api.generation != self.generation:
                    self.close_connection = True
                    return
                if api.is_frozen:
                    continue
                is_old = seen < api.oldest
                events = [(event, obj) for version, event, of, obj in api.events
                          if version > seen and of == kind and self.selects(query, obj)]
                noted = api.version
                seen = max(seen, noted)
            if is_old:
                self.send_event("ERROR", status_object(410, f"too old resource version: {seen}"))
                break
            for event, obj in events:
                self.send_event(event, self.shown(obj, kind, api_version))
            if not api.is_mute:
                self.bookmark(kind, api_version, noted)
            if api.is_curt:
                break
        self.wfile.write(b"0\r\n\r\n")


def kubeconfig(api, **user):
    """A kubeconfig's text, with these members of the user."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": api.url,
                                                  "certificate-authority": os.path.join(api.directory, "ca.crt")}}],
        "users": [{"name": "test", "user": user}]})
