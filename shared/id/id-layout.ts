/**
 * The layout of a 63-bit id: 41 bits of ms since 2024-01-01T00:00:00Z | 4 bits region | 6 bits node | 12 bits sequence.
 *
 * Invariant: an id is positive and fits a signed BIGINT; ids of one node sort by when they were issued. On every wire an
 * id is decimal text, as JSON numbers lose bits. Not every id of Tandem has this layout: hash63 ids and account ids given
 * from outside are only positive 63-bit numbers, and parseId takes those as well.
 */
import { assert } from '../kernel/assert.ts';
import { TandemError } from '../kernel/tandem-error.ts';

declare const idBrand: unique symbol;
export type TandemId = bigint & { readonly [idBrand]: true };

export const EPOCH_MS = Date.UTC(2024, 0, 1);
/** The first millisecond that no longer fits: 2093-09-06. */
export const END_MS = EPOCH_MS + 2 ** 41;
export const REGION_MAX = 2 ** 4 - 1;
export const NODE_COUNT = 2 ** 6;
export const SEQUENCE_MAX = 2 ** 12 - 1;

export interface IdParts {
  /** Milliseconds since 1970. */
  readonly ms: number;
  /** Origin number of the region, 1 to REGION_MAX. */
  readonly region: number;
  readonly node: number;
  readonly sequence: number;
}

const ID_MAX = 2n ** 63n - 1n;
const MS_SHIFT = 22n;
const REGION_SHIFT = 18n;
const NODE_SHIFT = 12n;
/** Region, node and sequence together are 22 bits: cheaper to mix as a number than as bigints. */
const REGION_FACTOR = 2 ** 18;
const NODE_FACTOR = 2 ** 12;

export function packId({ ms, region, node, sequence }: IdParts): TandemId {
  assert(Number.isInteger(ms) && ms >= EPOCH_MS && ms < END_MS, `id ms out of range: ${ms}`);
  assert(Number.isInteger(region) && region >= 1 && region <= REGION_MAX, `id region out of range: ${region}`);
  assert(Number.isInteger(node) && node >= 0 && node < NODE_COUNT, `id node out of range: ${node}`);
  assert(Number.isInteger(sequence) && sequence >= 0 && sequence <= SEQUENCE_MAX, `id sequence out of range: ${sequence}`);
  const low = region * REGION_FACTOR + node * NODE_FACTOR + sequence;
  return ((BigInt(ms - EPOCH_MS) << MS_SHIFT) | BigInt(low)) as TandemId;
}

/** The parts of an id that a generator made; of any other id they are mere bits. */
export function unpackId(id: bigint): IdParts {
  return {
    ms: Number(id >> MS_SHIFT) + EPOCH_MS,
    region: Number((id >> REGION_SHIFT) & BigInt(REGION_MAX)),
    node: Number((id >> NODE_SHIFT) & BigInt(NODE_COUNT - 1)),
    sequence: Number(id & BigInt(SEQUENCE_MAX)),
  };
}

/** Reads a decimal id from 1 to 2^63-1, without sign or leading zeros. Throws validation-failed, naming `field`. */
export function parseId(text: string, field = 'id'): TandemId {
  const id = /^[1-9][0-9]{0,18}$/.test(text) ? BigInt(text) : 0n;
  if (id === 0n || id > ID_MAX) {
    const errors = [{ field, message: 'must be a decimal id from 1 to 2^63-1' }];
    throw new TandemError('validation-failed', `"${text}" is not an id`, { details: { errors } });
  }
  return id as TandemId;
}

export function formatId(id: bigint): string {
  return id.toString();
}
