/**
 * `tandem bench crash`: each kind of part (capture, apply, database, Kafka) is killed with SIGKILL again and again while both regions
 * write; then every acknowledged write is accounted for. test/bench/README.md says what counts as what.
 *
 * It exits 1 where anything was lost, doubled or different, and says which rows.
 */
import { parseArgs } from 'node:util';
import { sayOnStderr } from '../../deploy/local/console.ts';
import { EXIT } from '../../deploy/local/commands/outcome.ts';
import { engines } from '../harness/mysql.ts';
import { KINDS } from './crash/victims.ts';
import { faultCounts, isClean, runCrashes } from './crash/run-crashes.ts';
import type { CrashOptions, CrashProgress, CrashResult } from './crash/run-crashes.ts';
import { printReport } from './report.ts';

const KILLS = 200;
const MINUTES_MAX = 25;
const SAY_EVERY_MS = 5_000;
const FAULTS_SHOWN = 20;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { kills: { type: 'string' }, seed: { type: 'string' }, engine: { type: 'string' }, json: { type: 'boolean', default: false } },
});
const here = await engines();
const engine = values.engine ?? here[0];
const [kills, seed] = [Number(values.kills ?? KILLS), Number(values.seed ?? Math.floor(Math.random() * 1e9))];
if (!here.some((each) => each === engine) || !Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  sayOnStderr(`crash takes --kills N, --seed N and --engine ${here.join('|')}`);
  process.exit(EXIT.usage);
}
process.exitCode = await main({ engine: engine as CrashOptions['engine'], kills, seed, pauseMs: 10 });

async function main(options: CrashOptions): Promise<number> {
  sayOnStderr(`killing each kind ${options.kills} times on ${options.engine}; seed ${options.seed}`);
  let saidMs = 0;
  const say = ({ kills: done, acknowledged }: CrashProgress): void => {
    if (performance.now() - saidMs < SAY_EVERY_MS) return;
    saidMs = performance.now();
    sayOnStderr(`${KINDS.map((kind) => `${kind} ${done[kind]}/${options.kills}`).join(', ')}; ${acknowledged} transactions acknowledged`);
  };
  const result = await runCrashes({ ...options, say });
  const shown = [...Object.entries(result.faults), ['sent twice', result.sentTwice] as const, ['echoed', result.echoes] as const];
  for (const [kind, list] of shown) for (const fault of list.slice(0, FAULTS_SHOWN)) sayOnStderr(`${kind}: ${fault}`);
  for (const [row, lines] of Object.entries(result.histories)) for (const line of lines) sayOnStderr(`${row}: ${line}`);
  report(options, result);
  return isClean(result) ? EXIT.done : EXIT.failed;
}

function report(options: CrashOptions, result: CrashResult): void {
  const { faults: _, echoes: __, sentTwice: ___, histories: ____, ...figures } = result;
  const counts = faultCounts(result);
  printReport({
    bench: 'crash',
    figures: { engine: options.engine, seed: options.seed, ...figures, faults: counts },
    targets: [
      ...KINDS.map((kind) => ({ name: `${kind} killed`, value: result.kills[kind], target: KILLS, better: 'higher' as const })),
      ...Object.entries(counts).map(([name, value]) => ({ name, value, target: 0, better: 'lower' as const })),
      { name: 'minutes', value: (result.killingMs + result.settlingMs) / 60_000, target: MINUTES_MAX, better: 'lower' },
    ],
    tables: [{
      title: `Crashes on ${options.engine}, seed ${options.seed}`, columns: ['', 'count'],
      rows: [
        ['transactions acknowledged', result.acknowledged], ['in doubt (the answer was lost)', result.inDoubt], ['refused by the server', result.refused],
        ['rows compared', result.rowsCompared], ['processes that ended by themselves', result.ownEnds],
        ['seconds of killing', Math.round(result.killingMs / 1000)], ['seconds until all had arrived', Math.round(result.settlingMs / 1000)],
        ...Object.entries(result.conflicts).map(([kind, count]) => [`conflicts, ${kind}`, count] as const),
      ],
    }],
  }, { json: values.json });
}
