import {
  ONNX_RUNTIME_OTHERS,
  ONNX_RUNTIME_PLUMBING,
  ONNX_RUNTIME_STANDARD,
} from '../../test/autodiff/onnxruntime-gradients.ts';
import type { Checks } from './checks.ts';
import type { Coverage, Operator, Way } from './operators.ts';

/** Most values of an attribute that are listed. */
const VALUES_MAX = 4;

/** One paragraph. */
const prose = (...parts: readonly string[]) => parts.join(' ');

/** The page docs/autodiff/operators.md. */
export function operatorsPage(coverage: Coverage): string {
  const { operators, unsupported } = coverage;
  const differentiable = operators.filter(({ way }) => way !== 'none');
  const passive = operators.filter(({ way }) => way === 'none');
  const parts = [
    '# Operators',
    prose(
      '`npm run docs:operators` writes this page from the tables in the code, the tests and what',
      'they record; a test compares.',
    ),
    totals(coverage),
    '## Beside ONNX Runtime’s gradient builder',
    ...besideOnnxRuntime(operators),
    '## Operators that gradients pass',
    LEGEND,
    table(
      ['operator', 'opsets', 'gradient', 'checked forms', 'refused', ...COUNTS],
      differentiable.map(row),
    ),
    '## Operators that no gradient passes',
    prose(
      'They are read and run, or folded to constants. What lies behind them is not trained, and a',
      'weight that ends there is named in a warning.',
    ),
    table(
      ['operator', 'opsets', 'refused', 'exports'],
      passive.map(({ name, opsets, refused, exported }) => {
        return [code(name), opsets, refused.join('; '), count(exported)];
      }),
    ),
    '## Operators that are refused',
    prose(
      'The error names node and operator. Of ONNX’s standard operators these are not supported; of',
      'other domains only those in the first table are.',
    ),
    table(
      ['operator', 'in our words'],
      unsupported.map(({ name, reason }) => [code(name), reason]),
    ),
    '## The sweep over ONNX’s test models',
    ...sweepSection(coverage),
  ];
  return `${parts.join('\n\n')}\n`;
}

const COUNTS = ['gradient cases', 'forward cases', 'sweep', 'oracle', 'exports'];

const LEGEND = [
  '- **gradient**: *rule*: an entry in `rules-*.ts`, with the positions of the inputs where it is',
  '  not for all; *as others*: `functions-*.ts` of `@starling/onnx` writes it as ones that have',
  '  rules; *mask*: a seeded mask in training; *written out*: runs while the model is read.',
  '- **checked forms**: ranks of the first operand, whether a size of 0 is among them, attributes',
  '  with the values that tests give them.',
  '- **gradient cases**: calls whose gradients are compared with numeric Jacobians, for two draws',
  '  each; **forward cases**: calls compared with ONNX Runtime’s own operator.',
  '- **sweep**: models of ONNX’s test data with compared gradients; **oracle**: ONNX Runtime’s own',
  '  gradient kernels that agree; **exports**: models that PyTorch exported, compared with what it',
  '  computed.',
].join('\n');

const code = (text: string) => `\`${text}\``;
/** A count, empty for none: what is missing stands out. */
const count = (value: number) => (value === 0 ? '' : String(value));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function row(operator: Operator): readonly string[] {
  const { name, opsets, checks, refused, sweep, kernels, exported } = operator;
  return [
    ...[code(name), opsets, wayWords(operator), formsOf(checks), refused.join('; ')],
    ...[count(checks.gradients), count(checks.forwards), count(sweep)],
    ...[kernels.map(code).join(', '), count(exported)],
  ];
}

const wayWords = ({ way, inputs }: Operator): string =>
  inputs === undefined
    ? way
    : `${way} (${inputs.length === 1 ? 'input' : 'inputs'} ${inputs.join(', ')})`;

function formsOf({ ranks, empty, attributes }: Checks): string {
  const sorted = [...ranks].sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const rank = least === undefined ? [] : [`rank ${least === most ? least : `${least}–${most}`}`];
  const named = Array.from(attributes, ([name, values]) => `${name}${valuesOf([...values])}`);
  return [...rank, ...(empty ? ['size 0'] : []), ...named].join('; ');
}

/** The values of an attribute that are short, or how many there are. */
function valuesOf(values: readonly string[]): string {
  if (values.length > VALUES_MAX) return ` (${values.length} values)`;
  return values.some((value) => value.includes(',')) ? '' : ` ${[...values].sort().join(', ')}`;
}

const sum = (operators: readonly Operator[], of: (operator: Operator) => number) =>
  operators.reduce((total, operator) => total + of(operator), 0);

function totals({ operators, opsets, sweep, oracle, exportedModels }: Coverage): string {
  const ways = (way: Way) => operators.filter((operator) => operator.way === way).length;
  const gradients = sum(operators, ({ checks }) => checks.gradients);
  const forwards = sum(operators, ({ checks }) => checks.forwards);
  const bullets = [
    prose(
      `**${operators.length} operators** of operator sets ${opsets.least} to ${opsets.most} are`,
      `read. Gradients pass ${operators.length - ways('none')} of them: ${ways('rule')} by a rule,`,
      `${ways('as others')} written as others, ${ways('written out')} written out when a model is`,
      `read, and Dropout; ${ways('none')} are counts, choices or steps.`,
    ),
    prose(
      `**${gradients} calls** have gradients compared with numeric Jacobians, for two draws each;`,
      `${forwards} have outputs compared with ONNX Runtime’s own operator.`,
    ),
    prose(
      `**${sweep.outcomes['compared']} of ${sweep.models} models** of ONNX’s data have gradients`,
      `compared with differences, ${sweep.elements} elements of them; none differs.`,
    ),
    prose(
      `**${oracle.kernels} gradient kernels** of ONNX Runtime 1.19’s training build agree in`,
      `${oracle.cases} cases.`,
    ),
    prose(
      `**${exportedModels} models** that PyTorch exported have gradients compared with PyTorch’s.`,
    ),
  ];
  return bullets.map((bullet) => `- ${bullet}`).join('\n');
}

function besideOnnxRuntime(operators: readonly Operator[]): string[] {
  const passed = operators.filter(({ way }) => way !== 'none').map(({ name }) => name);
  const standard = ONNX_RUNTIME_STANDARD.filter((name) => passed.includes(name));
  const theirs = new Set([...ONNX_RUNTIME_STANDARD, ...ONNX_RUNTIME_OTHERS.values()]);
  const more = passed.filter((name) => !theirs.has(name));
  const others = Array.from(ONNX_RUNTIME_OTHERS, ([name, ours]) => {
    if (ours === undefined) return `${code(name)} is refused: it computes with quantised numbers`;
    const same = name === ours || ours.endsWith(`.${name}`);
    return same ? code(name) : `${code(name)} is ${code(ours)}`;
  });
  return [
    prose(
      'ONNX Runtime had a gradient builder, offline and in Python. Of the',
      `${ONNX_RUNTIME_STANDARD.length} standard operators on its list **${standard.length} have`,
      `gradients here**, and so have ${more.length} more: ${more.map(code).join(', ')}.`,
    ),
    prose(
      'The rest of its list are operators of its own, most of which its training passes wrote and',
      `no exporter does: ${others.join(', ')}. ${ONNX_RUNTIME_PLUMBING.map(code).join(', ')} call`,
      'other processes or Python and have no meaning here.',
    ),
  ];
}

function sweepSection({ sweep }: Coverage): string[] {
  const rows = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([reason, models]) => [reason, String(models)]);
  const { models, compared } = sweep.ofOnnxRuntimesList;
  return [
    prose(
      'Debian’s `libonnx-testdata` holds the models that ONNX itself tests with.',
      '`npm run docs:sweep` reads each, writes the gradients of a weighted sum of its outputs',
      'to all float inputs and initialisers, and compares with differences of fourth order, in',
      `double precision where ONNX Runtime has the kernels (${sweep.doublePrecision} models).`,
      `Outputs are compared, too. Of the ${models} models with a float input that hold nothing but`,
      `operators of ONNX Runtime’s list, ${compared} are compared; others have no float output,`,
      'or hold a form or type from the list of refusals.',
    ),
    table(['outcome', 'models'], rows(sweep.outcomes)),
    table(['refused because', 'models'], rows(sweep.refused)),
    table(['no gradient because', 'models'], rows(sweep.noGradient)),
    'Inputs that change the outputs and count as settings, not as weights:',
    table(['input', 'models'], rows(sweep.cut)),
  ];
}
