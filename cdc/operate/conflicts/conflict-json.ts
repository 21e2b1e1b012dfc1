/** A conflict for programs: ids and versions as text, times in RFC 3339, images only as far as they may be shown. Pure. */
import { formatHlc } from '../../../shared/clock/hlc.ts';
import { comparedColumns } from './conflict.ts';
import type { Conflict, Side } from './conflict.ts';

/** @param images `none` for lists; `differing` leaves out the columns that are alike in both. */
export function conflictJson(conflict: Conflict, images: 'none' | 'differing' | 'full'): Record<string, unknown> {
  const { id, table, rowId, unit, kind, rule, sides, winner, verdict, records, detectedMs } = conflict;
  const [a, b] = sides;
  const columns = comparedColumns(a.image ?? null, b.image ?? null);
  const kept = new Set(columns.filter(({ column, differs }) => images === 'full' || differs || column === 'id' || column === 'unit').map(({ column }) => column));
  const sideJson = (side: Side): Record<string, unknown> => ({
    writer: side.writer,
    hlc: formatHlc(side.version.hlc),
    origin: side.version.origin,
    writtenAt: new Date(side.writtenMs).toISOString(),
    ...(images === 'none' ? {} : { image: side.image ? Object.fromEntries(Object.entries(side.image).filter(([column]) => kept.has(column))) : null }),
  });
  return {
    id, table, rowId, unit, kind, rule, outcome: verdict,
    winner: winner === null ? null : sides[winner].writer,
    detectedAt: new Date(detectedMs).toISOString(),
    sides: sides.map(sideJson),
    ...(images === 'none' ? {} : { differs: columns.filter(({ differs }) => differs).map(({ column }) => column) }),
    records: records.map(({ region, outcome, detectedMs: at }) => ({ region, outcome, detectedAt: new Date(at).toISOString() })),
  };
}
