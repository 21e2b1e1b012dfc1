/**
 * The change in a message, whoever wrote it: Tandem's capture, or a Debezium connector in its place.
 *
 * Invariant: which of both is seen for each message by itself, so that a topic may hold both; a part of a larger change is Tandem's.
 */
import { decodeChange } from '../change/codec.ts';
import type { Change } from '../change/envelope.ts';
import { isDebezium, readDebezium } from '../debezium/debezium-message.ts';
import { ChangeReader } from '../transport/change-reader.ts';
import type { Decode } from './pending.ts';
import type { TableCatalog } from './table-catalog.ts';

export interface MessageSource {
  readonly region: string;
  readonly origin: number;
  /** For Tandem's own messages, one for each start of a partition: it may hold parts that wait for their change. */
  readonly own?: (() => Decode) | undefined;
}

/** What a column's value of Debezium means, the catalog knows. The result throws change-malformed. */
export function messageReader({ region, origin, own }: MessageSource, catalog: TableCatalog): Decode {
  const decode = own?.() ?? readerOfChanges();
  const debezium = { region, origin, typesOf: (table: string) => catalog.peek(table)?.types };
  return (message) => (isDebezium(message) ? readDebezium(message.value, debezium) : decode(message));
}

/** A parked message is a whole change. Throws change-malformed. */
export function readParked(source: MessageSource, message: Buffer, catalog: TableCatalog): Change {
  const change = messageReader(source, catalog)({ offset: 0n, key: null, value: message, headers: {}, timestampMs: 0 });
  return change ?? decodeChange(message);
}

function readerOfChanges(): Decode {
  const reader = new ChangeReader();
  return (message) => reader.read(message);
}
