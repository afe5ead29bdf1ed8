-- SPDX-License-Identifier: MIT
-- A gateway pod for tests: what the key-value zone and zone_sync of NGINX Plus do, in one shared dict. A token is stored
-- with the time from which this pod has it, so a replication lag needs no timer and outlasts a reload. Keys are
-- "POD kind name"; one nginx process may be many pods.
local pods = ngx.shared.pods
local setup = {} -- tick_ms, peers = {{name, control host, control port}, ...}: set by configure()
local M = {}

local function key(pod, kind, name)
    return pod .. " " .. kind .. " " .. (name or "")
end

local function count(pod, what)
    pods:incr(key(pod, "count", what), 1, 0)
end

local function now_ms()
    ngx.update_time()
    return ngx.now() * 1000
end

local function has(pod, token)
    local from = token and pods:get(key(pod, "token", token))
    return from and from <= now_ms()
end

function M.configure(new)
    setup = new
end

-- One ClientHello, whatever comes of it. Runs before there is a request: the configuration names the pod.
function M.client_hello(pod)
    count(pod, "handshakes")
end

-- The probe location: 200 if this pod has the token of the cookie, 401 if not, or what a test has ordered.
function M.probe()
    local pod = ngx.var.pod
    local order = pods:get(key(pod, "order"))
    count(pod, "probes")
    if ngx.var.connection_requests == "1" then count(pod, "connections") end
    if order then
        local what, n = order:match("^(%a+) ?(%d*)$")
        if what == "status" then return ngx.exit(tonumber(n)) end
        ngx.sleep(what == "hang" and 600 or tonumber(n) / 1000)
    end
    if not has(pod, ngx.var.cookie_auth_token) then return ngx.exit(401) end
    ngx.header["Content-Length"] = 0
    ngx.exit(200)
end

-- What auth_jwt does before the content: 401 to whom the pod does not know.
function M.guard()
    if not has(ngx.var.pod, ngx.var.cookie_auth_token) then return ngx.exit(401) end
end

-- Control, on a plain port: the pod is ?pod=NAME, a token comes in the body.
local control = {}

function control.PUT_token(pod, args, body)
    local lag = tonumber(args.lag) or 0
    pods:set(key(pod, "token", body), tonumber(args.at) or now_ms() + lag)
end

function control.DELETE_token(pod, _, body)
    pods:delete(key(pod, "token", body))
end

-- When the pod got or gets the token, in ms of the wall clock; 404 if never.
function control.POST_token(pod, _, body)
    local from = pods:get(key(pod, "token", body))
    if not from then return ngx.exit(404) end
    ngx.print(string.format("%.3f", from))
end

function control.PUT_order(pod, _, body)
    if body == "" then pods:delete(key(pod, "order")) else pods:set(key(pod, "order"), body) end
end

function control.GET_counters(pod)
    for _, what in ipairs { "probes", "connections", "handshakes" } do
        ngx.say(what, " ", pods:get(key(pod, "count", what)) or 0)
    end
end

function M.control()
    ngx.req.read_body()
    local args = ngx.req.get_uri_args()
    local handler = control[ngx.req.get_method() .. "_" .. ngx.var.uri:sub(2)]
    if not handler or not args.pod then return ngx.exit(404) end
    handler(args.pod, args, ngx.req.get_body_data() or "")
end

-- The application behind the gateway: it lets in whom this pod knows.
function M.page()
    local pod = ngx.var.pod
    if not has(pod, ngx.var.cookie_auth_token) then ngx.status = 401 end
    ngx.say(ngx.status == 401 and "unknown here: log in again, says " or "welcome, says ", pod)
end

-- Tells a peer from when it has the token, as its own control would be told by a test.
local function send(peer, token, at)
    local sock = ngx.socket.tcp()
    sock:settimeout(1000)
    if not sock:connect(peer[2], peer[3]) then return end -- a pod that is stopped misses it, as in life
    sock:send(string.format("PUT /token?pod=%s&at=%.3f HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", peer[1], at, #token, token))
    sock:receive("*l")
    sock:close()
end

-- zone_sync: everything goes out at the origin's next tick, to all nodes at nearly the same time.
local function replicate(_, pod, token, tick)
    for _, peer in ipairs(setup.peers) do
        if peer[1] ~= pod then
            ngx.thread.spawn(send, peer, token, tick + math.random() * setup.spread_ms)
        end
    end
end

-- The login as a gateway has it: makes a token, stores it in this pod's zone and sets the cookie.
function M.login()
    local pod, now = ngx.var.pod, now_ms()
    local token = ngx.var.arg_token or ngx.var.request_id
    -- The ticks of a pod have a phase of their own; drawn anew each time, as logins come at any time of the interval.
    local tick = now + math.random() * setup.tick_ms
    pods:set(key(pod, "token", token), now)
    ngx.timer.at(0, replicate, pod, token, tick)
    ngx.header["Set-Cookie"] = "auth_token=" .. token .. "; Path=/; Secure; HttpOnly"
    ngx.header["Content-Length"] = 0
    ngx.exit(200)
end

return M
