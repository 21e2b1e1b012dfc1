/** Where reading begins: at the checkpoint, or with an error; never behind a gap in silence. */
import { expect, it } from 'vitest';
import { firstOffset } from '../../../cdc/transport/change-consumer.ts';

const bounds = { partition: 2, low: 10n, high: 20n };

it('begins at the first message kept when there is no checkpoint', () => {
  expect(firstOffset(null, bounds)).toEqual({ kind: 'place', offset: 10n, reason: 'first start' });
});

it.each([10n, 15n, 20n])('resumes at checkpoint %s', (checkpoint) => {
  expect(firstOffset(checkpoint, bounds)).toEqual({ kind: 'resume', offset: checkpoint });
});

it('a topic that began anew is read from its start: applying twice is harmless', () => {
  expect(firstOffset(21n, bounds)).toMatchObject({ kind: 'place', offset: 10n });
});

it('changes that expired unread are an error that names them', () => {
  expect(() => firstOffset(9n, bounds)).toThrow(expect.objectContaining({ code: 'apply-gap', details: { partition: 2, checkpoint: '9', low: '10' } }));
});
