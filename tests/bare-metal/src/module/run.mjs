// Runs a module of WebAssembly whose `main` returns 0: `node run.mjs MODULE`.
import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
const { instance } = await WebAssembly.instantiate(bytes);
const code = instance.exports.main(0, 0);
if (code !== 0) {
    console.error(`wasm: the job ended with ${code}; on the host it says why`);
    process.exit(1);
}
const memory = instance.exports.memory.buffer.byteLength;
console.log(`wasm: the states are right, in ${memory} bytes of memory`);
