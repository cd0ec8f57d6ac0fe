/** Changes JSON by its structure: keys, values, and what JavaScript makes of them. */
import { type Dice, type Mutator, mixed } from './mutate.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const VALUES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  0.5,
  -0,
  1e308,
  2 ** 53,
  '',
  'x'.repeat(300),
  '__proto__',
  '\u0000',
  '\ud800',
  '../../etc/passwd',
  '12D3KooWx',
  [],
  [[]],
  {},
  { length: -1 },
  { toString: null },
];
const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'then',
  '',
  '0',
  'policy',
  'trust',
  'trainer',
];

type Container = Json[] | { [key: string]: Json };

function containersOf(value: Json): Container[] {
  if (value === null || typeof value !== 'object') return [];
  const inner = Array.isArray(value) ? value : Object.values(value);
  return [value, ...inner.flatMap(containersOf)];
}

function change(dice: Dice, target: Container, gifts: readonly Container[]): void {
  const keys = Object.keys(target);
  const gift = structuredClone(dice.chance(0.7) ? dice.pick(VALUES) : dice.pick(gifts));
  const key = keys.length > 0 && dice.chance(0.8) ? dice.pick(keys) : dice.pick(KEYS);
  if (dice.chance(0.15)) {
    Reflect.deleteProperty(target, key);
    return;
  }
  // As JSON.parse would: a property of that name, not the prototype.
  const property = { value: gift, enumerable: true, writable: true, configurable: true };
  if (Array.isArray(target) && !keys.includes(key)) target.push(gift);
  else Object.defineProperty(target, key, property);
}

/** Another value of the same type, or one key less. */
function changeGently(dice: Dice, target: Container): void {
  const keys = Object.keys(target);
  if (keys.length === 0) return;
  const key = dice.pick(keys);
  const value: unknown = Reflect.get(target, key);
  const numbers = [0, 1, 2, 3, 16, 64, 128, 1000, 0.25];
  if (typeof value === 'number') Reflect.set(target, key, dice.pick(numbers));
  else if (typeof value === 'boolean') Reflect.set(target, key, !value);
  else if (typeof value === 'string') Reflect.set(target, key, 'z'.repeat(dice.below(70)));
  else if (dice.chance(0.3)) Reflect.deleteProperty(target, key);
}

export const mutateJson: Mutator = mixed((dice, input, others) => {
  const root: Json[] = [parse(input)];
  const gifts = [...containersOf(root), ...containersOf([parse(dice.pick(others))])];
  const isGentle = dice.chance(0.35);
  for (let left = 1 + dice.below(3); left > 0; left--) {
    const target = dice.pick(containersOf(root));
    if (isGentle) changeGently(dice, target);
    else change(dice, target, gifts);
  }
  return new Uint8Array(Buffer.from(JSON.stringify(root.at(-1) ?? null)));
});

function parse(bytes: Uint8Array): Json {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Json;
  } catch {
    return null;
  }
}
