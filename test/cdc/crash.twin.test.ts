/**
 * Parts of replication die at random moments while both regions are written to: nothing is lost, nothing doubled.
 *
 * TANDEM_CRASH_SEED replays a run's statements and choices, TANDEM_CRASHES sets how many deaths there are.
 */
import { describe, expect, it } from 'vitest';
import { sleep } from '../../shared/kernel/deadline.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { engines } from '../harness/mysql.ts';
import { SIDES, dataSince, startTwin, topicEnds } from './twin.ts';
import type { Side, Twin } from './twin.ts';
import { randomOf, runWorkload } from './workload.ts';

const CRASHES = Number(process.env['TANDEM_CRASHES'] ?? 12);
const SEED = Number(process.env['TANDEM_CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));

describe.each(await engines())('on %s', (engine) => {
  it(`capture, apply, Kafka and databases die ${CRASHES} times under load (seed ${SEED})`, { timeout: 180_000 + CRASHES * 24_000 }, async () => {
    await using twin = await startTwin(engine);
    await twin.startAll();
    const random = randomOf(SEED);
    const stop = new AbortController();
    const loads = SIDES.map((side, i) => runWorkload({
      connect: () => openRawConnection(twin.of(side).mysql.config, { role: 'workload' }), seed: SEED + i + 1, pauseMs: 4, signal: stop.signal,
    }));
    for (let crash = 0; crash < CRASHES; crash += 1) {
      await sleep(200 + random(800));
      await kill(twin, random);
    }
    await sleep(500);
    stop.abort();
    const taken = await Promise.all(loads);
    for (const side of SIDES) await twin.of(side).reconnect();
    await twin.settle();

    const [east, west] = [await twin.east.everything(), await twin.west.everything()];
    expect(west, `seed ${SEED}`).toEqual(east);
    expect(taken.every((count) => count > 20), `statements ${taken}`).toBe(true);
    expect(Object.values(east).flat().length).toBeGreaterThan(10);
    await expectQuiet(twin);
    const conflicts = [...(await twin.east.conflicts()), ...(await twin.west.conflicts())];
    expect(conflicts.length, 'both regions fought over the same rows').toBeGreaterThan(0);
    for (const { kind, local_image, remote_image } of conflicts) if (kind === 'update-update') expect([local_image, remote_image]).not.toContain(null);
    const oddities = SIDES.map((side) => twin.of(side).log.lines.filter((line) => /without a/.test(line.message)));
    expect(oddities).toEqual([[], []]);
    console.log(`${engine} seed ${SEED}: ${taken} statements, ${conflicts.length} conflicts`);
  });
});

async function kill(twin: Twin, random: (below: number) => number): Promise<void> {
  const side: Side = random(2) === 0 ? 'east' : 'west';
  const region = twin.of(side);
  switch (random(6)) {
    case 0:
    case 1:
      await region.stopCapture();
      await sleep(random(500));
      await region.startCapture();
      return;
    case 2:
    case 3:
      await region.stopApply();
      await sleep(random(500));
      region.startApply();
      return;
    case 4:
      await twin.kafka.kill9();
      await sleep(random(1000));
      await twin.kafka.restart();
      return;
    default:
      await region.mysql.kill9();
      await region.mysql.restart();
  }
}

/** Nothing but heartbeats is produced once nobody writes. */
async function expectQuiet(twin: Twin): Promise<void> {
  const ends = await Promise.all(SIDES.map((side) => topicEnds(twin.of(side))));
  await sleep(1500);
  await twin.settle();
  for (const [i, side] of SIDES.entries()) expect(await dataSince(twin.of(side), ends[i] ?? new Map())).toEqual([]);
}
