#!/usr/bin/env python3
"""HTTP/1.1 and HTTP/2, clients and origins, cleartext and TLS: bodies of every size and trailers, each with each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

SIZES = (0, 1, 100 << 10, 1 << 20)
DATA_OF = {size: some_bytes(size, 5) for size in SIZES}


def note_of(body, trailers):
    """What an origin saw of a request, in a field: no copy of the body can be its proof."""
    ends = ",".join("%s=%s" % (name.lower(), value) for name, value in trailers or [])
    return ("%d %s %s" % (len(body), sha256(bytes(body)), ends)).strip()


def over_http2(stream):
    """/SIZE/KIND: an answer of that size, with a length, without, or with trailers."""
    _empty, size, kind = stream.target.split("/")
    stream.wait_end(60)
    body, saw = DATA_OF[int(size)], [("x-saw", note_of(stream.body, stream.trailers))]
    stream.answer(200, saw, body, [("x-sum", sha256(body))] if kind == "trailers" else None, length=kind == "length")


def over_http1(request):
    _empty, size, kind = request.target.split("/")
    body, fields = DATA_OF[int(size)], [("X-Saw", note_of(request.body, request.trailers))]
    if kind == "length":
        return http_message("HTTP/1.1 200 OK", fields, body)
    end = b"0\r\nX-Sum: %s\r\n\r\n" % sha256(body).encode() if kind == "trailers" else b"0\r\n\r\n"
    return http_message("HTTP/1.1 200 OK", fields + [("Transfer-Encoding", "chunked")]) + chunked(body)[:-5] + end


def ask(client, version, target, body, kind):
    """A request whose body has a length, none, or trailers."""
    if version == "HTTP/2":
        trailers = [("x-end", "1")] if kind == "trailers" else None
        return client.request("POST", target, [("te", "trailers")], body, trailers=trailers, length=kind == "length")
    head = "POST %s HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n" % target
    if kind == "length":
        client.send((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body)
    else:
        end = b"0\r\nX-End: 1\r\n\r\n" if kind == "trailers" else b"0\r\n\r\n"
        client.send((head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunked(body)[:-5] + end)
    return client.read_response("POST")


def combination(version, origin_version, pair):
    if origin_version == "HTTP/2":
        origin = H2Origin(over_http2, pair=pair)
    else:
        origin = Origin(answering(over_http1))
    proxy = proxy_to(origin, "h2" if origin_version == "HTTP/2" else "http1", pair=pair)
    if version == "HTTP/2":
        client = proxy.tls_client() if pair else proxy.client()
    else:
        client = Client(proxy.tls_port if pair else proxy.port, tls=h2_context(protocols=("http/1.1",)) if pair else None)
    for kind in ("length", "open", "trailers"):
        for up in SIZES:
            for down in SIZES:
                answer = ask(client, version, "/%d/%s" % (down, kind), DATA_OF[up], kind)
                name = "%s: %d bytes up, %d down" % (kind, up, down)
                is_((answer.status, len(answer.body), sha256(answer.body)), (200, down, sha256(DATA_OF[down])), name)
                is_(answer.get("x-saw"), note_of(DATA_OF[up], [("x-end", "1")] if kind == "trailers" else []), "what the origin saw")
                trailers = [(field.lower(), value) for field, value in answer.trailers]
                is_(trailers, [("x-sum", sha256(DATA_OF[down]))] if kind == "trailers" else [], "and the trailers")
    if origin_version == "HTTP/2":
        is_(len(origin.sessions), 1, "over one connection")
    is_(proxy.stop(), 0, "an orderly end")


def all_tests(pair):
    for tls in (None, pair):
        for version in ("HTTP/1.1", "HTTP/2"):
            for origin_version in ("HTTP/1.1", "HTTP/2"):
                name = "%s to %s%s" % (version, origin_version, " over TLS" if tls else "")
                subtest(name, combination, version, origin_version, tls)


all_tests(certificate("combinations"))
done()
