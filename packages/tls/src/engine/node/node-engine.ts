import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { SecureContext } from '../../context/secure-context.js';
import { disconnectedEarly, TlsError, truncated } from '../../errors.js';
import { authorizationError } from '../../identity.js';
import type { CreateEngine, EngineEvents, EngineOptions, TlsEngine } from '../engine.js';
import { sessionDer } from '../session-form.js';
import { type ClientHello, ClientHelloReader } from './client-hello.js';
import { chooseContext, chooseProtocol, Refusal } from './hello-choice.js';
import { NodeFacts } from './node-facts.js';
import { RecordStream } from './record-stream.js';
import { clientSocket, serverSocket, verificationOf } from './sockets.js';

enum State {
  Handshaking,
  Open,
  /** It has failed, and the alert may still be on its way out. */
  Failing,
  Closed,
}

/** TLS by `node:tls`: a TLSSocket on a stream that leads to us. */
class NodeEngine implements TlsEngine {
  readonly name = 'node';
  readonly facts = new NodeFacts();
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #stream: RecordStream;
  #state = State.Handshaking;
  #socket: TLSSocket | null = null;
  /** Server: until the hello is whole. */
  #helloReader: ClientHelloReader | null = null;
  /** What was asked for, or ''. */
  #servername = '';
  #ended = false;
  #peerEnded = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#events = options.events;
    this.#stream = new RecordStream((records) => {
      if (!this.#is(State.Closed)) this.#events.onOutput(records);
    });
  }

  start(): void {
    const { role, context, settings } = this.#options;
    if (role === 'server') {
      this.#helloReader = new ClientHelloReader();
      this.#stream.hold();
    } else {
      this.#servername = settings.servername;
      this.#orFail(() => this.#open(clientSocket(this.#stream, context, settings)));
    }
  }

  receive(records: Uint8Array): void {
    if (this.#is(State.Closed) || this.#is(State.Failing)) return;
    const copy = Buffer.from(records);
    this.#stream.deliver(copy);
    const hello = this.#helloReader?.add(copy);
    if (hello !== undefined) this.#answerHello(hello);
  }

  receiveEnd(): void {
    if (this.#socket === null) this.#failHandshake();
    else this.#stream.deliverEnd(() => this.#onInputEnd());
  }

  send(plain: Uint8Array, done: () => void): void {
    this.#socket?.write(plain, (error) => {
      if (!error && !this.#is(State.Closed)) done();
    });
  }

  end(done: () => void): void {
    this.#ended = true;
    // Not from inside an event: told to shut down while it has more of the peer's to read, OpenSSL takes that for an error.
    process.nextTick(() => this.#end(done));
  }

  destroy(): void {
    if (this.#is(State.Closed)) return;
    this.#state = State.Closed;
    this.facts.keep();
    // Not from inside an event of theirs.
    process.nextTick(destroyBoth, this.#socket, this.#stream);
  }

  // Handshake

  #answerHello(hello: ClientHello): void {
    this.#helloReader = null;
    this.#servername = hello.servername ?? '';
    const { context, settings } = this.#options;
    this.#orFail(() => {
      const chosen = chooseContext(hello, settings, context);
      if (this.#is(State.Closed)) return;
      if (chosen instanceof Promise) this.#acceptLater(hello, chosen);
      else this.#accept(hello, chosen);
    });
  }

  #acceptLater(hello: ClientHello, chosen: Promise<SecureContext>): void {
    this.#events.onBusy(true);
    const go = (context: SecureContext): void => {
      if (this.#is(State.Closed)) return;
      this.#orFail(() => this.#accept(hello, context));
      if (!this.#is(State.Closed)) this.#events.onBusy(false);
    };
    chosen.then(go, (refusal) => this.#refuse(refusal));
  }

  #accept(hello: ClientHello, context: SecureContext): void {
    const { settings } = this.#options;
    const protocol = chooseProtocol(hello, settings);
    if (this.#is(State.Closed)) return;
    this.#open(serverSocket(this.#stream, context, settings, hello, protocol));
    // Deno starts in the next tick, and would throw if it had failed by then.
    process.nextTick(() => this.#stream.release());
  }

  #orFail(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(reason: unknown): void {
    if (this.#is(State.Closed)) return;
    if (reason instanceof Refusal) {
      this.#events.onOutput(reason.alert);
      this.#fail(reason.error);
    } else {
      this.#fail(reason as Error);
    }
  }

  #open(socket: TLSSocket): void {
    this.#socket = socket;
    const { role, settings } = this.#options;
    socket.on(role === 'client' ? 'secureConnect' : 'secure', () => this.#onSecure(socket));
    // Taken where TLS puts it into the stream. One that has seen its end would destroy itself with the end of the other
    // direction, which in Bun and Deno takes the close_notify with it or does not even wait for that.
    socket.push = (plain: Buffer | null): boolean => {
      if (plain === null) this.#onSocketEnd();
      else if (this.#is(State.Open) && plain.byteLength > 0) this.#events.onData(plain);
      return true;
    };
    socket.resume();
    socket.on('error', (error) => this.#onSocketError(error));
    // A server's TLSSocket that was not made by a tls.Server says so only what goes wrong after the handshake.
    socket.on('_tlsError', (error: Error) => this.#onSocketError(error));
    socket.on('close', () => this.#onSocketClose());
    socket.on('OCSPResponse', (response: Buffer | null) => {
      this.facts.ocspResponse = response ?? null;
    });
    if (settings.keylog) {
      socket.on('keylog', (line: Buffer) => {
        if (!this.#is(State.Closed)) this.#events.onKeylog(line);
      });
    }
    if (settings.sessions && role === 'client') {
      socket.on('session', (session: Buffer) => {
        if (!this.#is(State.Closed)) this.#events.onSession(sessionDer(session));
      });
    }
  }

  #onSecure(socket: TLSSocket): void {
    if (!this.#is(State.Handshaking)) return;
    const { role, settings } = this.#options;
    this.#stream.handshaking = false;
    this.facts.handshaken(socket, this.#servername, role === 'client' ? settings.session : undefined);
    const refusal = this.#judge(socket);
    if (refusal !== null) {
      this.#fail(refusal);
    } else if (this.#is(State.Handshaking)) {
      this.#state = State.Open;
      this.#events.onHandshake();
    }
  }

  /** @returns why the peer is refused, or null */
  #judge(socket: TLSSocket): Error | null {
    const { role, settings } = this.#options;
    const certificate = this.facts.getPeerCertificate(true);
    const error = authorizationError(role, settings, {
      verification: certificate.raw === undefined ? undefined : verificationOf(socket, role),
      certificate: () => certificate,
      // Node 22 would not find one of IPv6.
      isFor: (host) => isIP(host) !== 0 && this.facts.getPeerX509Certificate()?.checkIP(host) !== undefined,
    });
    this.facts.authorizationError = error;
    this.facts.authorized = error === null && (role === 'client' || settings.requestCert);
    return settings.rejectUnauthorized ? error : null;
  }

  // Endings

  #end(done: () => void): void {
    if (!this.#is(State.Open)) return;
    // Nothing comes in that OpenSSL would have to answer while Node shuts its stream down.
    this.#stream.hold();
    // Deno calls back before it has written the close_notify.
    this.#socket?.end(() => setImmediate(() => this.#onEnded(done)));
  }

  #onEnded(done: () => void): void {
    if (!this.#is(State.Open)) return;
    this.#stream.release();
    done();
  }

  /** TLS will read no more: for a close_notify of the peer, or for a reason of its own. */
  #onSocketEnd(): void {
    if (this.#is(State.Handshaking)) {
      // Bun ends first and then says why.
      setImmediate(() => this.#failHandshake());
    } else if (this.#ended && !this.#stream.delivering) {
      // Bun closes both directions when one is to end.
      this.#onTruncation();
    } else {
      this.#onPeerEnd();
    }
  }

  #onInputEnd(): void {
    if (this.#is(State.Handshaking)) this.#failHandshake();
    else this.#onTruncation();
  }

  #onPeerEnd(): void {
    if (!this.#is(State.Open) || this.#peerEnded) return;
    this.#peerEnded = true;
    this.#events.onEnd();
  }

  #onTruncation(): void {
    if (this.#options.settings.truncation === 'end') this.#onPeerEnd();
    else if (this.#is(State.Open) && !this.#peerEnded) this.#fail(truncated());
  }

  #onSocketError(error: Error): void {
    if (this.#is(State.Handshaking)) this.#fail(error);
    if (!this.#is(State.Open)) return;
    this.#state = State.Failing;
    // Time for Node to finish a write that it has begun, and then to write the alert.
    setImmediate(() => setImmediate(() => this.#fail(error)));
  }

  #onSocketClose(): void {
    if (this.#is(State.Handshaking)) this.#failHandshake();
    else if (this.#is(State.Open) && !(this.#ended && this.#peerEnded)) this.#fail(closedEarly());
  }

  #failHandshake(): void {
    if (this.#is(State.Handshaking)) this.#fail(disconnectedEarly(this.#options.role));
  }

  #fail(error: Error): void {
    if (this.#is(State.Closed)) return;
    this.destroy();
    this.#events.onError(error);
  }

  #is(state: State): boolean {
    return this.#state === state;
  }
}

function destroyBoth(socket: TLSSocket | null, stream: RecordStream): void {
  socket?.destroy();
  stream.destroy();
}

function closedEarly(): TlsError {
  return new TlsError('ECONNRESET', 'node:tls has closed the connection before both sides had ended');
}

export const createNodeEngine: CreateEngine = (options) => new NodeEngine(options);
