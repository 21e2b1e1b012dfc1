/**
 * Every error code of Tandem: what it means, what an operator does about it, and how it looks over HTTP and gRPC.
 *
 * Invariant: a code, once published, keeps its meaning; clients switch on it. The table is sorted.
 * It deliberately holds no behaviour: TandemError reads it, shared/http and shared/rpc translate with it.
 */

export type GrpcStatus =
  | 'ABORTED'
  | 'ALREADY_EXISTS'
  | 'CANCELLED'
  | 'DEADLINE_EXCEEDED'
  | 'FAILED_PRECONDITION'
  | 'INTERNAL'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAUTHENTICATED'
  | 'UNAVAILABLE';

export interface CodeEntry {
  readonly http: number;
  readonly grpc: GrpcStatus;
  /** The very same request may succeed when sent again: later, or to where the details point. */
  readonly retryable: boolean;
  readonly meaning: string;
  /** What an operator (or, for a 4xx, the caller's developer) does about it. */
  readonly action: string;
}

export const CODES = {
  'apply-gap': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Changes of the peer are gone from Kafka before they were applied here, or the topic is not the one that was read before.',
    action: 'Compare both regions (tandem diff) and rebuild this one from the peer; raise the topic\'s retention.',
  },
  'apply-reset-refused': {
    http: 400, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'A checkpoint was to be moved to where the topic holds nothing, or to an offset without a partition.',
    action: 'Name a partition and an offset between the bounds in the message, or start or end.',
  },
  'apply-schema-behind': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'A change does not fit the tables of this region\'s database: one is missing or lacks a column, wants a value that is not sent, or is of another type. Its partition waits.',
    action: 'Run tandem migrate, which brings both regions to the same schema; the partition goes on by itself.',
  },
  'body-too-large': {
    http: 413, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The body of the request is larger than any that the API takes.',
    action: 'Send less; the limit is in the message.',
  },
  'cancelled': {
    http: 499, grpc: 'CANCELLED', retryable: false,
    meaning: 'The caller went away before the answer was ready.',
    action: 'Nothing; many of them together mean that answers are slower than callers will wait.',
  },
  'capture-needs-snapshot': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The topic is empty, and the binlog does not reach back to the beginning of the data: reading it alone would leave rows out in silence.',
    action: 'Send the rows themselves (tandem cdc reset <region> --part capture --to snapshot), or, where the peer has them already, go on from now (the same with --to now); then tandem diff.',
  },
  'capture-position-gone': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The binlog that capture has to resume from was purged: the changes that the message names will never reach the peer from it.',
    action: 'Run tandem cdc reset <region> --part capture --to snapshot, then tandem diff (rows deleted in the gap are shown there); keep binlogs longer.',
  },
  'capture-privilege-missing': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The login that capture reads the binlog with lacks a right it needs.',
    action: 'Run the GRANT in the message as an administrator; a running capture goes on by itself, one that refused to start is started again.',
  },
  'capture-reset-refused': {
    http: 400, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'Capture was to go on from a position that this server cannot stream from, or a snapshot was asked for in a way that makes no sense.',
    action: 'Name what the message asks for: now, earliest, snapshot, or gtid: with a position of this server that its binlogs still hold.',
  },
  'capture-schema-missing': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Tables or version triggers that replication rests on are missing: changes would travel without a version, or come back as an echo.',
    action: 'Run this region\'s schema task, which makes what the message lists; a running capture goes on by itself.',
  },
  'capture-server-behind': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The server lacks transactions that were captured before and stand in the topic, or it has others in their place: a replica was promoted that had not received them, or the server was restored.',
    action: 'The peer has what this server has lost: run tandem diff and tandem repair, then tandem cdc reset <region> --part capture --to now.',
  },
  'capture-unreadable': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The binlog holds something that capture cannot turn into changes without losing some.',
    action: 'Read the message: it names the event; mend the setting or session that wrote it, then tandem cdc reset <region> --part capture --to snapshot, then tandem diff and repair.',
  },
  'capture-unsafe-settings': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The database runs with settings under which changes would be lost or wrong.',
    action: 'Set what the message lists, by name and value; a running capture goes on by itself, one that refused to start is started again.',
  },
  'capture-wrong-server': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The position in the topic is of the other flavour of database (MySQL, MariaDB) than the server: it says nothing about this binlog.',
    action: 'Point TANDEM_MYSQL_HOST and _PORT at the region\'s server; after a planned change of flavour run tandem cdc reset <region> --part capture --to snapshot.',
  },
  'change-malformed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A change is not what this version of Tandem writes or reads.',
    action: 'Find its writer: topic, partition and offset are in the log; nothing behind it in its partition is applied.',
  },
  'checkpoint-moved': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'Another apply has written this partition\'s checkpoint in the meantime.',
    action: 'Nothing: the partition goes on from the checkpoint. If it repeats, two applies of one region run without a common group.',
  },
  'config-invalid': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The configuration of a process is incomplete or wrong.',
    action: 'Correct the listed keys and start the process again.',
  },
  'conflict': {
    http: 409, grpc: 'ABORTED', retryable: false,
    meaning: 'The thing is not in a state that allows this.',
    action: 'Read it again and decide anew.',
  },
  'conflict-rules-invalid': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The file of conflict rules cannot be read or does not fit the database: it names what is not there, or asks what a rule cannot do.',
    action: 'Correct each listed line (docs/conflict-rules.md says what is possible), or run `tandem migrate` where a column is still missing, and start again.',
  },
  'cross-region-write': {
    http: 409, grpc: 'FAILED_PRECONDITION', retryable: false,
    meaning: 'A money write reached a region that is not the home of the payer; nothing was written.',
    action: 'Send it to the region named in the details.',
  },
  'db-commit-unknown': {
    http: 503, grpc: 'UNAVAILABLE', retryable: false,
    meaning: 'The connection was lost while a transaction was being committed: it may or may not have happened.',
    action: 'Read what it would have written; a client sends the request again under the same Idempotency-Key.',
  },
  'db-duplicate': {
    http: 409, grpc: 'ALREADY_EXISTS', retryable: false,
    meaning: 'A row with the same unique key exists.',
    action: 'Read the existing row; the key is in the details.',
  },
  'db-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The database refused a statement.',
    action: 'Read the cause: it carries the number and text of the server; it is a fault of the code or of the schema.',
  },
  'db-read-only': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'The database takes no writes: it is a replica, or fenced.',
    action: 'Check the state of the region (tandem status); after a switch the connections find the writer by themselves.',
  },
  'db-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'The database cannot be reached, or gave up a transaction again and again.',
    action: 'Check that the database runs and that its locks and connections are not used up.',
  },
  'deadline-exceeded': {
    http: 504, grpc: 'DEADLINE_EXCEEDED', retryable: true,
    meaning: 'An answer did not come within its deadline; what was asked may or may not have happened.',
    action: 'Look for what is slow: the details name the call and its deadline.',
  },
  'diff-refused': {
    http: 409, grpc: 'FAILED_PRECONDITION', retryable: false,
    meaning: 'The two databases cannot be compared: a table is missing on one side, or its columns differ.',
    action: 'Bring both regions to the same schema (tandem up migrates), then compare again.',
  },
  'etcd-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'etcd refused a request.',
    action: 'Read the cause; a full etcd (NOSPACE) wants compaction and an alarm disarmed.',
  },
  'etcd-lease-lost': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'A lease ran out before it could be renewed; what hung on it is gone.',
    action: 'Check that the etcd majority is reachable from this process and that the process is not starved of CPU.',
  },
  'etcd-outcome-unknown': {
    http: 503, grpc: 'UNAVAILABLE', retryable: false,
    meaning: 'A member was lost while it carried out a compare-and-swap, and what the key holds does not tell whether it did.',
    action: 'Read the key and decide anew.',
  },
  'etcd-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'No majority of etcd members answers.',
    action: 'Bring back a majority of the three members; services run on what they last knew meanwhile.',
  },
  'forbidden': {
    http: 403, grpc: 'PERMISSION_DENIED', retryable: false,
    meaning: 'The caller is known but may not do this.',
    action: 'Use a token of the right account and role.',
  },
  'id-node-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'All 64 node numbers of the region are leased.',
    action: 'List /tandem/nodes/<region>: stop what should not run, or wait 15 s for the leases of crashed processes.',
  },
  'id-window-exhausted': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'The span of time in which this process may issue ids is used up and could not be extended.',
    action: 'Bring back the etcd majority; ids resume by themselves. If etcd is well, check the clock of this host.',
  },
  'idempotency-in-flight': {
    http: 409, grpc: 'ABORTED', retryable: true,
    meaning: 'The first request with this idempotency key is still running.',
    action: 'Send the same request again after Retry-After.',
  },
  'idempotency-key-missing': {
    http: 400, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'A request that creates or charges came without a usable Idempotency-Key.',
    action: 'Send an Idempotency-Key of 1 to 255 printable ASCII characters, one for each intent.',
  },
  'idempotency-key-reused': {
    http: 422, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The idempotency key was used before with another request.',
    action: 'Use a new key for a new intent.',
  },
  'internal': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A fault of Tandem.',
    action: 'Find the request id in the log and report it.',
  },
  'kafka-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Kafka refused a request.',
    action: 'Read the cause: topic settings, message size or authorisation.',
  },
  'kafka-offset-lost': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Messages that were still to be read are gone: retention was shorter than the outage, or the topic was made anew.',
    action: 'Compare the regions (tandem diff), repair, and let the reader begin at the first offset that is kept.',
  },
  'kafka-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'No Kafka broker answers.',
    action: 'Check the brokers of the region named in the details; replication catches up by itself.',
  },
  'method-not-allowed': {
    http: 405, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The path exists but not with this method.',
    action: 'See the Allow header and the OpenAPI page.',
  },
  'missing-program': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A program that the local stack needs is not installed.',
    action: 'Install the program named in the message.',
  },
  'not-found': {
    http: 404, grpc: 'NOT_FOUND', retryable: false,
    meaning: 'There is no such thing, or not for this caller.',
    action: 'Check the id and the account.',
  },
  'not-home': {
    http: 421, grpc: 'FAILED_PRECONDITION', retryable: true,
    meaning: 'This region is not the home of the unit; the peer is.',
    action: 'Nothing: the router carries the request to the home. If clients see it, check the router.',
  },
  'not-ready': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'The process is starting, draining, or without something it needs.',
    action: 'Read the reasons at /health/ready.',
  },
  'offer-gone': {
    http: 409, grpc: 'FAILED_PRECONDITION', retryable: false,
    meaning: 'The offer was taken, withdrawn, or ran out.',
    action: 'Wait for the next offer.',
  },
  'operation-refused': {
    http: 409, grpc: 'FAILED_PRECONDITION', retryable: false,
    meaning: 'A safety check forbids this as things stand; nothing was done.',
    action: 'Read the message: it names the check, and what would have to be true or be said.',
  },
  'otp-mismatch': {
    http: 422, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The one-time password is not that of the ride.',
    action: 'Ask the rider for the four digits shown in the app.',
  },
  'port-taken': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Another process listens on a port that is needed.',
    action: 'Stop that process or choose another port.',
  },
  'quote-expired': {
    http: 409, grpc: 'FAILED_PRECONDITION', retryable: false,
    meaning: 'The quote is past its expiry; its price no longer holds.',
    action: 'Ask for a new quote.',
  },
  'rate-limited': {
    http: 429, grpc: 'RESOURCE_EXHAUSTED', retryable: true,
    meaning: 'The caller, or the process, is at a limit.',
    action: 'Slow down and try again after Retry-After.',
  },
  'redis-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'Redis refused a command.',
    action: 'Read the cause; it is a fault of the code or of the memory policy.',
  },
  'redis-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'Redis cannot be reached.',
    action: 'Check that Redis runs; what it holds is rebuilt from the live stream.',
  },
  'region-unknown': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A region or origin number is named that the configuration does not know.',
    action: 'Compare TANDEM_REGIONS of all processes: it must be the same everywhere.',
  },
  'rpo-guard': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'The other region is too far behind for this one to take more writes: losing it now would lose them.',
    action: 'A client sends the same request again after Retry-After. Operators: the page rpo-guard.md; where the peer is lost, say so, and writes go on.',
  },
  'schema-busy': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'Another migrator is at work on this database.',
    action: 'Wait for it, or find out why it hangs (SELECT IS_USED_LOCK(\'tandem_migrate\')).',
  },
  'schema-drift': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The database was migrated by other migrations than this version carries.',
    action: 'Run the version that fits the database, or restore the migration file that was edited.',
  },
  'schema-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A statement of a migration failed; those before it stand and are recorded.',
    action: 'Mend the cause named in the message and migrate again: it goes on at that statement.',
  },
  'stack-absent': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'No local deployment has been set up in this state directory.',
    action: 'Start one with ./tandem up, or point TANDEM_STATE at the one you mean.',
  },
  'supervisor-failed': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A process of the local stack could not be started, stopped or watched.',
    action: 'Read the log of the process that the message names, under .tandem/logs.',
  },
  'trips-invalid': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'The trips cannot be driven as the file has them; nothing was started.',
    action: 'Correct the file at the lines named, or name another one with --trips.',
  },
  'unauthenticated': {
    http: 401, grpc: 'UNAUTHENTICATED', retryable: false,
    meaning: 'There is no valid token.',
    action: 'Send Authorization: Bearer with a token that has not expired.',
  },
  'unsupported-media-type': {
    http: 415, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The body is of a type that is not understood.',
    action: 'Send JSON, with Content-Type: application/json.',
  },
  'upgrade-required': {
    http: 426, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The path speaks WebSocket only.',
    action: 'Connect with a WebSocket client.',
  },
  'upstream-unavailable': {
    http: 503, grpc: 'UNAVAILABLE', retryable: true,
    meaning: 'A service behind this one does not answer.',
    action: 'Check the service named in the details.',
  },
  'usage-invalid': {
    http: 500, grpc: 'INTERNAL', retryable: false,
    meaning: 'A command was given arguments it cannot work with; nothing was done.',
    action: 'Correct the argument named; the command explains itself with --help.',
  },
  'validation-failed': {
    http: 400, grpc: 'INVALID_ARGUMENT', retryable: false,
    meaning: 'The request is malformed.',
    action: 'Correct the fields listed under errors.',
  },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof CODES;

/** True for a code that this version knows; codes arriving from a newer process may be unknown. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CODES, text);
}
