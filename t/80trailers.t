#!/usr/bin/env python3
"""Trailers must not say what fields could not (RFC 9110, 6.5.1 and 7.6.1); who takes them is told to the backend."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

FORGED = [
    "X-Forwarded-Client-Cert: Subject=CN=admin",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Anything: 1",
    "X_Forwarded_Port: 1",
    "Forwarded: for=10.0.0.1",
    "X-Secret: 1",
    "X-Sum: 5",
]


def body():
    return "5\r\nhello\r\n0\r\n%s\r\n\r\n" % "\r\n".join(FORGED)


def requests():
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"ok")))
    client = Client(Proxy(origin.port).port)
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x-secret, x-other\r\n\r\n5\r\nhel"
    )
    origin.wait(lambda self: self.connections, "the request")
    client.send(body()[6:])
    is_(client.read_response().status, 200, "it is answered")
    is_(origin.requests[0].trailers, [("x-sum", "5")], "of a request's trailers only what a client may say")


def answers():
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Secret\r\n\r\n"
    client = Client(Proxy(Origin(answering(lambda request: (head + body()).encode())).port).port)
    response = client.request(headers=[("TE", "trailers")])
    is_((response.body, response.trailers), (b"hello", [("x-sum", "5")]), "of an answer's the same")


def takers():
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"ok")))
    client = Client(Proxy(origin.port).port)
    for fields, wanted in (
        ([("TE", "trailers")], ["trailers"]),
        ([("TE", "gzip, trailers")], ["trailers"]),
        ([("TE", "gzip")], []),
        ([], []),
    ):
        client.request(headers=fields)
        seen = origin.requests[-1]
        is_(seen.all("te"), wanted, "TE: %s" % fields)
        is_(seen.tokens("connection"), ["te"] if wanted else [], "and Connection names it")
    client.send_request(headers=[("TE", "trailers"), ("Connection", "upgrade"), ("Upgrade", "x")])
    client.read_response()
    is_(origin.requests[-1].tokens("connection"), ["upgrade", "te"], "beside an upgrade, too")


subtest("trailers of requests", requests)
subtest("trailers of answers", answers)
subtest("who takes them", takers)
done()
