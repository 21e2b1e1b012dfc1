/** A broker that is away is no refusal: whoever is told so waits, instead of reading about topic settings. */
import { expect, test } from 'vitest';
import { translateKafkaError } from '../../../shared/kafka/kafka-errors.ts';

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

test.each([
  ['a lost connection, as kafkajs names it', named('KafkaJSConnectionError', 'Connection error'), 'kafka-unavailable'],
  ['a connection lost just before the request, which it does not name', new Error('Broker not connected'), 'kafka-unavailable'],
  ['what made it give up in the end', Object.assign(named('KafkaJSNumberOfRetriesExceeded', 'no'), { cause: named('KafkaJSRequestTimeoutError', 'Request timed out') }), 'kafka-unavailable'],
  ['what the broker calls retriable', Object.assign(named('KafkaJSProtocolError', 'not leader'), { retriable: true }), 'kafka-unavailable'],
  ['a refusal', Object.assign(named('KafkaJSProtocolError', 'too large'), { retriable: false, type: 'MESSAGE_TOO_LARGE' }), 'kafka-failed'],
])('%s', (_, error, code) => {
  expect(translateKafkaError(error, 'send')).toMatchObject({ code, message: expect.stringMatching(/^kafka send: /) as string });
});
