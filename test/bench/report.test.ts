/** The end of every bench: what it prints, and the contract's object. */
import { expect, it } from 'vitest';
import { formatCell, isMet, renderTable, reportObject } from './report.ts';

it('a target is met at its very value, in either direction, and never by a figure that is missing', () => {
  const base = { name: 'n', target: 100 };
  expect([100, 101, 99, null].map((value) => isMet({ ...base, value, better: 'higher' }))).toEqual([true, true, false, false]);
  expect([100, 101, 99, null].map((value) => isMet({ ...base, value, better: 'lower' }))).toEqual([true, false, true, false]);
});

it('the object has bench, figures and targets with what was met', () => {
  const report = { bench: 'x', figures: { rows: 5 }, targets: [{ name: 'lag', value: 12.5, target: 100, better: 'lower' as const }] };
  expect(reportObject(report)).toEqual({ bench: 'x', figures: { rows: 5 }, targets: [{ name: 'lag', value: 12.5, target: 100, better: 'lower', met: true }] });
});

it('a table fits into 80 columns and keeps its figures whole', () => {
  const lines = renderTable({ title: 't', columns: ['what', 'rows/s', 'ratio'], rows: [['w'.repeat(120), 1_234_567, 0.123_456], ['short', null, 'none']] });
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines[2]).toMatch(/w…\s+1,234,567\s+0\.123$/);
  expect(lines[3]).toMatch(/^short\s+-\s+none$/);
});

it('numbers read well at every size', () => {
  expect([0, 7, 1_000_000, 0.5, 12.34, 123.4, 0.0123].map(formatCell)).toEqual(['0', '7', '1,000,000', '0.5', '12.3', '123', '0.0123']);
});
