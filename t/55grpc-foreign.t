#!/usr/bin/env python3
"""
gRPC as others write it: @grpc/grpc-js from the npm registry as client and as server, first with each other, then with
the proxy between them. All four kinds of call, metadata, sizes, compression, deadlines, cancellation, failures.
"""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import H2Proxy  # noqa: E402
from gomesh_http2_origin import H2Origin, proxy_to  # noqa: E402
from gomesh_npm import npm_install  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

PEER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "peers", "grpc_peer.js")
CANCELLED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 1, 3, 4, 5, 12, 14, 16
SUM = sha256(b"hello")
CALLS = ["unary", "metadata", "sizes", "sizes:gzip", "many", "many:gzip", "collect", "empty_collect", "repeat", "repeat:gzip",
         "empty_repeat", "slow", "chat", "chat:gzip", "fail", "unknown", "in_time", "deadline", "cancel", "break", "unary"]  # fmt: skip


class Server(Process):
    def __init__(self, pair=None, compresses=False, port=None):
        self.port = port or free_port()
        arguments = list(pair or ("-", "-")) + (["gzip"] if compresses else [])
        super().__init__(["node", PEER, FOLDER, "serve", str(self.port)] + arguments, name="grpc-js server")
        self.wait_line("^ready$")


def client(port, *scenarios, ca="-", **more):
    return Process(["node", PEER, FOLDER, "visit", "localhost:%d" % port, ca, *scenarios], name="grpc-js client", **more)


def seen_by(process):
    return {name: json.loads(text) for name, text in (line.split(" ", 1) for line in process.out if " " in line)}


def calls(server, port, ca="-"):
    visit = client(port, *CALLS, ca=ca)
    if not is_(visit.wait(120), 0, "the client ends well"):
        explain(visit, server)
    seen = seen_by(visit)
    got = seen["unary"]
    is_((got["code"], got["sum"], got["xsum"]), (0, SUM, SUM), "unary")
    got = seen["metadata"]
    is_(got["initial"], ["one, two, three"] if len(got["initial"]) == 1 else ["one", "two", "three"], "metadata there and back, in order")
    is_(got["trailing"], ["00ff0a0d2c", "07" * 300], "binary metadata")
    for how in ("", ":gzip"):
        is_([row for row in seen["sizes" + how] if row[1:] != [0, True, True]], [], "messages of 0 bytes to 4 MB" + how)
        is_(seen["many" + how], [True] * 200, "200 calls at once" + how)
        got = seen["repeat" + how]
        is_((got["code"], got["bytes"]), (0, 20000000), "server streaming: 1,000 messages, 20 MB" + how)
        got = seen["chat" + how]
        wanted = ["message %d" % n for n in range(50)] + ["you are done, I am not"]
        is_((got["code"], got["got"]), (0, wanted), "bidirectional, one by one, and behind a half-close" + how)
    is_((seen["collect"]["code"], seen["collect"]["text"]), (0, "100 " + sha256(b"".join(bytes([n]) * 10000 for n in range(100)))),
        "client streaming: 1 MB")  # fmt: skip
    is_((seen["empty_collect"]["code"], seen["empty_collect"]["text"]), (0, "0 " + sha256(b"")), "of no message at all")
    is_((seen["empty_repeat"]["code"], seen["empty_repeat"]["bytes"]), (0, 0), "server streaming without a message")
    is_((seen["slow"]["other"], seen["slow"]["rest"]["code"]), (0, 0), "a slow reader's other calls go on, and he gets it all")
    failures = [(got["code"], got["details"], got["why"]) for got in seen["fail"]]
    is_(failures, [(code, "d\xe9j\xe0 vu: 100%", "told to") for code in (3, 5, 16)], "the server's failures, with their words")
    is_(seen["unknown"]["code"], UNIMPLEMENTED, "a method that nobody has")
    is_(seen["in_time"]["code"], 0, "a deadline that is kept")
    is_(seen["deadline"]["code"], DEADLINE_EXCEEDED, "one that is not")
    left = int(server.wait_line(r"^sleeping (\d+)$").group(1))
    ok(left <= 200, "the server knew of it: %d ms" % left)
    server.wait_line("^cancelled Sleep$")
    is_(seen["cancel"]["code"], CANCELLED, "the client cancels")
    server.wait_line("^cancelled Chat$")
    is_((seen["break"]["code"], seen["break"]["details"], seen["break"]["parts"]), (CANCELLED, "changed my mind", ["one"]), "the server cancels")


def directly():
    server = Server()
    calls(server, server.port)


def through(**settings):
    server = Server()
    proxy = proxy_to(server, **settings)
    calls(server, proxy.port)
    is_([line for line in proxy.out if re.search("failed: (?!client_gone|deadline)", line)], [], "nothing failed that should not")
    is_(proxy.stop(), 0, "an orderly end")


def through_tls(pair):
    """TLS on both sides, with ALPN; and messages that the server compresses."""
    server = Server(pair, compresses=True)
    tls = {"ca_file": pair[0], "server_name": "localhost"}
    proxy = H2Proxy({"host": "127.0.0.1", "port": server.port, "tls": tls}, pair=pair)
    calls(server, proxy.tls_port, pair[0])
    is_(proxy.stop(), 0, "an orderly end")


def backend_down():
    proxy = H2Proxy({"host": "127.0.0.1", "port": free_port(), "protocol": "h2"})
    visit = client(proxy.port, "unary", "repeat", "collect")
    is_(visit.wait(60), 0, "the client ends well")
    for name, got in seen_by(visit).items():
        is_(got["code"], UNAVAILABLE, name + ": UNAVAILABLE")
        like(got["details"], "connect_refused", "its message names the failure")


def deadline_at_the_origin():
    """What the origin is told is never more than the client said."""
    origin = H2Origin()
    proxy = proxy_to(origin)
    visit = client(proxy.port, "deadline")
    seen = origin.wait_stream(1)
    match = re.fullmatch(r"([0-9]{1,8})([HMSmun])", seen.get("grpc-timeout") or "")
    ok(match, "grpc-timeout: %s" % seen.get("grpc-timeout"))
    seconds = int(match.group(1)) * {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}[match.group(2)]
    ok(0 < seconds <= 0.2, "%g seconds of 0.2" % seconds)
    is_((seen.method, seen.get("te"), seen.get("content-type")), ("POST", "trailers", "application/grpc"), "a gRPC request")
    ok(seen.wait_reset() in ("CANCEL", "NO_ERROR"), "it is told when the time is over")
    is_(visit.wait(60), 0, "the client ends well")
    is_(seen_by(visit)["deadline"]["code"], DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def cancelled():
    """A call that has no answer yet."""
    server = Server()
    proxy = proxy_to(server)
    visit = client(proxy.port, "cancel_unary", "unary", stdin=subprocess.PIPE)
    server.wait_line("^sleeping for ever$")
    visit.popen.stdin.write(b"now\n")
    visit.popen.stdin.close()
    server.wait_line("^cancelled Sleep$")
    is_(visit.wait(60), 0, "the client ends well")
    is_((seen_by(visit)["cancel_unary"]["code"], seen_by(visit)["unary"]["code"]), (CANCELLED, 0), "CANCELLED, and the next call is served")


def server_dies():
    server = Server()
    proxy = proxy_to(server)
    visit = client(proxy.port, "torrent", "unary")
    visit.wait_line("^begun$")
    server.kill()
    is_(visit.wait(60), 0, "the client ends well")
    seen = seen_by(visit)
    ok(seen["torrent"]["code"] != 0, "a stream that breaks off is no success (%d)" % seen["torrent"]["code"])
    is_(seen["unary"]["code"], UNAVAILABLE, "the next call: UNAVAILABLE")
    Server(port=server.port)
    visit = client(proxy.port, "unary")
    is_((visit.wait(60), seen_by(visit)["unary"]["code"]), (0, 0), "and served again as soon as there is a server")


def proxy_drains():
    """SIGTERM while a stream runs: it may finish within shutdown_timeout, and is cut with a status after it."""
    server = Server()
    proxy = proxy_to(server, timeout={"shutdown_timeout": duration(500)})
    visit = client(proxy.port, "torrent")
    visit.wait_line("^begun$")
    is_(proxy.stop(), 0, "an orderly end")
    is_(visit.wait(60), 0, "the client ends well")
    ok(seen_by(visit)["torrent"]["code"] != 0, "the stream that would not end has failed")


FOLDER, WHY = npm_install("@grpc/grpc-js@1.14.7")
if not FOLDER:
    skip_all(WHY)
subtest("client and server with each other", directly)
subtest("through the proxy", through)
subtest("over TLS on both sides", through_tls, certificate("grpc"))
subtest("the backend is down", backend_down)
subtest("deadlines at the origin", deadline_at_the_origin)
subtest("cancelled before an answer", cancelled)
subtest("the server dies", server_dies)
subtest("the proxy drains", proxy_drains)
done()
