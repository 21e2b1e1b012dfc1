/** `tandem sla` as text: fits the terminal, and says what it does not know. */
import { describe, expect, it } from 'vitest';
import { renderSla } from '../../../services/ops/commands/render-sla.ts';
import { SampleSla } from './sample-sla.ts';

describe('the printed SLA', () => {
  it('fits 80 columns and shows the score with its four parts', () => {
    const { regions } = new SampleSla(Date.now()).report();
    const text = renderSla(Object.entries(regions).map(([region, report]) => ({ region, report, error: null })));
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toMatch(/health score\s+100 \/ 100\s+100 \/ 100/);
    expect(text).toMatch(/lag p99 ≤ 2 s\s+35 \/ 35\s+35 \/ 35/);
    expect(text).toContain('no alert stands');
  });

  it('a region that cannot be asked is dashes and a reason, never zeros', () => {
    const text = renderSla([{ region: 'east', report: null, error: 'connection refused' }]);
    expect(text).toMatch(/health score\s+–/);
    expect(text).toContain('east cannot be asked: connection refused');
  });

  it('what is too long for a line goes on in the next, to its last word', () => {
    const error = `${'word '.repeat(40)}end`;
    const text = renderSla([{ region: 'east', report: null, error }]);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`east cannot be asked: ${error}`);
  });
});
