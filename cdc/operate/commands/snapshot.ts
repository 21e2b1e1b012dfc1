/** `tandem cdc snapshot`: ask for one, follow it, end it, list them. */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { ControlClient } from '../control-client.ts';
import type { SnapshotNote } from '../control-api.ts';
import { snapshotLine } from '../status/render-status.ts';
import { badUsage, givenReason, knownRegion, wholeNumber } from './answer.ts';
import type { Answer, JsonFlag, OperateDeps } from './answer.ts';
import { fit, hanging, LINE_WIDTH } from './layout.ts';

export interface SnapshotFlags extends JsonFlag {
  readonly tables?: string;
  readonly rate?: string;
  readonly watch?: true;
  readonly list?: true;
  readonly cancel?: string;
  readonly reason?: string;
}

const RATE_MAX = 1_000_000;
const LOOK_EVERY_MS = 1_000;
const ENDED: ReadonlySet<string> = new Set(['done', 'cancelled', 'failed']);

export async function takeSnapshot(name: string, flags: SnapshotFlags, deps: OperateDeps): Promise<Answer> {
  const topology = deps.readTopology();
  const region = knownRegion(topology, name);
  const tables = flags.tables === undefined ? undefined : knownTables(flags.tables);
  const rowsPerSecond = flags.rate === undefined ? undefined : wholeNumber('--rate', flags.rate, { min: 1, max: RATE_MAX });
  const client = new ControlClient({ topology, token: (await deps.operator()).token });
  if (flags.list === true) return listAnswer(region, await snapshotsOf(client, region));
  const reason = givenReason(flags.reason);
  if (flags.cancel !== undefined) return await cancelSnapshot(client, { region, id: flags.cancel, reason });
  const body = { reason, ...(tables === undefined ? {} : { tables }), ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }) };
  const asked = await client.post<SnapshotNote>(captureOf(region), '/snapshots', body);
  return answerOf(region, flags.watch === true ? await untilEnded(client, region, asked, deps.say) : asked);
}

const captureOf = (region: string) => ({ region, part: 'capture' }) as const;

async function snapshotsOf(client: ControlClient, region: string): Promise<SnapshotNote[]> {
  return (await client.get<{ snapshots: SnapshotNote[] }>(captureOf(region), '/snapshots')).snapshots;
}

async function cancelSnapshot(client: ControlClient, { region, id, reason }: { region: string; id: string; reason: string }): Promise<Answer> {
  const refuse = async (): Promise<never> => {
    const open = (await snapshotsOf(client, region)).filter(({ state }) => !ENDED.has(state)).map((each) => each.id);
    throw badUsage(`no snapshot ${id} is under way in ${region}; ${open.length === 0 ? 'there is none' : `there is ${open.join(', ')}`}`);
  };
  if (!/^\d{1,19}$/.test(id)) return await refuse();
  try {
    return answerOf(region, await client.post<SnapshotNote>(captureOf(region), `/snapshots/${id}/cancel`, { reason }));
  } catch (e) {
    if (isTandemError(e, 'not-found')) return await refuse();
    throw e;
  }
}

/** Resolves with its last state once it has ended; a capture that does not answer for a moment is waited for. */
async function untilEnded(client: ControlClient, region: string, asked: SnapshotNote, say: (line: string) => void): Promise<SnapshotNote> {
  let last = asked;
  while (!ENDED.has(last.state)) {
    say(fit(snapshotLine(last), LINE_WIDTH));
    await sleep(LOOK_EVERY_MS);
    try {
      last = (await snapshotsOf(client, region)).find(({ id }) => id === asked.id) ?? last;
    } catch (e) {
      if (!isTandemError(e) || !e.retryable) throw e;
    }
  }
  return last;
}

function answerOf(region: string, snapshot: SnapshotNote): Answer {
  const isOpen = !ENDED.has(snapshot.state);
  const lines = [
    ...hanging('', `${region}: ${snapshotLine(snapshot)}${snapshot.failure === null ? '' : `; ${snapshot.failure}`}`),
    ...(isOpen ? hanging('', `follow it with ./tandem cdc status --watch, end it with ./tandem cdc snapshot ${region} --cancel ${snapshot.id} --reason "…"`) : []),
  ];
  return { text: `${lines.join('\n')}\n`, json: { region, snapshot }, exitCode: snapshot.state === 'failed' ? 1 : 0 };
}

function listAnswer(region: string, snapshots: readonly SnapshotNote[]): Answer {
  const lines = snapshots.flatMap((each) => [fit(snapshotLine(each), LINE_WIDTH), fit(`    by ${each.requestedBy}, ${each.requestedAt}: ${each.failure ?? each.reason}`, LINE_WIDTH)]);
  return { text: lines.length === 0 ? `no snapshot of ${region} was ever asked for\n` : `${lines.join('\n')}\n`, json: { region, snapshots } };
}

function knownTables(list: string): string[] {
  const tables = list.split(',').map((table) => table.trim()).filter((table) => table !== '');
  const unknown = tables.filter((table) => !(REPLICATED_TABLES as readonly string[]).includes(table));
  if (tables.length > 0 && unknown.length === 0) return tables;
  throw badUsage(`--tables ${list}: no replicated table is called ${unknown.join(', ') || 'that'}; there are: ${REPLICATED_TABLES.join(', ')}`);
}
