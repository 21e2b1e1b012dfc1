/** How `tandem migrate` looks: the plan before, a line a statement while it runs, and what is left. */
import { namesOf } from '../../../shared/schema/migrations.ts';
import type { OnStep, PlannedStep } from '../../../shared/schema/rollout.ts';
import { sayOnStderr } from '../console.ts';

const LINE_WIDTH = 80;

export function renderPlan(plan: readonly PlannedStep[], { contract, region }: { readonly contract?: true; readonly region?: string }): string {
  if (plan.length === 0) return 'plan: nothing to do; both regions have every migration of this version\n';
  const willRun = (step: PlannedStep): boolean => (step.phase === 'expand' || contract === true) && (region === undefined || step.region === region);
  const lines = plan.map((step) => {
    const rows = step.rows === null ? '' : `about ${step.rows.toLocaleString('en')} rows`;
    return [
      `  ${willRun(step) ? 'run  ' : 'leave'} ${step.region.padEnd(8)} ${step.phase.padEnd(8)} ${step.migration} statement ${step.step + 1}  ${rows}`.trimEnd(),
      `        ${brief(step.statement, LINE_WIDTH - 8)}`,
    ].join('\n');
  });
  return `plan:\n${lines.join('\n')}\n`;
}

export const renderStep: OnStep = (step, event, { no, of }) => {
  if (event === 'begins') sayOnStderr(`${no}/${of} ${step.region} ${step.migration} statement ${step.step + 1}: ${brief(step.statement, 40)}`);
};

export function renderLeft(ran: readonly PlannedStep[], left: readonly PlannedStep[]): string {
  const lines = [`statements run: ${ran.length}`];
  for (const phase of ['expand', 'contract'] as const) {
    const steps = left.filter((step) => step.phase === phase);
    if (steps.length === 0) continue;
    const where = [...new Set(steps.map(({ region }) => region))].join(' and ');
    lines.push(`left in ${where}: ${namesOf(steps).join(', ')} (${phase}${phase === 'contract' ? ': ./tandem migrate --contract' : ''})`);
  }
  if (left.length === 0) lines.push('both regions have every migration of this version');
  return `${lines.join('\n')}\n`;
}

function brief(statement: string, width: number): string {
  const line = statement.replaceAll(/\s+/g, ' ');
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
