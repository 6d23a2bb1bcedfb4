#!/usr/bin/env python3
"""The tests' own HTTP/2 client: HPACK by the examples of RFC 7541, and that it sees what a proxy does wrong."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

# --- HPACK ---------------------------------------------------------------------------------------------------

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]
REQUESTS = [
    GET,
    GET + [("cache-control", "no-cache")],
    [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), (":authority", "www.example.com"),
     ("custom-key", "custom-value")],
]
DATES = ["Mon, 21 Oct 2013 20:13:%d GMT" % second for second in (21, 22)]
PLACE = ("location", "https://www.example.com")
COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
RESPONSES = [
    [(":status", "302"), ("cache-control", "private"), ("date", DATES[0]), PLACE],
    [(":status", "307"), ("cache-control", "private"), ("date", DATES[0]), PLACE],
    [(":status", "200"), ("cache-control", "private"), ("date", DATES[1]), PLACE, ("content-encoding", "gzip"),
     ("set-cookie", COOKIE)],
]
SERIES = [
    # appendix, table, fields, blocks, the table's size after each
    ("C.3", 4096, REQUESTS, [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ], [57, 110, 164]),
    ("C.4", 4096, REQUESTS, [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ], [57, 110, 164]),
    ("C.5", 256, RESPONSES, [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
        "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738"
        "666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ], [222, 222, 215]),
    ("C.6", 256, RESPONSES, [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af"
        "27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ], [222, 222, 215]),
]
WRONG_BLOCKS = [
    ("field 0", "80"),
    ("a field that is not there", "be"),
    ("a name that is not there", "7f00016100"),
    ("a string longer than the block", "0005616263"),
    ("a block that ends in a number", "ff80"),
    ("a number without end", "ffffffffffffffffffff0f"),
    ("a table above the limit", "3fe21f"),
    ("a size update behind a field", "8220"),
    ("EOS in a string", "000161" + "84ffffffff"),
    ("Huffman padding with zeros", "000161" + "8118"),
    ("Huffman padding of eight bits", "000161" + "821fff"),
]


def examples():
    is_([hpack.integer(10, 5), hpack.integer(1337, 5), hpack.integer(42, 8)], [b"\x0a", b"\x1f\x9a\x0a", b"*"], "C.1")
    single = [
        ("C.2.1", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", ("custom-key", "custom-header"),
         hpack.literal("custom-key", "custom-header", keep=True)),
        ("C.2.2", "040c2f73616d706c652f70617468", (":path", "/sample/path"), hpack.literal(4, "/sample/path")),
        ("C.2.3", "100870617373776f726406736563726574", ("password", "secret"),
         hpack.literal("password", "secret", never=True)),
        ("C.2.4", "82", (":method", "GET"), hpack.indexed(2)),
    ]
    for name, block, field, encoded in single:
        is_((hpack.Decoder().decode(bytes.fromhex(block)), encoded.hex()), ([field], block), name + ", both ways")
    for name, limit, lists, blocks, sizes in SERIES:
        decoder = hpack.Decoder(limit)
        got = [(decoder.decode(bytes.fromhex(block)), decoder.size) for block in blocks]
        is_(got, list(zip(lists, sizes)), name + ": the fields, and the size of the table")


def huffman():
    data = bytes(range(256)) * 2
    is_(hpack.huffman_decode(hpack.huffman_encode(data)), data, "each byte comes back")
    is_(hpack.huffman_encode(b"www.example.com").hex(), "f1e3c2e5f23a6ba0ab90f4ff", "as in C.4.1")
    is_(hpack.CODES[hpack.EOS], ((1 << 30) - 1, 30), "the last code is all ones: the table is complete")
    fields = [("a", "b" * 300), (":path", "/é".encode("latin-1").decode("latin-1")), ("empty", "")]
    for is_used in (False, True):
        is_(hpack.Decoder().decode(hpack.encode(fields, is_used)), fields, "fields, Huffman %s" % is_used)


def dynamic_table():
    decoder = hpack.Decoder()
    block = hpack.literal("a", "1", keep=True) + hpack.literal("b", "2", keep=True)
    is_(decoder.decode(block + hpack.indexed(62) + hpack.indexed(63))[2:], [("b", "2"), ("a", "1")], "latest first")
    decoder.decode(hpack.size_update(34))
    is_(decoder.table, [("b", "2")], "a smaller table lets the older go")
    decoder.decode(hpack.literal("c", "x" * 40, keep=True))
    is_((decoder.table, decoder.size), ([], 0), "a field larger than the table empties it")
    is_(decoder.decode(hpack.literal(":path", "/") + b"\x82"), [(":path", "/"), (":method", "GET")], "and it goes on")
    for name, block in WRONG_BLOCKS:
        try:
            ok(False, "%s: %r" % (name, hpack.Decoder().decode(bytes.fromhex(block))))
        except hpack.HpackError as problem:
            ok(True, "%s is refused (%s)" % (name, problem))


# --- the client, against a server of a few frames -------------------------------------------------------------

HEAD = frame(HEADERS, END_HEADERS, 1, b"\x88")


def against(*frames, closes=True, **options):
    """A client whose stream 1 has a request, connected to a server that says just this."""

    def handler(wire):
        wire.read_exactly(len(PREFACE))
        wire.send(b"".join(frames))
        if closes:
            wire.half_close()
        wire.read_to_end()

    client = H2Client(Origin(handler).port, **options)
    client.send_headers(None, client.fields(), True)
    return client


def good_answers():
    got = against(
        frame(SETTINGS),
        frame(HEADERS, END_HEADERS, 1, hpack.encode([(":status", "103"), ("link", "</a>")])),
        header_frames(1, hpack.encode([(":status", "200"), ("x", "1")], huffman=True), split_into=4),
        frame(DATA, PADDED, 1, padded(b"hel", 9)),
        frame(250, 255, 7, b"who knows"),
        frame(DATA, 0, 1, b"lo"),
        header_frames(1, hpack.encode([("sum", "5")]), True),
    ).response(1)
    is_((got.status, got.headers, got.body, got.trailers), (200, [("x", "1")], b"hello", [("sum", "5")]), "an answer")
    is_([(one.status, one.headers) for one in got.interim], [(103, [("link", "</a>")])], "and an interim one")


def outcomes():
    first = frame(SETTINGS)
    cases = [
        ("answer 200", HEAD + frame(DATA, END_STREAM, 1)),
        ("RST_STREAM REFUSED_STREAM", frame(RST_STREAM, 0, 1, number(7))),
        ("GOAWAY ENHANCE_YOUR_CALM", frame(GOAWAY, 0, 0, number(1) + number(11))),
        ("closed", b""),
    ]
    for want, frames in cases:
        client = against(first, frames)
        is_(client.outcome(1), want, want)
        ok(client.closed(), "%s: and the end" % want)
    is_(against(first, closes=False).outcome(1, seconds=0.2), "nothing", "nothing")
    client = against(first, frame(PING, ACK, 0, b"outcome0"), frame(PING, ACK, 0, b"outcome1"), closes=False)
    is_(client.outcome(1, answers=False), "ignored", "ignored")
    client = against(first, frame(GOAWAY, 0, 0, number(BIGGEST_WINDOW) + number(0)), HEAD + frame(DATA, END_STREAM, 1))
    is_((client.outcome(1), client.goaways), ("answer 200", [(BIGGEST_WINDOW, "NO_ERROR", "")]), "a drain is no failure")


def windows():
    update = frame(WINDOW_UPDATE, 0, 0, number(100000))
    small = frame(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW: 10}))
    client = against(small, update, frame(WINDOW_UPDATE, 0, 1, number(7)), HEAD, closes=False)
    client.wait(lambda: client.streams[1].status)
    is_((client.streams[1].send_window, client.send_window), (17, 165535), "what the server grants is counted")
    stream = client.open_stream()
    is_(client.streams[stream].send_window, 10, "and its SETTINGS are minded")
    client = against(frame(SETTINGS), HEAD, frame(DATA, 0, 1, bytes(10)), closes=False, credit=False)
    client.wait(lambda: client.streams[1].body)
    is_((client.window, client.streams[1].window), (65525, 65525), "what comes is counted")
    client.grant(10)
    client.grant(5, 1)
    is_((client.window, client.streams[1].window), (65535, 65530), "and only the test gives credit")


def wrong_answers():
    first = frame(SETTINGS)
    big = frame(DATA, 0, 1, bytes(16384))
    cases = [
        ("no SETTINGS", frame(PING, 0, 0, bytes(8))),
        ("DATA ahead of a head", first + frame(DATA, 0, 1, b"x")),
        ("a stream nobody opened", first + frame(HEADERS, END_HEADERS, 3, b"\x88")),
        ("a push", first + frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + b"\x82")),
        ("a frame too large", first + frame(DATA, 0, 1, bytes(16385))),
        ("more than the window", first + HEAD + big * 4),
        ("DATA behind the end", first + HEAD + frame(DATA, END_STREAM, 1) + frame(DATA, 0, 1, b"x")),
        ("padding larger than its frame", first + HEAD + frame(DATA, PADDED, 1, b"\5abc")),
        ("no status", first + header_frames(1, hpack.encode([("x", "1")]))),
        ("a status behind a field", first + header_frames(1, hpack.encode([("x", "1"), (":status", "200")]))),
        ("an upper-case name", first + header_frames(1, hpack.encode([(":status", "200"), ("X", "1")]))),
        ("a field of the connection", first + header_frames(1, hpack.encode([(":status", "200"), ("connection", "x")]))),
        ("a blank at a value's end", first + header_frames(1, hpack.encode([(":status", "200"), ("x", "1 ")]))),
        ("an interim end", first + header_frames(1, hpack.encode([(":status", "103")]), True)),
        ("trailers that are not the end", first + HEAD + header_frames(1, hpack.encode([("x", "1")]))),
        ("a status in trailers", first + HEAD + header_frames(1, hpack.encode([(":status", "200")]), True)),
        ("a frame inside a field block", first + frame(HEADERS, 0, 1, b"\x88") + frame(PING, 0, 0, bytes(8))),
        ("CONTINUATION of nothing", first + HEAD + frame(CONTINUATION, END_HEADERS, 1)),
        ("HPACK", first + frame(HEADERS, END_HEADERS, 1, b"\x80")),
        ("WINDOW_UPDATE of 0", first + frame(WINDOW_UPDATE, 0, 1, number(0))),
        ("a GOAWAY that goes back", first + frame(GOAWAY, 0, 0, number(1) + number(0)) * 2 + frame(GOAWAY, 0, 0, number(3) + number(0))),
    ]
    for name, frames in cases:
        client = against(frames, credit=False)
        try:
            client.wait(lambda: False)  # to the end
            ok(False, "%s is noticed" % name)
        except ProtocolError as problem:
            ok(True, "%s is noticed (%s)" % (name, problem))


subtest("RFC 7541, appendix C", examples)
subtest("Huffman", huffman)
subtest("the dynamic table, and blocks that are wrong", dynamic_table)
subtest("an answer, whole", good_answers)
subtest("outcomes", outcomes)
subtest("windows", windows)
subtest("what no server may do", wrong_answers)
done()
