import { render } from 'preact';
import { applyKeptTheme } from './lib/theme.ts';
import { Root } from './root.tsx';

applyKeptTheme();
render(<Root />, document.getElementById('app')!);
