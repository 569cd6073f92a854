// HTTPS: Node's own HTTP server on our TLS connections. Handlers find at `request.socket` what a `tls.TLSSocket` knows.
// Run: node examples/https-over-iocp.mjs
import { createServer } from 'node:http';
import { get } from 'node:https';
import { testCertificates } from '@iocp/testkit';
import { listen } from '@iocp/tls';

// Made for this run; a server of yours has files.
const { ca, server, client } = await testCertificates();

const http = createServer((request, response) => {
  const socket = /** @type {import('node:tls').TLSSocket} */ (request.socket);
  const who = socket.authorized ? socket.getPeerCertificate().subject.CN : 'somebody';
  response.setHeader('content-type', 'text/plain');
  response.end(`${who} asked for ${request.url} over ${socket.getProtocol()}\n`);
});

// Asks for a certificate, and serves those who have none all the same.
const listener = await listen({
  host: '127.0.0.1',
  port: 0,
  cert: server.cert,
  key: server.key,
  ALPNProtocols: ['http/1.1'],
  requestCert: true,
  rejectUnauthorized: false,
  ca: ca.cert,
});
// `http` never listens itself: it only serves what it is given.
listener.attachTo(http);
const { port } = listener.address();

/** @param {string} path @param {object} [identity] @returns {Promise<string>} */
function fetchText(path, identity) {
  const options = { host: '127.0.0.1', port, path, ca: ca.cert, agent: false, ...identity };
  return new Promise((resolve, reject) => {
    get(options, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      resolve(`${response.statusCode} ${body.trim()}`);
    }).on('error', reject);
  });
}

console.log(await fetchText('/hello'));
console.log(await fetchText('/secrets', { cert: client.cert, key: client.key }));
http.closeAllConnections();
await listener.close();
