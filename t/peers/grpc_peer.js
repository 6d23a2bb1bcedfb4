#!/usr/bin/env node
// @grpc/grpc-js as server and as client; messages are plain bytes.
// Usage: grpc_peer.js FOLDER-WITH-node_modules serve PORT [CERTIFICATE KEY]
//        grpc_peer.js FOLDER-WITH-node_modules visit HOST:PORT CA-FILE|- SCENARIO...
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const [folder, role, where, ...rest] = process.argv.slice(2);
const grpc = require(path.join(folder, "node_modules", "@grpc", "grpc-js"));
const same = (bytes) => bytes;
const sum = (bytes) => crypto.createHash("sha256").update(bytes).digest("hex");
const method = (name, requestStream, responseStream) => ({
    path: "/gomesh.test.Echo/" + name, requestStream, responseStream,
    requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const service = {
    Unary: method("Unary", false, false), Sleep: method("Sleep", false, false), Fail: method("Fail", false, false),
    Collect: method("Collect", true, false), Repeat: method("Repeat", false, true), Chat: method("Chat", true, true),
    Break: method("Break", false, true),
};
const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1, "grpc.enable_http_proxy": 0 };
const gzip = { "grpc.default_compression_algorithm": 2, "grpc.default_compression_level": 2 };

// --- server

function sleep(call) {
    const left = call.getDeadline() - Date.now();
    console.log("sleeping " + (Number.isFinite(left) ? Math.round(left) : "for ever"));
    call.on("cancelled", () => console.log("cancelled Sleep"));
}

const implementation = {
    Unary(call, done) {
        const initial = new grpc.Metadata();
        const trailing = new grpc.Metadata();
        for (const value of call.metadata.get("x-ask")) initial.add("x-answer", value);
        for (const value of call.metadata.get("x-ask-bin")) trailing.add("x-answer-bin", value);
        trailing.set("x-sum", sum(call.request));
        if (initial.get("x-answer").length) call.sendMetadata(initial);
        done(null, call.request, trailing);
    },
    Sleep: sleep,
    Fail(call, done) {
        const metadata = new grpc.Metadata();
        metadata.set("x-why", "told to");
        done({ code: Number(call.request.toString()), details: "déjà vu: 100%", metadata });
    },
    Collect(call, done) {
        const parts = [];
        call.on("data", (part) => parts.push(part));
        call.on("end", () => done(null, Buffer.from(parts.length + " " + sum(Buffer.concat(parts)))));
    },
    // "N SIZE": N messages of that size, as fast as they are taken
    async Repeat(call) {
        const [count, size] = call.request.toString().split(" ").map(Number);
        for (let i = 0; i < count && !call.cancelled; i++)
            if (!call.write(Buffer.alloc(size, i % 256))) await new Promise((go) => call.once("drain", go).once("cancelled", go));
        call.end();
    },
    Chat(call) {
        call.on("data", (part) => call.write(part));
        call.on("end", () => {
            call.write(Buffer.from("you are done, I am not"));
            call.end();
        });
        call.on("cancelled", () => console.log("cancelled Chat"));
    },
    Break(call) {
        call.write(Buffer.from("one"), () => call.emit("error", { code: grpc.status.CANCELLED, details: "changed my mind" }));
    },
};

function serve() {
    const server = new grpc.Server(rest[2] === "gzip" ? { ...unlimited, ...gzip } : unlimited);
    server.addService(service, implementation);
    const credentials = rest.length > 1 && rest[0] !== "-"
        ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: fs.readFileSync(rest[0]), private_key: fs.readFileSync(rest[1]) }])
        : grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:" + where, credentials, (error) => {
        if (error) throw error;
        console.log("ready");
    });
    process.on("SIGTERM", () => server.forceShutdown() || process.exit(0));
}

// --- client

const outcome = (error, more) => ({ code: error ? error.code : 0, details: error ? error.details : "", ...more });
const later = (ms) => new Date(Date.now() + ms);

function unary(client, request, metadata = new grpc.Metadata(), options = {}, name = "Unary") {
    return new Promise((resolve) => {
        const seen = {};
        const call = client[name](request, metadata, options, (error, response) => {
            seen.sum = response && sum(response);
            seen.bytes = response && response.length;
            setImmediate(() => resolve(outcome(error, seen))); // behind the status
        });
        call.on("metadata", (fields) => (seen.initial = fields.get("x-answer")));
        call.on("status", (status) => {
            seen.trailing = status.metadata.get("x-answer-bin").map((value) => value.toString("hex"));
            seen.xsum = status.metadata.get("x-sum")[0];
            seen.why = status.metadata.get("x-why")[0];
        });
    });
}

function collect(stream, seen = { parts: [], bytes: 0 }) {
    return new Promise((resolve) => {
        stream.on("data", (part) => {
            seen.bytes += part.length;
            if (seen.parts.length < 100) seen.parts.push(part.length < 100 ? part.toString() : part.length);
        });
        stream.on("error", (error) => resolve(outcome(error, seen)));
        stream.on("status", (status) => setImmediate(() => resolve({ code: status.code, details: status.details, ...seen })));
    });
}

async function chat(client) {
    const stream = client.Chat();
    const got = [];
    const next = () => new Promise((resolve) => stream.once("data", (part) => resolve(got.push(part.toString()))));
    for (let i = 0; i < 50; i++) {
        const answer = next();
        stream.write(Buffer.from("message " + i));
        await answer;
    }
    const last = next();
    const status = new Promise((resolve) => stream.on("status", (status) => resolve(status.code)));
    stream.on("error", () => {});
    stream.end();
    await last;
    return { code: await status, got };
}

function many(client) {
    const one = (i) => unary(client, Buffer.from("request " + i)).then((seen) => seen.code === 0 && seen.sum === sum("request " + i));
    return Promise.all([...Array(200).keys()].map(one));
}

async function sizes(client) {
    const got = [];
    for (const size of [0, 1, 1000, 16379, 16380, 65535, 1 << 20, 4 << 20]) {
        const request = crypto.randomBytes(size);
        const seen = await unary(client, request);
        got.push([size, seen.code, seen.sum === sum(request), seen.xsum === sum(request)]);
    }
    return got;
}

const scenarios = {
    unary: (client) => unary(client, Buffer.from("hello")),
    metadata(client) {
        const metadata = new grpc.Metadata();
        for (const value of ["one", "two", "three"]) metadata.add("x-ask", value);
        for (const value of [Buffer.from([0, 255, 10, 13, 44]), Buffer.alloc(300, 7)]) metadata.add("x-ask-bin", value);
        return unary(client, Buffer.from("hello"), metadata);
    },
    sizes,
    many,
    chat,
    fail: (client) => Promise.all([3, 5, 16].map((code) => unary(client, Buffer.from(String(code)), undefined, {}, "Fail"))),
    unknown(client) {
        return new Promise((resolve) => client.makeUnaryRequest("/gomesh.test.Echo/Nothing", same, same, Buffer.alloc(1), (error) => resolve(outcome(error))));
    },
    collect(client) {
        return new Promise((resolve) => {
            const stream = client.Collect((error, response) => resolve(outcome(error, { text: response && response.toString() })));
            for (let i = 0; i < 100; i++) stream.write(Buffer.alloc(10000, i));
            stream.end();
        });
    },
    empty_collect(client) {
        return new Promise((resolve) => {
            client.Collect((error, response) => resolve(outcome(error, { text: response && response.toString() }))).end();
        });
    },
    repeat: (client) => collect(client.Repeat(Buffer.from("1000 20000"))),
    empty_repeat: (client) => collect(client.Repeat(Buffer.from("0 0"))),
    // takes the first messages of very many, waits, and takes the rest
    async slow(client) {
        const stream = client.Repeat(Buffer.from("300 100000"));
        await new Promise((resolve) => stream.once("data", resolve));
        stream.pause();
        const other = await unary(client, Buffer.from("hello"));
        const rest = collect(stream);
        stream.resume();
        return { other: other.code, rest: await rest };
    },
    deadline: (client) => unary(client, Buffer.from("x"), undefined, { deadline: later(200) }, "Sleep"),
    in_time: (client) => unary(client, Buffer.from("x"), undefined, { deadline: later(60000) }),
    cancel(client) {
        return new Promise((resolve) => {
            const call = client.Chat();
            call.once("data", () => call.cancel());
            call.on("error", (error) => resolve(outcome(error)));
            call.write(Buffer.from("hello"));
        });
    },
    cancel_unary(client) {
        return new Promise((resolve) => {
            const call = client.Sleep(Buffer.from("x"), (error) => resolve(outcome(error)));
            process.stdin.once("data", () => call.cancel());
        });
    },
    break: (client) => collect(client.Break(Buffer.from("x"))),
    // says "begun" when some of it has come, and then whatever becomes of it
    async torrent(client) {
        const stream = client.Repeat(Buffer.from("1000000 10000"));
        stream.once("data", () => console.log("begun"));
        const seen = await collect(stream);
        return { code: seen.code, details: seen.details };
    },
};

async function visit() {
    const [ca, ...names] = rest;
    const credentials = ca === "-" ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(fs.readFileSync(ca));
    const options = { ...unlimited, "grpc.enable_retries": 0 };
    const clients = {};
    for (const name of names) {
        const [scenario, how] = name.split(":");
        clients[how] = clients[how] || new (grpc.makeGenericClientConstructor(service, "Echo"))(where, credentials, how === "gzip" ? { ...options, ...gzip } : options);
        console.log(name + " " + JSON.stringify(await scenarios[scenario](clients[how])));
    }
    for (const client of Object.values(clients)) client.close();
    process.stdin.destroy();
}

if (role === "serve") serve();
else
    visit().catch((error) => {
        console.error(error);
        process.exit(1);
    });
