/** Which fare card is used, and which one is refused. */
import { describe, expect, test } from 'vitest';
import { parseFareCard, pickCard } from '../../../services/pricing/domain/fare-card.ts';
import type { FareCard } from '../../../services/pricing/domain/fare-card.ts';
import { FareCardBook } from '../../../services/pricing/store/fare-cards.ts';
import { answerQuote } from '../../../services/pricing/rpc/quote.ts';
import type { QuoteRequest } from '../../../services/pricing/rpc/quote.ts';
import type { Sql } from '../../../shared/mysql/database.ts';

const BODY = {
  currency: 'USD', baseCents: 255, perKmCents: 109, perMinuteCents: 35, minimumCents: 800,
  extraSeatPermille: 150, poolingDiscountPermille: 250, taxPermille: 89, commissionPermille: 200,
};
const card = (version: number, effectiveFromMs: number): FareCard => parseFareCard({ version, effectiveFromMs, body: BODY });
const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing };

describe('a fare card', () => {
  test('is taken from text as the database gives it, with fields of later versions ignored', () => {
    expect(parseFareCard({ version: 3, effectiveFromMs: 7, body: JSON.stringify({ ...BODY, nightPermille: 200 }) })).toEqual({ version: 3, effectiveFromMs: 7, ...BODY });
  });

  test('is refused with every bad field named', () => {
    const body = { ...BODY, currency: 'dollars', baseCents: -1, taxPermille: 1_001, perKmCents: 1.5 };
    expect(() => parseFareCard({ version: 1, effectiveFromMs: 0, body })).toThrow(/baseCents.*perKmCents.*taxPermille.*currency/);
    expect(() => parseFareCard({ version: 1, effectiveFromMs: 0, body: '{' })).toThrow('not JSON');
  });

  test('is the newest effective one: by date, then by version', () => {
    const cards = [card(1, 0), card(2, 100), card(3, 100), card(4, 200)];
    expect(pickCard(cards, 99)?.version).toBe(1);
    expect(pickCard(cards, 100)?.version).toBe(3);
    expect(pickCard(cards, 1_000)?.version).toBe(4);
    expect(pickCard([card(1, 50)], 49)).toBeUndefined();
  });
});

describe('the book of fare cards', () => {
  test('keeps the last good cards when the table cannot be read, is emptied, or holds a bad card', async () => {
    const rows = [{ version: 1, effective_from: new Date(0), body: JSON.stringify(BODY) }];
    let answer: () => unknown[] = () => rows;
    const db = { query: async () => answer(), execute: async () => ({ affectedRows: 0 }) } as unknown as Sql;
    const book = new FareCardBook({ db, log, nowMs: () => 5 });
    expect(book.readAtMs).toBeUndefined();
    await book.refresh();
    expect([book.at(1)?.version, book.readAtMs]).toEqual([1, 5]);

    answer = () => { throw new Error('gone'); };
    await expect(book.refresh()).rejects.toThrow('gone');
    expect(book.at(1)?.version).toBe(1);
    answer = () => [];
    await book.refresh();
    expect(book.at(1)?.version).toBe(1);
    answer = () => [{ version: 2, effective_from: new Date(1), body: '{}' }, ...rows];
    await book.refresh();
    expect(book.at(1)?.version).toBe(1);
  });
});

describe('a quote', () => {
  const cards = { at: (atMs: number) => pickCard([card(1, 1_000)], atMs) };
  const request: QuoteRequest = {
    pickup: { lat: 40.75, lon: -73.98 }, dropoff: { lat: 40.76, lon: -73.97 }, distanceM: 1_500, durationS: 400, seats: 0, pooled: true, atMs: '0',
  };

  test('takes absent seats as one and an absent time as now', () => {
    const implicit = answerQuote(request, { cards, nowMs: () => 2_000 });
    expect(implicit).toEqual(answerQuote({ ...request, seats: 1, atMs: '2000' }, { cards, nowMs: () => 0 }));
  });

  test('names every bad field', () => {
    const bad = { ...request, pickup: null, dropoff: { lat: 91, lon: 0 }, distanceM: -1, durationS: 86_401, seats: 5, atMs: '-1' };
    expect(() => answerQuote(bad, { cards, nowMs: () => 2_000 })).toThrow(/pickup.*dropoff.*distance_m.*duration_s.*seats.*at_ms/);
  });

  test('is refused while no card is effective', () => {
    expect(() => answerQuote(request, { cards, nowMs: () => 999 })).toThrow('no fare card is effective');
  });
});
