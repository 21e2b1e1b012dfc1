/** `tandem cdc retry|skip`: changes that apply could not write. */
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { ControlClient } from '../control-client.ts';
import type { DeadLetterNote, Settled } from '../control-api.ts';
import { badUsage, givenReason, knownRegion, printedId, wholeNumber } from './answer.ts';
import type { Answer, JsonFlag, OperateDeps, PaintText } from './answer.ts';
import { cell, fit, hanging, plural } from './layout.ts';

export interface SkipFlags extends JsonFlag { readonly reason?: string }
export interface RetryFlags extends SkipFlags { readonly all?: true; readonly unit?: string }

const UNIT_MAX = 63;
const EXIT_FAILED_AGAIN = 1;

/** Without id and --all it lists. Throws usage-invalid for an id that nobody has, naming those that wait. */
export async function retryLetters(name: string, id: string | undefined, flags: RetryFlags, deps: OperateDeps): Promise<Answer> {
  const { client, region } = await clientFor(name, deps);
  const unit = flags.unit === undefined ? undefined : wholeNumber('--unit', flags.unit, { min: 0, max: UNIT_MAX });
  if (id !== undefined && flags.all === true) throw badUsage('name an id, or say --all, not both');
  if (id !== undefined && unit !== undefined) throw badUsage('--unit goes with --all');
  if (id === undefined && flags.all !== true) return await listLetters(client, region, unit, deps.paint);
  const reason = givenReason(flags.reason);
  const settled = id === undefined
    ? await client.post<Settled>(applyOf(region), '/dead-letters/retry', { reason, ...(unit === undefined ? {} : { unit }) })
    : await settle(client, { region, id: printedId('dead letter', id), verb: 'retry', reason });
  return settledAnswer(region, settled);
}

export async function skipLetter(name: string, id: string, flags: SkipFlags, deps: OperateDeps): Promise<Answer> {
  const reason = givenReason(flags.reason);
  const letter = printedId('dead letter', id);
  const { client, region } = await clientFor(name, deps);
  return settledAnswer(region, await settle(client, { region, id: letter, verb: 'skip', reason }));
}

async function clientFor(name: string, deps: OperateDeps): Promise<{ client: ControlClient; region: string }> {
  const topology = deps.readTopology();
  const region = knownRegion(topology, name);
  const { token } = await deps.operator();
  return { client: new ControlClient({ topology, token }), region };
}

const applyOf = (region: string) => ({ region, part: 'apply' }) as const;

async function settle(
  client: ControlClient, { region, id, verb, reason }: { region: string; id: string; verb: 'retry' | 'skip'; reason: string },
): Promise<Settled> {
  try {
    return await client.post<Settled>(applyOf(region), `/dead-letters/${id}/${verb}`, { reason });
  } catch (e) {
    if (!isTandemError(e, 'not-found')) throw e;
    const waiting = await waitingLetters(client, region, undefined);
    const choices = waiting.length === 0 ? 'none waits there' : `those that wait are ${waiting.slice(0, 5).map((letter) => letter.id).join(', ')}`;
    throw badUsage(`no dead letter ${id} waits in ${region}; ${choices} (./tandem cdc retry ${region})`);
  }
}

async function waitingLetters(client: ControlClient, region: string, unit: number | undefined): Promise<readonly DeadLetterNote[]> {
  const query = unit === undefined ? '' : `&unit=${unit}`;
  return (await client.get<{ deadLetters: DeadLetterNote[] }>(applyOf(region), `/dead-letters?state=waiting${query}`)).deadLetters;
}

async function listLetters(client: ControlClient, region: string, unit: number | undefined, paint: PaintText): Promise<Answer> {
  const deadLetters = await waitingLetters(client, region, unit);
  return { text: renderLetters(deadLetters, region, paint), json: { region, deadLetters } };
}

export function renderLetters(letters: readonly DeadLetterNote[], region: string, paint: PaintText): string {
  if (letters.length === 0) return `no dead letter waits in ${region}\n`;
  const lines = [paint(`${cell('id', 19)} ${cell('parked, UTC', 14)} kind    unit  row`, 'bold')];
  for (const { id, parkedAt, kind, unit, table, rowId, cause, code, tries } of letters) {
    const row = table === null ? 'unreadable' : `${table} ${rowId ?? ''}`;
    lines.push(`${cell(id, 19)} ${parkedAt.slice(5, 19).replace('T', ' ')} ${cell(kind, 7)} ${String(unit ?? '-').padStart(4)}  ${fit(row, 31)}`);
    if (kind === 'poison') lines.push(...hanging('    ', `${code}, ${plural(tries, 'try', 'tries')}: ${cause}`).slice(0, 4));
  }
  lines.push('', ...hanging('', `mend the cause, then ./tandem cdc retry ${region} --all --reason "…"; or give one up: ./tandem cdc skip ${region} ID --reason "…"`));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function settledAnswer(region: string, settled: Settled): Answer {
  const { retried, skipped, failed, parkedUnits } = settled;
  const lines = [
    ...(retried > 0 ? [`${plural(retried, 'change')} written in ${region}`] : []),
    ...(skipped > 0 ? hanging('', `${plural(skipped, 'change')} given up in ${region}: the regions differ there now, ./tandem diff shows where`) : []),
    ...(retried + skipped + failed.length === 0 ? [`nothing waits in ${region}`] : []),
    ...failed.flatMap(({ id, code, cause }) => hanging('', `${id} failed again: ${code}: ${cause}`)),
    ...(parkedUnits.length === 0 ? [] : hanging('', `still waiting: unit ${parkedUnits.join(', ')}`)),
  ];
  return { text: `${lines.join('\n')}\n`, json: { region, ...settled }, exitCode: failed.length === 0 ? 0 : EXIT_FAILED_AGAIN };
}
