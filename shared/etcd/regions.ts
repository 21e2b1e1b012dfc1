/**
 * What stands in etcd about a region: /tandem/regions/<region>, JSON with its `state`.
 *
 * Invariant: the state is the last one that etcd told; while etcd is away it stays. It knows no states: who sets one gives it its meaning.
 */
import type { Etcd } from './etcd.ts';

export const REGIONS_PREFIX = '/tandem/regions/';

export interface RegionState {
  /** null where nothing, or nothing readable, stands there. */
  current(): string | null;
  stop(): void;
}

/** Resolves once the state of now is in; throws etcd-unavailable. */
export async function watchRegionState(etcd: Etcd, region: string): Promise<RegionState> {
  const key = `${REGIONS_PREFIX}${region}`;
  let current: string | null = null;
  const watch = await etcd.watchPrefix(key, (snapshot) => {
    current = parseRegionState(snapshot.get(key));
  });
  return { current: () => current, stop: () => watch.stop() };
}

export function parseRegionState(text: string | undefined): string | null {
  try {
    const { state } = JSON.parse(text ?? 'null') as { state?: unknown };
    return typeof state === 'string' ? state : null;
  } catch {
    return null;
  }
}
