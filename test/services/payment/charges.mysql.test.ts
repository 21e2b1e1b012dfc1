/** Charges on a real database: once each, balanced, by the rights of the payment user. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChargeLoop, LOOK_BACK_MS, SWEEP_BACK_MS } from '../../../services/payment/coordinator/charge-loop.ts';
import type { Fare } from '../../../services/payment/domain/payment.ts';
import { chargeFare, chargeTip } from '../../../services/payment/store/charges.ts';
import { findFare } from '../../../services/payment/store/fares.ts';
import { HybridClock } from '../../../shared/clock/hybrid-clock.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

const clock = new HybridClock({ nowMs: Date.now });
const breakdown = (fareCents: number, taxCents = 100, commissionCents = 200) => ({
  lines: [{ kind: 'base', label: 'Base fare', cents: fareCents }], driverCents: fareCents - taxCents - commissionCents, commissionCents, taxCents, fareCardVersion: 1,
});

describe.each(await engines())('on %s', (engine) => {
  let server: TestMysql;
  let root: Database;
  let db: Database;
  let lastId = 1_000n;
  const ids = { next: () => (lastId += 1n) };
  const everywhere = { isHome: () => true };
  const counts = { charged: () => {}, failed: () => {}, setAside: () => {} };

  beforeAll(async () => {
    server = await startMysql({ engine, grants: true });
    root = openDatabase(server.config, { log: SILENT_LOG });
    db = openDatabase({ ...server.users.tandem_payment!, poolSize: 16 }, { log: SILENT_LOG });
  });

  afterAll(async () => {
    await db?.close();
    await root?.close();
    await server?.stop();
  });

  /** A completed ride's fare, as dispatch leaves it. */
  async function completeRide(options: { payerId?: bigint; driverId?: bigint; fareCents?: number; breakdown?: unknown; createdAt?: Date } = {}): Promise<Fare> {
    const { payerId = 42n, driverId = 77n, fareCents = 1_234, createdAt = new Date() } = options;
    const rideId = ids.next();
    await root.execute(
      `INSERT INTO fares (id, ride_id, payer_id, payer_unit, driver_id, amount_cents, currency, breakdown, unit, created_at)
       VALUES (?, ?, ?, ?, ?, ?, 'USD', ?, 3, ?)`,
      [rideId, rideId, payerId, unitOfAccount(payerId), driverId, fareCents, JSON.stringify(options.breakdown ?? breakdown(fareCents)), createdAt],
    );
    return (await findFare(db, rideId))!;
  }

  const count = async (sql: string, params: unknown[] = []): Promise<number> => Number((await root.query<{ n: bigint }>(sql, params))[0]!.n);
  const unbalanced = () => count('SELECT COUNT(*) AS n FROM (SELECT transaction_id FROM ledger_entries GROUP BY transaction_id HAVING SUM(amount_cents) <> 0) AS off');
  const loop = (options: { units?: { isHome(unit: number): boolean } } = {}) =>
    new ChargeLoop({ db, clock, ids, units: options.units ?? everywhere, log: SILENT_LOG, nowMs: Date.now, counts });

  describe('a charge', () => {
    test('books the whole fare on the rider and its shares on driver, platform and state', async () => {
      const fare = await completeRide({ payerId: 501n, driverId: 601n, fareCents: 2_000 });
      const { kind, payment } = await db.transaction((tx) => chargeFare(tx, ids, fare), { clock });
      expect(kind).toBe('charged');
      expect(payment).toMatchObject({ rideId: fare.rideId, kind: 'fare', amountCents: 2_000, currency: 'USD', method: 'account', status: 'committed', payerId: 501n });
      const entries = await root.query<{ kind: string; owner_id: bigint; amount_cents: bigint; unit: number }>(
        `SELECT a.kind, a.owner_id, e.amount_cents, e.unit FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
         JOIN ledger_transactions t ON t.id = e.transaction_id WHERE t.payment_id = ? ORDER BY e.id`, [payment.id]);
      const unit = unitOfAccount(501n);
      expect(entries).toEqual([
        { kind: 'rider_receivable', owner_id: 501n, amount_cents: 2_000n, unit },
        { kind: 'driver_payable', owner_id: 601n, amount_cents: -1_700n, unit },
        { kind: 'commission', owner_id: 0n, amount_cents: -200n, unit },
        { kind: 'tax', owner_id: 0n, amount_cents: -100n, unit },
      ]);
      expect(await count('SELECT COUNT(*) AS n FROM accounts WHERE id = 501 AND unit = ?', [unit])).toBe(1);
    });

    test('happens once, however many ask for it at once', async () => {
      const fare = await completeRide();
      const outcomes = await Promise.all(Array.from({ length: 12 }, () => db.transaction((tx) => chargeFare(tx, ids, fare), { clock })));
      expect(outcomes.filter((outcome) => outcome.kind === 'charged')).toHaveLength(1);
      expect(new Set(outcomes.map((outcome) => outcome.payment.id)).size).toBe(1);
      expect(await count('SELECT COUNT(*) AS n FROM payments WHERE ride_id = ?', [fare.rideId])).toBe(1);
      expect(await count('SELECT COUNT(*) AS n FROM ledger_transactions WHERE ride_id = ?', [fare.rideId])).toBe(1);
      expect(await unbalanced()).toBe(0);
    });

    test('of many riders at once with one driver keeps every booking balanced, and the whole at zero', async () => {
      const fares = await Promise.all(Array.from({ length: 24 }, (_, i) => completeRide({ payerId: BigInt(7_000 + (i % 9)), driverId: 5n, fareCents: 900 + i })));
      await Promise.all(fares.map((fare) => db.transaction((tx) => chargeFare(tx, ids, fare), { clock })));
      await Promise.all(fares.map((fare, i) => db.transaction((tx) => chargeTip(tx, ids, fare, i + 1), { clock })));
      expect(await unbalanced()).toBe(0);
      expect(await count('SELECT CAST(SUM(amount_cents) AS SIGNED) AS n FROM ledger_entries')).toBe(0);
      expect(await count('SELECT COUNT(*) AS n FROM ledger_entries e LEFT JOIN ledger_accounts a ON a.id = e.account_id WHERE a.id IS NULL')).toBe(0);
      const owed = fares.reduce((sum, fare, i) => sum + fare.amountCents - 300 + i + 1, 0);
      expect(await count("SELECT CAST(SUM(e.amount_cents) AS SIGNED) AS n FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id WHERE a.kind = 'driver_payable' AND a.owner_id = 5")).toBe(-owed);
    });

    test('whose breakdown does not add up writes nothing', async () => {
      const fare = await completeRide({ breakdown: { ...breakdown(1_234), taxCents: 1 } });
      await expect(db.transaction(async (tx) => chargeFare(tx, ids, fare), { clock })).rejects.toMatchObject({ code: 'conflict' });
      expect(await count('SELECT COUNT(*) AS n FROM payments WHERE ride_id = ?', [fare.rideId])).toBe(0);
    });

    test('cannot be changed or removed from the ledger by the payment user', async () => {
      await expect(db.execute('UPDATE ledger_entries SET amount_cents = 0')).rejects.toThrow(/denied/i);
      await expect(db.execute('DELETE FROM ledger_transactions')).rejects.toThrow(/denied/i);
    });
  });

  describe('the coordinator', () => {
    test('charges what is unpaid once, with two of them at work', async () => {
      await loop().round(SWEEP_BACK_MS);
      const fares = await Promise.all(Array.from({ length: 30 }, () => completeRide()));
      const rounds = await Promise.all([loop().round(LOOK_BACK_MS), loop().round(LOOK_BACK_MS)]);
      expect(rounds[0]!.charged + rounds[1]!.charged).toBe(30);
      expect(await count('SELECT COUNT(*) AS n FROM payments WHERE ride_id IN (?)', [fares.map((fare) => fare.rideId)])).toBe(30);
      expect((await loop().round(LOOK_BACK_MS)).charged).toBe(0);
    });

    test('leaves the payers of the other region alone', async () => {
      const mine = await completeRide({ payerId: 42n });
      const theirs = await completeRide({ payerId: [...Array(100).keys()].map((i) => BigInt(900 + i)).find((id) => unitOfAccount(id) !== unitOfAccount(42n))! });
      expect((await loop({ units: { isHome: (unit) => unit === unitOfAccount(42n) } }).round(LOOK_BACK_MS)).charged).toBe(1);
      expect(await count('SELECT COUNT(*) AS n FROM payments WHERE ride_id IN (?)', [[mine.rideId, theirs.rideId]])).toBe(1);
      await loop().round(LOOK_BACK_MS);
    });

    test('finds a fare that replication brought late by its sweep only', async () => {
      const late = await completeRide({ createdAt: new Date(Date.now() - 2 * LOOK_BACK_MS) });
      expect((await loop().round(LOOK_BACK_MS)).charged).toBe(0);
      expect((await loop().round(SWEEP_BACK_MS)).charged).toBe(1);
      expect(await count('SELECT COUNT(*) AS n FROM payments WHERE ride_id = ?', [late.rideId])).toBe(1);
    });

    test('sets a fare aside that cannot be charged, and charges the others', async () => {
      await completeRide({ breakdown: {} });
      await completeRide();
      const one = loop();
      expect((await one.round(LOOK_BACK_MS)).charged).toBe(1);
      expect((await one.round(LOOK_BACK_MS)).charged).toBe(0);
    });

    test('runs by itself and stops when told', async () => {
      const one = loop();
      one.start();
      const fare = await completeRide({ payerId: BigInt(`0x${randomUUID().slice(0, 6)}`) });
      await expect.poll(() => count('SELECT COUNT(*) AS n FROM payments WHERE ride_id = ?', [fare.rideId]), { timeout: 20_000 }).toBe(1);
      await one.stop();
      expect(one.lastRoundMs).toBeDefined();
    });
  });
});
