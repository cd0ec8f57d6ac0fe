/** Pages by the address's fragment: the daemon serves one file, and the token never stays there. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'swarm' }
  | { readonly page: 'jobs' }
  | { readonly page: 'job'; readonly id: string }
  | { readonly page: 'launch' }
  | { readonly page: 'data' }
  | { readonly page: 'privacy' }
  | { readonly page: 'settings' }
  | { readonly page: 'unknown' };

const PLAIN = ['overview', 'swarm', 'jobs', 'launch', 'data', 'privacy', 'settings'] as const;

/** @param fragment of the address, with its `#` */
export function routeOf(fragment: string): Route {
  const [name = '', id] = fragment.replace(/^#\/?/, '').split('/');
  if (name === '') return { page: 'overview' };
  if (name === 'jobs' && id !== undefined && id !== '') return { page: 'job', id: decoded(id) };
  const page = PLAIN.find((each) => each === name);
  return page === undefined || id !== undefined ? { page: 'unknown' } : { page };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const jobHref = (id: string): string => `#/jobs/${encodeURIComponent(id)}`;
