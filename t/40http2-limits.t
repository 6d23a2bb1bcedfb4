#!/usr/bin/env python3
"""
What clients of HTTP/2 may not do, or not so often: floods end in GOAWAY ENHANCE_YOUR_CALM within 200 frames, limits hold,
memory stays small. And what honest clients do, however much of it, is never cut.
"""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

KIB, MIB = 1 << 10, 1 << 20
FLOOD = 200
CALM = "GOAWAY ENHANCE_YOUR_CALM"


class Scripted(Origin):
    """Serves /fine, takes /hold without an answer, does not read the body of /deaf, and pours /torrent out."""

    def __init__(self):
        self.go_on = threading.Event()
        super().__init__(self.dispatch)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
        closing(self.go_on.set)

    def dispatch(self, wire):
        while True:
            head = wire.read_request_head()
            if head is None:
                return
            self.saw(head)
            kind = head.target.split("/")[1]
            if kind == "fine":
                wire.read_body(head, until_end=False)
                wire.send(http_message("HTTP/1.1 200 OK", [], b"fine %d" % len(head.body)))
            elif kind == "torrent":
                wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(1024):
                    wire.send(b"10000\r\n" + bytes(64 * KIB) + b"\r\n")
                wire.send("0\r\n\r\n")
            elif kind == "deaf":
                self.go_on.wait(deadline(60))
                return
            else:
                try:
                    while wire.sock.recv(65536):
                        pass
                except ConnectionError:
                    pass
                return


def scripted(**settings):
    origin = Scripted()
    return origin, H2Proxy(origin.port, workers=1, **settings)


def lives_on(client, name="the connection goes on"):
    is_(client.request(path="/fine/more").text, "fine 0", name)


def grown(proxy, before):
    return 0 if SLOW != 1 else proxy.resident_kib() - before


def block_of(client, method="GET", path="/hold", headers=()):
    return hpack.encode(client.fields(method, path, headers))


# --- floods -----------------------------------------------------------------------------------------------------------------


def new_streams(client, count=FLOOD):
    return [client.open_stream() for _ in range(count)]


def reset_by_us(client, path="/hold"):
    return [header_frames(stream, block_of(client, path=path), True) + frame(RST_STREAM, 0, stream, number(8))
            for stream in new_streams(client)]


def made_to_reset(*provocation, method="POST", headers=()):
    """Requests, each with a frame behind it that has the proxy reset the stream."""

    def frames(client):
        block = block_of(client, method, "/hold", headers)
        return [header_frames(stream, block) + frame(provocation[0], provocation[1], stream, provocation[2])
                for stream in new_streams(client)]

    return frames


def malformed(client):
    return [header_frames(stream, block_of(client, headers=[("X-Upper", "1")]), True) for stream in new_streams(client)]


def empty_heads(client):
    return [frame(HEADERS, END_HEADERS | END_STREAM, stream) for stream in new_streams(client)]


def on_open_stream(*arguments):
    def frames(client):
        stream = client.send_headers(None, client.fields("POST", "/hold"))
        return [frame(*[stream if argument == "stream" else argument for argument in arguments])] * FLOOD

    return frames


def anywhere(*arguments):
    return lambda client: [frame(*arguments)] * FLOOD


def continuations(payload):
    def frames(client):
        stream = client.open_stream()
        return [frame(HEADERS, END_STREAM, stream)] + [frame(CONTINUATION, 0, stream, payload)] * FLOOD

    return frames


# What ends in other words besides: the frame may be an error of the connection by itself, or end it in its own way.
FLOODS = [
    ("rapid reset", reset_by_us),
    ("rapid reset of what is answered at once", lambda client: reset_by_us(client, "/fine/x")),
    ("a reset provoked by WINDOW_UPDATE of 0", made_to_reset(WINDOW_UPDATE, 0, number(0)), "GOAWAY PROTOCOL_ERROR"),
    ("a reset provoked by too large a window", made_to_reset(WINDOW_UPDATE, 0, number(BIGGEST_WINDOW)), "GOAWAY FLOW_CONTROL_ERROR"),
    ("a reset provoked by more than content-length", made_to_reset(DATA, 0, b"abc", headers=[("content-length", "1")])),
    ("a reset provoked by less", made_to_reset(DATA, END_STREAM, b"abc", headers=[("content-length", "9")])),
    ("a reset provoked by PRIORITY of itself", made_to_reset(PRIORITY, 0, bytes(4)), "GOAWAY FRAME_SIZE_ERROR"),
    ("a reset provoked by bad trailers", made_to_reset(HEADERS, END_HEADERS | END_STREAM, hpack.encode([("X", "1")]))),
    ("malformed heads", malformed),
    ("empty heads", empty_heads),
    ("PING", anywhere(PING, 0, 0, bytes(8))),
    ("SETTINGS", anywhere(SETTINGS)),
    ("SETTINGS that change the windows", anywhere(SETTINGS, 0, 0, settings_payload([(INITIAL_WINDOW, 1), (INITIAL_WINDOW, 99999)]))),
    ("empty DATA", on_open_stream(DATA, 0, "stream")),
    ("DATA of nothing but padding", on_open_stream(DATA, PADDED, "stream", padded(b"", 255))),
    # which error it is, is left to the server (RFC 9113, 10.5)
    ("empty CONTINUATION", continuations(b""), "GOAWAY PROTOCOL_ERROR"),
    ("CONTINUATION without end", continuations(hpack.literal("x", "y")), "GOAWAY PROTOCOL_ERROR"),
    ("WINDOW_UPDATE of 1 for the connection", anywhere(WINDOW_UPDATE, 0, 0, number(1))),
    ("WINDOW_UPDATE of 1 for a stream", on_open_stream(WINDOW_UPDATE, 0, "stream", number(1))),
]


def floods():
    origin, proxy = scripted()
    other = proxy.client()
    for name, frames, *also in FLOODS:
        client = proxy.client()
        client.flood(frames(client))
        got = client.outcome(answers=False, seconds=5)
        ok(got in [CALM] + also, "%s: %s" % (name, got))
        ok(client.closed(5), "%s: and the connection is closed" % name)
        lives_on(other, "%s: another client is served" % name)
        client.close()
    origin.wait(lambda self: len(self.open) <= 1, "the end of what floods have begun")
    ok(True, "nothing of it goes on at the origin")
    is_(proxy.stop(), 0, "exit code 0")


def floods_unread():
    """The same where the client does not read, so that answers find no room: they must not pile up."""
    _origin, proxy = scripted(timeout={"write_timeout": duration(2000)})
    lives_on(proxy.client())
    before = proxy.resident_kib()
    for name, one in (("PING", frame(PING, 0, 0, bytes(8))), ("SETTINGS", frame(SETTINGS, 0, 0, settings_payload([(INITIAL_WINDOW, 99)])))):
        client = proxy.client(receive_buffer=4096, seconds=5)
        client.flood([one] * 100000)
        ok(client.closed(), "%s: the connection is closed" % name)
    ok(grown(proxy, before) < MIB // KIB, "little is in memory (%d KiB)" % grown(proxy, before))
    lives_on(proxy.client(), "the proxy lives on")


def harmless_frames():
    """Frames that mean nothing may be ignored for ever; if they are too much for the proxy, it says so."""
    origin, proxy = scripted()
    other = proxy.client()
    lives_on(other)
    before = proxy.resident_kib()
    for name, frames in (
        ("PRIORITY of ever new streams", [frame(PRIORITY, 0, 2 * at + 1001, bytes(4) + b"\1") for at in range(20000)]),
        ("unknown frames", [frame(99, 0, 0, b"x" * 16)] * 20000),
        ("HEADERS of a stream that is over", [header_frames(1, block_of(other), True)] * 2000),
        ("DATA of a stream that is over", [frame(DATA, 0, 1, b"x" * 1000)] * 2000),
        ("answers to no PING", [frame(PING, ACK, 0, bytes(8))] * 2000),
    ):
        client = proxy.client()
        lives_on(client)
        count = len(origin.requests)
        client.flood(frames)
        got = client.outcome(answers=False)
        ok(got in (CALM, "ignored", "GOAWAY STREAM_CLOSED"), "%s: %s" % (name, got))
        if got == "ignored":
            lives_on(client)
            count += 1
            stream = client.start("POST", "/fine/x", body=bytes(3 * MIB))
            is_(client.response(stream).text, "fine %d" % (3 * MIB), "and the connection has its windows")
            count += 1
        is_(len(origin.requests), count, "the origin sees nothing of it")
    ok(grown(proxy, before) < 3 * MIB // KIB, "little is in memory (%d KiB)" % grown(proxy, before))
    lives_on(proxy.client(), "the proxy lives on")


# --- heads ----------------------------------------------------------------------------------------------------------------------


def beside_an_upload(proxy, name, send, want):
    """A head that is refused; an upload of the same connection arrives, and a request after it."""
    client = proxy.client()
    upload = client.send_headers(None, client.fields("POST", "/fine/upload"))
    client.send_data(upload, b"first")
    got = client.outcome(send(client))
    ok(got in want, "%s: %s" % (name, got))
    client.send_data(upload, b"last", True)
    is_(client.response(upload).text, "fine 9", "%s: others go on" % name)
    lives_on(client, "%s: and so does the connection" % name)


def large_heads():
    origin, proxy = scripted()
    many = [("x-%d" % at, "y") for at in range(120)]
    refused = ["answer 431", "RST_STREAM ENHANCE_YOUR_CALM", "RST_STREAM PROTOCOL_ERROR", "RST_STREAM INTERNAL_ERROR",
               "RST_STREAM REFUSED_STREAM", "RST_STREAM CANCEL"]
    for name, fields, want in (
        ("100 KiB of fields", [("x-%d" % at, "y" * 10000) for at in range(10)], refused),
        ("one field of 17 KiB", [("x", "y" * 17000)], refused),
        ("one name of 17 KiB", [("x" * 17000, "y")], refused),
        ("120 fields", many, refused),
    ):
        beside_an_upload(proxy, name, lambda c: c.start(path="/hold", headers=fields), want)
        # too much of trailers may be dropped: the request is whole without them
        beside_an_upload(proxy, name + " as trailers", lambda c: c.start("POST", "/fine/x", trailers=fields),
                         refused + ["answer 400", "answer 502", "answer 200"])
    beside_an_upload(proxy, "a path of 17 KiB", lambda c: c.start(path="/hold" + "x" * 17000), refused + ["answer 414"])
    is_([request.target for request in origin.requests if request.target.startswith("/hold")], [], "the origin sees no such head")
    sizes = [sum(len(name) + len(value) for name, value in request.trailers) for request in origin.requests]
    ok(max(sizes) <= 64 * KIB, "nor more than 64 KiB of trailers (%d bytes)" % max(sizes))
    client = proxy.client()
    response = client.request(path="/fine/x", headers=[("x-%d" % at, "y" * 14000) for at in range(4)])
    is_(response.status, 200, "four fields of 14 KiB are served")
    is_(origin.requests[-1].get("x-3"), "y" * 14000, "and arrive")
    cookies = [("cookie", "c%d=%s" % (at, "z" * 20)) for at in range(60)]
    is_(client.request(path="/fine/x", headers=cookies).status, 200, "60 cookies in a field each")
    is_(len((origin.requests[-1].get("cookie") or "").split("; ")), 60, "arrive as one field")
    small = scripted(limits={"max_head": "4KiB"})[1]
    beside_an_upload(small, "max_head: 5 KiB", lambda c: c.start(path="/hold", headers=[("x", "y" * 5000)]), refused)
    client = small.client()
    lives_on(client)
    is_(client.peer.get(MAX_HEADER_LIST), 4096, "max_head: SETTINGS tell it")


def bombs():
    """A few bytes that stand for many: 4 KB in the table, and thousands of times \"the same again\"."""
    origin, proxy = scripted()
    other = proxy.client()
    lives_on(other)
    before = proxy.resident_kib()
    for name, value, count in (("4 KB, 16000 times", 4000, 16000), ("nothing, 100000 times", 0, 100000), ("a cookie", -3000, 16000)):
        client = proxy.client()
        field = hpack.literal("cookie" if value < 0 else "x", "y" * abs(value), keep=True)
        block = block_of(client) + field + hpack.indexed(62) * count
        client.flood([header_frames(client.open_stream(), block, True)])
        got = client.outcome(1)
        ok(got in (CALM, "answer 431", "GOAWAY COMPRESSION_ERROR") or got.startswith("RST_STREAM"), "%s: %s" % (name, got))
        ok(grown(proxy, before) < 2 * MIB // KIB, "%s: little is in memory (%d KiB)" % (name, grown(proxy, before)))
        lives_on(other, "%s: another client is served" % name)
    client = proxy.client()
    block = b"".join(hpack.size_update(size % 4096) for size in range(3000)) + block_of(client, path="/fine/x")
    got = client.outcome(client.send_headers(None, block, True))
    ok(got in (CALM, "GOAWAY COMPRESSION_ERROR", "answer 200") or got.startswith("RST_STREAM"), "3000 table sizes: " + got)
    seen = [request for request in origin.requests if len(request.headers) > 200]
    is_(seen, [], "the origin sees nothing of them")
    is_(proxy.stop(), 0, "exit code 0")


# option: max_header_list
def max_header_list():
    """The size that is counted has 32 bytes more for each field; limits.max_head bounds the text, too."""
    origin, proxy = scripted(http2={"max_header_list": "4KiB"})
    client = proxy.client()
    fields = client.fields(path="/fine/x")
    lives_on(client)
    is_(client.peer.get(MAX_HEADER_LIST), 4096, "SETTINGS tell it")
    room = 4096 - sum(len(name) + len(value) + 32 for name, value in fields) - len("x") - 32
    is_(client.request(path="/fine/x", headers=[("x", "y" * room)]).status, 200, "a head of just that size is served")
    got = client.outcome(client.start(path="/fine/over", headers=[("x", "y" * (room - 2))]))
    is_(got, "answer 431", "a byte more is not: " + got)
    small = [("x%02d" % at, "") for at in range(90)]  # 3 bytes each, and 32 for the field
    got = client.outcome(client.start(path="/fine/small", headers=small + [("y", "z" * 900)]))
    is_(got, "answer 431", "small fields count for more than their bytes: " + got)
    is_([request.target for request in origin.requests], ["/fine/more", "/fine/x"], "the origin sees no such head")
    lives_on(client)


# option: max_continuations
def max_continuations():
    def in_frames(client, count):
        block = block_of(client, path="/fine/x", headers=[("x", "y" * 50)])
        return client.outcome(client.send_headers(None, block, True, 1 + count))

    _origin, proxy = scripted()
    client = proxy.client()
    is_(in_frames(client, 8), "answer 200", "a head in 8 CONTINUATION frames")
    got = in_frames(client, 9)
    ok(got in (CALM, "GOAWAY PROTOCOL_ERROR"), "9 are too many: " + got)
    client = scripted(http2={"max_continuations": 20})[1].client()
    is_(in_frames(client, 20), "answer 200", "max_continuations: 20")
    client = scripted(http2={"max_continuations": 1})[1].client()
    is_(in_frames(client, 1), "answer 200", "max_continuations: 1")
    ok(in_frames(client, 2).startswith("GOAWAY"), "2 are too many then")


# option: max_held
def max_held():
    """Large heads of a few bytes each, by the table: all of them together are bounded."""
    origin, proxy = scripted()
    client, other = proxy.client(), proxy.client()
    lives_on(other)
    before = proxy.resident_kib()
    kept = hpack.literal("x", "y" * 3900, keep=True)
    streams = []
    for at in range(90):
        block = block_of(client, path="/hold/%d" % at) + (hpack.indexed(62) * 15 if at else kept + hpack.indexed(62) * 14)
        streams.append(client.send_headers(None, block, True))
    is_(client.outcome(answers=False), "ignored", "90 heads of 60 KB are no reason to end the connection")
    refused = [stream for stream in streams if client.streams[stream].error]
    is_({client.streams[stream].error for stream in refused}, {"REFUSED_STREAM"}, "%d of 90 heads of 60 KB are refused" % len(refused))
    ok(len(streams) - len(refused) in (17, 18), "after 1 MiB (%d heads)" % (len(streams) - len(refused)))
    ok(grown(proxy, before) < 7 * MIB // KIB, "little is in memory (%d KiB)" % grown(proxy, before))
    lives_on(other, "another client is served")
    origin.wait(lambda self: sum(request.target.startswith("/hold") for request in self.requests) == 90 - len(refused), "the requests")
    for stream in streams:
        if stream not in refused:
            client.cancel(stream)
    client.ping()
    lives_on(client, "when they are cancelled, the connection has room again")
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % at, headers=[("cookie", "c" * 4000)]) for at in range(128)]
    is_(client.outcome(answers=False), "ignored", "128 of 4 KB neither")
    ok(not [stream for stream in streams if client.streams[stream].error], "and none of those is refused")
    tight = scripted(http2={"max_held": "4KiB"})[1].client()
    streams = [tight.start(path="/hold/%d" % at, headers=[("x", "y" * 2500)]) for at in range(3)]
    is_([tight.outcome(streams[2]), tight.streams[streams[1]].error], ["RST_STREAM REFUSED_STREAM", None], "max_held: 4KiB")


# option: offences
# option: offences_per_second
def offences():
    _origin, proxy = scripted(http2={"offences": 20, "offences_per_second": 1000})
    client = proxy.client()
    client.send(frame(PING, 0, 0, bytes(8)) * 15)
    is_(client.outcome(answers=False), "ignored", "offences: 20 allows 15 pings at once")
    for at in trickle(range(21), 50):
        client.send(frame(PING, 0, 0, bytes(8)) * (10 if at else 0))
    is_(client.outcome(answers=False), "ignored", "offences_per_second: 1000 allows 200 in a second")
    client.flood([frame(PING, 0, 0, bytes(8)) * 500])
    is_(client.outcome(answers=False), CALM, "500 at once are too many")
    _origin, proxy = scripted(http2={"offences": 20, "offences_per_second": 1})
    client = proxy.client()
    client.flood([frame(PING, 0, 0, bytes(8)) * 30])
    is_(client.outcome(answers=False), CALM, "offences: 20 forbids 30")
    _origin, proxy = scripted(http2={"offences": 500})
    client = proxy.client()
    client.flood([frame(PING, 0, 0, bytes(8)) * 400])
    is_(client.outcome(answers=False), "ignored", "offences: 500 allows 400")


# --- streams ----------------------------------------------------------------------------------------------------------------------


def too_many_streams():
    origin, proxy = scripted()
    client = proxy.client()
    streams = [client.start(path="/hold/%d" % at) for at in range(128)]
    origin.wait_requests(128)
    further = [client.start(path="/hold/more") for _ in range(12)]
    is_({client.outcome(stream) for stream in further}, {"RST_STREAM REFUSED_STREAM"}, "beyond 128 streams are refused")
    is_(len(origin.requests), 128, "without a word to the origin")
    client.cancel(streams[0])
    client.ping()
    lives_on(client, "when one is cancelled there is room")
    ok(not any(client.streams[stream].error for stream in streams[1:]), "the others go on")
    few = scripted(http2={"max_concurrent_streams": 2})[1].client()
    got = [few.start(path="/hold/%d" % at) for at in range(3)]
    is_(few.outcome(got[2]), "RST_STREAM REFUSED_STREAM", "max_concurrent_streams: 2")
    is_(few.peer.get(MAX_STREAMS), 2, "SETTINGS tell it")


def nobody_takes_uploads():
    """All bodies of a connection that nobody takes share its window: about 1 MiB."""
    origin, proxy = scripted(upstream={"max_connections": 1}, timeout={"connect_timeout": "60s"})
    client = proxy.client()
    lives_on(client)
    before = proxy.resident_kib()
    streams = [client.send_headers(None, client.fields("POST", "/deaf")) for _ in range(100)]
    client.ping()
    sent = 0
    for _turn in range(3):
        for stream in streams[1:]:  # the first may have the only connection to the backend
            room = min(client.send_window, client.streams[stream].send_window)
            sent += client.send_data(stream, bytes(room)) if room > 0 else 0
        client.ping()
    ok(sent <= 5 * MIB // 4, "100 uploads get %d KiB of credit together" % (sent // KIB))
    ok(grown(proxy, before) < 3 * MIB // KIB, "and little memory (%d KiB)" % grown(proxy, before))
    for stream in streams:
        client.cancel(stream)
    origin.go_on.set()
    client.ping()
    ok(client.wait(lambda: client.send_window >= 64 * KIB), "when they are cancelled the connection has its window again")
    stream = client.start("POST", "/fine/x", body=bytes(3 * MIB))
    is_(client.response(stream).text, "fine %d" % (3 * MIB), "and takes other bodies")


def nobody_takes_downloads():
    _origin, proxy = scripted()
    client = proxy.client(settings={INITIAL_WINDOW: BIGGEST_WINDOW}, credit=False)
    lives_on(client)
    before = proxy.resident_kib()
    streams = [client.start(path="/torrent/%d" % at) for at in range(20)]
    ok(client.wait(lambda: client.window == 0), "the connection's window is full")
    ok(client.wait(lambda: all(client.streams[stream].status for stream in streams)), "all have a head")
    settled = wait_until(lambda: is_at_rest(proxy), "memory to settle")
    ok(settled and grown(proxy, before) < 4 * MIB // KIB, "20 downloads hold little (%d KiB)" % grown(proxy, before))
    client.close()
    lives_on(proxy.client(), "the proxy lives on")


def is_at_rest(proxy, seen={}):
    before, seen["size"] = seen.get("size"), proxy.resident_kib()
    seen["count"] = seen.get("count", 0) + 1 if before == seen["size"] else 0
    return seen["count"] > 20


# --- time ---------------------------------------------------------------------------------------------------------------------------


def stalled_readers():
    origin, proxy = scripted(timeout={"write_timeout": duration(500)})
    for name, options in (
        ("a client that does not read", {"settings": {INITIAL_WINDOW: BIGGEST_WINDOW}, "receive_buffer": 4096}),
        ("a client that gives no credit", {"credit": False}),
    ):
        client = proxy.client(**options)
        if "settings" in options:
            client.send_frame(WINDOW_UPDATE, 0, 0, number(BIGGEST_WINDOW - FIRST_WINDOW))
        start = now()
        stream = client.start(path="/torrent")
        if "credit" in options:
            got = client.outcome(stream)
            ok(got.startswith("RST_STREAM") or got == "closed", "%s: %s" % (name, got))
        origin.wait_requests(1)
        origin.wait(lambda self: not self.open, "the end of its download")
        ok(elapsed_since(start) >= 450, "%s is cut after write_timeout (%d ms)" % (name, elapsed_since(start)))
        origin.requests.clear()
        lives_on(proxy.client(), "%s: the proxy lives on" % name)
        origin.wait(lambda self: len(self.open) <= 1, "an idle connection at most")
        proxy.stop()
        origin, proxy = scripted(timeout={"write_timeout": duration(500)})


def unfinished():
    """Something begun and not ended has read_timeout; a connection without anything has idle_timeout."""
    origin, proxy = scripted(timeout={"read_timeout": duration(500), "idle_timeout": duration(800)})
    first = PREFACE + frame(SETTINGS)
    head = header_frames(1, hpack.encode([(":method", "GET"), (":scheme", "http"), (":path", "/hold"), (":authority", "a")]), True)
    for name, data in (
        ("half a preface", PREFACE[:9]),
        ("a preface without SETTINGS", PREFACE),
        ("half a frame's head", first + head[:5]),
        ("half a frame", first + head[:20]),
        ("a head without an end", first + frame(HEADERS, END_STREAM, 1, head[9:])),
        ("half of a large frame", first + frame(HEADERS, 4, 1, head[9:], 16000)),
        ("a body behind half a frame", first + header_frames(1, head[9:]) + frame(DATA, 0, 1, b"some", 1000)),
    ):
        client = proxy.client(start=False, acknowledge=False)  # nothing may come in the middle of a frame
        client.open_stream()
        start = now()
        client.send(data)
        try:
            ended = client.closed()
        except ProtocolError:
            ended = client.buffer.startswith(b"HTTP/1.1 408")  # of half a preface nobody knows that it is one
        except OSError:
            ended = False
        if not ended and client.streams[1].ended or client.streams[1].error:
            ended = client.closed()
        ok(ended, "%s: the connection is closed" % name)
        ok(400 <= elapsed_since(start) < 8000, "%s: after a timeout (%d ms)" % (name, elapsed_since(start)))
        client.close()
    is_([request.target for request in origin.requests if request.body], [], "the origin has no whole body of them")
    lives_on(proxy.client(), "the proxy lives on")


def settings_unacknowledged():
    """Within read_timeout (RFC 9113, 6.5.3), even if the connection is in use."""
    _origin, proxy = scripted(timeout={"read_timeout": duration(500)})
    client, honest = proxy.client(acknowledge=False), proxy.client()
    start = now()
    lives_on(honest)
    for _ in trickle(range(200), 50):
        client.drain()
        if client.goaways or client.ended:
            break
        client.start(path="/fine/x")
    is_(client.failed(), "SETTINGS_TIMEOUT", "SETTINGS that are never acknowledged end the connection (%d ms)" % elapsed_since(start))
    ok(elapsed_since(start) >= 450, "after read_timeout")
    ok(client.closed(), "it is closed")
    lives_on(honest, "who acknowledges goes on")


def kept_busy():
    """PING and WINDOW_UPDATE are no progress of a body, and do not keep a connection from being idle."""
    _origin, proxy = scripted(timeout={"read_timeout": duration(500), "idle_timeout": duration(800)})
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/hold", [("content-length", "100")]))
    client.send_data(stream, b"some")
    start = now()
    record = client.streams[stream]
    for _ in trickle(range(60), 100):
        client.drain()
        if record.ended or record.error or client.ended:
            break
        client.answer(PING, 0, 0, bytes(8))
    ok(record.ended or record.error or client.ended, "a body that does not come, with PING: cut after %d ms" % elapsed_since(start))
    client = proxy.client()
    start = now()
    for _ in trickle(range(60), 100):
        client.drain()
        if client.ended or client.goaways:
            break
        client.answer(PING, 0, 0, bytes(8))
    ok(client.closed(), "an idle connection, with PING: closed (%d ms)" % elapsed_since(start))


def dripped_body():
    _origin, proxy = scripted(timeout={"read_timeout": duration(300)}, limits={"min_body_rate": "1KiB"})
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/hold"))
    record, start = client.streams[stream], now()
    for _ in trickle(range(100), 100):
        client.drain()
        if record.ended or record.error or client.ended:
            break
        client.send_data(stream, b"x")
    got = client.outcome(stream)
    ok(got == "answer 408" or got.startswith("RST_STREAM"), "min_body_rate: a dripped body: %s after %d ms" % (got, elapsed_since(start)))
    lives_on(client)


# --- honest clients -------------------------------------------------------------------------------------------------------------------


def burst(client, count, turn):
    """Requests at once: some without a body, some with, some whose end comes in an empty frame of its own."""
    streams = []
    for at in range(count):
        kind = (turn + at) % 4
        stream = client.send_headers(None, client.fields("POST" if kind else "GET", "/fine/%d" % at), not kind)
        if kind:
            client.send_data(stream, bytes(at), kind == 1)
        if kind > 1:
            client.send_data(stream, b"", True)
        streams.append((stream, at if kind else 0))
    return [client.response(stream).text == "fine %d" % size for stream, size in streams]


def honest_bursts():
    _origin, proxy = scripted(pair=certificate("honest"))
    for what, client in (("plain", proxy.client()), ("TLS", proxy.tls_client())):
        got = [all(burst(client, 100, turn)) for turn in range(10)]
        is_((got, client.goaways), ([True] * 10, []), what + ": 1,000 requests in bursts of 100")


def honest_uploads():
    _origin, proxy = scripted(http2={"stream_window": "64KiB", "connection_window": "64KiB"})
    client = proxy.client()
    for turn in range(4):
        stream = client.start("POST", "/fine/%d" % turn, body=bytes(10**6))
        is_(client.response(stream).text, "fine 1000000", "an upload of 1 MB with the smallest windows")
    stream = client.send_headers(None, client.fields("POST", "/fine/x"))
    for _ in range(500):
        client.send_data(stream, bytes(2000), piece=100)
    client.send_data(stream, b"", True)
    is_(client.response(stream).text, "fine 1000000", "one in 10,000 frames of 100 bytes")
    stream = client.send_headers(None, client.fields("POST", "/fine/x"))
    for at in range(400):
        client.send_frame(DATA, PADDED, stream, padded(b"y" * 10, at % 50))
        client.drain()
    client.send_data(stream, b"", True)
    is_((client.response(stream).text, client.goaways), ("fine 4000", []), "one in small frames with padding")


def honest_downloads():
    _origin, proxy = scripted()
    for window in (16 * KIB, 2 * KIB):
        client = proxy.client(settings={INITIAL_WINDOW: window})
        stream = client.start(path="/torrent")
        client.wait(lambda: len(client.streams[stream].body) >= 4 * MIB, 60)
        ok(len(client.streams[stream].body) >= 4 * MIB, "4 MiB through a window of %d bytes" % window)
        is_(client.goaways, [], "nothing is amiss")
        client.cancel(stream)
        lives_on(client)


def honest_pings():
    _origin, proxy = scripted()
    client = proxy.client()
    got = []
    for at in trickle(range(100), 25):
        got.append(client.ping(b"%8d" % at) and client.request(path="/fine/x").status == 200)
    is_((got, client.goaways), ([True] * 100, []), "100 pings among traffic")


def honest_cancelling():
    """As of somebody who looks through pages and leaves them early."""
    _origin, proxy = scripted()
    client = proxy.client()
    for _turn in trickle(range(20), 100):
        kept = [client.start(path="/fine/x") for _ in range(20)]
        left = [client.start(path="/hold") for _ in range(5)]
        for stream in left:
            client.cancel(stream)
        got = [client.response(stream).status for stream in kept]
    is_((got, client.goaways), ([200] * 20, []), "400 requests, and 100 that are cancelled")


for what in (floods, floods_unread, harmless_frames, large_heads, bombs, max_header_list, max_continuations, max_held, offences, too_many_streams, nobody_takes_uploads,
             nobody_takes_downloads, stalled_readers, unfinished, settings_unacknowledged, kept_busy, dripped_body, honest_bursts, honest_uploads,
             honest_downloads, honest_pings, honest_cancelling):
    subtest(what.__name__.replace("_", " "), what)
done()
