/**
 * What is wrong with replication, and what to do about each of it. Pure.
 *
 * Invariant: a pause is no problem (somebody wanted it), yet it is told. What a code means and wants stands in
 * shared/kernel/codes.ts alone; here are only the commands that fit.
 */
import { CODES, isErrorCode } from '../../../shared/kernel/codes.ts';
import type { ApplyStatus, CaptureStatus } from '../control-api.ts';
import type { Overview, RegionOverview } from './read-overview.ts';

export interface Problem {
  readonly region: string;
  readonly part: 'capture' | 'apply';
  readonly code: string;
  /** What happened. */
  readonly message: string;
  readonly action: string;
}

export function problemsOf({ regions }: Overview): Problem[] {
  return regions.flatMap(problemsOfRegion);
}

function problemsOfRegion({ region, capture, apply }: RegionOverview): Problem[] {
  return [
    ...(capture.kind === 'silent' ? [silence({ region, part: 'capture' }, capture.why)] : captureProblems(region, capture.status)),
    ...(apply.kind === 'silent' ? [silence({ region, part: 'apply' }, apply.why)] : applyProblems(region, apply.status)),
  ];
}

function silence(at: Pick<Problem, 'region' | 'part'>, why: string): Problem {
  const problem = told(at, why.replace(`${at.part} of ${at.region} `, ''));
  if (problem.code !== 'upstream-unavailable') return problem;
  return { ...problem, action: `./tandem status shows whether it runs; the end of its log says why not (locally .tandem/logs/${at.part}-${at.region}.log).` };
}

function captureProblems(region: string, { trouble, oddities, snapshots }: CaptureStatus): Problem[] {
  const at = { region, part: 'capture' } as const;
  const truncated = oddities['truncated'] ?? 0;
  return [
    ...(trouble === null ? [] : [told(at, trouble)]),
    ...(truncated === 0 ? [] : [{
      ...at, code: 'truncated', message: `${truncated} TRUNCATE of replicated tables since it started: the other region still has those rows`,
      action: 'Compare (./tandem diff), and delete the rows there by plain SQL if that was meant.',
    }]),
    ...snapshots.filter(({ state }) => state === 'failed').slice(0, 1).map(({ id, failure }) => ({
      ...at, code: 'snapshot-failed', message: `snapshot ${id} failed: ${failure ?? 'no reason is on record'}`, action: `Mend the cause, then ./tandem cdc snapshot ${region} again.`,
    })),
  ];
}

function applyProblems(region: string, { trouble, partitions, deadLetters, parkedUnits }: ApplyStatus): Problem[] {
  const at = { region, part: 'apply' } as const;
  const stuck = partitions.filter((each) => each.trouble !== null);
  const general = trouble !== null && !stuck.some((each) => each.trouble === trouble) ? [told(at, trouble)] : [];
  const poison = deadLetters?.poison ?? 0;
  const held = deadLetters?.held ?? 0;
  return [
    ...general,
    ...sameTroubles(stuck).map(({ trouble: why, list }) => told(at, why, `partition ${list.join(', ')}: `)),
    ...(poison + held === 0 ? [] : [{
      ...at, code: 'dead-letters',
      message: `${poison} change(s) could not be written${parkedUnits.length === 0 ? '' : `; ${held} later one(s) of unit ${parkedUnits.slice(0, 8).join(', ')}${parkedUnits.length > 8 ? ', …' : ''} wait behind`}`,
      action: `./tandem cdc retry ${region} lists them with their causes, and says how to go on.`,
    }]),
    ...(deadLetters === null && trouble === null ? [{ ...at, code: 'db-unavailable', message: 'its database does not answer: dead letters and conflicts are unknown', action: CODES['db-unavailable'].action }] : []),
  ];
}

/** Partitions often stand still for one and the same reason. */
function sameTroubles(stuck: ApplyStatus['partitions']): { readonly trouble: string; readonly list: number[] }[] {
  const by = new Map<string, number[]>();
  for (const { trouble, partition } of stuck) by.set(trouble ?? '', [...(by.get(trouble ?? '') ?? []), partition]);
  return [...by].map(([trouble, list]) => ({ trouble, list }));
}

/** Of a trouble text, "code: message". */
function told(at: Pick<Problem, 'region' | 'part'>, trouble: string, where = ''): Problem {
  const { code = '', message = trouble } = /^(?<code>[a-z][a-z0-9-]*): (?<message>[^]*)$/.exec(trouble)?.groups ?? {};
  const action = isErrorCode(code) ? CODES[code].action : `Read the log of ${at.part} in ${at.region}.`;
  return { ...at, code: isErrorCode(code) ? code : 'unknown', message: `${where}${message}`, action };
}
