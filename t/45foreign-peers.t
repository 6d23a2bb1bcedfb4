#!/usr/bin/env python3
"""Clients and servers that were not written for us: node, Python's http package, and a WebSocket library."""
import concurrent.futures
import http.client
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("the library's engine knows neither trailers nor WebSocket")

MIB = 1 << 20
PEERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers")
DATA = some_bytes(3 * MIB + 17, 46)
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's packages are for this one, whichever runs the tests


class TlsProxy(Proxy):
    def __init__(self, backend, pair, **settings):
        self.tls_port = free_port()
        tls = {"listen_port": self.tls_port, "cert_file": pair[0], "key_file": pair[1]}
        super().__init__(backend, tls=tls, **settings)


def no_failure(proxy, but=r"(?!)"):
    """but: what a client did on purpose."""
    lines = [line for line in proxy.out if re.search(r"failed: |\[(WARN|ERROR)\]", line) and not re.search(but, line)]
    is_(lines, [], "and the proxy has nothing to complain of")


# --- node ---------------------------------------------------------------------------------------------------


class NodeOrigin(Process):
    def __init__(self):
        self.port = free_port()
        super().__init__([want_tool("node"), os.path.join(PEERS, "node_origin.js"), str(self.port)], name="node")
        self.wait_line("^ready$")


def node_client(url, *arguments):
    """Runs the scenarios; returns {scenario: what it saw}."""
    client = Process([want_tool("node"), os.path.join(PEERS, "node_client.js"), url] + list(arguments), name="node")
    if not is_(client.wait(120), 0, "the client in node ends well"):
        explain(client)
    return {name: json.loads(seen) for name, seen in (line.split(" ", 1) for line in client.out)}


def node_answers(node, proxy):
    client = Client(proxy.port)
    response = client.request(target="/plain")
    is_((response.status, response.text, response.framing), (200, "plain", "length"), "a plain answer")
    is_(response.get("keep-alive"), None, "node's Keep-Alive was for the proxy alone")
    response = client.request("HEAD", "/plain")
    is_((response.status, response.body), (200, b""), "HEAD")
    response = client.request(target="/chunked")
    is_((response.text, response.framing), ("one two three", "chunked"), "chunks stay chunks")
    response = client.request(target="/trailer", headers=[("TE", "trailers")])
    trailers = sorted((name.lower(), value) for name, value in response.trailers)
    is_((response.text, trailers), ("abc", [("x-count", "3"), ("x-sum", "abc")]), "trailers arrive")
    response = client.request(target="/nothing")
    is_((response.status, response.all("content-length")), (204, []), "204")
    response = client.request(target="/unchanged")
    is_((response.status, response.get("etag"), response.body), (304, '"1"', b""), "304")
    is_(client.request(target="/cookies").all("set-cookie"), ["a=1", "b=2"], "two cookies are two fields")
    response = client.request(target="/hints")
    hints = [(hint.status, hint.get("link")) for hint in response.interim]
    wanted = [
        (103, "</a.css>; rel=preload; as=style, </b.js>; rel=preload; as=script"),
        (103, "</c.js>; rel=preload; as=script"),
    ]
    is_((hints, response.text), (wanted, "hinted"), "early hints, twice")
    response = client.request(target="/big")
    is_((response.status, response.sha256), (200, sha256(b"0123456789abcdef" * (8 * MIB // 16))), "8 MiB")
    is_(client.request(target="/close").text, "bye", "an answer with which node ends its connection")
    is_(client.request(target="/plain").text, "plain", "does not end the client's")
    client.send_request(target="/cut")
    try:
        whole = client.read_response().status != 502
    except (ProtocolError, ConnectionError):
        whole = False
    ok(not whole, "an answer that node breaks off does not look whole")
    proxy.wait_line("response_truncated")
    ok(True, "and the log says so")


def node_uploads(node, proxy):
    client = Client(proxy.port)
    for size in (0, 1, 65536, len(DATA)):
        seen = json.loads(client.request("POST", "/hash", body=DATA[:size]).body)
        got = (seen["bytes"], seen["sha256"], seen.get("length"), seen.get("coding"))
        is_(got, (size, sha256(DATA[:size]), str(size), None), "%d bytes by length" % size)
        body = chunked(DATA[:size], 10007)[:-2] + b"X-Sum: %d\r\n\r\n" % size
        client.send_request("POST", "/hash", [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")], body)
        seen = json.loads(client.read_response("POST").body)
        got = (seen["bytes"], seen["sha256"], seen.get("length"), seen.get("coding"), seen["trailers"])
        wanted = (size, sha256(DATA[:size]), None, "chunked", {"x-sum": str(size)})
        is_(got, wanted, "%d bytes in chunks, with a trailer" % size)
    sending = background(client.send_request, "POST", "/echo", [], DATA)
    response = client.read_response()
    is_(response.sha256, sha256(DATA), "an echo that begins before the upload has ended")
    sending.result()
    if "close" in response.tokens("connection"):
        client = Client(proxy.port)  # when the answer began it was not sure that all of the body would be taken
    head = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    client.send(head % "/hash")
    is_(client.read_response_head().status, 100, "Expect: 100-continue is granted")
    client.send("hello")
    is_(json.loads(client.read_response("POST").body)["sha256"], sha256(b"hello"), "and the body arrives")
    client.send(head % "/refuse")
    response = client.read_response("POST")
    is_((response.status, response.text), (403, "not that"), "or the request is refused, in node's own words")
    client = Client(proxy.port)
    client.send("GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n")
    is_(client.read_response_head().status, 101, "a switch of protocols")
    client.send("there and back")
    is_(client.read_exactly(14), b"there and back", "and what it is for")
    no_failure(proxy)


def node_keep_alive(node, _proxy):
    """
    Each end closes idle connections, node after the 5 s that it announces; a request must never meet that. The
    shortest of the proxy's timeouts decides how often it looks for what is due: here it is one that no request has.
    """
    like(once(node.port, target="/plain").get("keep-alive"), r"timeout=5\b", "node announces 5 s")
    timeout = {"tunnel_idle_timeout": "400ms"}
    proxy = Proxy(node.port, workers=1, upstream={"idle_timeout": "60s"}, timeout=timeout)
    client = Client(proxy.port)
    used = {client.request(target="/plain").get("x-connection") for _ in range(100)}
    is_(len(used), 1, "100 requests, one connection")
    number = used.pop()
    ended = node.wait_line(r"^%s ended (.*)$" % number).group(1)
    is_(ended, "by the peer", "the proxy ends it before node does")
    response = client.request("POST", "/hash", body=b"x")
    ok(response.get("x-connection") != number and response.status == 200, "and opens another")
    no_failure(proxy)


def node_as_client(node, _proxy, pair=None):
    proxy = TlsProxy(node.port, pair) if pair else Proxy(node.port)
    url = "https://localhost:%d" % proxy.tls_port if pair else "http://localhost:%d" % proxy.port
    names = ("sequential", "concurrent", "upload", "echo", "expect", "refused", "answers", "aborts")
    seen = node_client(url, *(pair[:1] if pair else ()), *names)
    is_(set(seen), set(names), "every scenario came to its end")
    is_(seen["sequential"], {"good": 200, "sockets": 1}, "200 requests in a row, one connection")
    is_(seen["concurrent"]["good"], 1000, "1,000 requests, 32 at once: each gets its own answer")
    ok(seen["concurrent"]["sockets"] <= 32, "on %d connections" % seen["concurrent"]["sockets"])
    upload = seen["upload"]
    origin = upload["origin"]
    got = (upload["status"], origin["bytes"], origin["sha256"], origin.get("coding"), origin["trailers"])
    wanted = (200, 5000000, upload["digest"], "chunked", {"x-sum": upload["digest"]})
    is_(got, wanted, "a streaming upload with a trailer")
    is_((upload["after"], upload["reused"]), ("plain", True), "and the connection is in step")
    is_(seen["echo"], {"same": True, "bytes": 4 * MIB}, "4 MiB there and back at once")
    got = seen["expect"]
    is_((got["continued"], got["status"], got["after"]), (True, 200, "plain"), "Expect: 100-continue")
    is_(got["origin"]["sha256"], sha256(b"hello"), "brings the body")
    got = seen["refused"]
    is_((got["status"], got["text"], got["after"]), (403, "not that", "plain"), "or a refusal, and life goes on")
    is_(seen["aborts"], {"aborted": 10, "after": "plain"}, "ten answers that the client breaks off")
    direct = node_client("http://localhost:%d" % node.port, "answers")
    for name, answer in direct["answers"].items():
        is_(seen["answers"][name], answer, "%s: status, body, fields, 1xx, reuse are as without a proxy" % name)
    no_failure(proxy, "GET /big .* failed: client_gone")


# --- Python's http package ----------------------------------------------------------------------------------


class Pages(http.server.BaseHTTPRequestHandler):
    """The standard library's server writes head and body on their own, and knows no chunks: we add those."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms, with or without a proxy

    def log_message(self, *_):
        pass

    def reply(self, body, fields=(), status=200):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline(), 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(parts)

    def do_GET(self):
        self.server.seen.append(self.request_version)
        if self.path == "/until-close":
            self.close_connection = True
            self.reply(DATA, [("Connection", "close")])
        elif self.path == "/chunked":
            self.reply(chunked(DATA, 8191), [("Transfer-Encoding", "chunked")])
        elif self.path == "/short":
            self.close_connection = True
            self.reply(b"half", [("Content-Length", "8")])
        elif self.path == "/moved":
            self.reply(b"", [("Location", "/here?x=1"), ("Content-Length", "0")], 302)
        elif self.path == "/error":
            self.send_error(418)
        else:
            body = ("here is %s" % self.path).encode()
            self.reply(body, [("Content-Length", str(len(body)))])

    do_HEAD = do_GET

    def do_POST(self):
        body = self.body()
        framing = self.headers.get("Transfer-Encoding") or "length"
        text = ("%s %d %s" % (framing, len(body), sha256(body))).encode()
        self.reply(text, [("Content-Length", str(len(text)))])

    do_PUT = do_POST


class OldPages(Pages):
    protocol_version = "HTTP/1.0"


class PythonOrigin(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, pages):
        super().__init__(("127.0.0.1", free_port()), pages)
        self.port = self.server_address[1]
        self.seen = []
        self.connections = 0
        running = background(self.serve_forever, 0.05)
        closing(self.server_close)
        closing(running.result)
        closing(self.shutdown)

    def process_request(self, *arguments):
        self.connections += 1
        super().process_request(*arguments)

    def handle_error(self, request, client_address):
        pass  # a connection that the proxy resets


def fetch(connection, method="GET", target="/", body=None, headers={}, **options):
    connection.request(method, target, body, dict(headers), **options)
    response = connection.getresponse()
    return response.status, response.read()


def python_client(port, **options):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline(20), **options)
    closing(connection.close)
    return connection


class OldConnection(http.client.HTTPConnection):
    _http_vsn, _http_vsn_str = 10, "HTTP/1.0"


def python_requests(pages, version):
    """http.client against http.server, which speaks HTTP/1.1 and keeps connections, or 1.0 and does not."""
    origin = PythonOrigin(pages)
    proxy = Proxy(origin.port, workers=1)
    connection = python_client(proxy.port)
    fetch(connection)
    sock = connection.sock
    good = sum(fetch(connection, target="/%d" % i) == (200, b"here is /%d" % i) for i in range(100))
    is_((good, connection.sock is sock), (100, True), "100 requests on one connection")
    is_(origin.connections, 1 if version == "1.1" else 101, "connections to http.server")
    for target in ("/until-close",) + (("/chunked",) if version == "1.1" else ()):
        is_(fetch(connection, target=target), (200, DATA), "%s: 3 MiB" % target[1:])
    is_(fetch(connection, "HEAD", "/x"), (200, b""), "HEAD")
    status, text = fetch(connection, target="/error")
    ok(status == 418 and b"teapot" in text.lower(), "418 with http.server's own page")
    is_(connection.sock is sock, True, "still the same connection")
    for size in (0, 1, 70000, len(DATA)):
        body = DATA[:size]
        wanted = (200, ("length %d %s" % (size, sha256(body))).encode())
        is_(fetch(connection, "POST", "/", body), wanted, "POST of %d bytes" % size)
    headers = {"Expect": "100-continue"}  # http.client does not wait, and passes over 100 and what it means
    is_(fetch(connection, "POST", "/", b"x", headers)[0], 200, "Expect: 100-continue from one who does not wait")
    try:
        got = fetch(connection, target="/short")
    except (http.client.HTTPException, ConnectionError):
        got = None
    is_(got, None, "half an answer is none")
    connection.close()
    is_(fetch(connection), (200, b"here is /"), "and the proxy goes on")
    is_(set(origin.seen), {"HTTP/1.1"}, "the proxy itself speaks HTTP/1.1")
    old = OldConnection("127.0.0.1", proxy.port, timeout=deadline(20))
    closing(old.close)
    targets = ("/", "/until-close") + (("/chunked",) if version == "1.1" else ())
    lengths = [len(fetch(old, target=target)[1]) for target in targets]
    is_(lengths, [9, len(DATA), len(DATA)][: len(targets)], "a client of HTTP/1.0 gets all of it, without chunks")


def python_chunks():
    pieces = [DATA[at : at + 100000] for at in range(0, len(DATA), 100000)]
    proxy = Proxy(PythonOrigin(Pages).port)
    wanted = ("chunked %d %s" % (len(DATA), sha256(DATA))).encode()
    connection = python_client(proxy.port)
    for _ in range(2):
        got = fetch(connection, "PUT", "/", iter(pieces), encode_chunked=True)
        is_(got, (200, wanted), "a body from an iterator, in chunks")
    no_failure(proxy)
    # http.server reads a body by its length or not at all: for it the proxy can find that out
    proxy = Proxy(PythonOrigin(OldPages).port, request_buffering=True, temp_dir=temporary_folder())
    got = fetch(python_client(proxy.port), "PUT", "/", iter(pieces), encode_chunked=True)
    is_(got, (200, wanted.replace(b"chunked", b"length")), "request_buffering gives it a length")
    no_failure(proxy)


def python_at_once(pair):
    origin = PythonOrigin(Pages)
    proxy = TlsProxy(origin.port, pair)
    context = ssl.create_default_context(cafile=pair[0])

    def visit(number):
        if number % 2:
            client = http.client.HTTPSConnection("localhost", proxy.tls_port, timeout=deadline(20), context=context)
        else:
            client = http.client.HTTPConnection("localhost", proxy.port, timeout=deadline(20))
        good = 0
        for i in range(40):
            body = DATA[i : i + 100 * number]
            wanted = (200, ("length %d %s" % (len(body), sha256(body))).encode())
            good += fetch(client, "POST", "/", body) == wanted
            good += fetch(client, target="/%d-%d" % (number, i)) == (200, b"here is /%d-%d" % (number, i))
        client.close()
        return good

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        is_(list(pool.map(visit, range(12))), [80] * 12, "12 clients at once, half of them over TLS")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    for base in ("http://localhost:%d" % proxy.port, "https://localhost:%d" % proxy.tls_port):
        with opener.open(base + "/moved", timeout=deadline(20)) as answer:
            is_((answer.url, answer.read()), (base + "/here?x=1", b"here is /here?x=1"), "urllib follows a redirect")
    no_failure(proxy)


# --- WebSocket ----------------------------------------------------------------------------------------------


def peer(*arguments):
    return Process([SYSTEM_PYTHON, os.path.join(PEERS, "websocket_peer.py")] + list(arguments), name="websockets")


def want_websockets():
    try:
        found = subprocess.run([SYSTEM_PYTHON, "-c", "import websockets"], capture_output=True, check=False)
    except OSError:
        raise Skip(SYSTEM_PYTHON + " is not there")
    if found.returncode:
        raise Skip("python3-websockets is not installed")


class WebSocketOrigin(Process):
    def __init__(self, *files):
        self.port = free_port()
        command = [SYSTEM_PYTHON, os.path.join(PEERS, "websocket_peer.py"), "serve", str(self.port)]
        super().__init__(command + list(files), name="websockets")
        self.wait_line("^ready$")


def websocket_visit(origin, proxy, uri, *ca):
    client = peer("visit", uri, *ca)
    if not is_(client.wait(200), 0, "the client ends well"):
        return explain(client, origin, proxy)
    seen = json.loads(client.out[-1])
    for kind in ("compressed", "uncompressed"):
        is_(seen["echoes " + kind], [], "text and bytes of every length of length, %s" % kind)
        is_(seen["big " + kind], [True, True], "1 MiB of text and of bytes, there and back")
    is_(seen["pushed"], [True] * 8, "8 MiB that the server sends at once")
    is_(seen["pings"], ["ponged", "still in step"], "pings of both sides get their pongs")
    is_(seen["closes_first"], [4000, "the client is done"], "the client's close is confirmed")
    is_(seen["is_closed"], [4001, "the server is done"], "the server's close arrives with its reason")
    origin.wait_line(r"^closed /echo 4000 the client is done$")
    origin.wait_line(r"^closed /close 4001 the server is done$")
    ok(True, "and the server knows both")
    protocol, fields = seen["agrees"]
    is_(protocol, "chat.v1", "they agree on a protocol above it")
    is_(fields.get("x-forwarded-proto"), "https" if ca else "http", "the server is told how the client came")
    is_(seen["is_refused"], 403, "a refused handshake is a plain answer")
    is_(seen["many"], [True] * 40, "40 connections at once")
    return None


def websocket_plain(_pair):
    origin = WebSocketOrigin()
    proxy = Proxy(origin.port)
    websocket_visit(origin, proxy, "ws://127.0.0.1:%d" % proxy.port)
    no_failure(proxy, "GET /refused .* client_gone")


def websocket_tls(pair):
    origin = WebSocketOrigin()
    proxy = TlsProxy(origin.port, pair)
    websocket_visit(origin, proxy, "wss://127.0.0.1:%d" % proxy.tls_port, pair[0])
    no_failure(proxy, "GET /refused .* client_gone")


def websocket_tls_twice(pair):
    """Over TLS on both sides, of which each has records and an end of its own."""
    origin = WebSocketOrigin(*pair)
    tls_port = free_port()
    config = proxy_config(free_port(), tls={"listen_port": tls_port, "cert_file": pair[0], "key_file": pair[1]})
    config["proxy"]["backend"] = {"host": "127.0.0.1", "port": origin.port, "tls": {"ca_file": pair[0]}}
    proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
    websocket_visit(origin, proxy, "wss://127.0.0.1:%d" % tls_port, pair[0])
    no_failure(proxy, "GET /refused .* client_gone")


def websocket_ends(pair):
    """A connection without a close handshake: whoever is left must hear of the end, as 1006."""
    for what in ("server", "client", "proxy"):
        origin = WebSocketOrigin()
        proxy = TlsProxy(origin.port, pair, timeout={"shutdown_timeout": duration(300)})
        client = peer("stay", "wss://127.0.0.1:%d" % proxy.tls_port, pair[0])
        client.wait_line("^open hello$")
        if what == "server":
            origin.kill()
        elif what == "client":
            client.kill()
        else:
            is_(proxy.stop(), 0, "the proxy ends with a WebSocket open")
        if what != "client":
            is_(client.wait_line(r"^ended (\d+)$").group(1), "1006", "the %s dies: the client hears of it" % what)
            is_(client.wait(), 0, "and ends well")
        if what != "server":
            origin.wait_line("^closed /echo 1006")
            ok(True, "the %s dies: the server hears of it" % what)


def with_node(name, function, *arguments):
    def run():
        want_tool("node")
        node = NodeOrigin()
        function(node, Proxy(node.port), *arguments)

    subtest("node: " + name, run)


def with_websockets(name, function, *arguments):
    def run():
        want_websockets()
        function(*arguments)

    subtest("WebSocket: " + name, run)


def all_tests():
    try:
        want_tool("openssl")
    except Skip as reason:
        skip_all(str(reason))
    pair = certificate("good")
    with_node("answers", node_answers)
    with_node("uploads", node_uploads)
    with_node("keep-alive", node_keep_alive)
    with_node("as a client", node_as_client)
    with_node("as a client over TLS", node_as_client, pair)
    subtest("Python: a server of HTTP/1.1", python_requests, Pages, "1.1")
    subtest("Python: a server of HTTP/1.0", python_requests, OldPages, "1.0")
    subtest("Python: bodies in chunks", python_chunks)
    subtest("Python: many at once", python_at_once, pair)
    with_websockets("plain", websocket_plain, pair)
    with_websockets("over TLS", websocket_tls, pair)
    with_websockets("over TLS on both sides", websocket_tls_twice, pair)
    with_websockets("ends without a word", websocket_ends, pair)


all_tests()
done()
