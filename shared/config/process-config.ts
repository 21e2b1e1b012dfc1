/**
 * The variables that Tandem's processes have in common, in groups to spread into a spec:
 * `readConfig({ ...baseConfig, ...mysqlConfig, speed: integer(…) }, process.env)`.
 *
 * Invariant: one variable has one name and one meaning in all processes. What only one service reads is in its config.ts.
 */
import type { ConfigOf, Reader } from './config.ts';
import { hostPorts, integer, oneOf, optional, ownRegion, port, reader, regions, secret, text, unrepeated, url } from './config.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Every process has these. */
export const baseConfig = {
  region: ownRegion('TANDEM_REGION', 'TANDEM_REGIONS'),
  regions: regions('TANDEM_REGIONS'),
  instance: text('TANDEM_INSTANCE', { pattern: /^[a-z][a-z0-9-]{0,62}$/ }),
  host: text('TANDEM_HOST', { default: '127.0.0.1' }),
  httpPort: port('TANDEM_HTTP_PORT'),
  etcd: hostPorts('TANDEM_ETCD'),
  logLevel: oneOf('TANDEM_LOG_LEVEL', LOG_LEVELS, { default: 'info' }),
  otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
} as const;
export type BaseConfig = ConfigOf<typeof baseConfig>;

/** Processes that serve gRPC. */
export const grpcConfig = { grpcPort: port('TANDEM_GRPC_PORT') } as const;

/** The database of this region; mysqlOf() turns it into what openDatabase takes. */
export const mysqlConfig = {
  mysqlHost: text('TANDEM_MYSQL_HOST', { default: '127.0.0.1' }),
  mysqlPort: port('TANDEM_MYSQL_PORT'),
  mysqlUser: text('TANDEM_MYSQL_USER'),
  mysqlPassword: secret('TANDEM_MYSQL_PASSWORD'),
  mysqlDatabase: text('TANDEM_MYSQL_DATABASE', { default: 'tandem' }),
} as const;

/** Redis of this region; the URL carries the password, hence a Secret. */
export const redisConfig = {
  redisUrl: secret(url('TANDEM_REDIS_URL', { protocols: ['redis:', 'rediss:'] })),
} as const;

/** Kafka of this region. */
export const kafkaConfig = { kafka: hostPorts('TANDEM_KAFKA') } as const;

/** Kafka of the peer, which apply reads. */
export const peerKafkaConfig = { peerKafka: hostPorts('TANDEM_PEER_KAFKA') } as const;

/** Processes that check tokens. */
export const authConfig = { jwtPublicKey: unrepeated(ed25519PublicJwk('TANDEM_JWT_PUBLIC_KEY')) } as const;

/** Processes that work without tokens, and check those of operators where they are told the key; without it they refuse all. */
export const controlConfig = { jwtPublicKey: optional(authConfig.jwtPublicKey) } as const;

/** Partitions of the change topic; at most one for each unit. */
export const changeConfig = {
  changePartitions: integer('TANDEM_CHANGE_PARTITIONS', { min: 1, max: 64, default: 4 }),
} as const;

/** For all who go by the conflict rules: migrate, capture and apply. The shipped file where none is named. */
export const conflictRulesConfig = { conflictRules: optional(text('TANDEM_CONFLICT_RULES')) } as const;

/** The database part of a configuration, in the shape of openDatabase. Reveals the password. */
export function mysqlOf(config: ConfigOf<typeof mysqlConfig>): {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
} {
  return {
    host: config.mysqlHost,
    port: config.mysqlPort,
    user: config.mysqlUser,
    password: config.mysqlPassword.reveal(),
    database: config.mysqlDatabase,
  };
}

/** The public half of the key that signs tokens, RFC 8037. */
export type Ed25519PublicJwk = { kty: 'OKP'; crv: 'Ed25519'; x: string; kid?: string };

/** base64url of the JWK's JSON. A key with its private half is refused: it has no business in a service. */
function ed25519PublicJwk(key: string): Reader<Ed25519PublicJwk> {
  return reader(key, 'the base64url of an Ed25519 public JWK', (raw) => {
    const jwk = parseJson(Buffer.from(raw, 'base64url').toString('utf8'));
    const { kty, crv, x, kid, d } = jwk ?? {};
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || d !== undefined) return undefined;
    return typeof kid === 'string' ? { kty, crv, x, kid } : { kty, crv, x };
  });
}

function parseJson(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
