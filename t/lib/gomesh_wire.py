"""HTTP/1 on raw sockets, strict in what it accepts: the tests' clients, and the base of their origins."""
import hashlib
import random
import re
import select
import socket

from gomesh_tap import closing, deadline

FIELD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)[ \t]*"
)
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)")
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
MAX_HEAD = 1 << 20


class ProtocolError(Exception):
    """The peer broke HTTP's grammar, or its message ended before it was whole."""


class Message:
    def __init__(self, headers):
        self.headers = headers
        self.body = b""
        self.trailers = []
        self.framing = "none"

    def all(self, name):
        """The values of every field of that name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def tokens(self, name):
        return [token.strip().lower() for token in (self.get(name) or "").split(",") if token.strip()]

    @property
    def sha256(self):
        return sha256(self.body)


class Request(Message):
    def __init__(self, method, target, version, headers):
        super().__init__(headers)
        self.method, self.target, self.version = method, target, version


class Response(Message):
    def __init__(self, version, status, reason, headers):
        super().__init__(headers)
        self.version, self.status, self.reason = version, status, reason
        self.interim = []

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Wire:
    """A connected socket with a buffer. Running into the deadline raises socket.timeout."""

    def __init__(self, sock, seconds=20):
        self.sock = sock
        self.sock.settimeout(deadline(seconds))
        self.buffer = bytearray()
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # -- bytes
    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def fill(self):
        """Reads once; False at the end of the stream."""
        data = self.sock.recv(262144)
        self.buffer += data
        return bool(data)

    def read_line(self):
        while True:
            end = self.buffer.find(b"\n")
            if end >= 0:
                break
            if len(self.buffer) > MAX_HEAD:
                raise ProtocolError("endless line")
            if not self.fill():
                raise ProtocolError("end of stream inside a line: %r" % bytes(self.buffer[:100]))
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        if not line.endswith(b"\r"):
            raise ProtocolError("a line ends in LF alone: %r" % line[:100])
        return line[:-1]

    def read_exactly(self, size):
        parts = [bytes(self.buffer[:size])]
        del self.buffer[:size]
        left = size - len(parts[0])
        while left:
            data = self.sock.recv(min(left, 1 << 20))
            if not data:
                raise ProtocolError("end of stream, %d of %d bytes missing" % (left, size))
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def read_to_end(self):
        while self.fill():
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def ends(self):
        """Waits for the end of the stream; True if nothing came before it. A reset counts as an end."""
        try:
            return not self.buffer and not self.fill()
        except ConnectionError:
            return True

    def readable(self, seconds=0.0):
        return bool(self.buffer) or bool(select.select([self.sock], [], [], seconds)[0])

    # -- messages
    def read_fields(self):
        fields = []
        while True:
            line = self.read_line()
            if not line:
                return fields
            match = FIELD.fullmatch(line)
            if not match:
                raise ProtocolError("not a header field: %r" % line[:200])
            fields.append((match.group(1).decode(), match.group(2).decode("latin-1")))

    def read_chunks(self, message):
        parts = []
        while True:
            line = self.read_line()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise ProtocolError("not a chunk size: %r" % line[:100])
            size = int(line, 16)
            if size == 0:
                break
            parts.append(self.read_exactly(size))
            if self.read_line():
                raise ProtocolError("a chunk is longer than it says")
        message.trailers = self.read_fields()
        message.body = b"".join(parts)

    def read_body(self, message, until_end):
        """Reads the body by the message's framing; until_end: without any, it lasts to the end of stream."""
        lengths = message.all("content-length")
        codings = message.all("transfer-encoding")
        if codings:
            if lengths or [coding.lower() for coding in codings] != ["chunked"]:
                raise ProtocolError("ambiguous framing: %r %r" % (lengths, codings))
            message.framing = "chunked"
            self.read_chunks(message)
        elif lengths:
            if len(lengths) != 1 or not re.fullmatch(r"[0-9]+", lengths[0]):
                raise ProtocolError("bad Content-Length: %r" % lengths)
            message.framing = "length"
            message.body = self.read_exactly(int(lengths[0]))
        elif until_end:
            message.framing = "close"
            message.body = self.read_to_end()

    def read_request_head(self):
        """The next request's head, or None if the peer ends the stream where one could begin."""
        if not self.buffer and not self.fill():
            return None
        line = self.read_line()
        match = REQUEST_LINE.fullmatch(line)
        if not match:
            raise ProtocolError("not a request line: %r" % line[:200])
        return Request(
            match.group(1).decode(),
            match.group(2).decode("latin-1"),
            "1." + match.group(3).decode(),
            self.read_fields(),
        )

    def read_request(self):
        request = self.read_request_head()
        if request:
            self.read_body(request, until_end=False)
        return request

    def read_response_head(self):
        line = self.read_line()
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise ProtocolError("not a status line: %r" % line[:200])
        return Response(
            "1." + match.group(1).decode(),
            int(match.group(2)),
            match.group(3).decode("latin-1"),
            self.read_fields(),
        )

    def read_response(self, method="GET"):
        """One whole response; what came before it (1xx) is in .interim."""
        interim = []
        while True:
            response = self.read_response_head()
            if response.status >= 200:
                break
            interim.append(response)
        response.interim = interim
        if method != "HEAD" and response.status not in (204, 304):
            self.read_body(response, until_end=True)
        return response

    # -- ends
    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self):
        self.sock.close()

    @property
    def local_port(self):
        return self.sock.getsockname()[1]


class Client(Wire):
    """A connection to a proxy; ends with the subtest."""

    def __init__(
        self,
        port,
        address="127.0.0.1",
        tls=None,
        server_name="localhost",
        seconds=20,
        receive_buffer=None,
        source=None,
    ):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(deadline(seconds))
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        if tls:
            sock = tls.wrap_socket(sock, server_hostname=server_name, suppress_ragged_eofs=False)
        super().__init__(sock, seconds)
        closing(self.close)

    def request(self, method="GET", target="/", headers=(), body=None, version="1.1", host="gomesh.test"):
        """Sends a request and reads its response."""
        self.send_request(method, target, headers, body, version, host)
        return self.read_response(method)

    def send_request(
        self, method="GET", target="/", headers=(), body=None, version="1.1", host="gomesh.test"
    ):
        fields = ([("Host", host)] if host is not None else []) + list(headers)
        self.send(http_message("%s %s HTTP/%s" % (method, target, version), fields, body))


def once(
    port, method="GET", target="/", headers=(), body=None, version="1.1", host="gomesh.test", **connection
):
    """One request on a connection of its own."""
    client = Client(port, **connection)
    try:
        return client.request(method, target, headers, body, version, host)
    finally:
        client.close()


def http_message(start_line, headers=(), body=None):
    """A message's bytes; a body adds its Content-Length unless the headers frame it."""
    names = [name.lower() for name, _value in headers]
    lines = [start_line] + ["%s: %s" % field for field in headers]
    if body is not None and "content-length" not in names and "transfer-encoding" not in names:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chunked(data, size=16384):
    """data in chunks of that size, with the last chunk."""
    parts = []
    for offset in range(0, len(data), size):
        part = data[offset : offset + size]
        parts += [b"%x\r\n" % len(part), part, b"\r\n"]
    return b"".join(parts) + b"0\r\n\r\n"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def some_bytes(size, seed=1):
    """Bytes without a pattern, the same in every run."""
    return random.Random(seed).randbytes(size) if size else b""
