import type { ComponentChildren } from 'preact';
import { Scrolled } from './basics.tsx';

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => ComponentChildren;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
}

/**
 * Rows with a caption; the first column names the row. On a narrow screen rows become cards, or,
 * with `scrolls`, the table moves inside its frame.
 */
export function Table<T>(props: {
  readonly caption: string;
  readonly showCaption?: boolean;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T, index: number) => string;
  readonly scrolls?: boolean;
}) {
  const { caption, columns, rows, keyOf, scrolls = false } = props;
  const table = (
    <table class={scrolls ? 'table' : 'table table-cards'}>
      <caption class={props.showCaption ? '' : 'hidden'}>{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ title, isNumber }) => (
            <th key={title} scope="col" class={isNumber ? 'number' : ''}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={keyOf(row, i)}>
            {columns.map(({ title, cell, isNumber }, column) =>
              column === 0 ? (
                <th key={title} scope="row">
                  {cell(row)}
                </th>
              ) : (
                <td key={title} class={isNumber ? 'number' : ''} data-label={title}>
                  {cell(row)}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (!scrolls) return table;
  return (
    <Scrolled label={caption} name="scroll">
      {table}
    </Scrolled>
  );
}
