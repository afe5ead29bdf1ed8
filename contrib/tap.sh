# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the checks that run scripts of tests/system by themselves, to be sourced: contrib/check-install, and kube/check, helm/check,
# container/check.

# run_scripts SCRIPT...: test scripts of tests/system, one after the other, as they print. The last line is "N passed, N
# failed"; the status says the same.
run_scripts() {
    local passed=0 failed=0 script log rc f
    log=$(mktemp "${TMPDIR:-/tmp}/syncer-check.XXXXXX") || return 1
    for script; do
        echo "# $script"
        python3 "$script" 2>&1 | tee "$log"
        rc=${PIPESTATUS[0]} f=$(grep -c '^not ok' "$log")
        [ "$rc" = 0 ] || [ "$f" != 0 ] || f=1
        passed=$((passed + $(grep '^ok' "$log" | grep -vc '# SKIP'))) failed=$((failed + f))
    done
    rm -f "$log"
    [ "$((passed + failed))" -gt 0 ] || failed=1
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
