import { useEffect, useMemo, useState } from 'preact/hooks';
import { App } from './app.tsx';
import { createApi } from './lib/api.ts';
import { ServicesContext } from './lib/hooks.ts';
import { forgetToken, takeToken } from './lib/session.ts';
import { Store } from './lib/store.ts';
import { NoToken } from './pages/no-token.tsx';

/** The pages for who has the token, and how to get it for others. */
export function Root() {
  const [token, setToken] = useState(() => takeToken(window));
  const [wasRefused, setRefused] = useState(false);
  useEffect(() => {
    // A new address of `starling dashboard` in a tab that is open already.
    const change = () => {
      const given = takeToken(window);
      if (given !== undefined) setToken(given);
    };
    addEventListener('hashchange', change);
    change();
    return () => removeEventListener('hashchange', change);
  }, []);
  const services = useMemo(() => {
    if (token === undefined) return undefined;
    setRefused(false);
    const api = createApi(token, () => {
      forgetToken(window);
      setRefused(true);
      setToken(undefined);
    });
    return { api, store: new Store(api) };
  }, [token]);
  useEffect(() => {
    if (services === undefined) return;
    const { store } = services;
    const look = () => (document.visibilityState === 'visible' ? store.start() : store.stop());
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      store.stop();
    };
  }, [services]);
  if (services === undefined) return <NoToken wasRefused={wasRefused} />;
  return (
    <ServicesContext.Provider value={services}>
      <App />
    </ServicesContext.Provider>
  );
}
