// The pages between the authorization request and the callback: account, sign-in, consent. Each has one address, which
// shows the page on GET and takes its form on POST.

import { newGrant, readForm } from './core.mjs';
import { chooser, consent, failure } from './html.mjs';
import { address } from './people.mjs';

/** Serves `/signin/…`. */
export function signIn(state, built, house) {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/signin/')) return next();
    let interaction;
    try {
      interaction = await built.interactionDetails(ctx.req, ctx.res);
    } catch (error) {
      return failure(ctx, 400, house.name, 'This sign-in is over', error.message);
    }
    const form = ctx.method === 'POST' ? await readForm(ctx) : {};
    const asked = { ctx, state, built, house, interaction, form };
    return interaction.prompt.name === 'consent' ? consentStep(asked) : accountStep(asked);
  };
}

async function finish({ ctx, built }, result) {
  const back = await built.interactionResult(ctx.req, ctx.res, result);
  ctx.status = 303;
  ctx.set('location', back);
  ctx.body = '';
}

const appName = ({ state, interaction }) => state.settings(interaction.params.client_id).name ?? 'the application';

async function accountStep(asked) {
  const { ctx, built, house, interaction, form } = asked;
  const { params } = interaction;
  if (form.step === 'cancel') return finish(asked, house.denial('sign-in'));
  const person = address(form.address);
  const client = await built.Client.find(params.client_id);
  const refusal = form.step && (person ? house.refusal(person, params, client) : 'Enter a valid email address.');
  if (!person || refusal) {
    const shown = { app: appName(asked), signedIn: interaction.session?.accountId, hint: form.address ?? params.login_hint, refusal };
    return chooser(ctx, house.name, shown);
  }
  if (interaction.session && interaction.session.accountId !== person) {
    // Another person signs in: the browser begins a new session, without oidc-provider's page about the old one.
    const old = await built.Session.findByUid(interaction.session.uid);
    await old?.destroy();
    interaction.session = undefined;
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  }
  const result = { login: { accountId: person } };
  return finish(asked, interaction.prompt.name === 'select_account' ? { ...result, select_account: {} } : result);
}

async function consentStep(asked) {
  const { ctx, state, built, house, interaction, form } = asked;
  const { params, session: { accountId: person } } = interaction;
  const scopes = [...new Set((params.scope ?? '').split(' '))].filter((scope) => house.scopes.includes(scope));
  const { fixed, boxes } = house.consent(scopes);
  const detour = await house.beforeConsent(asked, person, scopes);
  if (detour) return detour(finish);
  if (form.step === 'cancel') return finish(asked, house.denial('consent'));
  if (form.step !== 'allow') {
    const shown = { app: appName(asked), person, fixed: fixed.map(house.spell), boxes: boxes.map(house.spell) };
    return consent(ctx, house.name, shown);
  }
  const ticked = new Set([form.scope ?? []].flat());
  const accepted = boxes.filter((scope) => ticked.has(house.spell(scope)));
  const rejected = boxes.filter((scope) => !accepted.includes(scope));
  const grant = await newGrant(built, state, params.client_id, person, [...fixed, ...accepted], rejected);
  return finish(asked, { consent: { grantId: grant.jti } });
}
