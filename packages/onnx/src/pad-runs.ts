/** A stretch of positions along one axis of a padded value that shows a stretch of the input. */
export interface PadRun {
  /** First position in the output. */
  readonly start: number;
  readonly length: number;
  /** Input position that the first one shows, and the change from one to the next. */
  readonly from: number;
  readonly step: -1 | 0 | 1;
}

/** Input position that is shown at `position`, counted from the input's start. */
function sourceOf(mode: string, position: number, size: number): number {
  if (mode === 'edge' || size === 1) return Math.min(Math.max(position, 0), size - 1);
  if (mode === 'wrap') return ((position % size) + size) % size;
  const period = 2 * (size - 1);
  const folded = ((position % period) + period) % period;
  return folded < size ? folded : period - folded;
}

/**
 * The runs of one axis of `size`, from start to end, that became `begin` and `end` cells longer (or
 * shorter) in `mode` reflect, edge or wrap. What is cut off at one end is not shown at the other,
 * as in ONNX Runtime.
 */
export function padRuns(mode: string, size: number, begin: number, end: number): readonly PadRun[] {
  const first = Math.max(0, -begin);
  const left = size - first - Math.max(0, -end);
  const length = size + begin + end;
  const shown = (position: number) => first + sourceOf(mode, position - Math.max(0, begin), left);
  const runs: PadRun[] = [];
  for (let start = 0; start < length; ) {
    const from = shown(start);
    const change = start + 1 < length ? shown(start + 1) - from : 1;
    const step = change === -1 || change === 0 ? change : 1;
    let stop = start + 1;
    while (stop < length && shown(stop) - shown(stop - 1) === step) stop++;
    runs.push({ start, length: stop - start, from, step });
    start = stop;
  }
  return runs;
}
