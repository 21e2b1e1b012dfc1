/**
 * Asks capture and apply of every region how they are, twice, so that rates are of now.
 *
 * Invariant: a part that does not answer is an entry with the reason, never a failure of the whole.
 */
import type { Topology } from '../../../shared/config/topology.ts';
import { sleep } from '../../../shared/kernel/deadline.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { ControlClient } from '../control-client.ts';
import type { ApplyStatus, CaptureStatus, Part, PartStatus } from '../control-api.ts';

/** Per second, between two answers. */
export interface Rates { readonly rows: number; readonly bytes: number | null }

export type Seen<Status extends PartStatus> =
  | { readonly kind: 'seen'; readonly status: Status; readonly rates: Rates | null }
  | { readonly kind: 'silent'; readonly why: string };

export interface RegionOverview { readonly region: string; readonly capture: Seen<CaptureStatus>; readonly apply: Seen<ApplyStatus> }

export interface Overview { readonly atMs: number; readonly regions: readonly RegionOverview[] }

/** One look; rates are null where `before` has none of that part, or its process has been restarted since. */
export async function look(client: ControlClient, topology: Topology, before: Overview | null): Promise<Overview> {
  const names = Object.entries(topology.regions).toSorted(([, a], [, b]) => a.origin - b.origin).map(([name]) => name);
  const regions = await Promise.all(names.map(async (region): Promise<RegionOverview> => {
    const last = before?.regions.find((each) => each.region === region);
    const [capture, apply] = await Promise.all([
      ask<CaptureStatus>(client, { region, part: 'capture' }, last?.capture),
      ask<ApplyStatus>(client, { region, part: 'apply' }, last?.apply),
    ]);
    return { region, capture, apply };
  }));
  return { atMs: Date.now(), regions };
}

/** Two looks, `spanMs` apart. */
export async function readOverview(client: ControlClient, topology: Topology, spanMs: number): Promise<Overview> {
  const first = await look(client, topology, null);
  if (first.regions.every(({ capture, apply }) => capture.kind === 'silent' && apply.kind === 'silent')) return first;
  await sleep(spanMs);
  return await look(client, topology, first);
}

async function ask<Status extends PartStatus>(
  client: ControlClient, target: { region: string; part: Part }, last: Seen<Status> | undefined,
): Promise<Seen<Status>> {
  try {
    const status = await client.get<Status>(target, '/status');
    return { kind: 'seen', status, rates: last?.kind === 'seen' ? ratesBetween(last.status, status) : null };
  } catch (e) {
    if (!isTandemError(e)) throw e;
    return { kind: 'silent', why: `${e.code}: ${e.message}` };
  }
}

/** Null where a counter went back: the process began anew in between. */
export function ratesBetween(a: PartStatus, b: PartStatus): Rates | null {
  const seconds = (Date.parse(b.at) - Date.parse(a.at)) / 1_000;
  const rows = rowsOf(b) - rowsOf(a);
  if (seconds <= 0 || rows < 0) return null;
  const bytes = a.part === 'capture' && b.part === 'capture' ? (b.bytesSent - a.bytesSent) / seconds : null;
  return { rows: rows / seconds, bytes };
}

function rowsOf(status: PartStatus): number {
  return status.part === 'capture' ? status.changesSent : status.rowsApplied;
}
