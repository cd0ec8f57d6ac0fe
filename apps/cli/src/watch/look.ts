import { type Style, styled } from '../terminal/style.ts';

/** How a screen may look: its size, and what its terminal can show. */
export interface Look {
  readonly columns: number;
  readonly rows: number;
  readonly unicode: boolean;
  readonly colour: boolean;
}

export const painter =
  ({ colour }: Pick<Look, 'colour'>) =>
  (style: Style, text: string): string =>
    colour ? styled(style, text) : text;

/** What the screens draw beside letters; dashes and dots too, since ASCII has not even those. */
export const glyphsOf = ({ unicode }: Pick<Look, 'unicode'>) =>
  unicode
    ? { done: '✓', running: '▶', toCome: '·', rule: '─', top: '┐', side: '│', none: '–' }
    : { done: '+', running: '>', toCome: '.', rule: '-', top: '+', side: '|', none: '-' };
