// A gRPC client on @grpc/grpc-js, for tests in another language. The arguments, requests and events
// are those of client.py beside this file.
'use strict';

const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');

const codes = Object.fromEntries(Object.entries(grpc.status).map(([name, code]) => [code, name]));
const write = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const same = (bytes) => bytes;
const encoded = (message) => (message ? message.toString('base64') : '');

const [target, options] = [process.argv[2], JSON.parse(process.argv[3])];
const client = new grpc.Client(target, grpc.credentials.createInsecure(), options);
const calls = new Map();

function end(id, status, message) {
  const { code, details } = status;
  write({ id, code: codes[code], details: details || '', message: encoded(message) });
}

function begin({ id, path, message, timeout, metadata, stream }) {
  const sent = new grpc.Metadata();
  for (const [key, text] of metadata || []) {
    sent.add(key, key.endsWith('-bin') ? Buffer.from(text, 'base64') : text);
  }
  const limits = timeout ? { deadline: Date.now() + timeout * 1000 } : {};
  const bytes = Buffer.from(message, 'base64');
  if (!stream) {
    const ended = (failure, reply) => end(id, failure || { code: grpc.status.OK }, reply);
    return client.makeUnaryRequest(path, same, same, bytes, sent, limits, ended);
  }
  const call = client.makeServerStreamRequest(path, same, same, bytes, sent, limits);
  call.on('data', (reply) => write({ id, message: encoded(reply) }));
  call.on('error', () => {});
  call.on('status', (status) => end(id, status));
  return call;
}

write({ ready: true });
readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const request = JSON.parse(line);
    if (request.cancel) {
      calls.get(request.id).cancel();
    } else {
      calls.set(request.id, begin(request));
    }
  })
  .on('close', () => process.exit(0));
