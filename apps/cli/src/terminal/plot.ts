export interface PlotSize {
  /** Characters. */
  readonly width: number;
  readonly height: number;
  /** Braille, eight dots a character; else two dots a character in ASCII. */
  readonly unicode: boolean;
}

interface Cell {
  readonly columns: number;
  readonly rows: number;
  /** Of the bits of its dots, one column after the other from the top. */
  readonly character: (bits: number) => string;
}

/** Unicode numbers the dots of a braille cell 1 2 3 7 on the left, 4 5 6 8 on the right. */
const BRAILLE_BITS = [0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80];
const BRAILLE: Cell = {
  columns: 2,
  rows: 4,
  character: (bits) => {
    // Some fonts draw the empty one with eight small circles.
    if (bits === 0) return ' ';
    let code = 0x2800;
    for (const [dot, bit] of BRAILLE_BITS.entries()) if (bits & (1 << dot)) code += bit;
    return String.fromCharCode(code);
  },
};
const ASCII: Cell = { columns: 1, rows: 2, character: (bits) => " '.:"[bits]! };

/**
 * A curve through values at equal distances, from edge to edge; where there are more values than
 * dots, through the means of neighbours. Its lowest and highest value touch the lower and the upper
 * edge.
 * @param values at least one
 * @returns top line first, each of `width` characters
 */
export function plot(
  values: readonly number[],
  { width, height, unicode }: PlotSize,
): readonly string[] {
  const cell = unicode ? BRAILLE : ASCII;
  const columns = width * cell.columns;
  const rows = height * cell.rows;
  const points = values.length > columns ? meansOf(values, columns) : values;
  const [min, max] = [Math.min(...points), Math.max(...points)];
  const bits = new Uint8Array(width * height);
  const mark = (x: number, y: number) => {
    const at = Math.floor(y / cell.rows) * width + Math.floor(x / cell.columns);
    bits[at]! |= 1 << ((x % cell.columns) * cell.rows + (y % cell.rows));
  };
  const rowOf = (value: number) =>
    // A curve that is flat runs through the middle.
    max === min ? rows >> 1 : Math.round(((max - value) / (max - min)) * (rows - 1));
  let before = rowOf(points[0]!);
  for (const [x, value] of spread(points, columns).entries()) {
    const y = rowOf(value);
    // Steep parts are drawn through, so that the curve hangs together.
    const step = Math.sign(y - before);
    for (let between = before + step; step !== 0 && between !== y; between += step) {
      mark(x, between);
    }
    mark(x, y);
    before = y;
  }
  return Array.from({ length: height }, (_, row) =>
    Array.from(bits.subarray(row * width, (row + 1) * width), cell.character).join(''),
  );
}

/** A value for each column: points are where they are, so that no peak is lost, lines between. */
function spread(points: readonly number[], columns: number): readonly number[] {
  const last = points.length - 1;
  if (last === 0) return Array.from({ length: columns }, () => points[0]!);
  const columnOf = (i: number) => Math.round((i / last) * (columns - 1));
  const values: number[] = [];
  for (let i = 0; i < last; i++) {
    const [from, to] = [columnOf(i), columnOf(i + 1)];
    for (let x = from; x < to; x++) {
      values.push(points[i]! + ((points[i + 1]! - points[i]!) * (x - from)) / (to - from));
    }
  }
  return [...values, points[last]!];
}

function meansOf(values: readonly number[], count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
