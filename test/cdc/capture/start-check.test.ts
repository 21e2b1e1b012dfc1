/** From which position a server may be read on, and the GTIDs that are named where it may not. */
import { describe, expect, it } from 'vitest';
import { mariaGtids } from '../../../cdc/capture/server-position.ts';
import type { ServerPosition } from '../../../cdc/capture/server-position.ts';
import { checkStart, oldestOf } from '../../../cdc/capture/start-check.ts';
import { AlreadySent, resumptionOf } from '../../../cdc/capture/resume.ts';
import type { Tails } from '../../../cdc/capture/resume.ts';
import { parseResetTarget, parseStartMode } from '../../../cdc/capture/start-mode.ts';
import { formatPosition, parsePosition } from '../../../cdc/change/position.ts';

const [A, B] = ['aaaaaaaa-0000-0000-0000-000000000001', 'bbbbbbbb-0000-0000-0000-000000000002'];
const mysql = (executed: string, purged = ''): ServerPosition => ({ flavour: 'mysql', executed: parsePosition(executed), purged: parsePosition(purged), oldestFile: 'b.1' });
const mariadb = (known: string, purged = ''): ServerPosition => ({ flavour: 'mariadb', known: mariaGtids(known), end: parsePosition(known), purged: mariaGtids(purged), isStrict: true, oldestFile: 'b.1' });

function refusal(from: string, server: ServerPosition, sent = [from]): string {
  try {
    checkStart({ from: parsePosition(from), sent: sent.map(parsePosition), server, region: 'east' });
    return 'ok';
  } catch (error) {
    const { code, details } = error as { code: string; details: Record<string, unknown> };
    return `${code} ${String(details['missing'] ?? '')}`.trim();
  }
}

describe('the start check', () => {
  it('MySQL: what the server has and has not purged is fine, its own later transactions included', () => {
    expect(refusal(`${A}:1-90`, mysql(`${A}:1-100`, `${A}:1-80`))).toBe('ok');
    expect(refusal(`${A}:1-100`, mysql(`${A}:1-100,${B}:1-7`))).toBe('ok');
  });

  it('MySQL: names what was purged, and what the server never had', () => {
    expect(refusal(`${A}:1-70`, mysql(`${A}:1-100`, `${A}:1-80`))).toBe(`capture-position-gone ${A}:71-80`);
    expect(refusal('', mysql(`${A}:1-100`, `${A}:1-80:85`))).toBe(`capture-position-gone ${A}:1-80:85`);
    expect(refusal(`${A}:1-100,${B}:1-3`, mysql(`${A}:1-98`))).toBe(`capture-server-behind ${A}:99-100,${B}:1-3`);
    expect(refusal(`${A}:1-90`, mysql(`${A}:1-95`), [`${A}:1-90`, `${A}:96`])).toBe(`capture-server-behind ${A}:96`);
  });

  it('MariaDB: a domain may be written by several servers, one after the other', () => {
    expect(refusal('0-1-90', mariadb('0-1-100'))).toBe('ok');
    expect(refusal('0-1-98', mariadb('0-1-98,0-2-120'))).toBe('ok');
    expect(refusal('0-1-100', mariadb('0-1-98,0-2-120'))).toBe('capture-server-behind 0-1-99 to 0-1-100');
    expect(refusal('0-1-70', mariadb('0-1-100', '0-1-80'))).toBe('capture-position-gone 0-1-71 to 0-1-80');
    expect(formatPosition(oldestOf(mariadb('0-1-98,0-2-120', '0-1-98,0-2-110')))).toBe('0-2-110');
  });

  it('a position of the other flavour is no position of this server', () => {
    expect(refusal('0-1-90', mysql(`${A}:1-100`))).toBe('capture-wrong-server');
    expect(refusal(`${A}:1-90`, mariadb('0-1-100'))).toBe('capture-wrong-server');
  });
});

const changeOf = (id: string) => ({ partition: 0, change: { transaction: { id, order: 0, tableOrder: 0 } } });

it('after a failover a tail of the new server covers what the old one wrote before, where numbers only grow', () => {
  const tail = { position: '0-2-105', last: true, transaction: { id: '0-2-105', order: 0, tableOrder: 0 } };
  const tails = new Map([[0, tail], [1, { ...tail, position: '0-1-99' }]]) as unknown as Tails;
  expect(formatPosition(resumptionOf(tails)?.from ?? parsePosition(''))).toBe('0-1-99');
  expect(new AlreadySent(tails, { isStrict: true }).has(changeOf('0-1-100'))).toBe(true);
  expect(new AlreadySent(tails).has(changeOf('0-1-100')), 'else it is sent again: twice is harmless, a gap is not').toBe(false);
  expect(new AlreadySent(tails, { isStrict: true }).has(changeOf('0-2-106'))).toBe(false);
});

it('an empty partition means that capture never began', () => {
  expect(resumptionOf(new Map([[0, null], [1, null]]))).toBeNull();
});

it('start modes and reset targets are read to the letter', () => {
  expect(['resume', 'now', 'snapshot', 'gtid:0-1-5', 'earliest', 'gtid:', 'gtid:x', ''].map((text) => parseStartMode(text)?.kind)).toEqual(['resume', 'now', 'snapshot', 'gtid', undefined, undefined, undefined, undefined]);
  expect(['resume', 'earliest', `gtid:${A}:1-5`].map((text) => parseResetTarget(text)?.kind)).toEqual([undefined, 'earliest', 'gtid']);
});
