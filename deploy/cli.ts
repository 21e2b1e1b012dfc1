/**
 * The command line: `./tandem <command>`. Each command stands in a file of its own and is registered here.
 *
 * Exit codes: 0 done · 1 failed · 2 bad usage · 3 refused by a safety check.
 */
import { Command, CommanderError } from 'commander';
import { registerCdc } from '../cdc/operate/commands/cdc.ts';
import { registerConflicts } from '../cdc/operate/commands/conflicts.ts';
import { registerDiff } from '../cdc/reconcile/commands/diff.ts';
import { registerSla } from '../services/ops/commands/sla.ts';
import { readTopology } from '../shared/config/topology.ts';
import { registerBench } from './local/commands/bench.ts';
import { registerChaos } from './local/commands/chaos.ts';
import { registerConfig } from './local/commands/config.ts';
import { registerDown } from './local/commands/down.ts';
import { EXIT, explainFailure, outcome } from './local/commands/outcome.ts';
import { registerMigrate } from './local/commands/migrate.ts';
import { registerStatus } from './local/commands/status.ts';
import { registerTest } from './local/commands/test.ts';
import { registerToken } from './local/commands/token.ts';
import { registerUp } from './local/commands/up.ts';
import { paint, sayOnStderr } from './local/console.ts';
import { askPerson, operatorOf } from './local/operator.ts';
import { stateDir } from './local/state-dir.ts';

const program = new Command('./tandem')
  .description('A carpool backend that lives in two datacenters at once: run both of them here, watch them, take them apart.')
  .addHelpText('after', `
Begin with:
  ./tandem up        both regions on this machine, real trips, a summary
  ./tandem status    what runs where, and how far a region is behind the other
  ./tandem test      all tests; needs no running stack
  ./tandem down      stops everything; data stays under .tandem
./tandem help <command> says more of each.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 refused by a safety check.
`)
  .showHelpAfterError('(see --help)')
  .exitOverride();

const deps = { readTopology: () => readTopology(stateDir().topologyFile) };
const operate = { ...deps, operator: () => operatorOf(stateDir(), process.env), paint, outcome, ask: askPerson, say: sayOnStderr };
registerUp(program);
registerDown(program);
registerStatus(program);
registerTest(program);
registerToken(program);
registerDiff(program, deps);
registerSla(program, deps);
registerCdc(program, operate);
registerConflicts(program, operate);
registerMigrate(program);
registerConfig(program);
registerChaos(program);
registerBench(program);

try {
  await program.parseAsync();
} catch (e) {
  // Commander has said what is wrong; asking for help is no error.
  if (e instanceof CommanderError) process.exitCode = e.exitCode === 0 ? EXIT.done : EXIT.usage;
  else process.exitCode = explainFailure(e);
}
