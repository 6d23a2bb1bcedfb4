#!/usr/bin/env python3
"""Idle connections that the origin closes just when they are used again: no GET is lost, no POST sent twice.

GM_RACE_REQUESTS=100000 is the long run.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_tap  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("about the pool of the engine gomesh")

PEERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers")
REQUESTS = int(os.environ.get("GM_RACE_REQUESTS") or 10000)
CLIENTS = 3  # processes
CONNECTIONS = 8  # of each
SECONDS = 120 + REQUESTS / 100  # far more than it takes
WAYS = [way + how for way in ("at-once", "idle", "first-byte", "swallowed") for how in ("", "-reset")]


def report_path(name):
    return os.path.join(temporary_folder(), name + ".json")


def report(name):
    with open(report_path(name)) as file:
        return json.load(file)


def start(name, script, *arguments):
    command = [sys.executable, os.path.join(PEERS, script)] + [str(argument) for argument in arguments]
    return Process(command + [report_path(name)], name=name)


def run():
    """All of it; returns (proxy, origin's report, clients' reports)."""
    port = free_port()
    origin = start("origin", "race_origin.py", port)
    origin.wait_line("^ready$")
    proxy = Proxy(port, workers=2)
    shares = [REQUESTS // CLIENTS + (number < REQUESTS % CLIENTS) for number in range(CLIENTS)]
    names = ["client-%d" % number for number in range(CLIENTS)]
    clients = [
        start(name, "race_client.py", proxy.port, name, share, CONNECTIONS) for name, share in zip(names, shares)
    ]
    is_([client.wait(SECONDS) for client in clients], [0] * CLIENTS, "the clients come to their end")
    ok(proxy.alive(), "the proxy is alive")
    is_(proxy.stop(), 0, "and ends with exit code 0")
    is_(origin.stop(), 0, "the origin, too")
    return proxy, report("origin"), [report(name) for name in names]


def race():
    proxy, origin, clients = run()
    done = collections.Counter()
    for client in clients:
        done.update(client["done"])
    answered, refused = (
        {"POST " + target for client in clients for target in client["posts"][what]} for what in ("answered", "refused")
    )
    problems = [problem for client in clients for problem in client["problems"]]
    executed = origin["executed"]
    note("requests: %s" % dict(done))
    opened = sum(client["opened"] for client in clients)
    note("connections of clients: %d, to the origin: %d" % (opened, origin["opened"]))
    note("they ended: %s" % origin["ends"])
    note("requests that arrived there and got no answer: %s" % origin["lost"])
    is_(problems[:10], [], "every GET gets its 200, every POST its own or a 502 that says why (%d)" % len(problems))
    is_(sum(done.values()) + len(problems), REQUESTS, "each request has one outcome")
    twice = [name for name, count in executed.items() if name.startswith("POST ") and count > 1]
    is_(twice[:10], [], "no POST is executed twice (%d)" % len(twice))
    is_(sorted(answered - set(executed))[:10], [], "what was answered was executed")
    gets = sum(1 for name in executed if name.startswith("GET "))
    is_(gets, done["GET answered"], "every GET was, and no request that nobody sent")
    lines = proxy.wait_count(r"failed: connection_(reset|terminated)", len(refused))
    if proxy.find(r"(?i)lost|dropped"):
        skip("a line for each refused POST", "the log says it lost lines")
    else:
        is_(lines, len(refused), "a line for each refused POST")
    # without these the test would have shown nothing
    is_([way for way in WAYS if not origin["ends"].get(way)], [], "connections ended in every way")
    lost = origin["lost"]
    ok(lost.get("idle"), "requests met an idle connection that was being closed")
    ok(lost.get("first byte of GET") and lost.get("whole GET"), "GETs got no answer at first")
    ok(refused, "POSTs did not, and were not tried again")


if REQUESTS > 20000:
    gomesh_tap.watchdog.cancel()  # each wait has its deadline
subtest("%d requests" % REQUESTS, race)
done()
