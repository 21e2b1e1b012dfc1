/**
 * Signs tokens with the key of the local deployment: for the replay, for `tandem token`, for a tour with curl.
 */
import { SignJWT, importJWK } from 'jose';
import type { JWK } from 'jose';
import { hash63 } from '../../shared/kernel/hash.ts';

export type Role = 'rider' | 'driver' | 'operator';

export const TTL_S_DEFAULT = 86_400;

export interface TokenRequest {
  readonly role: Role;
  readonly accountId: bigint;
  readonly ttlS?: number;
}

export async function mintToken(privateJwk: JWK, { role, accountId, ttlS = TTL_S_DEFAULT }: TokenRequest): Promise<string> {
  const key = await importJWK(privateJwk, 'EdDSA');
  return new SignJWT({ role }).setProtectedHeader({ alg: 'EdDSA' }).setIssuer('tandem').setAudience('tandem-api')
    .setSubject(accountId.toString()).setIssuedAt().setExpirationTime(`${ttlS}s`).sign(key);
}

/** Operators go by name; their account number is made from it. */
export function operatorId(name: string): bigint {
  return hash63('operator', name);
}
