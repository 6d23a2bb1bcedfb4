// A gRPC service on port 50051, in the clear, as services inside a cluster are.
"use strict";
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { example } = grpc.loadPackageDefinition(loader.loadSync(__dirname + "/greeter.proto"));
const greet = ({ name }) => ({ text: "Hello, " + name + "!" });

const server = new grpc.Server();
server.addService(example.Greeter.service, {
    Hello: (call, done) =>
        call.request.name ? done(null, greet(call.request)) : done({ code: grpc.status.INVALID_ARGUMENT, details: "who are you?" }),
    Count(call) {
        for (let value = 1; value <= call.request.limit; value++) call.write({ value });
        call.end();
    },
    Total(call, done) {
        let value = 0;
        call.on("data", (number) => (value += number.value));
        call.on("end", () => done(null, { value }));
    },
    Chat(call) {
        call.on("data", (name) => call.write(greet(name)));
        call.on("end", () => call.end());
    },
});
server.bindAsync("127.0.0.1:50051", grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    console.log("Ready to receive calls on port 50051");
});
process.on("SIGTERM", () => process.exit(0));
