#!/usr/bin/env python3
"""Origins that break the rules of HTTP: what of it the client sees, and that the proxy outlives all of it."""
import os
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("the library's client does not survive this")

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
STOLEN = OK + b"Content-Length: 6\r\n\r\nSTOLEN"


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


class Scripted(Origin):
    """Answers "/N" with the bytes of row N, and keeps the connection open; anything else with "fine"."""

    def __init__(self, rows, after=None):
        self.rows = rows

        def handler(wire):
            while True:
                request = wire.read_request()
                if request is None:
                    return
                wire.origin.saw(request)
                if not request.target[1:].isdigit():
                    wire.send(fine(request))
                    continue
                try:
                    wire.send(rows[int(request.target[1:])])
                except ConnectionError:
                    return  # it heard enough
                if after is not None:
                    after(wire)
                    return

        super().__init__(handler)


def lives_on(proxy, pid):
    ok(proxy.alive() and proxy.pid == pid, "the same process is alive")
    is_(once(proxy.port, target="/alive").text, "fine /alive", "and serves")


def fields(count, size=1):
    return b"".join(b"X-%d: %s\r\n" % (number, b"v" * size) for number in range(count))


LENGTH = b"Content-Length: 5\r\n"
MALFORMED = [
    (b"HTTP/1.1 %s OK\r\n" + LENGTH + b"\r\nhello") % status
    for status in (
        b"000", b"099", b"600", b"999", b"20", b"2000", b"2x0", b"-20", b" 200", b"+20", b"\t200", b"0200"
    )
] + [
    version + b" 200 OK\r\n" + LENGTH + b"\r\nhello"
    for version in (
        b"HTTP/2.0", b"HTTP/1.x", b"HTTP/11", b"HTTP/1.10", b"http/1.1", b"HTTP/ 1.1", b"ICY", b"",
        b" HTTP/1.1", b"\0"
    )
] + [
    b"HTTP/1.1200 OK\r\n\r\n",
    b"HTTP/1.1\t200 OK\r\n\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n" + LENGTH + b"\r\nhello",
    b"HTTP/1.1 200 O\0K\r\n" + LENGTH + b"\r\nhello",
    b"HTTP/1.1 200 O\rK\r\n" + LENGTH + b"\r\nhello",
    b"HTTP/1.1 200 O\x1b[31mK\r\n" + LENGTH + b"\r\nhello",
    b"HTTP/1.1 200 OK\n" + LENGTH + b"\r\nhello",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    OK + b"A: b\n" + LENGTH + b"\r\nhello",
    OK + b"A: b\r" + LENGTH + b"\r\nhello",
    OK + LENGTH + b"\nhello",
    OK + b"A: b\r\n c\r\n" + LENGTH + b"\r\nhello",
    OK + b"A: b\r\n\tc\r\n" + LENGTH + b"\r\nhello",
    OK + b" A: b\r\n" + LENGTH + b"\r\nhello",
    OK + b": x\r\n" + LENGTH + b"\r\nhello",
    OK + b"no colon\r\n" + LENGTH + b"\r\nhello",
    OK + b"A : b\r\n" + LENGTH + b"\r\nhello",
    OK + b"A\t: b\r\n" + LENGTH + b"\r\nhello",
    OK + b"A B: b\r\n" + LENGTH + b"\r\nhello",
    OK + b"A\0: b\r\n" + LENGTH + b"\r\nhello",
    OK + b"A\xe4: b\r\n" + LENGTH + b"\r\nhello",
    OK + b"A: \0\r\n" + LENGTH + b"\r\nhello",
    OK + b"A: \x7f\r\n" + LENGTH + b"\r\nhello",
    OK + b"A: \x01\r\n" + LENGTH + b"\r\nhello",
] + [
    OK + b"Content-Length: " + length + b"\r\n\r\nhello"
    for length in (
        b"-5", b"+5", b"5x", b"0x5", b"", b"5 5", b"5, 6", b"5,", b"1e1", b"99999999999999999999",
        b"5\r\nContent-Length: 6", b"6\r\nContent-Length: 5", b"5\r\nX: 1\r\ncontent-length: 50",
        b"18446744073709551621", b"9223372036854775808"
    )
] + [
    OK + framing + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for framing in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 15",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: ",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\r\n chunked",
    )
] + [
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"X: " + b"v" * 70000 + b"\r\n" + LENGTH + b"\r\nhello",
    OK + fields(90, 800) + LENGTH + b"\r\nhello",
    OK + fields(100) + LENGTH + b"\r\nhello",
    OK + fields(3000) + LENGTH + b"\r\nhello",
    OK + b"X: " + b"v" * 300000,
    OK + b"v" * 300000,
    b"HTTP/1.1 200 " + b"v" * 300000,
    b"H" * 300000,
    OK + fields(100000, 20),
    b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17 + OK + LENGTH + b"\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 102 Processing\r\nX: " + b"v" * 70000 + b"\r\n\r\n" + OK + LENGTH + b"\r\nhello",
    b"HTTP/1.1 103 Early Hints\r\nA: b\r\n c\r\n\r\n" + OK + LENGTH + b"\r\nhello",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK + LENGTH + b"\r\nhello",
    b"nonsense\r\n\r\n",
    b"\0\0\0",
    b"\r\n\r\n\r\n\r\n",
    b"<html>hello</html>\n",
    bytes(range(256)) * 16,
    b"\x15\x03\x03\x00\x02\x02\x46",
]


def malformed():
    origin = Scripted(MALFORMED)
    proxy = Proxy(origin.port)
    pid = proxy.pid
    client = Client(proxy.port, seconds=10)
    for number, row in enumerate(MALFORMED):
        try:
            answer = client.request(target="/%d" % number)
            got = (answer.status, answer.text.split(":")[0])
            is_(got, (502, "response_malformed"), "502 for %r" % row[:70])
        except (ProtocolError, OSError) as problem:
            ok(False, "502 for %r (%r)" % (row[:70], problem))
            client = Client(proxy.port, seconds=10)
    is_(client.request(target="/next").text, "fine /next", "the client's connection goes on")
    client.close()
    origin.wait(lambda self: len(self.open) <= 1, "the end of all those connections")
    ok(True, "none of those connections is kept")
    two = "GET /%d HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    for number in range(0, len(MALFORMED), 7):
        client = Client(proxy.port)
        client.send(two % number)
        is_([client.read_response().status for _ in range(2)], [502, 200], "in a pipeline, %d" % number)
    lives_on(proxy, pid)


PASSING = (
    (b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.1 200 \r\n" + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.1 599 Gr\xfc\xdfe, \t ja\r\n" + LENGTH + b"\r\nhello", 599),
    (b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.2 200 OK\r\n" + LENGTH + b"\r\nhello", 200),
    (OK + b"content-LENGTH:\t 00005 \t\r\n\r\nhello", 200),
    (OK + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0;z\r\nX: 1\r\n\r\n", 200),
    (OK + fields(98) + LENGTH + b"\r\nhello", 200),
    (OK + fields(60, 1000) + LENGTH + b"\r\nhello", 200),
    (OK + b"X: " + b"v" * 60000 + b"\r\n" + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 16 + OK + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.1 100 Continue\r\nContent-Length: 99\r\n\r\n" + OK + LENGTH + b"\r\nhello", 200),
    (b"HTTP/1.1 102 Wait\r\nTransfer-Encoding: chunked\r\n\r\n" + OK + LENGTH + b"\r\nhello", 200),
    (OK + b"X:\r\nY: \xff\t\xfe\r\n" + LENGTH + b"\r\nhello", 200),
)
EITHER = (
    OK + LENGTH + LENGTH + b"\r\nhello",
    OK + b"Content-Length: 5, 5\r\n\r\nhello",
    OK + LENGTH + b"Content-Length: 05\r\n\r\nhello",
)


def passing():
    """What is legal, though seldom seen, passes; and what may be refused comes framed once."""
    proxy = Proxy(Scripted([row for row, _status in PASSING] + list(EITHER)).port)
    pid = proxy.pid
    client = Client(proxy.port, seconds=10)
    for number, (row, status) in enumerate(PASSING):
        answer = client.request(target="/%d" % number)
        is_((answer.status, answer.body), (status, b"hello"), "%r passes" % row[:60])
    for number, row in enumerate(EITHER):
        answer = client.request(target="/%d" % (len(PASSING) + number))  # two lengths would be an error here
        ok(answer.status == 502 or answer.body == b"hello", "%r is refused, or has one length" % row[16:60])
    lives_on(proxy, pid)


def byte_by_byte():
    """An answer in single bytes is the same answer; one that stops at any of them is none."""
    hint = b"HTTP/1.1 103 Hint\r\nLink: <a>\r\n\r\n"
    whole = hint + CHUNKED[:-2] + b"X: y\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n"

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        for byte in whole[: int(request.target[1:])]:
            wire.send(bytes([byte]))

    proxy = Proxy(Origin(handler).port)
    pid = proxy.pid
    head_end = whole.index(b"X: y\r\n\r\n") + 8
    wrong = []
    for size in range(len(whole)):
        try:
            answer = once(proxy.port, target="/%d" % size)
            if answer.status != 502:
                wrong.append((size, answer.status, answer.body))
        except (ProtocolError, ConnectionError):
            if size < head_end:
                wrong.append((size, "no answer"))
    is_(wrong, [], "cut at every byte: 502, or cut for the client too")
    answer = once(proxy.port, target="/%d" % len(whole))
    is_((answer.status, answer.get("x"), answer.body), (200, "y", b"abcde"), "the whole of it passes")
    ok(proxy.alive() and proxy.pid == pid, "the same process is alive")


def bytes_behind():
    """Bytes that follow an answer belong to nobody: the next request, sent already, must not get them."""

    def handler(wire):
        served = 0
        while True:
            request = wire.read_request()
            if request is None:
                return
            served += 1
            kind, size = request.target[1:].split("-")
            if kind == "next":
                wire.send(fine(request))
                continue
            size = int(size)
            try:
                wire.send(answers[kind](size) + STOLEN * (1 + (served == 1)))
            finally:  # it may have hung up already
                sent.append(size)

    sent = []
    answers = {
        "length": lambda size: OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size,
        "chunked": lambda size: CHUNKED + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n",
        "204": lambda size: b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size,
        "304": lambda size: b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size,
        "head": lambda size: OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size,
        "204chunked": lambda size: CHUNKED.replace(b"200", b"204") + b"5\r\nhello\r\n0\r\n\r\n",
    }
    proxy = Proxy(Origin(handler).port)
    pid = proxy.pid
    for kind in answers:
        method = "HEAD" if kind == "head" else "GET"
        sizes = []
        if kind in ("length", "chunked", "head"):  # a read that ends where the answer does
            sizes = list(range(4000, 4100)) + list(range(8100, 8200)) + list(range(16290, 16390))
        sizes += [1, 5, 1000, 8192 - 40, 16384, 20000, 32768, 60000, 65536, 131072, 262144, MIB]
        client, stolen, wrong = Client(proxy.port), [], []
        for size in sizes:
            first = "%s /%s-%d HTTP/1.1\r\nHost: a\r\n\r\n" % (method, kind, size)
            second = "GET /next-%d HTTP/1.1\r\nHost: a\r\n\r\n" % size
            try:
                if size <= 60000:  # all of it in one segment
                    client.send(first + second)
                    first = client.read_response(method)
                else:
                    before = sent.count(size)
                    client.send(first)
                    first = client.read_response(method)
                    wait_until(lambda: sent.count(size) > before, "the origin to have sent all")
                    client.send(second)
                second = client.read_response()
                if first.status >= 400:
                    wrong.append((size, first.status))
                if second.text != "fine /next-%d" % size:
                    stolen.append((size, second.status, second.text[:20]))
            except (ProtocolError, OSError) as problem:
                wrong.append((size, repr(problem)))
                client = Client(proxy.port)
        is_(wrong, [], "%s with bytes behind it: the answer arrives" % kind)
        is_(stolen, [], "%s with bytes behind it: the next request does not see them" % kind)
    ok(proxy.alive() and proxy.pid == pid, "the same process is alive")


def bytes_behind_later():
    """The same, but they come when the connection is idle: the proxy hangs up."""

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        wire.send(fine(request))
        gate.wait_requests(len(origin.requests))
        wire.send(STOLEN)
        wire.ends()

    gate = Origin(answering(fine))
    origin = Origin(handler)
    proxy = Proxy(origin.port)
    client = Client(proxy.port)
    for number in range(3):
        is_(client.request(target="/%d" % number).text, "fine /%d" % number, "an answer")
        is_(once(gate.port).status, 200, "bytes that nobody asked for")
        origin.wait(lambda self: not self.open, "the proxy to hang up")
        ok(True, "end the connection")


class TlsProxy(Proxy):
    def __init__(self, backend, pair, **settings):
        self.tls_port = free_port()
        tls = {"listen_port": self.tls_port, "cert_file": pair[0], "key_file": pair[1]}
        super().__init__(backend, tls=tls, **settings)


def open_client(proxy, context, **options):
    """A client that notices if TLS ends without its close_notify; context None: without TLS."""
    client = Client(proxy.tls_port if context else proxy.port, tls=context, **options)
    if context:
        client.sock.suppress_ragged_eofs = False
    return client


TRUNCATED = {
    "length": OK + b"Content-Length: 100000\r\n\r\n",
    "length-kept": OK + b"Content-Length: 100000\r\n\r\n",
    "chunk": CHUNKED + b"100000\r\n",
    "chunks": CHUNKED,
    "last-chunk": CHUNKED,
    "until-close": OK + b"Connection: close\r\n\r\n",
    "until-close-old": b"HTTP/1.0 200 OK\r\n\r\n",
    "bad-chunk": CHUNKED,
    "bad-chunk-end": CHUNKED,
    "huge-chunk": CHUNKED,
    "bad-trailer": CHUNKED,
    "endless-trailer": CHUNKED,
}


def break_off(wire):
    request = wire.read_request()
    if request is None:
        return
    kind, size = request.target[1:].rsplit("-", 1)
    data = b"x" * int(size)
    chunk = b"%x\r\n" % len(data) + data + b"\r\n" if data else b""
    wire.send(TRUNCATED[kind])
    wire.send(chunk if TRUNCATED[kind] is CHUNKED else data)
    if size.endswith("7"):
        wire.origin.saw(request)
        gate.wait_requests(len(wire.origin.requests))  # the client has a part of it
    tail = {
        "last-chunk": b"0\r\n",
        "bad-chunk": b"5g\r\nhello\r\n0\r\n\r\n",
        "bad-chunk-end": b"5\r\nhelloX\r\n0\r\n\r\n",
        "huge-chunk": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "bad-trailer": b"0\r\nX : 1\r\n",
        "endless-trailer": b"0\r\n" + b"X: " + b"v" * 300000,
    }.get(kind)
    if tail:
        wire.send(tail)
    if kind.startswith("until-close"):
        wire.reset()
    elif kind in ("length-kept", "bad-chunk", "bad-chunk-end", "huge-chunk", "endless-trailer"):
        if kind == "length-kept":
            wire.half_close()
        wire.ends()


gate = None


def truncated(pair):
    """However an answer is framed and to whomever it goes: half of it does not look like all of it."""
    global gate
    gate = Origin(answering(fine))
    context = ssl.create_default_context(cafile=pair[0])
    origin = Origin(break_off)
    proxy = TlsProxy(origin.port, pair)
    pid = proxy.pid
    for name, tls in (("plain", None), ("TLS", context)):
        for version in ("1.1", "1.0"):
            for kind in TRUNCATED:
                for size in (0, 100, 1007, 60000):
                    what = "%s, HTTP/%s, %s after %d bytes" % (name, version, kind, size)
                    client = open_client(proxy, tls)
                    client.send_request("GET", "/%s-%d" % (kind, size), version=version)
                    try:
                        if size == 1007:
                            while client.buffer.count(b"x") < 1000 and client.fill():
                                pass
                            once(gate.port)
                        answer = client.read_response()
                        if answer.status != 502:
                            ok(False, what + " looks whole: %d bytes" % len(answer.body))
                    except (ProtocolError, ConnectionError, ssl.SSLError):
                        pass
                    client.close()
            ok(True, "%s, HTTP/%s: %d framings looked at" % (name, version, len(TRUNCATED)))
    ok(proxy.alive() and proxy.pid == pid, "the same process is alive")


def early_answer(pair):
    """413 in the middle of an upload reaches the client, whatever the origin does then."""

    def handler(wire):
        request = wire.read_request_head()
        if request is None:
            return
        wire.read_exactly(70000)
        body = b"enough of " + request.target.encode()
        wire.send(http_message("HTTP/1.1 413 Too Big", [("Connection", "close")], body))
        if request.target == "/drain":
            wire.half_close()
            wire.read_to_end()
        elif request.target == "/wait":
            wire.half_close()
            over.wait(deadline(60))
        elif request.target == "/reset":
            wire.reset()

    origin = Origin(handler)
    over = threading.Event()
    closing(over.set)
    proxy = TlsProxy(origin.port, pair)
    pid = proxy.pid
    upload = write_file("upload", b"u" * (8 * MIB))
    for target in ("/drain", "/wait", "/close", "/reset"):
        for scheme, port in (("http", proxy.port), ("https", proxy.tls_port)):
            for framing in ("Expect:", "Transfer-Encoding: chunked"):
                result = curl(
                    "--cacert", pair[0], "-H", framing, "-H", "Expect:", "-T", upload, "-w", "|%{http_code}",
                    "%s://localhost:%d%s" % (scheme, port, target),
                )
                is_(
                    result.stdout,
                    b"enough of %s|413" % target.encode(),
                    "%s upload (%s): 413 arrives, origin does %s" % (scheme, framing, target),
                )
        client = Client(proxy.port)
        try:
            client.send_request("PUT", target, body=b"u" * (4 * MIB))
        except ConnectionError:
            pass
        try:
            is_(client.read_response().status, 413, "who sends it all before it reads, %s" % target)
        except (ProtocolError, ConnectionError) as problem:
            ok(False, "who sends it all before it reads, %s (%r)" % (target, problem))
    ok(proxy.alive() and proxy.pid == pid, "the same process is alive")


def dropped_fields():
    answer = (
        OK + b"Connection: X-One, x-two,,\tContent-Length, Date\r\nX-One: 1\r\nX-TWO: 2\r\n"
        b"Connection: X-Three\r\nX-Three: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n"
        b"TE: trailers\r\nTrailer: X\r\nX-Kept: 4\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n" + LENGTH + b"\r\nhello"
    )
    proxy = Proxy(Scripted([answer]).port)
    client = Client(proxy.port)
    client.send("GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
    got = client.read_response()
    names = [name.lower() for name, _value in got.headers]
    for name in ("X-One", "X-Two", "X-Three", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE", "Trailer"):
        ok(name.lower() not in names, name + " does not pass")
    unlike(got.get("connection") or "", r"(?i)x-|length", "nor what Connection said")
    rest = (got.get("x-kept"), got.all("set-cookie"), got.body)
    is_(rest, ("4", ["a=1", "b=2"], b"hello"), "the rest passes")
    is_(got.all("content-length"), ["5"], "framed once")


def dying_keep_alive():
    """An origin that ends every idle connection at the very moment of its reuse, in three ways."""

    def handler(wire):
        served = 0
        while True:
            if not wire.buffer and not wire.fill():
                return
            if served and mode == "before":
                return
            if served and mode == "reset":
                return wire.reset()
            request = wire.read_request()
            if request.method == "POST":
                with origin.changed:
                    executed[request.target] = executed.get(request.target, 0) + 1
            if served and mode == "after":
                return
            wire.send(fine(request))
            served += 1
            if mode == "at-once":
                return

    for mode in ("before", "reset", "after", "at-once"):
        executed = {}
        origin = Origin(handler)
        proxy = Proxy(origin.port)
        client = Client(proxy.port)
        wrong = []
        for number in range(200):
            method = ("GET", "HEAD", "GET", "DELETE", "GET", "PUT")[number % 6]
            target = "/%s-%d" % (mode, number)
            body = b"body" if method == "PUT" else None
            answer = client.request(method, target, body=body)
            if answer.status != 200 or (method != "HEAD" and answer.text != "fine " + target):
                wrong.append((method, number, answer.status))
        is_(wrong, [], "%s: no GET, HEAD, DELETE or small PUT sees it" % mode)
        statuses = [client.request("POST", "/%d" % number, body=b"once").status for number in range(100)]
        got = set(statuses)
        ok(got <= {200, 502}, "%s: POST is answered, or refused by the proxy (%s)" % (mode, got))
        ok(all(count == 1 for count in executed.values()), "%s: no POST is executed twice" % mode)
        answered = {"/%d" % number for number, status in enumerate(statuses) if status == 200}
        is_(answered - set(executed), set(), "%s: what was answered was executed" % mode)
    many = [Client(proxy.port) for _ in range(20)]
    mode = "before"
    for client in many:
        client.send_request(target="/many")
    statuses = [client.read_response().status for client in many]
    is_(statuses, [200] * 20, "20 connections to the origin at once")
    statuses = [many[0].request(target="/many").status for _ in range(40)]
    is_(statuses, [200] * 40, "all of them dead: still no error")


def one_try_only():
    """A fresh connection that dies is not tried again, and a reused one once: no storm."""

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        if request.target == "/good":
            wire.send(fine(request))
            request = wire.read_request()
            if request is not None:
                wire.origin.saw(request)

    origin = Origin(handler)
    proxy = Proxy(origin.port)
    is_(once(proxy.port, target="/bad").status, 502, "a fresh connection that dies gives 502")
    is_(len(origin.requests), 1, "after one try")
    client = Client(proxy.port)
    is_(client.request(target="/good").status, 200, "a connection that can be reused")
    is_(client.request(target="/bad").status, 502, "and dies, and the next one too: 502")
    is_([request.target for request in origin.requests[1:]], ["/good", "/bad", "/bad"], "after two tries")


def keep_alive_hint():
    def handler(wire):
        while True:
            request = wire.read_request()
            if request is None:
                return
            hint = request.target[1:]
            hints = [("Keep-Alive", "timeout=" + hint), ("Connection", "keep-alive")]
            wire.send(http_message("HTTP/1.1 200 OK", hints, b"x"))

    origin = Origin(handler)
    proxy = Proxy(origin.port, upstream={"idle_timeout": "60s"})
    start = now()
    is_(once(proxy.port, target="/1").status, 200, "an answer with Keep-Alive: timeout=1")
    origin.wait(lambda self: not self.open, "the idle connection to end")
    elapsed = (now() - start) * 1000
    ok(elapsed < 1000 * SLOW, "the proxy ends it before the origin would (%d ms)" % elapsed)
    for hint in ("0", "-1", "x", "99999999999999999999", "4294967297"):
        is_(once(proxy.port, target="/" + hint).status, 200, "timeout=%s harms nothing" % hint)
    ok(proxy.alive(), "the proxy is alive")


def endless_bodies():
    """An answer without an end: what the client does not read is not read from the origin."""
    sent = {}

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        wire.send(CHUNKED if request.target == "/chunked" else OK + b"\r\n")
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if request.target == "/chunked" else b"x" * 65536
        while True:
            wire.send(piece)
            sent[request.target] = sent.get(request.target, 0) + 65536

    origin = Origin(handler)
    proxy = Proxy(origin.port)
    for target in ("/chunked", "/until-close"):
        client = Client(proxy.port, receive_buffer=65536)
        client.send_request(target=target)
        while len(client.buffer) < MIB:
            client.fill()
        before = -1
        while before != sent[target]:  # it goes on until every buffer on the way is full
            before = sent[target]
            client.readable(0)
            end = now() + 0.15 * SLOW
            wait_until(lambda: sent[target] != before or now() > end, "a standstill")
        ok(sent[target] < 64 * MIB, "%s: the origin is held back (%d bytes sent)" % (target, sent[target]))
        client.close()
        origin.wait(lambda self: not self.open, "the end at the origin")
        ok(True, "and let go when the client leaves")


def all_tests():
    pair = certificate("good")
    subtest("heads that break a rule", malformed)
    subtest("heads that break none", passing)
    subtest("byte by byte", byte_by_byte)
    subtest("bytes behind an answer", bytes_behind)
    subtest("bytes behind an answer, later", bytes_behind_later)
    subtest("truncated bodies", truncated, pair)
    subtest("early answers", early_answer, pair)
    subtest("fields of one connection", dropped_fields)
    subtest("connections that die when they are reused", dying_keep_alive)
    subtest("a second try, not a third", one_try_only)
    subtest("Keep-Alive: timeout", keep_alive_hint)
    subtest("bodies without an end", endless_bodies)


all_tests()
done()
