import type { CardView } from '@starling/control';
import { bytesText } from './output.ts';
import { oneLine } from './table.ts';

/** `?x784`, with a question mark for any size. */
export const shapeText = (shape: readonly number[]): string =>
  shape.length === 0 ? 'number' : shape.map((size) => (size === 0 ? '?' : size)).join('x');

const valuesText = (values: CardView['inputs']): string =>
  values.map(({ name, type, shape }) => `${oneLine(name)}: ${type} ${shapeText(shape)}`).join('; ');

type Fact = readonly [name: string, value: string];

/** A card as a person reads it: what nobody said is left out. */
export function cardFacts(card: CardView): readonly Fact[] {
  const { lineage, privacy, deprecated, recipe, parents, swarm } = card;
  const facts: Fact[] = [
    ['model', `${card.name}@${card.version}`],
    ['card', card.id],
    ['publisher', card.publisher],
    ['summary', card.summary],
    ['task', card.task],
    ['tags', card.tags.join(', ')],
    ['inputs', valuesText(card.inputs)],
    ['outputs', valuesText(card.outputs)],
    ['file', `${bytesText(card.model.bytes)}, SHA-256 ${card.model.hash}`],
    ['access', card.access],
    ['trained on', oneLine(card.data)],
    ['licence', card.licence],
    ['published', card.published],
    ['lineage', lineage === null ? 'none' : `round ${lineage.round} of job ${lineage.job}`],
    ['launcher', lineage?.launcher ?? ''],
    ['privacy', privacy === null ? '' : privacyText(privacy)],
    ['average of', recipe?.map((part) => `${part.card} × ${part.weight}`).join(', ') ?? ''],
    ['made from', recipe === null ? parents.join(', ') : ''],
    ['swarm', swarm ?? ''],
    ...card.metrics.map((metric): Fact => [oneLine(metric.name), metricText(metric)]),
  ];
  const told = facts.filter(([, value]) => value !== '');
  if (deprecated === null) return told;
  const next = deprecated.successor === null ? '' : `; use ${deprecated.successor}`;
  const reason = oneLine(deprecated.reason) || 'no reason given';
  return [['DEPRECATED', `${reason}${next}`], ...told];
}

const privacyText = ({ mechanism, epsilon, delta }: NonNullable<CardView['privacy']>): string =>
  `ε ${epsilon.toPrecision(3)} at δ ${delta} (${mechanism})`;

function metricText({ value, on, certified }: CardView['metrics'][number]): string {
  const where = on === '' ? '' : `, ${on}`;
  const by = certified === null ? "the publisher's word" : `certified in round ${certified}`;
  return `${value}${where} (${by})`;
}
