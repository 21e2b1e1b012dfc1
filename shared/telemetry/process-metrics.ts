/**
 * What every process tells about itself: memory, processor time, and how late its event loop runs.
 *
 * Invariant: reading costs nothing between two scrapes but a timer of the runtime's own (10 ms, native).
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

const LOOP_RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

export function observeProcess(meter: Meter): void {
  meter
    .createObservableGauge('process_resident_memory_bytes', { description: 'Resident memory.' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge('process_heap_used_bytes', { description: 'JavaScript heap in use.' })
    .addCallback((result) => result.observe(process.memoryUsage().heapUsed));
  meter
    .createObservableCounter('process_cpu_seconds_total', { description: 'Processor time, user and system.' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  const startSeconds = Math.floor(Date.now() / 1000 - process.uptime());
  meter
    .createObservableGauge('process_start_time_seconds', { description: 'When the process started, in seconds since 1970.' })
    .addCallback((result) => result.observe(startSeconds));
  observeLoop(meter);
}

/** The histogram holds whole periods, so the resolution is part of each value; it is NaN or 0 while empty. */
function lagMs(periodNs: number): number {
  return Math.max(0, Math.round(periodNs / NS_PER_MS - LOOP_RESOLUTION_MS)) || 0;
}

function observeLoop(meter: Meter): void {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  meter
    .createObservableGauge('process_event_loop_lag_ms', { description: 'How late timers ran since the last scrape.' })
    .addCallback((result) => {
      result.observe(lagMs(delay.percentile(50)), { quantile: '0.5' });
      result.observe(lagMs(delay.percentile(99)), { quantile: '0.99' });
      result.observe(lagMs(delay.max), { quantile: '1' });
      delay.reset();
    });
}
