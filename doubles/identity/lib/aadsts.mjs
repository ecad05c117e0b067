// Microsoft's errors: the numbers, the words, and the shapes they come in.

import { randomUUID } from 'node:crypto';
import { failure } from './html.mjs';

// By number: status and `error` at the token endpoint, and the first sentence.
const KNOWN = {
  28000: [400, 'invalid_request', 'Provided value for the input parameter scope is not valid because it contains more than one resource.'],
  50011: [400, 'invalid_request', 'The redirect URI specified in the request does not match the redirect URIs configured for the application.'],
  50020: [400, 'invalid_request', 'User account from this identity provider does not exist in the tenant and cannot access the application in that tenant.'],
  50173: [400, 'invalid_grant', 'The provided grant has expired due to it being revoked, a fresh auth token is needed.', 'bad_token'],
  50194: [400, 'invalid_request', "Application is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such applications created after '10/15/2018'."],
  54005: [400, 'invalid_grant', 'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.'],
  65001: [400, 'invalid_grant', 'The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.', 'consent_required'],
  65004: [400, 'access_denied', 'User declined to consent to access the app.'],
  70000: [400, 'invalid_grant', 'The provided value for the input parameter is not valid.'],
  70003: [400, 'unsupported_grant_type', 'The app requested an unsupported grant type.'],
  70011: [400, 'invalid_scope', "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid."],
  90002: [400, 'invalid_request', 'Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.'],
  90014: [400, 'invalid_request', 'The required field is missing from the credential.'],
  90023: [400, 'invalid_request', "Unsupported 'prompt' value."],
  90094: [400, 'access_denied', 'An administrator of the organisation must grant the permissions that the application requests.'],
  90100: [400, 'invalid_request', 'A parameter is empty or not valid.'],
  500112: [400, 'invalid_client', 'The reply address does not match the reply address provided when requesting the authorization code.'],
  500208: [400, 'invalid_request', 'The domain is not a valid login domain for the account type.'],
  501481: [400, 'invalid_grant', 'The Code_Verifier does not match the code_challenge supplied in the authorization request.'],
  700005: [400, 'invalid_grant', 'Provided Authorization Code is intended to use against other tenant, thus rejected.'],
  700016: [400, 'unauthorized_client', 'Application was not found in the directory.'],
  700082: [400, 'invalid_grant', 'The refresh token has expired due to inactivity.', 'token_expired'],
  7000215: [401, 'invalid_client', 'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.'],
  7000218: [401, 'invalid_client', "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."],
  7000222: [401, 'invalid_client', 'The provided client secret keys are expired.'],
  9001023: [400, 'invalid_request', 'The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.'],
  9002331: [400, 'invalid_request', 'Application is configured for use by Microsoft Account users only. Please use the /consumers endpoint to serve this request.'],
  9002332: [400, 'invalid_request', 'Application is configured for use by Azure Active Directory users only. Please do not use the /consumers endpoint to serve this request.'],
};

const clock = () => `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`;

/** A description as Microsoft writes it, the ids that support asks for included. */
export function describe(number, trace = randomUUID(), correlation = randomUUID()) {
  return `AADSTS${number}: ${KNOWN[number][2]} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${clock()}`;
}

/** The name of an error in a callback. */
export const nameOf = (number) => KNOWN[number][1];

/** Answers a token request with an error. */
export function tokenError(ctx, number) {
  const [status, error, , suberror] = KNOWN[number];
  const [trace, correlation] = [randomUUID(), randomUUID()];
  ctx.status = status;
  ctx.body = {
    error,
    error_description: describe(number, trace, correlation),
    error_codes: [Number(number)],
    timestamp: clock(),
    trace_id: trace,
    correlation_id: correlation,
    ...(suberror ? { suberror } : {}),
    error_uri: `https://login.microsoftonline.com/error?code=${number}`,
  };
}

/** An error that stays on Microsoft's page. */
export function pageError(ctx, number) {
  failure(ctx, KNOWN[number][0], 'microsoft', 'Sorry, but we’re having trouble signing you in.', describe(number));
}

/** Which number is behind an error of oidc-provider at the token endpoint. */
export function numberFor(form, body, error) {
  const said = `${body?.error_description ?? ''} ${error?.error_detail ?? ''}`;
  if (body?.error === 'unsupported_grant_type') return 70003;
  if (body?.error === 'invalid_request') return 90014;
  if (form.grant_type === 'refresh_token') return /expired/.test(said) ? 700082 : 50173;
  if (/redirect_uri mismatch/.test(said)) return 500112;
  if (/PKCE|code_verifier/.test(said)) return 501481;
  if (/already consumed|already used/.test(said)) return 54005;
  return 70000;
}
