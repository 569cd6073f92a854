import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';

/** What the page consists of, by the path of the request. Its script and style are built with the program. */
const files: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  '/': { name: 'index.html', type: 'text/html; charset=utf-8' },
  '/page.js': { name: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
};

const headers = {
  'cache-control': 'no-cache',
  // For browsers that do not count ws: as the page's own origin, the last one says it.
  'content-security-policy': "default-src 'self'; img-src data:; connect-src 'self' ws: wss:",
  'x-content-type-options': 'nosniff',
};

/** Answers plain HTTP with the page that talks to the WebSocket server beside it. */
export function pageListener(): RequestListener {
  const pages = new Map(
    Object.entries(files).map(([path, { name, type }]) => {
      const body = readFileSync(new URL(`./page/${name}`, import.meta.url)); // from dist
      return [path, { body, type }];
    }),
  );
  return ({ method, url = '' }, response) => {
    const page = pages.get(url.replace(/\?.*$/, ''));
    if (method !== 'GET' && method !== 'HEAD')
      response.writeHead(405, { ...headers, allow: 'GET, HEAD' }).end();
    else if (page === undefined) response.writeHead(404, headers).end();
    else
      response
        .writeHead(200, { ...headers, 'content-type': page.type, 'content-length': page.body.length })
        .end(method === 'GET' ? page.body : undefined); // a HEAD has the headers of a GET
  };
}
