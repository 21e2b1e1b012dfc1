/** The ops and router processes as they are started: real etcd, real database, signals; what they say is what is there. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { seedUnits } from '../../../shared/etcd/units.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { SlaReport } from '../../../services/ops/domain/report.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestEtcd } from '../../harness/etcd.ts';
import { freePort } from '../../harness/free-port.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { until } from '../../shared/until.ts';
import { FakeUpstream, json } from '../router/fake-upstream.ts';

const REGIONS = 'east=1,west=2';
const ROOT = new URL('../../../', import.meta.url).pathname;
const READY_MS = 30_000;

describe('the processes of a region', () => {
  let etcd: TestEtcd;
  let mysql: TestMysql;
  let service: FakeUpstream;
  let base: Record<string, string>;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    [etcd, mysql, service] = await Promise.all([startEtcd(), startMysql({ origin: 1, grants: true }), new FakeUpstream('service').start()]);
    const client = openEtcd({ endpoints: etcd.endpoints, log: SILENT_LOG });
    await seedUnits(client, Regions.parse(REGIONS));
    await client.close();
    const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    base = {
      TANDEM_REGION: 'east', TANDEM_REGIONS: REGIONS, TANDEM_ETCD: etcd.endpoints.join(','), TANDEM_LOG_LEVEL: 'fatal',
      TANDEM_JWT_PUBLIC_KEY: Buffer.from(JSON.stringify(jwk)).toString('base64url'),
    };
  }, 120_000);

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all([etcd?.stop(), mysql?.stop(), service?.kill()]);
  });

  it('the router serves, ops reports it with the units and the heartbeat, and both leave on SIGTERM', async () => {
    const [routerPort, opsPort, deadPort] = [await freePort(), await freePort(), await freePort()];
    const nobody = `http://127.0.0.1:${deadPort}`;
    const router = start('services/router/main.ts', routerPort, {
      TANDEM_INSTANCE: 'router-east', TANDEM_PEER_ROUTER: nobody,
      TANDEM_UPSTREAMS: ['dispatch', 'location', 'payment'].map((name) => `${name}=${service.hostPort}`).join(';'),
    });
    const user = mysql.users['tandem_ops']!;
    const ops = start('services/ops/main.ts', opsPort, {
      TANDEM_INSTANCE: 'ops-east', TANDEM_PEER_OPS: nobody,
      TANDEM_TARGETS: `router-east=http://127.0.0.1:${routerPort};payment-east=${nobody}`,
      TANDEM_MYSQL_HOST: user.host, TANDEM_MYSQL_PORT: String(user.port), TANDEM_MYSQL_USER: user.user, TANDEM_MYSQL_PASSWORD: user.password,
    });
    await Promise.all([untilReady(routerPort), untilReady(opsPort)]);
    const sql = await openRawConnection(mysql.config, { role: 'test' });
    await sql.execute('INSERT INTO _heartbeats (id, beat, at) VALUES (2, 77, UTC_TIMESTAMP(6))');
    await sql.execute(`INSERT INTO _dead_letters (id, source, partition_no, message_offset, kind, state, holds_unit, unit, code, cause, tries, message)
      VALUES (1, 'west', 0, 5, 'poison', 'waiting', 1, 17, 'db-failed', 'too long', 5, ''), (2, 'west', 0, 6, 'held', 'waiting', 0, 17, 'held', '', 0, '')`);
    await sql.close();
    service.answer = (_request, response) => json(response, 200, {});
    const seesTraffic = async (): Promise<boolean> => {
      await fetch(`http://127.0.0.1:${routerPort}/v1/rides/7`);
      const { regions, leases } = await sla(opsPort);
      return (regions['east']?.api.oneMinute.requests ?? 0) > 0 && regions['east']?.lag.heartbeat?.beat === '77'
        && regions['east'].state === 'active' && leases['east'] === 'held';
    };
    await until('ops sees traffic, heartbeat, lease and state', READY_MS, seesTraffic);

    const report = await sla(opsPort);
    expect(report).toMatchObject({ region: 'east', peer: 'west', isPeerReachable: false, leases: { east: 'held', west: 'missing' } });
    expect(report.units.byHome).toEqual({ east: 32, west: 32 });
    expect(report.regions['west']).toBeNull();
    await until('ops sees what waits', READY_MS, async () => (await sla(opsPort)).regions['east']?.replication.parkedUnits?.join() === '17');
    expect((await sla(opsPort)).regions['east']?.replication.deadLetters).toEqual({ poison: 1, held: 1 });
    expect(report.regions['east']?.config.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.regions['east']?.api.oneMinute.successRate).toBe(1);
    expect(report.regions['east']?.targets).toMatchObject([
      { name: 'router-east', isUp: true }, { name: 'payment-east', isUp: false, error: 'connection refused' },
    ]);
    const exported = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
    expect(exported).toMatch(/tandem_sla_dead_letters\{[^}]*kind="poison"[^}]*\} 1/);
    expect(exported).toMatch(/tandem_sla_units\{[^}]*home="west"[^}]*\} 32/);
    expect(exported).toMatch(/tandem_sla_health_score\{[^}]*part="all"[^}]*\} \d/);
    expect(exported).toMatch(/tandem_sla_target_up\{[^}]*target="payment-east"[^}]*\} 0/);

    const exits = [once(router, 'exit'), once(ops, 'exit')];
    router.kill('SIGTERM');
    ops.kill('SIGTERM');
    expect((await Promise.all(exits)).map(([code]) => code as number)).toEqual([0, 0]);
  }, 120_000);

  it('a bad configuration ends with exit code 2 and names every key', async () => {
    const child = spawn(process.execPath, ['services/ops/main.ts'], { cwd: ROOT, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => { said += String(chunk); });
    expect((await once(child, 'exit'))[0]).toBe(2);
    for (const key of ['TANDEM_REGION', 'TANDEM_MYSQL_PORT', 'TANDEM_TARGETS', 'TANDEM_PEER_OPS']) expect(said).toContain(key);
  });

  function start(main: string, port: number, env: Record<string, string>): ChildProcess {
    const child = spawn(process.execPath, [main], {
      cwd: ROOT, env: { PATH: process.env['PATH'], ...base, ...env, TANDEM_HTTP_PORT: String(port) }, stdio: ['ignore', 'inherit', 'inherit'],
    });
    children.push(child);
    return child;
  }
});

async function untilReady(port: number): Promise<void> {
  await until(`port ${port} is ready`, READY_MS, async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).status === 200);
}

async function sla(port: number): Promise<SlaReport> {
  return (await (await fetch(`http://127.0.0.1:${port}/api/sla`)).json()) as SlaReport;
}
