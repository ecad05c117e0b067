// Microsoft's scopes: a resource and a permission of it, beside the few that are about the sign-in.

const GRAPH = 'https://graph.microsoft.com/';
const EXCHANGE = 'https://outlook.office.com/';

const PERMISSIONS = {
  [GRAPH]: ['User.Read', 'Mail.Read', 'Mail.ReadWrite', 'Mail.Send', 'Calendars.Read', 'Calendars.ReadWrite', 'Contacts.Read',
    'Contacts.ReadWrite', 'IMAP.AccessAsUser.All', 'POP.AccessAsUser.All', 'SMTP.Send'],
  [EXCHANGE]: ['IMAP.AccessAsUser.All', 'POP.AccessAsUser.All', 'SMTP.Send'],
};

export const SIGN_IN = ['openid', 'email', 'profile'];

// oidc-provider has rules of its own for `offline_access`, so inside it has another name.
const OFFLINE = 'lasting';

export const ALL = [...SIGN_IN, OFFLINE, ...Object.entries(PERMISSIONS).flatMap(([resource, names]) => names.map((name) => resource + name))];

const BY_LOWER = new Map(ALL.map((scope) => [scope.toLowerCase(), scope]));

/** Reads one scope, in whatever spelling Microsoft takes it; nothing when there is none such. */
function readOne(scope) {
  if (scope === 'offline_access') return OFFLINE;
  if (scope === OFFLINE) return undefined;
  const spelt = scope.toLowerCase().replace(/^https:\/\/outlook\.office365\.com\//, EXCHANGE);
  const whole = spelt.includes('/') || SIGN_IN.includes(spelt) ? spelt : `${GRAPH}${spelt}`;
  const found = BY_LOWER.get(whole);
  if (found) return found;
  return [GRAPH, EXCHANGE].includes(whole.replace(/\.default$/, '')) && whole.endsWith('/.default') ? whole : undefined;
}

/** Reads a list: what is known, what is not, and the resources that it names. */
export function read(list) {
  const asked = [...new Set(String(list ?? '').split(' ').filter(Boolean))];
  const pairs = asked.map((scope) => [scope, readOne(scope)]);
  const known = [...new Set(pairs.map(([, scope]) => scope).filter(Boolean))];
  return {
    known,
    unknown: pairs.filter(([, scope]) => !scope).map(([scope]) => scope),
    resources: [...new Set(known.map(resourceOf).filter(Boolean))],
  };
}

/** The resource of a scope; the scopes of the sign-in have none. */
export function resourceOf(scope) {
  return scope.includes('/') ? `${scope.split('/').slice(0, 3).join('/')}/` : undefined;
}

/** `.default` stands for every permission that was granted or may be. */
export const expand = (known) => known.flatMap((scope) => (
  scope.endsWith('/.default') ? PERMISSIONS[resourceOf(scope)].map((name) => resourceOf(scope) + name) : [scope]
));

/** The permissions for which a strict organisation wants its administrator. */
export const sensitive = (scopes) => scopes.filter((scope) => resourceOf(scope) && scope !== `${GRAPH}User.Read`);

/** A scope as consent pages and replies write it. */
export const spell = (scope) => (scope === OFFLINE ? 'offline_access' : scope);

export const isLasting = (scopes) => scopes.includes(OFFLINE);

export const isGraph = (scopes) => scopes.every((scope) => [undefined, GRAPH].includes(resourceOf(scope)));

/** What one access token may hold of what was granted: the sign-in and a single resource. */
export function narrow(granted, resource) {
  return granted.filter((scope) => scope !== OFFLINE && [undefined, resource].includes(resourceOf(scope)));
}
