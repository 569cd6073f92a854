const { exchange } = require('./exchange.cjs');

exchange(
  require('@iocp/core'),
  require('@iocp/core/layer'),
  require('@iocp/tcp'),
  require('@iocp/testkit'),
  require('@iocp/udp'),
  require('@iocp/udp/dgram'),
).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
