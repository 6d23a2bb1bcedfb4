"""HPACK (RFC 7541) for the tests' HTTP/2 client: a whole decoder, strict, and an encoder that can also do wrong."""

# The static table (appendix A): name, or name and value after a blank; number 1 comes first.
STATIC = [
    tuple(row.split(" ", 1)) if " " in row else (row, "")
    for row in (
        ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|"
        ":status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|"
        "accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|"
        "authorization|cache-control|content-disposition|content-encoding|content-language|content-length|"
        "content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|"
        "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|"
        "proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|"
        "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
    ).split("|")
]

# The Huffman code (appendix B) is canonical: the length of each symbol's code, in base 36, says it all. The last
# symbol is EOS.
LENGTHS = (
    "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca"
    "d67777777777777777777777878djde6f56565666577666567655677777fbeds"
    "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn"
    "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq"
    "u"
)
EOS = 256


def huffman_codes():
    """{symbol: (code, bits)}; shorter codes come first, equally long ones in the order of their symbols."""
    codes, code, last = {}, 0, 0
    for bits, symbol in sorted((int(length, 36), symbol) for symbol, length in enumerate(LENGTHS)):
        code <<= bits - last
        codes[symbol] = (code, bits)
        code, last = code + 1, bits
    return codes


CODES = huffman_codes()
SYMBOLS = {(bits, code): symbol for symbol, (code, bits) in CODES.items()}


class HpackError(Exception):
    """What RFC 7541 calls a decoding error."""


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def huffman_encode(data):
    value, count = 0, 0
    for byte in data:
        code, bits = CODES[byte]
        value, count = value << bits | code, count + bits
    pad = -count % 8
    return (value << pad | (1 << pad) - 1).to_bytes((count + pad) // 8, "big")


def huffman_decode(data):
    out, code, bits = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, bits = code << 1 | byte >> shift & 1, bits + 1
            symbol = SYMBOLS.get((bits, code))
            if symbol is not None:
                if symbol == EOS:
                    raise HpackError("EOS in a string")
                out.append(symbol)
                code, bits = 0, 0
            elif bits > 30:
                raise HpackError("no such code")
    if bits > 7 or code != (1 << bits) - 1:
        raise HpackError("wrong padding")
    return bytes(out)


# --- encoding -----------------------------------------------------------------------------------------------


def integer(value, prefix, flags=0):
    """A number with a prefix of that many bits (5.1); flags fill the bits before it."""
    top = (1 << prefix) - 1
    if value < top:
        return bytes([flags | value])
    out, value = [flags | top], value - top
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def string(text, huffman=False):
    data = to_bytes(text)
    if huffman:
        data = huffman_encode(data)
    return integer(len(data), 7, 128 if huffman else 0) + data


def indexed(number):
    return integer(number, 7, 128)


def size_update(size):
    return integer(size, 5, 32)


def literal(name, value, keep=False, never=False, huffman=False):
    """A field as text, or with the number of its name; keep: it goes into the dynamic table."""
    prefix, flags = (6, 64) if keep else (4, 16) if never else (4, 0)
    start = integer(name, prefix, flags) if isinstance(name, int) else bytes([flags]) + string(name, huffman)
    return start + string(value, huffman)


def encode(fields, huffman=False):
    """A block that leaves the dynamic table alone; bytes among the fields go in as they are."""
    return b"".join(field if isinstance(field, bytes) else literal(*field, huffman=huffman) for field in fields)


# --- decoding -----------------------------------------------------------------------------------------------


class Decoder:
    """
    One direction's decoding state. limit is the table size that our SETTINGS allow. Names and values are returned
    as text, a character for each byte.
    """

    def __init__(self, limit=4096):
        self.limit = self.capacity = limit
        self.table = []
        self.size = 0

    def add(self, name, value):
        self.table.insert(0, (name, value))
        self.size += len(name) + len(value) + 32
        self.evict()

    def evict(self):
        while self.size > self.capacity:
            name, value = self.table.pop()
            self.size -= len(name) + len(value) + 32

    def field(self, number):
        if 1 <= number <= len(STATIC):
            return STATIC[number - 1]
        if not 0 < number - len(STATIC) <= len(self.table):
            raise HpackError("no field %d" % number)
        return self.table[number - len(STATIC) - 1]

    def resize(self, size):
        if size > self.limit:
            raise HpackError("a table of %d bytes, above the limit of %d" % (size, self.limit))
        self.capacity = size
        self.evict()

    def decode(self, block):
        """[(name, value)] of a whole block."""
        reader, fields = Reader(block), []
        while reader.left():
            first = reader.peek()
            if first & 128:
                fields.append(self.field(reader.integer(7)))
            elif first & 0xE0 == 32:
                if fields:
                    raise HpackError("a size update behind a field")
                self.resize(reader.integer(5))
            else:
                number = reader.integer(6 if first & 64 else 4)
                name = self.field(number)[0] if number else reader.string()
                value = reader.string()
                if first & 64:
                    self.add(name, value)
                fields.append((name, value))
        return fields


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def peek(self):
        return self.data[self.at]

    def byte(self):
        if not self.left():
            raise HpackError("the block ends within a field")
        self.at += 1
        return self.data[self.at - 1]

    def integer(self, prefix):
        top = (1 << prefix) - 1
        value = self.byte() & top
        if value < top:
            return value
        for shift in range(0, 35, 7):
            byte = self.byte()
            value += (byte & 127) << shift
            if not byte & 128:
                return value
        raise HpackError("a number without end")

    def string(self):
        is_huffman = self.left() and self.peek() & 128
        size = self.integer(7)
        if size > self.left():
            raise HpackError("a string longer than the block")
        data = self.data[self.at : self.at + size]
        self.at += size
        return (huffman_decode(data) if is_huffman else bytes(data)).decode("latin-1")
