/** An Einsum equation with everything resolved; each label is a number from 0 on. */
export interface EinsumPlan {
  /** Labels of each operand's axes. */
  readonly operands: readonly (readonly number[])[];
  /** Labels of the result's axes. */
  readonly output: readonly number[];
  /** Size of each label. */
  readonly sizes: readonly number[];
}

const TERM = /^([a-zA-Z]*)(?:(\.\.\.)([a-zA-Z]*))?$/;
/** Labels that an equation can be written with again. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** Longest equation that is looked at: 52 letters, a few terms. */
const LENGTH_MAX = 1024;

interface Term {
  readonly before: readonly string[];
  /** Letters behind the ellipsis; undefined without one. */
  readonly after: readonly string[] | undefined;
}

/**
 * Reads an Einsum equation (ONNX operator Einsum-12) against its operands' shapes: the ellipsis
 * becomes labels of its own, aligned to the right and broadcast; without `->` the result has the
 * ellipsis and then the letters that occur once, in alphabetical order.
 * @returns the plan, or in words what does not fit
 */
export function planEinsum(
  equation: string,
  shapes: readonly (readonly number[])[],
): EinsumPlan | string {
  const [left, right, ...rest] = equation.slice(0, LENGTH_MAX).replaceAll(' ', '').split('->');
  const terms = left!.split(',').map(parseTerm);
  const result = right === undefined ? undefined : parseTerm(right);
  if (rest.length > 0 || equation.length > LENGTH_MAX) return `equation "${left}" is not one`;
  if (terms.length !== shapes.length) return `${terms.length} terms, ${shapes.length} operands`;
  const labels = new Labels();
  const operands: number[][] = [];
  for (const [i, term] of terms.entries()) {
    if (term === undefined) return `term ${i} of equation "${left}" is not one`;
    const made = labels.of(term, shapes[i]!);
    if (typeof made === 'string') return `term ${i}: ${made}`;
    operands.push(made);
  }
  const output = right === undefined ? labels.implicit(terms) : labels.output(result);
  if (typeof output === 'string') return output;
  return { operands, output, sizes: labels.sizes };
}

/** The plan as an equation without ellipsis. */
export const writeEinsum = (operands: readonly (readonly number[])[], output: readonly number[]) =>
  `${operands.map(letters).join(',')}->${letters(output)}`;

const letters = (labels: readonly number[]) => labels.map((label) => LETTERS[label]).join('');

function parseTerm(text: string): Term | undefined {
  const match = TERM.exec(text);
  if (match === null) return undefined;
  return { before: [...match[1]!], after: match[2] === undefined ? undefined : [...match[3]!] };
}

/** Numbers for letters and for the axes under the ellipsis, with their sizes. */
class Labels {
  readonly sizes: number[] = [];
  readonly #letters = new Map<string, number>();
  /** Labels under the ellipsis, the last axis first. */
  readonly #dots: number[] = [];

  of({ before, after }: Term, shape: readonly number[]): number[] | string {
    const dots = shape.length - before.length - (after?.length ?? 0);
    if (dots < 0 || (after === undefined && dots > 0)) return `does not fit shape [${shape}]`;
    while (this.#dots.length < dots) this.#dots.push(this.#fresh());
    const labels = [
      ...before.map((letter) => this.#letter(letter)),
      ...this.#dots.slice(0, dots).reverse(),
      ...(after ?? []).map((letter) => this.#letter(letter)),
    ];
    for (const [i, label] of labels.entries()) {
      const known = this.sizes[label]!;
      if (known !== 1 && shape[i] !== 1 && known !== shape[i]) {
        return `size ${shape[i]} of axis ${i} meets ${known}`;
      }
      if (known === 1) this.sizes[label] = shape[i]!;
    }
    return this.sizes.length > LETTERS.length ? 'too many labels' : labels;
  }

  implicit(terms: readonly (Term | undefined)[]): number[] {
    const all = terms.flatMap((term) => [...(term?.before ?? []), ...(term?.after ?? [])]);
    const once = [...this.#letters.keys()].filter(
      (letter) => all.indexOf(letter) === all.lastIndexOf(letter),
    );
    return [...this.#dots.toReversed(), ...once.sort().map((letter) => this.#letter(letter))];
  }

  output(term: Term | undefined): number[] | string {
    const named = [...(term?.before ?? []), ...(term?.after ?? [])];
    const distinct = new Set(named).size === named.length;
    if (term === undefined || !distinct || named.some((letter) => !this.#letters.has(letter))) {
      return 'the result is not made of distinct labels of the terms';
    }
    return [
      ...term.before.map((letter) => this.#letter(letter)),
      ...(term.after === undefined ? [] : this.#dots.toReversed()),
      ...(term.after ?? []).map((letter) => this.#letter(letter)),
    ];
  }

  #letter(letter: string): number {
    const found = this.#letters.get(letter) ?? this.#fresh();
    this.#letters.set(letter, found);
    return found;
  }

  #fresh(): number {
    return this.sizes.push(1) - 1;
  }
}
