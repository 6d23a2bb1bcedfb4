"""One small request of HTTP/2 in bytes, to ask often and to hold connections: curl and h2load do neither."""

METHOD_GET, SCHEME = b'\x82', {'http': b'\x86', 'https': b'\x87'}  # of HPACK's static table
AUTHORITY, PATH = b'\x01', b'\x04'  # there, too: names of literal fields
SETTINGS, HEADERS, ACK, END_STREAM_AND_HEADERS = 4, 1, 1, 5


def frame(kind, flags, stream, payload=b''):
    """A frame; see section 4.1 of RFC 9113."""
    return len(payload).to_bytes(3, 'big') + bytes([kind, flags]) + stream.to_bytes(4, 'big') + payload


def literal(name, value):
    """A literal field that no table remembers."""
    return name + bytes([len(value)]) + value


def first_request(scheme, path=b'/json'):
    """What a client says first; the server's settings are confirmed unread."""
    fields = METHOD_GET + SCHEME[scheme] + literal(PATH, path) + literal(AUTHORITY, b'bench.local')
    return (
        b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
        + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_STREAM_AND_HEADERS, 1, fields)
        + frame(SETTINGS, ACK, 0)
    )


def read_answer(connection, body):
    """Whether the body comes, which must fit into one frame."""
    answer = b''
    while body not in answer:
        piece = connection.recv(65536)
        if not piece:
            return False
        answer += piece
    return True
