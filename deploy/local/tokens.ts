/**
 * Signs tokens with the key of the local deployment: for the replay, for `tandem token`, for a tour with curl.
 */
import { signToken } from '../../shared/http/auth.ts';
import type { Jwk, Role } from '../../shared/http/auth.ts';
import { hash63 } from '../../shared/kernel/hash.ts';

export const TTL_S_DEFAULT = 86_400;

export interface TokenRequest {
  readonly role: Role;
  readonly accountId: bigint;
  /** An operator's, for audit rows. */
  readonly name?: string;
  readonly ttlS?: number;
}

export function mintToken(privateJwk: Jwk, { ttlS = TTL_S_DEFAULT, ...caller }: TokenRequest): Promise<string> {
  return signToken(privateJwk, { ...caller, ttlS });
}

/** Operators go by name; their account number is made from it. */
export function operatorId(name: string): bigint {
  return hash63('operator', name);
}
