/**
 * Two different rows want the same value of a secondary unique key: the older one is set aside.
 *
 * Invariant: both regions choose the same loser, and delete it with the same version, just above the loser's own. So any
 * later write of that row, in either region, outlives being set aside; nothing else does.
 * Deliberately absent: SQL, and the row itself (its image goes to _conflicts).
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Hlc, Version } from '../../shared/clock/hlc.ts';
import { bornOf } from './merge-state.ts';
import type { TableRules } from './table-rules.ts';

/** No region's number: the tombstone of a row set aside belongs to the rule, and no genuine write can equal it. */
export const SET_ASIDE_ORIGIN = 0;

/** A row in a collision; `version` as collisionVersion gives it. */
export interface Contender { readonly id: string; readonly version: Version }

/** The older one loses. Rows that one statement inserted were born at one version: there the lower id loses. */
export function decideCollision(incoming: Contender, standing: Contender): { readonly loser: 'incoming' | 'standing' } {
  const order = compareVersions(incoming.version, standing.version) || (BigInt(incoming.id) < BigInt(standing.id) ? -1 : 1);
  return { loser: order < 0 ? 'incoming' : 'standing' };
}

export function setAsideVersion(loser: Version): Version {
  return { hlc: (loser.hlc + 1n) as Hlc, origin: SET_ASIDE_ORIGIN };
}

/**
 * The version by which a row enters decideCollision and setAsideVersion: a plain row's own, a merged row's birth, as that is
 * what its tombstone kills. @param merge text of its `_merge`. Throws change-malformed.
 */
export function collisionVersion(rules: TableRules, row: { readonly version: Version; readonly merge?: string | null | undefined }): Version {
  return rules.merge === null ? row.version : bornOf(row.merge, row.version);
}

/** Does this tombstone of the row end it? In a merged table whatever has been written to it since. */
export function isEndedBy(tombstone: Version, rules: TableRules, row: { readonly version: Version; readonly merge?: string | null | undefined }): boolean {
  return compareVersions(collisionVersion(rules, row), tombstone) <= 0;
}
