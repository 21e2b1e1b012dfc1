/**
 * `tandem token`: prints a bearer token for the local deployment, and nothing else, so that it fits into a shell's $( ).
 */
import type { Command } from 'commander';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { readSecrets } from '../secrets.ts';
import { stateDir } from '../state-dir.ts';
import { TTL_S_DEFAULT, mintToken, operatorId } from '../tokens.ts';
import type { TokenRequest } from '../tokens.ts';
import { outcome, printJson } from './outcome.ts';

const TTL_S_MAX = 30 * 86_400;
const ACCOUNT_MAX = 2n ** 63n - 1n;

interface TokenFlags {
  readonly rider?: string;
  readonly driver?: string;
  readonly operator?: string;
  readonly ttl?: string;
  readonly json?: true;
}

export function registerToken(program: Command): void {
  program
    .command('token')
    .summary('print a token for a rider, a driver or an operator')
    .description('Prints a bearer token for the API, and nothing else. Name one of rider, driver or operator.')
    .option('--rider <id>', 'a rider, by account number; any from 1 up will do')
    .option('--driver <id>', 'a driver, by account number; likewise')
    .option('--operator <name>', 'an operator, by name')
    .option('--ttl <seconds>', `how long it is valid, at most ${TTL_S_MAX} (default: ${TTL_S_DEFAULT})`)
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Example: rider 42 asks for a quote (east's front door; ./tandem status shows it)
  curl -s http://127.0.0.1:17100/v1/quotes \\
    -H "Authorization: Bearer $(./tandem token --rider 42)" \\
    -H 'Idempotency-Key: my-first-quote' -H 'Content-Type: application/json' \\
    -d '{"pickup": {"lat": 40.75, "lon": -73.99},
         "dropoff": {"lat": 40.76, "lon": -73.97}}'
`)
    .action(outcome(async (flags: TokenFlags) => {
      const request = readRequest(flags);
      const { jwt } = await readSecrets(stateDir().secretsFile);
      const token = await mintToken(jwt.privateJwk, request);
      if (flags.json) printJson({ token, role: request.role, accountId: request.accountId.toString(), ttlS: request.ttlS });
      else process.stdout.write(`${token}\n`);
    }));
}

function readRequest({ rider, driver, operator, ttl = String(TTL_S_DEFAULT) }: TokenFlags): TokenRequest {
  const ttlS = Number(ttl);
  if (!Number.isInteger(ttlS) || ttlS < 1 || ttlS > TTL_S_MAX) throw bad(`--ttl ${ttl} is not a whole number of seconds from 1 to ${TTL_S_MAX}`);
  if ([rider, driver, operator].filter((given) => given !== undefined).length !== 1) throw bad('name one of --rider <id>, --driver <id>, --operator <name>');
  if (operator !== undefined) {
    if (!/^[\w.@-]{1,64}$/.test(operator)) throw bad(`--operator ${operator} is not a name of 1 to 64 letters, digits, . _ @ -`);
    return { role: 'operator', accountId: operatorId(operator), name: operator, ttlS };
  }
  return rider === undefined ? { role: 'driver', accountId: accountOf('--driver', driver), ttlS } : { role: 'rider', accountId: accountOf('--rider', rider), ttlS };
}

function accountOf(flag: string, text = ''): bigint {
  const id = /^[1-9]\d{0,18}$/.test(text) ? BigInt(text) : 0n;
  if (id < 1n || id > ACCOUNT_MAX) throw bad(`${flag} ${text} is not an account number from 1 to ${ACCOUNT_MAX}`);
  return id;
}

function bad(message: string): TandemError {
  return new TandemError('usage-invalid', message);
}
