// A chat: the path is the room, and what one says goes to all in it. A topic is framed once, however many listen.
// Run: node examples/websocket-chat.mjs
import { connect, listen } from '@iocp/websocket';

const server = await listen(
  { host: '127.0.0.1', port: 0, paths: /^\/\w+$/ },
  {
    open: (socket) => void socket.subscribe(socket.path),
    // To all in the room but the one who says it; `server.publish` would send to that one, too.
    message: (socket, data, binary) => void socket.publish(socket.path, data, binary),
  },
);
const port = server.address()?.port;

/** @param {string} room */
function join(room) {
  return connect(`ws://127.0.0.1:${port}/${room}`);
}

/**
 * The next message to somebody.
 * @param {import('@iocp/websocket').WebSocketConnection} socket
 */
async function hear(socket) {
  const { value } = await socket.messages().next();
  return value;
}

const [ann, bob, cid, dan] = await Promise.all([
  join('garden'),
  join('garden'),
  join('garden'),
  join('cellar'),
]);

ann.send('Is anybody out here?');
console.log('Bob hears:', await hear(bob));
console.log('Cid hears:', await hear(cid));

bob.send('Over here, by the pond!');
console.log('Ann hears:', await hear(ann));

// Nobody said anything in the cellar, until the server speaks to everyone.
console.log(`${server.broadcast('The house closes now.')} hear the server`);
console.log('Dan hears:', await hear(dan));

await server.close();
console.log('closed with', (await dan.whenClosed()).code);
