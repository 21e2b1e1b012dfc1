/**
 * `tandem config`: shows and sets what operators change while processes run: /tandem/config/<name> in etcd.
 *
 * Invariant: what is written has been accepted by the very parser that the processes use, so a set value is a value in force;
 * a bad one is refused whole, every bad field named, and nothing changes.
 */
import type { Command } from 'commander';
import { DEFAULT_POLICY, parsePolicy } from '../../../services/dispatch/policy.ts';
import { readTopology } from '../../../shared/config/topology.ts';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { POLICY_PREFIX } from '../../../shared/etcd/policy.ts';
import { DEFAULT_GUARD_POLICY, parseGuardPolicy } from '../../../shared/guard/guard-policy.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { stateDir } from '../state-dir.ts';
import { outcome, printJson } from './outcome.ts';

const ETCD_DEADLINE_MS = 5_000;
/** By name: what reads it, and what holds where nothing is set. */
const POLICIES: Readonly<Record<string, { readonly parse: (raw: unknown) => unknown; readonly fallback: object }>> = {
  'dispatch': { parse: parsePolicy, fallback: DEFAULT_POLICY },
  'rpo-guard': { parse: parseGuardPolicy, fallback: DEFAULT_GUARD_POLICY },
};

interface ConfigFlags {
  readonly set?: string;
  readonly unset?: true;
  readonly json?: true;
}

export function registerConfig(program: Command): void {
  program
    .command('config')
    .summary('show or set a policy that processes follow while they run')
    .description('Shows a policy, or sets it for both regions at once; processes follow within a second.')
    .argument('<name>', `one of: ${Object.keys(POLICIES).join(', ')}`)
    .option('--set <json>', 'the whole policy; fields that are left out have their defaults')
    .option('--unset', 'back to the defaults')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
rpo-guard: what to do with writes while the other region is too far behind
  limitMs    how many ms of writes it may lack (default 2000)
  action     warn (default), throttle, or pause
  override   {"who", "why", "until"}: count the other region as lost until then
dispatch: how rides are matched; its fields show without --set.

Example:
  ./tandem config rpo-guard --set '{"action": "pause"}'
`)
    .action((name: string, flags: ConfigFlags) => outcome<ConfigFlags>((given) => configCommand(name, given))(flags));
}

async function configCommand(name: string, flags: ConfigFlags): Promise<void> {
  const policy = POLICIES[name];
  if (policy === undefined) throw new TandemError('usage-invalid', `there is no policy ${name}; there are: ${Object.keys(POLICIES).join(', ')}`);
  if (flags.set !== undefined && flags.unset) throw new TandemError('usage-invalid', '--set and --unset: one of them');
  const text = flags.set === undefined ? null : checked(flags.set, policy.parse);
  const key = POLICY_PREFIX + name;
  const etcd = openEtcd({ endpoints: readTopology(stateDir().topologyFile).etcd, log: QUIET, deadlineMs: ETCD_DEADLINE_MS });
  try {
    if (text !== null) await etcd.put(key, text);
    if (flags.unset) await etcd.delete(key);
    const stored = (await etcd.get(key))?.value ?? null;
    const value: unknown = stored === null ? null : JSON.parse(stored);
    if (flags.json) printJson({ name, set: value, defaults: policy.fallback });
    else process.stdout.write(stored === null ? `${name} is not set; the defaults hold:\n${pretty(policy.fallback)}` : `${name}:\n${pretty(value)}`);
  } finally {
    await etcd.close();
  }
}

/** The text to store. Throws usage-invalid where it is not JSON, config-invalid where the policy's reader refuses it. */
function checked(text: string, parse: (raw: unknown) => unknown): string {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new TandemError('usage-invalid', `--set is not JSON: ${(cause as Error).message}`);
  }
  parse(raw);
  return JSON.stringify(raw);
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const QUIET: LogSink = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
