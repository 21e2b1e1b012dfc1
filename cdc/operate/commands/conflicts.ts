/**
 * `tandem conflicts list|show|replay`: rows that both regions changed before either had seen the other, and what became of them.
 *
 * Invariant: list and show only read. replay writes nothing without --yes, and says before what it would write.
 */
import type { Command } from 'commander';
import { formatHlc } from '../../../shared/clock/hlc.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { parseUnitHome, unitKey } from '../../../shared/etcd/units.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import type { Unit } from '../../../shared/unit/unit.ts';
import { CONFLICT_KINDS } from '../conflicts/conflict.ts';
import type { Conflict } from '../conflicts/conflict.ts';
import { conflictJson } from '../conflicts/conflict-json.ts';
import { findConflicts, readConflict, withOperator } from '../conflicts/read-conflicts.ts';
import { renderConflict, renderList } from '../conflicts/render-conflicts.ts';
import { renderReplay } from '../conflicts/render-replay.ts';
import { carryOut, planReplay } from '../conflicts/replay.ts';
import { answering, badUsage, givenReason, knownRegion, oneOf, printedId, wholeNumber } from './answer.ts';
import type { Answer, JsonFlag, OperateDeps } from './answer.ts';
import { addConflictsHelp } from './conflicts-help.ts';
import { parseSince } from './since.ts';

export interface ListFlags extends JsonFlag {
  readonly region?: string;
  readonly table?: string;
  readonly kind?: string;
  readonly since?: string;
  readonly limit?: string;
}
export interface ShowFlags extends JsonFlag { readonly full?: true }
export interface ReplayFlags extends JsonFlag { readonly yes?: true; readonly reason?: string; readonly overNewer?: true }

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;
const ETCD_DEADLINE_MS = 3_000;

export function registerConflicts(program: Command, deps: OperateDeps): void {
  const conflicts = addConflictsHelp(program.command('conflicts'));
  conflicts.list.action((flags: ListFlags) => answering(deps, flags, () => listConflicts(flags, deps)));
  conflicts.show.action((id: string, flags: ShowFlags) => answering(deps, flags, () => showConflict(id, flags, deps)));
  conflicts.replay.action((id: string, flags: ReplayFlags) => answering(deps, flags, () => replayConflict(id, flags, deps)));
}

export async function listConflicts(flags: ListFlags, deps: OperateDeps): Promise<Answer> {
  const topology = deps.readTopology();
  const found = await findConflicts(topology, {
    region: flags.region === undefined ? undefined : knownRegion(topology, flags.region),
    table: flags.table === undefined ? undefined : knownTable(flags.table),
    kind: flags.kind === undefined ? undefined : oneOf('--kind', flags.kind, CONFLICT_KINDS),
    sinceMs: flags.since === undefined ? undefined : parseSince(flags.since, Date.now()),
    limit: flags.limit === undefined ? LIMIT_DEFAULT : wholeNumber('--limit', flags.limit, { min: 1, max: LIMIT_MAX }),
  });
  const isFiltered = [flags.region, flags.table, flags.kind, flags.since].some((flag) => flag !== undefined);
  return {
    text: renderList(found, isFiltered, deps.paint),
    json: { conflicts: found.conflicts.map((conflict) => conflictJson(conflict, 'none')), hasMore: found.hasMore, unreachable: found.unreachable },
  };
}

export async function showConflict(id: string, { full }: ShowFlags, deps: OperateDeps): Promise<Answer> {
  const conflict = await knownConflict(deps.readTopology(), id);
  return {
    text: renderConflict(conflict, { full: full === true, paint: deps.paint }),
    json: conflictJson(conflict, full === true ? 'full' : 'differing'),
  };
}

export async function replayConflict(id: string, { yes, reason, overNewer }: ReplayFlags, deps: OperateDeps): Promise<Answer> {
  const said = yes === true ? givenReason(reason) : undefined;
  const topology = deps.readTopology();
  const conflict = await knownConflict(topology, id);
  const home = await homeOf(topology, conflict.unit);
  const options = { overNewer: overNewer === true };
  return await withOperator(topology, home, async (connection) => {
    const plan = await planReplay(connection, conflict, options);
    if (plan.kind === 'refused') throw new TandemError('operation-refused', plan.why);
    const isWritten = said !== undefined && plan.kind !== 'nothing';
    const version = isWritten
      ? await carryOut(connection, conflict, { ...options, plan, audit: { actor: (await deps.operator()).name, reason: said } })
      : null;
    const columns = 'columns' in plan ? plan.columns.map(({ column }) => column) : [];
    return {
      text: renderReplay({ conflict, home, plan, isWritten, version, paint: deps.paint }),
      json: {
        id, table: conflict.table, rowId: conflict.rowId, home, plan: plan.kind, columns, written: isWritten,
        version: version === null ? null : { hlc: formatHlc(version.hlc), origin: version.origin },
      },
    };
  });
}

/** Throws usage-invalid where nobody has it, db-unavailable where nobody could be asked who might. */
async function knownConflict(topology: Topology, text: string): Promise<Conflict> {
  const id = printedId('conflict', text);
  const { conflict, unreachable } = await readConflict(topology, id);
  if (conflict !== null) return conflict;
  if (unreachable.length > 0) throw new TandemError('db-unavailable', `${unreachable.join(', ')} does not answer, and the other region has no conflict ${id}`);
  const { conflicts } = await findConflicts(topology, { limit: 5 });
  const newest = conflicts.length === 0 ? 'none is on record' : `the newest are ${conflicts.map((each) => each.id).join(', ')}`;
  throw badUsage(`there is no conflict ${id}; ${newest} (./tandem conflicts list)`);
}

function knownTable(name: string): string {
  return oneOf('--table', name, REPLICATED_TABLES);
}

/** Asked of etcd now, not of what a process last knew: the write goes where the unit may be written. */
async function homeOf(topology: Topology, unit: number): Promise<string> {
  const etcd = openEtcd({ endpoints: topology.etcd, log: QUIET, deadlineMs: ETCD_DEADLINE_MS });
  try {
    const key = unitKey(unit as Unit);
    const found = await etcd.get(key);
    if (found === null) throw new TandemError('operation-refused', `unit ${unit} has no home in etcd: nobody may write it`);
    return knownRegion(topology, parseUnitHome(key, found.value).home);
  } finally {
    await etcd.close();
  }
}

const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
