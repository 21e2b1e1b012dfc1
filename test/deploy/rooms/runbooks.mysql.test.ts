/** Every SELECT of the runbooks runs, as the operator, on a real database of either engine, and through the tool that they name. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createUsers, migrateSchema } from '../../harness/mysql-schema.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import { REPO_ROOT } from './repo-files.ts';
import { runbookStatements } from './runbook-pages.ts';

const statements = runbookStatements();

describe.each(await engines())('runbooks on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startMysql>>;
  let state: string;

  beforeAll(async () => {
    server = await startMysql({ engine });
    await migrateSchema(server.config, 1);
    const users = await createUsers(server.config);
    state = await mkdtemp(path.join(tmpdir(), 'tandem-runbooks-'));
    const endpoints = {
      router: 'http://127.0.0.1:1', dashboard: 'http://127.0.0.1:2', mysql: users['tandem_operator'], redis: '127.0.0.1:3', kafka: '127.0.0.1:4',
      cdc: { capture: 'http://127.0.0.1:7', apply: 'http://127.0.0.1:8' },
    };
    const regions = { east: { origin: 1, endpoints }, west: { origin: 2, endpoints } };
    await writeFile(path.join(state, 'topology.json'), JSON.stringify({ regions, etcd: ['127.0.0.1:5'], witness: '127.0.0.1:6' }));
  });
  afterAll(async () => {
    await server?.stop();
    await rm(state, { recursive: true, force: true });
  });

  const sql = (...args: string[]) =>
    promisify(execFile)(process.execPath, [path.join(REPO_ROOT, 'deploy/runbooks/sql.ts'), ...args], { env: { ...process.env, TANDEM_STATE: state } });

  test('every statement is answered', async () => {
    expect(statements.length).toBeGreaterThanOrEqual(5);
    for (const { file, statement } of statements) {
      const { stdout } = await sql('east', statement);
      expect(stdout, `${file}: ${statement}`).toMatch(/\d+ rows\n$/);
    }
  });

  test('a table is readable, and nothing can be changed through it', async () => {
    expect((await sql('west', "SELECT 42 AS answer, NULL AS nothing")).stdout).toBe('answer  nothing\n42      NULL\n1 rows\n');
    await expect(sql('east', 'DELETE FROM rides')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('db-read-only') });
    await expect(sql('north', 'SELECT 1')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('usage: sql.ts <east|west>') });
  });
});
