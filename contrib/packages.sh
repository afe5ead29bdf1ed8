# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2015
# For contrib/check and contrib/demo, to be sourced: what has to be installed, and a copy of the tree to build from.
build_packages="autoconf automake make gcc pkg-config libc6-dev libcurl4-openssl-dev libssl-dev libyaml-dev libjsmn-dev"
system_packages="python3 python3-yaml openssl nginx libnginx-mod-http-lua libnginx-mod-http-js prometheus dnsmasq-base mandoc"
browser_packages="chromium chromium-driver" # for the page; check only

# install_missing NAME LOG PACKAGE...: by apt, those that are not there (Debian, Ubuntu). NAME is who says so.
install_missing() {
    local name=$1 log=$2 missing=() p sudo='' rc=0 mask=''; shift 2
    for p; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q "ok installed" || missing+=("$p")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "$name: installing ${missing[*]}" >&2
    [ "$(id -u)" = 0 ] || sudo=sudo
    # A package must not start a server of its own; of Prometheus nothing but the program is wanted.
    [ ! -d /run/systemd/system ] || [[ " ${missing[*]} " != *" prometheus "* ]] || mask=prometheus.service
    [ -z "$mask" ] || $sudo systemctl -q mask --runtime "$mask" || return 1
    $sudo apt-get -q update >"$log" 2>&1 &&
        $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q install -y --no-install-recommends \
            "${missing[@]}" >>"$log" 2>&1 || { tail -20 "$log" >&2; rc=1; }
    [ -z "$mask" ] || { $sudo systemctl -q unmask --runtime "$mask"; $sudo systemctl -q disable "$mask"; } >>"$log" 2>&1
    return "$rc"
}

# copy_tree FROM TO: the sources without what a build within the tree has left, since make would take it for its own;
# then the build files.
copy_tree() {
    mkdir -p "$2" && tar cf - -C "$1" --exclude=./.git --exclude='./build*' --exclude=./config.status --exclude=./Makefile \
        --exclude='*.o' --exclude='*.a' --exclude=__pycache__ . | tar xf - -C "$2" || return 1
    (cd "$2" && autoreconf -i) >"$2.autoreconf.log" 2>&1 || { cat "$2.autoreconf.log" >&2; return 1; }
}
