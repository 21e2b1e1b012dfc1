/**
 * Makes what compose.yaml needs and must not hold: passwords and keys, in .env beside it (mode 0600), with the key that
 * signs tokens in state/secrets.json, where `TANDEM_STATE=deploy/compose/state ./tandem token` finds it.
 *
 * Invariant: what was made stays, as with the local stack; running it again changes nothing.
 * Usage: node_modules/.bin/node deploy/compose/make-env.ts
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DATABASE_USERS } from '../../shared/schema/grants.ts';
import { ensureSecrets } from '../local/secrets.ts';
import type { Secrets } from '../local/secrets.ts';
import { PRIVATE_DIR, writeAtomic } from '../local/servers/files.ts';

const REGIONS = ['east', 'west'] as const;

/** Every variable that compose.yaml asks for, by name. */
export function envOf({ regions, jwt }: Secrets): Readonly<Record<string, string>> {
  const entries = REGIONS.flatMap((region) => {
    const secrets = regions[region];
    if (secrets === undefined) throw new RangeError(`no secrets were made for region ${region}`);
    const named = {
      ROOT_PASSWORD: secrets.mysqlRoot,
      REDIS_PASSWORD: secrets.redis,
      KAFKA_CLUSTER_ID: secrets.kafkaClusterId,
      ...Object.fromEntries(DATABASE_USERS.map((user) => [`${user.replace('tandem_', '').toUpperCase()}_PASSWORD`, secrets.mysqlUsers[user]])),
    };
    return Object.entries(named).map(([name, value]) => [`${region.toUpperCase()}_${name}`, value] as const);
  });
  const publicKey = Buffer.from(JSON.stringify(jwt.publicJwk)).toString('base64url');
  return Object.fromEntries([...entries, ['JWT_PUBLIC_KEY', publicKey]]);
}

if (import.meta.main) {
  const state = path.join(import.meta.dirname, 'state');
  await mkdir(state, { recursive: true, mode: PRIVATE_DIR });
  const env = envOf(await ensureSecrets(path.join(state, 'secrets.json'), REGIONS));
  const file = path.join(import.meta.dirname, '.env');
  await writeAtomic(file, Object.entries(env).map(([name, value]) => `${name}=${value}\n`).join(''));
  process.stdout.write(`${file}: ${Object.keys(env).length} variables\n`);
}
