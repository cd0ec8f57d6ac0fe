import { Notice } from '../components/basics.tsx';

export function NoToken({ wasRefused }: { readonly wasRefused: boolean }) {
  return (
    <main class="gate">
      <h1>Starling</h1>
      {wasRefused && (
        <Notice tone="bad">The daemon does not take this page's token any more.</Notice>
      )}
      <p>
        This page shows what your daemon does, and lets you decide what it takes part in. It opens
        for whoever may use the daemon on its own machine. Run this there, and open the address that
        it prints:
      </p>
      <pre>
        <code>starling dashboard</code>
      </pre>
      <p class="muted">
        The address carries a token behind its #. It stays in this tab alone, and is gone when you
        close it.
      </p>
    </main>
  );
}
