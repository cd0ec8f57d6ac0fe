import { fileURLToPath } from 'node:url';
import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
  logLevel: 'warn',
  build: {
    outDir: at('../cli/dist/dashboard'),
    emptyOutDir: true,
    // One file is quicker than two here, and a strict policy allows no inline polyfill.
    modulePreload: { polyfill: false },
    // `data:` addresses would need a hole in the policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
