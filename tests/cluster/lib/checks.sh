# shellcheck shell=bash
# What a machine must have for a node of its own, each named in a sentence where it lacks.

otherwise='Or use any other cluster: KUBECONFIG=... CLUSTER=existing IMAGE=... (an image that it can pull).'

lacks() {
  say "cluster: $1"
  say "         $otherwise"
  exit 1
}

check_user() {
  [ "$(uname -s)" = Linux ] || lacks "A node of its own needs Linux; this is $(uname -s)."
  [ "$(id -u)" = 0 ] || lacks "A node of its own needs root (network namespaces, mounts, cgroups); this is user $(id -un)."
}

check_machine() {
  check_user
  install_packages
  check_cgroups
  check_network
  choose_snapshotter
}

# Command or file, and the Debian package that has it.
wanted_programs() {
  cat <<'PROGRAMS'
containerd containerd
ctr containerd
runc runc
/usr/lib/cni/bridge containernetworking-plugins
iptables iptables
ip iproute2
nsenter util-linux
mount mount
sysctl procps
buildah buildah
debootstrap debootstrap
PROGRAMS
}

install_packages() {
  local program package
  local -A missing=()
  while read -r program package; do
    command -v "$program" >/dev/null || [ -e "$program" ] || missing[$package]=$program
  done < <(wanted_programs)
  [ ${#missing[@]} -gt 0 ] || return 0

  command -v apt-get >/dev/null ||
    lacks "These are missing, and there is no apt-get to install them: ${missing[*]} (Debian's packages: ${!missing[*]})."
  [ "$(id -u)" = 0 ] ||
    lacks "These are missing: ${missing[*]}. As root: apt-get install --no-install-recommends ${!missing[*]}"
  step "installing Debian packages: ${!missing[*]}" "20 s"
  {
    forbid_services
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q install -y --no-install-recommends "${!missing[@]}"
    allow_services
  } >"$logs/apt.log" 2>&1 || {
    allow_services
    tail -n 5 "$logs/apt.log" >&2
    lacks "apt-get could not install ${!missing[*]} (all it said: $logs/apt.log)."
  }
}

policy=/usr/sbin/policy-rc.d
policy_mark='# Made by tokencache-operator/tests/cluster for the time of one apt-get call.'

# A containerd that starts on the host with the package would be nobody's.
forbid_services() {
  [ ! -e "$policy" ] || return 0
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}

allow_services() {
  if grep -qsF "$policy_mark" "$policy"; then rm -f "$policy"; fi
}

check_cgroups() {
  local controller
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    for controller in cpu cpuset memory pids; do
      grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers ||
        lacks "The kernel's cgroup controller '$controller' is not enabled in /sys/fs/cgroup."
    done
    [ -w /sys/fs/cgroup/cgroup.procs ] || lacks "/sys/fs/cgroup is read-only."
  else
    for controller in cpu cpuset memory pids; do
      [ -w "/sys/fs/cgroup/$controller/cgroup.procs" ] ||
        lacks "The kernel's cgroup controller '$controller' is not mounted (writable) under /sys/fs/cgroup."
    done
  fi
}

# All tried in a network namespace that ends with the command.
check_network() {
  modprobe -qa veth bridge br_netfilter overlay 2>/dev/null || true
  unshare --net true 2>/dev/null || lacks "Network namespaces can't be made here (unshare --net was refused)."
  try_network "ip link add try0 type veth peer name try1" || lacks "The kernel has no veth links."
  try_network "ip link add try0 type bridge" || lacks "The kernel has no bridges."
  local rule
  for rule in "-t nat -A POSTROUTING -j MASQUERADE" \
    "-t nat -A POSTROUTING -m comment --comment try -m statistic --mode random --probability 0.5 -j ACCEPT" \
    "-A FORWARD -m conntrack --ctstate NEW -j ACCEPT" \
    "-A FORWARD -m recent --name try --rcheck --seconds 10 -j ACCEPT"; do
    try_network "iptables $rule" || lacks "iptables can't do what kube-proxy needs: iptables $rule."
  done
  if ip -4 -oneline address | grep -v "$network" | grep -q " ${host_address%.*}\."; then
    lacks "The network ${host_address%.*}.0/30, which the node uses, is in use on this machine."
  fi
}

try_network() { unshare --net sh -c "$1" >/dev/null 2>&1; }

choose_snapshotter() {
  snapshotter=overlayfs
  mkdir -p "$disk/try"/{lower,upper,work,merged}
  if ! unshare --mount mount -t overlay overlay "$disk/try/merged" \
    -o "lowerdir=$disk/try/lower,upperdir=$disk/try/upper,workdir=$disk/try/work" 2>/dev/null; then
    say "cluster: no overlay mounts on the file system of $disk: images are copied instead (slower, more disk)"
    snapshotter=native
  fi
  rm -rf "$disk/try"
}
