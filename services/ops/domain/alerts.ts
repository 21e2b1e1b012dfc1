/**
 * Which alerts stand, from the figures and from how long they have been bad.
 *
 * Invariant: an alert that asks for a duration stands only after the condition held the whole time; one good look, or one
 * without data, starts it anew. It sends nothing: pages and the exporter show it.
 */
import type { ReplicationReport } from './report.ts';

export interface AlertFigures {
  readonly lagMs: number | null;
  /** 0 to 1 over the last minute. */
  readonly errorRate: number | null;
  readonly score: number;
  readonly replication: Pick<ReplicationReport, 'deadLetters' | 'schemaWaits' | 'guard'>;
  /** True once the figures that make up the score have been measured at all. */
  readonly isMeasured: boolean;
}

export interface AlertRule {
  readonly name: 'lag' | 'api-errors' | 'health-score' | 'rpo-guard' | 'dead-letters' | 'schema-wait';
  readonly severity: 'P0' | 'P1' | 'P2';
  readonly forMs: number;
  readonly meaning: string;
  readonly holds: (figures: AlertFigures) => boolean;
}

export interface Alert {
  readonly name: AlertRule['name'];
  readonly severity: AlertRule['severity'];
  readonly meaning: string;
  readonly sinceMs: number;
}

/** The design's thresholds. */
export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: 'lag', severity: 'P0', forMs: 0,
    meaning: 'replication is more than 5 s behind: losing the peer now would lose that much',
    holds: ({ lagMs }) => lagMs !== null && lagMs > 5_000,
  },
  {
    name: 'api-errors', severity: 'P1', forMs: 120_000,
    meaning: 'more than 3 % of API requests have failed for 2 minutes',
    holds: ({ errorRate }) => errorRate !== null && errorRate > 0.03,
  },
  {
    name: 'rpo-guard', severity: 'P1', forMs: 0,
    meaning: 'the peer is so far behind that the RPO guard refuses writes here',
    holds: ({ replication: { guard } }) => guard?.state === 'throttling' || guard?.state === 'pausing',
  },
  {
    name: 'dead-letters', severity: 'P1', forMs: 0,
    meaning: 'changes of the peer could not be written here and wait for a person: ./tandem cdc status',
    holds: ({ replication: { deadLetters } }) => deadLetters !== null && deadLetters.poison > 0,
  },
  {
    // Between the two regions' turns of a migration this is as it should be, for a moment.
    name: 'schema-wait', severity: 'P1', forMs: 60_000,
    meaning: 'changes of the peer wait for a column or table that this database lacks: ./tandem migrate',
    holds: ({ replication: { schemaWaits } }) => schemaWaits !== null && schemaWaits.length > 0,
  },
  {
    name: 'health-score', severity: 'P2', forMs: 0,
    meaning: 'the health score is below 90',
    holds: ({ score, isMeasured }) => isMeasured && score < 90,
  },
];

export class AlertBook {
  readonly #sinceOf = new Map<AlertRule['name'], number>();

  /** Looks at the figures; returns the alerts that stand, gravest first. */
  look(figures: AlertFigures, nowMs: number): readonly Alert[] {
    const standing: Alert[] = [];
    for (const { name, severity, meaning, forMs, holds } of ALERT_RULES) {
      if (!holds(figures)) {
        this.#sinceOf.delete(name);
        continue;
      }
      const sinceMs = this.#sinceOf.get(name) ?? nowMs;
      this.#sinceOf.set(name, sinceMs);
      if (nowMs - sinceMs >= forMs) standing.push({ name, severity, meaning, sinceMs });
    }
    return standing;
  }
}
