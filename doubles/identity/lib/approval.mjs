// Organisations in which only an administrator may let applications in: the page that stops the others, and the
// administrator's own.

import { readForm } from './core.mjs';
import { describe, nameOf, pageError } from './aadsts.mjs';
import { failure, page, text } from './html.mjs';
import { address, domainOf, isPersonal, tenantOf } from './people.mjs';
import { expand, read, sensitive, spell } from './scopes.mjs';

const STRICT = 'needs-approval.example';

const approvedFor = (state, client, tenant) => {
  const key = `${client}|${tenant}`;
  if (!state.approvals.has(key)) state.approvals.set(key, new Set());
  return state.approvals.get(key);
};

/** What an administrator has approved for everybody in this person's organisation. */
export const approved = (state, client, person) => approvedFor(state, client, tenantOf(domainOf(person)));

/** Stands in for the consent page where an administrator has to be asked first; else nothing. */
export function detour({ state, interaction, ctx, ...asked }, person, scopes) {
  const { client_id: client } = interaction.params;
  const settings = state.settings(client);
  const strict = [STRICT, ...(settings.approval_domains ?? [])].includes(domainOf(person));
  const given = approved(state, client, person);
  // What belongs to no resource goes with the rest; who only signs in needs nobody.
  const needed = sensitive(scopes).length ? scopes : [];
  if (isPersonal(person) || !strict || needed.every((scope) => given.has(scope))) return undefined;
  return (finish) => {
    if (ctx.query.step === 'return') {
      const error = settings.approval_error ?? 'access_denied';
      return finish({ ctx, ...asked }, { error, error_description: describe(90094) });
    }
    return page(ctx, 200, 'microsoft', 'Need admin approval', `<p id="person">${text(person)}</p>
<p>${text(settings.name ?? 'The application')} needs permission to access resources in your organization that only an admin can
grant. Please ask an admin to grant permission to this app before you can use it.</p>
<p><a id="return" href="?step=return">Return to the application without granting consent</a></p>`);
  };
}

/** Serves `/{tenant}/v2.0/adminconsent`, where an administrator approves for all. */
export async function adminConsent(ctx, state, tenant) {
  const { client_id: client, redirect_uri: target, scope, state: kept } = ctx.query;
  const form = ctx.method === 'POST' ? await readForm(ctx) : {};
  const entry = state.note('adminconsent', ctx, { ...ctx.query, ...form }, client);
  answer();
  entry.status = ctx.status;

  function back(pairs) {
    const query = new URLSearchParams([...pairs, ...(kept === undefined ? [] : [['state', kept]])]);
    ctx.status = 302;
    ctx.set('location', `${target}${target.includes('?') ? '&' : '?'}${query}`);
    ctx.body = '';
  }

  function answer() {
    const settings = state.settings(client);
    if (!settings.client_id) return pageError(ctx, 700016);
    if (!settings.redirect_uris.includes(target)) return pageError(ctx, 50011);
    if (['common', 'consumers'].includes(tenant)) return pageError(ctx, 90100);
    const { known, unknown } = read(scope);
    if (unknown.length || !known.length) return pageError(ctx, 70011);
    if (form.step === 'cancel') {
      return back([['admin_consent', 'True'], ['error', nameOf(65004)], ['error_description', describe(65004)], ['error_subcode', 'cancel']]);
    }
    const person = address(form.address);
    const asked = `<p>${text(settings.name ?? 'The application')} asks for these permissions for everybody in your organization:</p>
<ul>${known.map((one) => `<li>${text(spell(one))}</li>`).join('')}</ul>
<form method="post" id="admin-consent">
<label for="address">Administrator’s email</label> <input id="address" name="address" type="email" value="${text(form.address)}">
<button id="accept" name="step" value="accept">Accept</button>
<button id="deny" name="step" value="cancel">Cancel</button>
</form>`;
    if (form.step !== 'accept' || !person) return page(ctx, 200, 'microsoft', 'Permissions requested', asked);
    const home = tenantOf(domainOf(person));
    if (isPersonal(person) || (tenant !== 'organizations' && state.tenants.idOf(tenant) !== home)) return pageError(ctx, 50020);
    if (!person.startsWith('admin@')) {
      return failure(ctx, 403, 'microsoft', 'Need admin approval', `${person} is not an administrator.`);
    }
    const all = approvedFor(state, client, home);
    for (const one of expand(known)) all.add(one);
    return back([['admin_consent', 'True'], ['tenant', home], ['scope', known.map(spell).join(' ')]]);
  }
}
