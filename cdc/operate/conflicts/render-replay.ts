/** The plan of a replay, or what came of it, as text of at most 80 columns. Pure. */
import { formatHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import type { PaintText } from '../commands/answer.ts';
import { cell, fit, hanging } from '../commands/layout.ts';
import type { Conflict } from './conflict.ts';
import { columnText } from './render-conflicts.ts';
import type { ReplayPlan } from './replay-plan.ts';

export interface ReplayNews {
  readonly conflict: Conflict;
  /** Where it is written. */
  readonly home: string;
  readonly plan: ReplayPlan;
  readonly isWritten: boolean;
  readonly version: Version | null;
  readonly paint: PaintText;
}

const VALUE_WIDTH = 28;

export function renderReplay({ conflict, home, plan, isWritten, version, paint }: ReplayNews): string {
  const { id, table, rowId, unit } = conflict;
  if (plan.kind === 'nothing') return `nothing to do: row ${rowId} of ${table} is already what the losing image says\n`;
  const verb = { insert: 'insert', update: 'update', delete: 'delete', refused: '' }[plan.kind];
  const lines = hanging('', `${isWritten ? 'did' : 'would'} ${verb} row ${rowId} of ${table} in ${home}, the home of unit ${unit}:`);
  if (plan.kind === 'delete') lines.push('  the row goes; its tombstone travels to the other region');
  if ('columns' in plan) {
    lines.push('', paint(`  ${cell('column', 19)} ${cell(isWritten ? 'was' : 'now', VALUE_WIDTH)} ${isWritten ? 'is' : 'then'}`, 'bold'));
    lines.push(...plan.columns.map(({ column, now, next }) => `  ${cell(column, 19)} ${cell(columnText(now), VALUE_WIDTH)} ${fit(columnText(next), VALUE_WIDTH)}`));
  }
  lines.push('');
  if (isWritten) lines.push(...hanging('', `done${version === null ? '' : `: version ${formatHlc(version.hlc)}/${version.origin}`}; it is on its way to the other region, and on record in _audit of ${home}`));
  else lines.push('nothing was written. To do it:', `  ./tandem conflicts replay ${id} --yes --reason "…"`);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}
