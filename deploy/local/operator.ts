/**
 * Who is at the keyboard, and what lets them operate the local deployment: its own key signs a short-lived token in their name.
 *
 * TANDEM_OPERATOR names them; else the system's user does. Whoever can read the secrets file can be anybody: it is private.
 */
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Env } from './programs/locate.ts';
import { readSecrets } from './secrets.ts';
import type { StateDir } from './state-dir.ts';
import { mintToken, operatorId } from './tokens.ts';

/** Longer than a --watch over a night. */
const TTL_S = 43_200;
const NAME = /^[\w.@-]{1,64}$/;

/** Throws config-invalid for a name that no audit row could hold. */
export async function operatorOf(dirs: StateDir, env: Env): Promise<{ readonly name: string; readonly token: string }> {
  const name = env.TANDEM_OPERATOR || userInfo().username;
  if (!NAME.test(name)) throw new TandemError('config-invalid', `TANDEM_OPERATOR: "${name}" is not a name of 1 to 64 letters, digits, . _ @ -`);
  const { jwt } = await readSecrets(dirs.secretsFile);
  return { name, token: await mintToken(jwt.privateJwk, { role: 'operator', accountId: operatorId(name), name, ttlS: TTL_S }) };
}

/** What the person types, without the blanks around it; null where nobody is there to type. */
export async function askPerson(question: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
