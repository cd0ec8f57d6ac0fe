import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import { type Api, messageOf } from './api.ts';
import { type Route, routeOf } from './router.ts';
import type { Snapshot, Store } from './store.ts';

export interface Services {
  readonly api: Api;
  readonly store: Store;
}
export const ServicesContext = createContext<Services | undefined>(undefined);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (services === undefined) throw new Error('no services around this component');
  return services;
}

/** The shared state, and a new look whenever it changes. */
export function useSnapshot(): Snapshot {
  const { store } = useServices();
  const [snapshot, setSnapshot] = useState(store.snapshot);
  useEffect(() => {
    setSnapshot(store.snapshot);
    return store.subscribe(() => setSnapshot(store.snapshot));
  }, [store]);
  return snapshot;
}

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly failure: string | undefined;
  reload(): void;
}

/**
 * What a path answers.
 * @param everyMs how often it is asked for again while the page is seen; once unless told
 */
export function useLoaded<T>(path: string, everyMs?: number): Loaded<T> {
  const { api } = useServices();
  const [answer, setAnswer] = useState<{ path: string; data?: T; failure?: string }>({ path });
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    const ask = async () => {
      try {
        const data = await api.get<T>(path, ending.signal);
        setAnswer({ path, data });
      } catch (error) {
        if (ending.signal.aborted) return;
        setAnswer((before) => ({ ...before, path, failure: messageOf(error) }));
      }
    };
    void ask();
    const timer =
      everyMs === undefined
        ? undefined
        : setInterval(() => document.visibilityState === 'visible' && void ask(), everyMs);
    return () => {
      ending.abort();
      clearInterval(timer);
    };
  }, [api, path, everyMs, asked]);
  const reload = useCallback(() => setAsked((times) => times + 1), []);
  const isOwn = answer.path === path;
  return {
    data: isOwn ? answer.data : undefined,
    failure: isOwn ? answer.failure : undefined,
    reload,
  };
}

export interface Action {
  readonly isRunning: boolean;
  readonly failure: string | undefined;
  /** Runs one thing at a time; what it throws becomes `failure`. */
  run(work: () => Promise<void>): Promise<void>;
}

export function useAction(): Action {
  const [isRunning, setRunning] = useState(false);
  const [failure, setFailure] = useState<string>();
  const busy = useRef(false);
  const run = useCallback(async (work: () => Promise<void>) => {
    if (busy.current) return;
    busy.current = true;
    setRunning(true);
    setFailure(undefined);
    try {
      await work();
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      busy.current = false;
      setRunning(false);
    }
  }, []);
  return { isRunning, failure, run };
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const change = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', change);
    // It may have changed between the drawing and now.
    change();
    return () => removeEventListener('hashchange', change);
  }, []);
  return route;
}

/** The time, told again so often; for what goes on at the moment. */
export function useNow(everyMs: number, isWanted: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isWanted) return;
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isWanted]);
  return now;
}
