import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { shortHash, shortPeer } from '../lib/format.ts';
import type { Badge as BadgeText } from '../lib/jobs.ts';
import { Icon } from './icons.tsx';

interface Children {
  readonly children?: ComponentChildren;
}

/** A part of a page with its heading; `aside` stands at the heading's end. */
export function Section(
  props: Children & {
    readonly title: string;
    readonly note?: string | undefined;
    readonly aside?: ComponentChildren;
    readonly wide?: boolean;
  },
) {
  const id = useId();
  return (
    <section class={props.wide ? 'card card-wide' : 'card'} aria-labelledby={id}>
      <header class="card-head">
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </header>
      {props.note !== undefined && <p class="muted">{props.note}</p>}
      {props.children}
    </section>
  );
}

export function Badge({ text, tone }: BadgeText) {
  return <span class={`badge badge-${tone}`}>{text}</span>;
}

/** Something that went wrong, or should be known. */
export function Notice({ tone, children }: Children & { readonly tone: 'bad' | 'warn' | 'good' }) {
  return (
    <div class={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={tone === 'good' ? 'done' : 'warning'} />
      <div>{children}</div>
    </div>
  );
}

export const Failure = ({ text }: { readonly text: string | undefined }) =>
  text === undefined ? null : <Notice tone="bad">{text}</Notice>;

export type Fact = readonly [name: string, value: ComponentChildren];

export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** How much of something is taken; without a limit only how much. */
export function Meter(props: {
  readonly label: string;
  readonly value: number;
  readonly max: number | null;
  readonly text: string;
  /** Whether it is bad to come near the end. */
  readonly isCap?: boolean;
}) {
  const { label, value, max, text, isCap = false } = props;
  const part = max === null || max === 0 ? undefined : Math.min(1, value / max);
  return (
    <div class="meter">
      <div class="meter-words">
        <span>{label}</span>
        <span class="number">{text}</span>
      </div>
      {part !== undefined && (
        <progress
          class={isCap && part > 0.9 ? 'bar bar-high' : 'bar'}
          max={1}
          value={part}
          aria-label={`${label}: ${text}`}
        />
      )}
    </div>
  );
}

/** What moves inside its frame; the keyboard must reach it, too. */
export function Scrolled(props: Children & { readonly label: string; readonly name: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it only a pointer could scroll
    <section class={props.name} aria-label={props.label} tabIndex={0}>
      {props.children}
    </section>
  );
}

/** Long text that is shown short, and copied whole. */
function Copied(props: { readonly value: string; readonly shown: string; readonly what: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    await navigator.clipboard.writeText(props.value);
    setCopied(true);
  };
  return (
    <span class="copied">
      <code title={props.value}>{props.shown}</code>
      <button type="button" class="button-icon" onClick={() => void copy()}>
        <Icon name={isCopied ? 'done' : 'copy'} />
        <span class="hidden">{isCopied ? 'Copied' : `Copy ${props.what}`}</span>
      </button>
    </span>
  );
}

export const Hash = ({ value, what }: { readonly value: string; readonly what: string }) => (
  <Copied value={value} shown={shortHash(value)} what={`${what} ${shortHash(value)}`} />
);

export const Peer = ({ id }: { readonly id: string }) => (
  <Copied value={id} shown={shortPeer(id)} what={`peer id ${shortPeer(id)}`} />
);

export const PlainPeer = ({ id }: { readonly id: string }) => (
  <code title={id}>{shortPeer(id)}</code>
);

/** A multiaddress without its peer, to be broken at its slashes. */
export const Address = ({ of }: { readonly of: string }) => (
  <code>
    {of
      .replace(/\/p2p\/[^/]+$/, '')
      .split(/(?=\/)/)
      .map((part, i) => (
        <span key={`${i} ${part}`}>
          {part}
          <wbr />
        </span>
      ))}
  </code>
);

const PEER_ID = /(12D3KooW[1-9A-HJ-NP-Za-km-z]{44})/;

/** A sentence of the daemon, with the peer ids in it short. */
export const Words = ({ text }: { readonly text: string }) => (
  <>
    {text
      .split(PEER_ID)
      .map((part, i) => (i % 2 === 1 ? <PlainPeer key={`${i} ${part}`} id={part} /> : part))}
  </>
);

export const Empty = ({ children }: Children) => <p class="empty">{children}</p>;

export const Waiting = () => (
  <p class="empty" aria-busy="true">
    Asking the daemon…
  </p>
);

/** A question with one thing to do; escape and the button beside it do nothing. */
export function Confirm(
  props: Children & {
    readonly title: string;
    readonly action: string;
    readonly onConfirm: () => void;
    readonly onClose: () => void;
  },
) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={props.onClose}>
      <form method="dialog">
        <h2 id={id}>{props.title}</h2>
        {props.children}
        <div class="actions">
          <button type="submit" class="button">
            Keep it
          </button>
          <button type="submit" class="button button-danger" onClick={props.onConfirm}>
            {props.action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
