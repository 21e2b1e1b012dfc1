/**
 * What the rider and driver APIs take and give, as TypeBox schemas: they validate, type the handlers and make the OpenAPI page.
 *
 * Invariant: 64-bit ids are decimal text, times RFC 3339 UTC, money {amountCents, currency}. Nothing a schema does not name
 * is accepted, and nothing it does not name is sent.
 */
import { Type } from 'typebox';
import { RIDE_STATUSES } from '../domain/ride-state.ts';

const closed = { additionalProperties: false } as const;
const Nullable = <const Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) => Type.Union([schema, Type.Null()]);

const Id = Type.String({ pattern: '^[1-9][0-9]{0,18}$', description: 'A 64-bit id, as decimal text.', examples: ['241312345678901248'] });
const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC.', examples: ['2026-03-01T20:15:04.120Z'] });
const NullableTime = Nullable(Time);

export const IdParams = Type.Object({ id: Id });

const placeWith = (options: { description?: string } = {}) => Type.Object(
  {
    lat: Type.Number({ minimum: -90, maximum: 90, description: 'Degrees, WGS 84.', examples: [40.7484] }),
    lon: Type.Number({ minimum: -180, maximum: 180, description: 'Degrees, WGS 84.', examples: [-73.9857] }),
  },
  { ...closed, ...options },
);

const Place = placeWith();

const Money = Type.Object({
  amountCents: Type.Integer({ description: 'In hundredths of the currency.', examples: [1443] }),
  currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.', examples: ['USD'] }),
});

const Breakdown = Type.Array(
  Type.Object({
    kind: Type.String({ examples: ['distance'] }),
    label: Type.String({ examples: ['Distance, 5.0 km'] }),
    amountCents: Type.Integer({ examples: [620] }),
  }),
  { description: 'Sums to the fare.' },
);

const RidePromise = Type.Object(
  { latestPickupAt: Time, latestArrivalAt: Time },
  { description: 'The latest pick-up and arrival; no later rider who shares the car may break them.' },
);

export const KeyedHeaders = Type.Object({
  // Not required by the schema: its absence has a code of its own.
  'idempotency-key': Type.Optional(
    Type.String({
      description: 'Required: 1 to 255 printable ASCII characters, one for each intent. The same key and body replay the first answer.',
      examples: ['0b0e7a54-6a1c-4d52-9d7e-6f0b8f1d6a11'],
    }),
  ),
});

export const QuoteBody = Type.Object(
  {
    pickup: Place,
    dropoff: Place,
    seats: Type.Optional(Type.Integer({ minimum: 1, maximum: 4, default: 1, description: 'How many ride along.', examples: [1] })),
    pooled: Type.Optional(Type.Boolean({ default: true, description: 'Share the car with other riders, for less.' })),
  },
  closed,
);

export const QuoteView = Type.Object({
  id: Id,
  pickup: Place,
  dropoff: Place,
  seats: Type.Integer(),
  pooled: Type.Boolean(),
  fare: Money,
  breakdown: Breakdown,
  distanceM: Type.Integer({ description: 'Of the direct ride, metres.', examples: [4980] }),
  durationS: Type.Integer({ description: 'Of the direct ride, seconds.', examples: [747] }),
  promise: RidePromise,
  expiresAt: Time,
});

export const BookBody = Type.Object({ quoteId: Id }, closed);

export const RideView = Type.Object({
  id: Id,
  status: Type.Enum(RIDE_STATUSES, { examples: ['assigned'] }),
  statusReason: Nullable(Type.String({ description: 'Why it was cancelled or rejected.', examples: ['no-driver-in-time'] })),
  quoteId: Id,
  riderId: Id,
  driverId: Nullable(Id),
  routeId: Nullable(Id),
  pickup: Place,
  dropoff: Place,
  seats: Type.Integer(),
  pooled: Type.Boolean(),
  fare: Money,
  breakdown: Breakdown,
  otp: Type.Optional(Type.String({ pattern: '^[0-9]{4}$', description: 'To tell the driver at boarding; shown to the rider only.', examples: ['0417'] })),
  promise: RidePromise,
  requestedAt: Time,
  assignedAt: NullableTime,
  arrivedAt: NullableTime,
  boardedAt: NullableTime,
  completedAt: NullableTime,
  cancelledAt: NullableTime,
  rating: Nullable(Type.Integer({ minimum: 1, maximum: 5 })),
});

export const CancelBody = Type.Union([
  Type.Object(
    { reason: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: '^[ -~]+$', description: 'Without one, who called it off.', examples: ['plans-changed'] })) },
    closed,
  ),
  Type.Null(),
]);

export const RatingBody = Type.Object(
  {
    stars: Type.Integer({ minimum: 1, maximum: 5, examples: [5] }),
    comment: Type.Optional(Type.String({ minLength: 1, maxLength: 500, examples: ['A smooth ride.'] })),
  },
  closed,
);

export const EventHeaders = Type.Object({
  'last-event-id': Type.Optional(Type.String({ pattern: '^[0-9]{1,10}$', description: 'Resumes after this event.', examples: ['2'] })),
});

const Vehicle = Type.Object({
  id: Id,
  plate: Type.String({ examples: ['T-4711'] }),
  seats: Type.Integer({ examples: [4] }),
});

export const ShiftBody = Type.Object(
  {
    status: Type.Enum(['on', 'off']),
    vehicle: Type.Optional(
      Type.Object(
        {
          plate: Type.String({ minLength: 1, maxLength: 16, pattern: '^[ -~]+$', examples: ['T-4711'] }),
          seats: Type.Integer({ minimum: 1, maximum: 8, description: 'For riders.', examples: [4] }),
        },
        { ...closed, description: 'Needed the first time; later the last one is taken where it is left out.' },
      ),
    ),
    position: Type.Optional(placeWith({ description: 'Where the driver is; what counts is the first ping on the stream.' })),
  },
  closed,
);

export const ShiftView = Type.Object({
  driverId: Id,
  status: Type.Enum(['on', 'off']),
  routeId: Nullable(Id),
  vehicle: Nullable(Vehicle),
});

export const OfferView = Type.Object({
  id: Id,
  rideId: Id,
  status: Type.Enum(['open', 'accepted', 'declined', 'expired', 'withdrawn']),
  pickup: Place,
  dropoff: Place,
  seats: Type.Integer(),
  fare: Money,
  expiresAt: Time,
});

const StopView = Type.Object({
  id: Id,
  rideId: Id,
  kind: Type.Enum(['pickup', 'dropoff']),
  lat: Type.Number(),
  lon: Type.Number(),
  seats: Type.Integer(),
  status: Type.Enum(['planned', 'arrived', 'done', 'cancelled']),
  etaAt: Time,
  latestAt: Time,
});

const RouteView = Type.Object({
  id: Id,
  version: Type.Integer({ description: 'Grows with every change of the plan.' }),
  stops: Type.Array(StopView, { description: 'What remains, in order.' }),
});

export const AcceptView = Type.Object({ offer: OfferView, route: RouteView });
export const DeclineView = Type.Object({ offer: OfferView });
export const BoardBody = Type.Object(
  { otp: Type.String({ pattern: '^[0-9]{4}$', description: 'The four digits the rider tells.', examples: ['0417'] }) },
  closed,
);
export const AtStopView = Type.Object({ stop: StopView, ride: RideView, route: RouteView });
