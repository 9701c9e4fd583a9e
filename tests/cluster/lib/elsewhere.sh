# shellcheck shell=bash
# Clusters that are not made here: any that KUBECONFIG names, and kind's.

which_cluster() {
  case ${CLUSTER:-} in
    node | own) echo own ;;
    kind | existing) echo "$CLUSTER" ;;
    "") if command -v kind >/dev/null && docker_answers; then echo kind; else echo own; fi ;;
    *) fail "CLUSTER is '$CLUSTER': want node, kind or existing" ;;
  esac
}

# The user's own kubectl and Helm, or else those of the cluster binary, which takes long to build.
run_kubectl() {
  if command -v kubectl >/dev/null; then exec kubectl "$@"; fi
  run_built kubectl "$@"
}

run_helm() {
  if command -v helm >/dev/null && [[ $(helm version --short 2>/dev/null) =~ ^v?[34]\. ]]; then exec helm "$@"; fi
  run_built helm "$@"
}

run_built() {
  local binary
  binary=$("$here/binary" --path)
  [ -x "$binary" ] || say "cluster: there is no $1 on the PATH (Helm 3 or 4, and kubectl): building both"
  binary=$("$here/binary")
  exec "$binary" "$@"
}

existing_up() {
  (run_kubectl --request-timeout=10s get --raw /readyz) >/dev/null ||
    fail "the cluster of KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config} does not answer (CLUSTER=existing)"
  say "Using the cluster of ${KUBECONFIG:-$HOME/.kube/config}."
}

existing_load() {
  [ -n "${IMAGE:-}" ] ||
    fail "an image can't be loaded into a cluster that was not made here: push it to a registry that it can reach, and name it with IMAGE=..."
  say "The cluster pulls $IMAGE itself."
}

docker_answers() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

kind_kubeconfig=$cache/kind.kubeconfig

kind_up() {
  command -v kind >/dev/null || fail "CLUSTER=kind needs 'kind' on the PATH"
  docker_answers || fail "CLUSTER=kind needs a Docker daemon that answers 'docker info'"
  mkdir -p "$cache"
  if ! kind get clusters 2>/dev/null | grep -qx "$network"; then
    step "making a cluster with kind" "1 min"
    kind create cluster --name "$network" --kubeconfig "$kind_kubeconfig" --wait 3m >&2
  fi
  kind get kubeconfig --name "$network" >"$kind_kubeconfig"
  chmod 600 "$kind_kubeconfig"
  say "kind's cluster is up: KUBECONFIG=$kind_kubeconfig"
}

kind_down() {
  kind delete cluster --name "$network" --kubeconfig "$kind_kubeconfig" >&2
  rm -f "$kind_kubeconfig"
}

kind_load() { kind load image-archive "$1" --name "$network" >&2; }
