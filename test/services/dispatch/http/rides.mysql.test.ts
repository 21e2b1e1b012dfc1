/** Claims of the HTTP API: once per key, own things only, the right region or none, streams that resume. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packId } from '../../../../shared/id/id-layout.ts';
import { formatUnit, unitOfPlace } from '../../../../shared/unit/unit.ts';
import { findRide } from '../../../../services/dispatch/store/rides.ts';
import { assign, at, book, buildWorld, offerTo, onShift } from '../world.ts';
import type { World } from '../world.ts';
import { openFront } from './front.ts';
import type { Front } from './front.ts';

let world: World;
let front: Front;
let nextId = 20_000n;
const someone = (): bigint => (nextId += 1n);
const rider = () => ({ id: someone(), role: 'rider' as const });
const trip = () => ({ pickup: at(0, 2), dropoff: at(0, 20) });
const CONCURRENT = 12;
const madeIn = (region: number) => packId({ ms: Date.now(), region, node: 0, sequence: 0 });

beforeAll(async () => {
  world = await buildWorld({ instances: 1 });
  front = await openFront(world);
});
afterAll(async () => {
  await front.stop();
  await world.stop();
});

async function quoteFor(as: { id: bigint; role: 'rider' }) {
  return (await front.call('POST', '/v1/quotes', { as, key: `quote-${someone()}`, body: trip() })).body;
}

test.each(['0', '01', '-1', '9223372036854775808', '99999999999999999999'])('an id that is none (%s) is named, wherever it stands', async (id) => {
  const inBody = await front.call('POST', '/v1/rides', { as: rider(), key: 'k', body: { quoteId: id } });
  expect([inBody.status, inBody.body.errors]).toMatchObject([400, [{ field: 'quoteId' }]]);
  const inPath = await front.call('GET', `/v1/rides/${id}`, { as: rider() });
  expect([inPath.status, inPath.body.errors]).toMatchObject([400, [{ field: 'id' }]]);
});

describe('POST /v1/quotes', () => {
  test('prices the direct ride and promises a pick-up and an arrival', async () => {
    const as = rider();
    const { status, headers, body } = await front.call('POST', '/v1/quotes', { as, key: 'k', body: trip() });
    expect(status).toBe(201);
    expect(headers.get('tandem-unit')).toBe(formatUnit(unitOfPlace(trip().pickup)));
    expect(body).toMatchObject({ ...trip(), seats: 1, pooled: true, fare: { currency: 'USD' } });
    const sum = body.breakdown.reduce((cents: number, line: { amountCents: number }) => cents + line.amountCents, 0);
    expect(sum).toBe(body.fare.amountCents);
    expect(Date.parse(body.promise.latestPickupAt)).toBeGreaterThan(Date.now());
  });

  test('names every bad field', async () => {
    const { status, body } = await front.call('POST', '/v1/quotes', { as: rider(), key: 'k', body: { pickup: { lat: 91, lon: 0 }, seats: 5, pool: true } });
    expect(status).toBe(400);
    expect(body.errors.map(({ field }: { field: string }) => field).toSorted()).toEqual(['dropoff', 'pickup.lat', 'pool', 'seats']);
  });

  test('is for riders, with a key, in the home of the pick-up', async () => {
    expect((await front.call('POST', '/v1/quotes', { key: 'k', body: trip() })).status).toBe(401);
    expect((await front.call('POST', '/v1/quotes', { as: { id: someone(), role: 'driver' }, key: 'k', body: trip() })).status).toBe(403);
    expect((await front.call('POST', '/v1/quotes', { as: rider(), body: trip() })).body.code).toBe('idempotency-key-missing');
    world.away.add(unitOfPlace(trip().pickup));
    const as = rider();
    const refused = await front.call('POST', '/v1/quotes', { as, key: 'k', body: trip() });
    world.away.clear();
    expect(refused.status).toBe(421);
    expect(refused.headers.get('tandem-home')).toBe('west');
    expect(await world.db.query('SELECT id FROM idempotency_keys WHERE account_id = ?', [as.id])).toEqual([]);
  });
});

describe('POST /v1/rides', () => {
  test('however often and at once it is sent with one key, one ride is booked', async () => {
    const as = rider();
    const quote = await quoteFor(as);
    const send = () => front.call('POST', '/v1/rides', { as, key: 'book', body: { quoteId: quote.id } });
    const answers = await Promise.all(Array.from({ length: CONCURRENT }, send));
    expect(answers.map(({ status }) => status).filter((status) => status !== 201 && status !== 409)).toEqual([]);
    const rides = await world.db.query<{ id: bigint }>('SELECT id FROM rides WHERE rider_id = ?', [as.id]);
    expect(rides).toHaveLength(1);
    const replay = await send();
    expect(replay).toMatchObject({ status: 201, body: { id: rides[0]?.id.toString(), status: 'requested', otp: '0417' } });
    expect(replay.headers.get('idempotency-replayed')).toBe('true');
  });

  test('a quote is used once, before it expires, by its rider', async () => {
    const as = rider();
    const quote = await quoteFor(as);
    const body = { quoteId: quote.id };
    expect((await front.call('POST', '/v1/rides', { as: rider(), key: 'k', body })).status).toBe(404);
    world.advanceMs(121_000);
    expect((await front.call('POST', '/v1/rides', { as, key: 'late', body })).body.code).toBe('quote-expired');
    world.advanceMs(-121_000);
    const first = await front.call('POST', '/v1/rides', { as, key: 'one', body });
    const second = await front.call('POST', '/v1/rides', { as, key: 'two', body });
    expect(second).toMatchObject({ status: 409, body: { code: 'conflict', rideId: first.body.id } });
  });
});

describe('a ride', () => {
  test('is shown to its rider with the password, to an operator without, to nobody else', async () => {
    const as = rider();
    const { id } = await book(world, { riderId: as.id, ...trip() });
    const path = `/v1/rides/${id}`;
    expect((await front.call('GET', path, { as })).body).toMatchObject({ id: id.toString(), otp: '0417', rating: null });
    const operator = await front.call('GET', path, { as: { id: someone(), role: 'operator' } });
    expect(operator.status).toBe(200);
    expect(operator.body).not.toHaveProperty('otp');
    expect((await front.call('GET', path, { as: rider() })).status).toBe(404);
    expect((await front.call('POST', `${path}/cancel`, { as: rider() })).status).toBe(404);
    expect((await front.call('GET', `${path}/events`, { as: rider() })).status).toBe(404);
  });

  test('that the peer made and that is not here yet is asked for there, once', async () => {
    const as = rider();
    const there = await front.call('GET', `/v1/rides/${madeIn(2)}`, { as });
    expect([there.status, there.headers.get('tandem-home')]).toEqual([421, 'west']);
    expect((await front.call('GET', `/v1/rides/${madeIn(2)}`, { as, headers: { 'tandem-forwarded': 'west' } })).status).toBe(404);
    expect((await front.call('GET', `/v1/rides/${madeIn(1)}`, { as })).status).toBe(404);
  });

  test('is cancelled with or without a reason', async () => {
    const as = rider();
    const one = await book(world, { riderId: as.id, ...trip() });
    const other = await book(world, { riderId: as.id, ...trip() });
    expect((await front.call('POST', `/v1/rides/${one.id}/cancel`, { as })).body).toMatchObject({ status: 'cancelled', statusReason: 'rider' });
    const answer = await front.call('POST', `/v1/rides/${other.id}/cancel`, { as, body: { reason: 'plans-changed' } });
    expect(answer.body).toMatchObject({ status: 'cancelled', statusReason: 'plans-changed' });
  });
});

describe('the driver', () => {
  test('drives a ride over HTTP from shift to fare', async () => {
    const as = { id: someone(), role: 'driver' as const };
    world.positions.set(as.id, at(0, 0));
    const vehicle = { plate: `T-${as.id}`, seats: 4 };
    const shift = await front.call('PUT', '/v1/driver/shift', { as, body: { status: 'on', vehicle, position: at(0, 0) } });
    expect(shift).toMatchObject({ status: 200, body: { driverId: as.id.toString(), status: 'on', vehicle } });
    const ride = await book(world, { riderId: someone(), ...trip() });
    const offer = await offerTo(world, ride, await onShift(world, { id: as.id, place: at(0, 0) }));
    const accepted = await front.call('POST', `/v1/driver/offers/${offer.id}/accept`, { as });
    expect(accepted).toMatchObject({ status: 200, body: { offer: { status: 'accepted' }, route: { stops: [{ kind: 'pickup' }, { kind: 'dropoff' }] } } });
    const [pickup, dropoff] = accepted.body.route.stops.map(({ id }: { id: string }) => `/v1/driver/stops/${id}`);
    expect((await front.call('POST', `${pickup}/arrive`, { as })).body.ride.status).toBe('arrived');
    expect(await front.call('POST', `${pickup}/board`, { as, body: { otp: '0000' } })).toMatchObject({ status: 422, body: { code: 'otp-mismatch', triesLeft: 4 } });
    const boarded = await front.call('POST', `${pickup}/board`, { as, body: { otp: '0417' } });
    expect(boarded.body.ride).not.toHaveProperty('otp');
    const busy = await front.call('PUT', '/v1/driver/shift', { as, body: { status: 'off' } });
    expect(busy.status).toBe(409);
    const alighted = await front.call('POST', `${dropoff}/alight`, { as });
    expect(alighted.body).toMatchObject({ stop: { status: 'done' }, ride: { status: 'completed' }, route: { stops: [] } });
    expect((await front.call('PUT', '/v1/driver/shift', { as, body: { status: 'off' } })).body.status).toBe('off');
  });
});

describe('GET /v1/rides/{id}/events', () => {
  test('tells what was, then what happens, and ends with the ride; resumed, it goes on after the last event', async () => {
    const as = rider();
    const ride = await book(world, { riderId: as.id, ...trip() });
    const path = `/v1/rides/${ride.id}/events`;
    const first = await front.events(path, { as });
    expect(await first.next()).toMatchObject({ id: '1', event: 'requested', data: { status: 'requested' } });
    const driverId = someone();
    const offer = await offerTo(world, ride, await onShift(world, { id: driverId, place: at(0, 0) }));
    await front.call('POST', `/v1/driver/offers/${offer.id}/accept`, { as: { id: driverId, role: 'driver' } });
    expect(await first.next()).toMatchObject({ id: '2', event: 'assigned', data: { driverId: driverId.toString() } });
    expect(await first.nextOf('position')).toMatchObject({ id: undefined, data: at(0, 0) });
    first.close();
    const resumed = await front.events(path, { as, headers: { 'last-event-id': '1' } });
    expect(await resumed.next()).toMatchObject({ id: '2', event: 'assigned' });
    await front.call('POST', `/v1/rides/${ride.id}/cancel`, { as });
    expect(await resumed.next()).toMatchObject({ id: '3', event: 'cancelled' });
    expect(await resumed.next()).toBeUndefined();
    expect((await front.events(path, { as, headers: { 'last-event-id': '3' } })).status).toBe(204);
    const whole = await front.events(path, { as });
    const ids: (string | undefined)[] = [];
    for (let event = await whole.next(); event !== undefined; event = await whole.next()) ids.push(event.id);
    expect(ids).toEqual(['1', '2', '3']);
  });

  test('finds by polling what another instance wrote without a nudge', async () => {
    const as = rider();
    const { ride } = await assign(world, { riderId: as.id, ...trip() }, await onShift(world, { id: someone(), place: at(0, 0) }));
    const stream = await front.events(`/v1/rides/${ride.id}/events`, { as, headers: { 'last-event-id': '2' } });
    const seq = 3;
    await world.db.execute(
      `INSERT INTO ride_events (id, ride_id, seq, type, data, unit) VALUES (?, ?, ?, 'arrived', ?, ?)`,
      [world.deps[0]?.ids.next(), ride.id, seq, JSON.stringify({ rideId: ride.id.toString(), status: 'arrived', at: new Date() }), ride.unit],
    );
    expect(await stream.next()).toMatchObject({ id: '3', event: 'arrived' });
    stream.close();
    expect((await findRide(world.db, ride.id))?.status).toBe('assigned');
  });
});

test('/openapi.json shows every route with its summary, its examples and its need for a token', async () => {
  const { body } = await front.call('GET', '/openapi.json');
  const operations = Object.entries<any>(body.paths).flatMap(([path, methods]) => Object.entries<any>(methods).map(([method, operation]) => ({ path, method, ...operation })));
  expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    'get /v1/rides/{id}', 'get /v1/rides/{id}/events',
    'post /v1/driver/offers/{id}/accept', 'post /v1/driver/offers/{id}/decline',
    'post /v1/driver/stops/{id}/alight', 'post /v1/driver/stops/{id}/arrive', 'post /v1/driver/stops/{id}/board',
    'post /v1/quotes', 'post /v1/rides', 'post /v1/rides/{id}/cancel', 'post /v1/rides/{id}/rating',
    'put /v1/driver/shift',
  ]);
  for (const operation of operations) {
    expect(operation.summary, operation.path).toBeTruthy();
    expect(operation.security, operation.path).toEqual([{ bearer: [] }]);
  }
});
