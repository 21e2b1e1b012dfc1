/**
 * The passwords and keys of one local deployment, made once and kept in secrets.json (mode 0600).
 *
 * Invariant: what was made stays; a newer version that needs one more secret adds it and touches no other. All secrets are
 * letters, digits, - and _, so that they can stand in a URL, a config file or DDL as they are.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createKeyPair } from '../../shared/http/auth.ts';
import type { Jwk } from '../../shared/http/auth.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { DATABASE_USERS } from '../../shared/schema/grants.ts';
import type { DatabaseUser } from '../../shared/schema/grants.ts';
import { writeAtomic } from './servers/files.ts';
import { newClusterId } from './servers/kafka.ts';

const PASSWORD_BYTES = 24;

export interface RegionSecrets {
  readonly mysqlRoot: string;
  readonly mysqlUsers: Readonly<Record<DatabaseUser, string>>;
  readonly redis: string;
  readonly kafkaClusterId: string;
}

export interface Secrets {
  readonly regions: Readonly<Record<string, RegionSecrets>>;
  readonly etcdToken: string;
  /** Ed25519; signs the tokens of riders, drivers and operators. */
  readonly jwt: { readonly publicJwk: Jwk; readonly privateJwk: Jwk };
}

/** Throws stack-absent when there is none yet. */
export async function readSecrets(file: string): Promise<Secrets> {
  const secrets = await load(file);
  if (secrets === null) throw new TandemError('stack-absent', `${file}: there is no such file`);
  return secrets as Secrets;
}

/** Reads the file and adds what is missing; writes only when something was. */
export async function ensureSecrets(file: string, regions: readonly string[]): Promise<Secrets> {
  const known = (await load(file)) ?? {};
  const secrets = await complete(known, regions);
  if (JSON.stringify(secrets) !== JSON.stringify(known)) await writeAtomic(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

async function complete(known: Partial<Secrets>, regions: readonly string[]): Promise<Secrets> {
  const named = regions.map((region) => [region, completeRegion(known.regions?.[region])] as const);
  return {
    regions: { ...known.regions, ...Object.fromEntries(named) },
    etcdToken: known.etcdToken ?? password(),
    jwt: known.jwt ?? (await createKeyPair()),
  };
}

function completeRegion(known: Partial<RegionSecrets> | undefined): RegionSecrets {
  const users = DATABASE_USERS.map((user) => [user, known?.mysqlUsers?.[user] ?? password()] as const);
  return {
    mysqlRoot: known?.mysqlRoot ?? password(),
    mysqlUsers: Object.fromEntries(users) as Record<DatabaseUser, string>,
    redis: known?.redis ?? password(),
    kafkaClusterId: known?.kafkaClusterId ?? newClusterId(),
  };
}

function password(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

async function load(file: string): Promise<Partial<Secrets> | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
  try {
    return JSON.parse(text) as Partial<Secrets>;
  } catch (cause) {
    throw new TandemError('config-invalid', `${file} is not JSON; it holds the passwords of the data beside it, so restore it rather than remove it`, { cause });
  }
}
