/** What `tandem cdc` says of itself: its commands, flags and examples. */
import type { Command } from 'commander';

const REASON = ['--reason <text>', 'why, for the audit; needed'] as const;
const JSON_FLAG = ['--json', 'print one JSON object as the last line'] as const;

export type CdcCommands = Readonly<Record<'status' | 'pause' | 'resume' | 'skip' | 'retry' | 'reset' | 'snapshot', Command>>;

/** Declares the commands; their actions are the caller's. */
export function addCdcHelp(cdc: Command): CdcCommands {
  cdc
    .summary('replication: how it is, pause it, mend it')
    .description('Watches and steers replication. A region has two parts: capture sends its own changes, apply writes the other region\'s.')
    .addHelpText('after', `
So the way of a change from east to west is: capture of east, apply of west.
Everything but status wants --reason; name and reason go into _audit of the
region. Begin with ./tandem cdc status: it names what is wrong and what to do.
`);
  return { status: status(cdc), pause: pause(cdc), resume: resume(cdc), skip: skip(cdc), retry: retry(cdc), reset: reset(cdc), snapshot: snapshot(cdc) };
}

function status(cdc: Command): Command {
  return cdc.command('status')
    .summary('both directions on one screen, what is wrong, what to do')
    .description('Shows both directions of replication: state, position, lag, queues, rates, conflicts, dead letters, snapshots, and what is wrong.')
    .option('--watch', 'show it again and again, until Ctrl-C')
    .option(...JSON_FLAG)
    .addHelpText('after', `
States: streaming and applying are well; paused on purpose; stuck waits for
something and says for what; standby: another process is at work.
Lag is that of heartbeats, from their write to their commit in the other region.
Rates are those of the second in which the command looks; heartbeats count.

Exit codes: 0 nothing is wrong (a pause is no fault); 1 something is, or a part
cannot be asked.
`);
}

function pause(cdc: Command): Command {
  return partCommand(cdc.command('pause <region>'))
    .summary('stop a part on purpose; it stays so over restarts')
    .description('Stops capture or apply of a region after what it has in hand. Nothing is lost: what waits stays in the binlog, or in Kafka.')
    .addHelpText('after', `
It stays paused over restarts, until resume. Do not outlast what keeps the
changes: the binlog for capture, the topic's retention for apply.
Meanwhile the other region does not see what is written: riders whose requests
go there may meet old data, and a failover would lose what is not there yet.

Example, before work on west's database:
  ./tandem cdc pause west --part apply --reason "index on rides, T-91"
`);
}

function resume(cdc: Command): Command {
  return partCommand(cdc.command('resume <region>'))
    .summary('let a paused part go on')
    .description('Lets capture or apply of a region go on from where it stopped.')
    .addHelpText('after', `
Example:
  ./tandem cdc resume west --part apply --reason "index is there, T-91"
`);
}

function partCommand(command: Command): Command {
  return command
    .option('--part <part>', 'capture, apply, or both', 'both')
    .option(...REASON)
    .option(...JSON_FLAG);
}

function retry(cdc: Command): Command {
  return cdc.command('retry <region> [id]')
    .summary('list dead letters, or write them again')
    .description('Writes changes again that apply of a region could not write. Without id and --all it lists those that wait, and does nothing.')
    .option('--all', 'all of them, in order')
    .option('--unit <n>', 'with --all: only those of this unit')
    .option(...REASON)
    .option(...JSON_FLAG)
    .addHelpText('after', `
A change that fails again and again for its data (not for locks or a lost
connection) is parked as "poison", with its cause; by default later changes of
its unit wait behind it as "held". Mend the cause first, for example the column
that is too short, then retry: what waited behind follows by itself.

Exit codes: 0 done; 1 one failed again; 2 bad usage.
Examples:
  ./tandem cdc retry west
  ./tandem cdc retry west 4611686018427387904 --reason "column widened, T-92"
  ./tandem cdc retry west --all --unit 17 --reason "column widened, T-92"
`);
}

function skip(cdc: Command): Command {
  return cdc.command('skip <region> <id>')
    .summary('give one dead letter up for good')
    .description('Gives up one change that apply of a region could not write; what was held behind it is written. The row differs between the regions from then on.')
    .option(...REASON)
    .option(...JSON_FLAG)
    .addHelpText('after', `
Afterwards mend the row: write it again where it is right, by plain SQL, and
that travels; ./tandem diff shows whether both are the same.
Example:
  ./tandem cdc skip west 4611686018427387904 --reason "row is void, T-92"
`);
}

function reset(cdc: Command): Command {
  return cdc.command('reset <region>')
    .summary('move where capture or apply goes on')
    .description('Moves the place from which capture or apply of a region goes on. Says what that means, and asks for a word.')
    .requiredOption('--part <part>', 'capture or apply')
    .requiredOption('--to <place>', 'capture: now, earliest, snapshot, gtid:<position>; apply: start, end, or an offset')
    .option('--partition <n>', 'apply: only this partition')
    .option('--yes', 'do not ask, where nothing can be lost')
    .option('--lose-changes', 'with --yes: do not ask, although changes may be lost')
    .option(...REASON)
    .option(...JSON_FLAG)
    .addHelpText('after', `
Safe at any time: apply to start, or to an offset behind its own; capture to
earliest. Everything is sent or read once more, and nothing is doubled.
The others pass changes over, and the regions differ until those are mended:
apply to end; capture to now, to a position, or to snapshot (rows are sent, but
not what was deleted). These are refused (exit 3) unless you type the word or
say --yes --lose-changes.

Examples:
  ./tandem cdc reset west --part apply --to start --reason "restored, T-93"
  ./tandem cdc reset east --part capture --to snapshot --reason "purged, T-94"
`);
}

function snapshot(cdc: Command): Command {
  return cdc.command('snapshot <region>')
    .summary('send rows that stand in a region once more, while it is live')
    .description('Sends all rows of a region\'s tables to the other one, in chunks beside the live changes: for a region that is new or was rebuilt.')
    .option('--tables <a,b>', 'only these tables; all replicated ones by default')
    .option('--rate <n>', 'at most so many rows a second')
    .option('--watch', 'show progress until it is done')
    .option('--list', 'only list the snapshots of this region')
    .option('--cancel <id>', 'end this one; what it has sent stays')
    .option(...REASON)
    .option(...JSON_FLAG)
    .addHelpText('after', `
Rows that are newer in the other region stay as they are there. It goes on in
the middle of a table after a restart. It costs reads here and writes there:
--rate bounds both; the default is gentle.

Examples:
  ./tandem cdc snapshot east --reason "west was rebuilt, T-95" --watch
  ./tandem cdc snapshot east --tables accounts,rides --rate 2000 --reason "T-95"
  ./tandem cdc snapshot east --cancel 3 --reason "too early"
`);
}
