// The MX of many names by Node's dns.promises.
import { Resolver } from "node:dns/promises";

const UNDER_WAY = 200;
const [port, count] = process.argv.slice(2).map(Number);
const resolver = new Resolver({ timeout: 3000, tries: 6 });
resolver.setServers([`127.0.0.1:${port}`]);

let next = 0;
let answered = 0;

async function work() {
  while (next < count) {
    await resolver.resolveMx(`d${next++}.example`);
    answered += 1;
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: UNDER_WAY }, work));
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ answered, seconds: (performance.now() - began) / 1000, cpu_seconds: (user + system) / 1e6 }));
