/**
 * Where a capture that starts goes on: after the earliest tail of the topic's partitions, skipping in each partition what
 * is there already.
 *
 * Invariant: from the tails it follows that each partition gets each change once, in order. The topic is the only memory:
 * capture keeps no position of its own that could disagree with it.
 */
import { covers, earlier, formatPosition, parsePosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';
import type { Change } from '../change/envelope.ts';
import type { RoutedChange } from './transaction-assembler.ts';

/** The last change of each partition, null where it has none. */
export type Tails = ReadonlyMap<number, Change | null>;

export type StartPoint =
  /** The oldest binlog the server still has. */
  | { readonly kind: 'earliest' }
  | { readonly kind: 'gtid'; readonly position: string };

export function startPoint(tails: Tails): StartPoint {
  const changes = [...tails.values()];
  if (changes.length === 0 || changes.includes(null)) return { kind: 'earliest' };
  const position = changes
    .map((change) => parsePosition(change?.position ?? ''))
    .reduce((a, b) => earlier(a, b));
  return position.flavour === 'empty' ? { kind: 'earliest' } : { kind: 'gtid', position: formatPosition(position) };
}

/** Tells which changes of a replayed binlog a partition holds already. Changes must be asked for in binlog order. */
export class AlreadySent {
  readonly #pending = new Map<number, { readonly position: Position; readonly tail: Change }>();

  constructor(tails: Tails) {
    for (const [partition, tail] of tails) {
      if (tail !== null) this.#pending.set(partition, { position: parsePosition(tail.position), tail });
    }
  }

  has({ partition, change }: RoutedChange): boolean {
    const pending = this.#pending.get(partition);
    if (pending === undefined) return false;
    const { position, tail } = pending;
    if (covers(position, change.transaction.id)) return true;
    // The tail may lie inside a transaction: what comes up to it is there, the rest is not.
    if (!tail.last && tail.transaction.id === change.transaction.id && change.transaction.order <= tail.transaction.order) return true;
    this.#pending.delete(partition);
    return false;
  }
}
