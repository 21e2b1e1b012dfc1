/** Where trips come from: CSV files, read strictly and with errors that point at the cell, and the synthetic day. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseTrips } from '../../deploy/local/trips/parse-trips.ts';
import { syntheticDay } from '../../deploy/local/trips/synthetic-day.ts';
import { loadTrips } from '../../deploy/local/trips/load-trips.ts';

const HEADER = 'request_id,t_sec,o_lat,o_lon,d_lat,d_lon,o_node,d_node';
const GOOD = '7,12.5,40.72,-73.99,40.75,-73.98,1,2';

describe('a trips file', () => {
  test('is read by column name, in the order of its times', () => {
    const trips = parseTrips(`d_lon,d_lat,o_lon,o_lat,t_sec,request_id\n-73.9,40.8,-74.0,40.7,30,b\n-73.9,40.8,-74.0,40.7,10,a\n`, 'x.csv');
    expect(trips.map(({ requestId }) => requestId)).toEqual(['a', 'b']);
    expect(trips[0]).toEqual({ requestId: 'a', tS: 10, pickup: { lat: 40.7, lon: -74 }, dropoff: { lat: 40.8, lon: -73.9 } });
  });

  test.each([
    ['a time that is no number', '8,soon,40.72,-73.99,40.75,-73.98,1,2', /x\.csv, line 3, column t_sec: "soon"/],
    ['a latitude off the globe', '8,1,140.72,-73.99,40.75,-73.98,1,2', /line 3, column o_lat: "140\.72"/],
    ['an empty longitude', '8,1,40.72,-73.99,40.75,,1,2', /line 3, column d_lon: ""/],
    ['too few fields', '8,1,40.72', /line 3, column o_lon: the row has 3 fields, the header 8/],
    ['too many fields', `${GOOD},9`, /line 3, column column 9: the row has 9 fields/],
    ['an id that stands twice', GOOD, /line 3, column request_id: "7" is also on line 2/],
    ['a quote that never ends', '8,1,"40.72,-73.99', /line \d+, column/],
  ])('with %s is refused whole, naming line and column', (_, row, message) => {
    expect(() => parseTrips(`${HEADER}\n${GOOD}\n${row}\n`, 'x.csv')).toThrow(message);
  });

  test('shows the first ten bad values and counts the rest', () => {
    const rows = Array.from({ length: 25 }, (_, i) => `${i},x,40.7,-74,40.7,-74,1,2`);
    expect(() => parseTrips([HEADER, ...rows].join('\n'), 'x.csv')).toThrow(/line 11, column t_sec[^]*and 15 more/);
  });

  test('that is empty says so; so does one with a header only', () => {
    expect(() => parseTrips('', 'x.csv')).toThrow(/x\.csv is empty: not even a header/);
    expect(() => parseTrips(`${HEADER}\n`, 'x.csv')).toThrow(/x\.csv is empty: a header line, and no trips/);
  });

  test('without a needed column is refused, naming the column', () => {
    expect(() => parseTrips('request_id,t_sec,o_lat,o_lon,d_lat\n', 'x.csv')).toThrow(/header lacks d_lon/);
  });

  test('that is not there is refused by name', async () => {
    await expect(loadTrips({ file: '/nowhere/trips.csv', cache: '/nowhere', say: () => {} })).rejects.toThrow(/nowhere\/trips\.csv: there is no such trips file/);
  });
});

test('the synthetic day is the same each time, in order, and on the island', () => {
  const day = syntheticDay(2_000);
  expect(day).toEqual(syntheticDay(2_000));
  expect(day.every(({ tS }, i) => tS >= (day[i - 1]?.tS ?? 0) && tS < 86_400)).toBe(true);
  expect(day.every(({ pickup, dropoff }) => [pickup, dropoff].every(({ lat, lon }) => lat > 40.7 && lat < 40.82 && lon > -74.04 && lon < -73.95))).toBe(true);
});

test.skipIf(!existsSync('../shared/data/manhattan/trips.csv'))('the Manhattan day is read whole, with a fleet to drive it', async () => {
  const { trips, starts } = await loadTrips({ cache: '/nowhere', say: () => {} });
  expect(trips.length).toBe(17_966);
  expect(starts.length).toBe(1_200);
});
