/**
 * Our WebSocket server, as the benchmark measures it. Started by it in a process of its own:
 * bench-websocket-server echo|broadcast
 */

import { listen, type WebSocketConnection, type WebSocketHandlers } from '@iocp/websocket';

const options = { host: '127.0.0.1', port: 0, lend: true, tcp: { backlog: 4096 } } as const;

const echo: WebSocketHandlers = {
  message(socket: WebSocketConnection, data: Buffer, binary: boolean): void {
    if (socket.send(data, binary) === 'full') socket.pause();
  },
  drain(socket: WebSocketConnection): void {
    socket.resume();
  },
};

const broadcast: WebSocketHandlers = {
  message(_socket: WebSocketConnection, data: Buffer, binary: boolean): void {
    server.broadcast(data, { binary });
  },
};

const handlers: Readonly<Record<string, WebSocketHandlers>> = { echo, broadcast };
const chosen = handlers[process.argv[2] ?? ''];
if (chosen === undefined) throw new Error('usage: bench-websocket-server echo|broadcast');
const server = await listen(options, chosen);
process.stdout.write(`listening ${server.address()?.port}\n`);
// The benchmark asks for a collection before it measures memory, and is gone when it disconnects.
process.on('message', () => {
  globalThis.gc?.();
  process.send?.('collected');
});
process.on('disconnect', () => process.exit());
