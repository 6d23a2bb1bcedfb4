#!/usr/bin/env python3
"""
The policies that are at the head of every chain, recovery, tracing, metrics and logging: there without a word,
and set otherwise for all routes or for one.
"""
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

USED = set()
ID = "0af7651916cd43dd8448eb211c80319c"
INVALID = "00-not-a-trace-01"
PLAIN = http_message("HTTP/1.1 200 OK", [("X-Trace-ID", "the origin's own")], b"hello")
TOO_LONG = "%{path}" * 5


def setting(kind, **rows):
    USED.update("policies[].%s.%s" % (kind, row) for row in rows)
    return {kind: rows}


def route(name, origin, *policies):
    return {"name": name, "match": {"path": {"prefix": "/" + name}}, "policies": list(policies),
            "backend": {"host": "127.0.0.1", "port": origin.port}}  # fmt: skip


def start(routes=(), policies=(), function=lambda request: PLAIN, **settings):
    """routes: (name, policy, …)"""
    origin = Origin(answering(function))
    settings.setdefault("log", {"format": "json"})
    if policies:
        settings["policies"] = list(policies)
    if routes:
        settings["routes"] = [route(name, origin, *own) for name, *own in routes]
    return origin, Proxy(origin.port, **settings)


def samples(text):
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[:1] != "#"}


def scrape(proxy):
    return samples(once(proxy.port, target="/metrics").text)


def by_route(found):
    """{route: requests}"""
    rows = {}
    for name, value in found.items():
        match = re.match(r'gomesh_route_requests_total\{route="([^"]*)"', name)
        if match:
            rows[match.group(1)] = rows.get(match.group(1), 0) + value
    return rows


def lines_of(proxy, targets, last="/last", headers=()):
    """The paths that have a line, among these, in their order; the last request is one that has."""
    client = Client(proxy.port)
    for target in list(targets) + [last]:
        client.request(target=target, headers=headers)
    proxy.wait_line(r'"request completed".*"path":"%s"' % last)
    records = [json.loads(line) for line in proxy.out if '"request completed"' in line]
    return [record["path"] for record in records if record["path"] != last]


# --- tracing --------------------------------------------------------------------------------------------------


def check_untraced(origin, proxy, target):
    response = once(proxy.port, target=target, headers=[("traceparent", INVALID), ("X-Trace-ID", "mine")])
    seen = origin.requests[-1]
    told = (seen.all("traceparent"), seen.all("x-trace-id"), response.all("x-trace-id"))
    is_(told, ([INVALID], ["mine"], ["the origin's own"]), "%s: passed on unread, both ways" % target)


def check_traced(origin, proxy, target):
    response = once(proxy.port, target=target, headers=[("traceparent", INVALID), ("X-Trace-ID", ID)])
    seen = origin.requests[-1]
    is_((seen.all("x-trace-id"), response.all("x-trace-id")), ([ID], [ID]), "%s: both sides are told" % target)
    like(seen.get("traceparent"), r"^00-%s-[0-9a-f]{16}-00$" % ID, "with a traceparent of ours")


def tracing():
    off, on, auto = (setting("tracing", enabled=value) for value in (False, True, "auto"))
    origin, proxy = start([("off", off), ("auto", auto)])
    check_traced(origin, proxy, "/")
    check_traced(origin, proxy, "/auto")
    check_untraced(origin, proxy, "/off")
    proxy.wait_line(r'"request completed".*"path":"/off"')
    ok(not proxy.find(r'"request completed".*"trace_id".*"path":"/off"'), "and no trace in its line")
    origin, proxy = start([("on", on), ("open", {"tracing": {}})], [off])
    check_untraced(origin, proxy, "/")
    check_untraced(origin, proxy, "/open")
    check_traced(origin, proxy, "/on")
    origin, proxy = start([("off", off)], [on], tracing={"enabled": False})
    check_traced(origin, proxy, "/")
    check_untraced(origin, proxy, "/off")


# --- metrics --------------------------------------------------------------------------------------------------


def metrics():
    off, on = setting("metrics", enabled=False), setting("metrics", enabled=True)
    gate, waits = threading.Event(), threading.Event()

    def slow(request):
        if request.target.endswith("/slow"):
            waits.set()
            gate.wait(20)
        return PLAIN

    for policies, routes, counted, silent in (
        ([], [("off", off)], "backend", "off"),
        ([off], [("on", on)], "on", "backend"),
    ):
        gate.clear()
        origin, proxy = start(routes, policies, slow)
        paths = {"backend": "/", "off": "/off", "on": "/on"}
        client = Client(proxy.port)
        for _ in range(3):
            client.request(target=paths[silent])
        client.request(target=paths[counted])
        wait_until(lambda: by_route(scrape(proxy)).get(counted) == 1, "a request that counts")
        is_(by_route(scrape(proxy)), {counted: 1}, "%s counts, %s does not" % (counted, silent))
        is_(scrape(proxy)["gomesh_requests_in_flight"], 0, "nothing is in flight")
        for name, in_flight in ((silent, 0), (counted, 1)):
            waits.clear()
            gate.clear()
            asked = background(once, proxy.port, "GET", paths[name].rstrip("/") + "/slow")
            waits.wait(20)
            is_(scrape(proxy)["gomesh_requests_in_flight"], in_flight, "%s: %d in flight" % (name, in_flight))
            gate.set()
            is_(asked.result().status, 200, "and it is answered")
        wait_until(lambda: by_route(scrape(proxy)).get(counted) == 2, "the slow one")
        found = scrape(proxy)
        is_((by_route(found), found["gomesh_requests_in_flight"]), ({counted: 2}, 0), "that is all")
        if ENGINE == "gomesh":
            ok(found['gomesh_connections_total{listener="http"}'] >= 4, "connections are counted all the same")


# --- logging --------------------------------------------------------------------------------------------------


def logging():
    off, on = setting("logging", enabled=False), setting("logging", enabled=True)
    _origin, proxy = start([("off", off), ("on", on), ("open", {"logging": {}})])
    is_(lines_of(proxy, ["/off", "/on", "/open", "/off/2"]), ["/on", "/open"], "not for this route")
    _origin, proxy = start([("on", on), ("last", on)], [off])
    is_(lines_of(proxy, ["/a", "/on", "/b"]), ["/on"], "for these routes alone")
    _origin, proxy = start([("on", on), ("last", on)], log={"format": "json", "access": {"enabled": False}})
    is_(lines_of(proxy, ["/a", "/on", "/b"]), ["/on"], "although log.access says no")


def logging_rules():
    half, none, all_of_them = (setting("logging", sample=value) for value in (0.5, 0, 1))
    failures = setting("logging", only_failures=True)
    routes = [("half", half), ("none", none), ("failures", failures), ("last", all_of_them)]
    _origin, proxy = start(routes)
    paths = ["/half/1", "/none/1", "/half/2", "/failures/1", "/half/3", "/plain", "/half/4"]
    is_(lines_of(proxy, paths), ["/half/2", "/plain", "/half/4"], "each route has its own sample")
    # what an item leaves open is as the item for all says, and then as log.access does
    access = {"sample": 0, "only_failures": False}
    routes = [("enabled", setting("logging", enabled=True)), ("failures", setting("logging", only_failures="auto")),
              ("sampled", all_of_them), ("last", all_of_them)]  # fmt: skip
    _origin, proxy = start(routes, log={"format": "json", "access": access})
    is_(lines_of(proxy, ["/enabled", "/failures", "/sampled", "/plain"]), ["/sampled"], "log.access.sample holds elsewhere")
    _origin, proxy = start(routes[:2] + routes[3:], [all_of_them], log={"format": "json", "access": access})
    is_(lines_of(proxy, ["/enabled", "/failures", "/plain"]), ["/enabled", "/failures", "/plain"], "the item for all is nearer")
    never = setting("logging", slower_than="1h")
    _origin, proxy = start([("slow", never), ("all", setting("logging", slower_than="0s")), ("last", setting("logging", slower_than="0s"))], [never])
    is_(lines_of(proxy, ["/slow", "/all", "/plain"]), ["/all"], "slower_than")


def logging_of_failures():
    dead = {"name": "dead", "match": {"path": {"prefix": "/dead"}}, "backend": {"host": "127.0.0.1", "port": free_port()},
            "policies": [setting("logging", only_failures=True, sample=0)]}  # fmt: skip
    origin = Origin(answering(lambda request: PLAIN))
    proxy = Proxy(origin.port, routes=[dead, route("last", origin)], log={"format": "json"})
    is_(lines_of(proxy, ["/dead"]), ["/dead"], "failures have their line")


def logging_to_a_file():
    path = os.path.join(temporary_folder(), "routes.log")
    on = setting("logging", enabled=True)
    _origin, proxy = start([("on", on)], log={"format": "json", "access": {"enabled": False, "path": path}})
    client = Client(proxy.port)
    for target in ("/a", "/on/1", "/b", "/on/2"):
        client.request(target=target)
    wait_until(lambda: os.path.exists(path) and open(path).read().count("\n") == 2, "two lines")
    with open(path) as file:
        is_([json.loads(line)["path"] for line in file], ["/on/1", "/on/2"], "the file of log.access has them")
    ok(not proxy.find(r'"request completed"'), "and nobody else")


# --- recovery -------------------------------------------------------------------------------------------------


def too_long(direction):
    """Fails where the path is long, behind a change that does not."""
    return {"headers": {direction: {"set": [{"name": "X-Half", "value": "1"}, {"name": "X-Long", "value": TOO_LONG}]}}}


def recovery():
    passes, answers = setting("recovery", on_failure="pass"), setting("recovery", on_failure="answer")
    other = {"headers": {"request": {"set": [{"name": "X-Other", "value": "1"}]},
                         "response": {"set": [{"name": "X-Other", "value": "1"}]}}}  # fmt: skip
    for direction in ("request", "response"):
        origin, proxy = start([("strict", answers), ("open", {"recovery": {}})], [too_long(direction), other, passes])
        for name in ("", "open/"):
            target = "/" + name + "a" * 8000
            response = once(proxy.port, target=target)
            is_((response.status, response.body), (200, b"hello"), "%s: the request goes on" % direction)
            seen = origin.requests[-1]
            is_((seen.get("x-half"), response.get("x-half")), (None, None), "as if that policy were not there")
            is_((seen.get("x-other"), response.get("x-other")), ("1", "1"), "and the others are")
            line = proxy.wait_line(r'goes on without policy headers: a value would be longer')
            ok('"level":"warn"' in line.string and '"policy":"headers"' in line.string, "a warning with its name")
        response = once(proxy.port, target="/strict/" + "a" * 8000)
        check_failure(response, 500, "internal")
        proxy.wait_line(r"failed: internal \(policy headers: a value would be longer than 32768 bytes\)")
        is_(response.get("x-other"), "1", "the route says no, and the others have seen the failure")
        is_(once(proxy.port, target="/short").get("x-half"), "1" if direction == "response" else None, "what is short works")
        is_(origin.requests[-1].get("x-half"), "1" if direction == "request" else None, "both ways")
    _origin, proxy = start([("mild", passes)], [too_long("request"), answers])
    check_failure(once(proxy.port, target="/" + "a" * 8000), 500, "internal")
    is_(once(proxy.port, target="/mild/" + "a" * 8000).status, 200, "one route that passes")
    _origin, proxy = start([], [too_long("request")])
    check_failure(once(proxy.port, target="/" + "a" * 8000), 500, "internal")


# --- all of them ----------------------------------------------------------------------------------------------


def at_the_head():
    """Wherever their items stand, they see what the others answer."""
    deny = {"access": {"deny": "127.0.0.0/8"}}
    _origin, proxy = start([("mine", deny, setting("logging", enabled=True))], [setting("logging", enabled=False)])
    response = once(proxy.port, target="/mine", headers=[("X-Trace-ID", ID)])
    check_failure(response, 403, "access_denied")
    is_(response.all("x-trace-id"), [ID], "denied, with a trace")
    proxy.wait_line(r'"request completed".*"path":"/mine","status":403.*"failure":"access_denied"')
    ok(True, "and a line")
    wait_until(lambda: by_route(scrape(proxy)) == {"mine": 1}, "the count of it")
    ok(True, "and counted")


def refused():
    """Heads that are refused have no route: what is said for all holds."""
    bad = "GET /%00 HTTP/1.1\r\nHost: a\r\nX-Trace-ID: " + ID + "\r\n\r\n"
    off = [setting(kind, enabled=False) for kind in ("tracing", "metrics", "logging")]
    for policies, traces in (([], [ID]), (off, [])):
        _origin, proxy = start([("last", {"logging": {"enabled": True}})], policies)
        client = Client(proxy.port)
        client.send(bad)
        response = client.read_response()
        is_((response.status, response.all("x-trace-id")), (400, traces), "a trace, or none")
        is_(lines_of(proxy, []), ["/%00"] if not policies else [], "a line, or none")
        found = scrape(proxy)
        errors = [value for name, value in found.items() if name.startswith("gomesh_errors_total")]
        is_(errors, [1] if not policies else [], "a count, or none")
        is_(found["gomesh_requests_in_flight"], 0, "it is over")
    gate, waits = threading.Event(), threading.Event()

    def slow(request):
        waits.set()
        gate.wait(20)
        return PLAIN

    _origin, proxy = start(function=slow)
    asked = background(once, proxy.port)
    waits.wait(20)
    is_(once(proxy.port, target="/%00").status, 400, "refused beside one in flight")
    wait_until(lambda: any(name.startswith("gomesh_errors_total") for name in scrape(proxy)), "its count")
    is_(scrape(proxy)["gomesh_requests_in_flight"], 1, "which is still in flight")
    gate.set()
    asked.result()
    if ENGINE == "gomesh":  # a head that our own front cannot read
        _origin, proxy = start()
        client = Client(proxy.port)
        client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        response = client.read_response()
        is_((response.status, len(response.all("x-trace-id"))), (400, 1), "a broken head has a trace")
        proxy.wait_line(r'"request completed".*"trace_id":"%s".*"status":400' % response.get("x-trace-id"))
        is_(scrape(proxy)["gomesh_requests_in_flight"], 0, "and is over")


def nothing_at_all():
    off = [setting(kind, enabled=False) for kind in ("tracing", "metrics", "logging")]
    access = {"access": {"deny": "127.0.0.2"}}
    origin, proxy = start([("guarded", access)], off)
    client = Client(proxy.port)
    for _ in range(3):
        is_(client.request(target="/").status, 200, "a chain without anybody")
    is_(once(proxy.port, target="/guarded", source="127.0.0.2").status, 403, "beside one with a policy")
    headers = [("Connection", "x-hop"), ("X-Hop", "1")]
    once(proxy.port, target="/", headers=headers)
    is_(origin.requests[-1].get("x-hop"), None, "hop-by-hop fields are dropped all the same")
    is_(by_route(scrape(proxy)), {}, "nothing is counted")


def the_window_keeps_all():
    admin = free_port()
    off = [setting(kind, enabled=False) for kind in ("tracing", "metrics", "logging")]
    _origin, proxy = start([], off, admin={"listen": "127.0.0.1:%d" % admin})
    once(proxy.port, target="/kept")
    page = wait_until(lambda: json.loads(once(admin, target="/requests", host="localhost").text)["requests"], "it")
    is_([(one["path"], one["status"]) for one in page], [("/kept", 200)], "the admin window is no policy")


def mistakes():
    text = "policies:\n  - tracing: {}\n  - logging: {}\n  - tracing: { enabled: false }\n"
    done = gomesh_run("-t", "-config", write_file("twice.yaml", text))
    is_(done.code, 78, "two of a kind")
    like("\n".join(done.out + done.err), r"twice.yaml:4:14: error: tracing: a second one in this list; the first is in line 2", "with its place")


subtest("tracing", tracing)
subtest("metrics", metrics)
subtest("logging", logging)
subtest("logging: rules", logging_rules)
subtest("logging: failures", logging_of_failures)
subtest("logging to a file", logging_to_a_file)
subtest("recovery", recovery)
subtest("at the head", at_the_head)
subtest("refused before routing", refused)
subtest("everything off", nothing_at_all)
subtest("the admin window", the_window_keeps_all)
subtest("mistakes", mistakes)
rows = re.findall(r"(?m)^\| `(policies\[\]\.(?:recovery|tracing|metrics|logging)\.[^`]+)` \|", "\n".join(gomesh_run("reference").out))
ok(len(rows) == 7, "the reference has %d options of theirs" % len(rows))
is_(sorted(set(rows) - USED), [], "each was used here")
done()
