/**
 * Assertions for programmers' errors: they crash, nobody catches them.
 *
 * They never guard input, the network or the state of another process; those are TandemErrors.
 */

export class AssertionFailure extends Error {}
Object.defineProperty(AssertionFailure.prototype, 'name', { value: 'AssertionFailure', configurable: true, writable: true });

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Closes a switch over a union: the compiler proves it unreachable, and so does the run. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable value: ${String(value)}`);
}
