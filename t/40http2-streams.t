#!/usr/bin/env python3
"""
What goes over HTTP/2's streams: many at once, bodies both ways with back-pressure, early ends on either side, interim
answers, trailers, failures, the record, timeouts and the drain.
"""
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MIB = 1 << 20
KIB = 1 << 10
HEAD = "HTTP/1.1 200 OK\r\n"


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"" if request.method == "HEAD" else b"fine " + request.target.encode())


def serve(*answers, **settings):
    """A proxy in front of an origin that gives these answers, in turn."""
    left = list(answers)
    origin = Origin(answering(lambda request: left.pop(0) if left else fine(request)))
    return origin, H2Proxy(origin.port, **settings)


class Scripted(Origin):
    """A path's first segment names the method that serves it with the connection and the request's head."""

    def __init__(self):
        self.go_on = threading.Event()
        self.ends = []
        self.progress = 0
        super().__init__(self.dispatch)
        closing(self.go_on.set)

    def dispatch(self, wire):
        while True:
            head = wire.read_request_head()
            if head is None:
                return
            self.saw(head)
            if not getattr(self, "on_" + head.target.split("/")[1])(wire, head):
                with self.changed:
                    self.ends.append(head.target)
                    self.changed.notify_all()
                return

    def on_fine(self, wire, head):
        wire.read_body(head, until_end=False)
        wire.send(fine(head))
        return True

    def on_hold(self, wire, _head):
        """Reads until the end of the connection."""
        try:
            while wire.sock.recv(65536):
                pass
        except ConnectionError:
            pass

    def on_gate(self, wire, head):
        wire.read_body(head, until_end=False)
        self.go_on.wait(deadline(60))
        wire.send(fine(head))
        return True

    def on_deaf(self, wire, head):
        """Does not read the body before it is told to; answers with its hash."""
        self.go_on.wait(deadline(60))
        wire.read_body(head, until_end=False)
        wire.send(http_message("HTTP/1.1 200 OK", [], head.sha256.encode()))
        return True

    def on_torrent(self, wire, _head):
        """64 MiB, as fast as they are taken."""
        wire.send(HEAD + "Content-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64 * 16):
            wire.send(bytes(64 * KIB))
            self.progress += 64 * KIB
        return True

    def on_early(self, wire, _head):
        """Answers without having read the body, and leaves."""
        wire.send(HEAD + "Content-Length: 5\r\nConnection: close\r\n\r\nearly")
        wire.half_close()
        wire.read_to_end()

    def on_echo(self, wire, _head):
        """Sends each chunk back as it comes."""
        wire.send(HEAD + "Transfer-Encoding: chunked\r\n\r\n")
        while True:
            data = wire.read_exactly(int(wire.read_line(), 16) + 2)
            wire.send(b"%x\r\n" % (len(data) - 2) + data)
            if len(data) == 2:
                return True

    def on_part(self, wire, _head):
        wire.send(HEAD + "Content-Length: 1000\r\n\r\nsome of it")
        self.on_hold(wire, _head)

    def on_broken(self, wire, _head):
        wire.send(HEAD + "Content-Length: 1000\r\n\r\nsome of it")

    def on_broken_chunk(self, wire, _head):
        wire.send(HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n9\r\nwor")

    def on_hangup(self, wire, head):
        wire.read_body(head, until_end=False)

    def on_hangup_at_once(self, _wire, _head):
        pass

    def on_reset(self, wire, _head):
        wire.reset()


def scripted(**settings):
    origin = Scripted()
    return origin, H2Proxy(origin.port, **settings)


def lives_on(client, name="the connection goes on"):
    is_(client.request(path="/fine/more").text, "fine /fine/more", name)


# --- many, and in any order -----------------------------------------------------------------------------------------


def many():
    origin, proxy = scripted()
    client = proxy.client()
    streams = [client.start("POST" if number % 3 else "GET", "/gate/%d" % number, body=b"x" * number if number % 3 else None)
               for number in range(100)]
    origin.wait_requests(100)
    ok(True, "100 requests are at the origin at once")
    lives_on(client, "and one more is served while they wait")
    origin.go_on.set()
    got = [client.response(stream).text for stream in reversed(streams)]
    is_(got, ["fine /gate/%d" % number for number in reversed(range(100))], "each has its own answer")
    is_(proxy.stop(), 0, "exit code 0")


def one_after_the_other():
    origin, proxy = scripted()
    client = proxy.client()
    is_([client.request(path="/fine/%d" % number).status for number in range(50)], [200] * 50, "50 requests")
    is_(origin.connections, 1, "share a connection to the backend")
    is_({proxy.client().request(path="/fine/x").status for _ in range(20)}, {200}, "20 connections, a request each")


def bodies():
    origin, proxy = serve()
    origin.handler = answering(echo_body)
    pair = certificate("streams")
    tls = H2Proxy(origin.port, pair=pair)
    for what, client in (("plain", proxy.client()), ("TLS", tls.tls_client())):
        for size in (0, 1, 16384, 16385, 65535, 65536, MIB + 1, 8 * MIB):
            data = some_bytes(size)
            is_(echo(client, data, size % 2 == 0), sha256(data), "%s: %d bytes there and back" % (what, size))
    data = some_bytes(300 * KIB)
    client = proxy.client(settings={INITIAL_WINDOW: 1000})
    is_(echo(client, data[:20000]), sha256(data[:20000]), "a client with a window of 1,000 bytes")
    client = proxy.client(settings={INITIAL_WINDOW: MIB, MAX_FRAME: 1 << 20})
    is_(echo(client, data), sha256(data), "one with a larger window, and larger frames")


def echo(client, data, length=True):
    """The hash of what came back; both directions are taken at once, so no window is in the other's way."""
    fields = client.fields("POST", "/echo") + ([("content-length", str(len(data)))] if length else [])
    stream = client.send_headers(None, fields)
    client.send_data(stream, data, True)
    return client.response(stream, 60).sha256


def duplex():
    origin, proxy = scripted()
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/echo/now"))
    body = client.streams[stream].body
    for number in range(10):
        client.send_data(stream, b"piece %d;" % number)
        ok(client.wait(lambda: body.endswith(b"piece %d;" % number)), "piece %d comes back while the rest is not sent" % number)
    client.send_data(stream, b"", True)
    is_(len(client.response(stream).body), 80, "then the end")
    lives_on(client)


# --- back-pressure ------------------------------------------------------------------------------------------------------


def grown(proxy, before):
    return 0 if SLOW != 1 else proxy.resident_kib() - before


def upload_held_back():
    """A body that nobody takes is asked for as far as windows go, and no further."""
    origin, proxy = scripted(workers=1)
    origin.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
    client = proxy.client()
    lives_on(client)
    before = proxy.resident_kib()
    data = some_bytes(32 * MIB)
    stream = client.send_headers(None, client.fields("POST", "/deaf"))
    record, sent = client.streams[stream], 0
    while sent < len(data):
        room = lambda: min(record.send_window, client.send_window)  # noqa: E731
        if not client.wait(lambda: room() > 0, 1):
            break
        sent += client.send_data(stream, data[sent : sent + room()])
    note("%d KiB were taken" % (sent // KIB))
    ok(sent < 16 * MIB, "the client is held back")  # what was taken is in the kernel's buffers, mostly
    ok(grown(proxy, before) < 1536, "little is in memory (%d KiB)" % grown(proxy, before))
    is_([client.request("POST", "/fine/%d" % n, body=b"x" * 1000).status for n in range(20)], [200] * 20, "others go on")
    origin.go_on.set()
    client.send_data(stream, data[sent:], True)
    is_(client.response(stream, 60).text, sha256(data), "and all of it arrives, once it is taken")


def download_held_back():
    """An answer that a stream's window has no room for stays where it is; the connection's other streams do not."""
    origin, proxy = scripted(workers=1)
    client = proxy.client(settings={INITIAL_WINDOW: 10000}, credit=False)
    lives_on(client)
    before = proxy.resident_kib()
    stalled = [client.start(path="/torrent/%d" % number) for number in range(5)]
    sizes = lambda: [len(client.streams[stream].body) for stream in stalled]  # noqa: E731
    ok(client.wait(lambda: sizes() == [10000] * 5), "five streams fill their windows")
    lives_on(client, "another goes on")
    ok(client.ping() and sizes() == [10000] * 5, "and nothing comes beyond the windows")
    ok(grown(proxy, before) < 2560, "little is in memory (%d KiB)" % grown(proxy, before))
    wait_until(lambda: is_at_rest(origin), "the origin's writing to stop")
    ok(origin.progress < 5 * 16 * MIB, "the origin is held back (%d KiB)" % (origin.progress // KIB))
    client.grant(1, stalled[2])
    client.wait(lambda: sizes()[2] > 10000, 5)
    is_(sizes(), [10000, 10000, 10001, 10000, 10000], "a byte of credit is a byte")
    client.grant(BIGGEST_WINDOW - FIRST_WINDOW - MIB)
    client.grant(64 * MIB, stalled[4])
    is_(len(client.response(stalled[4], 60).body), 64 * MIB, "with credit all of it comes")
    for stream in stalled[:4]:
        client.cancel(stream)
    origin.wait(lambda self: len(self.open) <= 1, "the end of the others")
    ok(True, "the origin's connections of cancelled ones end")


def is_at_rest(origin, seen={}):
    before, seen["progress"] = seen.get("progress"), origin.progress
    return before == origin.progress


def window_of_the_connection():
    origin, proxy = scripted()
    client = proxy.client(settings={INITIAL_WINDOW: MIB}, credit=False)
    first = client.start(path="/torrent")
    ok(client.wait(lambda: client.window == 0), "a download takes the whole connection's window")
    second = client.start(path="/fine/x")
    ok(client.wait(lambda: client.streams[second].status), "another answer's head needs none")
    is_(bytes(client.streams[second].body), b"", "its body waits")
    client.cancel(first)
    client.grant(FIRST_WINDOW)
    is_(client.response(second).text, "fine /fine/x", "and comes with the next credit")


def window_by_settings():
    _origin, proxy = scripted()
    client = proxy.client(settings={INITIAL_WINDOW: 0}, credit=False)
    stream = client.start(path="/fine/x")
    ok(client.wait(lambda: client.streams[stream].status) and client.ping(), "a window of nothing lets the head through")
    is_(bytes(client.streams[stream].body), b"", "and no byte of the body")
    client.streams[stream].window += 7
    client.send_frame(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW: 7}))
    client.wait(lambda: len(client.streams[stream].body) >= 7)
    ok(client.ping(), "SETTINGS give credit")
    is_(bytes(client.streams[stream].body), b"fine /f", "just as much")
    client.streams[stream].window -= 7
    client.send_frame(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW: 0}))  # now it is at -7
    client.streams[stream].window += 12
    client.send_frame(WINDOW_UPDATE, 0, stream, number(7))
    ok(client.ping() and len(client.streams[stream].body) == 7, "they take it back, below nothing")
    client.send_frame(WINDOW_UPDATE, 0, stream, number(5))
    is_(client.response(stream).text, "fine /fine/x", "until there is some again")


# --- ends that come early -------------------------------------------------------------------------------------------------


def early_answers():
    origin, proxy = scripted()
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/early", [("content-length", "1000")]))
    client.send_data(stream, b"some of it")
    is_(client.response(stream).text, "early", "an answer comes ahead of the rest of the body")
    client.ping()
    ok(client.streams[stream].error in (None, "NO_ERROR", "CANCEL"), "who asks to stop says so: %s" % client.streams[stream].error)
    lives_on(client)
    stream = client.start("POST", "/early", body=bytes(8 * MIB))
    is_(client.response(stream).text, "early", "a large upload that nobody reads")
    lives_on(client)
    for _ in range(12):
        client.response(client.start("POST", "/early", body=bytes(MIB)))
        client.response(client.start("POST", "/hangup_at_once", body=bytes(MIB)))
    stream = client.start("POST", "/fine/x", body=bytes(3 * MIB))
    is_(client.response(stream).text, "fine /fine/x", "a dozen more of both kinds, and the connection still has its window")


def cancelled_by_the_client():
    origin, proxy = scripted()
    client = proxy.client()
    lives_on(client)
    for name, method, path, part in (
        ("before an answer", "GET", "/hold/1", None),
        ("within the body", "POST", "/hold/2", b"some of it"),
        ("within the answer", "GET", "/part/3", None),
        ("within a large answer", "GET", "/torrent/4", None),
    ):
        stream = client.send_headers(None, client.fields(method, path), part is None)
        if part:
            client.send_data(stream, part)
        origin.wait(lambda self: any(request.target == path for request in self.requests), path)
        if path[1] in "pt":
            client.wait(lambda: client.streams[stream].body)
        client.cancel(stream)
        origin.wait(lambda self: len(self.open) <= 1, "its connection to end")
        ok(True, "%s: the origin's connection ends" % name)
        lives_on(client)
    streams = [client.start(path="/hold/%d" % number) for number in range(10)]
    origin.wait(lambda self: len(self.open) >= 10, "ten connections")
    ok(streams and client.ping(), "ten more")
    client.reset()
    origin.wait(lambda self: len(self.open) <= 1, "the end of them")
    ok(True, "go with the connection")
    is_(proxy.client().request(path="/fine/x").status, 200, "the proxy lives on")
    is_(proxy.stop(), 0, "exit code 0")


def broken_by_the_origin():
    origin, proxy = scripted()
    client = proxy.client()
    hold = client.send_headers(None, client.fields("POST", "/echo/beside"))
    for path in ("/broken", "/broken_chunk"):
        got = client.outcome(client.start(path=path))
        ok(got.startswith("RST_STREAM") and got != "RST_STREAM NO_ERROR", "%s: an answer that breaks off: %s" % (path, got))
        lives_on(client)
    for path in ("/hangup", "/reset"):
        is_(client.request("POST", path, body=b"abc").status, 502, "%s: without an answer: 502" % path)
        lives_on(client)
    client.send_data(hold, b"still here", True)
    is_(client.response(hold).text, "still here", "a stream beside them has not noticed")


def failures():
    port = free_port()
    proxy = H2Proxy(port)
    client = proxy.client()
    for turn in range(3):
        response = client.request(path="/x")
        check_failure(response, 502, "connect_refused", proxy, r"GET /x → 127\.0\.0\.1:%d" % port)
        like(response.get("x-trace-id"), r"^[0-9a-f]{32}$", "with its trace")
    response = client.request("HEAD", "/x")
    is_((response.status, response.body), (502, b""), "HEAD: the same without a body")
    response = client.request("POST", "/x", body=bytes(200000))
    is_(response.status, 502, "for a large upload, too")
    client.ping()
    is_(client.goaways, [], "the connection goes on")
    routes = [{"name": "a", "match": {"path": {"prefix": "/a"}}, "backend": {"host": "127.0.0.1", "port": port}}]
    response = H2Proxy(None, routes=routes).client().request(path="/else")
    check_failure(response, 404, "no_route")


# --- kinds of answers ----------------------------------------------------------------------------------------------------------


def without_a_body():
    answers = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200, "1000"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n", 304, None),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "0"),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, None),
    ]
    _origin, proxy = serve(*[text.encode() for _method, text, _status, _length in answers])
    client = proxy.client()
    for method, text, status, length in answers:
        response = client.request(method, "/x")
        is_((response.status, response.body), (status, b""), "%s, %r" % (method, text.split("\r\n")[:2]))
        if length:
            is_(response.get("content-length"), length, "with its length")
        elif status == 204:
            is_(response.get("content-length"), None, "without a length")
    lives_on(client)


def interim():
    def handler(wire):
        while True:
            request = wire.read_request_head()
            if request is None:
                return
            if request.target == "/hints":
                wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n" * 2)
            if request.get("expect") and request.target == "/continue":
                wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            if request.target == "/never":
                wire.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
                return
            wire.read_body(request, until_end=False)
            wire.origin.saw(request)
            wire.send(http_message("HTTP/1.1 200 OK", [], request.body))

    origin = Origin(handler)
    client = H2Proxy(origin.port).client()
    response = client.request(path="/hints")
    got = [(one.status, one.all("link")) for one in response.interim]
    is_((response.status, got), (200, [(103, ["</a.css>"])] * 2), "103 is passed on, twice")
    stream = client.send_headers(None, client.fields("POST", "/continue", [("expect", "100-continue"), ("content-length", "5")]))
    record = client.streams[stream]
    ok(client.wait(lambda: record.interim), "100 comes before the body is sent")
    is_((record.interim[0].status, record.interim[0].headers, record.status), (100, [], None), "and is nothing else")
    client.send_data(stream, b"hello", True)
    is_(client.response(stream).text, "hello", "then the body, and the answer")
    stream = client.send_headers(None, client.fields("POST", "/never", [("expect", "100-continue"), ("content-length", "5")]))
    is_(client.response(stream).status, 417, "or the answer at once")
    client.cancel(stream)
    is_(client.request(path="/more").status, 200, "the connection goes on")


def trailers_of_answers():
    tail = "X-Sum: 5\r\nX-Forwarded-For: 10.0.0.1\r\nContent-Length: 7\r\nConnection: x\r\nX-Late: yes\r\n\r\n"
    chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n" + tail
    empty = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 0\r\n\r\n"
    _origin, proxy = serve(chunks.encode(), empty.encode(), chunks.encode())
    client = proxy.client()
    response = client.request(headers=[("te", "trailers")])
    got = [field for field in response.trailers if field[0] in ("x-sum", "x-late")]
    is_((response.body, got), (b"hello", [("x-sum", "5"), ("x-late", "yes")]), "trailers come as such")
    is_([name for name, _value in response.trailers if name in ("connection", "content-length")], [], "without what is not theirs")
    is_(client.request(headers=[("te", "trailers")]).trailers, [("x-sum", "0")], "behind an empty body")
    response = client.request()
    # RFC 9110, 6.5.1: they may be dropped for a client that has not asked for them
    ok(response.body == b"hello" and response.get("x-sum") is None, "not asked for: the body, and no field of them")
    lives_on(client)


# --- fields -------------------------------------------------------------------------------------------------------------------


def fields_at_the_origin():
    origin, proxy = serve(pair=certificate("fields"))
    sent = [
        ("cookie", "a=1"), ("cookie", "b=2"), ("x-two", "1"), ("cookie", "c=3"), ("x-two", "2"), ("accept", "*/*"),
        ("x-forwarded-proto", "gopher"), ("x-forwarded-host", "evil.test"), ("x-forwarded-for", "10.9.8.7"),
    ]
    for what, client, scheme in (("plain", proxy.client(), "http"), ("TLS", proxy.tls_client(), "https")):
        client.request(path="/x", headers=sent)
        seen = origin.requests[-1]
        is_(seen.all("cookie"), ["a=1; b=2; c=3"], what + ": cookies are one field again")
        is_(seen.all("x-two"), ["1", "2"], "other fields stay as they are")
        is_((seen.all("host"), seen.version), (["gomesh.test"], "1.1"), "one Host")
        names = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-by")
        is_([seen.all(name) for name in names], [["127.0.0.1"], [scheme], ["gomesh.test"], ["GoMesh-Proxy"]], "X-Forwarded-*")
        is_([name for name, _value in seen.headers if name.startswith(":")], [], "no pseudo-fields")
    once(proxy.port, target="/x", headers=[("Cookie", "a=1; b=2; c=3"), ("X-Two", "1"), ("X-Two", "2"), ("Accept", "*/*")])
    old = origin.requests[-1]
    names = lambda request: sorted(name.lower() for name, _value in request.headers)  # noqa: E731
    is_(names(seen), names(old), "the same fields as by HTTP/1.1")


def fields_of_answers():
    head = (
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-MiXed: One\r\nSet-Cookie: b=2\r\nConnection: X-Secret, keep-alive\r\n"
        "X-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTransfer-Encoding: chunked\r\nX-Empty:\r\n"
        "Upgrade: h2c\r\nX-High: caf\xe9\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    _origin, proxy = serve(head.encode("latin-1"))
    response = proxy.client().request()  # which refuses upper case and what belongs to a connection
    is_(response.all("set-cookie"), ["a=1", "b=2"], "fields of one name stay apart, in order")
    is_([response.get(name) for name in ("x-mixed", "x-secret", "x-empty", "x-high")], ["One", None, "", "caf\xe9"], "others")
    is_(response.text, "ok", "the body")


# --- the record -------------------------------------------------------------------------------------------------------------------


def records():
    origin = Scripted()
    proxy = H2Proxy(origin.port, pair=certificate("record"), log={"level": "debug", "format": "json"})
    client = proxy.tls_client()
    client.request("POST", "/fine/7?x=1", body=b"abc")
    stream = client.start(path="/hold")
    origin.wait_requests(2)
    client.cancel(stream)
    wait_until(lambda: proxy.count('"request completed"') >= 2, "two lines")
    first, second = [json.loads(line) for line in proxy.out if '"request completed"' in line]
    wanted = {"method": "POST", "host": "gomesh.test", "path": "/fine/7?x=1", "status": 200, "remote_addr": "127.0.0.1",
              "bytes_in": 3, "bytes_out": 16, "failure": None, "endpoint": "127.0.0.1:%d" % origin.port}
    is_({name: first.get(name) for name in wanted}, wanted, "a request's facts")
    like(first["protocol"], r"^HTTP/2(\.0)?$", "by HTTP/2")
    like(first["tls"], r"^TLSv1\.[23]$", "over TLS")
    ok(abs(sum(first["phases"].values()) - first["latency_ms"]) <= 0.001, "phases add up (%s)" % first["phases"])
    is_(second["path"], "/hold", "one that the client cancelled has a line, too")
    is_(origin.requests[0].get("x-trace-id") or first["trace_id"], first["trace_id"], "and a trace")


# --- time ---------------------------------------------------------------------------------------------------------------------------


def idle():
    _origin, proxy = scripted(timeout={"idle_timeout": duration(500), "read_timeout": duration(60000)})
    used = proxy.client()
    # for its first request a connection has read_timeout, as in HTTP/1.1
    unused = H2Proxy(1, timeout={"idle_timeout": duration(500), "read_timeout": duration(500)}).client()
    unused.wait(lambda: unused.settings_seen)
    lives_on(used)
    start = now()
    for name, client in (("used", used), ("unused", unused)):
        is_(client.wait_goaway(), "NO_ERROR", "%s: GOAWAY after idle_timeout" % name)
        ok(client.closed(), "%s: and the end" % name)
    ok(elapsed_since(start) >= 300, "not before (%d ms)" % elapsed_since(start))
    is_(proxy.count(r"\[(WARN|ERROR)\]"), 0, "without a line in the log")
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/echo/slow"))
    for piece in trickle([b"x"] * 5, 250):
        client.send_data(stream, piece)
    client.send_data(stream, b"", True)
    is_(client.response(stream).text, "xxxxx", "a connection with a stream is not idle")


def read_timeout():
    """A silent origin, and a body that does not come, have their stream ended; others go on."""
    origin, proxy = scripted(timeout={"read_timeout": duration(500)})
    client = proxy.client()
    start = now()
    stream = client.start(path="/hold")
    check_failure(client.response(stream), 504, "response_timeout", proxy, r"GET /hold → 127\.0\.0\.1:%d" % origin.port)
    ok(elapsed_since(start) >= 450, "after read_timeout (%d ms)" % elapsed_since(start))
    lives_on(client)
    start = now()
    stream = client.send_headers(None, client.fields("POST", "/hold", [("content-length", "1000")]))
    client.send_data(stream, b"some of it")
    got = client.outcome(stream)
    # of a body: the answer of HTTP/1, or the stream's end
    ok(got in ("answer 408", "answer 504") or got.startswith("RST_STREAM"), "a body that does not come: " + got)
    ok(elapsed_since(start) >= 450, "after read_timeout (%d ms)" % elapsed_since(start))
    lives_on(client)
    stream = client.start(path="/part")
    got = client.outcome(stream)
    ok(got.startswith("RST_STREAM") and got != "RST_STREAM NO_ERROR", "an answer that stops: " + got)
    lives_on(client)


def last_requests():
    _origin, proxy = scripted(limits={"max_requests_per_connection": 3})
    client = proxy.client()
    is_([client.request(path="/fine/%d" % number).status for number in range(3)], [200] * 3, "three requests")
    is_(client.wait_goaway(), "NO_ERROR", "max_requests_per_connection: GOAWAY")
    ok(client.closed(), "and the end")


# --- the drain ------------------------------------------------------------------------------------------------------------------------


def drain(number_of_signal):
    origin, proxy = scripted(timeout={"shutdown_timeout": "30s"})
    idle_one, client = proxy.client(), proxy.client()
    lives_on(idle_one)
    streams = [client.start(path="/gate/%d" % number) for number in range(3)]
    upload = client.send_headers(None, client.fields("POST", "/echo/last"))
    client.send_data(upload, b"first ")
    origin.wait_requests(5)
    proxy.send(number_of_signal)
    is_(client.wait_goaway(), "NO_ERROR", "GOAWAY")
    is_(client.goaways[0][0], BIGGEST_WINDOW, "the first names no last stream, so nothing under way is lost")
    late = client.start(path="/gate/late")  # was under way, for all that the proxy knows
    ok(idle_one.closed(), "an idle connection ends")
    is_(idle_one.wait_goaway(), "NO_ERROR", "with GOAWAY, too")
    client.send_data(upload, b"last", True)
    is_(client.response(upload).text, "first last", "an upload under way is finished")
    ok(client.wait(lambda: len(client.goaways) > 1, 10), "the second GOAWAY")
    ok(upload <= client.goaways[-1][0] < BIGGEST_WINDOW, "names the last stream (%d)" % client.goaways[-1][0])
    ok(proxy.alive(), "the proxy waits for the others")
    origin.go_on.set()
    is_([client.response(stream).text for stream in streams], ["fine /gate/%d" % number for number in range(3)], "they finish")
    got = client.outcome(late)
    served = late <= client.goaways[-1][0]
    ok(got == "answer 200" if served else got in ("RST_STREAM REFUSED_STREAM", "closed"), "a late one: " + got)
    ok(client.closed(), "then the connection ends")
    is_(proxy.wait(), 0, "exit code 0")


def drain_ends():
    origin, proxy = scripted(timeout={"shutdown_timeout": duration(500)})
    client = proxy.client()
    client.start(path="/hold")
    origin.wait_requests(1)
    start = now()
    is_(proxy.stop(), 0, "exit code 0, though a stream has no end")
    ok(elapsed_since(start) >= 450, "after shutdown_timeout (%d ms)" % elapsed_since(start))
    ok(client.closed(), "the connection is closed")


for what in (many, one_after_the_other, bodies, duplex, upload_held_back, download_held_back, window_of_the_connection,
             window_by_settings, early_answers, cancelled_by_the_client, broken_by_the_origin, failures, without_a_body,
             interim, trailers_of_answers, fields_at_the_origin, fields_of_answers, records, idle, read_timeout, last_requests):
    subtest(what.__name__.replace("_", " "), what)
subtest("drain: SIGTERM", drain, signal.SIGTERM)
subtest("drain: SIGINT", drain, signal.SIGINT)
subtest("drain: it takes too long", drain_ends)
done()
