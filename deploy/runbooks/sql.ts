/**
 * Reads one region's database as the operator and prints a table: for runbooks, where no MySQL client may be at hand.
 *
 * Invariant: it changes nothing (the transaction is read-only), and the password never stands in a command line.
 * Usage: node_modules/.bin/node deploy/runbooks/sql.ts <region> "<SELECT …>"
 */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { readTopology } from '../../shared/config/topology.ts';
import type { Topology } from '../../shared/config/topology.ts';
import { stateDir } from '../local/state-dir.ts';

const CELL_CHARS_MAX = 200;

const [region = '', statement = ''] = process.argv.slice(2);
try {
  process.exitCode = await run(readTopology(stateDir().topologyFile));
} catch (e) {
  process.stderr.write(`${isTandemError(e) ? `${e.code}: ` : ''}${e instanceof Error ? e.message : String(e)}\n`);
  process.exitCode = 1;
}

async function run({ regions }: Topology): Promise<number> {
  const place = regions[region];
  if (place === undefined || statement === '') {
    process.stderr.write(`usage: sql.ts <${Object.keys(regions).join('|')}> "SELECT …"\n`);
    return 2;
  }
  const connection = await openRawConnection(place.endpoints.mysql, { role: 'runbook' });
  try {
    await connection.execute('START TRANSACTION READ ONLY');
    const rows = await connection.query(statement);
    process.stdout.write(tableOf(rows));
    return 0;
  } finally {
    await connection.close();
  }
}

function tableOf(rows: readonly Record<string, unknown>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => names.map((name) => textOf(row[name])));
  const widths = names.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]!.length)));
  const lines = [names, ...cells].map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
  return `${[...lines.filter((line) => line !== ''), `${rows.length} rows`].join('\n')}\n`;
}

function textOf(value: unknown): string {
  const text = value === null ? 'NULL' : Buffer.isBuffer(value) ? value.toString('hex') : String(value);
  return text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX)}…` : text;
}
