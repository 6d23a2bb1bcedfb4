#!/usr/bin/env python3
"""Forwarding over HTTP/1: methods, framing, persistence, pipelining, addresses."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20


def plain(request):
    """An answer that tells the method and the target."""
    body = ("%s %s" % (request.method, request.target)).encode("latin-1")
    return http_message(
        "HTTP/1.1 200 OK", [("Content-Type", "text/plain")], b"" if request.method == "HEAD" else body
    )


def pair(function=plain, **settings):
    """An origin and a proxy in front of it."""
    origin = Origin(answering(function))
    return origin, Proxy(origin.port, **settings)


def start_lines():
    origin, proxy = pair()
    wanted = [
        r"\[INFO\] Loading configuration from: " + proxy.path,
        r"\[INFO\] GoMesh Proxy starting on port %d" % proxy.port,
        r"\[INFO\] Forwarding all traffic to: http://127\.0\.0\.1:%d" % origin.port,
        START_LINE,
    ]
    is_(len(proxy.out), 4, "four start lines")
    for line, pattern in zip(proxy.out, wanted):
        like(line, r"^%s$" % pattern, "start line: " + line)
    once(proxy.port, target="/api/users?x=1&y=%20")
    proxy.wait_line(r"^\[INFO\] Forwarding: GET /api/users\?x=1&y=%%20 → 127\.0\.0\.1:%d$" % origin.port)
    ok(True, "one line per request, with the query")
    once(proxy.port, "DELETE", "/a/../b")
    proxy.wait_line(r"^\[INFO\] Forwarding: DELETE /b → 127\.0\.0\.1:%d$" % origin.port)
    ok(True, "it shows the path as forwarded")
    is_(proxy.count(r"Forwarding: "), 2, "two requests, two lines")
    is_(proxy.stop(), 0, "exit code 0")


def methods():
    origin, proxy = pair()
    client = Client(proxy.port)
    for number, method in enumerate(
        ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "HEAD")
    ):
        body = b"abc" if method in ("POST", "PUT", "PATCH") else None
        response = client.request(method, "/m/" + method, body=body)
        request = origin.wait_requests(number + 1)
        is_(
            (response.status, request.method, request.target, request.body),
            (200, method, "/m/" + method, body or b""),
            "%s arrives, with its body if it has one" % method,
        )
    response = client.request("DELETE", "/with-body", body=b"12345")
    is_(origin.requests[-1].body, b"12345", "DELETE with a body")
    response = client.request("POST", "/empty", body=b"")
    is_((response.status, origin.requests[-1].body), (200, b""), "POST with an empty body")
    is_(origin.requests[-1].get("content-length"), "0", "and it still says Content-Length: 0")


def keep_alive():
    _origin, proxy = pair()
    client = Client(proxy.port)
    answers = [client.request(target="/k/%d" % number) for number in range(20)]
    is_(
        [answer.text for answer in answers],
        ["GET /k/%d" % number for number in range(20)],
        "20 requests, one connection",
    )
    is_([answer.version for answer in answers], ["1.1"] * 20, "answered as HTTP/1.1")
    response = client.request(target="/last", headers=[("Connection", "close")])
    is_(
        (response.status, "close" in response.tokens("connection")),
        (200, True),
        "Connection: close is answered in kind",
    )
    ok(client.ends(), "and the connection ends")
    client = Client(proxy.port)
    client.send_request(target="/half")
    client.half_close()
    is_(client.read_response().text, "GET /half", "a client that closes its sending side gets its answer")
    client = Client(proxy.port)
    client.send("\r\nGET /crlf HTTP/1.1\r\nHost: a\r\n\r\n")
    is_(client.read_response().text, "GET /crlf", "an empty line before a request is ignored (RFC 9112, 2.2)")
    client = Client(proxy.port)
    for byte in b"GET /bytewise HTTP/1.1\r\nHost: a\r\n\r\n":
        client.send(bytes([byte]))
    is_(client.read_response().text, "GET /bytewise", "a head that arrives byte by byte")


def http10():
    origin, proxy = pair(
        lambda request: http_message(
            "HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")], chunked(b"abcdefgh", 3)
        )
        if "chunked" in request.target
        else plain(request)
    )
    client = Client(proxy.port)
    response = client.request(target="/one", version="1.0", host=None)
    is_((response.status, response.text), (200, "GET /one"), "HTTP/1.0 without Host is served")
    ok(client.ends(), "and the connection ends after the answer")
    client = Client(proxy.port)
    for number in range(3):
        response = client.request(
            target="/%d" % number, version="1.0", headers=[("Connection", "keep-alive")]
        )
        is_(
            (response.text, "keep-alive" in response.tokens("connection")),
            ("GET /%d" % number, True),
            "HTTP/1.0 with keep-alive, request %d" % (number + 1),
        )
    client = Client(proxy.port)
    response = client.request(target="/chunked", version="1.0")
    is_((response.body, response.get("transfer-encoding")), (b"abcdefgh", None), "no chunks for HTTP/1.0")
    client = Client(proxy.port)
    response = client.request(target="/chunked", version="1.0", headers=[("Connection", "keep-alive")])
    is_((response.body, response.get("transfer-encoding")), (b"abcdefgh", None), "nor with keep-alive")
    is_(origin.requests[0].version, "1.1", "the backend is spoken to in HTTP/1.1")


def pipelining():
    def handler(request):
        if request.target == "/slow":
            gate.wait_requests(1)
        return plain(request) if request.method == "GET" else echo_body(request)

    gate = Origin(answering(plain))
    origin, proxy = pair(handler)
    client = Client(proxy.port)
    parts, wanted = [], []
    for number in range(30):
        if number % 3 == 1:
            parts.append(http_message("POST /p/%d HTTP/1.1" % number, [("Host", "a")], b"body %d" % number))
            wanted.append("body %d" % number)
        elif number % 3 == 2:
            parts.append(
                http_message(
                    "PUT /p/%d HTTP/1.1" % number,
                    [("Host", "a"), ("Transfer-Encoding", "chunked")],
                    chunked(b"chunks %d" % number, 2),
                )
            )
            wanted.append("chunks %d" % number)
        else:
            parts.append(http_message("GET /p/%d HTTP/1.1" % number, [("Host", "a")]))
            wanted.append("GET /p/%d" % number)
    client.send(b"".join(parts))
    is_(
        [client.read_response().text for _ in wanted],
        wanted,
        "30 requests at once are answered in their order",
    )
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
    origin.wait(lambda self: any(request.target == "/slow" for request in self.requests), "the slow one")
    ok(not client.readable(0.1), "nothing overtakes a slow request")
    once(gate.port)
    is_(
        [client.read_response().text for _ in range(2)],
        ["GET /slow", "GET /quick"],
        "order kept behind a slow request",
    )
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    is_(client.read_response().text, "GET /1", "a pipelined request with Connection: close")
    ok(client.ends(), "is the last one answered")


def bodiless():
    def handler(request):
        if request.target == "/204":
            return http_message("HTTP/1.1 204 No Content", [("X-Kind", "empty")])
        if request.target == "/304":
            return http_message("HTTP/1.1 304 Not Modified", [("ETag", '"v1"')])
        if request.target == "/304-length":
            return http_message("HTTP/1.1 304 Not Modified", [("ETag", '"v1"'), ("Content-Length", "1234")])
        if request.target == "/chunked" and request.method == "HEAD":
            return http_message("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")])
        if request.target == "/empty":
            return http_message("HTTP/1.1 200 OK", [("Content-Length", "0")])
        head = http_message("HTTP/1.1 200 OK", [("Content-Length", "1000")])
        return head if request.method == "HEAD" else head + b"x" * 1000

    _origin, proxy = pair(handler)
    client = Client(proxy.port)
    response = client.request("HEAD", "/page")
    is_(
        (response.status, response.get("content-length")),
        (200, "1000"),
        "HEAD keeps the length and has no body",
    )
    is_(len(client.request("GET", "/page").body), 1000, "the connection is in step afterwards")
    response = client.request("GET", "/204")
    is_(
        (
            response.status,
            response.get("content-length"),
            response.get("transfer-encoding"),
            response.get("x-kind"),
        ),
        (204, None, None, "empty"),
        "204 has neither length nor coding",
    )
    is_(client.request("GET", "/empty").body, b"", "an empty 200")
    response = client.request("GET", "/304")
    is_(
        (response.status, response.get("etag"), response.get("transfer-encoding")),
        (304, '"v1"', None),
        "304 without a length",
    )
    is_(
        client.request("GET", "/304-length").status, 304, "304 that tells the length of what it does not send"
    )
    is_(client.request("HEAD", "/chunked").status, 200, "HEAD of something chunked")
    is_(len(client.request("GET", "/page").body), 1000, "in step after all of them")


def expect_continue():
    origin, proxy = pair(echo_body)
    client = Client(proxy.port)
    client.send_request("POST", "/expect", [("Expect", "100-continue"), ("Content-Length", "5")])
    interim = client.read_response_head()
    is_(interim.status, 100, "100 Continue comes before the body")
    client.send(b"hello")
    response = client.read_response("POST")
    is_((response.status, response.body), (200, b"hello"), "then the answer")
    response = client.request("POST", "/all-at-once", [("Expect", "100-continue")], b"world")
    is_((response.status, response.body), (200, b"world"), "a client that does not wait")
    client.send_request("PUT", "/chunks", [("Expect", "100-continue"), ("Transfer-Encoding", "chunked")])
    is_(client.read_response_head().status, 100, "100 Continue with chunks")
    client.send(chunked(b"abc"))
    is_(client.read_response("PUT").body, b"abc", "and the answer")
    name = write_file("upload", some_bytes(MIB))
    result = curl(
        "-H",
        "Expect: 100-continue",
        "--expect100-timeout",
        "30",
        "-T",
        name,
        "http://127.0.0.1:%d/curl" % proxy.port,
    )
    is_(
        (result.returncode, sha256(result.stdout)),
        (0, sha256(some_bytes(MIB))),
        "curl with Expect: 100-continue",
    )


def chunks():
    data = some_bytes(100000)

    def handler(request):
        return http_message(
            "HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")], chunked(request.body or data, 777)
        )

    origin, proxy = pair(handler)
    client = Client(proxy.port)
    response = client.request("GET", "/down")
    is_(response.sha256, sha256(data), "chunked answer arrives whole")
    for size in (1, 1000, 65536):
        client.send_request("POST", "/up", [("Transfer-Encoding", "chunked")])
        part = data[: size * 3 + 1]
        client.send(chunked(part, size))
        response = client.read_response("POST")
        is_(
            (response.sha256, sha256(origin.requests[-1].body)),
            (sha256(part), sha256(part)),
            "chunks of %d both ways" % size,
        )
    framing = origin.requests[-1]
    is_(
        bool(framing.all("content-length")) + bool(framing.all("transfer-encoding")),
        1,
        "framed for the backend in one way",
    )
    client.send(
        "POST /ext HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;name=value\r\nhello\r\n0;last\r\n\r\n"
    )
    is_(client.read_response("POST").body, b"hello", "chunk extensions are legal and dropped")
    client.send(
        "POST /trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    is_(client.read_response("POST").body, b"hello", "a request with trailers")
    is_(client.request("GET", "/after").sha256, sha256(data), "the connection is in step")


def close_delimited():
    data = some_bytes(300000, 5)

    def handler(wire):
        wire.origin.saw(wire.read_request())
        wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + data)

    proxy = Proxy(Origin(handler).port)
    is_(once(proxy.port, target="/old").sha256, sha256(data), "an HTTP/1.0 origin's answer without a length")


def localhost():
    origin = Origin(answering(plain), "127.0.0.1")
    proxy = Proxy(("localhost", origin.port))
    is_(once(proxy.port, target="/v4").text, "GET /v4", "localhost, a backend on 127.0.0.1 only")
    proxy.wait_line(r"^\[INFO\] Forwarding: GET /v4 → localhost:%d$" % origin.port)
    ok(
        proxy.find(r"^\[INFO\] Forwarding all traffic to: http://localhost:%d$" % origin.port),
        "named as configured",
    )
    if not has_ipv6():
        skip("a backend on ::1 only", "no IPv6 here")
        return
    origin = Origin(answering(plain), "::1")
    proxy = Proxy(("localhost", origin.port))
    is_(
        [once(proxy.port, target="/v6/%d" % number).text for number in range(5)],
        ["GET /v6/%d" % number for number in range(5)],
        "localhost, a backend on ::1 only",
    )
    proxy = Proxy(("::1", origin.port))
    is_(once(proxy.port, target="/literal").text, "GET /literal", "a backend named by its IPv6 address")
    is_(once(proxy.port, target="/over", address="::1").text, "GET /over", "the proxy listens on IPv6 too")


subtest("start lines and request lines", start_lines)
subtest("methods", methods)
subtest("keep-alive", keep_alive)
subtest("HTTP/1.0", http10)
subtest("pipelining", pipelining)
subtest("HEAD, 204, 304", bodiless)
subtest("Expect: 100-continue", expect_continue)
subtest("chunked both ways", chunks)
subtest("an answer that ends with its connection", close_delimited)
subtest("localhost and IPv6", localhost)
done()
