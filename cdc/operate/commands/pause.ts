/** `tandem cdc pause|resume`. */
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { ControlClient } from '../control-client.ts';
import { PARTS } from '../control-api.ts';
import type { Part, PauseReport } from '../control-api.ts';
import { givenReason, knownRegion, oneOf } from './answer.ts';
import type { Answer, JsonFlag, OperateDeps } from './answer.ts';
import { hanging } from './layout.ts';

export interface PauseFlags extends JsonFlag { readonly part?: string; readonly reason?: string }

/** Where one of two parts cannot be asked, the other is dealt with all the same, and the exit code says that one failed. */
export async function setPause(word: 'pause' | 'resume', name: string, flags: PauseFlags, deps: OperateDeps): Promise<Answer> {
  const topology = deps.readTopology();
  const region = knownRegion(topology, name);
  const part = oneOf('--part', flags.part ?? 'both', [...PARTS, 'both']);
  const reason = givenReason(flags.reason);
  const { token } = await deps.operator();
  const client = new ControlClient({ topology, token });
  const parts = part === 'both' ? PARTS : [part];
  const outcomes = await Promise.all(parts.map(async (each): Promise<Outcome> => {
    try {
      return { part: each, ...(await client.post<PauseReport>({ region, part: each }, `/${word}`, { reason })) };
    } catch (e) {
      if (!isTandemError(e) || parts.length === 1) throw e;
      return { part: each, error: { code: e.code, message: e.message } };
    }
  }));
  return {
    text: `${outcomes.flatMap((outcome) => lineOf(outcome, word, region)).join('\n')}\n`,
    json: { region, parts: outcomes },
    exitCode: outcomes.some((outcome) => 'error' in outcome) ? 1 : 0,
  };
}

type Outcome = { readonly part: Part } & (PauseReport | { readonly error: { readonly code: string; readonly message: string } });

function lineOf(outcome: Outcome, word: 'pause' | 'resume', region: string): string[] {
  const who = `${outcome.part} of ${region}: `;
  if ('error' in outcome) return hanging(who, `not done: ${outcome.error.message}`);
  const { paused, changed } = outcome;
  if (paused === null) return [`${who}${changed ? 'goes on' : 'was not paused'}`];
  if (changed) return hanging(who, `paused until ./tandem cdc resume ${region}${word === 'pause' ? ` --part ${outcome.part}` : ''} --reason "…"; a restart does not end it`);
  return hanging(who, `was paused already, by ${paused.by} at ${paused.at}: ${paused.reason}`);
}
