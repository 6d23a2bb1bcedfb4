#!/usr/bin/env python3
"""Prometheus' own tool reads a page of metrics, and the names that dashboards rely on are on it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import run, want_tool  # noqa: E402

PAGE = os.path.join(os.path.dirname(GOMESH), "t", "00unit", "telemetry", "metrics.t")
DURATIONS = ["0.001", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"]


def page():
    """One with something in every family."""
    done = run([PAGE, "page"])
    is_((done.returncode, done.stderr), (0, b""), "a page is printed")
    return done.stdout


def promtool():
    tool = want_tool("promtool")
    text = page()
    done = run([tool, "check", "metrics"], input=text)
    is_((done.returncode, (done.stdout + done.stderr).decode()), (0, ""), "promtool has nothing to say about it")
    broken = text.replace(b"# TYPE gomesh_bytes_total counter", b"# TYPE gomesh_bytes_total gauge")
    ok(run([tool, "check", "metrics"], input=broken).returncode != 0, "but has about a name that does not fit its type")
    ok(run([tool, "check", "metrics"], input=text + b"x 1\nx 1\n").returncode != 0, "and about a series that comes twice")


def names():
    """Of the first version of GoMesh."""
    text = page().decode()
    for family, kind in (
        ("gomesh_requests_total", "counter"),
        ("gomesh_request_duration_seconds", "histogram"),
        ("gomesh_requests_in_flight", "gauge"),
        ("gomesh_errors_total", "counter"),
    ):
        ok("\n# TYPE %s %s\n" % (family, kind) in text, "%s is a %s" % (family, kind))
    like(text, r'(?m)^gomesh_requests_total\{service="users",status="2xx"\} \d+$', "requests by service and status")
    like(text, r'(?m)^gomesh_errors_total\{service="users",error_type="[a-z_]+"\} \d+$', "errors by service and type")
    like(text, r"(?m)^gomesh_requests_in_flight \d+$", "requests in flight, without labels")
    bounds = re.findall(r'(?m)^gomesh_request_duration_seconds_bucket\{service="users",le="([^"]+)"\} ', text)
    is_(bounds, DURATIONS, "the bounds of durations")


subtest("promtool", promtool)
subtest("names", names)
done()
