/** Holding a gate ends the session that runs and keeps the next one back, for each who holds. */
import { describe, expect, it } from 'vitest';
import { SessionGate } from '../../../cdc/capture/session-gate.ts';

/** A session that runs until it is aborted, then takes a turn to end. */
async function session(signal: AbortSignal, notes: string[]): Promise<void> {
  notes.push('began');
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await new Promise((resolve) => setImmediate(resolve));
  notes.push('ended');
  throw signal.reason;
}

describe('the session gate', () => {
  it('has the running session ended once hold() resolves, without an error for who runs it', async () => {
    const gate = new SessionGate();
    const notes: string[] = [];
    const running = gate.run(new AbortController().signal, (signal) => session(signal, notes));
    await gate.hold('pause');
    expect(notes).toEqual(['began', 'ended']);
    await running;
  });

  it('opens only when everybody has released', async () => {
    const gate = new SessionGate();
    const notes: string[] = [];
    const stop = new AbortController();
    await Promise.all([gate.hold('pause'), gate.hold('reset')]);
    const running = gate.run(stop.signal, (signal) => session(signal, notes)).catch((error: unknown) => String(error));
    gate.release('reset');
    await new Promise((resolve) => setImmediate(resolve));
    expect([notes, gate.isHeld('pause'), gate.isHeld('reset')]).toEqual([[], true, false]);
    gate.release('pause');
    await new Promise((resolve) => setImmediate(resolve));
    expect(notes).toEqual(['began']);
    stop.abort(new Error('stop'));
    expect(await running).toBe('Error: stop');
  });

  it('waiting ends with the signal, and a failure of the session is passed on', async () => {
    const gate = new SessionGate();
    await expect(gate.run(new AbortController().signal, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    await gate.hold('pause');
    const stop = new AbortController();
    const waiting = gate.run(stop.signal, () => Promise.resolve());
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});
