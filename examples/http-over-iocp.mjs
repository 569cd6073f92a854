// Node's own HTTP server on our connections: each is handed over as a Node stream.
// Run: node examples/http-over-iocp.mjs
import { createServer, get } from 'node:http';
import { listen } from '@iocp/tcp';

const http = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`You asked for ${request.url} from ${request.socket.remoteAddress}\n`);
});

// `http` never listens itself: it only serves what it is given.
const listener = await listen({ host: '127.0.0.1', port: 0 });
const serving = (async () => {
  for await (const connection of listener) http.emit('connection', connection.toDuplex());
})();
const { port } = listener.address();

/** @param {string} path @returns {Promise<string>} */
function fetchText(path) {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      resolve(`${response.statusCode} ${body.trim()}`);
    }).on('error', reject);
  });
}

console.log(await fetchText('/hello'));
console.log(await fetchText('/completion-ports'));
http.closeAllConnections();
await listener.close();
await serving;
