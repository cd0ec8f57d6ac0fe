import { useEffect, useState } from 'preact/hooks';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'starling-theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

const kept = (): Theme => THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'system';

/** Told of every change of colours, the system's own too: a canvas does not follow style sheets. */
const CHANGED = 'starling-theme';

function apply(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

/** Before the first drawing, so that a dark page does not begin with a flash. */
export const applyKeptTheme = (): void => apply(kept());

export function useTheme(): readonly [Theme, () => void] {
  const [theme, setTheme] = useState(kept);
  useEffect(() => {
    apply(theme);
    localStorage.setItem(KEY, theme);
    dispatchEvent(new Event(CHANGED));
  }, [theme]);
  const next = () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!);
  return [theme, next];
}

/** A number that changes with the colours. */
export function usePalette(): number {
  const [palette, setPalette] = useState(0);
  useEffect(() => {
    const change = () => setPalette((value) => value + 1);
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', change);
    addEventListener(CHANGED, change);
    return () => {
      system.removeEventListener('change', change);
      removeEventListener(CHANGED, change);
    };
  }, []);
  return palette;
}

/** A colour of the style sheet as a canvas takes it. */
export function colourOf(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
