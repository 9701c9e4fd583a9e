# shellcheck shell=bash
# What all parts of the node script share: where things lie, and how it speaks and waits.

export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

. "$(dirname "${BASH_SOURCE[0]}")/cache.sh"
# One node on a machine, whichever clone it was started from: so these are fixed.
run=/run/tokencache-cluster
disk=/var/lib/tokencache-cluster
logs=$cache/node-logs
lock=/run/lock/tokencache-cluster

network=tokencache
node=tokencache
host_address=198.18.1.1
node_address=198.18.1.2
pod_range=10.244.0.0/24
service_range=10.96.0.0/16
dns_address=10.96.0.10
kubeconfig=$run/admin.kubeconfig

# The caller's stderr, also for what is said while a command's own is turned away.
exec 7>&2

say() { printf '%s\n' "$*" >&7; }
fail() {
  say "cluster: $*"
  exit 1
}

# One clock for a script and those that it calls.
export TOKENCACHE_BEGUN=${TOKENCACHE_BEGUN:-$EPOCHSECONDS}

# step TEXT USUAL: says what is being done and how long that usually takes.
step() { printf '[%3d s] %s (usually %s)\n' "$((EPOCHSECONDS - TOKENCACHE_BEGUN))" "$1" "$2" >&7; }

# wait_for WHAT SECONDS COMMAND...: asks until the command succeeds.
wait_for() {
  local what=$1 limit=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! nothing_died; then return 1; fi
    if ((SECONDS >= limit)); then
      say "cluster: waited in vain for $what"
      return 1
    fi
    sleep 0.1
  done
}

# hash_of TEXT...: a short name for what something is made from.
hash_of() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# only_one NAME: holds a lock in the cache until the calling subshell ends.
only_one() {
  mkdir -p "$cache"
  exec 8>"$cache/$1.lock"
  if ! flock --nonblock 8; then
    say "cluster: another process is making $1; waiting for that one"
    flock 8
  fi
}
