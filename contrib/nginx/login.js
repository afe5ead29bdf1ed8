// SPDX-License-Identifier: MIT
// The login of a gateway, with syncer as its last step. /_login is the login there was before: it checks who it is, stores
// the token in this pod's key-value zone and answers 200 with the cookie. njs 0.7 or later.

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

// Waits until all other pods have the token, at most syncer's request_deadline, then lets the browser go.
async function wait(r) {
    if (await signIn(r)) {
        const reply = await r.subrequest('/_syncer');
        r.headersOut['X-Token-Status'] = reply.headersOut['X-Token-Status'] || 'unknown';
        r.return(303, '/page');
    }
}

// Leaves the waiting to the auth_request of another location of this pod.
async function redirect(r) {
    if (await signIn(r)) {
        r.internalRedirect('/_landing');
    }
}

export default { wait, redirect };
