// A receiver for OTLP/HTTP around OpenTelemetry's own packages: what it understands of a batch goes out as one line of JSON.
// Arguments: the folder with node_modules. Prints "port N" first.
"use strict";
const http = require("http");
const path = require("path");
const folder = path.resolve(process.argv[2]);
const root = require(path.join(folder, "node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js"));
const there = require("module").createRequire(path.join(folder, "there.js"));
const conventions = new Set(Object.values(there("@opentelemetry/semantic-conventions/incubating")));
const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

// OTLP's JSON has ids in hexadecimal where ProtoJSON has base64.
function withBytes(node) {
  if (Array.isArray(node)) return node.map(withBytes);
  if (node === null || typeof node !== "object") return node;
  const made = {};
  for (const [key, value] of Object.entries(node))
    made[key] = ["traceId", "spanId", "parentSpanId"].includes(key) ? Buffer.from(value, "hex") : withBytes(value);
  return made;
}

// Every key that came in must come out again: what the schema does not know is lost on the way.
function lost(before, after, at, found) {
  if (before === null || typeof before !== "object" || Buffer.isBuffer(before)) return found;
  for (const key of Object.keys(before)) {
    if (after === undefined || after === null || !(key in after)) found.push(at + "." + key);
    else lost(before[key], after[key], at + "." + key, found);
  }
  return found;
}

function understand(text) {
  const json = withBytes(JSON.parse(text));
  const decoded = Request.decode(Request.encode(Request.fromObject(json)).finish());
  const plain = Request.toObject(decoded, { longs: String, bytes: String });
  const problems = lost(json, plain, "", []);
  const spans = plain.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans));
  const names = [...spans, ...plain.resourceSpans.map((r) => r.resource)].flatMap((of) => of.attributes.map((a) => a.key));
  for (const name of names)
    if (!name.startsWith("gomesh.") && !conventions.has(name)) problems.push("no convention knows " + name);
  const error = Request.verify(decoded);
  if (error) problems.push(error);
  return { problems, spans: spans.map((s) => [s.kind, s.name, Buffer.from(s.traceId, "base64").toString("hex")]) };
}

process.on("SIGTERM", () => process.exit(0));
const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    let answer;
    try {
      answer = understand(Buffer.concat(parts).toString("utf8"));
    } catch (error) {
      answer = { problems: [String(error)], spans: [] };
    }
    console.log(JSON.stringify(answer));
    response.writeHead(answer.problems.length ? 400 : 200, { "content-type": "application/json" });
    response.end("{}");
  });
});
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
