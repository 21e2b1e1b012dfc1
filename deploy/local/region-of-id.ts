/** Which region an id was issued in: its region bits, by the topology's origin numbers. Pure. */
import type { Topology } from '../../shared/config/topology.ts';
import { unpackId } from '../../shared/id/id-layout.ts';
import type { TandemId } from '../../shared/id/id-layout.ts';

export function regionOfId(topology: Topology, id: bigint): string | null {
  const { region } = unpackId(id as TandemId);
  return Object.entries(topology.regions).find(([, { origin }]) => origin === region)?.[0] ?? null;
}
