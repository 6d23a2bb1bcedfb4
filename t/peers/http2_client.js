#!/usr/bin/env node
// node's http2 module as a client. Usage: http2_client.js http[s]://HOST:PORT [CA-FILE] SCENARIO...
// Each scenario prints one line: its name and, as JSON, what it saw.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const http2 = require("http2");

const base = new URL(process.argv[2]);
const isTls = base.protocol === "https:";
const names = process.argv.slice(isTls ? 4 : 3);
const connect = () => http2.connect(base, isTls ? { ca: fs.readFileSync(process.argv[3]) } : {});

// One request; write(stream) sends the body and ends it. Collects what a test wants to know about the answer.
function ask(session, headers, write) {
    return new Promise((resolve) => {
        const stream = session.request(headers, { endStream: !write });
        const sum = crypto.createHash("sha256");
        const parts = [];
        const seen = { interim: [], trailers: null, bytes: 0, error: null };
        stream.on("headers", (fields) => seen.interim.push([fields[":status"], fields.link]));
        stream.on("continue", () => seen.interim.push([100]));
        stream.on("response", (fields) => (seen.status = fields[":status"], (seen.headers = fields)));
        stream.on("trailers", (fields) => (seen.trailers = { ...fields }));
        stream.on("data", (piece) => {
            sum.update(piece);
            seen.bytes += piece.length;
            if (seen.bytes < 65536) parts.push(piece);
        });
        stream.on("error", (error) => (seen.error = error.code));
        stream.on("close", () => {
            seen.text = Buffer.concat(parts).toString();
            seen.sha256 = sum.digest("hex");
            seen.rst = stream.rstCode;
            resolve(seen);
        });
        if (write) write(stream);
    });
}

const scenarios = {
    async plain(session) {
        return ask(session, { ":path": "/plain", cookie: "a=1", "x-one": "1" });
    },
    async many(session) {
        const answers = await Promise.all([...Array(200).keys()].map((i) => ask(session, { ":path": "/n/" + i })));
        return answers.map((answer) => answer.text);
    },
    async upload(session) {
        const body = Buffer.alloc(3 * 1048576 + 17, "u");
        return ask(session, { ":method": "POST", ":path": "/upload" }, (stream) => stream.end(body));
    },
    async trailers(session) {
        const headers = { ":method": "POST", ":path": "/trailers", te: "trailers", trailer: "x-sum" };
        return new Promise((resolve) => {
            const stream = session.request(headers, { waitForTrailers: true });
            const seen = { trailers: null, text: "" };
            stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "from the client" }));
            stream.on("trailers", (fields) => (seen.trailers = { ...fields }));
            stream.on("data", (piece) => (seen.text += piece));
            stream.on("close", () => resolve(seen));
            stream.end("body");
        });
    },
    async hints(session) {
        return ask(session, { ":path": "/hints" });
    },
    async download(session) {
        return ask(session, { ":path": "/large" });
    },
    async head(session) {
        return ask(session, { ":method": "HEAD", ":path": "/large" });
    },
    async early(session) {
        const body = Buffer.alloc(8 * 1048576, "e");
        return ask(session, { ":method": "POST", ":path": "/early" }, (stream) => stream.end(body));
    },
    // leaves one stream in the middle and goes on with another
    async cancel(session) {
        await new Promise((resolve) => {
            const stream = session.request({ ":path": "/large" });
            stream.once("data", () => stream.close(http2.constants.NGHTTP2_CANCEL));
            stream.on("close", resolve);
        });
        return ask(session, { ":path": "/plain" });
    },
    // an echo of text, then the closing handshake, in frames of RFC 6455
    async websocket(session) {
        if (!session.remoteSettings.enableConnectProtocol)
            await new Promise((resolve) => session.once("remoteSettings", resolve));
        const seen = { promised: session.remoteSettings.enableConnectProtocol };
        const stream = session.request(
            { ":method": "CONNECT", ":protocol": "websocket", ":path": "/echo", "sec-websocket-version": "13" },
            { endStream: false }
        );
        const text = Buffer.from("w".repeat(100));
        const closing = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]; // 1000; masked with zeros, as the text
        let got = Buffer.alloc(0);
        stream.on("response", (fields) => {
            seen.status = fields[":status"];
            stream.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
        });
        stream.on("data", (piece) => {
            got = Buffer.concat([got, piece]);
            if (!seen.text && got.length >= 102) {
                seen.text = [got[0], got[1], got.subarray(2, 102).equals(text)];
                stream.end(Buffer.from(closing));
            }
        });
        await new Promise((resolve) => stream.on("close", resolve));
        seen.close = [...got.subarray(102)];
        seen.rst = stream.rstCode;
        return seen;
    },
};

async function main() {
    const session = connect();
    for (const name of names) console.log(name + " " + JSON.stringify(await scenarios[name](session)));
    session.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
