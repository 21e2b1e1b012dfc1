/** Every byte of a single-byte character set that a server knows is read as that server reads it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHARSETS_SQL, charsetsOf, decodingOf } from '../../../cdc/capture/binlog/charsets.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

const SINGLE_BYTE = ['latin1', 'latin2', 'latin7', 'cp1250', 'cp1251', 'cp1256', 'cp1257', 'koi8r'];

describe.each(await engines())('character sets on %s', (engine) => {
  let mysql: TestMysql;
  let sql: RawConnection;
  beforeAll(async () => {
    mysql = await startMysql({ engine });
    sql = await openRawConnection(mysql.config, { role: 'charsets' });
  }, 60_000);
  afterAll(async () => {
    await sql.close();
    await mysql.stop();
  });

  const decoderOf = async (charset: string) => {
    const charsets = charsetsOf(await sql.query(CHARSETS_SQL[engine]));
    const collation = [...charsets].find(([, { name }]) => name === charset)?.[0];
    expect(collation, `a collation of ${charset}`).toBeDefined();
    return decodingOf(charsets, collation, 't.c');
  };

  it.each(SINGLE_BYTE)('%s, byte by byte', async (charset) => {
    const decode = await decoderOf(charset);
    const codes = Array.from({ length: 256 }, (_, code) => code.toString(16).padStart(2, '0'));
    const rows = await sql.query<{ code: string; text: string; back: string }>(codes.map((code) =>
      `SELECT '${code}' AS code, CONVERT(_${charset} x'${code}' USING utf8mb4) AS text, LOWER(HEX(CONVERT(CONVERT(_${charset} x'${code}' USING utf8mb4) USING ${charset}))) AS back`).join(' UNION ALL '));
    const mapped = rows.filter(({ code, back }) => code === back);
    expect(mapped.length).toBeGreaterThan(150);
    for (const { code, text } of mapped) expect([code, typeof decode === 'function' ? decode(Buffer.from(code, 'hex')) : decode]).toEqual([code, text]);
  });

  it.each(['gbk', 'cp866', 'swe7'])('%s is refused by table and column, as no reader of it agrees with the server', async (charset) => {
    await expect(decoderOf(charset)).rejects.toThrow(expect.objectContaining({ code: 'capture-unreadable', message: expect.stringContaining('t.c') as string }));
  });
});
