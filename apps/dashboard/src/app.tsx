import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure } from './components/basics.tsx';
import { Icon, type IconName } from './components/icons.tsx';
import { shortPeer } from './lib/format.ts';
import { useRoute, useSnapshot } from './lib/hooks.ts';
import { needsApproval } from './lib/jobs.ts';
import type { Route } from './lib/router.ts';
import { useTheme } from './lib/theme.ts';
import { DataPage } from './pages/data.tsx';
import { JobPage } from './pages/job.tsx';
import { JobsPage } from './pages/jobs.tsx';
import { LaunchPage } from './pages/launch.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { PrivacyPage } from './pages/privacy.tsx';
import { SettingsPage } from './pages/settings.tsx';
import { SwarmPage } from './pages/swarm.tsx';

const LINKS: readonly (readonly [page: Route['page'] & IconName, title: string])[] = [
  ['overview', 'Overview'],
  ['swarm', 'Swarm'],
  ['jobs', 'Jobs'],
  ['launch', 'Launch'],
  ['data', 'Data'],
  ['privacy', 'Privacy'],
  ['settings', 'Settings'],
];

function Page({ route }: { readonly route: Route }) {
  switch (route.page) {
    case 'overview':
      return <OverviewPage />;
    case 'swarm':
      return <SwarmPage />;
    case 'jobs':
      return <JobsPage />;
    case 'job':
      return <JobPage key={route.id} id={route.id} />;
    case 'launch':
      return <LaunchPage />;
    case 'data':
      return <DataPage />;
    case 'privacy':
      return <PrivacyPage />;
    case 'settings':
      return <SettingsPage />;
    case 'unknown':
      return (
        <>
          <h1>No such page</h1>
          <p>
            <a href="#/overview">Go to the overview</a>
          </p>
        </>
      );
  }
}

export function App() {
  const route = useRoute();
  const { failure, said } = useSnapshot();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const title = titleOf(route);
  useEffect(() => {
    document.title = `${title} · Starling`;
    if (!isFirst.current) {
      main.current?.focus();
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [location.hash, title]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header route={route} />
      <main id="main" ref={main} tabIndex={-1}>
        <Failure text={failure} />
        <Page route={route} />
      </main>
      <div class="hidden" aria-live="polite">
        {said}
      </div>
    </>
  );
}

const titleOf = ({ page }: Route): string =>
  LINKS.find(([name]) => name === page)?.[1] ?? (page === 'job' ? 'Job' : 'No such page');

function Header({ route }: { readonly route: Route }) {
  const [isOpen, setOpen] = useState(false);
  const { status, jobs, isLive } = useSnapshot();
  const [theme, nextTheme] = useTheme();
  const waiting = jobs?.filter((job) => needsApproval(job, status?.peerId)).length ?? 0;
  const current = route.page === 'job' ? 'jobs' : route.page;
  return (
    <header class="bar-top">
      <div class="brand">
        <a href="#/overview" class="brand-name">
          Starling
        </a>
        <span class="brand-peer" title={status?.peerId}>
          {status === undefined ? '' : `${status.network} · ${shortPeer(status.peerId)}`}
        </span>
      </div>
      <button
        type="button"
        class="button-icon menu"
        aria-expanded={isOpen}
        aria-controls="pages"
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name={isOpen ? 'close' : 'menu'} />
        <span class="hidden">Pages</span>
      </button>
      <nav id="pages" class={isOpen ? 'pages pages-open' : 'pages'} aria-label="Pages">
        <ul>
          {LINKS.map(([page, title]) => (
            <li key={page}>
              <a
                href={`#/${page}`}
                aria-current={page === current ? 'page' : undefined}
                onClick={() => setOpen(false)}
              >
                <Icon name={page} />
                <span>{title}</span>
                {page === 'jobs' && waiting > 0 && (
                  <span class="count">
                    {waiting}
                    <span class="hidden"> waiting for approval</span>
                  </span>
                )}
              </a>
            </li>
          ))}
        </ul>
        <div class="pages-foot">
          <span class={isLive ? 'pulse pulse-live' : 'pulse'}>{isLive ? 'live' : 'asking'}</span>
          <button type="button" class="button-icon" onClick={nextTheme}>
            <Icon name={theme} />
            <span class="hidden">Colours: {theme}. Change</span>
          </button>
        </div>
      </nav>
    </header>
  );
}
