import type { SecureContext } from '../context/secure-context.js';

/** Contexts by the names that clients ask for; `*` stands for a part between dots. The one that was added last wins. */
export class ServerNames {
  readonly #entries: { readonly pattern: RegExp; readonly context: SecureContext }[] = [];

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(name: string, context: SecureContext): void {
    const pattern = name.replace(/[.^$+?\-\\[\](){}|]/g, '\\$&').replaceAll('*', '[^.]*');
    this.#entries.unshift({ pattern: new RegExp(`^${pattern}$`, 'i'), context });
  }

  find(name: string): SecureContext | undefined {
    return this.#entries.find(({ pattern }) => pattern.test(name))?.context;
  }
}
