#!/usr/bin/env python3
"""HTTP/2 with clients that were not written for us: curl, nghttp2's h2load and node, in the clear and over TLS."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import certificate, curl, run, want_tool  # noqa: E402

if ENGINE == "h2o":
    skip_all("the library's engine speaks HTTP/1 only, as its own HTTP/2 can be ended by a client")

MIB = 1 << 20
PEERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers")
LARGE = some_bytes(5 * MIB + 3, 47)


def serve(wire):
    """An origin of HTTP/1.1 for all of them."""
    while True:
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        path = request.target
        if path == "/large":
            wire.send(http_message("HTTP/1.1 200 OK", [("Content-Length", str(len(LARGE)))]))
            if request.method != "HEAD":
                wire.send(LARGE)
        elif path == "/hints":
            wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            wire.send(http_message("HTTP/1.1 200 OK", [], b"after hints"))
        elif path == "/trailers":
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
                      b"5\r\nhello\r\n0\r\nX-End: from the origin\r\n\r\n")  # fmt: skip
        elif path == "/upload":
            wire.send(http_message("HTTP/1.1 200 OK", [], sha256(request.body).encode()))
        else:
            wire.send(http_message("HTTP/1.1 200 OK", [("X-Path", path)], b"the answer to " + path.encode()))


def start(**settings):
    pair = certificate("http2")
    port = free_port()
    origin = Origin(serve)
    tls = {"listen_port": port, "cert_file": pair[0], "key_file": pair[1]}
    proxy = Proxy(origin.port, tls=tls, http2=dict({"enabled": True}, **settings), log={"format": "json"})
    proxy.tls_port = port
    proxy.ca = pair[0]
    return origin, proxy


def records(proxy):
    return [json.loads(line) for line in list(proxy.out) if '"request completed"' in line]


def with_curl():
    origin, proxy = start()
    for name, arguments in (
        ("prior knowledge", ["--http2-prior-knowledge", "http://localhost:%d" % proxy.port]),
        ("ALPN", ["--cacert", proxy.ca, "--http2", "https://localhost:%d" % proxy.tls_port]),
    ):
        base = arguments.pop()
        said = ["-s", "-w", "%{http_version} %{http_code}", *arguments]
        done = curl(*said, base + "/x")
        is_(done.stdout.decode(), "the answer to /x2 200", name + ": an answer")
        done = curl(*said, "-o", "/dev/null", base + "/large")
        is_(done.stdout.decode(), "2 200", name + ": 5 MiB")
        done = curl("-s", *arguments, base + "/large")
        is_(sha256(done.stdout), sha256(LARGE), name + ": to the last byte")
        path = write_file("large", LARGE)
        done = curl("-s", *arguments, "-T", path, base + "/upload")
        is_(done.stdout.decode(), sha256(LARGE), name + ": upload of a known length")
        done = curl("-s", *arguments, "-X", "POST", "-H", "Content-Length:", "-H", "Expect:", "--data-binary", "@" + path, base + "/upload")
        is_(done.stdout.decode(), sha256(LARGE), name + ": upload")
        done = curl("-s", "-I", *arguments, base + "/large")
        like(done.stdout.decode(), r"(?s)^HTTP/2 200.*content-length: %d" % len(LARGE), name + ": HEAD")
    done = curl("-s", "-D", "-", "--http2-prior-knowledge", "http://localhost:%d/trailers" % proxy.port)
    like(done.stdout.decode().replace("\r", ""), r"(?ms)^HTTP/2 200.*^hello", "an answer with trailers")
    like(done.stdout.decode(), "x-end: from the origin", "and they are shown")
    done = curl("-s", "-w", "%{http_version}", "--cacert", proxy.ca, "--http1.1", "https://localhost:%d/y" % proxy.tls_port)
    is_(done.stdout.decode(), "the answer to /y1.1", "who wants HTTP/1.1 gets that")
    seen = origin.requests[0]
    is_((seen.all("host"), seen.all("x-forwarded-proto")), (["localhost:%d" % proxy.port], ["http"]), "the origin sees one Host")
    ok(all(record["protocol"] == "HTTP/2" for record in records(proxy)[:-1]), "lines say HTTP/2")
    is_(proxy.stop(), 0, "an orderly end")


def with_nghttp():
    tool = want_tool("nghttp")
    origin, proxy = start()
    path = write_file("small", b"some bytes")
    for url in ("http://localhost:%d" % proxy.port, "https://localhost:%d" % proxy.tls_port):
        done = run([tool, "-nv", "--no-dep", "--no-content-length", "--trailer=x-sum: from nghttp", "-d", path, url + "/trailers"])
        text = done.stdout.decode()
        like(text, r"(?s):status: 200.*x-end: from the origin.*END_STREAM", "its trailers, " + url[:5])
        sent = origin.requests[-1]
        is_((bytes(sent.body), dict(sent.trailers)), (b"some bytes", {"x-sum": "from nghttp"}), "and those of the request")
        done = run([tool, "-n", "--stat", url + "/a", url + "/b", url + "/large"])
        is_((done.returncode, len(re.findall(r"(?m) 200 +\d", done.stdout.decode()))), (0, 3), "three at once")
    is_(proxy.stop(), 0, "an orderly end")


def with_h2load():
    tool = want_tool("h2load")
    _origin, proxy = start()
    for url in ("http://localhost:%d/x" % proxy.port, "https://localhost:%d/x" % proxy.tls_port):
        done = run([tool, "-n", "5000", "-c", "10", "-m", "50", url])
        like(done.stdout.decode(), r"5000 succeeded, 0 failed, 0 errored, 0 timeout", "5,000 requests, 50 at once: " + url[:5])
    done = run([tool, "-n", "2000", "-c", "2", "-m", "100", "-w", "16", "-W", "17", "http://localhost:%d/large" % proxy.port], seconds=120) \
        if not SLOW > 1 else None  # fmt: skip
    if done:
        like(done.stdout.decode(), r"2000 succeeded, 0 failed", "10 GiB in small windows")
    wait_until(lambda: proxy.resident_kib() < 200000, "memory to be given back")
    is_(proxy.stop(), 0, "an orderly end")


def with_node():
    node = want_tool("node")
    origin, proxy = start()
    names = ["plain", "many", "upload", "trailers", "hints", "download", "head", "early", "cancel"]
    for url in (["http://localhost:%d" % proxy.port], ["https://localhost:%d" % proxy.tls_port, proxy.ca]):
        client = Process([node, os.path.join(PEERS, "http2_client.js"), *url, *names], name="node")
        if not is_(client.wait(120), 0, "the client in node ends well"):
            explain(client)
        seen = {name: json.loads(text) for name, text in (line.split(" ", 1) for line in client.out)}
        is_((seen["plain"]["status"], seen["plain"]["text"]), (200, "the answer to /plain"), "a plain answer")
        is_(seen["many"], ["the answer to /n/%d" % i for i in range(200)], "200 at once")
        is_(seen["upload"]["text"], sha256(b"u" * (3 * MIB + 17)), "an upload")
        is_((seen["trailers"]["text"], seen["trailers"]["trailers"]), ("hello", {"x-end": "from the origin"}), "trailers from the origin")
        sent = [request for request in origin.requests if request.target == "/trailers"][-1]
        is_((dict(sent.trailers), sent.get("x-sum")), ({"x-sum": "from the client"}, None), "and from the client, as such")
        is_(seen["hints"]["interim"], [[103, "</style.css>; rel=preload"]], "103")
        is_((seen["download"]["bytes"], seen["download"]["sha256"]), (len(LARGE), sha256(LARGE)), "5 MiB")
        is_((seen["head"]["status"], seen["head"]["bytes"], seen["head"]["headers"]["content-length"]), (200, 0, str(len(LARGE))), "HEAD")
        is_(seen["early"]["status"], 200, "a large upload")
        is_(seen["cancel"]["text"], "the answer to /plain", "a cancelled stream leaves the others alone")
    is_(proxy.stop(), 0, "an orderly end")


def with_websocket():
    """node's client opens a WebSocket in a stream; Python's library "websockets" is the server of HTTP/1.1."""
    node, python = want_tool("node"), "/usr/bin/python3"
    if run([python, "-c", "import websockets"]).returncode:
        raise Skip("python3-websockets is not installed")
    port, tls_port, pair = free_port(), free_port(), certificate("http2-websocket")
    origin = Process([python, os.path.join(PEERS, "websocket_peer.py"), "serve", str(port)], name="websockets")
    origin.wait_line("^ready$")
    proxy = Proxy(port, http2={"enabled": True}, tls={"listen_port": tls_port, "cert_file": pair[0], "key_file": pair[1]})
    for url in (["http://localhost:%d" % proxy.port], ["https://localhost:%d" % tls_port, pair[0]]):
        client = Process([node, os.path.join(PEERS, "http2_client.js"), *url, "websocket"], name="node")
        if not is_(client.wait(60), 0, "the client in node ends well"):
            explain(client, origin, proxy)
        seen = json.loads(client.out[-1].split(" ", 1)[1])
        is_((seen["promised"], seen["status"]), (True, 200), "a WebSocket in a stream")
        is_(seen["text"], [0x81, 100, True], "a message, there and back")
        is_((seen["close"], seen["rst"]), ([0x88, 2, 3, 0xE8], 0), "a close with its answer, and an orderly end")
        ok(origin.wait_line(r"^closed /echo 1000"), "the server saw a close, too")
        del origin.out[:]
    is_(proxy.stop(), 0, "an orderly end")


def settings():
    """What the options say is what clients are told."""
    node = want_tool("node")
    _origin, proxy = start(max_concurrent_streams=7, stream_window="70000", connection_window="100000")
    script = ("const s=require('http2').connect('http://localhost:%d');"
              "s.on('remoteSettings',(x)=>{console.log(JSON.stringify([x.maxConcurrentStreams,x.initialWindowSize]));});"
              "s.request({':path':'/'}).on('close',()=>{console.log(s.state.remoteWindowSize>65535);s.close()}).resume()" % proxy.port)  # fmt: skip
    done = run([node, "-e", script])
    is_(done.stdout.decode().split(), ["[7,70000]", "true"], "streams, and both windows")
    _origin, proxy = start(cleartext=False)
    done = curl("-s", "-w", "%{http_code}", "--http2-prior-knowledge", "http://localhost:%d/" % proxy.port)
    ok(done.returncode != 0, "cleartext: false refuses prior knowledge")
    done = curl("-s", "-w", "%{http_version}", "--cacert", proxy.ca, "https://localhost:%d/" % proxy.tls_port)
    is_(done.stdout.decode(), "the answer to /2", "but not TLS")
    _origin, proxy = start(enabled=False)
    done = curl("-s", "-w", "%{http_version}", "--cacert", proxy.ca, "https://localhost:%d/" % proxy.tls_port)
    is_(done.stdout.decode(), "the answer to /1.1", "enabled: false is HTTP/1 only")


def many_fields():
    """More than anybody sends: none is left out."""
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [("X-%d" % i, "v") for i in range(90)], b"x")))
    more = [{"name": "Y-%d" % i, "value": "w"} for i in range(60)]
    proxy = Proxy(origin.port, http2={"enabled": True}, policies=[{"headers": {"response": {"add": more}}}])
    head = curl("-si", "--http2-prior-knowledge", "http://localhost:%d/" % proxy.port).stdout.decode()
    is_((len(re.findall(r"(?m)^x-\d", head)), len(re.findall(r"(?m)^y-\d", head))), (90, 60), "150 fields")


USED = {"enabled", "cleartext", "max_concurrent_streams", "stream_window", "connection_window"}
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "40http2-limits.t")) as limits:
    USED |= set(re.findall(r'(?m)^# option: (\w+)$', limits.read()))

subtest("curl", with_curl)
subtest("nghttp", with_nghttp)
subtest("h2load", with_h2load)
subtest("node", with_node)
subtest("websocket", with_websocket)
subtest("settings", settings)
subtest("many fields", many_fields)
rows = re.findall(r"(?m)^\| `proxy\.http2\.([^`]+)` \|", "\n".join(gomesh_run("reference").out))
is_(sorted(rows), sorted(USED), "each option was used here, or in 40http2-limits.t")
done()
