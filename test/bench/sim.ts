/**
 * `tandem bench sim`: plays seeded histories of two simulated regions until they converge, as many as asked for.
 *
 *   --seeds N   how many, default 2,000     --seed S   the first one, that alone without --seeds     --json
 *
 * A history that fails is printed as short as it can be found, with its seed; then the exit code is 1.
 */
import { parseArgs } from 'node:util';
import { paint, sayOnStderr } from '../../deploy/local/console.ts';
import { describeFailure, playSeeds } from '../simulation/run.ts';
import { printReport } from './report.ts';

const SEEDS_DEFAULT = 2_000;
const SAY_EVERY = 1_000;
/** What issue 3 asks for. */
const SEEDS_WANTED = 2_000;

/** Answers the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) return 2;
  const { first, count, json } = options;
  const beganMs = performance.now();
  const tally = playSeeds({
    first, count, onPlayed: (done) => void (done % SAY_EVERY === 0 && sayOnStderr(`${done.toLocaleString('en-US')} of ${count.toLocaleString('en-US')} histories converged`)),
  });
  const seconds = (performance.now() - beganMs) / 1000;
  const { failure, seeds, writes, conflicts, changes } = tally;
  if (failure !== null) process.stdout.write(`${paint(describeFailure(failure), 'red')}\n`);
  const clean = failure === null ? seeds : seeds - 1;
  const perMinute = Math.round((seeds / seconds) * 60);
  printReport({
    bench: 'sim',
    figures: { firstSeed: first, seeds, clean, failedSeed: failure?.seed ?? null, problems: failure?.problems ?? [], writes, changes, conflicts, seconds, historiesPerMinute: perMinute },
    // A person who asks for ten wants to know of those ten.
    targets: [
      { name: 'histories that converge', value: clean, target: Math.min(count, SEEDS_WANTED), better: 'higher' },
      { name: 'histories that fail', value: seeds - clean, target: 0, better: 'lower' },
    ],
    tables: [{
      title: 'Simulated histories', columns: ['', 'all', 'per history'],
      rows: [['local writes', writes, writes / seeds], ['changes on the wire', changes, changes / seeds], ['conflicts on record', conflicts, conflicts / seeds], ['histories a minute', perMinute, null]],
    }],
  }, { json });
  return failure === null ? 0 : 1;
}

function parseOptions(args: readonly string[]): { first: number; count: number; json: boolean } | null {
  try {
    const { values } = parseArgs({ args: [...args], options: { seeds: { type: 'string' }, seed: { type: 'string' }, json: { type: 'boolean' } } });
    const [count, first] = [Number(values.seeds ?? (values.seed === undefined ? SEEDS_DEFAULT : 1)), Number(values.seed ?? 1)];
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError('--seeds must be a whole number from 1 up');
    if (!Number.isSafeInteger(first) || first < 0) throw new RangeError('--seed must be a whole number from 0 up');
    return { first, count, json: values.json ?? false };
  } catch (e) {
    process.stderr.write(`${(e as Error).message}\n`);
    return null;
  }
}

if (import.meta.main) process.exitCode = await run(process.argv.slice(2));
