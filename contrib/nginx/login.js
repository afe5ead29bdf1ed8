// SPDX-License-Identifier: MIT
// The login of a gateway, with syncer as its last step. /_login is the login there was before: it checks who it is, stores
// the token in this pod's key-value zone and answers 200 with the cookie. njs 0.7 or later.
import crypto from 'crypto';

const PAGE = '/page';

// Runs the login; the token, or null: then the answer has been given.
async function signIn(r) {
    const reply = await r.subrequest('/_login', {
        method: r.method, args: r.variables.args || '', body: r.requestText || ''
    });
    const cookies = reply.headersOut['Set-Cookie'] || [];
    const found = cookies.join(';').match(/(?:^|; ?)auth_token=([^;]+)/);

    if (reply.status != 200 || !found) {
        r.return(reply.status == 200 ? 502 : reply.status, reply.responseText);
        return null;
    }
    r.headersOut['Set-Cookie'] = cookies;
    r.variables.new_token = found[1];
    return found[1];
}

// What syncer says of the token of this login, at most its request_deadline later; 'unknown' without a verdict.
async function ask(r) {
    const reply = await r.subrequest('/_syncer');
    const said = reply.headersOut;

    r.variables.token_status = said['X-Token-Status'] || 'unknown';
    r.variables.token_pods = said['X-Token-Pods'] || '';
    r.variables.token_sync_ms = said['X-Token-Sync-Ms'] || '';
    return r.variables.token_status;
}

// Advisory: waits until all other pods have the token, then lets the browser go, whatever the verdict.
async function wait(r) {
    if (await signIn(r)) {
        await ask(r);
        r.return(303, PAGE);
    }
}

// Strict: only a token that is on all other pods goes on.
async function insist(r) {
    if (await signIn(r)) {
        if (await ask(r) == 'Synced') {
            r.return(303, PAGE);
        } else {
            r.internalRedirect('@not_yet');
        }
    }
}

// Leaves the waiting to the auth_request of another location of this pod.
async function redirect(r) {
    if (await signIn(r)) {
        r.internalRedirect('/_landing');
    }
}

// The key of a cached verdict: nginx writes it into its cache file, so it must not be the token itself.
function tokenKey(r) {
    return crypto.createHash('sha256').update(r.variables.cookie_auth_token || '').digest('hex');
}

export default { wait, insist, redirect, tokenKey };
