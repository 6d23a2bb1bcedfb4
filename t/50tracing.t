#!/usr/bin/env python3
"""Traces: taken from clients where what they say is valid, made otherwise, and told to both sides and the log."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = "00-%s-%s-01" % (ID, PARENT)


def traced(**settings):
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [("X-Trace-Id", "the origin's own")], b"x")))
    return origin, Proxy(origin.port, log={"format": "json"}, **settings)


def ask(origin, proxy, *headers):
    """(what the origin saw, the answer)"""
    response = once(proxy.port, headers=headers)
    return origin.requests[-1], response


def check(origin, proxy, headers, trace_id=None, state=None, flags="00"):
    """One trace everywhere: its id is the client's, or a new one."""
    seen, response = ask(origin, proxy, *headers)
    parents, ids = seen.all("traceparent"), seen.all("x-trace-id")
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", parents[0])
    if not found:
        return ok(False, "a traceparent: %r" % parents)
    told = (len(parents), ids, found.group(3), seen.all("tracestate"), response.all("x-trace-id"))
    is_(told, (1, [found.group(1)], flags, [state] if state else [], [found.group(1)]), "both sides are told once")
    ok(found.group(2) not in (PARENT, "0" * 16), "our span is the parent")
    if trace_id:
        is_(found.group(1), trace_id, "the client's trace")
    else:
        ok(found.group(1) not in (ID, "0" * 32), "a new trace")
    return found.group(1)


def made():
    origin, proxy = traced()
    first = check(origin, proxy, [])
    ok(check(origin, proxy, []) != first, "each request has its own")
    proxy.wait_line(r'"request completed".*"trace_id":"%s"' % first)
    ok(True, "the log has it")


def taken():
    origin, proxy = traced()
    check(origin, proxy, [("traceparent", VALID)], ID, flags="01")
    check(origin, proxy, [("Traceparent", VALID[:-1] + "0"), ("tracestate", "a=1,b=2")], ID, "a=1,b=2")
    check(origin, proxy, [("traceparent", VALID), ("tracestate", "a=1"), ("tracestate", "b=2")], ID, "a=1,b=2", "01")
    check(origin, proxy, [("traceparent", "cc" + VALID[2:] + "-later")], ID, flags="01")
    check(origin, proxy, [("X-Trace-ID", ID)], ID)
    check(origin, proxy, [("X-Trace-ID", ID.upper())], ID)
    check(origin, proxy, [("traceparent", VALID), ("X-Trace-ID", "f" * 32)], ID, flags="01")


def not_taken():
    """Whatever is wrong with it, none of it goes on."""
    origin, proxy = traced()
    for parent in ("", "00-" + "0" * 32 + "-%s-01" % PARENT, "00-%s-%s-01" % (ID, "0" * 16), "ff" + VALID[2:],
                   VALID + "-x", VALID[:-1], VALID.upper(), VALID.replace("-", "_"), "x" * 4000):
        check(origin, proxy, [("traceparent", parent), ("tracestate", "a=1")])
    check(origin, proxy, [("traceparent", VALID), ("traceparent", VALID), ("tracestate", "a=1")])
    for trace_id in ("", "abc", "0" * 32, ID + "0", ID[:-1] + "g", ID[:-1] + "\xff", "x" * 4000):
        check(origin, proxy, [("X-Trace-ID", trace_id)])
    check(origin, proxy, [("tracestate", "a=1")])
    for state in ("", "A=1", "a", "a=1,a=2", "a=" + "x" * 600, ",".join("k%d=1" % i for i in range(33)), "a=\xff"):
        check(origin, proxy, [("traceparent", VALID), ("tracestate", state)], ID, flags="01")


def failures():
    proxy = Proxy(free_port(), log={"format": "json"})
    response = once(proxy.port, headers=[("X-Trace-ID", ID)])
    is_((response.status, response.all("x-trace-id")), (502, [ID]), "an answer of ours says it too")
    proxy.wait_line(r'"request completed".*"%s"' % ID)
    records = [json.loads(line) for line in proxy.out]
    is_([r["trace_id"] for r in records if r.get("failure")], [ID, ID], "both lines of the failure have it")
    client = Client(proxy.port)
    client.send(b"GARBAGE\r\n\r\n")
    like(client.read_response().get("x-trace-id", ""), r"^[0-9a-f]{32}$", "a request that was refused has a trace, too")


def off():
    origin, proxy = traced(tracing={"enabled": False})
    seen, response = ask(origin, proxy, ("traceparent", "x"), ("X-Trace-ID", "y"))
    is_((seen.all("traceparent"), seen.all("x-trace-id")), (["x"], ["y"]), "passed on unread")
    is_(response.all("x-trace-id"), ["the origin's own"], "in both directions")


for function in (made, taken, not_taken, failures, off):
    subtest(function.__name__.replace("_", " "), function)
done()
