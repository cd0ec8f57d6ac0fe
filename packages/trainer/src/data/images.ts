import { assert, errorMessage } from '@starling/core';
import { convertElements, type ElementPlan, Moments, planElements } from './elements.ts';
import type { FileStore, StoredFile } from './file-store.ts';
import type { DataOptions } from './options.ts';
import {
  corrupt,
  type DataSource,
  type Examples,
  type Progress,
  type SourceInfo,
  type TargetInfo,
  targetArray,
} from './source.ts';
import { byValue, type Findings } from './table-plan.ts';

/** Height, width, and channels in front where there are three. */
interface Frame {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

export interface ImagePlan extends Findings {
  readonly count: number;
}

const PIXELS_MAX = 100_000_000;
/** Images that are decoded at once. */
const AT_ONCE = 16;

/**
 * The images of a folder that has one folder for each class, or of one without classes. They come
 * in the order of their file names, whatever their class, so that neighbours differ in class where
 * names are numbers.
 */
export const inReadingOrder = (files: readonly StoredFile[]): readonly StoredFile[] =>
  [...files].sort((a, b) => {
    const [left, right] = [fileName(a), fileName(b)];
    if (left !== right) return left < right ? -1 : 1;
    return a.path < b.path ? -1 : 1;
  });

const fileName = ({ path }: StoredFile) => path.slice(path.lastIndexOf('/') + 1);
const classOf = ({ path }: StoredFile) => (path.includes('/') ? path.split('/')[0]! : null);

/**
 * Decodes every image once.
 * @param images in reading order
 * @throws ProtocolError `dataset-corrupt` naming the file
 */
export async function planImages(
  store: FileStore,
  images: readonly StoredFile[],
  options: DataOptions,
  progress?: Progress,
): Promise<ImagePlan> {
  const notes: string[] = [];
  const problems: string[] = [];
  const shape = options.shape ?? (await shapeOf(store, images[0]!));
  if (options.shape === undefined) notes.push(`the shape is that of ${images[0]!.path}`);
  const { target, histogram, problem } = planTarget(images, options, notes);
  const seen = new Moments();
  for (let from = 0; from < images.length; from += AT_ONCE) {
    const block = images.slice(from, from + AT_ONCE);
    const resized = options.shape !== undefined;
    for (const pixels of await decodeAll(store, block, frameOf(shape), resized)) {
      for (let i = 0; i < pixels.length; i++) seen.add(pixels[i]!);
    }
    progress?.(from + block.length, images.length);
  }
  const normalise = options.normalise ?? { kind: 'scale', factor: 1 / 255 };
  if (problem !== undefined) problems.push(problem);
  return {
    ...{ shape, target, histogram, notes, problems, count: images.length, range: seen.range },
    elements: planElements(normalise, [seen], true),
  };
}

function planTarget(
  images: readonly StoredFile[],
  { classes }: DataOptions,
  notes: string[],
): { target: TargetInfo; histogram: readonly number[]; problem?: string } {
  const folders = new Map<string | null, number>();
  for (const image of images) {
    folders.set(classOf(image), (folders.get(classOf(image)) ?? 0) + 1);
  }
  const found = [...folders.keys()].filter((name) => name !== null).sort(byValue);
  if (found.length === 0) return { target: { kind: 'none' }, histogram: [] };
  const names = typeof classes === 'object' ? classes : found;
  if (classes === undefined) notes.push(`${found.length} classes, in the order of folder names`);
  const target: TargetInfo = { kind: 'classes', count: names.length, names };
  const histogram = names.map((name) => folders.get(name) ?? 0);
  const unknown = found.find((name) => !names.includes(name));
  if (folders.has(null)) {
    const stray = images.find((image) => classOf(image) === null)!;
    const problem = `${stray.path} lies in no class's folder`;
    return { target, histogram, problem };
  }
  if (unknown !== undefined) {
    return { target, histogram, problem: `folder "${unknown}" is not among --classes` };
  }
  if (typeof classes === 'number' && classes !== found.length) {
    const counts = `${found.length} folders of classes, not ${classes}`;
    const problem = `${counts}; give --classes their names`;
    return { target, histogram, problem };
  }
  return { target, histogram };
}

function frameOf(shape: readonly number[]): Frame {
  const [channels, height, width] = shape.length === 2 ? [1, ...shape] : shape;
  if (shape.length > 3 || width === undefined || (channels !== 1 && channels !== 3)) {
    const remedy = 'Images are HEIGHTxWIDTH in grey, or 3xHEIGHTxWIDTH in colour';
    throw corrupt(`--shape ${shape.join('x')}`, 'no shape of images', remedy);
  }
  if (channels * height! * width > PIXELS_MAX) {
    const remedy = `An image may have ${PIXELS_MAX} numbers at most`;
    throw corrupt(`${shape.join('x')}`, 'too large', remedy);
  }
  return { channels, height: height!, width };
}

/** libvips is a large native library: it is loaded by who has images. */
async function loadSharp() {
  const { default: sharp } = await import('sharp');
  // Images are read once: what libvips keeps would only take memory.
  sharp.cache(false);
  return sharp;
}

async function shapeOf(store: FileStore, image: StoredFile): Promise<readonly number[]> {
  const sharp = await loadSharp();
  const { name, bytes } = await contents(store, image);
  try {
    const { width, height, channels } = await sharp(bytes).metadata();
    return channels >= 3 ? [3, height, width] : [height, width];
  } catch (error) {
    throw corrupt(name, errorMessage(error), 'Open it in an image viewer; remove or replace it');
  }
}

async function contents(store: FileStore, { path }: StoredFile) {
  const file = await store.open(path);
  try {
    return { name: file.name, bytes: await file.read(0, file.byteLength) };
  } finally {
    await file.close();
  }
}

/** @param resized whether images of other sizes are made to fit, else they are refused */
function decodeAll(
  store: FileStore,
  images: readonly StoredFile[],
  frame: Frame,
  resized: boolean,
): Promise<readonly Uint8Array[]> {
  return Promise.all(images.map((image) => decode(store, image, frame, resized)));
}

async function decode(store: FileStore, image: StoredFile, frame: Frame, resized: boolean) {
  const sharp = await loadSharp();
  const { name, bytes } = await contents(store, image);
  const { channels, height, width } = frame;
  let decoded: { readonly data: Buffer; readonly info: { width: number; height: number } };
  try {
    let pipeline = sharp(bytes, { limitInputPixels: PIXELS_MAX }).removeAlpha();
    if (resized) pipeline = pipeline.resize(width, height, { fit: 'fill' });
    pipeline = pipeline.toColourspace(channels === 1 ? 'b-w' : 'srgb');
    decoded = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    throw corrupt(name, errorMessage(error), 'Open it in an image viewer; remove or replace it');
  }
  const { data, info } = decoded;
  if (info.width !== width || info.height !== height || data.length !== channels * height * width) {
    const found = `${info.height} by ${info.width}, others are ${height} by ${width}`;
    throw corrupt(name, found, 'Give --shape, and all are resized');
  }
  return channels === 1 ? data : planes(data, channels);
}

/** Channels behind each other, as models take them, from channels side by side. */
function planes(pixels: Uint8Array, channels: number): Uint8Array {
  const size = pixels.length / channels;
  const out = new Uint8Array(pixels.length);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < channels; c++) out[c * size + i] = pixels[channels * i + c]!;
  }
  return out;
}

export interface ImageSourceParts {
  readonly info: SourceInfo;
  readonly elements: ElementPlan;
  readonly store: FileStore;
  /** In reading order. */
  readonly images: readonly StoredFile[];
}

/** Examples from image files, each opened when it is read. */
export class ImageSource implements DataSource {
  readonly info: SourceInfo;
  readonly #parts: ImageSourceParts;

  constructor(parts: ImageSourceParts) {
    this.info = parts.info;
    this.#parts = parts;
  }

  async read(from: number, count: number): Promise<Examples> {
    const { info, elements, store, images } = this.#parts;
    assert(from >= 0 && from + count <= info.count, `examples ${from} to ${from + count}`);
    const frame = frameOf(info.shape);
    const size = frame.channels * frame.height * frame.width;
    const pixels = new Uint8Array(count * size);
    for (let at = 0; at < count; at += AT_ONCE) {
      const block = images.slice(from + at, from + Math.min(at + AT_ONCE, count));
      const decoded = await decodeAll(store, block, frame, true);
      for (const [i, image] of decoded.entries()) pixels.set(image, (at + i) * size);
    }
    const targets = targetArray(info.target, count);
    if (info.target.kind === 'classes') {
      const { names } = info.target;
      for (let i = 0; i < count; i++) {
        targets![i] = names!.indexOf(classOf(images[from + i]!)!);
      }
    }
    return { count, inputs: convertElements(elements, pixels, size), targets };
  }

  close(): Promise<void> {
    return this.#parts.store.close();
  }
}
