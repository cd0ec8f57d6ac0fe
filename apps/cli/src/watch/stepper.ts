import { type LiveRound, ROUND_PHASES } from '@starling/control';
import { lengthOf } from '../table.ts';
import { timeText } from '../terminal/bar.ts';
import { glyphsOf, type Look, painter } from './look.ts';

const GAP = '  ';

/**
 * The phases of a running round in their order: done with how long they took, the one that goes on,
 * those to come. As many lines as the width asks for.
 * @param now milliseconds since 1970, by the daemon's clock
 */
export function stepperLines(live: LiveRound, now: number, look: Look): readonly string[] {
  const paint = painter(look);
  const { done, running, toCome } = glyphsOf(look);
  const steps = live.phases.map(({ phase, startedAt, seconds }) => {
    // A clock of another machine may be behind.
    const text = `${phase} ${secondsText(seconds ?? Math.max(0, now - startedAt) / 1000)}`;
    return seconds === null
      ? paint('bold', `${running} ${text}`)
      : paint('green', `${done} ${text}`);
  });
  const last = live.phases.at(-1)?.phase ?? live.phase;
  const rest = ROUND_PHASES.slice(ROUND_PHASES.indexOf(last) + 1);
  return flow([...steps, ...rest.map((phase) => paint('dim', `${toCome} ${phase}`))], look.columns);
}

/** Words beside each other, in lines of at most `columns`. */
export function flow(words: readonly string[], columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    const longer = `${line}${GAP}${word}`;
    if (line === undefined || lengthOf(longer) > columns) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

const secondsText = (seconds: number): string =>
  seconds < 100 ? `${seconds.toFixed(1)}s` : timeText(seconds);
