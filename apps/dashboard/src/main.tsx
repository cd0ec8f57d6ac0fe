import { render } from 'preact';
import { Root } from './root.tsx';

render(<Root />, document.getElementById('app')!);
