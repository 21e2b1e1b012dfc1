/**
 * For proofs that a value survives its journey: a server whose binlog is read, and a mirror that its images are written to.
 *
 * A value is written by SQL, captured from the real binlog, compared with what SELECT gives, sent through the codec,
 * written by apply's rules into the mirror, and compared with what SELECT gives there. No Kafka: what carries bytes does
 * not look at them.
 */
import { expect } from 'vitest';
import { imageOfRow, valueLiteral } from '../../../cdc/apply/sql-values.ts';
import { openBinlogSource } from '../../../cdc/capture/binlog-source.ts';
import type { BinlogSource } from '../../../cdc/capture/binlog-source.ts';
import type { RowChange } from '../../../cdc/capture/binlog-event.ts';
import { EncodedImage, columnsOf } from '../../../cdc/change/encoded-image.ts';
import type { RowImage } from '../../../cdc/change/encoded-image.ts';
import type { Image } from '../../../cdc/change/envelope.ts';
import { COLUMN_TYPES_SQL, fingerprintsOf } from '../../../cdc/change/schema-fingerprint.ts';
import { stringifyImage } from '../../../cdc/change/codec.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection, RawRow } from '../../../shared/mysql/raw-connection.ts';
import { quotedName } from '../../../shared/mysql/sql-text.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';

/** As apply's session has it: strict, but takes every date that a server can hold. */
const APPLY_SQL_MODE = 'STRICT_TRANS_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';
const WAIT_MS = 30_000;
const REPLICA_ID = 0x7b_00_00_01;

export interface Column {
  /** What stands behind the column's name in CREATE TABLE. */
  readonly ddl: string;
  /** The same for the mirror, where it has another word. */
  readonly mirrorDdl?: string;
  /** How a SELECT gives `v` exactly, where its name alone does not. */
  readonly selected?: string;
  readonly isFloat?: boolean;
}

export interface ProofOptions {
  readonly column: Column;
  readonly mirrors?: boolean | undefined;
  /** What the mirror gives, where it is not the very same. */
  readonly mirrored?: ((row: RawRow) => RawRow) | undefined;
}

interface Captured { readonly schema: string | undefined; readonly change: RowChange }

/** A server that is written to and read from by its binlog; each table there has a mirror on a server of its own. */
export class WireLab implements AsyncDisposable {
  readonly source: TestMysql;
  readonly mirror: TestMysql;
  /** Takes what a careless session would write: no strictness at all. */
  readonly sql: RawConnection;
  readonly mirrorSql: RawConnection;
  #stream: BinlogSource | undefined;
  #failure: unknown;
  readonly #captured = new Map<string, Captured[]>();
  #waiting: (() => void) | undefined;

  private constructor(source: TestMysql, mirror: TestMysql, sql: RawConnection, mirrorSql: RawConnection) {
    this.source = source;
    this.mirror = mirror;
    this.sql = sql;
    this.mirrorSql = mirrorSql;
  }

  static async start(from: TestMysql['engine'], to: TestMysql['engine']): Promise<WireLab> {
    const [source, mirror] = await Promise.all([startMysql({ engine: from, origin: 1 }), startMysql({ engine: to, origin: 2 })]);
    const sql = await openRawConnection(source.config, { role: 'wire', queryDeadlineMs: WAIT_MS, session: { sql_mode: '' } });
    const mirrorSql = await openRawConnection(mirror.config, { role: 'wire', queryDeadlineMs: WAIT_MS, session: { sql_mode: APPLY_SQL_MODE } });
    const lab = new WireLab(source, mirror, sql, mirrorSql);
    await lab.#listen();
    return lab;
  }

  /** The table with `v` of this column in both databases; rows of an earlier case are forgotten. */
  async makeTable(table: string, { ddl, mirrorDdl = ddl }: Column): Promise<void> {
    const create = (definition: string): string =>
      `CREATE TABLE ${quotedName(table)} (id BIGINT NOT NULL PRIMARY KEY, unit TINYINT UNSIGNED NOT NULL DEFAULT 3, _hlc BIGINT UNSIGNED NOT NULL DEFAULT 9, _origin TINYINT UNSIGNED NOT NULL DEFAULT 1, v ${definition})`;
    for (const [connection, definition] of [[this.sql, ddl], [this.mirrorSql, mirrorDdl]] as const) {
      await connection.execute(`DROP TABLE IF EXISTS ${quotedName(table)}`);
      await connection.execute(create(definition));
    }
    this.#captured.delete(table);
  }

  /** The next `count` rows' changes of a table. */
  async changes(table: string, count: number): Promise<readonly Captured[]> {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const captured = this.#captured.get(table) ?? [];
      if (captured.length >= count) return captured.splice(0, count);
      const leftMs = end - performance.now();
      if (leftMs <= 0) throw new Error(`${captured.length} of ${count} rows of ${table} came by`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /**
   * Writes each value (SQL text) into a row of its own, changes each to the one before it, deletes all; proves every image
   * against what SELECT gave at that time, and the mirror against both.
   */
  async prove(table: string, values: readonly string[], { column, mirrors = true, mirrored = (row) => row }: ProofOptions): Promise<void> {
    const name = quotedName(table);
    await this.sql.execute(`INSERT INTO ${name} (id, v) VALUES ${values.map((value, i) => `(${i + 1}, ${value})`).join(', ')}`);
    const inserted = await this.#select(this.sql, table, column);
    for (const i of values.keys()) await this.sql.execute(`UPDATE ${name} SET v = ${values.at(i - 1)}, _hlc = _hlc + 1 WHERE id = ${i + 1}`);
    const updated = await this.#select(this.sql, table, column);
    await this.sql.execute(`DELETE FROM ${name} ORDER BY id`);
    const captured = await this.changes(table, values.length * 3);
    expect(new Set(captured.map(({ schema }) => schema))).toEqual(new Set([await this.fingerprint(this.sql, table)]));
    const changes = captured.map(({ change }) => change);
    const [inserts, updates, deletes] = [changes.slice(0, values.length), changes.slice(values.length, -values.length), changes.slice(-values.length)];
    const floats = new Set(column.isFloat === true ? ['v'] : []);
    const expected = (rows: readonly RawRow[]): Image[] => rows.map((row) => imageOfRow(row, floats));
    expect(inserts.map(({ before }) => before)).toEqual(values.map(() => null));
    expect(inserts.map(({ after }) => travelled(after))).toEqual(expected(inserted));
    expect(updates.map(({ before }) => travelled(before))).toEqual(expected(inserted));
    expect(updates.map(({ after }) => travelled(after))).toEqual(expected(updated));
    expect(deletes.map(({ before }) => travelled(before))).toEqual(expected(updated));
    if (!mirrors) return;
    for (const [changesNow, rows] of [[inserts, inserted], [updates, updated]] as const) {
      await this.mirrorSql.execute(`DELETE FROM ${name}`);
      for (const { after } of changesNow) await this.#write(table, travelled(after) as Image);
      expect(await this.#select(this.mirrorSql, table, column)).toEqual(rows.map(mirrored));
    }
    await this.mirrorSql.execute(`DELETE FROM ${name}`);
  }

  async fingerprint(connection: RawConnection, table: string): Promise<string | undefined> {
    return fingerprintsOf(await connection.query(`${COLUMN_TYPES_SQL} AND TABLE_NAME = ?`, ['tandem', table])).get(table);
  }

  async #write(table: string, image: Image): Promise<void> {
    const generated = await this.#generated(table);
    const columns = Object.keys(image).filter((column) => !generated.has(column));
    await this.mirrorSql.execute(`INSERT INTO ${quotedName(table)} (${columns.map(quotedName).join(', ')}) VALUES (${columns.map((column) => valueLiteral(image[column] ?? null)).join(', ')})`);
  }

  async #generated(table: string): Promise<ReadonlySet<string>> {
    const rows = await this.mirrorSql.query<{ c: string }>(
      `SELECT COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND GENERATION_EXPRESSION <> ''`, [table],
    );
    return new Set(rows.map(({ c }) => c));
  }

  async #select(connection: RawConnection, table: string, { selected = 'v' }: Column): Promise<RawRow[]> {
    const generated = (await this.#generated(table)).size > 0 ? ', g' : '';
    return await connection.query(`SELECT id, unit, _hlc, _origin, ${selected} AS v${generated} FROM ${quotedName(table)} ORDER BY id`);
  }

  async #listen(): Promise<void> {
    const [at] = await this.sql.query<{ position: string }>(
      this.source.engine === 'mysql' ? 'SELECT @@GLOBAL.gtid_executed AS position' : 'SELECT @@GLOBAL.gtid_binlog_pos AS position',
    );
    this.#stream = await openBinlogSource({
      mysql: this.source.config,
      replicaId: REPLICA_ID,
      start: { kind: 'gtid', position: at?.position ?? '' },
      onSign: () => {},
      onEvent: (event) => {
        if (event.kind !== 'rows') return;
        const captured = this.#captured.get(event.table) ?? [];
        this.#captured.set(event.table, captured);
        for (const change of event.rows) captured.push({ schema: event.schema, change });
        this.#waiting?.();
      },
      onError: (error) => {
        this.#failure = error;
        this.#waiting?.();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.stop();
    await Promise.all([this.sql.close(), this.mirrorSql.close()]);
    await Promise.all([this.source.stop(), this.mirror.stop()]);
  }
}

/** What a reader makes of the image; what is said beside the text must agree with it. */
export function travelled(image: RowImage | null): Image | null {
  if (image === null) return null;
  const columns = columnsOf(image);
  if (image instanceof EncodedImage) {
    expect([image.id, image.unit, String(image.hlc), image.origin]).toEqual([columns['id'], columns['unit'], columns['_hlc'], columns['_origin']]);
    // The bytes are what the text of the columns would be: nothing is written twice, or in another order.
    expect(JSON.parse(stringifyImage(columns))).toEqual(JSON.parse(image.text.toString('utf8')));
  }
  return columns;
}
