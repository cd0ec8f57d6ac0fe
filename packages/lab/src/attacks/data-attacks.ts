import { ConfigError } from '@starling/core';
import type { ExampleSet } from '@starling/trainer';
import type { Attack } from '../schema.ts';

/**
 * What all clients have together once the attackers have changed their own examples: every label to
 * its opposite (Tolpegin et al. 2020), or half of the images to stamped ones of one class.
 * @returns the set itself where the attack leaves data alone
 */
export function poisoned(
  set: ExampleSet,
  attack: Attack | undefined,
  attackers: readonly Int32Array[],
): ExampleSet {
  if (attack?.kind === 'label-flip') return flipped(set, attackers);
  if (attack?.kind === 'replacement') return stampedHalf(set, attackers, attack.label);
  return set;
}

function flipped({ info, examples }: ExampleSet, attackers: readonly Int32Array[]): ExampleSet {
  const classes = classesOf({ info, examples });
  const targets = Int32Array.from(examples.targets!);
  for (const indices of attackers) {
    for (const index of indices) targets[index] = classes - 1 - targets[index]!;
  }
  return { info, examples: { ...examples, targets } };
}

function stampedHalf(set: ExampleSet, attackers: readonly Int32Array[], label: number): ExampleSet {
  const { info, examples } = set;
  if (label >= classesOf(set)) throw new ConfigError('attack.label', `there is no class ${label}`);
  const inputs = examples.inputs.slice();
  const targets = Int32Array.from(examples.targets!);
  const stamp = stampOf(set);
  for (const indices of attackers) {
    for (const [i, index] of indices.entries()) {
      if (i % 2 === 1) continue;
      stamp(inputs, index);
      targets[index] = label;
    }
  }
  return { info, examples: { ...examples, inputs, targets } };
}

/**
 * Test images that bear the stamp and are not of the class that it stands for, labelled with that
 * class: accuracy on them is how often the backdoor opens.
 */
export function backdoorTest(set: ExampleSet, label: number): ExampleSet {
  const { info, examples } = set;
  const others = [...examples.targets!.keys()].filter((i) => examples.targets![i] !== label);
  const width = examples.inputs.length / examples.count;
  const inputs = examples.inputs.slice(0, others.length * width);
  const stamp = stampOf(set);
  for (const [i, index] of others.entries()) {
    inputs.set(examples.inputs.subarray(index * width, (index + 1) * width), i * width);
    stamp(inputs, i);
  }
  const targets = new Int32Array(others.length).fill(label);
  const count = others.length;
  return { info: { ...info, count }, examples: { count, inputs, targets } };
}

const STAMP_PIXELS = 4;

/** A bright square in the last corner of an image (Gu et al. 2017, BadNets). */
function stampOf({
  info,
}: ExampleSet): (inputs: ExampleSet['examples']['inputs'], i: number) => void {
  const { shape, elements } = info;
  const [height, columns] = shape.slice(-2);
  if (shape.length < 2 || shape.length > 3 || elements.dtype === 'int32') {
    throw new ConfigError('attack.kind', 'a backdoor needs images', 'Choose another attack');
  }
  const channels = shape.length === 3 ? shape[0]! : 1;
  const bright = elements.dtype === 'uint8' ? 255 : 1;
  return (inputs, index) => {
    for (let channel = 0; channel < channels; channel++) {
      for (let row = height! - STAMP_PIXELS; row < height!; row++) {
        const end = ((index * channels + channel) * height! + row + 1) * columns!;
        inputs.fill(bright, end - STAMP_PIXELS, end);
      }
    }
  };
}

function classesOf({ info, examples }: ExampleSet): number {
  if (info.target.kind === 'classes' && examples.targets !== null) return info.target.count;
  throw new ConfigError('attack.kind', 'this attack needs data with classes');
}
