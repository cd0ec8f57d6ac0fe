/** Where the token is kept: for this tab alone, until it is closed. */
const KEY = 'starling-token';

/** What `starling dashboard` puts behind the `#` of the address. */
export function tokenIn(fragment: string): string | undefined {
  return /^#token=([A-Za-z0-9_-]{16,256})$/.exec(fragment)?.[1];
}

/** The token, after it is out of the address bar and of the history. */
export function takeToken({ location, history, sessionStorage }: Window): string | undefined {
  const given = tokenIn(location.hash);
  if (given === undefined) return sessionStorage.getItem(KEY) ?? undefined;
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  sessionStorage.setItem(KEY, given);
  return given;
}

export const forgetToken = ({ sessionStorage }: Window): void => sessionStorage.removeItem(KEY);
