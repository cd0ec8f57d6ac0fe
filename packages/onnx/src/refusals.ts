/** Operators that are refused, with the reason in words. */
const REASONS: readonly (readonly [reason: string, operators: RegExp])[] = [
  [
    'it computes with quantised numbers, which have no gradient; export the float model',
    /^(com\.microsoft\.)?Q(Linear|Attention|Gemm)|quantize|integer|MatMulNBits|MatMulBnb4/i,
  ],
  ['optional values and loops over sequences are not supported', /Sequence|^Optional/],
  [
    'the shape of its output depends on data',
    /^(Unique|NonMaxSuppression|com\.microsoft\.Unique)$/,
  ],
  [
    'text is not supported',
    /^(String|Regex|Tfidf|LabelEncoder|com\.microsoft\..*(Tokenizer|String|Regex))/i,
  ],
  ['it draws random numbers; export the model in eval mode', /^(Random|Multinomial$|Bernoulli$)/],
];

/** Why an operator is refused, for the end of a sentence. */
export function refusalOf(op: string): string {
  const known = REASONS.find(([, operators]) => operators.test(op));
  if (known !== undefined) return `is refused: ${known[0]}`;
  return op.includes('.') ? 'is not a standard one' : 'is not supported';
}
