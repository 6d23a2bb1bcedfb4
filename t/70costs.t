#!/usr/bin/env python3
"""
What a request costs, counted and not timed: the same on every run and every machine of a kind. Requests go one
after the other over one connection, so nothing is shared between them: what is counted is the upper bound.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

FEW, MANY = 100, 600
SYSTEM_CALLS = 6  # wait, read and write, once for the request and once for the answer
INSTRUCTIONS = 12500
OFF = {"log": {"level": "warn", "format": "text"}, "tracing": {"enabled": False}, "metrics": {"path": ""}}
SAMPLED = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]  # one request in a hundred
ON = {"log": {"level": "info", "format": "json", "access": {"path": "access.log"}}}
OBSERVED = 4000  # instructions more, where all of it is on

if SLOW > 1:
    skip_all("sanitizers count differently")


def fixed(wire):
    """Answers without a look at what it is asked; the proxy's own costs do not depend on it."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}'
    while True:
        while b"\r\n\r\n" not in wire.buffer:
            if not wire.fill():
                return
        wire.buffer.clear()
        wire.send(answer)


def run_once(wrapper, requests, seconds, settings):
    """One proxy under a tool, from start to end, with so many requests."""
    config = proxy_config(free_port(), Origin(fixed).port, engine="gomesh", workers=1, **settings)
    port = config["proxy"]["listen_port"]
    process = Process(wrapper + [GOMESH, "proxy", "-config", write_file("costs.yaml", to_yaml(config))], name="proxy")
    wait_until(lambda: listens(port), "the proxy", seconds)
    client = Client(port, seconds=seconds)
    headers = [("User-Agent", "costs/1"), ("Accept", "*/*"), ("Accept-Encoding", "gzip")]
    for number in range(requests):
        response = client.request(target="/api/users", headers=headers + (SAMPLED if number % 100 == 50 else []))
        if response.status != 200:
            raise AssertionError("status %d" % response.status)
    client.close()
    process.stop(seconds=seconds)


def listens(port):
    try:
        Client(port).close()
        return True
    except OSError:
        return False


def per_request(count):
    """What one more request adds: start and end cancel out."""
    few, many = count(FEW), count(MANY)
    return (many - few) / (MANY - FEW)


def system_calls():
    strace = want_tool("strace")

    def count(requests):
        path = os.path.join(temporary_folder(), "strace")
        run_once([strace, "-D", "-f", "-qq", "-e", "trace=all", "-o", path], requests, 30, OFF)
        with open(path) as file:
            lines = file.readlines()
        calls = [re.sub(r"^\d+ +", "", line) for line in lines]
        return len([call for call in calls if re.match(r"[a-z_0-9]+\(", call) and "<... " not in call])

    calls = per_request(count)
    note("%.3f system calls per request" % calls)
    ok(SYSTEM_CALLS - 0.5 < calls <= SYSTEM_CALLS + 0.05, "%d system calls per request (%.3f)" % (SYSTEM_CALLS, calls))


def instructions():
    valgrind = want_tool("valgrind")

    def count(requests, settings):
        pattern = os.path.join(temporary_folder(), "callgrind.")
        run_once([valgrind, "--tool=callgrind", "--callgrind-out-file=" + pattern + "%p"], requests, 60, settings)
        total = 0
        for path in glob.glob(pattern + "*"):
            with open(path, errors="replace") as file:
                total += int(re.findall(r"^(?:summary|totals): (\d+)", file.read(), re.M)[-1])
            os.unlink(path)
        return total

    number = per_request(lambda requests: count(requests, OFF))
    ok(0 < number <= INSTRUCTIONS, "at most %d instructions per request (%d)" % (INSTRUCTIONS, number))
    collector = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"{}")))
    # one batch in each run, so that sending cancels out: under load hundreds of spans share one
    otlp = {"endpoint": "http://127.0.0.1:%d" % collector.port, "sample": 0, "delay": "1m"}
    more = per_request(lambda requests: count(requests, dict(ON, tracing={"otlp": otlp}))) - number
    ok(0 < more <= OBSERVED, "at most %d more with a line in JSON, a trace (one in 100 exported) and all counters (%d)" % (OBSERVED, more))


subtest("system calls", system_calls)
subtest("instructions", instructions)
done()
