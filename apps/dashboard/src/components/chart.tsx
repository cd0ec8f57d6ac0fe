import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Curve } from '../lib/curves.ts';
import { colourOf, usePalette } from '../lib/theme.ts';
import { Table } from './table.tsx';

export interface ChartCurve extends Curve {
  readonly colour: '--curve-1' | '--curve-2';
  /** Told apart without colours, too. */
  readonly dash?: readonly number[];
}

export interface ChartProps {
  readonly title: string;
  readonly rounds: readonly number[];
  readonly curves: readonly ChartCurve[];
  readonly format: (value: number) => string;
  /** Where the vertical axis begins; the least value unless told. */
  readonly from?: number;
}

const HEIGHT = 190;

/** The legend says the newest values until the pointer asks for others. */
function showLast(chart: uPlot): void {
  if ((chart.cursor.left ?? -1) < 0) chart.setLegend({ idx: chart.data[0].length - 1 });
}

function optionsOf({ curves, format, from }: ChartProps, width: number): uPlot.Options {
  const [ink, grid] = [colourOf('--muted'), colourOf('--border')];
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    ...{ width, height: HEIGHT, legend: { live: true }, cursor: { y: false } },
    hooks: { draw: [showLast] },
    scales: {
      x: { time: false, range: (_, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) },
      y: {
        range: (_, min, max) => {
          const [least, most] = [from ?? min, max === min ? max + 1 : max];
          return [least, most + (most - least) * 0.08];
        },
      },
    },
    axes: [
      // A round has a whole number.
      {
        ...axis,
        size: 32,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000, 100_000],
      },
      { ...axis, size: 56, values: (_, ticks) => ticks.map(format) },
    ],
    series: [
      { label: 'Round' },
      ...curves.map(({ label, colour, dash = [] }) => ({
        ...{ label, stroke: colourOf(colour), width: 2, dash: [...dash], spanGaps: false },
        points: { size: 5 },
        value: (_: uPlot, value: number | null) => (value === null ? '–' : format(value)),
      })),
    ],
  };
}

/** Curves over rounds, and the same as a table. */
export function Chart(props: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const palette = usePalette();
  const { title, rounds, curves } = props;
  const data = [rounds, ...curves.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  // New data are no reason for a new chart, but other colours are.
  useEffect(() => {
    const { current } = frame;
    if (current === null) return;
    const chart = new uPlot(optionsOf(props, current.clientWidth), latest.current, current);
    plot.current = chart;
    const sizes = new ResizeObserver(() =>
      chart.setSize({ width: current.clientWidth, height: HEIGHT }),
    );
    sizes.observe(current);
    return () => {
      sizes.disconnect();
      chart.destroy();
    };
  }, [palette, curves.length]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [rounds]);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={frame} class="chart-frame" aria-hidden="true" />
      <InWords {...props} />
    </figure>
  );
}

/** The same as a table, which may be long: it is made when it is looked at. */
function InWords({ title, rounds, curves, format }: ChartProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{title} as a table</summary>
      {isOpen && (
        <Table
          caption={title}
          scrolls
          rows={rounds.map((_, i) => i)}
          keyOf={(i) => String(rounds[i])}
          columns={[
            { title: 'Round', cell: (i) => rounds[i] },
            ...curves.map(({ label, values }) => ({
              title: label,
              isNumber: true,
              cell: (i: number) => {
                const value = values[i] ?? null;
                return value === null ? '–' : format(value);
              },
            })),
          ]}
        />
      )}
    </details>
  );
}
