#!/usr/bin/env python3
"""OpenTelemetry's own packages read our spans; they come from the npm registry, and are not needed for anything else."""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import run  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
ID = "0af7651916cd43dd8448eb211c80319c"
PACKAGES = ["@opentelemetry/otlp-transformer@0.203.0", "@opentelemetry/semantic-conventions@1.36.0"]


def install():
    """The folder with the packages; leaves with a note where they cannot be had."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            skip_all("%s is not installed" % tool)
    folder = temporary_folder()
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--fetch-retries=0", "--loglevel=error"]
    try:
        done = run(["npm", "install", "--prefix", folder, "--cache", os.path.join(folder, "cache"), *quiet, *PACKAGES], seconds=120)
        problem = done.stderr.decode("utf-8", "replace").strip() if done.returncode else None
    except Exception as error:  # it takes too long
        problem = str(error)
    if problem:
        note(problem[:500])
        skip_all("the npm registry is away, or does not have %s" % PACKAGES[0])
    return folder


def spans(receiver, folder):
    port = int(receiver.wait_line(r"^port (\d+)$").group(1))
    backend = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"hello")))
    otlp = {"endpoint": "http://127.0.0.1:%d" % port, "sample": 1, "delay": "10ms"}
    proxy = Proxy(backend.port, tracing={"otlp": otlp}, routes=[
        {"name": "down", "match": {"path": {"prefix": "/down"}}, "backend": {"host": "127.0.0.1", "port": free_port()}}])  # fmt: skip
    parent = [("traceparent", "00-%s-b7ad6b7169203331-01" % ID), ("tracestate", "a=1"), ("User-Agent", "\xff")]
    is_(once(proxy.port, "POST", "/a?b", parent, b"body").status, 200, "a request")
    is_(once(proxy.port, "BREW", "/down/x").status, 502, "one that fails")
    is_(once(proxy.port, "POST", "/a.B/C", [("Content-Type", "application/grpc")], b"").status, 200, "a call of gRPC's")
    is_(proxy.stop(), 0, "all spans are out")
    batches = [json.loads(line) for line in receiver.out if line.startswith("{")]
    is_([batch["problems"] for batch in batches if batch["problems"]], [], "they are understood, to the last attribute")
    got = [tuple(span[:2]) for batch in batches for span in batch["spans"]]
    is_(got, [(2, "POST /"), (3, "POST"), (2, "HTTP /down"), (3, "HTTP"), (2, "POST /"), (3, "POST")], "kinds and names")
    is_([span[2] for batch in batches for span in batch["spans"]][:2], [ID] * 2, "the client's trace")


FOLDER = install()
subtest("spans", lambda: spans(Process(["node", os.path.join(HERE, "peers", "otlp_receiver.js"), FOLDER]), FOLDER))
done()
