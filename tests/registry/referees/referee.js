// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
'use strict';
const http = require('http');

let checks = 0;

function agreed(what) {
  ++checks;
  console.log(`  ${what}`);
}

// Fails with what was expected, and what was.
function check(what, is, should) {
  if (is !== should) throw new Error(`${what}: is ${JSON.stringify(is)}, should be ${JSON.stringify(should)}`);
  agreed(what);
}

async function until(what, so, seconds = 5) {
  for (const end = Date.now() + seconds * 1000; !(await so());) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise(done => setTimeout(done, 50));
  }
  agreed(what);
}

// What somebody says who is not the client.
function send(method, url, body = '') {
  return new Promise((done, failed) => {
    const headers = { accept: 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request(url, { method, headers }, answer => {
      let text = '';
      answer.on('data', piece => { text += piece; });
      answer.on('end', () => done({ status: answer.statusCode, body: text }));
    });
    request.on('error', failed);
    request.end(body);
  });
}

// All that one client has to say.
function run(all) {
  all().then(() => {
    console.log(`  ${checks} checks passed`);
    process.exit(0);
  }, e => {
    console.log(`  NOT AS IT SHOULD BE: ${e.message}`);
    process.exit(1);
  });
}

module.exports = { check, until, send, run, port: Number(process.argv[2]) };
