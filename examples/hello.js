#!/usr/bin/env node
// Says hello, and what it can see of the machine it runs on.
const os = require('node:os');

console.log(`hello from Node ${process.version} on ${os.type()} ${os.release()}`);
console.log(`I am uid ${process.getuid()} in ${process.cwd()} and see ${os.cpus().length} CPUs and ${Math.round(os.totalmem() / 2 ** 20)} MiB of memory`);
