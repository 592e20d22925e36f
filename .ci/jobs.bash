# What .ci/run and .ci/full share: run jobs by name, keep going after a failure, say how each ended.
# Sourced, not executed. The caller defines a function `job_NAME` for each name of its array `jobs`.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export CARGO_INCREMENTAL=0
export RUST_BACKTRACE=1
exec </dev/null

log_directory=$(mktemp -d)
trap 'rm -rf "$log_directory"' EXIT

# Names of the jobs that failed.
failed_jobs=()

# Runs the jobs named by its arguments, all of `jobs` when there are none, and fills `failed_jobs`.
# Call it bare: after `if` or before `||` bash ignores errexit in everything beneath.
run_jobs() {
    local name started seconds outcome summary=()
    [ $# -gt 0 ] || set -- "${jobs[@]}"
    for name in "$@"; do
        if ! declare -F "job_$name" >/dev/null; then
            echo "no job is called '$name'; there are: ${jobs[*]}" >&2
            exit 2
        fi
    done
    for name in "$@"; do
        printf '\n=== %s\n' "$name"
        started=$SECONDS
        set +e
        (set -euo pipefail; "job_$name")
        outcome=$?
        set -e
        seconds=$((SECONDS - started))
        if [ "$outcome" -eq 0 ]; then
            summary+=("ok      $name (${seconds} s)")
        else
            summary+=("FAILED  $name (${seconds} s, exit code $outcome)")
            failed_jobs+=("$name")
        fi
    done
    printf '\n=== summary\n'
    printf '%s\n' "${summary[@]}"
}

# Says how many tests a log of cargo test and of Node's test runner saw pass and fail. A run that ended badly counts as one
# failure at least: a test that kills its process, and code that does not compile, leave no result line.
#   print_test_count LOG NAME_OF_THE_JOB
print_test_count() {
    local passed failed
    read -r passed failed < <(awk '
        /^test result:/ { passed += $4; failed += $6 }
        /^(#|ℹ) pass [0-9]+$/ { passed += $3 }
        /^(#|ℹ) fail [0-9]+$/ { failed += $3 }
        END { print passed + 0, failed + 0 }' "$1")
    if [ "$failed" -eq 0 ] && [[ " ${failed_jobs[*]} " == *" $2 "* ]]; then
        failed=1
    fi
    echo "$passed passed, $failed failed"
}
