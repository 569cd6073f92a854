/** Memory of the application that segments name by number. */

/** Numbers are used again after they were forgotten. */
export class Pins {
  count = 0;
  readonly #memory: (Uint8Array | null)[] = [];
  readonly #free: number[] = [];

  add(bytes: Uint8Array): number {
    const pin = this.#free.pop() ?? this.#memory.length;
    this.#memory[pin] = bytes;
    this.count++;
    return pin;
  }

  find(pin: number): Uint8Array | null {
    return this.#memory[pin] ?? null;
  }

  /** False when there is no such pin. */
  remove(pin: number): boolean {
    if (this.find(pin) === null) return false;
    this.#memory[pin] = null;
    this.#free.push(pin);
    this.count--;
    return true;
  }
}
