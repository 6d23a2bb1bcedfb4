#!/usr/bin/env node
// An origin as node's http module makes one. Usage: node_origin.js PORT; says on stdout when it is ready, and
// how each connection ended: "2 ended by the peer" or "2 ended here".
"use strict";
const crypto = require("crypto");
const http = require("http");

function hash(req, res) {
    const sum = crypto.createHash("sha256");
    let bytes = 0;
    req.on("data", (piece) => {
        bytes += piece.length;
        sum.update(piece);
    });
    req.on("end", () => {
        res.setHeader("Content-Type", "application/json");
        res.end(
            JSON.stringify({
                method: req.method,
                bytes,
                sha256: sum.digest("hex"),
                length: req.headers["content-length"],
                coding: req.headers["transfer-encoding"],
                trailers: req.trailers,
            })
        );
    });
}

// setImmediate lets each piece leave on its own
function inPieces(res, pieces, then) {
    if (pieces.length === 0) return then();
    res.write(pieces[0]);
    setImmediate(inPieces, res, pieces.slice(1), then);
}

const pages = {
    "/plain": (req, res) => res.end("plain"),
    "/chunked": (req, res) => inPieces(res, ["one ", "two ", "three"], () => res.end()),
    "/trailer": (req, res) => {
        res.writeHead(200, { Trailer: "X-Sum, X-Count" });
        inPieces(res, ["a", "b", "c"], () => {
            res.addTrailers({ "X-Sum": "abc", "X-Count": "3" });
            res.end();
        });
    },
    "/hash": hash,
    "/echo": (req, res) => req.pipe(res),
    "/hints": (req, res) => {
        res.writeEarlyHints({ link: ["</a.css>; rel=preload; as=style", "</b.js>; rel=preload; as=script"] });
        setImmediate(() => {
            res.writeEarlyHints({ link: "</c.js>; rel=preload; as=script" });
            setImmediate(() => res.end("hinted"));
        });
    },
    "/nothing": (req, res) => res.writeHead(204).end(),
    "/unchanged": (req, res) => res.writeHead(304, { ETag: '"1"' }).end(),
    "/cookies": (req, res) => {
        res.setHeader("Set-Cookie", ["a=1", "b=2"]);
        res.end("cookies");
    },
    "/close": (req, res) => {
        res.setHeader("Connection", "close");
        res.end("bye");
    },
    "/refuse": (req, res) => {
        res.statusCode = 403; // before it has seen the body
        res.end("not that");
    },
    "/cut": (req, res) => {
        res.writeHead(200, { "Content-Length": 1000 });
        res.write("x".repeat(100), () => res.destroy());
    },
    "/big": (req, res) => {
        let left = 128;
        const piece = Buffer.alloc(65536, "0123456789abcdef");
        const more = () => {
            while (left-- > 0) if (!res.write(piece)) return res.once("drain", more);
            res.end();
        };
        more();
    },
};

function serve(req, res) {
    const page = pages[req.url.split("?")[0]];
    res.setHeader("X-Connection", req.socket.number);
    if (page) return page(req, res);
    res.statusCode = 404;
    res.end("no such page");
}

const server = http.createServer(serve);
let connections = 0;
server.on("connection", (socket) => {
    socket.number = ++connections;
    socket.on("end", () => (socket.endedByPeer = true));
    socket.on("error", () => {}); // a peer that is gone is no reason to end
    socket.on("close", () => console.log(`${socket.number} ended ${socket.endedByPeer ? "by the peer" : "here"}`));
});
server.on("upgrade", (req, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\n`);
    socket.pipe(socket);
});
process.on("SIGTERM", () => process.exit(0));
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
