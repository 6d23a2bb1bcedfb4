"""
An HTTP/2 origin by raw frames, under the test's control: strict in what it takes, and free to break any rule itself.

    origin = H2Origin(lambda stream: stream.answer(200, body=b"hello"))     # each stream in a thread of its own
    origin = H2Origin(); stream = origin.wait_stream(1); stream.answer(204) # or by the test, step by step
"""
import select
import ssl
import struct
import threading

import gomesh_hpack as hpack
from gomesh_http2 import (
    ACK, BIGGEST_WINDOW, CONTINUATION, DATA, END_HEADERS, END_STREAM, ERRORS, FIRST_WINDOW, GOAWAY, HAS_PRIORITY, HEADERS,
    INITIAL_WINDOW, MAX_FRAME, MAX_STREAMS, NAME, OF_A_CONNECTION, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, TABLE_SIZE,
    VALUE, WINDOW_UPDATE, Frame, H2Proxy, error_name, frame, header_frames, number, settings_payload, unpadded)  # fmt: skip
from gomesh_origin import Origin
from gomesh_tap import deadline, now
from gomesh_wire import Message, ProtocolError

PSEUDO = (":method", ":scheme", ":authority", ":path")
REQUEST_PSEUDO = PSEUDO + (":protocol",)


class Stream(Message):
    """A request as it comes, and what is sent of its answer."""

    def __init__(self, session, stream, window, send_window):
        super().__init__([])
        self.session, self.origin, self.number = session, session.origin, stream
        self.fields = []  # all of the head, in order
        self.window, self.send_window = window, send_window  # of theirs, and of ours
        self.body = bytearray()
        self.pieces = []  # the length of each DATA frame
        self.trailers = None  # [] where trailers came that are empty
        self.has_head = self.ended = False
        self.error = None  # the code of their RST_STREAM
        self.granted = 0  # window that they gave, beyond the first
        self.is_answered = False  # we ended our side

    def pseudo(self, name):
        return next((value for key, value in self.fields if key == ":" + name), None)

    @property
    def method(self):
        return self.pseudo("method")

    @property
    def target(self):
        return self.pseudo("path")

    def is_open(self):
        return self.error is None and not self.session.ended

    # -- waiting
    def wait(self, condition, what, seconds=15):
        self.origin.wait(lambda _origin: condition(self), what, seconds)
        return self

    def wait_end(self, seconds=15):
        """Waits for the request's end; returns the stream."""
        return self.wait(lambda self: self.ended or not self.is_open(), "the end of a request", seconds)

    def wait_body(self, size, seconds=15):
        return self.wait(lambda self: len(self.body) >= size, "%d bytes of a body" % size, seconds)

    def wait_reset(self, seconds=15):
        """The code with which they reset it; "closed" if the connection ended first."""
        self.wait(lambda self: not self.is_open(), "a stream to be reset", seconds)
        return self.error or "closed"

    # -- answering
    def send(self, kind, flags=0, payload=b"", **more):
        """Any frame, whatever the windows say."""
        if kind == DATA:
            with self.origin.changed:
                self.send_window -= len(payload)
                self.session.send_window -= len(payload)
        self.session.send(frame(kind, flags, self.number, payload, **more))

    def fields_as(self, fields, end=False, split_into=1):
        """Any fields (or an encoded block) as a field block: no rule is looked at."""
        block = fields if isinstance(fields, bytes) else hpack.encode(fields)
        self.is_answered |= end  # before they can know
        self.session.send(header_frames(self.number, block, end, split_into))

    def head(self, status=200, headers=(), end=False, **more):
        self.fields_as([(":status", str(status))] + list(headers), end, **more)

    def data(self, data=b"", end=False, piece=16384):
        """Sends within the windows, and waits for them; returns how much was sent while anybody was there."""
        sent = 0
        while sent < len(data):
            size = self.take_room(min(piece, len(data) - sent))
            if not size:
                return sent
            is_last = end and sent + size == len(data)
            self.is_answered |= is_last
            self.session.send(frame(DATA, END_STREAM if is_last else 0, self.number, data[sent : sent + size]))
            sent += size
        if end and not data:
            self.is_answered = True
            self.send(DATA, END_STREAM)
        return sent

    def take_room(self, size):
        """So much of both windows, or less; waits until there is any. 0: nobody is there any more."""
        session, end = self.session, now() + deadline(60)
        with self.origin.changed:
            while self.is_open() and min(self.send_window, session.send_window) <= 0 and now() < end:
                self.origin.changed.wait(1)
            if not self.is_open() or now() >= end:
                return 0
            size = min(size, self.send_window, session.send_window, session.peer.get(MAX_FRAME, 16384))
            self.send_window -= size
            session.send_window -= size
            return size

    def end(self, trailers=None):
        if trailers is None:
            self.data(end=True)
        else:
            self.fields_as(trailers, True)

    def answer(self, status=200, headers=(), body=b"", trailers=None, length=True):
        headers = list(headers) + ([("content-length", str(len(body)))] if length else [])
        is_all = not body and trailers is None
        self.head(status, headers, is_all)
        if body:
            self.data(body, trailers is None)
        if trailers is not None:
            self.end(trailers)

    def reset(self, code="CANCEL"):
        self.is_answered = True
        self.send(RST_STREAM, 0, number(ERRORS.index(code) if isinstance(code, str) else code))

    def grant(self, size):
        """Lets so many more bytes of the body come."""
        self.session.grant(size, self.number)


class Session:
    """One connection, from the preface on; read by the thread that serves it, written by any."""

    def __init__(self, wire, origin):
        self.wire, self.origin, self.sock = wire, origin, wire.sock
        self.sock.setblocking(False)
        self.io, self.order = threading.Lock(), threading.RLock()  # OpenSSL's object is for one at a time
        self.streams, self.frames = {}, []
        self.ours = {}  # settings that they have acknowledged
        self.unacknowledged = []
        self.peer = {}
        self.decoder = hpack.Decoder(4096)
        self.needs_resize = False
        self.window = self.send_window = FIRST_WINDOW
        self.initial_window = FIRST_WINDOW  # for new streams of theirs: what they may use, not what they must know
        self.granted = 0
        self.last_stream = 0
        self.block = None
        self.pings, self.pongs, self.goaways = [], [], []
        self.ended = None
        self.leaving = False  # the last GOAWAY's stream counts
        self.last_allowed = 0
        self.credit = origin.credit
        self.reading = threading.Event()  # cleared: not a byte is taken
        self.reading.set()

    # -- bytes
    def send(self, data):
        with self.order:
            view = memoryview(data)
            while view:
                sent, wants = self.try_to_send(view)
                view = view[sent:]
                if not sent:
                    select.select(*wants, deadline(1))
                    if self.ended or self.origin.stopped:
                        raise ConnectionError("the connection has ended")

    def try_to_send(self, view):
        with self.io:
            try:
                return self.sock.send(view[:65536]), None
            except ssl.SSLWantReadError:
                return 0, ([self.sock], [], [])
            except (ssl.SSLWantWriteError, BlockingIOError):
                return 0, ([], [self.sock], [])

    def fill(self):
        """Reads once; False at the end of the stream."""
        while True:
            self.reading.wait()
            with self.io:
                try:
                    data = self.sock.recv(262144)
                    self.wire.buffer += data
                    return bool(data)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                    pass
                except ssl.SSLError:
                    return False
            select.select([self.sock], [], [], 1)
            if self.origin.stopped:
                return False

    def read(self, size):
        """None at the end of the stream."""
        buffer = self.wire.buffer
        while len(buffer) < size:
            if not self.fill():
                return None
        data = bytes(buffer[:size])
        del buffer[:size]
        return data

    # -- what is said
    def settings(self, settings):
        """Sends them; what they allow counts at once, what they forbid from the acknowledgement on."""
        pairs = list(settings.items() if isinstance(settings, dict) else settings)
        with self.origin.changed:
            self.unacknowledged.append(pairs)
            for key, value in pairs:
                if key == INITIAL_WINDOW and value > self.initial_window:
                    self.move_windows(value)
        self.send(frame(SETTINGS, 0, 0, settings_payload(pairs)))

    def move_windows(self, value):
        for stream in self.streams.values():
            stream.window += value - self.initial_window
        self.initial_window = value

    def goaway(self, last=None, code="NO_ERROR", text=b""):
        last = self.last_allowed = self.last_stream if last is None else last
        self.send(frame(GOAWAY, 0, 0, number(last) + number(ERRORS.index(code)) + text))

    def ping(self, payload=b"gomesh!!", seconds=15):
        """Sends one and waits for its answer: what was sent before it has been read then."""
        before = self.pongs.count(payload)
        self.send(frame(PING, 0, 0, payload))
        is_there = lambda _origin: self.ended or self.pongs.count(payload) > before  # noqa: E731
        self.origin.wait(is_there, "the answer to a ping", seconds)
        return not self.ended

    def grant(self, size, stream=0):
        with self.origin.changed:
            owner = self.streams[stream] if stream else self
            owner.window += size
        self.send(frame(WINDOW_UPDATE, 0, stream, number(size)))

    def wait_settled(self, seconds=15):
        """Waits until all our settings are acknowledged."""
        self.origin.wait(lambda _origin: not self.unacknowledged, "SETTINGS to be acknowledged", seconds)

    def wait_end(self, seconds=15):
        self.origin.wait(lambda _origin: self.ended, "the end of a connection", seconds)
        return self.ended

    def close(self, with_reset=False):
        """Ends the connection at once, with FIN or RST."""
        self.ended = "by us"
        if with_reset:
            self.wire.sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: RST instead of FIN
        try:
            self.wire.sock.shutdown(2 if not with_reset else 0)
        except OSError:
            pass

    def open_streams(self):
        """Those that count against MAX_CONCURRENT_STREAMS: not ended on both sides, not reset."""
        return [each for each in self.streams.values() if each.error is None and not (each.ended and each.is_answered)]

    def count(self, kind, flags=0):
        return sum(1 for each in self.frames if each.kind == kind and each.flags & flags == flags)

    # -- what comes
    def serve(self):
        try:
            preface = self.read(len(PREFACE))
            if not preface and not self.wire.buffer:
                return  # nobody wanted the connection any more when it was there
            if preface != PREFACE:
                raise ProtocolError("not the preface of HTTP/2: %r" % bytes(self.wire.buffer[:40]))
            while True:
                got = self.read_frame()
                if got is None:
                    break
                with self.origin.changed:
                    started, reply = self.take(got)
                    self.origin.changed.notify_all()
                if reply:
                    self.send(reply)
                if started:
                    self.origin.saw(started)
                    self.origin.begin(started)
        except (ValueError, ConnectionError) as problem:
            if not isinstance(problem, ConnectionError) and not self.origin.stopped:
                raise ProtocolError(str(problem))
        finally:
            with self.origin.changed:
                self.ended = self.ended or "by them"
                self.origin.changed.notify_all()

    def read_frame(self):
        head = self.read(9)
        if head is None:
            return None
        size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + head)
        allowed = max([self.ours.get(MAX_FRAME, 16384)] + [v for pairs in self.unacknowledged for k, v in pairs if k == MAX_FRAME])
        if size > allowed:
            raise ProtocolError("a frame of %d bytes" % size)
        payload = self.read(size)
        return None if payload is None else Frame(kind, flags, stream & BIGGEST_WINDOW, payload)

    def take(self, got):
        """Takes account of a frame; returns the stream whose head is whole now, and what is to be answered."""
        self.frames.append(Frame(got.kind, got.flags, got.stream, len(got.payload)))
        if len(self.frames) == 1 and (got.kind != SETTINGS or got.flags & ACK):
            raise ProtocolError("the first frame is of kind %d" % got.kind)
        if self.block and (got.kind != CONTINUATION or got.stream != self.block[0]):
            raise ProtocolError("a frame of kind %d inside a field block" % got.kind)
        if bool(got.stream) == (got.kind in (SETTINGS, PING, GOAWAY)) and got.kind != WINDOW_UPDATE:
            raise ProtocolError("a frame of kind %d on stream %d" % (got.kind, got.stream))
        if got.kind not in TAKERS:
            raise ProtocolError("a frame of kind %d" % got.kind)
        return TAKERS[got.kind](self, got) or (None, b"")

    def stream_of(self, got):
        stream = self.streams.get(got.stream)
        if not stream:
            raise ProtocolError("a frame of kind %d on the idle stream %d" % (got.kind, got.stream))
        if stream.ended or stream.error is not None:
            raise ProtocolError("a frame of kind %d behind the end: stream %d" % (got.kind, got.stream))
        return stream

    def take_data(self, got):
        stream, size = self.stream_of(got), len(got.payload)
        self.window -= size
        stream.window -= size
        if size and (self.window < 0 or stream.window < 0):
            raise ProtocolError("more DATA than the window allows: %d, %d" % (self.window, stream.window))
        stream.body += unpadded(got)
        stream.pieces.append(size)
        stream.ended = bool(got.flags & END_STREAM)
        self.check_length(stream)
        if not self.credit or not size:
            return None
        self.window += size
        reply = frame(WINDOW_UPDATE, 0, 0, number(size))
        if not stream.ended:
            stream.window += size
            reply += frame(WINDOW_UPDATE, 0, got.stream, number(size))
        return None, reply

    def check_length(self, stream):
        length = stream.get("content-length")
        if stream.ended and length is not None and length != str(len(stream.body)):
            raise ProtocolError("content-length %s, and %d bytes" % (length, len(stream.body)))

    def take_headers(self, got):
        stream = self.streams.get(got.stream)
        if stream:
            self.stream_of(got)
        else:
            if got.stream % 2 == 0 or got.stream <= self.last_stream:
                raise ProtocolError("stream %d after %d" % (got.stream, self.last_stream))
            limit = self.ours.get(MAX_STREAMS)
            if limit is not None and len(self.open_streams()) >= limit:
                raise ProtocolError("stream %d is one more than the %d allowed" % (got.stream, limit))
            self.last_stream = got.stream
            self.streams[got.stream] = Stream(self, got.stream, self.initial_window, self.peer.get(INITIAL_WINDOW, FIRST_WINDOW))
        payload = unpadded(got)
        return self.add_to_block(got, got.flags, payload[5:] if got.flags & HAS_PRIORITY else payload)

    def take_continuation(self, got):
        if not self.block:
            raise ProtocolError("CONTINUATION of nothing")
        _stream, flags, before = self.block
        return self.add_to_block(got, flags | got.flags & END_HEADERS, before + got.payload)

    def add_to_block(self, got, flags, block):
        self.block = (got.stream, flags, block)
        if not flags & END_HEADERS:
            return None
        self.block = None
        if self.needs_resize and (not block or block[0] & 0xE0 != 32):
            raise ProtocolError("HPACK: the table became smaller, and no word of it")
        self.needs_resize = False
        try:
            fields = self.decoder.decode(block)
        except hpack.HpackError as problem:
            raise ProtocolError("HPACK: %s" % problem)
        stream = self.streams[got.stream]
        stream.ended = bool(flags & END_STREAM)
        if stream.has_head:
            self.take_trailers(stream, fields)
            return None
        check_request_head(fields)
        stream.has_head, stream.fields = True, fields
        stream.headers = [field for field in fields if field[0][0] != ":"]
        self.check_length(stream)
        return stream, b""

    def take_trailers(self, stream, fields):
        if not stream.ended:
            raise ProtocolError("trailers are not the end")
        for name, value in fields:
            check_field(name, value)
        stream.trailers = fields
        self.check_length(stream)

    def take_reset(self, got):
        stream = self.streams.get(got.stream)
        if not stream or len(got.payload) != 4:
            raise ProtocolError("RST_STREAM of %d bytes on stream %d" % (len(got.payload), got.stream))
        stream.error = error_name(struct.unpack(">I", got.payload)[0])

    def take_settings(self, got):
        if got.flags & ACK:
            if not self.unacknowledged:
                raise ProtocolError("an acknowledgement of nothing")
            for key, value in self.unacknowledged.pop(0):
                self.ours[key] = value
                if key == INITIAL_WINDOW and value < self.initial_window:
                    self.move_windows(value)
                if key == TABLE_SIZE:
                    self.needs_resize |= value < self.decoder.capacity
                    self.decoder.limit = value
            return None
        for at in range(0, len(got.payload), 6):
            key, value = struct.unpack(">HI", got.payload[at : at + 6])
            if key == INITIAL_WINDOW:
                for stream in self.streams.values():
                    stream.send_window += value - self.peer.get(INITIAL_WINDOW, FIRST_WINDOW)
            self.peer[key] = value
        return None, frame(SETTINGS, ACK) if self.origin.acknowledge else b""

    def take_ping(self, got):
        if len(got.payload) != 8:
            raise ProtocolError("PING of %d bytes" % len(got.payload))
        (self.pongs if got.flags & ACK else self.pings).append(got.payload)
        answers = not got.flags & ACK and self.origin.acknowledge
        return None, frame(PING, ACK, 0, got.payload) if answers else b""

    def take_goaway(self, got):
        last, code = struct.unpack(">II", got.payload[:8])
        self.goaways.append((last, error_name(code), got.payload[8:].decode("utf-8", "replace")))

    def take_window_update(self, got):
        size = struct.unpack(">I", got.payload)[0] & BIGGEST_WINDOW
        owner = self.streams.get(got.stream) if got.stream else self
        if not size or not owner:
            raise ProtocolError("WINDOW_UPDATE of %d on stream %d" % (size, got.stream))
        owner.send_window += size
        owner.granted += size
        if owner.send_window > BIGGEST_WINDOW:
            raise ProtocolError("a window of %d" % owner.send_window)


TAKERS = {
    DATA: Session.take_data, HEADERS: Session.take_headers, PRIORITY: lambda *_: None, RST_STREAM: Session.take_reset,
    SETTINGS: Session.take_settings, PING: Session.take_ping, GOAWAY: Session.take_goaway,
    WINDOW_UPDATE: Session.take_window_update, CONTINUATION: Session.take_continuation,
}  # fmt: skip


def check_field(name, value):
    if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
        raise ProtocolError("not a field: %r: %r" % (name, value))
    if name in OF_A_CONNECTION and (name, value) != ("te", "trailers"):
        raise ProtocolError("a field of a connection: %r: %r" % (name, value))


def check_request_head(fields):
    """RFC 9113, 8.2 and 8.3.1, as a server must."""
    names = [name for name, _value in fields]
    pseudo = [name for name in names if name[:1] == ":"]
    if names[: len(pseudo)] != pseudo or len(set(pseudo)) != len(pseudo) or set(pseudo) - set(REQUEST_PSEUDO):
        raise ProtocolError("pseudo-fields: %r" % names)
    values = dict(fields[: len(pseudo)])
    wanted = {":method", ":scheme", ":path"} if values.get(":method") != "CONNECT" else {":method", ":authority"}
    if wanted - set(pseudo) or not values.get(":path", "-"):
        raise ProtocolError("pseudo-fields are missing: %r" % fields[:6])
    for name, value in fields[len(pseudo) :]:
        check_field(name, value)
    hosts = [value for name, value in fields if name == "host"]
    if hosts and hosts != [values.get(":authority", hosts[0])]:
        raise ProtocolError("host %r, and :authority %r" % (hosts, values.get(":authority")))


class H2Origin(Origin):
    """
    serve(stream) runs in a thread of its own as soon as a request's head is there; without it the test answers.
    settings: those of the first frame. credit=False: windows grow only by grant(). acknowledge=False: SETTINGS and
    PING go unanswered. pair=(certificate, key): TLS; alpn: what is offered there. other(wire): serves connections
    that do not speak HTTP/2. greet(session): what is sent instead of SETTINGS.
    """

    def __init__(self, serve=None, settings=(), credit=True, acknowledge=True, pair=None, alpn=("h2",), other=None,
                 greet=None, **listener):  # fmt: skip
        self.serve_stream, self.settings, self.credit, self.acknowledge = serve, dict(settings), credit, acknowledge
        self.other, self.greet, self.pair, self.context = other, greet, pair, None
        self.sessions, self.protocols = [], []
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*pair)
            if alpn:
                self.context.set_alpn_protocols(list(alpn))
        super().__init__(self.speak, **listener)

    def speak(self, wire):
        if self.context:
            wire.sock = self.context.wrap_socket(wire.sock, server_side=True, suppress_ragged_eofs=True)
        protocol = wire.sock.selected_alpn_protocol() if self.context else None
        self.protocols.append(protocol)
        if self.other and protocol != "h2" and not self.is_http2(wire):
            self.other(wire)
            return
        session = Session(wire, self)
        with self.changed:
            self.sessions.append(session)
            self.changed.notify_all()
        if self.greet:
            self.greet(session)
        else:
            session.settings(self.settings)
        session.serve()

    @staticmethod
    def is_http2(wire):
        while len(wire.buffer) < 4 and wire.fill():
            pass
        return wire.buffer[:4] == PREFACE[:4]

    def begin(self, stream):
        if self.serve_stream:
            threading.Thread(target=self.run, args=(stream,), daemon=True).start()

    def run(self, stream):
        try:
            self.serve_stream(stream)
        except (OSError, ValueError):
            pass  # the connection ended under it
        except Exception as problem:
            self.problems.append("stream %d: %r" % (stream.number, problem))

    def wait_stream(self, count=1, seconds=15):
        """The stream that came as number count of all."""
        return self.wait_requests(count, seconds)

    def wait_session(self, count=1, seconds=15):
        self.wait(lambda self: len(self.sessions) >= count, "connection %d" % count, seconds)
        return self.sessions[count - 1]

    def stop(self):
        for session in list(self.sessions):
            session.reading.set()
        super().stop()


def backend_of(origin, protocol="h2", **more):
    """A backend's keys in the configuration. With TLS its certificate is its own authority."""
    keys = {"host": "127.0.0.1", "port": origin.port, "protocol": protocol}
    if getattr(origin, "context", None):
        keys["tls"] = {"ca_file": origin.pair[0], "server_name": "localhost"}
    return dict(keys, **more)


def proxy_to(origin, protocol="h2", **settings):
    """A proxy that speaks HTTP/2 on both sides; one worker, so that who shares a connection is no chance."""
    return H2Proxy(backend_of(origin, protocol), **dict({"workers": 1}, **settings))
