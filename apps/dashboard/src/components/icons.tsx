/** Strokes on a square of 24; each icon stands beside words, so none is read aloud. */
const PATHS = {
  overview: ['M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z'],
  swarm: [
    'M12 12 6 6M12 12l6-5M12 12l5 6M12 12l-6 5M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
    'M5 6a1 1 0 1 0 2 0 1 1 0 1 0-2 0M17 7a1 1 0 1 0 2 0 1 1 0 1 0-2 0',
    'M16 18a1 1 0 1 0 2 0 1 1 0 1 0-2 0M5 17a1 1 0 1 0 2 0 1 1 0 1 0-2 0',
  ],
  jobs: ['M4 6h10M4 12h16M4 18h7'],
  launch: ['M12 19V5M6 11l6-6 6 6'],
  data: ['M4 6c0-3 16-3 16 0v12c0 3-16 3-16 0zM4 6c0 3 16 3 16 0M4 12c0 3 16 3 16 0'],
  privacy: ['M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM9 12l2 2 4-4'],
  settings: [
    'M4 7h9M17 7h3M4 17h3M11 17h9',
    'M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  ],
  menu: ['M4 6h16M4 12h16M4 18h16'],
  close: ['M6 6l12 12M18 6 6 18'],
  copy: ['M9 9h11v11H9zM15 9V4H4v11h5'],
  done: ['M5 13l4 4L19 7'],
  warning: ['M12 4 2.5 20h19zM12 10v5M12 17.5v.5'],
  download: ['M12 4v11M7 11l5 5 5-5M4 20h16'],
  light: [
    'M12 8a4 4 0 1 0 0 8 4 4 0 1 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3',
    'M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2',
  ],
  dark: ['M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10z'],
  system: ['M3 5h18v11H3zM9 20h6M12 16v4'],
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name].join('')} />
    </svg>
  );
}
