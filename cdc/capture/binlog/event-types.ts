/** The numbers of the binlog's events and columns, as both servers write them. */

/** log_event.h of either server. From 160 on they are MariaDB's own. */
export const EVENT = {
  query: 2, rotate: 4, formatDescription: 15, xid: 16, beginLoadQuery: 17, executeLoadQuery: 18, tableMap: 19,
  writeRowsV1: 23, updateRowsV1: 24, deleteRowsV1: 25, incident: 26, heartbeat: 27,
  writeRows: 30, updateRows: 31, deleteRows: 32, gtid: 33, anonymousGtid: 34, previousGtids: 35, xaPrepare: 38,
  partialUpdateRows: 39, transactionPayload: 40, heartbeatV2: 41, taggedGtid: 42,
  mariaGtid: 162, mariaGtidList: 163, mariaStartEncryption: 164, queryCompressed: 165,
  rowsCompressedFirst: 166, rowsCompressedLast: 171,
} as const;

/** field_types.h: what a table map calls a column's type. ENUM and SET hide behind STRING, see table-map.ts. */
export const TYPE = {
  decimal: 0, tiny: 1, short: 2, long: 3, float: 4, double: 5, timestamp: 7, longlong: 8, int24: 9, date: 10, time: 11, datetime: 12,
  year: 13, newdate: 14, varchar: 15, bit: 16, timestamp2: 17, datetime2: 18, time2: 19, compressedBlob: 140, compressedVarchar: 141,
  vector: 242, json: 245, newdecimal: 246, enum: 247, set: 248, tinyBlob: 249, mediumBlob: 250, longBlob: 251, blob: 252, varString: 253, string: 254,
  geometry: 255,
} as const;

/** Bytes of an event's header: time 4, type 1, server 4, length 4, next position 4, flags 2. */
export const HEADER_BYTES = 19;
export const CHECKSUM_BYTES = 4;
