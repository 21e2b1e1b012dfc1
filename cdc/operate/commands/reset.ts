/**
 * `tandem cdc reset`: moves where capture or apply goes on, after it has said what that means.
 *
 * Invariant: nothing happens without a word: typed, or --yes; and where changes may be lost another one: typed, or
 * --lose-changes. Without a terminal and without those it is refused.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { ControlClient } from '../control-client.ts';
import { PARTS } from '../control-api.ts';
import type { ApplyStatus } from '../control-api.ts';
import { APPLY_TARGETS, CAPTURE_TARGETS, losesChanges, meaningOf } from '../reset.ts';
import type { ResetPlan } from '../reset.ts';
import { badUsage, givenReason, knownRegion, oneOf, regionNames, wholeNumber } from './answer.ts';
import type { Answer, JsonFlag, OperateDeps } from './answer.ts';
import { hanging } from './layout.ts';

export interface ResetFlags extends JsonFlag {
  readonly part?: string;
  readonly to?: string;
  readonly partition?: string;
  readonly yes?: true;
  readonly loseChanges?: true;
  readonly reason?: string;
}

const PARTITION_MAX = 1_023;

export async function resetPart(name: string, flags: ResetFlags, deps: OperateDeps): Promise<Answer> {
  const topology = deps.readTopology();
  const names = regionNames(topology);
  const region = knownRegion(topology, name);
  const plan = planOf(region, names[(names.indexOf(region) + 1) % names.length] as string, flags);
  const reason = givenReason(flags.reason);
  const client = new ControlClient({ topology, token: (await deps.operator()).token });
  const next = plan.part === 'apply' ? checkpointsOf(await client.get<ApplyStatus>({ region, part: 'apply' }, '/status')) : () => undefined;
  const loses = losesChanges(plan, next);
  const meaning = meaningOf(plan, loses);
  await consent(meaning, loses, flags, deps);
  const { part, to, partition } = plan;
  const body = { to, reason, ...(loses ? { acceptLoss: true } : {}), ...(partition === undefined ? {} : { partition }) };
  const done = await client.post<Record<string, unknown>>({ region, part }, '/reset', body);
  return {
    text: `${[...hanging('', `done: ${meaning}`), ...movedLines(done)].join('\n')}\n`,
    json: { region, part, to, loses, ...done },
  };
}

function planOf(region: string, peer: string, flags: ResetFlags): ResetPlan {
  const part = oneOf('--part', flags.part ?? '', PARTS);
  const to = flags.to ?? '';
  if (part === 'capture') {
    if (flags.partition !== undefined) throw badUsage('--partition goes with --part apply');
    if (!/^(now|earliest|snapshot|gtid:.+)$/.test(to)) throw badUsage(`--to ${to}: for capture say ${CAPTURE_TARGETS}`);
    return { part, region, peer, to };
  }
  if (!/^(start|end|\d{1,19})$/.test(to)) throw badUsage(`--to ${to}: for apply say ${APPLY_TARGETS}`);
  const partition = flags.partition === undefined ? undefined : wholeNumber('--partition', flags.partition, { min: 0, max: PARTITION_MAX });
  if (/^\d/.test(to) && partition === undefined) throw badUsage(`--to ${to} is an offset of one partition: say which, with --partition`);
  return { part, region, peer, to, partition };
}

function checkpointsOf({ partitions }: ApplyStatus): (partition: number) => bigint | undefined {
  return (partition) => {
    const found = partitions.find((each) => each.partition === partition);
    return found === undefined ? undefined : BigInt(found.next);
  };
}

/** Throws operation-refused unless the person, or the flags, said what is wanted here. */
async function consent(meaning: string, loses: boolean, { yes, loseChanges }: ResetFlags, { ask }: OperateDeps): Promise<void> {
  if (yes === true && (!loses || loseChanges === true)) return;
  const word = loses ? 'lose changes' : 'reset';
  const flags = loses ? '--yes --lose-changes' : '--yes';
  const answer = yes === true ? null : await ask(`${hanging('', meaning).join('\n')}\nType "${word}" to do it: `);
  if (answer === word) return;
  const why = answer === null ? `${meaning} Say ${flags} if that is meant.` : `it was not done: the word was "${word}"`;
  throw new TandemError('operation-refused', why, { details: { loses } });
}

function movedLines({ partitions }: Record<string, unknown>): string[] {
  if (!Array.isArray(partitions)) return [];
  return (partitions as { partition: number; from: string | null; to: string }[])
    .map(({ partition, from, to }) => `  partition ${partition}: ${from ?? 'nowhere'} -> ${to}`);
}
