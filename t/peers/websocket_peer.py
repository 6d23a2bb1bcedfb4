#!/usr/bin/python3
"""The library "websockets" on both ends of a proxy. It is Debian's package, so Debian's interpreter runs this.

    websocket_peer.py serve PORT [CERT KEY]     prints "ready", then "closed PATH CODE REASON" per connection
    websocket_peer.py visit URI [CA]            goes through all it can do, prints what it saw as one line of JSON
    websocket_peer.py stay URI [CA]             prints "open", then the code with which the connection ended
"""
import asyncio
import json
import os
import random
import signal
import ssl
import sys

import websockets

MIB = 1 << 20
PATIENCE = 30 * float(os.environ.get("GM_TEST_SLOW") or 1)  # an end that does not come is a failure, not a wait
SIZES = (0, 1, 125, 126, 127, 65535, 65536)  # where the length of a frame is written in another way
LIMITS = {"max_size": 4 * MIB, "close_timeout": PATIENCE}


# --- the server


def path_of(ws):
    return getattr(ws, "path", None) or ws.request.path


def headers_of(ws):
    return getattr(ws, "request_headers", None) or ws.request.headers


async def serve_one(ws):
    path = path_of(ws)
    if path == "/seen":
        await ws.send(json.dumps({name.lower(): value for name, value in headers_of(ws).items()}))
    elif path == "/ping":
        await asyncio.wait_for(await ws.ping(b"from the server"), PATIENCE)
        await ws.send("ponged")
    elif path == "/close":
        await ws.recv()
        await ws.close(4001, "the server is done")
    elif path == "/push":  # more than all buffers on the way hold, before a word of the client
        for number in range(8):
            await ws.send(bytes([number]) * MIB)
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.exceptions.ConnectionClosedError:
        pass
    await ws.wait_closed()
    print("closed", path, ws.close_code, ws.close_reason, flush=True)


async def serve(port, *files):
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    options = {"subprotocols": ["chat.v1"], "origins": [None, "https://good.example"], "ssl": context, **LIMITS}
    async with websockets.serve(serve_one, "127.0.0.1", int(port), **options):
        print("ready", flush=True)
        await stop


# --- the client


class Visit:
    def __init__(self, uri, ca=None):
        self.uri = uri
        self.context = ssl.create_default_context(cafile=ca) if ca else None

    def connect(self, path="/echo", **options):
        return websockets.connect(self.uri + path, ssl=self.context, open_timeout=PATIENCE, **LIMITS, **options)

    async def echoes(self, compression):
        """Messages of all lengths of length; whether each came back as it was."""
        async with self.connect(compression=compression) as ws:
            wrong = []
            for size in SIZES:
                for message in ("ü" * size, random.randbytes(size)):
                    await ws.send(message)
                    if await ws.recv() != message:
                        wrong.append((type(message).__name__, size))
            await ws.send("one message in parts ".split(" "))
            if await ws.recv() != "onemessageinparts":
                wrong.append("parts")
            return wrong

    async def big(self, compression):
        """1 MiB there and back, as text and as bytes, the second on its way before the first is back."""
        async with self.connect(compression=compression) as ws:
            messages = ["".join(random.choices("abcdefgh", k=MIB)), random.randbytes(MIB)]
            for message in messages:
                await ws.send(message)
            return [await ws.recv() == message for message in messages]

    async def pushed(self):
        async with self.connect("/push") as ws:
            return [await ws.recv() == bytes([number]) * MIB for number in range(8)]

    async def pings(self):
        async with self.connect("/ping") as ws:
            answer = await ws.recv()
            for payload in (b"", b"from the client", b"x" * 125):
                await asyncio.wait_for(await ws.ping(payload), PATIENCE)
            await ws.send("still in step")
            return [answer, await ws.recv()]

    async def closes_first(self):
        async with self.connect() as ws:
            await ws.close(4000, "the client is done")
            return [ws.close_code, ws.close_reason]

    async def is_closed(self):
        async with self.connect("/close") as ws:
            await ws.send("go")
            try:
                await ws.recv()
            except websockets.exceptions.ConnectionClosed as end:
                return [end.rcvd.code, end.rcvd.reason]

    async def agrees(self):
        async with self.connect("/seen", subprotocols=["chat.v2", "chat.v1"], origin="https://good.example") as ws:
            return [ws.subprotocol, json.loads(await ws.recv())]

    async def is_refused(self):
        try:
            async with self.connect("/refused", origin="https://bad.example"):
                return "accepted"
        except websockets.exceptions.InvalidHandshake as problem:
            return getattr(problem, "status_code", None) or problem.response.status_code

    async def one_of_many(self, number):
        async with self.connect("/echo?%d" % number) as ws:
            for round_ in range(20):
                message = "%d, %d: " % (number, round_) + "." * random.randrange(3000)
                await ws.send(message if round_ % 2 else message.encode())
                if await ws.recv() != (message if round_ % 2 else message.encode()):
                    return False
            return True

    async def all(self):
        seen = {}
        for name, compression in (("compressed", "deflate"), ("uncompressed", None)):
            seen["echoes " + name] = await self.echoes(compression)
            seen["big " + name] = await self.big(compression)
        for name in ("pushed", "pings", "closes_first", "is_closed", "agrees", "is_refused"):
            seen[name] = await getattr(self, name)()
        seen["many"] = await asyncio.gather(*(self.one_of_many(number) for number in range(40)))
        print(json.dumps(seen), flush=True)


async def stay(uri, ca=None):
    async with Visit(uri, ca).connect() as ws:
        await ws.send("hello")
        print("open", await ws.recv(), flush=True)
        try:
            await ws.recv()
        except websockets.exceptions.ConnectionClosed:
            pass
        print("ended", ws.close_code, flush=True)


def main(what, *arguments):
    # a client's deadline is that of its operations together; a server's is whoever started it
    if what == "serve":
        asyncio.run(serve(*arguments))
    elif what == "visit":
        asyncio.run(asyncio.wait_for(Visit(*arguments).all(), 4 * PATIENCE))
    else:
        asyncio.run(asyncio.wait_for(stay(*arguments), 4 * PATIENCE))


main(*sys.argv[1:])
