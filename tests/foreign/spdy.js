// A client of SPDY/3.1 on spdy-transport, which keeps windows.
//
//     node spdy.js URL VERSION STREAMS
//
// STREAMS is JSON: an array of { headers, send, repeat }. Each stream is opened with its headers;
// `send`, repeated so often, is written to it, and its own side is ended. At the end of all
// streams their contents are printed as a JSON array of { length, text }, the text cut to 1,000
// characters.
'use strict';

const net = require('net');
const transport = require('spdy-transport');

const [url, version, streams] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(url);
const specs = JSON.parse(streams);

const socket = net.connect(Number(port), hostname);
socket.write(
  `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\n` +
    `Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${version}\r\nContent-Length: 0\r\n\r\n`
);

let head = Buffer.alloc(0);
socket.on('data', function read(chunk) {
  head = Buffer.concat([head, chunk]);
  const end = head.indexOf('\r\n\r\n');
  if (end < 0) return;
  socket.removeListener('data', read);
  if (!head.toString().startsWith('HTTP/1.1 101')) {
    console.error(head.toString());
    process.exit(1);
  }
  socket.pause();
  if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
  run();
});

function run() {
  const connection = transport.connection.create(socket, { protocol: 'spdy', isServer: false });
  connection.start(3.1);
  connection.on('error', () => {});
  const contents = specs.map(() => []);
  let open = specs.length;
  specs.forEach((spec, index) => {
    const options = { method: 'POST', host: 'localhost', path: '/', headers: spec.headers };
    const stream = connection.request(options, (error) => {
      if (error) throw error;
    });
    stream.on('data', (chunk) => contents[index].push(chunk));
    stream.on('error', () => {});
    stream.on('end', () => {
      open -= 1;
      if (open > 0) return;
      const all = contents.map((chunks) => Buffer.concat(chunks));
      const shown = all.map((bytes) => ({
        length: bytes.length,
        text: bytes.toString().slice(0, 1000),
      }));
      console.log(JSON.stringify(shown));
      process.exit(0);
    });
    let left = spec.repeat || 1;
    (function write() {
      while (left > 0) {
        left -= 1;
        if (!stream.write(spec.send || '')) return void stream.once('drain', write);
      }
      stream.end();
    })();
  });
}
