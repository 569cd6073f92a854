import * as core from '@iocp/core';
import * as layer from '@iocp/core/layer';
import * as tcp from '@iocp/tcp';
import * as testkit from '@iocp/testkit';
import * as tls from '@iocp/tls';
import * as nodeTls from '@iocp/tls/tls';
import * as udp from '@iocp/udp';
import * as dgram from '@iocp/udp/dgram';
import * as websocket from '@iocp/websocket';
import * as ws from '@iocp/websocket/ws';
import { exchange } from './exchange.cjs';

await exchange({ core, layer, tcp, testkit, udp, dgram, tls, nodeTls, websocket, ws });
