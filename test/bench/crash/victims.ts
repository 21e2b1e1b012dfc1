/**
 * What is killed: capture, apply, database and Kafka of each region; each with SIGKILL, at random moments, brought back after a while.
 *
 * Invariant: schedules run side by side and know nothing of each other, so that parts die while others are down or coming back.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { CdcProcess, CdcProcesses } from '../../cdc/processes.ts';
import { SIDES } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';

export type Kind = 'capture' | 'apply' | 'database' | 'kafka';
export const KINDS: readonly Kind[] = ['capture', 'apply', 'database', 'kafka'];

export interface Victim {
  readonly kind: Kind;
  readonly name: string;
  kill(): Promise<void>;
  /** Resolves once it works again, or has had long enough to. */
  revive(): Promise<void>;
}

/** A dead part stays dead for up to this long. */
const DEAD_MS_MAX = 500;
/**
 * A living one is left alone for up to this long after it works again. What takes longer to come back (capture waits for the
 * dead one's lock, Kafka for its JVM) is left alone for less, so that all kinds die to the end.
 */
const ALIVE_MS_MAX: Readonly<Record<Kind, number>> = { capture: 2_000, apply: 5_000, database: 8_000, kafka: 3_000 };
/** A process that does not get ready (what it needs is down, too) may be killed all the same. */
const READY_MS_MAX = 15_000;
const ASK_EVERY_MS = 100;

export function victimsOf(twin: Twin, processes: CdcProcesses): readonly Victim[] {
  const parts = processes.all.map((each): Victim => ({
    kind: each.part, name: `${each.part} of ${each.side}`,
    kill: () => each.kill9(),
    revive: async () => {
      each.start();
      await readyOrLate(each);
    },
  }));
  const databases = SIDES.map((side): Victim => {
    const { mysql } = twin.of(side);
    return { kind: 'database', name: `database of ${side}`, kill: () => mysql.kill9(), revive: () => mysql.restart() };
  });
  const brokers = SIDES.map((side): Victim => {
    const kafka = twin.kafkaOf(side);
    return { kind: 'kafka', name: `kafka of ${side}`, kill: () => kafka.kill9(), revive: () => kafka.restart() };
  });
  return [...parts, ...databases, ...brokers];
}

/** Kills it so many times; always ends with it alive. */
export async function killAgainAndAgain(
  victim: Victim, { times, random, onKill }: { times: number; random: (below: number) => number; onKill: (victim: Victim) => void },
): Promise<void> {
  for (let kill = 0; kill < times; kill += 1) {
    await sleep(random(ALIVE_MS_MAX[victim.kind]));
    await victim.kill();
    onKill(victim);
    await sleep(random(DEAD_MS_MAX));
    await victim.revive();
  }
}

async function readyOrLate(each: CdcProcess): Promise<void> {
  const end = performance.now() + READY_MS_MAX;
  while (performance.now() < end) {
    const answer = await fetch(`${each.url}/health/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(ASK_EVERY_MS);
  }
}
