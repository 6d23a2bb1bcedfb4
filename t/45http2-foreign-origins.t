#!/usr/bin/env python3
"""HTTP/2 origins that were not written for us: node, nginx, and nghttpx in front of another, in the clear and over TLS."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import H2Proxy  # noqa: E402
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import run  # noqa: E402

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MIB = 1 << 20
PEERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers")
BODY = some_bytes(MIB, 11)
LARGE = some_bytes(5 * MIB + 3, 12)


def proxy_before(port, pair, **settings):
    backend = {"host": "127.0.0.1", "port": port, "protocol": "h2"}
    if pair:
        backend = {"host": "127.0.0.1", "port": port, "tls": {"ca_file": pair[0], "server_name": "localhost"}}  # auto: by ALPN
    return H2Proxy(backend, **dict({"workers": 1}, **settings))


def both(proxy):
    return (("HTTP/1.1", Client(proxy.port)), ("HTTP/2", proxy.client()))


class NodeOrigin(Process):
    def __init__(self, pair, port=None):
        self.port = port or free_port()
        super().__init__([want_tool("node"), os.path.join(PEERS, "http2_origin.js"), str(self.port), *(pair or ())], name="node")
        self.wait_line("^ready$")


def echoed(client):
    """What comes back of a body while it is sent: over HTTP/1.1, too, somebody has to read all the while."""
    if not hasattr(client, "start"):
        sending = background(client.send_request, "POST", "/echo", [], BODY)
        answer = client.read_response()
        sending.result()
        return answer.body
    return client.request("POST", "/echo", [], BODY).body


def with_node(pair):
    origin = NodeOrigin(pair)
    proxy = proxy_before(origin.port, pair)
    for name, client in both(proxy):
        te = [("te", "trailers")]
        seen = json.loads(client.request("GET", "/x?y=1").text)
        wanted = ("GET", "/x?y=1", "https" if pair else "http", "gomesh.test", "127.0.0.1")
        is_(tuple(seen.get(key) for key in ("method", "path", "scheme", "authority", "forwarded")), wanted, name + ": a request as node sees it")
        seen = json.loads(client.request("POST", "/upload", [], BODY).text)
        is_((seen["bytes"], seen["sha256"]), (MIB, sha256(BODY)), "POST 1 MB")
        over = Client(proxy.port) if name == "HTTP/1.1" else client  # such an answer ends a connection of HTTP/1.1
        is_(sha256(echoed(over)), sha256(BODY), "1 MB there and back at the same time")
        is_(len(client.request("GET", "/bytes/5000000").body), 5000000, "5 MB")
        answer = client.request("HEAD", "/bytes/1000")
        is_((answer.status, answer.get("content-length"), answer.body), (200, "1000", b""), "HEAD")
        answer = client.request("GET", "/unchanged")
        is_((answer.status, answer.get("etag"), answer.body), (304, '"1"', b""), "304")
        answer = client.request("GET", "/trailers", te)
        trailers = [(field.lower(), value) for field, value in answer.trailers]
        is_((answer.text, trailers), ("hello", [("x-end", "from node")]), "trailers")
        answer = client.request("GET", "/hints")
        is_(([each.status for each in answer.interim], answer.text), ([103], "after hints"), "103")
        answer = client.request("GET", "/cookies", [("cookie", "a=1"), ("cookie", "b=2")])
        is_((answer.all("set-cookie"), answer.text), (["a=1", "b=2"], "a=1; b=2"), "cookies")
        for path in ("/reset", "/refused"):
            ok(client.request("GET", path).status in (502, 503), "%s: a failure" % path)
        is_(client.request("GET", "/goaway").text, "goodbye", "an answer, and GOAWAY")
        is_(client.request("GET", "/bytes/3").text, "xxx", "the next request has a new connection")
    client = proxy.client()
    answer = client.request("POST", "/x", [("te", "trailers")], b"body", trailers=[("x-sum", "1")], length=False)
    is_(json.loads(answer.text)["trailers"], {"x-sum": "1"}, "a request's trailers")
    stream = client.start(path="/reset-within")
    ok(client.wait_reset(stream) not in (None, "NO_ERROR"), "an answer that is reset is reset")
    stream = client.start(path="/hold")
    ok(client.wait(lambda: client.streams[stream].body), "an answer that stays open")
    client.cancel(stream)
    origin.wait_line("^closed /hold 8$")
    ok(True, "and is cancelled: node is told CANCEL")
    streams = [client.start(path="/bytes/%d" % n) for n in range(90)]
    is_([len(client.response(each).body) for each in streams], list(range(90)), "90 at once")
    is_(origin.count("^sessionError"), 0, "node has nothing to complain of")
    ok(origin.count("^session$") <= 6, "few connections did for all of it, though some were told to go: %d" % origin.count("^session$"))
    is_(proxy.stop(), 0, "an orderly end")


def node_restarts(pair):
    """Killed, stopped, started again: failures while it is away, and answers as soon as it is back."""
    origin = NodeOrigin(pair)
    port = origin.port
    proxy = proxy_before(port, pair)
    for _ in range(3):
        is_(once(proxy.port, target="/bytes/3").text, "xxx", "served")
        origin.kill()
        is_(once(proxy.port).status, 502, "away")
        origin = NodeOrigin(pair, port)
    is_(once(proxy.port, target="/bytes/3").text, "xxx", "back")


class Nginx(NginxOrigin):
    """nginx speaks HTTP/2 alone on such a port: by prior knowledge, or by ALPN."""

    def __init__(self, pair):
        self.http2_port = free_port()
        listen = "listen 127.0.0.1:%d %s http2;" % (self.http2_port, "ssl" if pair else "")
        if pair:
            listen += " ssl_certificate %s; ssl_certificate_key %s;" % pair
        rules = "client_max_body_size 0; location /status/ { return 204; } location /put { return 200 taken; }" \
            " keepalive_requests 50; location /moved { return 301 /x; }"  # fmt: skip
        super().__init__({"large": LARGE, "small": b"small"}, listen + rules)


def with_nginx(pair):
    origin = Nginx(pair)
    proxy = proxy_before(origin.http2_port, pair)
    for name, client in both(proxy):
        is_(client.request("GET", "/small").text, "small", name + ": GET")
        answer = client.request("GET", "/large")
        is_((answer.status, sha256(answer.body), answer.get("content-length")), (200, sha256(LARGE), str(len(LARGE))), "5 MB")
        answer = client.request("GET", "/small", [("if-none-match", client.request("GET", "/small").get("etag"))])
        is_((answer.status, answer.body), (304, b""), "304")
        answer = client.request("HEAD", "/large")
        is_((answer.status, answer.get("content-length"), answer.body), (200, str(len(LARGE)), b""), "HEAD")
        answer = client.request("GET", "/large", [("range", "bytes=1000-1999")])
        is_((answer.status, answer.body), (206, LARGE[1000:2000]), "a range")
        is_((client.request("GET", "/status/").status, client.request("GET", "/none").status), (204, 404), "204 and 404")
        is_(client.request("POST", "/put", [], BODY).text, "taken", "POST 1 MB, answered before it has come")
        if name == "HTTP/1.1":
            client = Client(proxy.port)  # whoever answered before all had come may have hung up
        got = {client.request("GET", "/small").text for _ in range(120)}
        is_(got, {"small"}, "120 more, of which nginx takes 50 on a connection: GOAWAY now and then is nobody's business")
    is_({status for _connection, _line, status in origin.access_log()} - {200, 204, 206, 301, 304, 404}, set(), "nginx saw nothing else")
    ok(all(line.endswith("HTTP/2.0") for _connection, line, _status in origin.access_log()), "but HTTP/2")
    is_(proxy.stop(), 0, "an orderly end")


class Nghttpx(Process):
    """nghttpx as an HTTP/2 server, with an origin of HTTP/1.1 behind it."""

    def __init__(self, behind, pair):
        self.port = free_port()
        arguments = ["--frontend=127.0.0.1,%d%s" % (self.port, "" if pair else ";no-tls"), "--backend=127.0.0.1,%d" % behind,
                     "--workers=1", "--single-process", "--no-ocsp", "--conf=" + os.devnull, "--frontend-http2-max-concurrent-streams=10"]  # fmt: skip
        super().__init__([want_tool("nghttpx"), *arguments, *((pair[1], pair[0]) if pair else ())], name="nghttpx")
        self.wait_line("Listening on", stream="err")
        wait_until(lambda: tcp_listens(self.port), "nghttpx to listen")


    def close(self):
        if self.alive():
            self.kill()  # its orderly ends wait for its clients
        super().close()


def tcp_listens(port):
    try:
        Client(port, seconds=2).close()
        return True
    except OSError:
        return False


def with_nghttpx(pair):
    def serve(request):
        if request.target == "/trailers":
            return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n")
        body = b"" if request.method == "HEAD" else ("%s %s %s" % (request.method, request.target, request.sha256)).encode()
        return http_message("HTTP/1.1 200 OK", [("Content-Length", "100")] if request.method == "HEAD" else [], body)

    peer = Nghttpx(Origin(answering(serve)).port, pair)
    proxy = proxy_before(peer.port, pair)
    for name, client in both(proxy):
        is_(client.request("GET", "/x?y").text, "GET /x?y " + sha256(b""), name + ": GET")
        is_(client.request("POST", "/x", [], BODY).text, "POST /x " + sha256(BODY), "POST 1 MB")
        is_(client.request("HEAD", "/x").get("content-length"), "100", "HEAD")
        answer = client.request("GET", "/trailers", [("te", "trailers")])
        trailers = [(field.lower(), value) for field, value in answer.trailers]
        is_((answer.text, trailers), ("hello", [("x-end", "1")]), "trailers")
    client = proxy.client()
    streams = [client.start(path="/n/%d" % n) for n in range(60)]
    got = [client.response(each).text for each in streams]
    is_([text for n, text in enumerate(got) if not text.startswith("GET /n/%d " % n)], [], "60 at once, of which 10 fit on a connection")
    is_(proxy.stop(), 0, "an orderly end")


def with_h2load(pair):
    """Many at once through everything: h2load, the proxy, nghttpx's own library on the other side."""
    tool = want_tool("h2load")
    origin = NodeOrigin(pair)
    proxy = proxy_before(origin.port, pair, workers=2)
    done = run([tool, "-n", "3000", "-c", "10", "-m", "30", "http://localhost:%d/bytes/100" % proxy.port], seconds=120)
    is_("3000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout.decode(), True, "3,000 requests, 300 at once") \
        or note(done.stdout.decode())  # fmt: skip
    done = run([tool, "-n", "60", "-c", "3", "-m", "10", "-w", "16", "http://localhost:%d/bytes/3000000" % proxy.port], seconds=120)
    is_("60 succeeded, 0 failed" in done.stdout.decode(), True, "180 MB in small windows") or note(done.stdout.decode())
    ok(origin.count("^session$") <= 2 * 6, "on few connections: %d" % origin.count("^session$"))
    is_(proxy.stop(), 0, "an orderly end")


def all_tests(pair):
    for what in (with_node, node_restarts, with_nginx, with_nghttpx, with_h2load):
        for how, tls in (("cleartext", None), ("TLS", pair)):
            subtest("%s, %s" % (what.__name__.replace("_", " "), how), what, tls)


all_tests(certificate("origins"))
done()
