/** What `tandem conflicts` says of itself: its commands, flags and examples. */
import type { Command } from 'commander';
import { CONFLICT_KINDS } from '../conflicts/conflict.ts';

/** Declares the commands; their actions are the caller's. */
export function addConflictsHelp(conflicts: Command): { readonly list: Command; readonly show: Command; readonly replay: Command } {
  conflicts
    .summary('rows that both regions changed at once: list, show, replay')
    .description('Rows that both regions changed before either had seen the other\'s change. The same winner stands on both sides; the losing image is kept.')
    .addHelpText('after', `
Kinds: ${CONFLICT_KINDS.slice(0, 4).join(', ')},
  unique (two rows wanted one value of a unique key: the older was set aside).
Outcomes: "east won", "set-aside" (the row is gone, its image is kept), "merged"
  (parts of both stand).
`);
  const list = conflicts
    .command('list')
    .summary('the newest conflicts, one a line')
    .description('Lists conflicts, the newest first. What both regions recorded of one conflict is one line.')
    .option('--region <name>', 'only what this region recorded')
    .option('--table <name>', 'only rows of this table, for example rides')
    .option('--kind <kind>', 'only this kind, for example update-update')
    .option('--since <time>', 'only newer ones: 90s, 30m, 2h, 7d, or an RFC 3339 time')
    .option('--limit <n>', 'how many at most, up to 1000 (default: 20)')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Examples:
  ./tandem conflicts list --since 2h
  ./tandem conflicts list --table rides --kind update-delete --limit 100
`);
  const show = conflicts
    .command('show <id>')
    .summary('both images side by side')
    .description('Shows who wrote what when, the rule, the outcome, and both images side by side. Columns that differ are marked with *.')
    .option('--full', 'all columns, not only those that differ; mind personal data')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Example, with an id as the list prints it:
  ./tandem conflicts show 4611686018427387904
`);
  const replay = conflicts
    .command('replay <id>')
    .summary('let the losing image stand after all')
    .description('Writes what the loser wanted as a new local write in the home region of the row\'s unit; from there it travels like any other. Shows the plan; only --yes does it.')
    .option('--yes', 'do it; without, the plan is shown and nothing is written')
    .option('--reason <text>', 'why, for the audit; needed with --yes')
    .option('--over-newer', 'also where the row has been written since the conflict')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Only columns in which the loser differed from the winner are written, so what
was written since in others stays. Refused (exit 3) where the row has moved on
since, where a rule forbids the step (a ride's status only moves forward), where
another row has the unique value, and for merged rows, which have no loser.

Example:
  ./tandem conflicts replay 4611686018427387904
  ./tandem conflicts replay 4611686018427387904 --yes --reason "asked, T-88"
`);
  return { list, show, replay };
}
