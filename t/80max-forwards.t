#!/usr/bin/env python3
"""Max-Forwards: OPTIONS and TRACE go as far as their client says, all else as far as it goes (RFC 9110, 7.6.2)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403


def limits():
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"by the backend")))
    proxy = Proxy(origin.port)
    for method, given, arrives in (
        ("OPTIONS", "1", "0"),
        ("OPTIONS", "10", "9"),
        ("TRACE", "1", "0"),
        ("GET", "0", "0"),
        ("POST", "7", "7"),
        ("OPTIONS", "many", "many"),
        ("OPTIONS", None, None),
    ):
        fields = [("Max-Forwards", given)] if given else []
        response = once(proxy.port, method, headers=fields, body=b"" if method == "POST" else None)
        is_(response.text, "by the backend", "%s, %s: it goes on" % (method, given))
        is_(origin.requests[-1].get("max-forwards"), arrives, "with one less" if given != arrives else "as it is")
    before = len(origin.requests)
    client = Client(proxy.port)
    response = client.request("OPTIONS", headers=[("Max-Forwards", "0")])
    is_((response.status, response.body), (200, b""), "OPTIONS, 0: the proxy answers")
    like(response.get("allow"), r"\bGET\b.*\bOPTIONS\b", "with what it forwards")
    is_(client.request().text, "by the backend", "and goes on with the connection")
    response = once(proxy.port, "TRACE", headers=[("Max-Forwards", "0")])
    check_failure(response, 501, "not_implemented", proxy, r"TRACE / → 127\.0\.0\.1:%d" % origin.port)
    is_([request.method for request in origin.requests[before:]], ["GET"], "neither got to the backend")


subtest("Max-Forwards", limits)
done()
