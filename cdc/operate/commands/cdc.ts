/** `tandem cdc …`: each command is a function that gives an answer; here they meet their flags. */
import type { Command } from 'commander';
import { answering } from './answer.ts';
import type { OperateDeps } from './answer.ts';
import { addCdcHelp } from './cdc-help.ts';
import { retryLetters, skipLetter } from './dead-letters.ts';
import type { RetryFlags, SkipFlags } from './dead-letters.ts';
import { setPause } from './pause.ts';
import type { PauseFlags } from './pause.ts';
import { resetPart } from './reset.ts';
import type { ResetFlags } from './reset.ts';
import { takeSnapshot } from './snapshot.ts';
import type { SnapshotFlags } from './snapshot.ts';
import { showStatus, watchStatus } from './status.ts';
import type { StatusFlags } from './status.ts';

export function registerCdc(program: Command, deps: OperateDeps): void {
  const cdc = addCdcHelp(program.command('cdc'));
  cdc.status.action((flags: StatusFlags) => answering(deps, flags, () => (flags.watch === true ? watchStatus(flags, deps) : showStatus(deps))));
  for (const word of ['pause', 'resume'] as const) {
    cdc[word].action((region: string, flags: PauseFlags) => answering(deps, flags, () => setPause(word, region, flags, deps)));
  }
  cdc.retry.action((region: string, id: string | undefined, flags: RetryFlags) => answering(deps, flags, () => retryLetters(region, id, flags, deps)));
  cdc.skip.action((region: string, id: string, flags: SkipFlags) => answering(deps, flags, () => skipLetter(region, id, flags, deps)));
  cdc.reset.action((region: string, flags: ResetFlags) => answering(deps, flags, () => resetPart(region, flags, deps)));
  cdc.snapshot.action((region: string, flags: SnapshotFlags) => answering(deps, flags, () => takeSnapshot(region, flags, deps)));
}
