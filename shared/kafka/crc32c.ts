/** CRC-32C (Castagnoli), which Kafka's record batches carry: eight bytes a step, by eight tables. */

const POLYNOMIAL = 0x82f6_3b78;
const TABLES = 8;

/** Table k is for a byte with k more behind it in the step. */
const table: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: TABLES }, () => new Int32Array(256));
  const [first] = tables as [Int32Array];
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  for (let k = 1; k < TABLES; k += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const before = (tables[k - 1] as Int32Array)[byte] as number;
      (tables[k] as Int32Array)[byte] = (first[before & 0xff] as number) ^ (before >>> 8);
    }
  }
  return tables;
}

/** Of the bytes from `start` to `end`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = table as readonly [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];
  let crc = -1;
  let at = start;
  for (const last = end - TABLES; at <= last; at += TABLES) {
    const low = crc ^ ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
    crc = (t7[low & 0xff] as number) ^ (t6[(low >>> 8) & 0xff] as number) ^ (t5[(low >>> 16) & 0xff] as number) ^ (t4[low >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^ (t2[bytes[at + 5] as number] as number) ^ (t1[bytes[at + 6] as number] as number) ^ (t0[bytes[at + 7] as number] as number);
  }
  for (; at < end; at += 1) crc = (t0[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
