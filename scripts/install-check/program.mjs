import * as core from '@iocp/core';
import * as layer from '@iocp/core/layer';
import * as tcp from '@iocp/tcp';
import * as testkit from '@iocp/testkit';
import * as udp from '@iocp/udp';
import { createSocket } from '@iocp/udp/dgram';
import { exchange } from './exchange.cjs';

await exchange(core, layer, tcp, testkit, udp, { createSocket });
