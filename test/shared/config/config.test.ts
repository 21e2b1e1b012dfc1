/** Every bad key is named at once, and no secret is shown in doing so. */
import { inspect } from 'node:util';
import { expect, expectTypeOf, test } from 'vitest';
import {
  hostPorts, integer, namedHostPorts, namedUrls, oneOf, optional, port, readConfig, regions, text, url,
} from '../../../shared/config/config.ts';
import type { Reader } from '../../../shared/config/config.ts';
import { authConfig, baseConfig, mysqlConfig, mysqlOf, redisConfig } from '../../../shared/config/process-config.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

const ENV = {
  TANDEM_REGION: 'west',
  TANDEM_REGIONS: 'east=1,west=2',
  TANDEM_INSTANCE: 'dispatch-west-1',
  TANDEM_HTTP_PORT: '8080',
  TANDEM_ETCD: '127.0.0.1:1,127.0.0.1:2, etcd.example:3',
};

function complaintOf(spec: Record<string, Reader<unknown>>, env: Record<string, string | undefined>): string {
  try {
    readConfig(spec, env);
  } catch (e) {
    if (isTandemError(e, 'config-invalid')) return e.message;
    throw e;
  }
  throw new Error('the configuration was accepted');
}

test('a good environment becomes typed values', () => {
  const config = readConfig(baseConfig, ENV);
  expect(config).toMatchObject({ region: 'west', instance: 'dispatch-west-1', host: '127.0.0.1', httpPort: 8080, logLevel: 'info' });
  expect(config.etcd).toEqual(['127.0.0.1:1', '127.0.0.1:2', 'etcd.example:3']);
  expect(config.regions.peerOf(config.region)).toBe('east');
  expect(config.otlpEndpoint).toBeUndefined();
  expectTypeOf(config.httpPort).toEqualTypeOf<number>();
  expectTypeOf(config.logLevel).toEqualTypeOf<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'>();
  expectTypeOf(config.otlpEndpoint).toEqualTypeOf<string | undefined>();
});

test('all bad keys are listed, one line each, with what was expected', () => {
  const env = { ...ENV, TANDEM_INSTANCE: '', TANDEM_HTTP_PORT: '80800', TANDEM_ETCD: '127.0.0.1', TANDEM_LOG_LEVEL: 'loud' };
  expect(complaintOf({ ...baseConfig, ...mysqlConfig }, env).split('\n')).toEqual([
    'TANDEM_INSTANCE: missing, expected a text like /^[a-z][a-z0-9-]{0,62}$/',
    'TANDEM_HTTP_PORT: expected a port from 0 to 65535, got "80800"',
    'TANDEM_ETCD: expected <host>:<port>, separated by commas, got "127.0.0.1"',
    'TANDEM_LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
    'TANDEM_MYSQL_PORT: missing, expected a port from 0 to 65535',
    'TANDEM_MYSQL_USER: missing, expected a text',
    'TANDEM_MYSQL_PASSWORD: missing, expected a text',
  ]);
});

test('a process must stand in one of the regions; a bad list of regions is complained of once', () => {
  expect(complaintOf(baseConfig, { ...ENV, TANDEM_REGION: 'north' })).toBe(
    'TANDEM_REGION: expected one of east, west (TANDEM_REGIONS), got "north"',
  );
  expect(complaintOf(baseConfig, { ...ENV, TANDEM_REGIONS: 'east' })).toMatch(/^TANDEM_REGIONS: expected [^\n]*got "east"$/);
});

test('a secret shows itself nowhere but where it is revealed', () => {
  const env = {
    TANDEM_MYSQL_PORT: '3306', TANDEM_MYSQL_USER: 'u', TANDEM_MYSQL_PASSWORD: 'hunter2', TANDEM_REDIS_URL: 'redis://:hunter2@127.0.0.1:6379',
  };
  const config = readConfig({ ...mysqlConfig, ...redisConfig }, env);
  for (const printed of [inspect(config), JSON.stringify(config), `${config.mysqlPassword} ${config.redisUrl}`]) {
    expect(printed).toContain('[secret]');
    expect(printed).not.toContain('hunter2');
  }
  expect(mysqlOf(config)).toEqual({ host: '127.0.0.1', port: 3306, user: 'u', password: 'hunter2', database: 'tandem' });
  expect(config.redisUrl.reveal()).toBe('redis://:hunter2@127.0.0.1:6379');
  expect(complaintOf(redisConfig, { TANDEM_REDIS_URL: 'http://:hunter2@x' })).not.toContain('hunter2');
});

const readers: [string, Reader<unknown>, string[], string[]][] = [
  ['integer', integer('K', { min: -5, max: 10 }), ['-5', '0', '10'], ['-6', '11', '1.5', '01', '0x1', '1e1', ' 1', '-0']],
  ['port', port('K'), ['0', '65535'], ['65536', '-1', 'http']],
  ['url', url('K'), ['http://h', 'https://h:1/p'], ['redis://h', 'h:1', '/p']],
  ['hostPorts', hostPorts('K'), ['h:1', '[::1]:2', 'a-b.c_d:3,10.0.0.1:65535'], ['h', 'h:0', 'h:65536', 'h:1,', ':1', 'h:1:2']],
  ['namedHostPorts', namedHostPorts('K'), ['a=h:1', 'a=h:1,h:2;b=h:3'], ['a', 'a=', 'a=h', 'a=h:1;a=h:2', 'a=h:1;']],
  ['namedUrls', namedUrls('K'), ['a=http://h:1;b-1=https://h/p?q=1'], ['a=h:1', 'a=http://h;a=http://i']],
  ['oneOf', oneOf('K', ['a', 'b']), ['a', 'b'], ['c', 'A', 'toString']],
  ['regions', regions('K'), ['east=1,west=2'], ['east=1']],
  ['text', text('K', { pattern: /^x+$/ }), ['x'], ['y', 'xy']],
];

test.each(readers)('%s takes what it should and nothing else', (_, reader, good, bad) => {
  for (const value of good) expect(() => reader.read({ K: value }), value).not.toThrow();
  for (const value of bad) expect(complaintOf({ reader }, { K: value })).toMatch(/^K: expected /);
  expect(complaintOf({ reader }, {})).toMatch(/^K: missing/);
  expect(optional(reader).read({ K: '' })).toBeUndefined();
  expect(complaintOf({ reader: optional(reader) }, { K: bad[0] })).toMatch(/^K: expected /);
});

test('lists come out in shape', () => {
  const env = { UP: 'dispatch=127.0.0.1:1,127.0.0.1:2;payment=h:3', URLS: 'router-east=http://h:1/' };
  const config = readConfig({ up: namedHostPorts('UP'), urls: namedUrls('URLS') }, env);
  expect([...config.up]).toEqual([['dispatch', ['127.0.0.1:1', '127.0.0.1:2']], ['payment', ['h:3']]]);
  expect([...config.urls]).toEqual([['router-east', 'http://h:1']]);
});

const encode = (jwk: object): string => Buffer.from(JSON.stringify(jwk)).toString('base64url');

test('the public key is read from base64url; one with its private half is refused', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'abc' };
  expect(readConfig(authConfig, { TANDEM_JWT_PUBLIC_KEY: encode(jwk) }).jwtPublicKey).toEqual(jwk);
  const privateKey = encode({ ...jwk, d: 'hunter2' });
  for (const bad of [privateKey, encode({ kty: 'RSA' }), 'x', encode([])]) {
    expect(complaintOf(authConfig, { TANDEM_JWT_PUBLIC_KEY: bad })).toContain('expected the base64url of an Ed25519 public JWK');
  }
  expect(complaintOf(authConfig, { TANDEM_JWT_PUBLIC_KEY: privateKey })).not.toContain(privateKey);
});

test('a fault in a reader is not taken for a bad configuration', () => {
  const broken: Reader<never> = {
    key: 'K',
    read() {
      throw new TypeError('a fault');
    },
  };
  expect(() => readConfig({ broken }, {})).toThrow(TypeError);
});
