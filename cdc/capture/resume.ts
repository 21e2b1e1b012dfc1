/**
 * Where a capture that starts goes on: after the earliest tail of the topic's partitions, skipping in each partition what
 * is there already.
 *
 * Invariant: from the tails it follows that each partition gets each change once, in order. The topic is the only memory:
 * capture keeps no position of its own that could disagree with it. A capture that begins anew says so in the topic, too
 * (position-record.ts), before it sends anything else; so a partition without a tail means that it never began.
 */
import { covers, earlier, parsePosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';
import type { RowImage } from '../change/encoded-image.ts';
import type { Change } from '../change/envelope.ts';
import type { RoutedChange } from './transaction-assembler.ts';

/** The last change of each partition, null where it has none. */
export type Tails = ReadonlyMap<number, Change<RowImage> | null>;

export interface Resumption {
  /** The binlog is read on after this; empty: from the beginning of the oldest one. */
  readonly from: Position;
  /** What the tails show to have been captured. */
  readonly sent: readonly Position[];
}

/** null where the topic does not say, as some partition is empty. Throws change-malformed where the tails' flavours differ. */
export function resumptionOf(tails: Tails): Resumption | null {
  const changes = [...tails.values()].filter((change) => change !== null);
  if (changes.length === 0 || changes.length < tails.size) return null;
  const positions = changes.map(({ position }) => parsePosition(position));
  // Of a transaction that is cut off the position says nothing yet, but a part of it is there.
  const cutOff = changes.filter(({ last }) => !last).map(({ transaction }) => parsePosition(transaction.id));
  return { from: positions.reduce((a, b) => earlier(a, b)), sent: [...positions, ...cutOff] };
}

export interface AlreadySentOptions {
  /**
   * MariaDB with gtid_strict_mode: numbers of a domain only grow, whichever server gave them, and the server is known to have
   * every tail (start-check.ts). Then a tail covers all lower numbers, those of another server before a failover included.
   */
  readonly isStrict?: boolean;
}

/** Tells which changes of a replayed binlog a partition holds already. Changes must be asked for in binlog order. */
export class AlreadySent {
  readonly #pending = new Map<number, { readonly position: Position; readonly tail: Change<RowImage> }>();
  readonly #isStrict: boolean;

  constructor(tails: Tails, { isStrict = false }: AlreadySentOptions = {}) {
    this.#isStrict = isStrict;
    for (const [partition, tail] of tails) {
      if (tail !== null) this.#pending.set(partition, { position: parsePosition(tail.position), tail });
    }
  }

  has({ partition, change }: Pick<RoutedChange, 'partition'> & { readonly change: Pick<Change, 'transaction'> }): boolean {
    const pending = this.#pending.get(partition);
    if (pending === undefined) return false;
    const { position, tail } = pending;
    if (this.#covers(position, change.transaction.id)) return true;
    // The tail may lie inside a transaction: what comes up to it is there, the rest is not.
    if (!tail.last && tail.transaction.id === change.transaction.id && change.transaction.order <= tail.transaction.order) return true;
    this.#pending.delete(partition);
    return false;
  }

  #covers(position: Position, gtid: string): boolean {
    if (covers(position, gtid)) return true;
    if (!this.#isStrict || position.flavour !== 'mariadb') return false;
    const [domain = '', , sequence = '0'] = gtid.split('-');
    const reached = position.domains.get(domain);
    return reached !== undefined && BigInt(sequence) <= reached.sequence;
  }
}
