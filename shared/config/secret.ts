/**
 * A configured secret: a password, or a URL that carries one.
 *
 * Invariant: however it is printed, logged or serialised it shows as [secret]; reveal() is the one way to the value, so a
 * search for it finds every use. It does not encrypt anything in memory.
 */
import { inspect } from 'node:util';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
