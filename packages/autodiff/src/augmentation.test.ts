import { GraphBuilder, type Tensor, tensorOf } from '@starling/onnx';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { feedsOf, openGraph } from '../../../test/helpers/run-graph.ts';
import { imageMoves, movedImages, NOISE_WORDS, noiseWords, withNoise } from './augmentation.ts';
import { createGenerator } from './index.ts';
import { Ops } from './ops.ts';

async function run(
  write: (g: Ops) => string,
  tensors: Readonly<Record<string, Tensor>>,
): Promise<number[]> {
  const g = new Ops(new GraphBuilder());
  for (const [name, type] of Object.entries(tensors)) g.builder.input(name, type);
  const graph = g.builder.finish('augment', [g.builder.named(write(g), 'y')]);
  const session = await openGraph(graph);
  const results = await session.run(feedsOf(tensors));
  await session.release();
  return Array.from(results['y']!.data as Float32Array);
}

/** One image mirrored and cut by plain loops; the drawn numbers read back into what they mean. */
function moved(
  image: readonly number[],
  [channels, height, width]: readonly [number, number, number],
  { crop, step, first }: { crop: number; step: number; first: number },
): number[] {
  const wide = width + 2 * crop;
  const start = first - (step === -1 ? width - 1 : 0);
  const [top, left] = [Math.floor(start / wide), start % wide];
  expect(top).toBeLessThanOrEqual(2 * crop);
  expect(left).toBeLessThanOrEqual(2 * crop);
  const at = (c: number, y: number, x: number) =>
    y < 0 || y >= height || x < 0 || x >= width ? 0 : image[(c * height + y) * width + x]!;
  return Array.from({ length: channels * height * width }, (_, i) => {
    const [c, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const column = step === -1 ? width - 1 - x : x;
    return at(c, y + top - crop, column + left - crop);
  });
}

test('images are mirrored and cut as loops over their pixels would', async () => {
  const settings = fc.record({
    flip: fc.boolean(),
    crop: fc.integer({ min: 0, max: 3 }),
    channels: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 1, max: 5 }),
    width: fc.integer({ min: 1, max: 5 }),
    count: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(settings, async ({ flip, crop, channels, height, width, count, seed }) => {
      const example = channels === 1 ? [height, width] : [channels, height, width];
      const generator = createGenerator(seed);
      const moves = imageMoves({ flip, crop, noise: 0 }, example, count, generator);
      const size = channels * height * width;
      const pixels = Array.from({ length: count * size }, (_, i) => i + 1);
      const made = await run((g) => movedImages(g, 'x', 'moves', crop), {
        x: tensorOf('float32', [count, ...example], pixels),
        moves: tensorOf('int32', [count, 2], moves),
      });
      const wanted = Array.from({ length: count }, (_, i) => {
        const image = pixels.slice(i * size, (i + 1) * size);
        const place = { crop, step: moves[2 * i]!, first: moves[2 * i + 1]! };
        return moved(image, [channels, height, width], place);
      });
      expect(made).toEqual(wanted.flat());
    }),
    { numRuns: 40 },
  );
});

test('every place and both sides are drawn, and as often as each other', () => {
  const drawn = imageMoves({ flip: true, crop: 1, noise: 0 }, [4, 4], 18_000, createGenerator(3));
  const counts = new Map<string, number>();
  for (let i = 0; i < drawn.length; i += 2) {
    const key = `${drawn[i]} ${drawn[i + 1]}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  expect(counts.size).toBe(18);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test('noise is normal, of the deviation asked for, and follows from its words', async () => {
  const size = 20_000;
  const noise = (seed: number) =>
    run((g) => withNoise(g, 'x', 'words', 0.5), {
      x: tensorOf('float32', [size], new Array(size).fill(2)),
      words: tensorOf('int32', [NOISE_WORDS], noiseWords(1, createGenerator(seed))),
    });
  const first = await noise(1);
  expect(await noise(1)).toEqual(first);
  expect(await noise(2)).not.toEqual(first);
  const sorted = first.map((value) => (value - 2) / 0.5).sort((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / size;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  // Quantiles of the normal distribution.
  for (const [part, quantile] of [
    [0.025, -1.95996],
    [0.1587, -1],
    [0.8413, 1],
    [0.975, 1.95996],
  ] as const) {
    expect(Math.abs(sorted[Math.floor(part * size)]! - quantile)).toBeLessThan(0.06);
  }
});
