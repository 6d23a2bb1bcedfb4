#!/usr/bin/env python3
"""Where TLS ends: tunnels that are closed on one side, answers that are cut, what stalls, and what is one record."""
import os
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import issued_certificate  # noqa: E402

MIB = 1 << 20
SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def client_context():
    context = ssl.create_default_context(cafile=ca[0])
    context.check_hostname = False
    return context


def secret(handler):
    """An origin's handler inside TLS."""

    def serve(wire):
        try:
            wire.sock = server_context().wrap_socket(wire.sock, server_side=True, suppress_ragged_eofs=False)
        except (ssl.SSLError, ConnectionError):
            return
        handler(wire)

    return serve


def proxy_for(handler, tls_origin, **settings):
    """A proxy with both listeners, before an origin with TLS or without."""
    origin = Origin(secret(handler) if tls_origin else handler)
    config = proxy_config(free_port(), **settings)
    backend = {"host": "127.0.0.1", "port": origin.port}
    if tls_origin:
        backend["tls"] = {"ca_file": ca[0], "server_name": "backend.test"}
    tls_port = free_port()
    config["proxy"].update({"backend": backend, "workers": 1})
    config["proxy"]["tls"] = {"listen_port": tls_port, "cert_file": pair[0], "key_file": pair[1]}
    proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
    proxy.tls_port = tls_port
    return proxy, origin


def connect(proxy, tls, **options):
    port = proxy.tls_port if tls else proxy.port
    return Client(port, tls=client_context() if tls else None, server_name="backend.test", **options)


def ends(wire):
    """Waits for the end of what comes; whether it was closed, not cut."""
    try:
        while wire.fill():
            pass
        return True
    except (ssl.SSLError, ConnectionError):
        return False


def tunnel(tls_client, tls_origin):
    what = "%s to %s" % (("TLS", "plain")[not tls_client], ("TLS", "plain")[not tls_origin])
    heard, told = [], threading.Event()

    def handler(wire):
        request = wire.read_request_head()
        if request is None:
            return
        wire.send(SWITCHED)
        if request.target == "/origin-first":
            wire.send(b"bye")
            (wire.sock.unwrap if tls_origin else wire.half_close)()
            return
        heard.append(ends(wire) and bytes(wire.buffer))
        told.set()

    proxy, _origin = proxy_for(handler, tls_origin)
    upgrade = [("Connection", "upgrade"), ("Upgrade", "x")]
    client = connect(proxy, tls_client)
    client.send_request(target="/origin-first", headers=upgrade)
    is_(client.read_response_head().status, 101, what + ": a tunnel")
    ok(ends(client), what + ": the client is told that the backend has ended")
    is_(bytes(client.buffer), b"bye", "behind its last bytes")
    client.close()
    client = connect(proxy, tls_client)
    client.send_request(target="/client-first", headers=upgrade)
    is_(client.read_response_head().status, 101, "another")
    client.send(b"that was all")
    if tls_client:
        background(client.sock.unwrap)
    else:
        client.half_close()
    ok(told.wait(deadline(15)), what + ": the backend is told that the client has ended")
    is_(heard, [b"that was all"], "behind its last bytes")


def cut(framing):
    """A backend with TLS whose connection ends within its answer, or behind it without having said so."""
    heads = {
        "length": "Content-Length: 10\r\n\r\nhalf",
        "chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "close": "\r\nhalf",
    }

    def handler(wire):
        request = wire.read_request_head()
        if request is None:
            return
        wire.send("HTTP/1.1 200 OK\r\n" + heads[framing])
        if request.target == "/closed":
            wire.sock.unwrap()
        else:
            wire.sock.shutdown(socket.SHUT_RDWR)  # without close_notify

    for tls_client in (False, True):
        proxy, _origin = proxy_for(handler, True)
        for version in ("1.0", "1.1"):
            client = connect(proxy, tls_client)
            client.send_request(target="/cut", version=version)
            try:
                client.read_body(client.read_response_head(), until_end=True)
                whole = client.ends()
            except (ProtocolError, ConnectionError, ssl.SSLError):
                whole = False
            ok(not whole, "%s, HTTP/%s, %s: it is not whole" % (framing, version, ("plain", "TLS")[tls_client]))
        proxy.wait_line(r"failed: response_truncated ")
        if framing == "close":
            client = connect(proxy, tls_client)
            is_(client.request(target="/closed").text, "half", "with close_notify it is")


def memory():
    """Twenty transfers of 8 MiB each way that stall."""
    if SLOW != 1:
        raise Skip("a sanitizer's memory tells nothing")

    def handler(wire):
        request = wire.read_request_head()
        if request is None or request.target == "/up":
            while not wire.origin.stopped:
                threading.Event().wait(0.05)
            return
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * MIB))
        wire.sock.settimeout(1)
        wire.send(b"x" * (8 * MIB))

    for direction, tls_client in (("/down", False), ("/up", True)):
        proxy, origin = proxy_for(handler, not tls_client)
        before, clients = proxy.resident_kib(), []
        for _ in range(20):
            client = connect(proxy, tls_client)
            if direction == "/down":
                client.send_request(target=direction)
            else:
                client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (8 * MIB))
                client.sock.settimeout(1)
                try:
                    client.send(b"x" * (8 * MIB))
                except (socket.timeout, ssl.SSLError):
                    pass
            clients.append(client)
        origin.wait(lambda self: self.connections == 20, "all of them")
        if direction == "/down":
            origin.wait(lambda self: not self.open, "all to stall", 20)  # nothing more could be sent for a second
        each = (proxy.resident_kib() - before) // 20
        ok(each <= 256, "%s over TLS: %d KiB each" % (direction[1:], each))
        del clients


def records():
    """Head and first bytes of an answer, and a chunk with its size, travel as one record."""
    pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"]
    go_on = threading.Semaphore(0)

    def handler(wire):
        while wire.read_request() is not None:
            for piece in pieces:
                wire.send(piece)
                go_on.acquire()

    proxy, _origin = proxy_for(handler, False)
    client = connect(proxy, True)
    client.send_request()
    for wanted in (rb"\AHTTP/1\.1 200 OK\r\n(.+\r\n)+\r\n5\r\nfirst\r\n\Z", rb"\A6\r\nsecond\r\n\Z", rb"\A0\r\n\r\n\Z"):
        got = client.sock.recv(65536)  # one record at most, as OpenSSL has it
        like(got.decode(), wanted.decode(), "one record: %r" % got[-20:])
        go_on.release()


def key_update():
    """A client changes its keys and wants ours changed: the answer has to be written while we read."""
    proxy, _origin = proxy_for(lambda wire: [wire.send(http_message("HTTP/1.1 200 OK", [], b"fine")) for _ in iter(wire.read_request, None)], False)
    client = Process(
        [want_tool("openssl"), "s_client", "-connect", "127.0.0.1:%d" % proxy.tls_port, "-tls1_3"],
        name="s_client",
        stdin=subprocess.PIPE,
    )
    client.wait_line("read R BLOCK|Verify return code|New, TLSv1.3")
    for letter in "Kk":  # with and without the wish that we do the same
        seen = len(client.err)
        client.popen.stdin.write(letter.encode() + b"\n")
        client.popen.stdin.flush()
        client.wait_line("^KEYUPDATE", stream="err", start=seen)
        before = client.count("HTTP/1.1 200 OK")
        client.popen.stdin.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.popen.stdin.flush()
        wait_until(lambda: client.count("HTTP/1.1 200 OK") > before, "an answer")
        ok(True, "after %s there are answers" % letter)
    client.popen.stdin.close()
    client.wait()


if ENGINE == "h2o":
    skip_all("the library does TLS by itself")
ca = issued_certificate("authority")
pair = issued_certificate("backend", ca, "DNS:backend.test")
for tls_client in (False, True):
    for tls_origin in (False, True):
        subtest("a tunnel", tunnel, tls_client, tls_origin)
for framing in ("length", "chunked", "close"):
    subtest("a cut answer, " + framing, cut, framing)
subtest("memory", memory)
subtest("records", records)
subtest("new keys", key_update)
done()
