/**
 * Alerts and dashboards ask for metrics that exist, under the names and labels that the sources give them; every alert leads
 * to a page; and every process is scraped.
 */
import { expect, test } from 'vitest';
import { ALERT_RULES } from '../../../services/ops/domain/alerts.ts';
import { allPorts, assignPorts } from '../../../deploy/local/ports.ts';
import { mainOf, readCompose } from './compose-file.ts';
import { groupedBy, metricsOf, registeredMetrics } from './metric-names.ts';
import { filesLike, isFile, readEnvFile, readText, readYaml } from './repo-files.ts';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Scrape {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly { job_name: string; honor_labels?: boolean; static_configs: readonly { targets: readonly string[]; labels: Record<string, string> }[] }[];
}
interface Dashboard {
  readonly panels: readonly { id: number; title: string; gridPos: Record<'x' | 'y' | 'w' | 'h', number>; targets: readonly { expr: string; datasource: { uid: string } }[] }[];
  readonly templating: { list: readonly { query: { query: string } }[] };
  readonly annotations: { list: readonly { expr: string }[] };
}

const rules = readYaml<{ groups: readonly { rules: readonly Rule[] }[] }>('deploy/prometheus/rules.yml')[0]!.groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const metrics = registeredMetrics();
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
const dashboard = JSON.parse(readText('deploy/grafana/dashboards/tandem.json')) as Dashboard;

const problemsOf = (where: string, expression: string): string[] => {
  const asked = metricsOf(expression);
  const unknown = asked.filter(({ metric }) => !metrics.has(metric) && !recorded.has(metric)).map(({ metric }) => `${where}: no metric ${metric}`);
  const mislabelled = asked.flatMap(({ metric, labels }) =>
    labels.filter((label) => metrics.has(metric) && !metrics.get(metric)!.has(label)).map((label) => `${where}: ${metric} has no label ${label}`));
  const known = new Set(asked.flatMap(({ metric }) => [...(metrics.get(metric) ?? ['region'])]));
  const ungrouped = groupedBy(expression).filter((label) => !known.has(label)).map((label) => `${where}: nothing to group by ${label}`);
  return [...unknown, ...mislabelled, ...ungrouped];
};

/** What a job scrapes, each with its labels. */
function targetsOf(file: string, job: string): readonly { readonly target: string; readonly region?: string; readonly process: string }[] {
  const jobs = readYaml<Scrape>(file)[0]!.scrape_configs.filter(({ job_name: name }) => name === job);
  return jobs.flatMap((found) => found.static_configs).map(({ targets, labels }) => ({ target: targets[0]!, region: labels['region'], process: labels['process']! }));
}

test('the reader of PromQL finds names and labels, and takes neither functions nor labels for metrics', () => {
  expect(metricsOf('sum by (a) (rate(x_total{b="c{d}", e!~"f|g"}[5m] offset 1h)) / on (h) y:z > 2 or 0 * q')).toEqual([
    { metric: 'x_total', labels: ['b', 'e'] }, { metric: 'y:z', labels: [] }, { metric: 'q', labels: [] },
  ]);
  expect(metrics.size).toBeGreaterThan(40);
  expect([...metrics.get('tandem_router_requests_total')!]).toContain('answered_by');
});

test('every rule asks for metrics that are registered, with labels that they have', () => {
  const problems = rules.flatMap(({ alert, record, expr }) => problemsOf(alert ?? record!, expr));
  expect(problems).toEqual([]);
});

test('every panel does, too', () => {
  const variables = dashboard.templating.list.map(({ query }) => query.query.replace(/^label_values\((\w+), (\w+)\)$/, 'sum by ($2) ($1)'));
  const asked = [
    ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
    ...variables.map((expr) => ['variables', expr] as const),
    ...dashboard.annotations.list.map(({ expr }) => ['annotations', expr] as const),
  ];
  expect(asked.flatMap(([where, expr]) => problemsOf(where, expr))).toEqual([]);
  expect(asked.length).toBeGreaterThan(15);
});

test('every alert has a severity, says what it is and what it means, and leads to a page that names it', () => {
  for (const { alert, labels = {}, annotations = {} } of alerts) {
    expect(labels['severity'], alert).toMatch(/^P[012]$/);
    expect(annotations['summary'], alert).toBeTruthy();
    expect(annotations['meaning'], alert).toMatch(/\.$/);
    expect(isFile(annotations['runbook']!), `${alert}: ${annotations['runbook']}`).toBe(true);
    expect(readText(annotations['runbook']!), annotations['runbook']).toContain(alert);
  }
});

test('no two alerts have one name, and each has its place in rules.test.yml or needs none', () => {
  const names = alerts.map(({ alert }) => alert!);
  expect(new Set(names).size).toBe(names.length);
  const tested = new Set([...readText('deploy/prometheus/rules.test.yml').matchAll(/alertname: (\w+)/g)].map((match) => match[1]));
  expect(names.filter((name) => !tested.has(name)).toSorted()).toEqual(['CaptureQueueFull', 'DatabaseDown', 'PeerClockAhead', 'ProcessDown']);
});

test('the alerts that ops shows by itself are here with the same severity', () => {
  const twin = { 'lag': 'ReplicationLagPage', 'api-errors': 'ApiErrors', 'health-score': 'HealthScoreLow', 'rpo-guard': 'RpoGuardRefuses', 'dead-letters': 'DeadLetters', 'schema-wait': 'SchemaWait' } as const;
  const severities = new Map(alerts.map(({ alert, labels }) => [alert, labels?.['severity']]));
  for (const { name, severity } of ALERT_RULES) expect(severities.get(twin[name as keyof typeof twin]), name).toBe(severity);
});

test('Prometheus scrapes every process, in compose and on one machine', () => {
  const { services } = readCompose(readEnvFile('deploy/compose/.env.example'));
  const processes = Object.entries(services).filter(([, service]) => mainOf(service)?.endsWith('/main.ts')).map(([name]) => name);
  const inCompose = targetsOf('deploy/prometheus/prometheus.yml', 'tandem');
  expect(inCompose.map(({ target }) => target).toSorted()).toEqual(processes.map((name) => `${name}:8080`).toSorted());

  const named = new Map(allPorts(assignPorts(['east', 'west'], {})).map(({ name, port }) => [name, port]));
  const local = targetsOf('deploy/prometheus/local.yml', 'tandem');
  expect(local.map(({ process }) => process).toSorted()).toEqual(processes.toSorted());
  for (const { target, region, process } of local) expect(target).toBe(`127.0.0.1:${named.get(`${region} ${process.replace(`-${region}`, '')}`)}`);
  for (const { target, process } of targetsOf('deploy/prometheus/local.yml', 'etcd') as ({ target: string; process: string })[]) {
    expect(target).toBe(`127.0.0.1:${named.get(`${process.replace('etcd-', '')} etcd`)}`);
  }
  expect(targetsOf('deploy/prometheus/prometheus.yml', 'etcd').map(({ target }) => target)).toEqual(['etcd-east:2379', 'etcd-west:2379', 'etcd-witness:2379']);
});

test('the dashboard is provisioned, its panels do not overlap, and all ask the one data source', () => {
  const source = readYaml<{ datasources: readonly { uid: string }[] }>('deploy/grafana/provisioning/datasources/prometheus.yaml')[0]!.datasources[0]!;
  expect(filesLike('deploy/grafana/dashboards/*.json')).toHaveLength(1);
  const taken = new Map<string, string>();
  for (const { title, gridPos: { x, y, w, h }, targets } of dashboard.panels) {
    for (const { datasource } of targets) expect(datasource.uid, title).toBe(source.uid);
    for (let column = x; column < x + w; column += 1) for (let row = y; row < y + h; row += 1) {
      expect(taken.get(`${column}/${row}`), `${title} overlaps`).toBeUndefined();
      taken.set(`${column}/${row}`, title);
    }
  }
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});
