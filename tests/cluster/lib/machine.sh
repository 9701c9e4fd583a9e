# shellcheck shell=bash
# What the node takes from the machine, and how all of it is given back: a
# namespace each for network and mounts, a control group, two folders, a few
# kernel settings. Its processes are those of the control group: whatever way
# they were started, and whoever started them has died, none gets lost.

# kubelet sets these for the whole machine.
kernel_settings=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

take_machine() {
  mkdir -p "$run/pids" "$disk"
  chmod 700 "$run" "$disk"
  local setting
  for setting in "${kernel_settings[@]}"; do
    sysctl "$setting" 2>/dev/null || true
  done >"$run/kernel-settings"
  make_groups
  make_network
  make_mounts
}

# Safe to call at any time, after any death: takes away whatever is there.
give_back_machine() {
  kill_group
  unmount_all
  ip link delete "${network}0" 2>/dev/null || true
  if [ -e "/run/netns/$network" ]; then ip netns delete "$network"; fi
  remove_groups
  if [ -f "$run/kernel-settings" ]; then sysctl -q -p "$run/kernel-settings" >/dev/null 2>&1 || true; fi
  rm -rf --one-file-system "$run" "$disk"
  rmdir --ignore-fail-on-non-empty "${fixed_folders[@]}" 2>/dev/null || true
  allow_services
}

anything_left() {
  [ -e "$run" ] || [ -e "$disk" ] || [ -e "/run/netns/$network" ] || [ -d "$(group_folder)" ]
}

# Control groups: `node` in every hierarchy is kubelet's root; in one of them
# the daemons lie in `node/daemons`.

unified() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }

group_folder() {
  if unified; then echo "/sys/fs/cgroup/$network"; else echo "/sys/fs/cgroup/pids/$network"; fi
}

make_groups() {
  local hierarchy controller setting
  if unified; then
    mkdir -p "/sys/fs/cgroup/$network"
    local controllers
    read -ra controllers </sys/fs/cgroup/cgroup.controllers
    # One by one: the kernel takes all of a list or nothing.
    for controller in "${controllers[@]}"; do
      echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
      echo "+$controller" >"/sys/fs/cgroup/$network/cgroup.subtree_control" || true
    done 2>/dev/null
  else
    for hierarchy in /sys/fs/cgroup/*/cgroup.procs; do
      mkdir -p "$(dirname "$hierarchy")/$network"
    done
    # A new group of cpuset is unusable until it has been told what it may use.
    for setting in cpuset.cpus cpuset.mems; do
      cat "/sys/fs/cgroup/cpuset/$setting" >"/sys/fs/cgroup/cpuset/$network/$setting"
    done
  fi
  mkdir -p "$(group_folder)/daemons"
}

group_processes() {
  local folder
  folder=$(group_folder)
  if [ -d "$folder" ]; then find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true; fi
}

kill_group() {
  local processes limit=$((SECONDS + 20))
  while processes=$(group_processes) && [ -n "$processes" ]; do
    # One that ended meanwhile makes kill fail.
    xargs kill -KILL <<<"$processes" 2>/dev/null || true
    if ((SECONDS >= limit)); then
      fail "these processes of the node don't end: $(tr '\n' ' ' <<<"$processes")"
    fi
    sleep 0.05
  done
}

remove_groups() {
  local limit=$((SECONDS + 10)) group
  while group=$(find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$network" -print -quit) && [ -n "$group" ]; do
    # A group is busy for a moment after its last process.
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    if ((SECONDS >= limit)); then fail "the control group $group can't be removed"; fi
  done
}

unmount_all() {
  local point
  # The innermost first; what is busy for a moment goes when it no longer is.
  while read -r point; do
    umount "$point" 2>/dev/null || umount --lazy "$point" 2>/dev/null || true
  done < <(awk -v run="$run/" -v disk="$disk/" 'index($5, run) == 1 || index($5, disk) == 1 { print $5 }' \
    /proc/self/mountinfo | tac)
}

# Folders that containerd, its plug-ins and kubelet use whatever they are told;
# the machine may have a containerd or kubelet of its own.
fixed_folders=(/run/containerd /var/lib/cni /var/lib/kubelet)

# All mounts of containers and volumes are made in it, and end with it.
make_mounts() {
  local folder
  mkdir -p "$run/mounts"
  # A mount namespace can only be kept on a mount that is private.
  mount --bind "$run/mounts" "$run/mounts"
  mount --make-private "$run/mounts"
  touch "$run/mounts/namespace"
  unshare --mount="$run/mounts/namespace" true
  for folder in "${fixed_folders[@]}"; do
    mkdir -p "$folder" "$run/fixed$folder"
    nsenter --mount="$run/mounts/namespace" mount --bind "$run/fixed$folder" "$folder"
  done
  # The machine's name server can't be reached from here, and an image that
  # can't be pulled is to fail at once, not after the resolver's time limit.
  echo "nameserver 127.0.0.1" >"$run/resolv.conf"
  if [ -e /etc/resolv.conf ]; then
    nsenter --mount="$run/mounts/namespace" mount --bind "$run/resolv.conf" /etc/resolv.conf
  fi
}

inside() { nsenter --net="/run/netns/$network" "$@"; }

make_network() {
  ip netns add "$network"
  ip link add "${network}0" type veth peer name host netns "$network"
  ip address add "$host_address/30" dev "${network}0"
  ip link set "${network}0" up
  inside ip link set lo up
  inside ip address add "$node_address/30" dev host
  inside ip link set host up
  # Addresses of Services need some route before they are rewritten, and what
  # has none other is to end nowhere.
  inside ip link add sink type bridge
  inside ip link set sink up
  inside ip route add default dev sink
  inside sysctl -q -w net.ipv4.ip_forward=1
  inside sysctl -q -w net.bridge.bridge-nf-call-iptables=1 2>/dev/null ||
    say "cluster: no bridge netfilter: a pod may not reach itself through its Service"
  # The host asks the node; the node and its pods never ask the host.
  inside iptables -t mangle -A POSTROUTING -o host -m conntrack --ctstate NEW -j DROP
}

# daemon NAME COMMAND...: runs until it is killed with the group.
daemon() {
  local name=$1 group fd
  shift
  group=$(group_folder)/daemons/cgroup.procs
  (
    echo "$BASHPID" >"$group"
    # Without what the caller holds open: a lock of theirs would be held for as long as the node is up.
    for fd in /proc/"$BASHPID"/fd/*; do
      fd=${fd##*/}
      if ((fd > 2 && fd != 255)); then exec {fd}>&-; fi
    done
    # Without the caller's environment: proxies in it would come between the components.
    exec setsid nsenter --net="/run/netns/$network" --mount="$run/mounts/namespace" env -i PATH="$PATH" HOME="$run" "$@" \
      </dev/null >"$logs/$name.log" 2>&1
  ) &
  echo $! >"$run/pids/$name"
  # Or bash would tell of its end, which is always by our own hand.
  disown
}

nothing_died() {
  local file
  for file in "$run"/pids/*; do
    [ -e "$file" ] || continue
    if ! kill -0 "$(<"$file")" 2>/dev/null; then
      say "cluster: $(basename "$file") has ended; the end of its log:"
      tail -n 20 "$logs/$(basename "$file").log" >&2
      return 1
    fi
  done
}
