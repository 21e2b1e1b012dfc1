/**
 * The README's tour as a test can hold it to: its commands, and under each the answer it promises.
 *
 * Invariant: what is run is what a reader would paste. In a promised answer `…` stands for anything, times and numbers of four
 * digits and more for any others; the rest is meant to the letter, blanks aside. Pure.
 */
export interface Step {
  /** The line of the README on which the command begins. */
  readonly line: number;
  readonly command: string;
  /** Undefined where the README promises nothing. */
  readonly answer: string | undefined;
}

const BEGIN = '<!-- tour:';
const END = '<!-- end of the tour -->';
const FENCED = /^```(\w+)\n([^]*?)^```$/gm;

/** Throws where the marks are missing, or an answer stands without a command. */
export function readTour(readme: string): readonly Step[] {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no '${BEGIN}' before '${END}'`);
  const steps: Step[] = [];
  for (const { 1: language, 2: text, index } of readme.slice(from, to).matchAll(FENCED)) {
    const line = readme.slice(0, from + index).split('\n').length + 1;
    const last = steps.at(-1);
    if (language === 'bash') steps.push({ line, command: text as string, answer: undefined });
    else if (last === undefined || last.answer !== undefined) throw new Error(`README.md:${line}: an answer without a command`);
    else steps[steps.length - 1] = { ...last, answer: text as string };
  }
  return steps;
}

/** A pattern for the whole of an answer. */
export function patternOf(answer: string): RegExp {
  const parts = answer.trim().matchAll(/(?<any>…)|(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)|(?<number>\d{4,}|\d{1,3}(?:,\d{3})+)|(?<blank>\s+)|(?<plain>[^])/g);
  const source = [...parts].map(({ 0: text, groups }) => {
    if (groups?.['any'] !== undefined) return '[^]*?';
    if (groups?.['time'] !== undefined) return String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    if (groups?.['number'] !== undefined) return String.raw`\d[\d,]*`;
    if (groups?.['blank'] !== undefined) return text.includes('\n') ? String.raw`\s*\n\s*` : String.raw`[ \t]+`;
    return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
  });
  return new RegExp(`^${source.join('')}$`);
}
