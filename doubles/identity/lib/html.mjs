// The pages people see. Plain forms without scripts, so that a cookie jar and a browser walk through them alike.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const text = (value) => String(value ?? '').replace(/[&<>"']/g, (found) => escapes[found]);

/** A whole page; `body` is markup. */
export function page(ctx, status, house, title, body) {
  ctx.status = status;
  ctx.type = 'html';
  ctx.set('x-frame-options', 'DENY');
  ctx.set('cache-control', 'no-store');
  ctx.body = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>${text(title)}</title></head>
<body data-house="${house}">
<p><small>A stand-in for ${house === 'google' ? 'Google' : 'Microsoft'}, for tests only</small></p>
<h1>${text(title)}</h1>
${body}
</body>
</html>
`;
}

/** Which account? The one that is signed in, or any address. */
export function chooser(ctx, house, { app, signedIn, hint, refusal }) {
  const known = signedIn
    ? `<form method="post"><input type="hidden" name="address" value="${text(signedIn)}">
<button id="known-account" name="step" value="account">${text(signedIn)}</button></form>
<h2>Use another account</h2>` : '';
  const wrong = refusal ? `<p role="alert" id="refusal">${text(refusal)}</p>` : '';
  page(ctx, refusal ? 400 : 200, house, signedIn ? 'Choose an account' : 'Sign in', `<p>to continue to ${text(app)}</p>
${wrong}${known}
<form method="post" id="sign-in">
<label for="address">Email</label> <input id="address" name="address" type="email" required value="${text(hint)}">
<button id="next" name="step" value="account">Next</button>
</form>
<form method="post"><button id="cancel-sign-in" name="step" value="cancel">Cancel</button></form>`);
}

/** May the application have this? With a box for each scope that may be refused alone. */
export function consent(ctx, house, { app, person, fixed, boxes }) {
  const list = fixed.map((scope) => `<li>${text(scope)}</li>`).join('');
  const ticked = boxes.map((scope) => `<p><label><input type="checkbox" name="scope" value="${text(scope)}" checked>
${text(scope)}</label></p>`).join('\n');
  page(ctx, 200, house, `${app} wants access to your account`, `<p id="person">${text(person)}</p>
<form method="post" id="consent">
<ul>${list}</ul>
${ticked}
<button id="allow" name="step" value="allow">${house === 'google' ? 'Continue' : 'Accept'}</button>
<button id="deny" name="step" value="cancel">Cancel</button>
</form>`);
}

/** An error that stays here: nothing on this page leads back to the application. */
export function failure(ctx, status, house, title, detail) {
  page(ctx, status, house, title, `<p id="detail">${text(detail)}</p>`);
}
