import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  asError,
  throwLater,
  validateFunction,
  validateInteger,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import { SecureContext } from './context/secure-context.js';
import { readSecureContextOptions } from './context/secure-context-options.js';
import { ticketKeyBytes } from './context/ticket-keys.js';
import type { TlsLayer } from './layer.js';

export interface CertificateFilesOptions {
  /** PEM or DER: the certificate, and those that lead to a root. */
  readonly certFile: string;
  /** PEM: its key. */
  readonly keyFile: string;
  /** PEM or DER: whom to trust. Default: as before. */
  readonly caFile?: string | undefined;
  /** Decrypts the key. */
  readonly passphrase?: string | undefined;
  /** How long after a change the files are read, in milliseconds, 0 to 60000: several change together. Default 200. */
  readonly debounceMs?: number | undefined;
  /** The layer has new certificates. */
  readonly onReload?: ((context: SecureContext) => void) | undefined;
  /**
   * The files could not be read, or do not fit together; the layer goes on with what it has. Happens between the writing of a
   * certificate and that of its key, too, when that takes longer than `debounceMs`. Default: a warning of the process.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

const debounceMsMax = 60_000;

/**
 * Keeps the certificate of a layer as it is in files: when they change, new connections get the new one, and those that are
 * there go on undisturbed. Everything else of the secure context stays, session tickets included.
 *
 * It watches folders, not files, so it notices files that are renamed into their place, and links that are set to another folder,
 * as Kubernetes does with secrets. File systems that tell of no changes (some that lie on other machines) are not for it.
 * @returns ends it. Watching does not keep the process alive
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, and what `fs.watch` says, `ENOENT` for example
 */
export function watchCertificateFiles(layer: TlsLayer, options: CertificateFilesOptions): Disposable {
  validateObject(options, 'options');
  const { certFile, keyFile, caFile, passphrase, debounceMs = 200, onReload, onError } = options;
  validateString(certFile, 'options.certFile');
  validateString(keyFile, 'options.keyFile');
  if (caFile !== undefined) validateString(caFile, 'options.caFile');
  if (passphrase !== undefined) validateString(passphrase, 'options.passphrase');
  validateInteger(debounceMs, 'options.debounceMs', 0, debounceMsMax);
  if (onReload !== undefined) validateFunction(onReload, 'options.onReload');
  if (onError !== undefined) validateFunction(onError, 'options.onError');
  return new CertificateFiles(layer, { ...options, debounceMs });
}

interface Material {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

class CertificateFiles implements Disposable {
  readonly #layer: TlsLayer;
  readonly #options: CertificateFilesOptions & { readonly debounceMs: number };
  readonly #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;
  #last: Material | undefined;
  /** One after the other, so that what was read last is used last. */
  #reloading = Promise.resolve();
  #disposed = false;

  constructor(layer: TlsLayer, options: CertificateFilesOptions & { readonly debounceMs: number }) {
    this.#layer = layer;
    this.#options = options;
    keepTickets(layer.secureContext);
    const { certFile, keyFile, caFile = certFile } = options;
    try {
      for (const folder of new Set([certFile, keyFile, caFile].map((file) => dirname(file)))) {
        this.#watchers.push(this.#watch(folder));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    // What has changed since the layer was made went unnoticed.
    this.#changed();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }

  #watch(folder: string): FSWatcher {
    const watcher = watch(folder, { persistent: false }, () => this.#changed());
    watcher.on('error', (error) => this.#report(error));
    return watcher;
  }

  #changed(): void {
    if (this.#disposed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#reloading = this.#reloading.then(() => this.#reload());
    }, this.#options.debounceMs);
    this.#timer.unref();
  }

  async #reload(): Promise<void> {
    try {
      const material = await this.#read();
      if (this.#disposed || isSame(material, this.#last)) return;
      this.#last = material;
      this.#use(material);
    } catch (error) {
      if (!this.#disposed) this.#report(asError(error));
    }
  }

  async #read(): Promise<Material> {
    const { certFile, keyFile, caFile } = this.#options;
    const [cert, key, ca] = await Promise.all([
      readFile(certFile),
      readFile(keyFile),
      caFile === undefined ? undefined : readFile(caFile),
    ]);
    return { cert, key, ca };
  }

  #use({ cert, key, ca }: Material): void {
    const { secureContext, engine } = this.#layer;
    const { passphrase, onReload } = this.#options;
    const { certificates, keys, ...given } = readSecureContextOptions({ cert, key, ca, passphrase });
    const { settings } = secureContext;
    if (isSameList(certificates, settings.certificates) && isSameList(pemOf(keys), pemOf(settings.keys))) {
      if (ca === undefined || isSameList(given.ca ?? [], settings.ca ?? [])) return;
    }
    const changed = { certificates, keys, pfx: [], ca: given.ca ?? settings.ca };
    const context = new SecureContext({ ...settings, ...changed }, engine);
    this.#layer.setSecureContext(context);
    call(onReload, context);
  }

  #report(error: Error): void {
    const { onError, certFile } = this.#options;
    if (onError !== undefined) call(onError, error);
    else process.emitWarning(`The certificate in ${certFile} could not be loaded: ${error.message}`);
  }
}

/** The contexts to come must take the tickets of this one: gives it keys that are known, unless it has. */
function keepTickets(context: SecureContext): void {
  if (context.settings.ticketKeys === undefined) context.setTicketKeys(randomBytes(ticketKeyBytes));
}

function call<T>(handler: ((value: T) => void) | undefined, value: T): void {
  try {
    handler?.(value);
  } catch (error) {
    throwLater(error);
  }
}

function pemOf(keys: readonly { readonly pem: Buffer }[]): Buffer[] {
  return keys.map(({ pem }) => pem);
}

function isSameList(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((each, index) => each.equals(others[index] as Buffer));
}

function isSame(some: Material, other: Material | undefined): boolean {
  if (other === undefined) return false;
  const list = ({ cert, key, ca }: Material) => (ca === undefined ? [cert, key] : [cert, key, ca]);
  return isSameList(list(some), list(other));
}
