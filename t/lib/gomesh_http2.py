"""HTTP/2 (RFC 9113) by raw frames: a client that is strict in what it accepts, and may break any rule itself."""
import re
import select
import ssl
import struct

import gomesh_hpack as hpack
from gomesh_ports import free_port
from gomesh_process import Proxy
from gomesh_tap import deadline, now
from gomesh_wire import Client, ProtocolError, Response

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, HAS_PRIORITY = 4, 8, 32
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADER_LIST = range(1, 7)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIRST_WINDOW = 65535
BIGGEST_WINDOW = (1 << 31) - 1
ERRORS = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR "
    "REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()
NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE = re.compile(r"([^\x00-\x08\x0a-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x08\x0a-\x20\x7f])?)?")
OF_A_CONNECTION = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te")


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else "error %d" % code


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame's bytes; length: what its head says, where that is to be wrong."""
    size = len(payload) if length is None else length
    return struct.pack(">IBI", size << 8 | kind, flags, stream) + payload


def settings_payload(settings):
    """settings: {identifier: value}, or a list of such pairs."""
    pairs = settings.items() if isinstance(settings, dict) else settings
    return b"".join(struct.pack(">HI", number, value) for number, value in pairs)


def number(value):
    return struct.pack(">I", value)


def padded(payload, pad):
    return bytes([pad]) + payload + bytes(pad)


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload


class Stream:
    """What has come on a stream, and what may be sent."""

    def __init__(self, window, send_window):
        self.window, self.send_window = window, send_window  # of theirs, and of ours
        self.due = 0  # bytes taken for which no credit has been given yet
        self.status = None
        self.headers = []
        self.interim = []
        self.body = bytearray()
        self.trailers = []
        self.ended = False
        self.error = None  # the code of RST_STREAM

    def response(self):
        response = Response("2", self.status, "", self.headers)
        response.body, response.trailers, response.interim = bytes(self.body), self.trailers, self.interim
        return response


class H2Client(Client):
    """
    A connection that speaks HTTP/2 from its first byte (over TLS: tls=h2_context()). Every frame read is taken
    account of and checked. start=False: not even the preface is sent; acknowledge=False: SETTINGS and PING go
    unanswered; credit=False: windows grow only by grant().
    """

    def __init__(self, port, tls=None, settings=(), start=True, acknowledge=True, credit=True, **connection):
        super().__init__(port, tls=tls, **connection)
        self.scheme = "https" if tls else "http"
        self.settings = dict(settings)
        self.acknowledge, self.credit = acknowledge, credit
        self.decoder = hpack.Decoder(self.settings.get(TABLE_SIZE, 4096))
        self.window = self.send_window = FIRST_WINDOW
        self.due = 0
        self.streams = {}
        self.next_stream = 1
        self.block = None  # (stream, flags, bytes) of a field block that is not whole yet
        self.peer = {}  # the proxy's settings
        self.settings_seen = self.acknowledged = 0
        self.pongs = []
        self.goaways = []  # (last stream, error name, text)
        self.ended = None  # how the connection ended: "closed" or "reset"
        if start:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings_payload(self.settings)))

    # -- frames
    def readable(self, seconds=0.0):
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        return bool(pending) or bool(select.select([self.sock], [], [], max(seconds, 0))[0])

    def try_to_fill(self, seconds):
        if self.ended or not self.readable(seconds):
            return False
        try:
            if not self.fill():
                self.ended = "closed"
        except (ConnectionError, ssl.SSLError):
            self.ended = "reset"
        return not self.ended

    def read_frame(self, seconds=20):
        """The next frame; None when that time is up, or the connection at its end (then .ended says how)."""
        end = now() + deadline(seconds)
        while True:
            if len(self.buffer) >= 9:
                size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + self.buffer[:9])
                if size > self.settings.get(MAX_FRAME, 16384):
                    raise ProtocolError("a frame of %d bytes" % size)
                if len(self.buffer) >= 9 + size:
                    break
            if not self.try_to_fill(end - now()):
                return None
        result = Frame(kind, flags, stream & BIGGEST_WINDOW, bytes(self.buffer[9 : 9 + size]))
        del self.buffer[: 9 + size]
        self.take(result)
        return result

    def wait(self, condition, seconds=10):
        """Reads frames until condition() holds, the connection ends or the time is up; returns condition()."""
        end = now() + deadline(seconds)
        while not condition() and self.read_frame((end - now()) / deadline(1)):
            pass
        return condition()

    def drain(self):
        """Takes what has come already."""
        while self.read_frame(0):
            pass

    def send_frame(self, kind, flags=0, stream=0, payload=b""):
        self.send(frame(kind, flags, stream, payload))

    def answer(self, *arguments):
        """A frame that rules ask for; it does not matter if nobody takes it any more."""
        try:
            self.send_frame(*arguments)
        except (ConnectionError, ssl.SSLError):
            pass

    def flood(self, frames):
        """Sends them in pieces, for as long as the connection lives; what comes is left unread."""
        frames = list(frames)
        try:
            for at in range(0, len(frames), 64):
                self.send(b"".join(frames[at : at + 64]))
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass

    # -- taking account of what comes
    def take(self, got):
        if self.block and (got.kind != CONTINUATION or got.stream != self.block[0]):
            raise ProtocolError("a frame of kind %d inside a field block" % got.kind)
        if got.kind in (DATA, HEADERS, RST_STREAM, CONTINUATION) and got.stream not in self.streams:
            raise ProtocolError("a frame of kind %d on stream %d" % (got.kind, got.stream))
        if got.kind in (SETTINGS, PING, GOAWAY) and got.stream:
            raise ProtocolError("a frame of kind %d on stream %d" % (got.kind, got.stream))
        if not self.settings_seen and got.kind != SETTINGS:
            raise ProtocolError("the first frame is of kind %d" % got.kind)
        if got.kind == PUSH_PROMISE:
            raise ProtocolError("a push")
        if got.kind < len(TAKERS) and TAKERS[got.kind]:
            TAKERS[got.kind](self, got)

    def stream_of(self, got):
        stream = self.streams[got.stream]
        if stream.ended or stream.error is not None:
            raise ProtocolError("a frame of kind %d behind the end of stream %d" % (got.kind, got.stream))
        return stream

    def take_data(self, got):
        stream, size = self.stream_of(got), len(got.payload)
        if stream.status is None:
            raise ProtocolError("DATA ahead of HEADERS")
        self.window -= size
        stream.window -= size
        if self.window < 0 or stream.window < 0:
            raise ProtocolError("more DATA than the window allows")
        stream.body += unpadded(got)
        stream.ended = bool(got.flags & END_STREAM)
        self.due += size
        stream.due += size
        if self.credit and self.due >= FIRST_WINDOW // 2:
            self.grant(self.due)
        if self.credit and not stream.ended and stream.due >= self.settings.get(INITIAL_WINDOW, FIRST_WINDOW) // 2:
            self.grant(stream.due, got.stream)

    def grant(self, size, number_of_stream=0):
        """Lets so many more bytes come, on a stream or (0) on the connection."""
        owner = self.streams[number_of_stream] if number_of_stream else self
        owner.due = max(owner.due - size, 0)
        owner.window += size
        self.answer(WINDOW_UPDATE, 0, number_of_stream, number(size))

    def take_headers(self, got):
        self.stream_of(got)
        payload = unpadded(got)
        self.add_to_block(got, got.flags, payload[5:] if got.flags & HAS_PRIORITY else payload)

    def take_continuation(self, got):
        if not self.block:
            raise ProtocolError("CONTINUATION of nothing")
        _stream, flags, before = self.block
        self.add_to_block(got, flags | got.flags & END_HEADERS, before + got.payload)

    def add_to_block(self, got, flags, block):
        self.block = (got.stream, flags, block)
        if flags & END_HEADERS:
            self.block = None
            try:
                fields = self.decoder.decode(block)
            except hpack.HpackError as problem:
                raise ProtocolError("HPACK: %s" % problem)
            self.take_fields(self.streams[got.stream], fields, bool(flags & END_STREAM))

    def take_fields(self, stream, fields, is_last):
        for name, value in fields:
            is_status = name == ":status" and stream.status is None and re.fullmatch("[1-9][0-9][0-9]", value)
            if not is_status and not NAME.fullmatch(name) or not VALUE.fullmatch(value) or name in OF_A_CONNECTION:
                raise ProtocolError("not a field: %r: %r" % (name, value))
        if stream.status is not None:
            if not is_last:
                raise ProtocolError("trailers are not the end")
            stream.trailers, stream.ended = fields, True
            return
        if [name for name, _value in fields if name[0] == ":"] != [":status"] or fields[0][0] != ":status":
            raise ProtocolError("not a response's head: %r" % fields)
        status = int(fields.pop(0)[1])
        if status < 200:
            if is_last or status == 101:
                raise ProtocolError("an interim response ends the stream, or is 101")
            stream.interim.append(Response("2", status, "", fields))
            return
        stream.status, stream.headers, stream.ended = status, fields, is_last

    def take_reset(self, got):
        if len(got.payload) != 4:
            raise ProtocolError("RST_STREAM of %d bytes" % len(got.payload))
        self.streams[got.stream].error = error_name(struct.unpack(">I", got.payload)[0])

    def take_settings(self, got):
        if got.flags & ACK:
            self.acknowledged += 1
            return
        self.settings_seen += 1
        for at in range(0, len(got.payload), 6):
            key, value = struct.unpack(">HI", got.payload[at : at + 6])
            if key == INITIAL_WINDOW:
                for stream in self.streams.values():
                    stream.send_window += value - self.peer.get(INITIAL_WINDOW, FIRST_WINDOW)
            self.peer[key] = value
        if self.acknowledge:
            self.answer(SETTINGS, ACK)

    def take_ping(self, got):
        if got.flags & ACK:
            self.pongs.append(got.payload)
        elif self.acknowledge:
            self.answer(PING, ACK, 0, got.payload)

    def take_goaway(self, got):
        last, code = struct.unpack(">II", got.payload[:8])
        if self.goaways and last > self.goaways[-1][0]:
            raise ProtocolError("GOAWAY takes back what an earlier one said")
        self.goaways.append((last, error_name(code), got.payload[8:].decode("utf-8", "replace")))

    def take_window_update(self, got):
        size = struct.unpack(">I", got.payload)[0] & BIGGEST_WINDOW
        owner = self.streams.get(got.stream) if got.stream else self
        if not size or not owner:
            raise ProtocolError("WINDOW_UPDATE of %d on stream %d" % (size, got.stream))
        owner.send_window += size

    # -- requests
    def fields(self, method="GET", path="/", headers=(), authority="gomesh.test", scheme=None):
        head = [(":method", method), (":scheme", scheme or self.scheme), (":authority", authority), (":path", path)]
        return [field for field in head if field[1] is not None] + list(headers)

    def open_stream(self, stream=None):
        """The record of a new stream; returns its number."""
        stream = stream or self.next_stream
        self.next_stream = max(self.next_stream, stream + 2)
        window = self.settings.get(INITIAL_WINDOW, FIRST_WINDOW)
        self.streams[stream] = Stream(window, self.peer.get(INITIAL_WINDOW, FIRST_WINDOW))
        return stream

    def send_headers(self, stream, fields, end_stream=False, split_into=1):
        """Fields (or an encoded block) as HEADERS and CONTINUATION. stream None: a new one; returns its number."""
        if stream not in self.streams:
            stream = self.open_stream(stream)
        block = fields if isinstance(fields, bytes) else hpack.encode(fields)
        self.send(header_frames(stream, block, end_stream, split_into))
        return stream

    def send_data(self, stream, data, end_stream=False, piece=16384):
        """Sends within the windows, and waits for them; returns how much was sent before the stream's end."""
        record, sent = self.streams[stream], 0
        is_open = lambda: record.error is None and not record.ended and not self.ended  # noqa: E731
        while sent < len(data):
            room = lambda: min(record.send_window, self.send_window)  # noqa: E731
            self.drain()
            if room() <= 0 and not self.wait(lambda: room() > 0 or not is_open(), 30):
                raise ProtocolError("no window after %d of %d bytes" % (sent, len(data)))
            if not is_open():
                return sent
            size = min(room(), piece, len(data) - sent)
            is_last = end_stream and sent + size == len(data)
            record.send_window -= size
            self.send_window -= size
            self.send_frame(DATA, END_STREAM if is_last else 0, stream, data[sent : sent + size])
            sent += size
        if end_stream and not data:
            self.send_frame(DATA, END_STREAM, stream)
        return sent

    def start(self, method="GET", path="/", headers=(), body=None, trailers=None, length=True, **more):
        """Sends a request without waiting for its answer; returns the stream's number."""
        fields = self.fields(method, path, headers, **more)
        if body is not None and length:
            fields.append(("content-length", str(len(body))))
        stream = self.send_headers(None, fields, body is None and trailers is None)
        if body is not None:
            self.send_data(stream, body, trailers is None)
        if trailers is not None:
            self.send_headers(stream, trailers, True)
        return stream

    def response(self, stream, seconds=20):
        """A stream's whole answer; anything else raises ProtocolError."""
        record = self.streams[stream]
        self.wait(lambda: record.ended or record.error is not None, seconds)
        if not record.ended:
            what = "RST_STREAM %s" % record.error if record.error is not None else self.ended or "nothing more"
            raise ProtocolError("no whole answer on stream %d: %s, %r" % (stream, what, self.goaways))
        return record.response()

    def request(self, method="GET", path="/", headers=(), body=None, **more):
        return self.response(self.start(method, path, headers, body, **more))

    def cancel(self, stream, code="CANCEL"):
        self.send_frame(RST_STREAM, 0, stream, number(ERRORS.index(code)))

    # -- ends
    def ping(self, payload=b"gomesh!!", seconds=10):
        """True if the answer came."""
        before = self.pongs.count(payload)
        self.answer(PING, 0, 0, payload)
        return self.wait(lambda: self.pongs.count(payload) > before, seconds)

    def failed(self):
        """The error of a GOAWAY that says one, or None."""
        return next((error for _last, error, _text in self.goaways if error != "NO_ERROR"), None)

    def wait_goaway(self, seconds=10):
        """The error of the last GOAWAY; None if there is none."""
        self.wait(lambda: self.goaways, seconds)
        return self.goaways[-1][1] if self.goaways else None

    def wait_reset(self, stream, seconds=10):
        """The error with which a stream was reset, None if it was not."""
        record = self.streams[stream]
        self.wait(lambda: record.error is not None, seconds)
        return record.error

    def closed(self, seconds=10):
        """Waits for the connection's end; True if it came."""
        return bool(self.wait(lambda: self.ended, seconds))

    def outcome(self, stream=None, answers=True, seconds=10):
        """
        What came of something wrong, in words: "GOAWAY <error>", "RST_STREAM <error>", "answer <status>", "closed",
        "nothing". answers=False: an answer tells nothing; then "ignored" is known as soon as two pings are answered.
        """
        record = self.streams.get(stream) or Stream(0, 0)
        failed = lambda: self.failed() or record.error is not None  # noqa: E731
        if answers:
            self.wait(lambda: failed() or record.ended, seconds)
        else:
            ignored = [self.ping(b"outcome%d" % turn, seconds) for turn in range(2) if not failed()]
            if not failed() and all(ignored):
                return "ignored"
        if self.failed():
            return "GOAWAY " + self.failed()
        if answers and record.ended:
            return "answer %d" % record.status
        return "RST_STREAM " + record.error if record.error is not None else "closed" if self.ended else "nothing"


TAKERS = [
    H2Client.take_data, H2Client.take_headers, None, H2Client.take_reset, H2Client.take_settings, None,
    H2Client.take_ping, H2Client.take_goaway, H2Client.take_window_update, H2Client.take_continuation,
]


def unpadded(got):
    if not got.flags & PADDED:
        return got.payload
    pad = got.payload[0]
    if pad >= len(got.payload):
        raise ProtocolError("more padding than payload")
    return got.payload[1 : len(got.payload) - pad]


def header_frames(stream, block, end_stream=False, split_into=1):
    """The bytes of a field block in as many frames, and more where one would be too large."""
    size = min(max(-(-len(block) // split_into), 1), 16384)
    parts = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
    parts += [b""] * (split_into - len(parts))
    out = b""
    for index, part in enumerate(parts):
        flags = (END_STREAM if end_stream and not index else 0) | (END_HEADERS if index + 1 == len(parts) else 0)
        out += frame(CONTINUATION if index else HEADERS, flags, stream, part)
    return out


def h2_context(cafile=None, protocols=("h2",)):
    context = ssl.create_default_context(cafile=cafile)
    if not cafile:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context


class H2Proxy(Proxy):
    """A proxy that speaks HTTP/2 on its plain port, and with pair=certificate(…) on .tls_port, too."""

    def __init__(self, backend, http2=None, pair=None, **settings):
        if pair:
            self.tls_port = free_port()
            settings["tls"] = {"listen_port": self.tls_port, "cert_file": pair[0], "key_file": pair[1]}
        super().__init__(backend, http2=dict({"enabled": True, "cleartext": True}, **(http2 or {})), **settings)

    def client(self, **connection):
        return H2Client(self.port, **connection)

    def tls_client(self, **connection):
        return H2Client(self.tls_port, tls=h2_context(), **connection)
