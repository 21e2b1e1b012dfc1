/**
 * The envelope up to its images: as this version writes it, and the quick way to read what it has written.
 *
 * Invariant: readHead() takes exactly what headOf() gives where no text in it needs escaping; everything else (another
 * version, another writer, odd names) is undefined to it and read as JSON, to the same effect.
 */
import type { Hlc } from '../../shared/clock/hlc.ts';
import type { RowImage } from './encoded-image.ts';
import { ENVELOPE_VERSION } from './envelope.ts';
import type { Change, Image, Operation } from './envelope.ts';
import { baseVersionOf } from './image.ts';

const CONNECTOR = 'tandem-mysql';
export const SERVER_NAME_PREFIX = 'tandem.';
const NEEDS_NO_ESCAPE = /^[\w.:,/ -]*$/;

function quote(text: string): string {
  return NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Everything up to `after`, its closing brace missing. `more`: members of `tandem`, each with a comma in front. */
export function headOf(change: Change<RowImage>, more = ''): string {
  const { source, transaction, version } = change;
  const base = baseVersionOf(change);
  const gtid = quote(source.gtid);
  const schema = source.schema === undefined ? '' : `,"schema":${quote(source.schema)}`;
  const was = base === null ? '' : `,"base":"${base.hlc}/${base.origin}"`;
  return `{"op":"${change.op}","ts_ms":${change.tsMs},"source":{"version":"${ENVELOPE_VERSION}","connector":"${CONNECTOR}","name":${quote(SERVER_NAME_PREFIX + source.region)},"ts_ms":${change.tsMs},` +
    `"db":${quote(source.database)},"table":${quote(change.table)},"server_id":${source.serverId},"gtid":${gtid},"file":${quote(source.file)},"pos":${source.pos},"row":${source.row}${schema}},` +
    `"transaction":{"id":${transaction.id === source.gtid ? gtid : quote(transaction.id)},"total_order":${transaction.order},"data_collection_order":${transaction.tableOrder}},` +
    `"tandem":{"v":${ENVELOPE_VERSION},"hlc":"${version.hlc}","origin":${version.origin},"unit":${change.unit},"id":${quote(change.id)},"last":${change.last},"position":${quote(change.position)}${was}${more}}`;
}

const TEXT = String.raw`"([^"\\]*)"`;
const WHOLE = String.raw`(\d+)`;
const HEAD = new RegExp(
  `^\\{"op":"([cudr])","ts_ms":${WHOLE},"source":\\{"version":"${ENVELOPE_VERSION}","connector":"${CONNECTOR}","name":"tandem\\.([^"\\\\]*)","ts_ms":\\d+,` +
  `"db":${TEXT},"table":${TEXT},"server_id":${WHOLE},"gtid":${TEXT},"file":${TEXT},"pos":${WHOLE},"row":${WHOLE}(?:,"schema":${TEXT})?\\},` +
  `"transaction":\\{"id":${TEXT},"total_order":${WHOLE},"data_collection_order":${WHOLE}\\},` +
  `"tandem":\\{"v":${ENVELOPE_VERSION},"hlc":"(\\d{1,19})","origin":${WHOLE},"unit":${WHOLE},"id":${TEXT},"last":(true|false),"position":${TEXT}(?:,"base":"(\\d{1,19})/(\\d{1,3})")?\\},"after":`,
);

export interface Head {
  /** Where the after image begins. */
  readonly length: number;
  readonly op: string;
  readonly change: (after: Image | null, readBefore: () => Image | null) => Change;
}

export function readHead(text: string): Head | undefined {
  const match = HEAD.exec(text);
  if (match === null) return undefined;
  const [all, op = '', tsMs, region = '', database = '', table = '', serverId, gtid = '', file = '', pos, row, schema, transactionId = '', order, tableOrder,
    hlc = '0', origin, unit, id = '', last, position = '', baseHlc, baseOrigin] = match;
  return {
    length: all.length,
    op,
    change: (after, readBefore) => {
      let before: Image | null | undefined;
      return {
        op: op as Operation, table, id, unit: Number(unit), version: { hlc: BigInt(hlc) as Hlc, origin: Number(origin) },
        get before(): Image | null {
          return (before ??= readBefore());
        },
        after, tsMs: Number(tsMs),
        source: { region, database, serverId: Number(serverId), gtid, file, pos: Number(pos), row: Number(row), schema },
        transaction: { id: transactionId, order: Number(order), tableOrder: Number(tableOrder) },
        last: last === 'true', position,
        base: baseHlc === undefined ? undefined : { hlc: BigInt(baseHlc) as Hlc, origin: Number(baseOrigin) },
        parts: undefined,
      };
    },
  };
}
