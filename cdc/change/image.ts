/**
 * What an image says about its own row: key, unit and version.
 *
 * Invariant: a missing or odd value is an error that names table and column, never a default.
 */
import { parseHlc } from '../../shared/clock/hlc.ts';
import type { Hlc, Version } from '../../shared/clock/hlc.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { EncodedImage, columnsOf } from './encoded-image.ts';
import type { RowImage } from './encoded-image.ts';
import type { Change } from './envelope.ts';

export const VERSION_COLUMNS = { hlc: '_hlc', origin: '_origin' } as const;

const DECIMAL_ID = /^-?[0-9]{1,19}$/;

/** Throws change-malformed. */
export function idOf(table: string, image: RowImage): string {
  if (image instanceof EncodedImage && image.id !== undefined) return image.id;
  const { id } = columnsOf(image);
  if (typeof id !== 'string' || !DECIMAL_ID.test(id)) throw malformed(table, 'id', id);
  return id;
}

/** Throws change-malformed. */
export function unitOf(table: string, image: RowImage): number {
  if (image instanceof EncodedImage && image.unit !== undefined) return image.unit;
  const { unit } = columnsOf(image);
  if (typeof unit !== 'number' || !Number.isInteger(unit) || unit < 0) throw malformed(table, 'unit', unit);
  return unit;
}

/** Throws change-malformed. */
export function versionOf(table: string, image: RowImage): Version {
  if (image instanceof EncodedImage && image.hlc !== undefined && image.origin !== undefined) {
    return { hlc: image.hlc as Hlc, origin: image.origin };
  }
  const { [VERSION_COLUMNS.hlc]: hlc, [VERSION_COLUMNS.origin]: origin } = columnsOf(image);
  if (typeof hlc !== 'string') throw malformed(table, VERSION_COLUMNS.hlc, hlc);
  if (typeof origin !== 'number') throw malformed(table, VERSION_COLUMNS.origin, origin);
  return { hlc: parseHlc(hlc), origin };
}

/**
 * The version of the row that this change was made on: what an update or delete met at its source. Null where the change
 * does not tell (an insert, a snapshot's row, a before image without versions). Throws change-malformed.
 */
export function baseVersionOf(change: Pick<Change<RowImage>, 'table' | 'before' | 'base'>): Version | null {
  if (change.base !== undefined) return change.base;
  const { table, before } = change;
  if (before === null) return null;
  const isVersioned = before instanceof EncodedImage && before.hlc !== undefined;
  return isVersioned || columnsOf(before)[VERSION_COLUMNS.hlc] !== undefined ? versionOf(table, before) : null;
}

function malformed(table: string, column: string, value: unknown): TandemError {
  return new TandemError('change-malformed', `a row of ${table} has no usable ${column}: ${JSON.stringify(value)}`, {
    details: { table, column },
  });
}
