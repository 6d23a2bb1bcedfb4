#!/usr/bin/env node
// node's http module as a client. Usage: node_client.js http://HOST:PORT [CA-FILE] SCENARIO...
// Each scenario prints one line: its name and, as JSON, what it saw.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const https = require("https");

const base = new URL(process.argv[2]);
const isTls = base.protocol === "https:";
const module_ = isTls ? https : http;
const scenarioNames = process.argv.slice(isTls ? 4 : 3);
const tls = isTls ? { ca: fs.readFileSync(process.argv[3]) } : {};
const newAgent = (maxSockets) => new module_.Agent({ keepAlive: true, maxSockets, ...tls });

// One request; write(req) sends the body and ends it. Collects what a test wants to know about the answer.
function ask(agent, method, path, headers, write) {
    return new Promise((resolve, reject) => {
        const req = module_.request({ host: base.hostname, port: base.port, agent, method, path, headers });
        const seen = { interim: [], continued: false };
        req.on("error", reject);
        req.on("information", (info) => seen.interim.push([info.statusCode, info.headers.link]));
        req.on("continue", () => (seen.continued = true));
        req.on("response", (res) => {
            const sum = crypto.createHash("sha256");
            const parts = [];
            let bytes = 0;
            res.on("data", (piece) => {
                sum.update(piece);
                bytes += piece.length;
                if (bytes < 65536) parts.push(piece);
            });
            res.on("error", reject); // it was cut
            res.on("end", () => {
                Object.assign(seen, { status: res.statusCode, headers: res.headers, trailers: res.trailers, bytes });
                Object.assign(seen, { text: Buffer.concat(parts).toString(), sha256: sum.digest("hex") });
                Object.assign(seen, { port: req.socket ? req.socket.localPort : 0, reused: req.reusedSocket });
                resolve(seen);
            });
        });
        if (write) write(req);
        else req.end();
    });
}

// Writes pieces at the pace at which the connection takes them.
function pump(req, piece, count, then) {
    while (count-- > 0) if (!req.write(piece)) return req.once("drain", () => pump(req, piece, count, then));
    then();
}

const scenarios = {
    async sequential() {
        const agent = newAgent(1);
        const ports = new Set();
        let good = 0;
        for (let i = 0; i < 200; i++) {
            const seen = await ask(agent, "GET", `/plain?${i}`);
            good += seen.status === 200 && seen.text === "plain";
            ports.add(seen.port);
        }
        agent.destroy();
        return { good, sockets: ports.size };
    },

    // the answer must be that of its own request: each body is another one
    async concurrent() {
        const agent = newAgent(32);
        let good = 0;
        const ports = new Set();
        const one = async (i) => {
            const seen = await ask(agent, "POST", "/echo", { "Content-Length": 8 }, (req) =>
                req.end(String(i).padStart(8, "-"))
            );
            good += seen.status === 200 && seen.text === String(i).padStart(8, "-");
            ports.add(seen.port);
        };
        await Promise.all(Array.from({ length: 1000 }, (_, i) => one(i)));
        agent.destroy();
        return { good, sockets: ports.size };
    },

    async upload() {
        const agent = newAgent(1);
        const piece = crypto.randomBytes(50000);
        const sum = crypto.createHash("sha256");
        for (let i = 0; i < 100; i++) sum.update(piece);
        const digest = sum.digest("hex");
        const seen = await ask(agent, "POST", "/hash", { Trailer: "X-Sum" }, (req) =>
            pump(req, piece, 100, () => {
                req.addTrailers({ "X-Sum": digest });
                req.end();
            })
        );
        const after = await ask(agent, "GET", "/plain"); // is the connection in step?
        agent.destroy();
        return { digest, origin: JSON.parse(seen.text), status: seen.status, after: after.text, reused: after.reused };
    },

    async echo() {
        const piece = crypto.randomBytes(65536);
        const sum = crypto.createHash("sha256");
        for (let i = 0; i < 64; i++) sum.update(piece);
        const agent = newAgent(1);
        const seen = await ask(agent, "PUT", "/echo", {}, (req) => pump(req, piece, 64, () => req.end()));
        agent.destroy();
        return { same: seen.sha256 === sum.digest("hex"), bytes: seen.bytes };
    },

    // node sends the body only when it is asked to
    async expect() {
        const agent = newAgent(1);
        const headers = { Expect: "100-continue", "Content-Length": 5 };
        const seen = await ask(agent, "POST", "/hash", headers, (req) => {
            req.flushHeaders();
            req.on("continue", () => req.end("hello"));
        });
        const after = await ask(agent, "GET", "/plain");
        agent.destroy();
        return { continued: seen.continued, status: seen.status, origin: JSON.parse(seen.text), after: after.text };
    },

    async refused() {
        const agent = newAgent(1);
        const headers = { Expect: "100-continue", "Content-Length": 5 };
        let request;
        const seen = await ask(agent, "POST", "/refuse", headers, (req) => {
            request = req;
            req.flushHeaders();
            req.on("continue", () => req.end("hello"));
        });
        request.destroy(); // its body will never be sent
        const after = await ask(agent, "GET", "/plain");
        agent.destroy();
        return { continued: seen.continued, status: seen.status, text: seen.text, after: after.text };
    },

    async answers() {
        const agent = newAgent(1);
        const result = {};
        for (const [name, method, path] of [
            ["hints", "GET", "/hints"],
            ["trailer", "GET", "/trailer"],
            ["chunked", "GET", "/chunked"],
            ["head", "HEAD", "/plain"],
            ["nothing", "GET", "/nothing"],
            ["unchanged", "GET", "/unchanged"],
            ["cookies", "GET", "/cookies"],
            ["big", "GET", "/big"],
            ["missing", "GET", "/missing"],
            ["last", "GET", "/plain"],
        ]) {
            const seen = await ask(agent, method, path, { TE: "trailers", Connection: "keep-alive, TE" });
            result[name] = {
                status: seen.status,
                text: seen.bytes < 100 ? seen.text : undefined,
                bytes: seen.bytes,
                interim: seen.interim,
                trailers: seen.trailers,
                cookies: seen.headers["set-cookie"],
                reused: seen.reused,
            };
        }
        agent.destroy();
        return result;
    },

    // a client that loses interest in the middle of an answer, ten times, and then goes on
    async aborts() {
        const agent = newAgent(4);
        let aborted = 0;
        for (let i = 0; i < 10; i++)
            await new Promise((resolve, reject) => {
                const req = module_.request({ host: base.hostname, port: base.port, agent, path: "/big" });
                req.on("response", (res) => res.once("data", () => (aborted++, req.destroy(), resolve())));
                req.on("error", () => {});
                req.on("close", resolve);
                req.end();
            });
        const after = await ask(agent, "GET", "/plain");
        agent.destroy();
        return { aborted, after: after.text };
    },
};

(async () => {
    for (const name of scenarioNames) console.log(`${name} ${JSON.stringify(await scenarios[name]())}`);
})().catch((problem) => {
    console.error(problem.stack);
    process.exit(1);
});
