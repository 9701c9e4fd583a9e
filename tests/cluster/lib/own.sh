# shellcheck shell=bash
# A node of our own: its life from nothing to Ready, and back.

own_up() {
  check_user
  take_lock
  if own_healthy; then
    say "The node is up: KUBECONFIG=$kubeconfig"
    if [ "$(<"$run/version")" != "$(own_version)" ]; then
      say "It was made from other sources than these: 'down' and 'up' make it new."
    fi
    return
  fi

  rm -rf "$logs"
  mkdir -p "$logs"
  finished=no
  trap own_abandon EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if anything_left; then
    step "removing what an earlier run left" "1 s"
    give_back_machine
  fi
  step "checking what the machine can do" "1 s"
  check_machine
  binary=$("$here/binary")
  make_images "$binary"

  step "making the network namespace and control groups" "1 s"
  take_machine
  echo "$binary" >"$run/binary"
  echo "$snapshotter" >"$run/snapshotter"
  configure_components
  own_start
  own_version >"$run/version"
  finished=yes
  say "The node is up after $SECONDS s: KUBECONFIG=$kubeconfig"
}

own_start() {
  local import
  step "starting etcd, the API server and containerd" "4 s"
  start_containerd
  start_server
  wait_for "containerd" 60 own_ctr version
  import_images >"$logs/import.log" 2>&1 &
  import=$!
  wait_for "the API server" 120 own_kubectl get --raw /readyz
  step "starting the other components and loading the images" "4 s"
  start_rest
  wait "$import" || { cat "$logs/import.log" >&2 && fail "the images could not be loaded"; }
  wait_for "the node" 120 own_ready
  step "starting CoreDNS and making volumes" "2 s"
  # Needs the ServiceAccount, which the controller manager makes.
  wait_for "the default ServiceAccount" 60 own_kubectl get serviceaccount default
  apply_addons
  wait_for "CoreDNS" 120 addons_ready
}

# What was begun and not finished is of no use to anybody, but its logs are.
own_abandon() {
  local code=$?
  trap '' INT TERM HUP
  if [ "$finished" = no ]; then
    say "cluster: not finished, removing what was begun; the logs stay in $logs"
    give_back_machine
  fi
  exit "$code"
}

own_down() {
  [ "$(id -u)" = 0 ] || fail "only root can take the node down"
  take_lock
  if ! anything_left; then
    say "There is no node here."
    return
  fi
  step "removing the node" "2 s"
  give_back_machine
  say "The node is gone. Kept: $cache (binary, images), $logs (logs)."
}

own_healthy() {
  local daemons file
  daemons=$(group_folder)/daemons/cgroup.procs
  [ -f "$run/version" ] && [ -f "$daemons" ] || return 1
  for file in "$run"/pids/*; do
    grep -qx "$(<"$file")" "$daemons" || return 1
  done
  binary=$(<"$run/binary")
  [ -x "$binary" ] && own_ready && addons_ready
} >/dev/null 2>&1

own_status() {
  local file daemons state
  daemons=$(group_folder)/daemons/cgroup.procs
  if [ ! -e "$run/version" ]; then
    echo "There is no node here, or only root can see it."
    return 1
  fi
  binary=$(<"$run/binary")
  for file in "$run"/pids/*; do
    state=ended
    if grep -qsx "$(<"$file")" "$daemons"; then state=running; fi
    printf '%-24s %-8s %s\n' "${file##*/}" "$state" "$logs/${file##*/}.log"
  done
  printf '%-24s %s\n' "audit log" "$logs/audit.log" "kubeconfig" "$kubeconfig"
  own_kubectl get nodes
}

own_load() {
  [ -S "$run/containerd.sock" ] || fail "there is no node here: 'up' makes one"
  own_ctr --namespace=k8s.io images import --snapshotter="$(<"$run/snapshotter")" "$1" >&2
}

import_images() {
  local archive
  for archive in "${image_archives[@]}"; do own_ctr --namespace=k8s.io images import --snapshotter="$snapshotter" "$archive"; done
}

own_ready() {
  local ready
  ready=$(own_kubectl get node "$node" --output='jsonpath={.status.conditions[?(@.type=="Ready")].status}')
  [ "$ready" = True ]
}

own_kubectl() { "$binary" kubectl --kubeconfig="$kubeconfig" --request-timeout=5s "$@"; }
own_ctr() { ctr --address="$run/containerd.sock" "$@"; }
own_version() { hash_of "$("$here/binary" --path)" "$(cat "$here"/lib/*.sh "$here"/*.yaml)"; }

# Held by one command that changes the node at a time.
take_lock() {
  mkdir -p "$(dirname "$lock")"
  exec 9>"$lock"
  if ! flock --nonblock 9; then
    say "cluster: another command is at work on the node; waiting for it"
    flock 9
  fi
}
