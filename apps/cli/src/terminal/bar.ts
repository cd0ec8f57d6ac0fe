/** @param part of the whole, from 0 to 1 */
export function bar(part: number, width: number, unicode: boolean): string {
  const within = Math.min(1, Math.max(0, Number.isFinite(part) ? part : 0));
  const done = Math.floor(within * width);
  const [full, empty] = unicode ? ['━', '─'] : ['#', '-'];
  return full!.repeat(done) + empty!.repeat(width - done);
}

/** For instance 45 s, 3 min 20 s, 2 h 5 min: two units at most. */
export function timeText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
