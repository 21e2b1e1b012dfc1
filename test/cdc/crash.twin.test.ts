/**
 * Capture, apply, databases and Kafka die at random moments while both regions are written to: nothing is lost, nothing doubled.
 *
 * TANDEM_CRASH_SEED replays a run's statements and choices, TANDEM_CRASHES sets how often each kind dies; many more deaths are
 * `tandem bench crash`.
 */
import { describe, expect, it } from 'vitest';
import { runCrashes } from '../bench/crash/run-crashes.ts';
import { engines } from '../harness/mysql.ts';

const CRASHES = Number(process.env['TANDEM_CRASHES'] ?? 4);
const SEED = Number(process.env['TANDEM_CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));

describe.each(await engines())('on %s', (engine) => {
  it(`each kind of part dies ${CRASHES} times under load (seed ${SEED})`, { timeout: 300_000 + CRASHES * 60_000 }, async () => {
    const result = await runCrashes({ engine, kills: CRASHES, seed: SEED, pauseMs: 10 });
    console.log(`${engine} seed ${SEED}: ${result.acknowledged} transactions, conflicts ${JSON.stringify(result.conflicts)}`);
    expect(result.faults, JSON.stringify(result.histories, null, 1)).toEqual({ lost: [], reverted: [], foreign: [], torn: [], miscounted: [] });
    expect(result.rowsDifferent).toBe(0);
    expect(result.sentTwice).toEqual([]);
    expect(result.echoes).toEqual([]);
    // A run in which nothing happened proves nothing.
    expect(result.kills).toEqual({ capture: CRASHES, apply: CRASHES, database: CRASHES, kafka: CRASHES });
    expect(result.rowsCompared).toBeGreaterThan(100);
    for (const side of ['east', 'west']) expect(Object.keys(result.conflicts)).toContain(`${side} update-update`);
  });
});
