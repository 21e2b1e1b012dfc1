/**
 * Things that are not there, for the caller.
 *
 * Invariant: what belongs to somebody else is told exactly as what does not exist, except that only the latter names its
 * id in details.absentId: http/home.ts then asks whether the peer, which made the id, may have it.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

export type Thing = 'quote' | 'ride' | 'offer' | 'stop' | 'route';

export function absent(thing: Thing, id: bigint): TandemError {
  return new TandemError('not-found', `there is no ${thing} ${id}`, { details: { absentId: id.toString() } });
}

export function notTheirs(thing: Thing, id: bigint): TandemError {
  return new TandemError('not-found', `there is no ${thing} ${id}`);
}
