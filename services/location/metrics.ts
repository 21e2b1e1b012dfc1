/**
 * What location measures of itself. Every limit that could be hit has a figure that shows how near it is.
 */
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { PositionBoard } from './domain/position-board.ts';
import type { LiveSockets } from './http/live-sockets.ts';
import type { PositionReader } from './store/position-reader.ts';
import type { PositionWriter } from './store/position-writer.ts';

export type LocationMetrics = {
  readonly ping: (outcome: string) => void;
  readonly event: () => void;
  readonly closed: (reason: string) => void;
  readonly written: (positions: number) => void;
  readonly dropped: (positions: number) => void;
  readonly fallback: () => void;
};

export function countLocation(metrics: Metrics): LocationMetrics {
  const pings = metrics.counter('location_pings_total', 'Frames from drivers, by what became of them.', ['outcome']);
  const events = metrics.counter('location_driver_events_total', 'Events of dispatch sent down to drivers.');
  const closed = metrics.counter('location_sockets_closed_total', 'Driver sockets closed by this process.', ['reason']);
  const written = metrics.counter('location_positions_written_total', 'Positions that reached Redis.');
  const dropped = metrics.counter('location_positions_dropped_total', 'Positions that did not reach Redis.');
  const fallbacks = metrics.counter('location_fallbacks_total', 'Questions answered from memory, as Redis did not answer.');
  return {
    ping: (outcome) => pings.add(1, { outcome }),
    event: () => events.add(1),
    closed: (reason) => closed.add(1, { reason }),
    written: (positions) => written.add(positions),
    dropped: (positions) => dropped.add(positions),
    fallback: () => fallbacks.add(1),
  };
}

export function observeLocation(
  metrics: Metrics,
  parts: { readonly board: PositionBoard; readonly sockets: LiveSockets; readonly writer: PositionWriter; readonly reader: PositionReader },
): void {
  const { board, sockets, writer, reader } = parts;
  metrics.observe('location_sockets', 'Driver sockets open.', [], (report) => report(sockets.count));
  metrics.observe('location_board_drivers', 'Drivers whose last position is in memory.', [], (report) => report(board.size));
  metrics.observe('location_subscribers', 'Live views of drivers.', [], (report) => report(board.subscriberCount));
  metrics.observe('location_positions_pending', 'Drivers whose position waits for the next batch to Redis.', [], (report) => report(writer.pendingCount));
  metrics.observe('location_stream_read', '1 while the stream of positions is read, 0 while Redis does not answer.', [], (report) => report(Number(reader.isReading)));
}
