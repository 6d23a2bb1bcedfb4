#!/usr/bin/env python3
"""
libh2o's own HTTP/2 server, which a legal sequence of frames can end with the process, is behind none of our doors: not
for a preface, nor an upgrade, nor ALPN, with either engine. Ours is told by a setting that the library does not know.
"""
import os
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import PREFACE, H2Client, frame, h2_context  # noqa: E402
from gomesh_process import GOMESH  # noqa: E402
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import certificate, run, want_tool  # noqa: E402

CONNECT_PROTOCOL = 8
UPGRADE = (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\n"
           b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")  # fmt: skip


def answering_fine():
    return Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"fine")))


def first_bytes(port, data, **connection):
    """What comes back, as far as it tells which protocol it is."""
    try:
        client = Client(port, **connection)
    except (OSError, ssl.SSLError):
        return b"no handshake"
    client.send(data)
    try:
        while len(client.buffer) < 12 and client.fill():
            pass
    except OSError:
        pass
    client.close()
    return bytes(client.buffer[:12])


def is_http1(got):
    return got in (b"", b"no handshake") or got.startswith(b"HTTP/1.")


def doors(what, port, tls_port=None):
    ok(is_http1(first_bytes(port, PREFACE + frame(4))), "%s: a preface gets no HTTP/2" % what)
    for name in (b"h2c", b"h2c-14", b"h2c-16", b"H2C"):
        got = first_bytes(port, UPGRADE % name)
        ok(got.startswith(b"HTTP/1.1 ") and not got.startswith(b"HTTP/1.1 1"), "%s: an upgrade to %s is none" % (what, name.decode()))
    for names in (("h2",), ("h2-14",), ("h2-16",), ("h2-14", "http/1.1")) if tls_port else ():
        got = first_bytes(tls_port, PREFACE + frame(4), tls=h2_context(protocols=names))
        ok(is_http1(got), "%s: nor does ALPN with %s (%r)" % (what, names[0], got))


def imports():
    nm = want_tool("nm")
    names = run([nm, "-D", "--undefined-only", GOMESH]).stdout.decode().split()
    ok("h2o_accept" in names, "what the program takes from the library can be seen")
    is_([name for name in names if name.startswith("h2o_http2_")], [], "nothing of it is about HTTP/2")
    ok("nghttp2_session_server_new3" in names, "that is nghttp2's")


def start(engine, **settings):
    pair, tls_port = certificate("library-" + engine), free_port()
    tls = {"listen_port": tls_port, "cert_file": pair[0], "key_file": pair[1]}
    return Proxy(answering_fine().port, engine=engine, tls=tls, **settings), tls_port


def engine_h2o():
    proxy, tls_port = start("h2o")
    doors("engine h2o", proxy.port, tls_port)
    is_(once(proxy.port).text, "fine", "it lives on")
    is_(proxy.stop(), 0, "exit code 0")


def engine_gomesh():
    proxy, tls_port = start("gomesh", http2={"enabled": False})
    doors("HTTP/2 off", proxy.port, tls_port)
    proxy, tls_port = start("gomesh")
    for name in (b"h2c", b"h2c-14", b"h2c-16"):
        ok(first_bytes(proxy.port, UPGRADE % name).startswith(b"HTTP/1.1 200"), "an upgrade to %s is none" % name.decode())
    for name in ("h2-14", "h2-16"):
        ok(is_http1(first_bytes(tls_port, PREFACE + frame(4), tls=h2_context(protocols=[name]))), "nor does ALPN know %s" % name)
    for client in (H2Client(proxy.port), H2Client(tls_port, tls=h2_context())):
        is_(client.request(path="/").text, "fine", "HTTP/2")
        is_(client.peer.get(CONNECT_PROTOCOL), 1, "is ours")
    is_(proxy.stop(), 0, "exit code 0")


def others():
    """The window for operators and the test backend are on their own."""
    admin, backend = free_port(), Backend()
    proxy = Proxy(backend.port, admin={"listen": "127.0.0.1:%d" % admin})
    doors("admin window", admin)
    doors("test backend", backend.port)
    is_((proxy.stop(), backend.stop()), (0, 0), "exit code 0")


subtest("imports", imports)
subtest("engine h2o", engine_h2o)
subtest("engine gomesh", engine_gomesh)
subtest("others", others)
done()
