/** Statuses and conflicts to render, each whole, so that a test names only what it is about. */
import { packHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { plain } from '../../../cdc/operate/commands/answer.ts';
import type { OperateDeps } from '../../../cdc/operate/commands/answer.ts';
import { conflictOf } from '../../../cdc/operate/conflicts/conflict.ts';
import type { Conflict, ConflictRecord } from '../../../cdc/operate/conflicts/conflict.ts';
import type { ApplyStatus, CaptureStatus } from '../../../cdc/operate/control-api.ts';
import type { Overview } from '../../../cdc/operate/status/read-overview.ts';

export const NOW_MS = Date.parse('2026-11-21T08:00:00Z');
const AT = new Date(NOW_MS).toISOString();

export function captureStatus(region: string, other: Partial<CaptureStatus> = {}): CaptureStatus {
  return {
    part: 'capture', region, at: AT, state: 'streaming', trouble: null, pause: null, position: '1-1-83123', queuedBytes: 0, queueLimitBytes: 33_554_432,
    changesSent: 1_000, bytesSent: 500_000, sessions: 1, oddities: {}, settings: {}, snapshots: [], ...other,
  };
}

export function applyStatus(region: string, source: string, other: Partial<ApplyStatus> = {}): ApplyStatus {
  const partitions = [0, 1, 2, 3].map((partition) => ({ partition, next: '100', high: '100', behind: '0', trouble: null, waitsFor: null }));
  return {
    part: 'apply', region, source, at: AT, state: 'applying', trouble: null, pause: null, partitions, lag: { p50Ms: 9.4, p99Ms: 31, samples: 300 },
    rowsApplied: 1_000, transactions: 400, duplicates: 0, conflicts: {}, deadLetters: { poison: 0, held: 0 }, parkedUnits: [], ...other,
  };
}

/** All is well but for what is given, by "capture east". */
export function overview(changed: { readonly [part: string]: Partial<CaptureStatus> & Partial<ApplyStatus> | 'silent' } = {}): Overview {
  const region = (name: string, peer: string) => {
    const [capture, apply] = [changed[`capture ${name}`], changed[`apply ${name}`]];
    const why = 'upstream-unavailable: it does not answer at http://127.0.0.1:1';
    return {
      region: name,
      capture: capture === 'silent' ? { kind: 'silent' as const, why } : { kind: 'seen' as const, status: captureStatus(name, capture as Partial<CaptureStatus>), rates: { rows: 412.4, bytes: 1_258_291 } },
      apply: apply === 'silent' ? { kind: 'silent' as const, why } : { kind: 'seen' as const, status: applyStatus(name, peer, apply as Partial<ApplyStatus>), rates: { rows: 3.25, bytes: null } },
    };
  };
  return { atMs: NOW_MS, regions: [region('east', 'west'), region('west', 'east')] };
}

export const version = (ms: number, origin: number): Version => ({ hlc: packHlc(NOW_MS + ms, 0), origin });
export const nameOf = (origin: number): string => ({ 1: 'east', 2: 'west' })[origin] ?? `origin ${origin}`;

const imageOf = (name: string) => ({ id: '42', display_name: name, unit: 17, updated_at: `2026-11-21 08:00:00.${name === 'Ada' ? 100 : 200}`, _hlc: '1', _origin: 1 });

/** East's record of an update both made, which west's later one won. */
export function record(other: Partial<ConflictRecord> = {}): ConflictRecord {
  return {
    id: '4611686018427387904', region: 'east', table: 'accounts', rowId: '42', unit: 17, kind: 'update-update', rule: 'lww', outcome: 'took-remote',
    local: version(100, 1), remote: version(200, 2), localImage: imageOf('Ada'), remoteImage: imageOf('Bea'), detectedMs: NOW_MS + 300, ...other,
  };
}

export const conflict = (other: Partial<ConflictRecord> = {}): Conflict => conflictOf([record(other)], nameOf);

/** No region of it answers: enough for what is refused before anything is asked. */
export function unreachableTopology(): Topology {
  const endpoints: Topology['regions'][string]['endpoints'] = {
    router: 'http://127.0.0.1:1', dashboard: 'http://127.0.0.1:1', redis: '127.0.0.1:1', kafka: '127.0.0.1:1',
    mysql: { host: '127.0.0.1', port: 1, user: 'tandem_operator', password: 'p', database: 'tandem' },
    cdc: { capture: 'http://127.0.0.1:1', apply: 'http://127.0.0.1:1' },
  };
  return { regions: { east: { origin: 1, endpoints }, west: { origin: 2, endpoints } }, etcd: ['127.0.0.1:1'], witness: '127.0.0.1:1' };
}

/** Nobody at the terminal, unless a test says what they type. */
export function deps(topology: Topology, other: Partial<OperateDeps> = {}): OperateDeps {
  return {
    readTopology: () => topology,
    operator: async () => ({ name: 'ada', token: 'none' }),
    paint: plain,
    ask: async () => null,
    say: () => {},
    outcome: () => async () => {},
    ...other,
  };
}
