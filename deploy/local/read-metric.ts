/**
 * Reads one figure, or the lag samples, of a running process over HTTP on loopback. Null where it does not answer.
 */
import { parsePrometheus } from '../../services/ops/domain/prometheus-text.ts';
import { LOOPBACK } from './servers/server-spec.ts';

const DEADLINE_MS = 2_000;

/** The largest value over all label sets. */
export async function readMetric(port: number, name: string): Promise<number | null> {
  const values = (await readSamples(port)).filter((sample) => sample.name === name).map(({ value }) => value);
  return values.length === 0 ? null : Math.max(...values);
}

/** The sum over all label sets. */
export async function readCounter(port: number, name: string): Promise<number | null> {
  const values = (await readSamples(port)).filter((sample) => sample.name === name).map(({ value }) => value);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** Commit-to-apply times of heartbeats since `sinceMs` (Unix time), as apply's GET /lag has them. */
export async function readLagSamples(port: number, sinceMs: number): Promise<number[]> {
  const text = await get(port, `/lag?sinceMs=${sinceMs}`);
  if (text === null) return [];
  const { samples } = JSON.parse(text) as { samples: { lagMs: number }[] };
  return samples.map(({ lagMs }) => lagMs);
}

async function readSamples(port: number): Promise<ReturnType<typeof parsePrometheus>['samples']> {
  const text = await get(port, '/metrics');
  return text === null ? [] : parsePrometheus(text).samples;
}

async function get(port: number, path: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${LOOPBACK}:${port}${path}`, { signal: AbortSignal.timeout(DEADLINE_MS) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}
