#!/usr/bin/env python3
"""
What a request costs, counted and not timed: the same on every run and every machine of a kind. Requests go one
after the other over one connection, so nothing is shared between them: what is counted is the upper bound.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, backend_of  # noqa: E402
from gomesh_tap import Skip, now  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

FEW, MANY, TRACED = 100, 600, 2100
SYSTEM_CALLS = 6  # wait, read and write, once for the request and once for the answer
INSTRUCTIONS = 11800
HTTP2_INSTRUCTIONS = 39000  # from HTTP/2 to HTTP/2
OFF = {"log": {"level": "warn", "format": "text"}, "tracing": {"enabled": False}, "metrics": {"path": ""}}
SAMPLED = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]  # one request in a hundred
ON = {"log": {"level": "info", "format": "json", "access": {"path": "access.log"}}}
OBSERVED = 4000  # instructions more, where all of it is on
OBSERVED_CALLS = 0.1  # system calls more
NAP = 0.05  # seconds: what telemetry/log_stream.c lets lines gather for
NAP_CALLS = 3  # the wait and its end, with the lock taken anew, and the write

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


def fixed_http2(stream):
    """The same over HTTP/2: head and body in one piece."""
    head = hpack.encode([(":status", "200"), ("content-type", "application/json"), ("content-length", "15")])
    stream.session.send(header_frames(stream.number, head) + frame(DATA, END_STREAM, stream.number, b'{"status":"ok"}'))


def run_once(wrapper, requests, seconds, settings, http2=False):
    """
    One proxy under a tool, from start to end, with so many requests. Returns how long they took, and the ids of the
    threads that write logs.
    """
    backend = backend_of(H2Origin(fixed_http2)) if http2 else Origin(fixed).port
    config = proxy_config(free_port(), backend, engine="gomesh", workers=1, **settings)
    port = config["proxy"]["listen_port"]
    process = Process(wrapper + [GOMESH, "proxy", "-config", write_file("costs.yaml", to_yaml(config))], name="proxy")
    wait_until(lambda: listens(port), "the proxy", seconds)
    client = H2Client(port, seconds=seconds, credit=False) if http2 else Client(port, seconds=seconds)
    headers = [("user-agent", "costs/1"), ("accept", "*/*"), ("accept-encoding", "gzip")]
    began = now()
    for number in range(requests):
        response = client.request("GET", "/api/users", headers=headers + (SAMPLED if number % 100 == 50 else []))
        if response.status != 200:
            raise AssertionError("status %d" % response.status)
    took, writers = now() - began, threads_called("gm-log", process.pid)
    client.close()
    process.stop(seconds=seconds)
    return took, writers


def threads_called(name, pid):
    found = set()
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        with open(path) as file:
            if file.read().strip() == name:
                found.add(int(path.split("/")[-2]))
    return found


def listens(port):
    try:
        Client(port).close()
        return True
    except OSError:
        return False


def per_request(count, requests=MANY):
    """What one more request adds: start and end cancel out."""
    few, many = count(FEW), count(requests)
    return (many - few) / (requests - FEW)


def traced(requests, settings, **kind):
    """The thread of each system call, how long the requests took, and the threads that write logs."""
    path = os.path.join(temporary_folder(), "strace")
    command = [want_tool("strace"), "-f", "-qq", "-e", "trace=all", "-o", path]
    if subprocess.run(command + ["true"], capture_output=True).returncode != 0:
        raise Skip("strace may not be used here")
    took, writers = run_once(command[:1] + ["-D"] + command[1:], requests, 30, settings, **kind)
    with open(path) as file:
        begun = [re.match(r"(\d+) +[a-z_0-9]+\((?!.*<\.\.\. )", line) for line in file]
    return [int(call.group(1)) for call in begun if call], took, writers


def system_calls():
    calls = per_request(lambda requests: len(traced(requests, OFF)[0]), TRACED)
    note("%.3f system calls per request" % calls)
    ok(SYSTEM_CALLS - 0.5 < calls <= SYSTEM_CALLS + 0.05, "%d system calls per request (%.3f)" % (SYSTEM_CALLS, calls))
    observed_calls(calls)


def system_calls_http2():
    calls = per_request(lambda requests: len(traced(requests, OFF, http2=True)[0]), TRACED)
    name = "%d system calls per request from HTTP/2 to HTTP/2 (%.3f)" % (SYSTEM_CALLS, calls)
    ok(SYSTEM_CALLS - 0.5 < calls <= SYSTEM_CALLS + 0.1, name)


def observed_calls(off):
    """
    What all of it adds is of two kinds, held apart by thread. What the workers do themselves is nothing. Who writes
    the lines makes NAP_CALLS each NAP, however many lines came meanwhile (a nap that they end early, one in some
    hundred lines, saves more than it costs). So with R requests a second all of it adds NAP_CALLS / NAP / R to each:
    at most OBSERVED_CALLS from 600 a second on. The bounds below are for any speed, as they know the time it took;
    where the machine is fast enough under strace, the plain sum is looked at, too.
    """
    writing, took = {}, {}
    observed = dict(ON, tracing={"otlp": {"endpoint": "http://127.0.0.1:%d" % collecting(), "sample": 0, "delay": "1m"}})

    def count(requests):
        threads, took[requests], writers = traced(requests, observed)
        is_(len(writers), 2, "two threads write, one for each log")
        writing[requests] = len([thread for thread in threads if thread in writers])
        return len(threads) - writing[requests]

    # a line after a pause longer than a nap wakes somebody: there is none, but where the machine makes one
    own, naps, more = per_request(count, TRACED) - off, took[TRACED] / NAP + 1, TRACED - FEW
    written = writing[TRACED] - writing[FEW]
    ok(own * more <= more / 100 + naps, "workers and all others: %.3f more per request" % own)
    ok(0 < written <= NAP_CALLS * naps + 10, "the log's writer: %d in %d naps" % (written, naps))
    total = own + written / more
    if (NAP_CALLS + 1) * naps + 10 <= (OBSERVED_CALLS - 0.01) * more:
        ok(total <= OBSERVED_CALLS, "with all of it on at most %.1f system calls more (%.3f)" % (OBSERVED_CALLS, total))
    else:
        note("%.3f more in all, but the machine is too slow for this to say something" % total)


def collecting():
    """A collector of spans, and its port."""
    return Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"{}"))).port


def instructions():
    valgrind = want_tool("valgrind")

    def count(requests, settings, **kind):
        pattern = os.path.join(temporary_folder(), "callgrind.")
        run_once([valgrind, "--tool=callgrind", "--callgrind-out-file=" + pattern + "%p"], requests, 60, settings, **kind)
        total = 0
        for path in glob.glob(pattern + "*"):
            with open(path, errors="replace") as file:
                total += int(re.findall(r"^(?:summary|totals): (\d+)", file.read(), re.M)[-1])
            os.unlink(path)
        return total

    number = per_request(lambda requests: count(requests, OFF))
    ok(0 < number <= INSTRUCTIONS, "at most %d instructions per request (%d)" % (INSTRUCTIONS, number))
    http2 = per_request(lambda requests: count(requests, OFF, http2=True))
    ok(0 < http2 <= HTTP2_INSTRUCTIONS, "at most %d from HTTP/2 to HTTP/2 (%d)" % (HTTP2_INSTRUCTIONS, http2))
    # one batch in each run, so that sending cancels out: under load hundreds of spans share one
    otlp = {"endpoint": "http://127.0.0.1:%d" % collecting(), "sample": 0, "delay": "1m"}
    more = per_request(lambda requests: count(requests, dict(ON, tracing={"otlp": otlp}))) - number
    ok(0 < more <= OBSERVED, "at most %d more with a line in JSON, a trace (one in 100 exported) and all counters (%d)" % (OBSERVED, more))


subtest("system calls", system_calls)
subtest("system calls of HTTP/2", system_calls_http2)
subtest("instructions", instructions)
done()
