#!/usr/bin/env node
// node's http2 module as an origin. Usage: http2_origin.js PORT [CERTIFICATE KEY]
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const http2 = require("http2");

const [port, certificate, key] = process.argv.slice(2);
const roomy = { maxSessionMemory: 1000 }; // of the 10 MB that are the default, four answers of ours are too many
const server = certificate
    ? http2.createSecureServer({ ...roomy, cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
    : http2.createServer(roomy);

const paths = {
    "/trailers"(stream) {
        stream.respond({ ":status": 200, trailer: "x-end" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "from node" }));
        stream.end("hello");
    },
    "/hints"(stream) {
        stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
        stream.respond({ ":status": 200 });
        stream.end("after hints");
    },
    "/unchanged"(stream) {
        stream.respond({ ":status": 304, etag: '"1"' }, { endStream: true });
    },
    "/reset"(stream) {
        stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    },
    "/reset-within"(stream) {
        stream.respond({ ":status": 200 });
        stream.write("some", () => setImmediate(() => stream.destroy(new Error("on purpose")))); // close() would end it first
    },
    "/refused"(stream) {
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    },
    "/goaway"(stream) {
        stream.respond({ ":status": 200 });
        stream.end("goodbye");
        stream.session.close();
    },
    "/cookies"(stream, headers) {
        stream.respond({ ":status": 200, "set-cookie": ["a=1", "b=2"] });
        stream.end(String(headers.cookie));
    },
    "/echo"(stream) {
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
    },
    "/hold"(stream) {
        stream.on("close", () => console.log("closed /hold " + stream.rstCode));
        stream.respond({ ":status": 200 });
        stream.write("some");
    },
    // anything else: what was asked and what came, and as much as "/bytes/N" says
    default(stream, headers) {
        const sum = crypto.createHash("sha256");
        const trailers = {};
        let bytes = 0;
        stream.on("trailers", (fields) => Object.assign(trailers, fields));
        stream.on("data", (piece) => {
            sum.update(piece);
            bytes += piece.length;
        });
        stream.on("end", () => {
            const size = /^\/bytes\/(\d+)$/.exec(headers[":path"]);
            const seen = {
                method: headers[":method"], path: headers[":path"], scheme: headers[":scheme"], authority: headers[":authority"],
                forwarded: headers["x-forwarded-for"], trailers: { ...trailers }, bytes, sha256: sum.digest("hex"),
            };
            const body = size ? Buffer.alloc(Number(size[1]), "x") : Buffer.from(JSON.stringify(seen));
            if (stream.destroyed) return;
            stream.respond({ ":status": 200, "content-length": body.length });
            stream.end(headers[":method"] === "HEAD" ? undefined : body);
        });
    },
};

server.on("stream", (stream, headers) => {
    stream.on("error", () => {}); // who resets a stream is told of it as of an error
    (paths[headers[":path"]] || paths.default)(stream, headers);
});
server.on("session", () => console.log("session"));
server.on("sessionError", (error) => console.log("sessionError " + error.code));
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
process.on("SIGTERM", () => process.exit(0));
