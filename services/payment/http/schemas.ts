/**
 * What the payment API takes and gives, as TypeBox schemas: they validate, type the handlers and make the OpenAPI page.
 * 64-bit ids are decimal text, money is integer cents with a currency, times are RFC 3339 UTC.
 */
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { TIP_CENTS_MAX } from '../domain/payment.ts';

export const RideParams = Type.Object({
  id: Type.String({ pattern: '^[1-9][0-9]{0,18}$', description: 'The ride’s id.', examples: ['241312345678901248'] }),
});

export const KeyedHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description: 'Required: 1 to 255 printable ASCII characters, one for each intent. The same key and body replay the first answer.',
      examples: ['7a0d6f0e-3c55-4a8e-9b0d-51d2b6c1f2aa'],
    }),
  ),
});

export const Money = Type.Object({
  amountCents: Type.Integer({ description: 'In hundredths of the currency.', examples: [1443] }),
  currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.', examples: ['USD'] }),
});

export const PayBody = Type.Union([
  Type.Object(
    { method: Type.Optional(Type.Literal('account', { description: 'On the rider’s account with Tandem, settled later. The only method yet, and the default.' })) },
    { additionalProperties: false },
  ),
  Type.Null(),
]);

export const TipBody = Type.Object(
  { amountCents: Type.Integer({ minimum: 1, maximum: TIP_CENTS_MAX, description: 'In the currency of the fare. All of it is the driver’s.', examples: [200] }) },
  { additionalProperties: false },
);

export const PaymentView = Type.Object({
  id: Type.String(),
  rideId: Type.String(),
  kind: Type.Union([Type.Literal('fare'), Type.Literal('tip')]),
  amount: Money,
  method: Type.Literal('account'),
  status: Type.Union([Type.Literal('created'), Type.Literal('committed'), Type.Literal('failed')]),
  createdAt: Type.String({ format: 'date-time' }),
});
export type PaymentView = Static<typeof PaymentView>;

export const ReceiptView = Type.Object({
  rideId: Type.String(),
  status: Type.String({ description: 'The ride’s status; payments follow once it is `completed`.', examples: ['completed'] }),
  fare: Money,
  breakdown: Type.Array(
    Type.Object({ kind: Type.String({ examples: ['distance'] }), label: Type.String({ examples: ['Distance, 5.0 km'] }), amountCents: Type.Integer() }),
    { description: 'Sums to the fare.' },
  ),
  payments: Type.Array(PaymentView, { description: 'The fare first, then a tip.' }),
  chargedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description: 'When the fare was charged; null until then.' }),
});
export type ReceiptView = Static<typeof ReceiptView>;
