// Calls each method of the service through GoMesh. Usage: node client.js [HOST:PORT]
"use strict";
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { example } = grpc.loadPackageDefinition(loader.loadSync(__dirname + "/greeter.proto"));
const client = new example.Greeter(process.argv[2] || "localhost:8000", grpc.credentials.createInsecure());
const call = (start) => new Promise((resolve, reject) => start((error, answer) => (error ? reject(error) : resolve(answer))));
const inOneSecond = () => ({ deadline: Date.now() + 1000 });

async function main() {
    console.log("Hello:", (await call((done) => client.Hello({ name: "Ada" }, inOneSecond(), done))).text);

    const numbers = [];
    for await (const number of client.Count({ limit: 5 })) numbers.push(number.value);
    console.log("Count:", numbers.join(" "));

    const total = await call((done) => {
        const stream = client.Total(done);
        for (const value of numbers) stream.write({ value });
        stream.end();
    });
    console.log("Total:", total.value);

    const chat = client.Chat();
    for (const name of ["Bob", "Eve"]) chat.write({ name });
    chat.end();
    for await (const greeting of chat) console.log("Chat:", greeting.text);
}

main()
    .catch((error) => {
        console.log(grpc.status[error.code] + ":", error.details);
        process.exitCode = 1;
    })
    .finally(() => client.close());
