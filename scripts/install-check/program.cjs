const { exchange } = require('./exchange.cjs');

exchange({
  core: require('@iocp/core'),
  layer: require('@iocp/core/layer'),
  tcp: require('@iocp/tcp'),
  testkit: require('@iocp/testkit'),
  udp: require('@iocp/udp'),
  dgram: require('@iocp/udp/dgram'),
  tls: require('@iocp/tls'),
  nodeTls: require('@iocp/tls/tls'),
  websocket: require('@iocp/websocket'),
  ws: require('@iocp/websocket/ws'),
}).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
